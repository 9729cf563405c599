package server

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mediawiki-websocket/relay/config"
)

// heirVariable is set for a relay that takes another's place: the names of what it inherits, in the order of the descriptors behind the two pipes.
const heirVariable = "WEBSOCKET_RELAY_HEIR"

// inheritance is what a relay has from the one whose place it takes.
type inheritance struct {
	begin     *os.File // says when
	lock      *os.File
	listeners map[string]net.Listener
	feeds     map[string]net.PacketConn // by address
}

// inherited returns what this relay inherits, or nil when it takes nobody's place.
func inherited() (*inheritance, error) {
	names, ok := os.LookupEnv(heirVariable)
	os.Unsetenv(heirVariable)
	if !ok {
		return nil, nil
	}
	syscall.CloseOnExec(readyFD + 1)
	in := &inheritance{begin: os.NewFile(readyFD+1, "begin"), listeners: make(map[string]net.Listener),
		feeds: make(map[string]net.PacketConn)}
	for i, name := range strings.Fields(names) {
		fd := readyFD + 2 + i
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), name)
		if name == lockPart {
			in.lock = f
			continue
		}
		if strings.HasPrefix(name, feedPart) {
			if err := in.feed(name, f); err != nil {
				return nil, err
			}
			continue
		}
		l, err := net.FileListener(f)
		f.Close() // l has a copy
		if err != nil {
			return nil, config.Fail(config.ExitFailure, "take over the socket %s: %v", name, err)
		}
		in.listeners[name] = l
	}
	return in, nil
}

// check reports what of the configuration does not go together with the sockets.
func (in *inheritance) check(cfg *config.Config) error {
	_, secure := in.listeners[securePart]
	control := ""
	if l := in.listeners[controlPart]; l != nil {
		control = l.Addr().String()
	}
	_, port, _ := net.SplitHostPort(cfg.Listen)
	have := ""
	if l := in.listeners[plainPart]; l != nil {
		_, have, _ = net.SplitHostPort(l.Addr().String())
	}
	if port != have && port != "0" || secure != (cfg.TLSCert != "") || control != cfg.Control {
		return config.Fail(config.ExitUsage, "the port, the control socket or whether there is TLS has changed: end the relay and start it, instead of handing over")
	}
	if secure {
		_, err := openCertificate(cfg.TLSCert, cfg.TLSKey, nil)
		return err
	}
	return nil
}

// wait tells the other relay that this one is ready and waits until it may begin.
func (in *inheritance) wait(parent *os.File) error {
	defer in.begin.Close()
	if parent == nil {
		return config.Fail(config.ExitFailure, "nobody hands over")
	}
	fmt.Fprintln(parent, config.ExitOK)
	in.begin.SetReadDeadline(time.Now().Add(heirTimeout))
	if line, err := bufio.NewReader(in.begin).ReadString('\n'); line != "begin\n" {
		return config.Fail(config.ExitFailure, "the relay that hands over has not let this one begin: %v", err)
	}
	return nil
}

// readAnswer reads a line that [tell] or wait has written, and no more.
func readAnswer(from *os.File) (code int, text string, err error) {
	var line strings.Builder
	for b := make([]byte, 1); ; line.Write(b) {
		if _, err := from.Read(b); err != nil {
			return 0, "", err
		}
		if b[0] == '\n' {
			break
		}
	}
	number, text, _ := strings.Cut(strings.TrimSpace(line.String()), " ")
	if code, err = strconv.Atoi(number); err != nil {
		err = errors.New("not an answer")
	}
	return code, text, err
}

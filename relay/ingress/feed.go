package ingress

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// datagramBytes is more than a datagram of UDP can have.
const datagramBytes = 64 << 10

// feedBuffer is how much the kernel keeps for us, if it may, while the relay is busy or another takes its place.
const feedBuffer = 1 << 20

// feed reads what MediaWiki sends to its feeds of recent changes.
type feed struct {
	*input
	socket *net.UDPConn
}

func openFeed(in *input) (*feed, error) {
	if inherited, ok := in.o.Sockets[in.source.Address].(*net.UDPConn); ok {
		delete(in.o.Sockets, in.source.Address)
		return &feed{in, inherited}, nil
	}
	at, err := netip.ParseAddrPort(in.source.Address)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	socket.SetReadBuffer(feedBuffer) // as much of it as the kernel allows
	return &feed{in, socket}, nil
}

func (f *feed) close() { f.socket.Close() }

func (f *feed) session(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { f.socket.SetReadDeadline(time.Unix(1, 0)) })()
	f.up()
	buffer := make([]byte, datagramBytes)
	for ctx.Err() == nil {
		n, from, err := f.socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return fmt.Errorf("read the feed: %w", err)
		}
		if err := f.take(ctx, bytes.Clone(buffer[:n]), from.Addr().Unmap().WithZone("")); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (f *feed) take(ctx context.Context, datagram []byte, from netip.Addr) error {
	m, err := f.message(datagram, from)
	switch {
	case errors.Is(err, errNoChange):
		f.count(&f.state.Ignored, 1)
		return nil
	case err != nil:
		f.lose(from, err.Error())
		return nil
	}
	err = f.push(ctx, []Message{m}, func(_ int, verdicts []Verdict) error {
		if verdicts[0].Result == Refused {
			f.lose(from, verdicts[0].Reason)
		}
		return nil
	})
	if err != nil { // the relay ends, and nobody else has the datagram
		f.count(&f.state.Lost, 1)
	}
	return err
}

func (f *feed) lose(from netip.Addr, reason string) {
	f.count(&f.state.Lost, 1)
	f.poisoned(from.String(), reason, "nowhere")
}

// message returns what a datagram says, if it comes from where it may.
func (f *feed) message(datagram []byte, from netip.Addr) (Message, error) {
	if len(f.source.From) > 0 && !slices.ContainsFunc(f.source.From, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return Message{}, errors.New("the sender is none of from=")
	}
	if f.source.Prefix != "" {
		prefix, rest, _ := bytes.Cut(datagram, []byte(" "))
		if subtle.ConstantTimeCompare(prefix, []byte(f.source.Prefix)) != 1 {
			return Message{}, errors.New("the prefix is not the one that the configuration file names")
		}
		datagram = rest
	}
	return Change(f.source.Wiki, datagram)
}

package server

import (
	"net"
	"os"
	"strconv"
	"time"
)

// notify tells systemd how the relay is (sd_notify(3)). Without systemd it does nothing.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // a leading @ stands for an abstract socket in both
	if err != nil {
		return
	}
	defer c.Close()
	c.Write([]byte(state))
}

// watchdog tells systemd, twice in the time that it allows, that the relay's clock still ticks (sd_watchdog_enabled(3)).
type watchdog struct {
	every time.Duration
	last  time.Time
}

// watchdogPID names the variable that says for which process the watchdog is.
const watchdogPID = "WATCHDOG_PID"

func newWatchdog() *watchdog {
	usec, err := strconv.Atoi(os.Getenv("WATCHDOG_USEC"))
	if pid := os.Getenv(watchdogPID); err != nil || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return &watchdog{}
	}
	return &watchdog{every: time.Duration(usec) * time.Microsecond / 2}
}

func (w *watchdog) alive(now time.Time) {
	if w.every > 0 && now.Sub(w.last) >= w.every {
		w.last = now
		notify("WATCHDOG=1")
	}
}

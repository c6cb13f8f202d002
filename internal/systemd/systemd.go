// Package systemd speaks with the service manager that has started us: it takes
// over sockets (sd_listen_fds(3)), tells how we are (sd_notify(3)), and knows how
// often a sign of life is wanted (sd_watchdog_enabled(3)). Without systemd all of
// it does nothing.
package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What Notify can say.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Alive    = "WATCHDOG=1"
)

// Status is one line for people, in "systemctl status".
func Status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// Reloading says that settings are being read again; Ready ends it.
func Reloading() string {
	var now unix.Timespec // for Type=notify-reload: which reload this is about
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return "RELOADING=1"
	}
	return "RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}

// A Manager is the one that has started us; the zero Manager is none.
type Manager struct {
	Watchdog time.Duration // a sign of life is wanted this often, or we are killed; 0: never

	socket string // where it listens; "" for nowhere
}

// Find finds the manager by the environment; pid is our own.
func Find(getenv func(string) string, pid int) Manager {
	m := Manager{socket: getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if of := getenv("WATCHDOG_PID"); err == nil && usec > 0 && (of == "" || of == strconv.Itoa(pid)) {
		m.Watchdog = time.Duration(usec) * time.Microsecond
	}
	return m
}

// Notify sends lines such as Ready and Status in one datagram. It does not wait
// for the manager to read them.
func (m Manager) Notify(lines ...string) error {
	if m.socket == "" {
		return nil
	}
	// A leading @ is an abstract socket to Go as it is to systemd.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(notifyTime)); err != nil {
		return err
	}
	if _, err := c.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// notifyTime bounds the wait for room in the manager's queue.
const notifyTime = time.Second

// A Socket is a listener that the manager has opened for us.
type Socket struct {
	net.Listener
	Name string // FileDescriptorName= of its unit, by default the unit's own name
}

// firstFD is the descriptor of the first socket handed over.
const firstFD = 3

// Sockets takes over the listening sockets that were opened for the process pid,
// in their order; there are none when it was not started by socket activation.
// Call it once: the descriptors change hands.
func Sockets(getenv func(string) string, pid int) ([]Socket, error) {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return nil, nil
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	var sockets []Socket
	var errs []error
	for i := range n {
		s := Socket{Name: "unknown"} // sd_listen_fds_with_names(3)
		if i < len(names) && names[i] != "" {
			s.Name = names[i]
		}
		f := os.NewFile(uintptr(firstFD+i), s.Name)
		s.Listener, err = net.FileListener(f) // a copy, which is closed on exec
		f.Close()
		if err != nil {
			errs = append(errs, fmt.Errorf("socket %q of systemd: %w", s.Name, err))
			continue
		}
		sockets = append(sockets, s)
	}
	if len(errs) > 0 {
		for _, s := range sockets {
			s.Close()
		}
		return nil, errors.Join(errs...)
	}
	return sockets, nil
}

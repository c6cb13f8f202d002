package milter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"mailprofiled/internal/unixsock"
)

// DefaultSocketMode is the mode of a unix socket where none is given.
const DefaultSocketMode = unixsock.DefaultMode

// Listen opens a listener for the MTA: "unix:/path", "inet:host:port" or
// "inet6:[address]:port". Mode and group (a name or a number, "" for our own)
// are those of a unix socket, and ignored otherwise.
//
// A socket file that nobody answers at is replaced; closing the listener removes
// the file if it is still ours.
func Listen(addr string, mode fs.FileMode, group string) (net.Listener, error) {
	l, err := listen(addr, mode, group)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", addr, err)
	}
	return l, nil
}

func listen(addr string, mode fs.FileMode, group string) (net.Listener, error) {
	kind, at, _ := strings.Cut(addr, ":")
	switch kind {
	case "unix":
		return listenUnix(at, mode, group)
	case "inet":
		return listenTCP("tcp4", at)
	case "inet6":
		return listenTCP("tcp6", at)
	}
	return nil, errors.New(`no such kind of address; use "unix:/path", "inet:host:port" or "inet6:[address]:port"`)
}

func listenUnix(path string, mode fs.FileMode, group string) (net.Listener, error) {
	l, err := unixsock.Listen(path, mode, group)
	if groupErr := (*unixsock.GroupError)(nil); errors.As(err, &groupErr) {
		return nil, fmt.Errorf("socket_group: %w", err)
	}
	return l, err
}

func listenTCP(network, at string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), network, at)
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, unixsock.ErrInUse
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w; this machine has no such address: name one that it has", syscall.EADDRNOTAVAIL)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%w; ports below 1024 are for root: name a higher one", syscall.EACCES)
	case errors.As(err, &op): // its own text repeats the address
		return nil, op.Err
	}
	return l, err
}

package milter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// maxSocketPath is the longest path the kernel takes (sun_path, less its NUL).
const maxSocketPath = 107

// probeTime is how long somebody at the socket has to answer the connect.
const probeTime = 2 * time.Second

// How long to wait for the lock of a directory, and between two tries.
const (
	lockTime = 2 * time.Second
	lockStep = 10 * time.Millisecond
)

// A unixListener is a unix socket whose file goes with it.
type unixListener struct {
	*net.UnixListener
	path  string
	made  fs.FileInfo // the socket as we made it
	close func() error
}

// Close removes the socket's file, if it is still ours, and closes the socket.
// Calls after the first do nothing.
func (l *unixListener) Close() error { return l.close() }

// Addr gives the final name, where the kernel still knows the temporary one.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// listenUnix makes a socket under a temporary name with its mode and group, and
// renames it: at no time can the MTA meet one that it may not use, or a client
// one that it may.
func listenUnix(path string, mode fs.FileMode, group string) (net.Listener, error) {
	if !filepath.IsAbs(path) {
		return nil, errors.New("not an absolute path")
	}
	if mode == 0 {
		mode = DefaultSocketMode
	}
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, "."+rand.Text()[:8])
	if len(path) > maxSocketPath || len(temp) > maxSocketPath {
		return nil, fmt.Errorf("path is longer than the %d bytes a socket can have", maxSocketPath)
	}
	unlock, err := lockDir(dir) // two that start at once must see one another
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := checkFree(path); err != nil {
		return nil, err
	}
	ul, err := openSocket(temp, mode)
	if err != nil {
		return nil, err
	}
	l := &unixListener{UnixListener: ul, path: path}
	l.close = sync.OnceValue(l.shut)
	if l.made, err = settle(temp, path, mode, gid); err != nil {
		ul.Close()
		os.Remove(temp)
		return nil, err
	}
	return l, nil
}

// openSocket listens at a path. The file has its mode from the first moment on:
// bind takes it from the descriptor, less the umask.
func openSocket(path string, mode fs.FileMode) (*net.UnixListener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if err2 := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode.Perm())) }); err2 != nil {
			return err2
		}
		return err
	}}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, bare(err)
	}
	ul := l.(*net.UnixListener)
	ul.SetUnlinkOnClose(false) // it would remove the temporary name only
	return ul, nil
}

// settle gives a socket file its mode, group and final name.
func settle(temp, path string, mode fs.FileMode, gid int) (fs.FileInfo, error) {
	if gid >= 0 {
		if err := os.Lchown(temp, -1, gid); err != nil {
			return nil, fmt.Errorf("socket_group: %w; we must be root or in that group", bare(err))
		}
	}
	if err := os.Chmod(temp, mode.Perm()); err != nil {
		return nil, bare(err)
	}
	made, err := os.Lstat(temp)
	if err != nil {
		return nil, bare(err)
	}
	if err := os.Rename(temp, path); err != nil {
		return nil, bare(err)
	}
	return made, nil
}

// shut is Close, once.
func (l *unixListener) shut() error {
	if unlock, err := lockDir(filepath.Dir(l.path)); err == nil {
		defer unlock()
	}
	// While our socket is open no other file can have its inode.
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// checkFree reports why a socket cannot be made at path: somebody answers there,
// or it is not a socket that stands there. A stale one is no hindrance.
func checkFree(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return bare(err)
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("a file that is no socket stands there; remove it")
	}
	c, err := net.DialTimeout("unix", path, probeTime)
	switch {
	case err == nil:
		c.Close()
		return errInUse
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EAGAIN), os.IsTimeout(err): // a full queue is somebody's
		return errInUse
	case errors.Is(err, syscall.EPROTOTYPE):
		return errors.New("a socket of another kind stands there; remove it")
	}
	return fmt.Errorf("cannot tell whether somebody listens: %w", bare(err))
}

// lockDir locks a directory against others of us who make or remove sockets in
// it. Anybody who can read the directory could hold that lock, so after a while
// we go on without it.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	switch {
	case errors.Is(err, fs.ErrPermission): // to make a socket in it may still be allowed
		return func() {}, nil
	case err != nil:
		return nil, fmt.Errorf("directory %s: %w", dir, bare(err))
	}
	for until := time.Now().Add(lockTime); ; time.Sleep(lockStep) {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || time.Now().After(until) {
			return func() { d.Close() }, nil
		}
	}
}

// groupID gives the number of a group, -1 for "".
func groupID(group string) (int, error) {
	if group == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, fmt.Errorf("socket_group: no group %q; create it or name another", group)
	}
	return strconv.Atoi(g.Gid)
}

// bare strips what our own message says already: operation, path, address.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

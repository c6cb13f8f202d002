// Package unixsock listens at unix sockets that have their mode and group before
// anybody can meet them, that replace what an earlier run has left behind, and
// that leave alone what belongs to others.
package unixsock

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

// DefaultMode is the mode of a socket where none is given.
const DefaultMode fs.FileMode = 0o660

// ErrInUse is the refusal to listen where somebody else does.
var ErrInUse = errors.New("address in use; is another mailprofiled running?")

// A GroupError says that a socket cannot have the group it was to have.
type GroupError struct{ err error }

// Error says why, and what to do about it.
func (e *GroupError) Error() string { return e.err.Error() }

// Unwrap gives the system's error, where there is one.
func (e *GroupError) Unwrap() error { return e.err }

// maxPath is the longest path the kernel takes (sun_path, less its NUL).
const maxPath = 107

// probeTime is how long somebody at the socket has to answer the connect.
const probeTime = 2 * time.Second

// How long to wait for the lock of a directory, and between two tries.
const (
	lockTime = 2 * time.Second
	lockStep = 10 * time.Millisecond
)

// A listener is a unix socket whose file goes with it.
type listener struct {
	*net.UnixListener
	path  string
	made  fs.FileInfo // the socket as we made it
	close func() error
}

// Close removes the socket's file, if it is still ours, and closes the socket.
// Calls after the first do nothing.
func (l *listener) Close() error { return l.close() }

// Addr gives the final name, where the kernel still knows the temporary one.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Listen makes a socket at an absolute path. Mode 0 stands for DefaultMode; group
// is a name or a number, "" for our own. A socket file that nobody answers at is
// replaced; closing the listener removes the file if it is still ours.
//
// It is made under a temporary name with its mode and group, and renamed: at no
// time can a client meet one that it may not use, or a stranger one that it may.
func Listen(path string, mode fs.FileMode, group string) (net.Listener, error) {
	l, err := open(path, mode, group)
	if err != nil {
		return nil, advised(filepath.Dir(path), err)
	}
	return l, nil
}

// advised adds what to do about a directory that is in the way.
func advised(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; mount it for writing, or name a socket elsewhere", err)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w; make it, and let the user that runs mailprofiled own it: install -d -o %s -m 0750 %s", err, ourName(), dir)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w; let the user that runs mailprofiled write to the directory: chown %s %s", err, ourName(), dir)
	}
	return err
}

// ourName is that of the user that we run as, or its number.
func ourName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

func open(path string, mode fs.FileMode, group string) (*listener, error) {
	if !filepath.IsAbs(path) {
		return nil, errors.New("not an absolute path")
	}
	if mode == 0 {
		mode = DefaultMode
	}
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, "."+rand.Text()[:8])
	if len(path) > maxPath || len(temp) > maxPath {
		return nil, fmt.Errorf("path is longer than the %d bytes a socket can have", maxPath)
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
	l := &listener{UnixListener: ul, path: path}
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
			return nil, &GroupError{fmt.Errorf("%w; we must be root or in that group", bare(err))}
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
func (l *listener) shut() error {
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
		return ErrInUse
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EAGAIN), os.IsTimeout(err): // a full queue is somebody's
		return ErrInUse
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
		return 0, &GroupError{fmt.Errorf("no group %q; create it or name another", group)}
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

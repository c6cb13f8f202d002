package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A disk is the directory of the state. Names are without a path. All but Unlock
// may be called from several goroutines.
type disk interface {
	// Lock makes the directory if only that is missing, and keeps others out of it
	// until Unlock. When the lock is held already it looks whether it still counts.
	// ErrLocked: somebody else has it.
	Lock() error
	Unlock() error

	List() (map[string]int64, error) // files and their sizes
	Open(name string) (io.ReadCloser, error)
	Create(name string) (file, error)  // for writing; fs.ErrExist if it is there
	Rename(name, newName string) error // fs.ErrExist if there is one of that name
	Remove(name string) error
	Sync() error // makes names outlive a loss of power

	// Check gives an error if a file that was created, or the lock, is not there
	// any more: writing to it would give none.
	Check(name string, f file) error
}

// A file is written to by one goroutine; Sync and Close may come from another.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

const lockName = "state.lock"

// An osDisk is a directory of the operating system.
type osDisk struct {
	dir  string
	lock *os.File // nil: not held
}

func (d *osDisk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *osDisk) Lock() error {
	if d.lock != nil && sameFile(d.path(lockName), d.lock) == nil {
		return nil
	}
	d.Unlock()
	// 0700 as hash.key's; packages make it 0750.
	if err := os.Mkdir(d.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := openLock(d.path(lockName))
	if err != nil {
		return err
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return &lockedError{d.dir, pidIn(f)}
		}
		return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	if err := sameFile(f.Name(), f); err != nil { // removed between open and flock
		f.Close()
		return err
	}
	if f.Truncate(0) == nil { // not on a disk that can only be read
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	d.lock = f
	return nil
}

// openLock opens the file for the lock, for reading if nothing else is possible:
// what is on a disk that cannot be written to is read at least.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		if f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0); err == nil {
			return f, nil
		}
	}
	return f, err
}

// flock takes the lock of the file, which goes with the process.
func flock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = conn.Control(func(fd uintptr) { locked = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	return errors.Join(err, locked)
}

// pidIn reads who says to have the lock, 0 if nobody does.
func pidIn(f *os.File) int {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}

func (d *osDisk) Unlock() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

func (d *osDisk) List() (map[string]int64, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	all := make(map[string]int64, len(entries))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !e.IsDir() {
			all[e.Name()] = info.Size()
		}
	}
	return all, nil
}

func (d *osDisk) Open(name string) (io.ReadCloser, error) {
	// A pipe of that name must not hold us up.
	return os.OpenFile(d.path(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (d *osDisk) Create(name string) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

func (d *osDisk) Rename(name, newName string) error {
	// Whoever holds the lock is the only one who makes names here.
	if _, err := os.Lstat(d.path(newName)); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &os.LinkError{Op: "rename", Old: d.path(name), New: d.path(newName), Err: fs.ErrExist}
		}
		return err
	}
	return os.Rename(d.path(name), d.path(newName))
}

func (d *osDisk) Remove(name string) error { return os.Remove(d.path(name)) }

func (d *osDisk) Sync() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *osDisk) Check(name string, f file) error {
	if d.lock == nil {
		return errors.New("the lock is not held")
	}
	if err := sameFile(d.path(lockName), d.lock); err != nil {
		return err
	}
	return sameFile(d.path(name), f.(*os.File))
}

// sameFile gives an error if f is not what is at path.
func sameFile(path string, f *os.File) error {
	there, err := os.Lstat(path)
	if err != nil {
		return err
	}
	here, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(there, here) {
		return fmt.Errorf("%s was put in the place of the one in use", path)
	}
	return nil
}

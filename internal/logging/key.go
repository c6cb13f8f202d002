package logging

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// KeyFile is the name of the key file in the directory of the state.
const KeyFile = "hash.key"

// A KeyError says why there is no key, and what to do about it.
type KeyError struct {
	What, Remedy string
	err          error
}

func (e *KeyError) Error() string { return e.What + "; " + e.Remedy }
func (e *KeyError) Unwrap() error { return e.err }

func keyError(err error, remedy, format string, args ...any) error {
	return &KeyError{What: fmt.Sprintf(format, args...), Remedy: remedy, err: err}
}

// ReadKey returns a Hasher by the key in dir. Errors are *KeyError; one for a key
// that is not there yet is fs.ErrNotExist.
func ReadKey(dir string) (*Hasher, error) {
	path := filepath.Join(dir, KeyFile)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe there must not hold us up
	if err != nil {
		return nil, keyError(err, "let the daemon's user own it, with mode 0600", "%s cannot be read: %v", path, bare(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, keyError(err, "look at the disk", "%s cannot be looked at: %v", path, bare(err))
	}
	const anew = "put the right one back from a backup, or remove it: a new one is made, and every address gets another token"
	switch perm := info.Mode().Perm(); {
	case !info.Mode().IsRegular():
		return nil, keyError(nil, "remove it", "%s is no file", path)
	case perm&0o077 != 0:
		return nil, keyError(nil, "chmod 0600 "+path+" (whoever has read it can tell which address a token stands for)",
			"%s has mode %04o, and must be its owner's alone", path, perm)
	case info.Size() != KeySize:
		return nil, keyError(nil, anew, "%s holds %d bytes, a key has %d", path, info.Size(), KeySize)
	}
	var key [KeySize]byte
	if _, err := io.ReadFull(f, key[:]); err != nil {
		return nil, keyError(err, "look at the disk", "%s cannot be read: %v", path, bare(err))
	}
	if key == [KeySize]byte{} {
		return nil, keyError(nil, anew, "%s holds zeros only, which is no key", path)
	}
	return NewHasher(key), nil
}

// KeepKey returns a Hasher by the key in dir. The first time it makes one, and dir
// too where only that is missing. A file is there whole or not at all, and of two
// daemons that start at once both have the same.
func KeepKey(dir string) (*Hasher, error) {
	h, err := ReadKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	if err := makeKey(dir); err != nil {
		return nil, keyError(err, "make the directory, and let the daemon's user write to it",
			"no key can be kept in %s: %v", dir, bare(err))
	}
	return ReadKey(dir)
}

func makeKey(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var key [KeySize]byte
	rand.Read(key[:])                              // it never fails
	f, err := os.CreateTemp(dir, "."+KeyFile+"-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key[:])
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link does not replace the key of another who was first.
	if err := os.Link(f.Name(), filepath.Join(dir, KeyFile)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir outlive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bare leaves out the path that a message names already.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

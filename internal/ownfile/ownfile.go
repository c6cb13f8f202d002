// Package ownfile is what files have in common that the operator writes and that are
// taken in anew when they change: accounts, recipients, databases of countries. What
// stands in them, and what becomes of a version that cannot be used, is the business of
// their rooms.
package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Quiet is how long a file has been left alone before a new version is taken: half a file
// can look like a whole one.
const Quiet = 2 * time.Second

// Errors of reading, beside those of the file system.
var (
	ErrChanged    = errors.New("it is being written to") // while it was read
	ErrNotRegular = errors.New("not a regular file")
)

// Same reports whether a file can be taken not to have changed between two looks. nil is
// the same as nothing.
func Same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// Open opens a regular file, and does not wait at a pipe that nobody writes to. The
// caller closes it.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = syscall.EISDIR
	case !info.Mode().IsRegular():
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, info, err
	}
	return f, info, nil
}

// A Problem is what is wrong with a file, and the way out.
type Problem struct {
	File    string
	Line    int // from 1; 0 for the file as a whole
	What    string
	Remedy  string
	Warning bool // nothing was left out for it
}

// String gives the problem as "file:line: what; remedy".
func (p Problem) String() string {
	where, kind := p.File, ""
	if p.Line > 0 {
		where += ":" + strconv.Itoa(p.Line)
	}
	if p.Warning {
		kind = "warning: "
	}
	return where + ": " + kind + p.What + "; " + p.Remedy
}

// Error lets a Problem end the reading of a file.
func (p *Problem) Error() string { return p.String() }

// Unreadable words an error of reading for the operator. absent is the remedy where there
// is no such file.
func Unreadable(path string, err error, absent string) Problem {
	p := Problem{File: path, Remedy: "name a file that can be read"}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path stands before it already
	}
	p.What = "cannot be read: " + err.Error()
	switch {
	case errors.Is(err, ErrChanged):
		p.What, p.Remedy = "changes while it is read", "write a new file beside it and rename that"
	case errors.Is(err, fs.ErrNotExist):
		p.What, p.Remedy = "no such file", absent
	case errors.Is(err, fs.ErrPermission):
		p.Remedy = Permission(path)
	}
	return p
}

// Permission is the remedy where the daemon may not read a file.
func Permission(path string) string {
	return "the daemon runs as user " + strconv.Itoa(os.Getuid()) + ": give that user read access, and search access to " + filepath.Dir(path)
}

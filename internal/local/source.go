package local

import (
	"crypto/sha256"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// A source is a file that rules name, however many of them.
type source struct {
	path   string
	format Format
	rules  []fileMatch // that name it, in order
	use    *use        // shared with the Set before
	since  time.Time

	// The version looked at last that was not taken; nil for none, or if it could
	// not be looked at. For Refresh alone.
	refused fs.FileInfo
	trouble atomic.Pointer[string] // what was said then, or nil
}

// A fileMatch is the place where a rule names a file.
type fileMatch struct{ rule, match int }

// quiet is how long a file has been left alone before a new version is taken at
// a Refresh: half a file can look like a whole one.
const quiet = 2 * time.Second

// sameVersion reports whether a file can be taken not to have changed.
func sameVersion(a, b fs.FileInfo) bool {
	return a != nil && b != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

var errChanged = errors.New("it is being written to")

// read reads a file. Without a list the problems say what is wrong with its
// contents, or the error why they cannot be had; with one, list.problems does.
func (s *source) read(seed maphash.Seed, now time.Time) (l *list, problems []Problem, err error) {
	for range 3 {
		if l, problems, err = s.readOnce(seed, now); !errors.Is(err, errChanged) {
			break
		}
	}
	return l, problems, err
}

func (s *source) readOnce(seed maphash.Seed, now time.Time) (*list, []Problem, error) {
	// Not to wait at a pipe that nobody writes to.
	f, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return s.readFrom(f, seed, now)
}

func (s *source) readFrom(f fs.File, seed maphash.Seed, now time.Time) (*list, []Problem, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if bad := notAList(info); bad != nil {
		return nil, []Problem{{File: s.path, What: bad.what, Remedy: bad.remedy}}, nil
	}
	sum := sha256.New()
	// No more than it held, and an octet that tells of more: whoever writes to it
	// may never come to an end.
	all := &io.LimitedReader{R: f, N: info.Size() + 1}
	l, problems, err := parse(io.TeeReader(all, sum), s.path, s.format, seed, now.Unix())
	if err != nil {
		return nil, nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if all.N == 0 || !sameVersion(info, after) {
		return nil, nil, errChanged
	}
	if l != nil {
		sum.Sum(l.digest[:0])
		l.version, l.loaded = info, now
	}
	return l, problems, nil
}

func notAList(info fs.FileInfo) *mistake {
	switch {
	case info.IsDir():
		return &mistake{"a directory", "name a file in it"}
	case !info.Mode().IsRegular():
		return &mistake{"not a regular file", "name a file"}
	case info.Size() > maxFile:
		return &mistake{"a file of " + strconv.FormatInt(info.Size()>>20, 10) + " MB", "a list has at most 1024 MB"}
	}
	return nil
}

// unreadable words an error of the file system for the operator.
func (s *source) unreadable(err error) Problem {
	p := Problem{File: s.path}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path stands before it already
	}
	p.What = "cannot be read: " + err.Error()
	switch {
	case errors.Is(err, errChanged):
		p.What, p.Remedy = "changes while it is read", "write a new file beside it and rename that"
	case errors.Is(err, fs.ErrNotExist):
		p.What, p.Remedy = "no such file", "make it, empty if there is nothing to say yet, or take it out of the rule"
		if target, err := os.Readlink(s.path); err == nil {
			p.What = "a link to " + quote(target) + ", which is not there"
		}
	case errors.Is(err, syscall.ELOOP):
		p.What, p.Remedy = "a link that leads back to itself", "see where it should lead"
	case errors.Is(err, fs.ErrPermission):
		p.Remedy = "the daemon runs as user " + strconv.Itoa(os.Getuid()) + ": give that user read access, and search access to " + filepath.Dir(s.path)
	}
	return p
}

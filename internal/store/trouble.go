package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// ErrLocked is the error of Open, and of Status, when another daemon keeps its
// state in the directory.
var ErrLocked = errors.New("another daemon keeps its state there")

// errTooLong is of a record of more than 1 GiB.
var errTooLong = errors.New("a record is too long")

type lockedError struct {
	dir string
	pid int
}

func (e *lockedError) Unwrap() error { return ErrLocked }

func (e *lockedError) Error() string {
	who := "another daemon"
	if e.pid > 0 {
		who += fmt.Sprintf(" (pid %d)", e.pid)
	}
	return who + " keeps its state in " + e.dir + "; stop it, or give this one a state.path of its own"
}

// A foreignError is of a directory that holds state which this process has not read.
type foreignError struct {
	dir, name string
	cause     error // why it was not read; nil: it was not there then, or not yet as it is now
}

func (e *foreignError) Unwrap() error { return e.cause }

func (e *foreignError) Error() string {
	if e.cause != nil {
		return "state could not be read: " + e.cause.Error()
	}
	return fmt.Sprintf("%s holds state that was not read (%s)", e.dir, e.name)
}

// remedy says what to do about an error of the disk.
func remedy(err error, dir string) string {
	var foreign *foreignError
	switch {
	case errors.As(err, &foreign) && foreign.cause != nil:
		return remedy(foreign.cause, dir) + ", and restart the daemon"
	case errors.As(err, &foreign):
		return "restart the daemon to read it, or move it away"
	case errors.Is(err, errTooLong):
		return "report it"
	case errors.Is(err, ErrLocked):
		return "stop the other one, or give this one a state.path of its own"
	case errors.Is(err, syscall.ENOSPC):
		return "make room on the disk"
	case errors.Is(err, syscall.EDQUOT):
		return "raise the quota of the daemon's user"
	case errors.Is(err, syscall.EROFS):
		return "mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		return "let the daemon's user own " + dir + " and all state.* in it"
	case errors.Is(err, fs.ErrNotExist):
		return "make the directory " + dir + ", and let the daemon's user own it"
	}
	return "look at the disk"
}

// A trouble is why state is not kept as it should be. The zero trouble is none.
type trouble struct {
	what  string
	err   error
	since time.Time
}

// same reports whether an operator has been told as much already.
func (t *trouble) same(what string, err error, dir string) bool {
	return t.what == what && remedy(t.err, dir) == remedy(err, dir)
}

// A backoff is how long to leave the disk alone after an error.
type backoff struct {
	wait time.Duration
	till time.Time
}

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

func (b *backoff) failed(now time.Time) {
	b.wait = min(max(firstRetry, 2*b.wait), lastRetry)
	b.till = now.Add(b.wait)
}

func (b *backoff) over(now time.Time) bool { return !now.Before(b.till) }

package geo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mailprofiled/internal/ownfile"
)

// maxFile bounds what is read into memory: several times the largest database
// of cities, against a file that is something else altogether.
const maxFile = 512 << 20

// A followed database is a file, and the version of it that is in use.
type followed struct {
	Source
	db      atomic.Pointer[database]
	trouble atomic.Pointer[string] // why the version on disk is not that one, or nil

	mu      sync.Mutex  // of refresh
	refused fs.FileInfo // the version looked at last that was not taken; nil for none
}

// open reads a database, or takes it from old.
func open(src Source, now time.Time, old *Set) (*followed, []Problem) {
	if old != nil {
		if f := old.all[src.Kind]; f != nil && f.Source == src {
			if info, err := os.Stat(src.Path); err == nil && ownfile.Same(info, f.db.Load().version) {
				f.trouble.Store(nil)
				return f, f.remarks(now)
			}
		}
	}
	f := &followed{Source: src}
	db, bad := f.read(now)
	if bad != nil {
		return nil, []Problem{f.problem(bad)}
	}
	f.db.Store(db)
	return f, f.remarks(now)
}

func (f *followed) problem(bad *mistake) Problem {
	return Problem{Source: f.Source, What: f.Path + " is " + bad.what, Remedy: bad.remedy}
}

// remarks are what is odd about a database that is in use.
func (f *followed) remarks(now time.Time) []Problem {
	db := f.db.Load()
	age := now.Sub(db.built)
	if age <= OldAfter {
		return nil
	}
	return []Problem{{
		Source: f.Source, Warning: true,
		What:   fmt.Sprintf("%s was built on %s, %d days ago", f.Path, db.built.Format(time.DateOnly), int(age/(24*time.Hour))),
		Remedy: "fetch a new one, and let a timer do so",
	}}
}

// refresh takes in a new version of the file, if there is one that can be used.
func (f *followed) refresh(now time.Time) (taken bool, problems []Problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	if err == nil && !f.isNew(info, now) {
		return false, nil
	}
	db, bad := f.read(now)
	if bad == nil {
		f.db.Store(db)
		f.refused = nil
		f.trouble.Store(nil)
		return true, f.remarks(now)
	}
	f.refused = info // nil when it is not there: to be tried again, and told when it is another error
	p := f.problem(bad)
	said := p.What + "; " + p.Remedy
	if before := f.trouble.Swap(&said); before != nil && *before == said {
		return false, nil
	}
	p.What += " (the version before stays in use)"
	return false, []Problem{p}
}

// isNew reports whether there is something to be read.
func (f *followed) isNew(info fs.FileInfo, now time.Time) bool {
	if ownfile.Same(info, f.db.Load().version) {
		f.refused = nil // whatever was there in between is gone
		f.trouble.Store(nil)
		return false
	}
	if ownfile.Same(info, f.refused) {
		return false
	}
	age := now.Sub(info.ModTime())
	return age < 0 || age >= ownfile.Quiet
}

// read reads the file as it is now.
func (f *followed) read(now time.Time) (*database, *mistake) {
	data, info, bad, err := f.bytes()
	for range 2 {
		if !errors.Is(err, ownfile.ErrChanged) {
			break
		}
		data, info, bad, err = f.bytes()
	}
	switch {
	case err != nil:
		return nil, f.unreadable(err)
	case bad != nil:
		return nil, bad
	}
	db, bad := parse(data, f.Kind)
	if bad != nil {
		return nil, bad
	}
	db.version, db.loaded = info, now
	return db, nil
}

func (f *followed) bytes() ([]byte, fs.FileInfo, *mistake, error) {
	// Not to wait at a pipe that nobody writes to.
	file, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, nil, err
	}
	if bad := notAFile(info); bad != nil {
		return nil, info, bad, nil
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(file, data); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && len(data) > 0 {
		return nil, nil, nil, ownfile.ErrChanged
	} else if err != nil && len(data) > 0 {
		return nil, nil, nil, err
	}
	after, err := file.Stat()
	if err == nil && !ownfile.Same(info, after) {
		err = ownfile.ErrChanged
	}
	return data, info, nil, err
}

func notAFile(info fs.FileInfo) *mistake {
	switch {
	case info.IsDir():
		return &mistake{"a directory", "name the .mmdb in it"}
	case !info.Mode().IsRegular():
		return &mistake{"not a regular file", "name a file"}
	case info.Size() > maxFile:
		return &mistake{"a file of " + strconv.FormatInt(info.Size()>>20, 10) + " MiB", fmt.Sprintf("name a database of at most %d MiB", maxFile>>20)}
	}
	return nil
}

// unreadable words an error of the file system for the operator.
func (f *followed) unreadable(err error) *mistake {
	if errors.Is(err, ownfile.ErrChanged) {
		return &mistake{"changing while it is read", "write a new file beside it and rename that"}
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path stands before it already
	}
	m := &mistake{"not to be read: " + err.Error(), "see that it is the right file"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m = &mistake{"not there", "fetch it, or correct the path"}
		if target, err := os.Readlink(f.Path); err == nil {
			m.what = "a link to " + strconv.Quote(target) + ", which is not there"
		}
	case errors.Is(err, fs.ErrPermission):
		m.remedy = ownfile.Permission(f.Path)
	}
	return m
}

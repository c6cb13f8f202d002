package records

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const prefix = "records."

// A segment is one file of blocks.
type segment struct {
	seq   uint64
	size  int64
	begin time.Time // of its first record, or sooner
	ended time.Time // of the last write to it; zero while it is open
}

func (s *segment) name() string { return fmt.Sprintf(prefix+"%08d", s.seq) }

// parseName gives the number of a segment by its file's name.
func parseName(name string) (uint64, bool) {
	number, ok := strings.CutPrefix(name, prefix)
	seq, err := strconv.ParseUint(number, 10, 63)
	return seq, ok && err == nil && len(number) >= 8
}

// A directory is where segments are.
type directory struct{ path string }

func (d directory) file(s *segment) string { return filepath.Join(d.path, s.name()) }

// list finds the segments that are there, oldest first.
func (d directory) list() ([]segment, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, e := range entries {
		seq, ours := parseName(e.Name())
		info, err := e.Info()
		if !ours || err != nil || !info.Mode().IsRegular() {
			continue
		}
		s := segment{seq: seq, size: info.Size(), begin: info.ModTime(), ended: info.ModTime()}
		if t, ok := d.first(&s); ok && t.Before(s.begin) {
			s.begin = t
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b segment) int { return cmp.Compare(a.seq, b.seq) })
	return all, nil
}

// first tells when the first block of a segment was new.
func (d directory) first(s *segment) (time.Time, bool) {
	f, err := d.open(s)
	if err != nil {
		return time.Time{}, false
	}
	defer f.Close()
	var b [headSize]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return time.Time{}, false
	}
	h, ok := parseHead(b[:])
	return time.UnixMilli(h.newest), ok
}

func (d directory) open(s *segment) (*os.File, error) {
	// A pipe of that name must not hold us up.
	return os.OpenFile(d.file(s), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (d directory) create(s *segment) (*os.File, error) {
	return os.OpenFile(d.file(s), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
}

// check gives an error if f is not what has the segment's name any more: writing to it
// would give none.
func (d directory) check(s *segment, f *os.File) error {
	there, err := os.Lstat(d.file(s))
	if err != nil {
		return err
	}
	here, err := f.Stat()
	if err == nil && !os.SameFile(there, here) {
		err = fmt.Errorf("%s was put in the place of the one in use", d.file(s))
	}
	return err
}

func (d directory) remove(s *segment) error {
	if err := os.Remove(d.file(s)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes names outlive a loss of power.
func (d directory) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remedy says what to do about an error of the disk.
func remedy(err error, dir string) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room there, or less of it with records.size"
	case errors.Is(err, syscall.EROFS):
		return "mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		return "let the daemon's user own " + dir
	case errors.Is(err, fs.ErrNotExist):
		return "put the directory back, and leave its files alone while the daemon runs"
	}
	return "look at the disk and the kernel's log"
}

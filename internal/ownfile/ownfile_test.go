package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOpenTakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{file: nil, pipe: ErrNotRegular, dir: syscall.EISDIR, filepath.Join(dir, "none"): fs.ErrNotExist, "/dev/null": ErrNotRegular} {
		f, info, err := Open(path)
		if !errors.Is(err, want) || (f == nil) == (want == nil) || want == nil && info.Size() != 1 {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if f != nil {
			f.Close()
		}
	}
}

func TestSameTellsVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	look := func(text string, at time.Time) fs.FileInfo {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	one := look("x", noon)
	if !Same(one, look("y", noon)) || Same(one, look("xy", noon)) || Same(one, look("x", noon.Add(time.Second))) || Same(nil, one) || Same(nil, nil) {
		t.Error("versions are mixed up")
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if Same(one, look("x", noon)) {
		t.Error("another file of the same size and time is taken for the one before")
	}
}

func TestProblemsHaveAWayOut(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Problem{File: "f", Line: 3, What: "odd", Remedy: "mend it", Warning: true}.String(), "f:3: warning: odd; mend it"},
		{Problem{File: "f", What: "bad", Remedy: "mend it"}.String(), "f: bad; mend it"},
		{Unreadable("f", &fs.PathError{Op: "open", Path: "f", Err: syscall.ENOENT}, "make it").String(), "f: no such file; make it"},
		{Unreadable("f", ErrChanged, "").String(), "f: changes while it is read; write a new file beside it and rename that"},
		{Unreadable("f", syscall.EISDIR, "").String(), "f: cannot be read: is a directory; name a file that can be read"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
	if got := Unreadable("/a/f", syscall.EACCES, "").String(); !strings.Contains(got, "/a/f: cannot be read: permission denied; the daemon runs as user ") || !strings.HasSuffix(got, "search access to /a") {
		t.Error(got)
	}
}

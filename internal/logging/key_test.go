package logging

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const someone = "jo@example.net"

func TestKeyIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := ReadKey(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no key yet: %v", err)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Fatal("reading made something")
	}
	tokens := make([]string, 8)
	var all sync.WaitGroup
	for i := range tokens { // daemons that start at once
		all.Go(func() {
			h, err := KeepKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			tokens[i] = h.Token(someone)
		})
	}
	all.Wait()
	key, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil || len(key) != KeySize || bytes.Equal(key, make([]byte, KeySize)) {
		t.Fatalf("key %x, %v", key, err)
	}
	for _, got := range tokens {
		if want := asTheManual(key, someone); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, filepath.Join(dir, KeyFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeyThatCannotBe(t *testing.T) {
	const good = "0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		name string
		make func(dir, path string) error
		want string
	}{
		{"short", func(_, path string) error { return os.WriteFile(path, []byte(good[1:]), 0o600) }, "holds 31 bytes, a key has 32; put the right one back"},
		{"long", func(_, path string) error { return os.WriteFile(path, []byte(good+"\n"), 0o600) }, "holds 33 bytes"},
		{"empty", func(_, path string) error { return os.WriteFile(path, nil, 0o600) }, "holds 0 bytes"},
		{"zeros", func(_, path string) error { return os.WriteFile(path, make([]byte, KeySize), 0o600) }, "holds zeros only"},
		{"for the group", func(_, path string) error { return os.WriteFile(path, []byte(good), 0o640) }, "has mode 0640, and must be its owner's alone; chmod 0600"},
		{"for all", func(_, path string) error {
			return errors.Join(os.WriteFile(path, []byte(good), 0o600), os.Chmod(path, 0o604))
		}, "has mode 0604"},
		{"a directory", func(_, path string) error { return os.Mkdir(path, 0o700) }, "is no file; remove it"},
		{"a pipe", func(_, path string) error { return syscall.Mkfifo(path, 0o600) }, "is no file; remove it"},
		{"a loop", func(_, path string) error { return os.Symlink(path, path) }, "cannot be read: too many levels of symbolic links"},
		{"a file for a directory", func(dir, _ string) error {
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600))
		}, "cannot be read: not a directory"},
		{"no parent", func(dir, _ string) error { return os.RemoveAll(filepath.Dir(dir)) }, "no key can be kept in "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "state")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(dir, filepath.Join(dir, KeyFile)); err != nil {
				t.Fatal(err)
			}
			h, err := KeepKey(dir)
			var said *KeyError
			if h != nil || !errors.As(err, &said) || !strings.Contains(err.Error(), tt.want) || said.Remedy == "" {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), good[1:]) || strings.Count(err.Error(), ";") != 1) {
				t.Errorf("not a sentence and its remedy: %v", err)
			}
		})
	}
}

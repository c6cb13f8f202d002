package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTwoDaemons(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first := openDir(t, dir)
	_, err := Open(Options{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "pid") || !strings.Contains(err.Error(), "state.path") {
		t.Errorf("the second: %v", err)
	}
	first.end(t)
	second := openDir(t, dir)
	second.end(t)
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := openDir(t, dir)
	s.numbers.set(1, 1)
	s.end(t)
	s = openDir(t, dir)
	s.want(t, "on a real disk", map[uint64]uint64{1: 1})
	s.end(t)
	for name, want := range map[string]fs.FileMode{".": 0o700, lockName: 0o600, "state.00000001.journal": 0o600, "state.00000002.journal": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
}

// TestTheDirectoryGoes under the daemon: writing to what is open gives no error
// then, and is noticed all the same.
func TestTheDirectoryGoes(t *testing.T) {
	changes := []struct {
		name   string
		change func(dir string) error
	}{
		{"removed", os.RemoveAll},
		{"moved", func(dir string) error { return os.Rename(dir, dir+".old") }},
		{"without the lock", func(dir string) error { return os.Remove(filepath.Join(dir, lockName)) }},
		{"without the journal", func(dir string) error { return os.Remove(filepath.Join(dir, "state.00000001.journal")) }},
		{"with another lock", func(dir string) error {
			lock := filepath.Join(dir, lockName)
			return errors.Join(os.Remove(lock), os.WriteFile(lock, nil, 0o600))
		}},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s := openDir(t, dir)
			s.numbers.set(1, 1)
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			s.numbers.set(2, 2)
			if err := s.Sync(t.Context()); err == nil {
				t.Error("not noticed")
			}
			s.end(t) // all is written anew, to a new directory if need be
			next := openDir(t, dir)
			next.want(t, "at the next start", map[uint64]uint64{1: 1, 2: 2})
			if next.loaded.Lost {
				t.Errorf("lost:\n%s", next.log)
			}
			next.end(t)
		})
	}
}

// TestAnotherDaemonTakesOver after the lock was removed by hand: the first one
// leaves the directory to it.
func TestAnotherDaemonTakesOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first := openDir(t, dir)
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	second := openDir(t, dir)
	first.numbers.set(1, 1)
	if err := first.Sync(t.Context()); err == nil {
		t.Error("the first one writes on")
	}
	if err := first.Close(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("the first one: %v", err)
	}
	second.numbers.set(2, 2)
	second.end(t)
	next := openDir(t, dir)
	next.want(t, "of the second", map[uint64]uint64{2: 2})
	next.end(t)
}

func TestNoSuchDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	s := openDir(t, dir)
	s.numbers.set(1, 1)
	if st := s.Status(); st.Kept || !strings.Contains(st.Remedy, "make the directory") || s.log.count("level=ERROR") != 1 {
		t.Errorf("%+v\n%s", st, s.log)
	}
	if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	s.end(t)
	next := openDir(t, dir)
	next.want(t, "when it was made", map[uint64]uint64{1: 1})
	next.end(t)
}

// TestOtherFilesAreLeftAlone: the directory is not the store's alone.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	others := []string{"hash.key", "state.txt", "state.1.journal", "state.00000001.journal.bak", "state.00000001.snapshot.corrupt-20261124T000000Z", "state.x"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "state.00000001.snapshot"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, dir)
	s.numbers.set(1, 1)
	if st := s.Status(); st.SetAside != 1 || !s.loaded.Fresh {
		t.Errorf("%+v, %+v", st, s.loaded)
	}
	s.end(t)
	for _, name := range others {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != name {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	next := openDir(t, dir)
	next.want(t, "beside them", map[uint64]uint64{1: 1})
	next.end(t)
}

func TestNames(t *testing.T) {
	all := map[string]int64{}
	for _, name := range []string{"state.00000002.snapshot", "state.00000010.journal", "state.00000002.journal", "state.123456789.journal", "state.00000003.snapshot.tmp", "state.lock", "state.-0000001.journal"} {
		all[name] = 0
	}
	var got []string
	for _, f := range sortFiles(all) {
		got = append(got, f.name)
	}
	want := []string{"state.00000002.snapshot", "state.00000002.journal", "state.00000003.snapshot.tmp", "state.00000010.journal", "state.123456789.journal"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

package wiring

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
)

// after gives what the next process knows.
func after(t *testing.T, k *Known, whole bool) *Known {
	t.Helper()
	next := newKnown()
	records := [][]byte{k.Changed(nil)}
	if whole {
		records = nil
		for r := range k.All() {
			records = append(records, bytes.Clone(r))
		}
	}
	for _, r := range records {
		if err := next.Load(r); err != nil {
			t.Fatal(err)
		}
	}
	return next
}

func openFile(t *testing.T, path, text string) *directory.File {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	file, said := directory.OpenFile([]directory.FileSpec{{Format: directory.Recipients, Path: path}}, time.Now())
	if file == nil {
		t.Fatal(said)
	}
	return file
}

// TestACutOffFileRefusesNobodyAfterARestart: what a running daemon does not take in, one
// that begins anew must not take either.
func TestACutOffFileRefusesNobodyAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipients")
	stackOf := func(file *directory.File) *directory.Stack {
		return directory.NewStack(directory.Options{Ours: []string{"example.net"}, Routes: []directory.Route{{Kind: "file", Name: "file " + path, File: file}}})
	}
	asked := func(s *directory.Stack, local string) directory.Result {
		return s.Lookup(context.Background(), directory.Address{Local: local, Domain: "example.net"}).Result
	}
	for _, whole := range []bool{false, true} {
		k := newKnown()
		if said := k.Begin(stackOf(openFile(t, path, "jo@example.net\nal@example.net\neve@example.net\n")), config.Origin{}, true); len(said) > 0 {
			t.Fatal(said)
		}
		k = after(t, k, whole)
		file := openFile(t, path, "jo@example.net\n")
		s := stackOf(file)
		said := k.Begin(s, config.Origin{File: "m.toml", Line: 3}, true)
		if len(said) != 1 || !strings.Contains(said[0].String(), "m.toml:3: directory.files: file "+path+": of 3 addresses that were there before the start only 1 are left") {
			t.Errorf("%v", said)
		}
		if jo, al := asked(s, "jo"), asked(s, "al"); jo != directory.Yes || al != directory.Failed || !strings.Contains(file.Files()[0].Trouble, "of 3 addresses only 1 are left") {
			t.Errorf("jo %v, al %v, %+v", jo, al, file.Files())
		}
		if change, said := file.Refresh(time.Now()); change != nil || len(said) > 0 || !file.Doubted() {
			t.Errorf("%+v, %v", change, said)
		}
		k = after(t, k, true) // one more start does not make it better
		s = stackOf(openFile(t, path, "jo@example.net\n"))
		k.Begin(s, config.Origin{}, true)
		if al := asked(s, "al"); al != directory.Failed {
			t.Errorf("after one more start: %v", al)
		}
		again := stackOf(openFile(t, path, "jo@example.net\n"))
		if said := k.Begin(again, config.Origin{}, false); len(said) > 0 || asked(again, "al") != directory.No {
			t.Errorf("after a reload: %v, %v", said, asked(again, "al"))
		}
		k = after(t, k, true)
		s = stackOf(openFile(t, path, "jo@example.net\n"))
		if said := k.Begin(s, config.Origin{}, true); len(said) > 0 || asked(s, "al") != directory.No {
			t.Errorf("a start after that: %v", said)
		}
	}
}

// TestMendingEndsTheDoubt, without a reload.
func TestMendingEndsTheDoubt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipients")
	file := openFile(t, path, "jo@example.net\n")
	file.Doubt(3)
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("al@example.net\n", 10*time.Minute)
	if change, said := file.Refresh(time.Now()); change != nil || !file.Doubted() {
		t.Errorf("still one of three: %+v, %v", change, said)
	}
	write("al@example.net\njo@example.net\neve@example.net\n", 5*time.Minute)
	if change, said := file.Refresh(time.Now()); change == nil || file.Doubted() || file.Files()[0].Trouble != "" {
		t.Errorf("whole again: %+v, %v", change, said)
	}
}

// someone is a source that knows jo, everywhere.
type someone struct{}

func (someone) Lookup(_ context.Context, a directory.Address) directory.Entry {
	if a.Local == "jo" {
		return directory.Entry{Result: directory.Yes}
	}
	return directory.Entry{Result: directory.No}
}
func (someone) Close() error { return nil }

// TestDomainsOfASourceOutliveARestart: its no counts at them as soon as it has named
// anybody at all.
func TestDomainsOfASourceOutliveARestart(t *testing.T) {
	for _, whole := range []bool{false, true} {
		k := newKnown()
		begin := func() *directory.Stack {
			g := directory.NewGuard("x", someone{}, directory.Keeping{Yes: time.Hour, No: time.Minute}, nil)
			s := directory.NewStack(directory.Options{Ours: []string{"a.example", "b.example"}, Routes: []directory.Route{{Kind: "sql", Name: "sql SELECT", Guard: g}}})
			t.Cleanup(func() { s.Close() })
			k.Begin(s, config.Origin{}, true)
			return s
		}
		ask := func(s *directory.Stack, local, domain string) directory.Result {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			return s.Lookup(ctx, directory.Address{Local: local, Domain: domain}).Result
		}
		s := begin()
		if got := ask(s, "x", "a.example"); got != directory.Failed {
			t.Error(got)
		}
		ask(s, "jo", "a.example")
		ask(s, "jo", "b.example")
		k = after(t, k, whole)
		s = begin()
		if got := ask(s, "x", "a.example"); got != directory.Failed {
			t.Errorf("after a restart nobody was named yet: %v", got)
		}
		ask(s, "jo", "b.example")
		if got := ask(s, "x", "a.example"); got != directory.No {
			t.Errorf("it knows somebody elsewhere: %v", got)
		}
	}
}

func FuzzKnown(f *testing.F) {
	k := newKnown()
	k.note(naming{"sql SELECT", "a.example"})
	k.counts["file /a"] = 7
	for r := range k.All() {
		f.Add(bytes.Clone(r))
	}
	f.Add([]byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, record []byte) {
		one := newKnown()
		if err := one.Load(record); err != nil {
			if one.Len() > 0 {
				t.Fatalf("%v, and %d are taken", err, one.Len())
			}
			return
		}
		two := newKnown()
		for r := range one.All() {
			if err := two.Load(r); err != nil {
				t.Fatal(err)
			}
		}
		if one.Len() != two.Len() {
			t.Fatalf("%d, then %d", one.Len(), two.Len())
		}
		if err := one.Load(append([]byte{9}, record...)); errors.Is(err, nil) {
			t.Fatal("another version is taken")
		}
	})
}

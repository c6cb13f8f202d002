package records

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A made is a Source that has its record already.
type made struct {
	record Record
	skip   bool
}

func (m made) Record() (Record, bool) { return m.record, !m.skip }

// number makes the record of a number.
func number(i int) Record {
	return Record{
		ID: fmt.Sprintf("id%010d", i), When: time.Now(),
		Keys: []Key{{Client, fmt.Sprintf("192.0.2.%d", i%7)}, {From, fmt.Sprintf("d%d.example", i)}, {Rcpt, "jo@here.example"}},
		Body: []byte(fmt.Sprintf(`{"id":"id%010d","findings":[{"id":"rdns-missing","points":5,"detail":""}]}`, i)),
	}
}

func put(l *Log, rs ...Record) {
	for _, r := range rs {
		l.Put(made{record: r})
	}
}

func find(t *testing.T, l *Log, q Query) *Found {
	t.Helper()
	f, err := l.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ids are those of what is found.
func ids(f *Found) string {
	var all []string
	for _, r := range f.Records {
		all = append(all, strings.TrimLeft(strings.TrimPrefix(r.ID, "id"), "0"))
	}
	return strings.Join(all, " ")
}

func shut(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "records.*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const month = 30 * 24 * time.Hour

func TestFind(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		l := Open(Options{Dir: dir, Keep: month, Size: 1 << 20})
		for i := 1; i <= 20; i++ {
			put(l, number(i))
			if i%8 == 0 {
				find(t, l, Query{ID: "none"}) // makes a block of them
			}
		}
		group := func(kind Kind, values ...string) (keys []Key) {
			for _, v := range values {
				keys = append(keys, Key{kind, v})
			}
			return keys
		}
		for _, tt := range []struct {
			name string
			q    Query
			want string
			more bool
		}{
			{"by id", Query{ID: "id0000000011"}, "11", false},
			{"by the beginning of an id, the newest", Query{ID: "id000000001"}, "19", true},
			{"by a key, newest first", Query{Keys: [][]Key{group(Client, "192.0.2.3")}, Most: 9}, "17 10 3", false},
			{"no more than asked for", Query{Keys: [][]Key{group(Rcpt, "jo@here.example")}, Most: 4}, "20 19 18 17", true},
			{"any of a group", Query{Keys: [][]Key{group(From, "d5.example", "d19.example", "nobody")}, Most: 9}, "19 5", false},
			{"all groups", Query{Keys: [][]Key{group(Client, "192.0.2.3"), group(From, "d10.example")}, Most: 9}, "10", false},
			{"the same value of another kind", Query{Keys: [][]Key{group(Sender, "jo@here.example")}, Most: 9}, "", false},
			{"nobody", Query{ID: "zzz"}, "", false},
		} {
			if f := find(t, l, tt.q); ids(f) != tt.want || f.More != tt.more || f.Err != nil || f.Damaged != 0 {
				t.Errorf("%q, %s: %q %v (%v), want %q %v", dir, tt.name, ids(f), f.More, f.Err, tt.want, tt.more)
			}
		}
		f := find(t, l, Query{ID: "id0000000007"})
		if got, want := string(f.Records[0].Body), string(number(7).Body); got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		st := l.Status()
		if st.Records != 20 || st.Lost != 0 || st.Kept != (dir != "") || st.Bytes == 0 || st.Oldest.IsZero() {
			t.Errorf("%q: %+v", dir, st)
		}
		shut(t, l)
	}
}

func TestOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := Open(Options{Dir: dir, Keep: month, Size: 1 << 20})
		put(l, number(1))
		time.Sleep(time.Second)
		synctest.Wait()
		// A second look at what kill -9 would leave: nothing is asked of l before.
		killed := t.TempDir()
		if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		next := Open(Options{Dir: killed, Keep: month, Size: 1 << 20})
		put(next, number(2))
		if got := ids(find(t, next, Query{Keys: [][]Key{{{Rcpt, "jo@here.example"}}}, Most: 9})); got != "2 1" {
			t.Errorf("found %q", got)
		}
		if names := files(t, killed); len(names) != 2 {
			t.Errorf("a file was written to by two: %v", names)
		}
		shut(t, next)
		shut(t, l)
		info, err := os.Stat(files(t, dir)[0])
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
}

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	const size = 1 << 20
	l := Open(Options{Dir: dir, Keep: month, Size: size})
	noise, random := make([]byte, 4<<10), rand.NewChaCha8([32]byte{})
	var last int
	for i := 1; i <= 1000; i++ {
		r := number(i)
		random.Read(noise) // what cannot be made smaller
		r.Body = bytes.Clone(noise)
		put(l, r)
		if last = i; i%100 == 0 {
			find(t, l, Query{ID: "none"})
		}
	}
	f := find(t, l, Query{Keys: [][]Key{{{Rcpt, "jo@here.example"}}}, Most: maxFound})
	first := 0
	fmt.Sscan(strings.Fields(ids(f))[len(f.Records)-1], &first)
	if len(f.Records) == last || f.Records[0].ID != number(last).ID || len(f.Records) != last-first+1 {
		t.Errorf("%d are left, from %d to %s", len(f.Records), first, f.Records[0].ID)
	}
	st := l.Status()
	if st.Bytes > size || st.Bytes < size/2 || st.Lost > 0 {
		t.Errorf("%+v", st)
	}
	var sum int64
	for _, name := range files(t, dir) {
		info, _ := os.Stat(name)
		sum += info.Size()
	}
	if sum != st.Bytes {
		t.Errorf("%d bytes on disk, %d by the status", sum, st.Bytes)
	}
	l.Set(month, size/4)
	find(t, l, Query{ID: "none"})
	if st := l.Status(); st.Bytes > size/4 {
		t.Errorf("%d bytes", st.Bytes)
	}
	shut(t, l)
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := Open(Options{Dir: dir, Keep: 30 * time.Minute, Size: 1 << 20})
		all := Query{Keys: [][]Key{{{Rcpt, "jo@here.example"}}}, Most: 99}
		for i := 1; i <= 40; i++ {
			put(l, number(i))
			time.Sleep(time.Minute)
		}
		if got := find(t, l, all); len(got.Records) != 29 && len(got.Records) != 30 || got.Records[0].ID != number(40).ID {
			t.Errorf("%d: %s", len(got.Records), ids(got))
		}
		if n := len(files(t, dir)); n > 33 {
			t.Errorf("%d files", n)
		}
		// Nobody comes any more: what is old goes all the same, by the files' times.
		for _, name := range files(t, dir) {
			if err := os.Chtimes(name, time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(32 * time.Minute)
		if names := files(t, dir); len(names) > 0 || len(find(t, l, all).Records) > 0 {
			t.Errorf("left: %v", names)
		}
		if st := l.Status(); !st.Oldest.IsZero() || st.Bytes != 0 || !st.Kept {
			t.Errorf("%+v", st)
		}
		shut(t, l)
	})
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	l := Open(Options{Dir: dir, Keep: month, Size: 1 << 20})
	var ends []int64
	for i := 1; i <= 5; i++ {
		put(l, number(i))
		find(t, l, Query{ID: "none"})
		ends = append(ends, l.Status().Bytes)
	}
	shut(t, l)
	name := files(t, dir)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int64) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 0x55; return b }
	}
	for _, tt := range []struct {
		name    string
		do      func([]byte) []byte
		want    string
		damaged bool
	}{
		{"nothing", func(b []byte) []byte { return b }, "5 4 3 2 1", false},
		{"a torn end", func(b []byte) []byte { return b[:len(b)-3] }, "4 3 2 1", false},
		{"an end torn in its head", func(b []byte) []byte { return b[:ends[3]+10] }, "4 3 2 1", false},
		{"zeros behind", func(b []byte) []byte { return append(b, make([]byte, 100)...) }, "5 4 3 2 1", true},
		{"a head", flip(ends[1] + 5), "5 4 2 1", true},
		{"an index", flip(ends[1] + headSize + 3), "5 4 2 1", true},
		{"a body", flip(ends[2] - 10), "5 4 2 1", true},
		{"the first byte", flip(0), "5 4 3 2", true},
		{"a hole", func(b []byte) []byte { return append(b[:ends[0]+20:ends[0]+20], b[ends[1]+7:]...) }, "5 4 1", true},
		{"rubbish before", func(b []byte) []byte { return append([]byte("mpr1mpr1mpr"), b...) }, "5 4 3 2 1", true},
		{"rubbish alone", func(b []byte) []byte { return bytes.Repeat([]byte("mpr"), 999) }, "", true},
		{"empty", func(b []byte) []byte { return nil }, "", false},
	} {
		if err := os.WriteFile(name, tt.do(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		l := Open(Options{Dir: dir, Keep: month, Size: 1 << 20})
		f := find(t, l, Query{Keys: [][]Key{{{Rcpt, "jo@here.example"}}}, Most: 9})
		if got := ids(f); got != tt.want || (f.Damaged > 0) != tt.damaged || f.Err != nil {
			t.Errorf("%s: found %q, %d bytes damaged, %v; want %q", tt.name, got, f.Damaged, f.Err, tt.want)
		}
		put(l, number(6)) // goes on in another file
		if got := ids(find(t, l, Query{ID: "id0000000006"})); got != "6" {
			t.Errorf("%s: %q", tt.name, got)
		}
		shut(t, l)
		os.Remove(files(t, dir)[1])
	}
}

// A journal of what is told.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *told) count(s string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), s)
}

func TestTheDirectoryGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		var log told
		l := Open(Options{Dir: dir, Keep: month, Size: 1 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		all := Query{Keys: [][]Key{{{Rcpt, "jo@here.example"}}}, Most: 9}
		put(l, number(1))
		if got := ids(find(t, l, all)); got != "1" {
			t.Errorf("without a directory: %q", got)
		}
		st := l.Status()
		if st.Kept || !errors.Is(st.Err, os.ErrNotExist) || st.Remedy == "" || st.Errors == 0 {
			t.Errorf("%+v", st)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if st := l.Status(); !st.Kept || st.Err != nil || len(files(t, dir)) != 1 {
			t.Errorf("%+v", st)
		}
		put(l, number(2))
		find(t, l, all)
		if err := os.RemoveAll(dir); err != nil { // what was in it is gone
			t.Fatal(err)
		}
		put(l, number(3))
		if got := ids(find(t, l, all)); got != "3" {
			t.Errorf("after its removal: %q", got)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		shut(t, l)
		if a, b := log.count("level=ERROR"), log.count("on disk again"); a != 2 || b != 2 {
			t.Errorf("%d errors, %d ends of them told:\n%s", a, b, log.text.String())
		}
		next := Open(Options{Dir: dir, Keep: month, Size: 1 << 20})
		if got := ids(find(t, next, all)); got != "3" {
			t.Errorf("found %q", got)
		}
		shut(t, next)
	})
}

func TestMemoryIsBounded(t *testing.T) {
	l := Open(Options{Keep: month, Size: 1 << 20})
	body, random := make([]byte, 200<<10), rand.NewChaCha8([32]byte{})
	for i := range 100 {
		random.Read(body)
		r := number(i)
		r.Body = bytes.Clone(body)
		put(l, r)
		find(t, l, Query{ID: "none"})
	}
	if st := l.Status(); st.Bytes > memoryRoom || st.Bytes < memoryRoom/2 || st.Lost > 0 {
		t.Errorf("%+v", st)
	}
	shut(t, l)
}

// A slow Source holds the Log up until it is let go.
type slow struct{ begun, free chan struct{} }

func (s slow) Record() (Record, bool) {
	close(s.begun)
	<-s.free
	return Record{}, false
}

type broken struct{}

func (broken) Record() (Record, bool) { panic("a bug") }

func TestPutNeverWaits(t *testing.T) {
	l := Open(Options{Keep: month, Size: 1 << 20, Queue: 10})
	s := slow{make(chan struct{}), make(chan struct{})}
	l.Put(s)
	<-s.begun
	for i := range 30 {
		put(l, number(i))
	}
	if got := l.Status().Lost; got != 20 {
		t.Errorf("lost %d, want 20", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Find(ctx, Query{ID: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a search of one that hangs: %v", err)
	}
	if err := l.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closing one that hangs: %v", err)
	}
	close(s.free)
	<-l.ended
	put(l, number(99))
	if st := l.Status(); st.Records != 10 || st.Lost != 21 {
		t.Errorf("%+v", st)
	}
	if _, err := l.Find(t.Context(), Query{ID: "x"}); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestWhatCannotBeKept(t *testing.T) {
	l := Open(Options{Keep: month, Size: 1 << 20})
	l.Put(broken{})
	l.Put(made{skip: true})
	put(l, Record{ID: "thirteenchars"}, Record{}, Record{ID: "big", Body: make([]byte, maxBody+1)}, number(1))
	if got := ids(find(t, l, Query{ID: "id"})); got != "1" {
		t.Errorf("%q", got)
	}
	if st := l.Status(); st.Records != 1 || st.Lost != 4 {
		t.Errorf("%+v", st)
	}
	shut(t, l)
}

func TestManyAtOnce(t *testing.T) {
	l := Open(Options{Dir: t.TempDir(), Keep: month, Size: 1 << 20, Queue: 10_000})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 200 {
				put(l, number(g*1000+i))
				if i%50 == 0 {
					find(t, l, Query{ID: number(g*1000 + i).ID})
				}
			}
		})
	}
	all.Wait()
	f := find(t, l, Query{Keys: [][]Key{{{Rcpt, "jo@here.example"}}}, Most: maxFound})
	if len(f.Records) != maxFound || !f.More {
		t.Errorf("%d found", len(f.Records))
	}
	if !slices.IsSortedFunc(f.Records, func(a, b Record) int { return b.When.Compare(a.When) }) {
		t.Log("not in the order of When: they are in that of Put")
	}
	shut(t, l)
}

func TestRemedies(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, syscall.EROFS, os.ErrPermission, os.ErrNotExist, errors.New("else")} {
		if remedy(err, "/state") == "" {
			t.Errorf("none for %v", err)
		}
	}
}

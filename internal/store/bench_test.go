package store

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A rows is a Space of a million rows of one size, which it does not look into.
type rows struct {
	size, n, batch int
	changed        int // rows of the next Changed
	loaded         int
	bytes          []byte // a batch of rows
}

func newRows(size, batch int) *rows {
	return &rows{size: size, n: 1_000_000, batch: batch, bytes: make([]byte, size*batch)}
}

func (r *rows) Changed(dst []byte) []byte {
	for ; r.changed > 0; r.changed-- {
		dst = append(dst, r.bytes[:r.size]...)
	}
	return dst
}

func (r *rows) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for range r.n / r.batch {
			if !yield(r.bytes) {
				return
			}
		}
	}
}

func (r *rows) Load(record []byte) error {
	r.loaded += len(record) / r.size
	return nil
}

func (r *rows) Len() int { return r.n }

func startRows(tb testing.TB, dir string, r *rows) (*Store, Loaded) {
	tb.Helper()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	s.Add("rows", r)
	return s, s.Start()
}

// BenchmarkAppend is what a changed row costs on its way to the journal, without
// the syncs, which do not depend on how many there are.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d rows at once", batch), func(b *testing.B) {
			b.ReportAllocs()
			r := newRows(48, 1)
			d := &osDisk{dir: b.TempDir()}
			s, err := open(Options{Dir: d.dir, minJournals: 1 << 40}, d)
			if err != nil {
				b.Fatal(err)
			}
			s.Add("rows", r)
			k := &keeper{Store: s, known: map[string]*entry{}}
			k.reopen()
			if k.j == nil {
				b.Fatal(k.trouble.err)
			}
			for n := 0; b.Loop(); n++ {
				if r.changed++; r.changed == batch {
					if err := k.collect(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(k.j.size)/float64(b.N), "B/row")
			k.j.f.Close()
			s.disk.Unlock()
		})
	}
}

// BenchmarkSync is one change that waits for the disk: a command does, no mail.
func BenchmarkSync(b *testing.B) {
	b.ReportAllocs()
	r := newRows(48, 1)
	r.n = 0
	s, _ := startRows(b, b.TempDir(), r)
	for b.Loop() {
		if err := s.Sync(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	s.Close(context.Background())
}

// BenchmarkMillion writes a million rows as a snapshot, and reads them again; rows
// in records of a thousand, as owners give them, and each in one of its own.
func BenchmarkMillion(b *testing.B) {
	for _, size := range []int{32, 64} {
		for _, batch := range []int{1, 1000} {
			dir := filepath.Join(b.TempDir(), "state")
			if err := os.Mkdir(dir, 0o700); err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%d bytes, %d in a record", size, batch)
			b.Run("snapshot of "+name, func(b *testing.B) { snapshotMillion(b, dir, newRows(size, batch)) })
			b.Run("start with "+name, func(b *testing.B) { startMillion(b, dir, size, batch) })
		}
	}
}

func snapshotMillion(b *testing.B, dir string, r *rows) {
	b.ReportAllocs()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	s.Add("rows", r)
	k := &keeper{Store: s, known: map[string]*entry{}}
	for n := uint64(1); b.Loop(); n++ {
		os.Remove(filepath.Join(dir, nameOf(n-1, "snapshot")))
		res := k.snapshot(n, &writing{}, nil)
		if res.err != nil {
			b.Fatal(res.err)
		}
		b.ReportMetric(float64(res.entry.size)/1e6, "MB")
	}
	s.disk.Unlock()
}

func startMillion(b *testing.B, dir string, size, batch int) {
	b.ReportAllocs()
	var most uint64
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := newRows(size, batch)
		s, loaded := startRows(b, dir, r)
		runtime.ReadMemStats(&after)
		if r.loaded != r.n || loaded.Lost {
			b.Fatalf("%d rows, %+v", r.loaded, loaded)
		}
		most = max(most, after.HeapSys-min(before.HeapSys, after.HeapSys))
		s.Close(context.Background())
	}
	b.ReportMetric(float64(most)/1e6, "MB-grown")
}

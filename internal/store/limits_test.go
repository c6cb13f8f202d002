package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"mailprofiled/internal/store"
	"mailprofiled/ratelimit"
)

// limits and accounts are the spaces of ratelimit, as the daemon makes them.
type limits struct{ *ratelimit.Table }

func (l limits) Changed(dst []byte) []byte { return l.ExportChanged(dst, time.Now()) }
func (l limits) All() iter.Seq[[]byte]     { return l.ExportAll(time.Now()) }
func (l limits) Len() int                  { return l.Stats().Keys }
func (l limits) Load(record []byte) error  { return load(record, l.Import) }

type accounts struct{ *ratelimit.Accounts }

func (a accounts) Changed(dst []byte) []byte { return a.ExportChanged(dst, time.Now()) }
func (a accounts) All() iter.Seq[[]byte]     { return a.ExportAll(time.Now()) }
func (a accounts) Len() int                  { return a.Stats().Keys }
func (a accounts) Load(record []byte) error  { return load(record, a.Import) }

func load(record []byte, take func(ratelimit.Frame, time.Time) (int, error)) error {
	for len(record) > 0 {
		f, rest, err := ratelimit.NextFrame(record)
		if err != nil {
			return err
		}
		if _, err := take(f, time.Now()); err != nil {
			return err
		}
		record = rest
	}
	return nil
}

// A policy is what is kept of limits.
type policy struct {
	store    *store.Store
	table    *ratelimit.Table
	accounts *ratelimit.Accounts
	loaded   store.Loaded
}

func start(tb testing.TB, dir string) *policy {
	tb.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	key := s.Secret()
	now := time.Now()
	p := &policy{
		store:    s,
		table:    ratelimit.NewTable(ratelimit.Options{Track: true}, now),
		accounts: ratelimit.NewAccounts(ratelimit.AccountOptions{Track: true}, ratelimit.Secret(key[:ratelimit.KeySize]), now),
	}
	s.Add("limits", limits{p.table})
	s.Add("accounts", accounts{p.accounts})
	p.loaded = s.Start()
	return p
}

func (p *policy) end(tb testing.TB) {
	tb.Helper()
	if err := p.store.Close(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// send has an account send a mail, and reports whether it may.
func (p *policy) send(tb testing.TB, account uint64, most uint32) bool {
	tb.Helper()
	var name [8]byte
	binary.LittleEndian.PutUint64(name[:], account)
	p.accounts.Age(string(name[:]), time.Time{}, time.Now())
	c := []ratelimit.Charge{{ID: account * 0x9e3779b97f4a7c15, Window: 24 * time.Hour, Max: most, Amount: 1}}
	ok, err := p.table.Take(tb.Context(), c, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	if ok {
		if err := p.table.Settle(tb.Context(), c, ratelimit.Keep, time.Now()); err != nil {
			tb.Fatal(err)
		}
	}
	return ok
}

// TestLimitsSurvive: what was sent before a restart counts after it, and an
// account is not new again.
func TestLimitsSurvive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	const accounts, most = 3000, 5
	for round := range most {
		p := start(t, dir)
		if round > 0 && p.accounts.Stats().Keys != accounts {
			t.Errorf("round %d: %d accounts are known", round, p.accounts.Stats().Keys)
		}
		for a := range uint64(accounts) {
			if !p.send(t, a, most) {
				t.Fatalf("round %d: account %d may not send", round, a)
			}
		}
		p.end(t)
	}
	p := start(t, dir)
	for a := range uint64(accounts) {
		if p.send(t, a, most) {
			t.Fatalf("account %d has sent %d mails and may send more", a, most)
		}
	}
	if st := p.store.Status(); len(st.Spaces) != 2 || st.Spaces[0].Records != accounts || st.Spaces[1].Records != accounts || p.loaded.Lost {
		t.Errorf("%+v, %+v", st, p.loaded)
	}
	p.end(t)
}

// BenchmarkMillionAccounts has a million accounts with a live counter each, over
// which ever more mail goes, and starts with that. The store is to be ready within
// 3 s, on less than 300 MB of disk.
func BenchmarkMillionAccounts(b *testing.B) {
	const n = 1_000_000
	dir := filepath.Join(b.TempDir(), "state")
	p := start(b, dir)
	var most int64
	began := time.Now()
	for round := range 4 {
		for a := range uint64(n) {
			p.send(b, a, 1000)
			if a%50_000 == 0 {
				most = max(most, onDisk(b, dir))
			}
		}
		b.Logf("round %d: %v, %d MB on disk", round, time.Since(began).Round(time.Millisecond), onDisk(b, dir)/1e6)
	}
	runtime.GC()
	var with runtime.MemStats
	runtime.ReadMemStats(&with)
	p.end(b)
	most = max(most, onDisk(b, dir))
	p = nil
	var ready time.Duration
	for b.Loop() {
		p = start(b, dir)
		if p.table.Stats().Keys != n || p.accounts.Stats().Keys != n || p.loaded.Lost {
			b.Fatalf("%+v, %+v, %+v", p.table.Stats(), p.accounts.Stats(), p.loaded)
		}
		ready += p.loaded.Took
		p.end(b)
	}
	b.ReportMetric(ready.Seconds()/float64(b.N), "s-to-ready")
	b.ReportMetric(float64(most)/1e6, "MB-disk-at-most")
	b.ReportMetric(float64(with.HeapAlloc)/1e6, "MB-heap")
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		b.ReportMetric(peak(text), "MB-RSS-at-most")
	}
}

func onDisk(tb testing.TB, dir string) (bytes int64) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// peak reads VmHWM, in megabytes.
func peak(status []byte) (mb float64) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, _ := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
			return kb * 1024 / 1e6
		}
	}
	return 0
}

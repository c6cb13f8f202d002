package trend

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// grow notes one more of a name each step from a time on.
func grow(t *Trend, from time.Time, step time.Duration, steps int, names ...string) (until time.Time) {
	counters := map[string]uint64{}
	for name, n := range t.last {
		counters[name] = n
	}
	for range steps {
		for _, name := range names {
			counters[name]++
		}
		t.Note(from, counters)
		from = from.Add(step)
	}
	return from
}

func TestWhatHappenedWhen(t *testing.T) {
	tr := New()
	now := grow(tr, noon.Add(-6*24*time.Hour), 10*time.Minute, 6*144, "reject") // until noon
	grow(tr, now, time.Minute, 30, "rdns-missing")
	now = now.Add(29 * time.Minute)
	tests := []struct {
		span     Span
		name     string
		sum      uint64
		buckets  int
		last     uint32
		earliest time.Time
	}{
		{Hour, "reject", 3, 60, 0, noon.Add(-30 * time.Minute)}, // 11:30, 11:40, 11:50
		{Hour, "rdns-missing", 30, 60, 1, noon.Add(-30 * time.Minute)},
		{Day, "reject", 141, 96, 0, noon.Add(-23*time.Hour - 30*time.Minute)}, // from 12:30 to 11:50
		{Day, "rdns-missing", 30, 96, 15, noon.Add(-23*time.Hour - 30*time.Minute)},
		{Week, "reject", 6 * 144, 84, 0, noon.Add(-83 * 2 * time.Hour)},
		{Week, "rdns-missing", 30, 84, 30, noon.Add(-83 * 2 * time.Hour)},
	}
	for _, tt := range tests {
		s := tr.Look(tt.span, now)
		each := s.Each[tt.name]
		if s.Sums[tt.name] != tt.sum || len(each) != tt.buckets || each[len(each)-1] != tt.last || !s.Start.Equal(tt.earliest) {
			t.Errorf("%s of %s: %d in %d buckets from %v, the last %v; want %+v", tt.name, tt.span, s.Sums[tt.name], len(each), s.Start, each[len(each)-1:], tt)
		}
		sum := uint64(0)
		for _, n := range each {
			sum += uint64(n)
		}
		if sum != s.Sums[tt.name] {
			t.Errorf("%s of %s: buckets make %d, the sum is %d", tt.name, tt.span, sum, s.Sums[tt.name])
		}
	}
	for span, later := range map[Span]time.Duration{Hour: time.Hour, Day: 24 * time.Hour, Week: 7 * 24 * time.Hour} {
		if s := tr.Look(span, now.Add(later)); len(s.Sums) > 0 {
			t.Errorf("%s later there is still %v", later, s.Sums)
		}
	}
}

func TestCountersThatBeginAnew(t *testing.T) {
	tr := New()
	tr.Note(noon, map[string]uint64{"reject": 100})
	tr.Note(noon, map[string]uint64{"reject": 103})
	tr.Note(noon, map[string]uint64{"reject": 2})
	if n := tr.Look(Hour, noon).Sums["reject"]; n != 105 {
		t.Errorf("got %d, want 105", n)
	}
}

// TestAClockThatIsSet: what was counted in a future that turned out not to come is
// not shown, and stands in nobody's way.
func TestAClockThatIsSet(t *testing.T) {
	tr := New()
	tr.Note(noon.AddDate(30, 0, 0), map[string]uint64{"reject": 7})
	tr.Note(noon, map[string]uint64{"reject": 9})
	tr.Note(time.Unix(-5, 0), map[string]uint64{"reject": 10})
	for _, s := range Spans() {
		if n := tr.Look(s, noon).Sums["reject"]; n != 2 {
			t.Errorf("%s: got %d, want 2", s, n)
		}
		tr.Look(s, time.Time{})
	}
}

// TestNamesAreBounded: beyond MaxNames all count as Other; names that did not happen
// for a week make room.
func TestNamesAreBounded(t *testing.T) {
	tr := New()
	counters := map[string]uint64{}
	for i := range 2 * MaxNames {
		counters[fmt.Sprint("list-", i)] = 1
	}
	tr.Note(noon, counters)
	s := tr.Look(Day, noon)
	if len(s.Sums) != MaxNames || s.Sums[Other] != MaxNames+1 {
		t.Fatalf("%d names, %d of others", len(s.Sums), s.Sums[Other])
	}
	later := noon.Add(8 * 24 * time.Hour)
	counters["new"] = 5
	tr.Note(later, counters)
	if s := tr.Look(Day, later); s.Sums["new"] != 5 || len(s.Sums) != 1 {
		t.Errorf("after a week there is no room: %v", s.Sums)
	}
	counters["new"] = 1 << 60
	tr.Note(later, counters)
	if s := tr.Look(Day, later); s.Sums["new"] != 1<<32-1 {
		t.Errorf("counts go to %d", s.Sums["new"])
	}
}

func same(t *testing.T, what string, a, b *Trend, now time.Time) {
	t.Helper()
	for _, s := range Spans() {
		if x, y := a.Look(s, now), b.Look(s, now); !reflect.DeepEqual(x, y) {
			t.Fatalf("%s, %s: %v, was %v", what, s, y.Sums, x.Sums)
		}
	}
}

// TestItOutlivesTheProcess: what Changed and All gave makes the same again.
func TestItOutlivesTheProcess(t *testing.T) {
	tr, journal := New(), New()
	r := rand.New(rand.NewPCG(1, 2))
	counters, now := map[string]uint64{}, noon
	take := func() {
		if record := tr.Changed(nil, now); len(record) > 0 {
			if err := journal.Load(record, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3000 {
		for range 1 + r.IntN(5) {
			counters[fmt.Sprint("finding-", r.IntN(60))] += uint64(r.IntN(1000))
		}
		tr.Note(now, counters)
		take()
		now = now.Add(time.Duration(r.IntN(600)) * time.Second)
	}
	tr.Note(now, counters)
	tr.Flush()
	take()
	same(t, "by its changes", tr, journal, now)
	if record := tr.Changed(nil, now.Add(time.Hour)); len(record) > 0 {
		t.Errorf("nothing has changed, and %d bytes are given", len(record))
	}
	whole := New()
	for record := range tr.All() {
		if err := whole.Load(record, now); err != nil {
			t.Fatal(err)
		}
		if len(record) > 64<<10 {
			t.Errorf("60 names in all buckets take %d bytes", len(record))
		}
	}
	same(t, "as a whole", tr, whole, now)
	if whole.Len() != 60+96+84 {
		t.Errorf("%d buckets", whole.Len())
	}
	// An older record does no harm to what is newer.
	old := New()
	old.Note(noon.Add(-24*time.Hour), map[string]uint64{"x": 9})
	for record := range old.All() {
		if err := whole.Load(record, now); err != nil {
			t.Fatal(err)
		}
	}
	if n := whole.Look(Hour, now).Sums["x"]; n != 0 {
		t.Errorf("a record of yesterday counts %d now", n)
	}
}

// TestChangesAreToldNowAndThen: ten seconds apart, and at the end at once.
func TestChangesAreToldNowAndThen(t *testing.T) {
	tr := New()
	told := func(after time.Duration) bool {
		now := noon.Add(after)
		tr.Note(now, map[string]uint64{"x": uint64(after)})
		return len(tr.Changed(nil, now)) > 0
	}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{time.Second, true}, {2 * time.Second, false}, {10 * time.Second, false}, {11 * time.Second, true}, {12 * time.Second, false}} {
		if got := told(tt.after); got != tt.want {
			t.Errorf("after %s: %v", tt.after, got)
		}
	}
	tr.Flush()
	if !told(13 * time.Second) {
		t.Error("not told at the end")
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	tr := New()
	grow(tr, noon, time.Minute, 100, "a", "b")
	var record []byte
	for r := range tr.All() {
		record = bytes.Clone(r)
	}
	for n := range record {
		into := New()
		if err := into.Load(record[:n], noon); err == nil {
			t.Fatalf("cut at %d of %d it is taken", n, len(record))
		}
		if into.Len() > 0 {
			t.Fatalf("cut at %d, something of it is taken", n)
		}
	}
	if err := New().Load(append(record, 0), noon); err == nil {
		t.Error("with a byte too many it is taken")
	}
	if err := New().Load([]byte{2, 0, 0}, noon); err == nil {
		t.Error("of another version it is taken")
	}
}

// FuzzLoad: whatever is on the disk, it is taken or not, and what was taken is
// written as it was read.
func FuzzLoad(f *testing.F) {
	tr := New()
	grow(tr, noon, time.Hour, 200, "a", "limit:new accounts")
	for record := range tr.All() {
		f.Add(record)
	}
	f.Add([]byte{1, 1, 1, 'x', 1, 0, 200, 1, 1, 0, 5})
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		a := New()
		if a.Load(record, noon) != nil {
			if a.Len() > 0 {
				t.Fatal("an error, and something is taken")
			}
			return
		}
		b := New()
		for again := range a.All() {
			if err := b.Load(again, noon); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
		}
		same(t, "written and read", a, b, noon)
		a.Note(noon, map[string]uint64{"x": 1})
	})
}

func TestRaces(t *testing.T) {
	tr := New()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 200 {
				now := noon.Add(time.Duration(n*i) * time.Minute)
				switch i {
				case 0:
					tr.Look(Day, now)
				case 1:
					tr.Changed(nil, now)
				case 2:
					for range tr.All() {
					}
				default:
					tr.Note(now, map[string]uint64{fmt.Sprint(n): 1})
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkNote(b *testing.B) {
	tr, counters, now := New(), map[string]uint64{}, noon
	b.ReportAllocs()
	for i := range b.N {
		for j := range 60 {
			counters[names[j]] += uint64(i)
		}
		now = now.Add(5 * time.Second)
		tr.Note(now, counters)
	}
}

var names = func() (all [60]string) {
	for i := range all {
		all[i] = fmt.Sprint("finding-", i)
	}
	return all
}()

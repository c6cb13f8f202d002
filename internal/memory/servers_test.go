package memory

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

const day = 24 * time.Hour

func newServers(now time.Time) *Servers {
	return NewServers(Options{Settings: DefaultSettings(), Track: true, Secret: secret}, now)
}

// A life is what a server did, day by day.
type life struct {
	days  int
	every int // a visit each so many days
	event Event
}

// live has a server live, and gives the time after it.
func (l *life) live(s *Servers, sub *Subject, now time.Time) time.Time {
	for i := range l.days {
		if i%max(1, l.every) == 0 {
			e := l.event
			e.Visit = true
			s.Note(sub, &e, now.Add(time.Duration(i)*day))
		}
	}
	return now.Add(time.Duration(l.days) * day)
}

// mail is the event of a visit with so many taken recipients.
func mail(n int) Event { return Event{Taken: n, Met: n > 0} }

func TestStanding(t *testing.T) {
	with := func(e Event, change func(*Event)) Event { change(&e); return e }
	for _, tt := range []struct {
		name  string
		lives []life
		want  string // of Word
	}{
		{"a stranger", nil, HistoryNew},
		{"it was refused all the time, for months", []life{{90, 1, Event{Refused: 5}}}, HistoryNew},
		{"it was asked to come back and never did", []life{{90, 1, Event{Deferred: true}}}, HistoryNew},
		{"one mail was taken", []life{{1, 1, mail(1)}}, HistoryNeutral},
		{"mail each day for two months", []life{{60, 1, mail(2)}}, HistoryGood},
		{"mail each week for three months", []life{{90, 7, mail(3)}}, HistoryGood},
		{"mail each day, but for a fortnight only", []life{{14, 1, mail(20)}}, HistoryNeutral},
		{"the flood of one day, and then silence", []life{{1, 1, mail(100_000)}, {60, 61, Event{}}}, HistoryNeutral},
		{"the flood of one day, a month after the first mail", []life{{30, 31, mail(1)}, {1, 1, mail(100_000)}}, HistoryNeutral},
		{"good, then silent for a fortnight", []life{{60, 1, mail(2)}, {14, 15, mail(1)}}, HistoryGood},
		{"good, then silent for half a year", []life{{60, 1, mail(2)}, {180, 181, mail(1)}}, HistoryNeutral},
		{"one in twenty recipients does not exist", []life{{60, 1, with(mail(19), func(e *Event) { e.Unknown = 1 })}}, HistoryGood},
		{"one in four does not", []life{{60, 1, with(mail(3), func(e *Event) { e.Unknown = 1 })}}, HistoryNeutral},
		{"most do not", []life{{60, 1, with(mail(1), func(e *Event) { e.Unknown = 4 })}}, HistoryBad},
		{"good, then one to a trap", []life{{60, 1, mail(2)}, {1, 1, Event{Trapped: 1}}}, HistoryBad},
		{"a busy one, then one to a trap", []life{{60, 1, mail(100)}, {1, 1, Event{Trapped: 1}}}, HistoryNeutral},
		{"half of its visits are listed", []life{{60, 1, mail(2)}, {20, 1, with(mail(2), func(e *Event) { e.Listed = true })}}, HistoryBad},
		{"a mad list had it for a day", []life{{60, 1, mail(2)}, {1, 1, Event{Listed: true}}, {1, 1, mail(2)}}, HistoryGood},
		{"honest retries", []life{{10, 1, with(mail(1), func(e *Event) { e.Returned = true })}, {50, 1, mail(1)}}, HistoryGood},
		{"it is asked to come back time and again, and does not", []life{{60, 2, mail(3)}, {10, 1, Event{Deferred: true}}}, HistoryNeutral},
		{"most of its mail is refused", []life{{60, 1, with(mail(2), func(e *Event) { e.Refused = 3 })}}, HistoryNeutral},
		{"in monitor mode, taken in spite of what is said against it", []life{{60, 1, Event{Met: true}}}, HistoryNeutral},
	} {
		s := newServers(start.Add(-10 * day))
		sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "")
		now := start
		for _, l := range tt.lives {
			now = l.live(s, &sub, now)
		}
		st := s.Standing(&sub, now)
		if got := st.Word(); got != tt.want {
			t.Errorf("%s: %s (%+v), want %s\n%+v", tt.name, got, st, tt.want, s.Counts(sub.Home, now))
		}
	}
}

// TestOperatorsStanding: what is known of an operator holds for its other addresses,
// and not for the neighbours.
func TestOperatorsStanding(t *testing.T) {
	s := newServers(start.Add(-10 * day))
	of := func(addr, operator string) Subject { return s.Subject(netip.MustParseAddr(addr), operator) }
	good, bad := of("192.0.2.7", "good.example"), of("198.51.100.7", "bad.example")
	now := (&life{60, 1, mail(50)}).live(s, &good, start)
	(&life{60, 1, Event{Unknown: 20}}).live(s, &bad, start)
	for _, tt := range []struct{ addr, operator, want string }{
		{"203.0.113.5", "good.example", HistoryGood},
		{"192.0.2.7", "", HistoryGood}, // its name is out of reach
		{"192.0.2.8", "", HistoryNew},
		{"203.0.113.5", "bad.example", HistoryBad},
		{"198.51.100.8", "", HistoryNew},
		{"192.0.2.7", "bad.example", HistoryBad},
	} {
		sub := of(tt.addr, tt.operator)
		if st := s.Standing(&sub, now); st.Word() != tt.want {
			t.Errorf("%s of %q: %+v, want %s", tt.addr, tt.operator, st, tt.want)
		}
	}
}

// TestReportsCount: what the operator tells speeds up a good history and makes a bad
// one, as far as it is more than the other kind.
func TestReportsCount(t *testing.T) {
	s := newServers(start.Add(-10 * day))
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "")
	report := func(w Word, n int, now time.Time) string {
		for range n {
			s.Report(&sub, w, now)
		}
		st := s.Standing(&sub, now)
		return st.Word()
	}
	later := (&life{35, 34, mail(2)}).live(s, &sub, start)
	if got := report(Ham, 0, later); got != HistoryNeutral {
		t.Errorf("two mails in a month: %s", got)
	}
	if got := report(Ham, 3, later); got != HistoryGood {
		t.Errorf("three reports of ham later: %s", got)
	}
	if got := report(Spam, 3, later); got != HistoryNeutral && got != HistoryGood {
		t.Errorf("as many of spam: %s", got)
	}
	if got := report(Spam, 3, later); got != HistoryBad {
		t.Errorf("three more: %s", got)
	}
	if got := report(Spam, 0, later.Add(60*day)); got == HistoryBad {
		t.Errorf("two months later: %s", got)
	}
}

// TestLearning: who is not remembered is not new while the memory is young.
func TestLearning(t *testing.T) {
	s := newServers(start)
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "")
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {7*day - time.Second, false}, {7 * day, true}} {
		if got := s.Standing(&sub, start.Add(tt.after)); got.New != tt.want {
			t.Errorf("after %v: new %v", tt.after, got.New)
		}
	}
	if s.Relearn(start.Add(8 * day)); s.Standing(&sub, start.Add(9*day)).New {
		t.Error("new, and some of the memory was lost a day ago")
	}
}

// TestManyHelos: different names count, the same one does not, and two days later
// nothing is left of them.
func TestManyHelos(t *testing.T) {
	s := newServers(start)
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "")
	noon := start.Truncate(day).Add(12 * time.Hour)
	for i := range 100 {
		s.Note(&sub, &Event{Helo: fmt.Sprintf("h%d.example", i%3)}, noon)
	}
	if st := s.Standing(&sub, noon); st.Helos != 0 {
		t.Errorf("three names: %+v", st)
	}
	for i := range 40 {
		s.Note(&sub, &Event{Helo: fmt.Sprintf("h%d.example", i)}, noon.Add(11*time.Hour))
	}
	for _, tt := range []struct {
		after time.Duration
		many  bool
	}{{12 * time.Hour, true}, {35 * time.Hour, true}, {36 * time.Hour, false}, {1000 * time.Hour, false}} {
		if st := s.Standing(&sub, noon.Add(tt.after)); (st.Helos > 0) != tt.many {
			t.Errorf("after %v: %+v, want many %v", tt.after, st, tt.many)
		}
	}
}

// TestSketchesNeverCountTooMany: a law, since what is unknown is never evidence.
func TestSketchesNeverCountTooMany(t *testing.T) {
	for range 300 {
		s := newServers(start)
		sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "")
		names := map[string]bool{}
		for range rand.IntN(60) {
			name := fmt.Sprint("h", rand.IntN(40), ".example")
			names[name] = true
			s.Note(&sub, &Event{Helo: name}, start)
			s = reread(t, s, start) // nor by a restart
		}
		if got := s.Counts(sub.Home, start).Helos; got > len(names) || got == 0 && len(names) > 0 {
			t.Fatalf("%d names counted as %d", len(names), got)
		}
	}
}

// TestSilenceFades: what a server did, good or bad, is half of it after a half-life,
// however often somebody looks.
func TestSilenceFades(t *testing.T) {
	s := newServers(start)
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "")
	s.Note(&sub, &Event{Visit: true, Taken: 1000, Unknown: 100}, start)
	for i := range 28 * 24 {
		s.Counts(sub.Home, start.Add(time.Duration(i)*time.Hour))
	}
	for _, tt := range []struct {
		after time.Duration
		taken float64
	}{{0, 1000}, {14 * day, 500}, {28 * day, 250}} {
		c := s.Counts(sub.Home, start.Add(tt.after))
		if c.Taken < tt.taken*0.99 || c.Taken > tt.taken*1.01 || !c.Last.Equal(start) {
			t.Errorf("after %v %v are left, want %v; last seen %v", tt.after, c.Taken, tt.taken, c.Last)
		}
	}
	s.Note(&sub, &Event{Visit: true}, start.Add(-time.Hour)) // a clock that stepped back
	if c := s.Counts(sub.Home, start); c.Visits != 2 || c.Taken != 1000 {
		t.Errorf("%+v", c)
	}
}

// TestServersAreBounded: a flood of strangers makes no server forgotten that is known.
func TestServersAreBounded(t *testing.T) {
	s := NewServers(Options{Settings: DefaultSettings(), Bytes: 64 * 200 * cellCost, Secret: secret}, start)
	var known []Subject
	for i := range 300 {
		sub := s.Subject(netip.AddrFrom4([4]byte{192, 0, byte(i), 7}), fmt.Sprintf("d%d.example", i))
		(&life{30, 3, mail(2)}).live(s, &sub, start)
		known = append(known, sub)
	}
	now := start.Add(30 * day)
	for i := range 50_000 {
		sub := s.Subject(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "")
		s.Note(&sub, &Event{Visit: true, Deferred: true}, now)
	}
	st := s.Stats(now)
	if st.Keys > st.Room || st.Evicted == 0 {
		t.Errorf("%+v", st)
	}
	for i := range known {
		for _, k := range []Key{known[i].Home, known[i].Operator} {
			if c := s.Counts(k, now); !c.Known() || k.Kind() == Operator && s.Name(k) == "" {
				t.Fatalf("%v of %d is forgotten: %+v", k, i, c)
			}
		}
	}
	names := 0
	for i := range s.shards {
		names += len(s.shards[i].names)
	}
	if names != len(known) {
		t.Errorf("%d names, want %d", names, len(known))
	}
}

// TestServersAreWhatAMapIs: with room enough, what is found is what was noted, in any
// order, and what was forgotten is gone.
func TestServersAreWhatAMapIs(t *testing.T) {
	s := newServers(start)
	want := map[Key]float64{}
	for range 30_000 {
		sub := s.Subject(netip.AddrFrom4([4]byte{192, 0, byte(rand.IntN(20)), byte(rand.IntN(250))}), fmt.Sprintf("d%d.example", rand.IntN(300)))
		if rand.IntN(10) == 0 {
			if n := s.Forget(sub.Home); (n == 1) != (want[sub.Home] > 0) {
				t.Fatalf("%d forgotten, and there were %v", n, want[sub.Home])
			}
			delete(want, sub.Home)
			continue
		}
		s.Note(&sub, &Event{Visit: true}, start)
		for _, k := range sub.keys() {
			want[k]++
		}
	}
	if got := s.Stats(start).Keys; got != len(want) {
		t.Errorf("%d keys, want %d", got, len(want))
	}
	for k, n := range want {
		if c := s.Counts(k, start); c.Visits != n || c.Key != k {
			t.Fatalf("%v: %+v, want %v visits", k, c, n)
		}
	}
}

// reread is what is left of s after a restart.
func reread(t *testing.T, s *Servers, now time.Time) *Servers {
	t.Helper()
	next := newServers(now)
	for record := range s.ExportAll() {
		for range 2 {
			if err := next.Import(record, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	return next
}

// equal holds that two know the same.
func equal(t *testing.T, a, b *Servers, now time.Time) {
	t.Helper()
	if x, y := a.Stats(now), b.Stats(now); x.Keys != y.Keys || !x.Began.Equal(y.Began) {
		t.Errorf("%+v and %+v", x, y)
	}
	for i := range a.shards {
		for _, c := range a.shards[i].cells {
			if c.kind != 0 {
				if x, y := a.Counts(c.key(), now), b.Counts(c.key(), now); x != y {
					t.Fatalf("%+v\nand %+v", x, y)
				}
			}
		}
	}
}

func TestServersOutliveTheProcess(t *testing.T) {
	s := newServers(start)
	var journal [][]byte
	for i := range 20_000 {
		sub := s.Subject(netip.AddrFrom4([4]byte{192, 0, byte(rand.IntN(50)), byte(rand.IntN(250))}), fmt.Sprintf("d%d.example", rand.IntN(300)))
		if rand.IntN(20) == 0 {
			s.Forget(sub.Home, sub.Net)
		} else {
			s.Note(&sub, &Event{Visit: true, Taken: rand.IntN(3), Unknown: rand.IntN(2), Helo: fmt.Sprint(i), From: "x.example"}, start.Add(time.Duration(i)*time.Minute))
		}
		if rand.IntN(1000) == 0 {
			if b := s.ExportChanged(nil); b != nil {
				journal = append(journal, b)
			}
		}
	}
	now := start.Add(20 * day)
	journal = append(journal, s.ExportChanged(nil))
	if b := s.ExportChanged(nil); len(b) > 0 {
		t.Errorf("%d bytes have changed again", len(b))
	}
	replayed := newServers(now)
	for _, b := range journal {
		if err := replayed.Import(b, now); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, s, replayed, now)
	equal(t, s, reread(t, s, now), now)
}

// TestForeignRecords: of a record that is not ours nothing is taken, and it is said.
func TestForeignRecords(t *testing.T) {
	s := newServers(start)
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "good.example")
	s.Note(&sub, &Event{Visit: true, Taken: 1}, start)
	record := s.ExportChanged(nil)
	for i := range record {
		next := newServers(start)
		if err := next.Import(record[:i], start); err == nil && i != recordHead && next.Stats(start).Keys == 3 {
			t.Errorf("cut at %d of %d: no error", i, len(record))
		}
	}
	other := slices.Clone(record)
	other[0]++
	if err := newServers(start).Import(other, start); err != ErrVersion {
		t.Errorf("another version: %v", err)
	}
}

func FuzzServersImport(f *testing.F) {
	s := newServers(start)
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "good.example")
	s.Note(&sub, &Event{Visit: true, Taken: 1, Helo: "x.example"}, start)
	f.Add(s.ExportChanged(nil))
	s.Forget(sub.Home)
	f.Add(s.ExportChanged(nil))
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		s := newServers(start)
		if s.Import(record, start) != nil {
			if s.Stats(start).Keys > 0 {
				t.Error("something was taken of a record with an error")
			}
			return
		}
		equal(t, s, reread(t, s, start), start)
	})
}

func TestTop(t *testing.T) {
	s := newServers(start)
	for i := range 50 {
		sub := s.Subject(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), fmt.Sprintf("d%d.example", i))
		s.Note(&sub, &Event{Visit: true, Unknown: i}, start)
	}
	six := s.Subject(netip.MustParseAddr("2001:db8::1"), "")
	s.Note(&six, &Event{Unknown: 1000}, start)
	by, ok := Ranking("unknown")
	if !ok {
		t.Fatal("no such ranking")
	}
	top := s.Top(Address, by, 3, start)
	if len(top) != 3 || top[0].Key.Prefix().String() != "2001:db8::/64" || top[1].Key.Prefix().String() != "192.0.2.49/32" || top[2].Unknown != 48 {
		t.Errorf("%+v", top)
	}
	if top = s.Top(Operator, by, 1, start); top[0].Name != "d49.example" {
		t.Errorf("%+v", top)
	}
	if n := len(s.Top(Operator, by, 1000, start)); n != 49 {
		t.Errorf("%d operators, want those that have any", n)
	}
}

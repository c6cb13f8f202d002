package hijack

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A shown is one mail that a naive watcher keeps for ever.
type shown struct {
	at      time.Time
	network string
	sender  string
	country string
	unknown int
	taken   int
}

// naive counts what lies within d before now. What a Watch counts lies between two thirds of
// its window and the whole.
func naive(all []shown, now time.Time, d time.Duration) (networks, senders, countries, unknown, taken int) {
	var n, s, c = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, o := range all {
		if now.Sub(o.at) < d {
			n[o.network], s[o.sender], c[o.country] = true, true, true
			unknown += o.unknown
			taken += o.taken
		}
	}
	return len(n), len(s), len(c), unknown, taken
}

// TestNeverMoreThanThereWas: by random mails at random times, sums lie between those of
// two thirds of the window and of the whole, and no number of things is above the true one.
func TestNeverMoreThanThereWas(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		o := DefaultSettings()
		o.Window = time.Duration(1+rng.IntN(24)) * time.Hour
		w := New(Options{Settings: o, Secret: Secret{byte(seed)}}, monday)
		key, now := w.Account("jo"), monday
		var all []shown
		for range 400 {
			now = now.Add(time.Duration(rng.ExpFloat64() * float64(o.Window) / 30)).Truncate(time.Second)
			i := rng.IntN(30)
			e := Evidence{Client: v4(byte(11+i), byte(i), byte(rng.IntN(256)), 1), Country: fmt.Sprint(i % 5), Sender: fmt.Sprintf("a@%d.example", rng.IntN(30)), Unknown: rng.IntN(3)}
			taken := rng.IntN(4)
			all = append(all, shown{now, fmt.Sprint(i), e.Sender, e.Country, e.Unknown, taken})
			w.Note(key, &e, now)
			w.Sent(key, taken, now)
			s := w.Look(key, new(Evidence), now)
			networks, senders, countries, unknown, sent := naive(all, now, o.Window)
			_, _, _, atLeast, sentAtLeast := naive(all, now, o.Window*(parts-1)/parts)
			if int(s.things[networkHabit]) > networks || int(s.things[senderHabit]) > senders || int(s.things[countryHabit]) > countries {
				t.Fatalf("seed %d: %v, and there were %d networks, %d countries, %d senders", seed, s.things, networks, countries, senders)
			}
			if s.unseen > unknown || s.unseen < atLeast || s.taken > sent || s.taken < sentAtLeast {
				t.Fatalf("seed %d: %d unknown of %d to %d, %d taken of %d to %d", seed, s.unseen, atLeast, unknown, s.taken, sentAtLeast, sent)
			}
		}
	}
}

// TestFewThingsAreCountedWell: marks share bits, but not so many that a thief would pass.
func TestFewThingsAreCountedWell(t *testing.T) {
	sum := 0
	for seed := range 500 {
		w := New(Options{Settings: DefaultSettings(), Secret: Secret{byte(seed), byte(seed >> 8)}}, monday)
		var s Suspicion
		for i := range 12 {
			e := bot(i)
			s = w.Note(w.Account("jo"), &e, monday)
		}
		sum += int(s.things[networkHabit])
	}
	if mean := float64(sum) / 500; mean < 10.5 || mean > 12 {
		t.Errorf("12 networks are %.1f in the mean", mean)
	}
}

// TestMoreEvidenceIsNeverLess: showing more at one moment takes no sign away, and what
// is not shown is none.
func TestMoreEvidenceIsNeverLess(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		w := New(Options{Settings: DefaultSettings(), Secret: Secret{1}}, monday.Add(-day*30))
		key := w.Account("jo")
		w.Note(key, new(Evidence), monday)
		now := monday.Add(time.Duration(rng.IntN(20)) * day)
		w.Sent(key, rng.IntN(50), now)
		for i := range 20 {
			less := bot(i)
			less.Sender = fmt.Sprintf("a@%d.example", i)
			more := less
			more.Listed, more.Unknown, more.Pending = rng.IntN(2) == 0, rng.IntN(3), rng.IntN(200)
			a, b := w.Look(key, &less, now), w.Look(key, &more, now)
			if more.Unknown > 0 || more.Pending == 0 { // the share of unknown ones falls with those that are known
				if b.Score < a.Score {
					t.Fatalf("less by more: %s, then %s", a.Detail(), b.Detail())
				}
			}
			s := w.Note(key, &less, now)
			if _, is := s.Points(Listed); is {
				t.Fatal("listed, and nobody said so")
			}
		}
	}
}

// TestTwoSignsAtLeast: whatever one sign says, by default nobody is over by it alone, and
// where somebody is counts once.
func TestTwoSignsAtLeast(t *testing.T) {
	o := DefaultSettings()
	for sign := range Signs {
		if o.Points[sign] >= o.Threshold {
			t.Errorf("%s alone is over the threshold", sign)
		}
	}
	var s Suspicion
	w := New(Options{Settings: o}, monday.Add(-30*day))
	key := w.Account("jo")
	for i := range 300 {
		e := bot(i)
		s = w.Note(key, &e, monday)
	}
	if _, n := s.Points(Networks); !n || s.Score != 5 || s.Over {
		t.Errorf("all of the world, and nothing else: %g by %s", s.Score, s.Signs())
	}
}

// TestClocksThatStep: back, nobody gets younger, and what the future said is of now; far
// forward and back, all goes on.
func TestClocksThatStep(t *testing.T) {
	w := New(Options{Settings: DefaultSettings()}, monday.Add(-30*day))
	key := w.Account("jo")
	note := func(i int, now time.Time) Suspicion { e := bot(i); return w.Note(key, &e, now) }
	note(1, monday)
	note(2, monday.Add(-30*time.Minute)) // a small step: no part begins anew
	if s := note(3, monday); s.things[networkHabit] != 3 {
		t.Errorf("%d networks after a step of half an hour", s.things[networkHabit])
	}
	note(4, monday.Add(3000*day))
	for i := range 40 {
		note(5+i, monday.Add(time.Duration(i)*day))
	}
	s := note(5, monday.Add(40*day))
	if n := s.things[networkHabit]; n > 3 {
		t.Errorf("%d networks in one window: what was noted by a wrong clock stays", n)
	}
	if !s.Known || w.Stats(monday.Add(40*day)).Accounts != 1 {
		t.Errorf("%+v", s)
	}
	note(1, time.Time{})
	note(1, time.Unix(math.MaxUint32+5, 0))
	note(1, monday)
}

// TestWhatSaysNothingIsNotNoted: our own, private and broken addresses, and nobody's mail.
func TestWhatSaysNothingIsNotNoted(t *testing.T) {
	w := New(Options{Settings: DefaultSettings()}, monday)
	for _, addr := range []string{"10.1.2.3", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "fe80::1", "100.64.3.4", "0.0.0.0", "224.0.0.1", "::ffff:10.0.0.1"} {
		if m := w.networkMark(netip.MustParseAddr(addr), 4711); m != 0 {
			t.Errorf("%s has a mark", addr)
		}
	}
	if w.networkMark(netip.Addr{}, 0) != 0 || w.networkMark(netip.MustParseAddr("::ffff:192.0.2.1"), 0) != w.networkMark(v4(192, 0, 99, 1), 0) {
		t.Error("marks of the zero Addr, or of mapped ones")
	}
	e := Evidence{Client: v4(10, 1, 1, 1), Country: "DE"}
	if s := w.Note(w.Account("jo"), &e, monday); s.things != ([habits]uint8{}) {
		t.Errorf("%v", s.things)
	}
	e = bot(1)
	if s := w.Note(w.Account(""), &e, monday); s.Any() || w.Stats(monday).Accounts != 1 {
		t.Errorf("of nobody: %+v", s)
	}
	w.Sent(0, 5, monday)
	w.Sent(w.Account("jo"), -1, monday)
	if s := w.Look(0, &e, monday); s.Any() {
		t.Error("of nobody there is something")
	}
}

// TestHugeNumbersStay: nothing overflows.
func TestHugeNumbersStay(t *testing.T) {
	w := New(Options{Settings: DefaultSettings()}, monday.Add(-30*day))
	key := w.Account("jo")
	for i := range 60 {
		e := Evidence{Unknown: math.MaxInt32, Pending: math.MaxInt32}
		now := monday.Add(time.Duration(i) * day / 4)
		w.Note(key, &e, now)
		for range 5 {
			w.Sent(key, math.MaxInt, now)
		}
		s := w.Look(key, new(Evidence), now)
		mean, spread := s.habit.norm(s.days)
		if s.unseen < 0 || s.taken < 0 || math.IsNaN(mean+spread) || math.IsInf(mean+spread, 0) {
			t.Fatalf("%+v", s)
		}
	}
}

// TestTheLongestUnseenGoes when there is no more room, and nobody else.
func TestTheLongestUnseenGoes(t *testing.T) {
	const room = 40 * shards
	w := New(Options{Settings: DefaultSettings(), Bytes: room * cellCost}, monday)
	if st := w.Stats(monday); st.Room != room {
		t.Fatalf("room for %d", st.Room)
	}
	e := home()
	busy := func(now time.Time) {
		for i := range room / 8 {
			w.Note(w.Account(fmt.Sprint("busy", i)), &e, now)
		}
	}
	now := monday
	for i := range room * 10 {
		if i%room == 0 {
			busy(now)
		}
		now = now.Add(time.Second)
		w.Note(w.Account(fmt.Sprint("passing", i)), &e, now)
	}
	busy(now)
	st := w.Stats(now)
	if st.Accounts > room || st.Evicted < room*8 {
		t.Errorf("%+v", st)
	}
	lost := 0
	for i := range room / 8 {
		if !w.Known(w.Account(fmt.Sprint("busy", i))) {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d busy accounts are forgotten", lost, room/8)
	}
	for i := range w.shards { // each key is where it is looked for
		sh := &w.shards[i]
		n := 0
		for j := range sh.cells {
			if sh.tags[j] != 0 {
				n++
				if sh.at(Key(sh.cells[j].id)) != j {
					t.Fatalf("shard %d: the key at %d is not found there", i, j)
				}
			}
		}
		if n != sh.used {
			t.Fatalf("shard %d: %d of %d", i, n, sh.used)
		}
	}
}

// TestManyAtOnce is for the race detector: all that there is, at the same time.
func TestManyAtOnce(t *testing.T) {
	w := New(Options{Settings: DefaultSettings(), Track: true, Bytes: 200 * shards * cellCost}, monday)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 3000 {
				key := w.Account(fmt.Sprint(i % 300))
				e := bot(i*7 + g)
				w.Note(key, &e, monday.Add(10*day))
				w.Sent(key, 3, monday.Add(10*day))
				switch i % 500 {
				case 1:
					if g == 0 { // it is one goroutine's
						w.ExportChanged(nil)
					}
				case 2:
					for range w.ExportAll() {
					}
				case 3:
					w.Stats(monday)
					w.Set(DefaultSettings())
				case 4:
					w.Release(w.Account("none"), monday)
				}
			}
		})
	}
	all.Wait()
	if n := w.Stats(monday).Accounts; n != 300 {
		t.Errorf("%d accounts", n)
	}
}

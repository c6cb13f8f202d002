package ratelimit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func importAll(t testing.TB, table *Table, data []byte, now time.Time) {
	t.Helper()
	for len(data) > 0 {
		f, rest, err := NextFrame(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Import(f, now); err != nil {
			t.Fatal(err)
		}
		data = rest
	}
}

func snapshot(table *Table, now time.Time) []byte {
	var all []byte
	for frame := range table.ExportAll(now) {
		all = append(all, frame...)
	}
	return all
}

// TestRestarts is the promise over restarts: after a clean one nothing is lost,
// after a crash no more than what ended since the last export.
func TestRestarts(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			w := newWorld(t, rnd, Options{Track: true})
			var kept []byte
			ended := 0 // when kept was written
			for range 600 {
				w.step(rnd)
				switch rnd.IntN(60) {
				case 0, 1, 2:
					kept, ended = w.table.ExportChanged(kept, w.now), w.ended()
				case 3:
					kept, ended = snapshot(w.table, w.now), w.ended()
					w.table.ExportChanged(nil, w.now)
				case 4: // a clean stop
					for len(w.open) > 0 {
						w.settle(rnd, Keep)
					}
					kept = w.table.ExportChanged(kept, w.now)
					w.restart(t, rnd, kept)
					ended = w.ended()
				case 5: // a crash
					w.extra += w.ended() - ended
					w.restart(t, rnd, kept)
					ended = w.ended()
				}
			}
		})
	}
}

// ended counts all that was ever committed.
func (w *world) ended() (n int) {
	for _, m := range w.keys {
		n += len(m.ends)
	}
	return n
}

// restart goes on with a new Table, without the reservations of the old.
func (w *world) restart(t *testing.T, rnd *rand.Rand, kept []byte) {
	w.now = w.now.Add(time.Duration(rnd.Int64N(int64(w.window))))
	w.table = NewTable(Options{Track: true}, w.now)
	importAll(t, w.table, kept, w.now)
	w.open = nil
	for i := range w.keys {
		w.keys[i].pending = 0
	}
}

// TestRestartsWithAnotherClock: what was counted neither vanishes nor counts for
// longer than a window and a sub-bucket, however the wall clock stepped back.
func TestRestartsWithAnotherClock(t *testing.T) {
	for _, window := range []time.Duration{time.Second, time.Hour, 24 * time.Hour, MaxWindow} {
		for _, back := range []time.Duration{time.Millisecond, time.Second, window / 50, window / 2, window, 10 * window, 400_000 * time.Hour} {
			for _, inside := range []bool{false, true} { // the clock steps while the process lives, or while it is down
				old := NewTable(Options{Track: true}, noon)
				c := charge(7, 3, 3, window)
				old.Settle(context.Background(), c, Keep, noon)
				exported := noon
				if inside {
					exported = noon.Add(-back)
				}
				kept := old.ExportChanged(nil, exported)

				now := noon.Add(-back)
				table := NewTable(Options{}, now)
				importAll(t, table, kept, now)
				one := charge(7, 3, 1, window)
				if almost := now.Add(window - time.Second); window > 2*time.Second && table.Look(one, almost) {
					t.Errorf("window %v, %v back: given anew", window, back)
				}
				if !table.Look(one, now.Add(window+window/subs)) {
					t.Errorf("window %v, %v back: shut out for longer than a window", window, back)
				}
			}
		}
	}
}

// TestTheClockIsPutRightBetween: it was behind when the process began, was put
// right meanwhile, and the process is restarted.
func TestTheClockIsPutRightBetween(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		behind := time.Duration(rnd.Int64N(int64(100*time.Hour)))/time.Millisecond*time.Millisecond + 2*time.Second
		begin := noon.Add(-behind)
		old := NewTable(Options{Track: true}, begin)
		sent := time.Duration(rnd.IntN(3_000_000)) * time.Millisecond
		old.Settle(context.Background(), charge(7, 3, 3, time.Hour), Keep, begin.Add(sent))
		// The monotonic clock does not see the step; here it is put in by hand.
		old.clock.shift.Store(-behind.Milliseconds())
		kept := old.ExportChanged(nil, noon.Add(sent+time.Minute))

		now := noon.Add(sent + 2*time.Minute)
		table := NewTable(Options{}, now)
		importAll(t, table, kept, now)
		if table.Look(charge(7, 3, 1, time.Hour), noon.Add(sent+time.Hour-time.Millisecond)) {
			t.Fatalf("behind by %v: what was sent at %v is forgotten before its hour is over", behind, sent)
		}
		if !table.Look(charge(7, 3, 1, time.Hour), noon.Add(sent+time.Hour+2*time.Hour/subs)) {
			t.Fatalf("behind by %v: what was sent at %v counts for more than an hour and two sub-buckets", behind, sent)
		}
	}
}

func TestASnapshotHoldsWhatTheTableHolds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 6))
	table := NewTable(Options{}, noon)
	now := noon
	all := make([]Charge, 500)
	for i := range all { // counts of all sizes
		all[i] = charge(rnd.Uint64(), 1<<31, 1+uint32(rnd.Uint64()>>(33+rnd.IntN(31))), time.Hour<<(i%8))[0]
	}
	for range 20_000 {
		now = now.Add(time.Duration(rnd.IntN(20)) * time.Second)
		i := rnd.IntN(len(all))
		table.Settle(context.Background(), all[i:i+1], Keep, now)
	}
	other := NewTable(Options{}, now)
	importAll(t, other, snapshot(table, now), now)
	for _, later := range []time.Duration{0, 10 * time.Minute, 3 * time.Hour, 50 * time.Hour, 140 * time.Hour} {
		for _, c := range all {
			a, b := []Charge{c}, []Charge{c}
			table.Look(a, now.Add(later))
			other.Look(b, now.Add(later))
			if a[0] != b[0] {
				t.Fatalf("%v later: %+v, and after import %+v", later, a[0], b[0])
			}
		}
	}
}

// TestAWalkSeesCellsThatMove: a snapshot taken while cells go and others move up
// has all that were there throughout.
func TestAWalkSeesCellsThatMove(t *testing.T) {
	table := NewTable(Options{}, noon)
	s := &table.shards[0]
	const n = 2 * exportSteps // all with the same home: one row
	for i := range uint64(n) {
		window := time.Hour
		if i < n/2 {
			window = time.Second
		}
		table.Settle(context.Background(), charge(i<<32, 10, 1, window), Keep, noon)
	}
	now := noon.Add(time.Minute)
	w := walk{shard: s, steps: exportSteps}
	seen := map[uint64]bool{}
	for more := true; more; {
		more = table.walk(&w, now)
		readCounters(w.body, func(_ epoch, id uint64, _ int64, _ *ring) { seen[id] = true })
		for range 300 {
			s.sweep(table.clock.see(now))
		}
	}
	if s.stats.Empty == 0 {
		t.Error("no cell went")
	}
	for i := range s.cells {
		if c := &s.cells[i]; !c.free() && c.window() == 3600 && !seen[c.id] {
			t.Fatalf("counter %x is not in the snapshot", c.id)
		}
	}
}

func TestNextFrame(t *testing.T) {
	frame := appendFrame(nil, FrameCounters, []byte("body"))
	changed := func(i int) []byte {
		b := bytes.Clone(frame)
		b[i] ^= 0x40
		return b
	}
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"a whole one", frame, nil},
		{"one and the start of another", append(bytes.Clone(frame), 'C'), nil},
		{"nothing", nil, ErrShort},
		{"a torn tail", frame[:len(frame)-1], ErrShort},
		{"another version", changed(1), ErrVersion},
		{"a flipped bit in the kind", changed(0), ErrDamaged},
		{"a flipped bit in the body", changed(4), ErrDamaged},
		{"a flipped bit in the sum", changed(len(frame) - 1), ErrDamaged},
		{"a length beyond all measure", []byte{'C', frameVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, ErrDamaged},
	}
	for _, test := range tests {
		if _, _, err := NextFrame(test.data); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	table, accounts := NewTable(Options{}, noon), NewAccounts(AccountOptions{}, secret, noon)
	if _, err := table.Import(Frame{Kind: FrameAccounts}, noon); !errors.Is(err, ErrKind) {
		t.Errorf("accounts for a table: %v", err)
	}
	if _, err := accounts.Import(Frame{Kind: FrameCounters}, noon); !errors.Is(err, ErrKind) {
		t.Errorf("counters for accounts: %v", err)
	}
}

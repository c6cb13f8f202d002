package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A model is the naive, exact limit: it keeps every event.
type model struct {
	ends    []time.Time // of what was committed, one for each unit
	pending int
}

// within counts the units that ended in (from, now].
func (m *model) within(from time.Time) (n int) {
	for i := len(m.ends) - 1; i >= 0 && m.ends[i].After(from); i-- {
		n++
	}
	return n
}

func (m *model) commit(n int, now time.Time) {
	m.pending -= n
	for range n {
		m.ends = append(m.ends, now)
	}
}

// A held reservation of the model's test.
type held struct {
	key    int
	amount uint32
}

// A world is a Table beside a model for each of its keys.
type world struct {
	t      *testing.T
	table  *Table
	window time.Duration
	max    uint32
	now    time.Time
	back   time.Duration // how far the wall clock is behind now
	keys   []model
	open   []held
	extra  int           // what crashes may have lost
	lag    time.Duration // how long the clock's small steps may have held time still
}

func newWorld(t *testing.T, rnd *rand.Rand, o Options) *world {
	windows := []time.Duration{time.Second, 7 * time.Second, time.Minute, time.Hour, 24 * time.Hour, MaxWindow}
	maxes := []uint32{1, 2, 5, 20, 130, 400}
	w := &world{t: t, window: windows[rnd.IntN(len(windows))], max: maxes[rnd.IntN(len(maxes))], now: noon, keys: make([]model, 1+rnd.IntN(3))}
	w.table = NewTable(o, w.now)
	return w
}

// wall is what the wall clock shows.
func (w *world) wall() time.Time { return w.now.Add(-w.back) }

// id spreads the keys of a world, two of them in one shard.
func (w *world) id(key int) uint64 { return uint64(key)<<40 | uint64(key/2)<<7 | 5 }

func (w *world) charge(key int, amount uint32) []Charge {
	return charge(w.id(key), w.max, amount, w.window)
}

// take tries one reservation, and holds the answer against the model.
func (w *world) take(key int, amount uint32) {
	c := w.charge(key, amount)
	ok, _ := w.table.Take(context.Background(), c, w.wall())
	m := &w.keys[key]
	if ok {
		m.pending += int(amount)
		w.open = append(w.open, held{key, amount})
		w.safe(key)
		return
	}
	// Refused: even what ended up to a sub-bucket before the window fills it.
	late := w.now.Add(-w.window - w.window/subs - w.lag)
	if m.within(late)+m.pending+int(amount) <= int(w.max) {
		w.t.Fatalf("refused %d at %v: %d in the window and a sub-bucket, %d pending, max %d, window %v",
			amount, w.now, m.within(late), m.pending, w.max, w.window)
	}
}

// safe checks that a key holds no more than its maximum.
func (w *world) safe(key int) {
	m := &w.keys[key]
	if n := m.within(w.now.Add(-w.window)) + m.pending; n > int(w.max)+w.extra {
		w.t.Fatalf("at %v %d are in the window of %v or pending, max is %d", w.now, n, w.window, w.max)
	}
}

// settle ends one of the reservations.
func (w *world) settle(rnd *rand.Rand, outcome Outcome) {
	if len(w.open) == 0 {
		return
	}
	i := rnd.IntN(len(w.open))
	h := w.open[i]
	w.open = append(w.open[:i], w.open[i+1:]...)
	w.table.Settle(context.Background(), w.charge(h.key, h.amount), outcome, w.wall())
	m := &w.keys[h.key]
	if outcome == Keep {
		m.commit(int(h.amount), w.now)
	} else {
		m.pending -= int(h.amount)
	}
	w.safe(h.key)
}

// step does something at random.
func (w *world) step(rnd *rand.Rand) {
	switch rnd.IntN(10) {
	case 0, 1, 2, 3:
		w.take(rnd.IntN(len(w.keys)), 1)
	case 4:
		w.take(rnd.IntN(len(w.keys)), 1+rnd.Uint32N(w.max+1))
	case 5, 6, 7:
		w.settle(rnd, Keep)
	case 8:
		w.settle(rnd, GiveBack)
	case 9:
		scale := []time.Duration{time.Microsecond, w.window / 1000, w.window / 25, w.window / 5, w.window, 3 * w.window}
		w.now = w.now.Add(time.Duration(rnd.Int64N(int64(scale[rnd.IntN(len(scale))])) + 1))
	}
}

// TestNeverMoreThanTheMaximumNorLaterThanASubBucket is the promise, against the model.
func TestNeverMoreThanTheMaximumNorLaterThanASubBucket(t *testing.T) {
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, rnd, Options{})
			for range 800 {
				w.step(rnd)
			}
		})
	}
}

// TestAgainIsTrue comes again when a refusal said so, and not a millisecond before.
func TestAgainIsTrue(t *testing.T) {
	told := 0
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(t, rnd, Options{})
		for range 300 {
			w.step(rnd)
		}
		for len(w.open) > 0 {
			w.settle(rnd, Keep)
		}
		c := w.charge(0, 1+rnd.Uint32N(w.max))
		if w.table.Look(c, w.now) {
			continue
		}
		told++
		before := w.now.Add(c[0].Wait - time.Millisecond)
		if again := append([]Charge(nil), c...); w.table.Look(again, before) {
			t.Errorf("seed %d: told to wait %v, but there is room a millisecond before", seed, c[0].Wait)
		}
		if again := append([]Charge(nil), c...); !w.table.Look(again, w.now.Add(c[0].Wait)) {
			t.Errorf("seed %d: told to wait %v, and refused then", seed, c[0].Wait)
		}
	}
	if told < 50 {
		t.Errorf("only %d refusals were looked at", told)
	}
}

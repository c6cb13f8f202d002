package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTheWallClockMayStepBack is the promise while the wall clock steps back by
// years, hours or less than a second, at any time.
func TestTheWallClockMayStepBack(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 4))
			w := newWorld(t, rnd, Options{})
			for range 600 {
				w.step(rnd)
				if rnd.IntN(30) == 0 {
					w.stepBack(rnd)
				}
			}
		})
	}
}

func (w *world) stepBack(rnd *rand.Rand) {
	w.table.Look(nil, w.wall())
	steps := []time.Duration{time.Second, time.Minute, w.window, 9000 * time.Hour}
	step := time.Duration(rnd.Int64N(int64(steps[rnd.IntN(len(steps))])))
	w.back += step
	if step <= stepTolerance*time.Millisecond {
		w.lag += step
	}
	w.table.Look(nil, w.wall()) // else the time until something happens would be lost
}

func TestClock(t *testing.T) {
	second := int64(1000)
	begin := noon.UnixMilli()
	tests := []struct {
		name string
		seen []time.Duration // from noon on, by the wall clock
		want int64           // milliseconds after noon at the last
	}{
		{"time goes on", []time.Duration{time.Second, 2 * time.Second}, 2 * second},
		{"a time from before the start is the start", []time.Duration{-time.Millisecond}, 0},
		{"times are cut to the millisecond", []time.Duration{1999 * time.Microsecond}, 1},
		{"a little back stands still", []time.Duration{time.Second, 100 * time.Millisecond}, second},
		{"and goes on where it was", []time.Duration{time.Second, 100 * time.Millisecond, 1100 * time.Millisecond}, 1100},
		{"a step back is no step", []time.Duration{time.Hour, time.Minute, 2 * time.Minute}, (3600 + 60) * second},
		{"two steps back are none", []time.Duration{time.Hour, time.Minute, 0, time.Second}, (3600 + 1) * second},
		{"a step back by years is none", []time.Duration{time.Second, -90000 * time.Hour, -89999 * time.Hour}, 3601 * second},
	}
	for _, test := range tests {
		c := newClock(noon)
		var got int64
		for _, d := range test.seen {
			got = c.see(noon.Add(d))
		}
		if got -= begin; got != test.want {
			t.Errorf("%s: at %d ms, want %d", test.name, got, test.want)
		}
	}
}

// TestALateMonotonicTimeIsNoStep: a session may be held up between reading the
// clock and asking.
func TestALateMonotonicTimeIsNoStep(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	c.see(now.Add(time.Minute))
	c.see(now)
	if got := c.see(now.Add(2*time.Minute)) - c.begin; got != 120_000 {
		t.Errorf("after 2 min the clock has gone %d ms", got)
	}
}

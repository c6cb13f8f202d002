package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// stepTolerance is how far back, in milliseconds, a wall clock may go without
// being taken for stepped: sessions read it in one order and arrive in another.
const stepTolerance = 1000

// A clock is the Table's own time in milliseconds. It begins with the wall
// clock's and never goes back.
type clock struct {
	start time.Time // on a whole millisecond
	begin int64     // start, in Unix milliseconds
	last  atomic.Int64
	shift atomic.Int64 // what the steps back of the wall clock amount to
	mu    sync.Mutex   // for shift
}

func newClock(now time.Time) *clock {
	c := &clock{start: now.Add(-time.Duration(now.Nanosecond() % 1e6)), begin: now.UnixMilli()}
	c.last.Store(c.begin)
	return c
}

// see takes note of now, and gives the clock's time: that of now, or a later one
// that was seen already.
func (c *clock) see(now time.Time) int64 {
	for {
		t, last := c.raw(now)+c.shift.Load(), c.last.Load()
		switch {
		case t == last:
			return t
		case t > last:
			if c.last.CompareAndSwap(last, t) {
				return t
			}
		case last-t <= stepTolerance || c.steady(now):
			return last
		default:
			c.step(now)
		}
	}
}

// raw is by the monotonic reading where both have one, else by the wall clock.
func (c *clock) raw(now time.Time) int64 {
	d := now.Sub(c.start)
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond < 0 {
		ms-- // down, also before the start
	}
	return c.begin + ms
}

// steady reports whether now is of the monotonic clock: then it is merely late.
func (c *clock) steady(now time.Time) bool {
	return now != now.Round(0) && c.start != c.start.Round(0) // Round strips the reading
}

// step lets time go on from the last one seen.
func (c *clock) step(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if back := c.last.Load() - c.raw(now) - c.shift.Load(); back > stepTolerance {
		c.shift.Add(back)
	}
}

// ahead is how far the wall clock is ahead of this one, in milliseconds. Both are
// taken from now, however late it is. What is below the tolerance is noise.
func (c *clock) ahead(now time.Time) int64 {
	c.see(now)
	d := now.UnixMilli() - c.raw(now) - c.shift.Load()
	if d >= -stepTolerance && d <= stepTolerance {
		return 0
	}
	return d
}

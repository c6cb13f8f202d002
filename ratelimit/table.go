package ratelimit

import (
	"context"
	"math/bits"
	"time"
)

// DefaultKeys is how many counters a Table has room for unless told otherwise:
// three limits on each of more than a million accounts.
const DefaultKeys = 4_000_000

// Options are those of a Table. The zero Options are good.
type Options struct {
	// Keys is how many counters are kept, 0 for DefaultKeys. One takes 40 to 50
	// bytes, and 32 more where mail came in more than 16 of its sub-buckets, or
	// more than 15 in one.
	Keys int

	// Track keeps a list of counters that changed, for ExportChanged.
	Track bool
}

// Stats are of a Table since it was made, but for Keys and Room.
type Stats struct {
	Keys       int    // counters that are kept now
	Room       int    // for counters
	Empty      uint64 // counters dropped because they held nothing any more
	Evicted    uint64 // counters that still held something, dropped because the table was full
	EvictedMax uint64 // of those, the ones that were at their limit: their allowance came back too early
}

// A Table counts in memory. It is a Store, safe for concurrent use. No error
// ever comes of it.
type Table struct {
	clock  *clock
	shards [shards]shard
}

// NewTable returns an empty Table. now is the time, see the package comment on clocks.
func NewTable(o Options, now time.Time) *Table {
	if o.Keys <= 0 {
		o.Keys = DefaultKeys
	}
	t := &Table{clock: newClock(now)}
	m := newScatter()
	for i := range t.shards {
		t.shards[i].scatter = m
		t.shards[i].limit = max(o.Keys/shards, 1)
		t.shards[i].track = o.Track
	}
	return t
}

func (t *Table) shard(id uint64) *shard { return &t.shards[id%shards] }

// lock takes the locks of all shards that the charges are in, always in the
// same order, and gives their set.
func (t *Table) lock(charges []Charge) uint64 {
	var set uint64
	for i := range charges {
		set |= 1 << (charges[i].ID % shards)
	}
	for m := set; m != 0; m &= m - 1 {
		t.shards[bits.TrailingZeros64(m)].mu.Lock()
	}
	return set
}

func (t *Table) unlock(set uint64) {
	for m := set; m != 0; m &= m - 1 {
		t.shards[bits.TrailingZeros64(m)].mu.Unlock()
	}
}

// Take implements Store.
func (t *Table) Take(_ context.Context, charges []Charge, now time.Time) (bool, error) {
	return t.take(charges, now, true), nil
}

// Look sets Over, Used and Wait as Take would, and reserves nothing.
func (t *Table) Look(charges []Charge, now time.Time) bool { return t.take(charges, now, false) }

func (t *Table) take(charges []Charge, now time.Time, reserve bool) bool {
	t.clock.see(now)
	set := t.lock(charges)
	defer t.unlock(set)
	// Read under the locks: nothing in these shards is of a later time.
	at := t.clock.last.Load()
	fits := true
	for i := range charges {
		if c := &charges[i]; !t.shard(c.ID).check(c, at) && !c.Report {
			fits = false
		}
	}
	if fits && reserve {
		t.reserve(charges, at)
	}
	return fits
}

// check sets Over, Used and Wait of a charge, and reports whether it fits.
func (s *shard) check(c *Charge, at int64) bool {
	c.Over, c.Used, c.Wait = uint64(c.Amount) > uint64(c.Max), 0, 0
	e := s.find(c.ID)
	if e == nil {
		return !c.Over
	}
	used := s.live(e, at) + uint64(e.pend)
	c.Used = saturated(used)
	if e.mode &^= atLimit; used+uint64(c.Amount) >= uint64(c.Max) {
		e.mode |= atLimit
	}
	if used+uint64(c.Amount) <= uint64(c.Max) {
		return true
	}
	if !c.Over { // otherwise it would not fit an empty counter either
		c.Wait = s.wait(e, at, used+uint64(c.Amount)-uint64(c.Max))
	}
	c.Over = true
	return false
}

// reserve adds to what is pending. First where counters are: those are then safe
// from having to make room for the others.
func (t *Table) reserve(charges []Charge, at int64) {
	for i := range charges {
		c := &charges[i]
		e := t.shard(c.ID).find(c.ID)
		if c.found = e != nil; c.found {
			e.pend = saturated(uint64(e.pend) + uint64(c.Amount))
		}
	}
	for i := range charges {
		if c := &charges[i]; !c.found {
			e := t.shard(c.ID).insert(c.ID, c.seconds(), at)
			if e.pend = c.Amount; c.Amount >= c.Max {
				e.mode |= atLimit
			}
		}
	}
}

// Settle implements Store. Charges that the Table knows nothing of are kept all
// the same, and cannot be given back: it never goes below nothing.
func (t *Table) Settle(_ context.Context, charges []Charge, outcome Outcome, now time.Time) error {
	t.clock.see(now)
	set := t.lock(charges)
	defer t.unlock(set)
	at := t.clock.last.Load()
	for i := range charges {
		t.shard(charges[i].ID).settle(&charges[i], outcome, at)
	}
	return nil
}

func (s *shard) settle(c *Charge, outcome Outcome, at int64) {
	e := s.find(c.ID)
	if e == nil {
		if outcome == GiveBack {
			return
		}
		e = s.insert(c.ID, c.seconds(), at)
	}
	e.pend -= min(e.pend, c.Amount)
	if outcome == GiveBack {
		e.mode &^= atLimit
		return
	}
	s.add(e, at, c.Amount)
	s.touch(e)
}

// Reset forgets what the counters hold. What is pending still counts.
func (t *Table) Reset(charges []Charge) {
	set := t.lock(charges)
	defer t.unlock(set)
	for i := range charges {
		s := t.shard(charges[i].ID)
		if e := s.find(charges[i].ID); e != nil {
			s.release(e)
			e.bits = 0
			e.mode &^= atLimit
			s.touch(e)
		}
	}
}

// Stats gives the counts of the Table.
func (t *Table) Stats() Stats {
	var sum Stats
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		sum.Keys += s.used
		sum.Room += s.limit
		sum.Empty += s.stats.Empty
		sum.Evicted += s.stats.Evicted
		sum.EvictedMax += s.stats.EvictedMax
		s.mu.Unlock()
	}
	return sum
}

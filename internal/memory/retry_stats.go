package memory

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// maxReasons is how many findings are told apart: the last is for all others.
const maxReasons = 64

// otherReasons is the name of those.
const otherReasons = "others"

// retryCounts are the figures of a Retries since it was made.
type retryCounts struct {
	Deferred, Returned, GaveUp, Forgotten uint64
	Longest                               time.Duration

	names []string // of findings, by bit
	asked [maxReasons]uint64
	came  [maxReasons]uint64
}

// A RetryStats tells what the tempfail has been worth since the start.
type RetryStats struct {
	Waiting int // mails that may come back; some may be too old to matter
	Callers int // who sent them
	Passed  int // callers who came back, and are remembered

	Deferred  uint64        // callers asked to come back; one that waits is asked once
	Returned  uint64        // of those, who did
	GaveUp    uint64        // who did not, in time
	Forgotten uint64        // who had to be forgotten for want of room
	Longest   time.Duration // the longest that one who came back has waited
	Reasons   []RetryReason // by finding, the most asked first
}

// A RetryReason is what a finding's tempfail is worth. A caller who was asked for two
// findings counts for both.
type RetryReason struct {
	Finding            string
	Deferred, Returned uint64
}

// Stats gives the figures.
func (r *Retries) Stats() RetryStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.stats
	s := RetryStats{
		Waiting: r.open - r.shadows, Callers: len(r.waiting) - r.shadowed, Passed: r.passed.Len() - r.addresses,
		Deferred: c.Deferred, Returned: c.Returned, GaveUp: c.GaveUp, Forgotten: c.Forgotten, Longest: c.Longest,
	}
	for i, name := range c.names {
		if c.asked[i]+c.came[i] > 0 {
			s.Reasons = append(s.Reasons, RetryReason{name, c.asked[i], c.came[i]})
		}
	}
	slices.SortStableFunc(s.Reasons, func(a, b RetryReason) int { return cmp.Compare(b.Deferred, a.Deferred) })
	return s
}

// mask gives the bits of findings.
func (c *retryCounts) mask(findings []string) (m uint64) {
	for _, id := range findings {
		m |= 1 << c.bit(id)
	}
	return m
}

func (c *retryCounts) bit(id string) int {
	i := slices.Index(c.names, id)
	switch {
	case i >= 0:
		return i
	case len(c.names) == maxReasons:
		return maxReasons - 1
	case len(c.names) == maxReasons-1:
		id = otherReasons
	}
	c.names = append(c.names, id)
	return len(c.names) - 1
}

func (c *retryCounts) deferred(why uint64) {
	c.Deferred++
	c.add(&c.asked, why)
}

// unsaid takes a deferral back that another record replaces.
func (c *retryCounts) unsaid(why uint64) {
	c.Deferred--
	for ; why != 0; why &= why - 1 {
		c.asked[bits.TrailingZeros64(why)]--
	}
}

func (c *retryCounts) returned(w *waiter, now time.Time) {
	c.Returned++
	c.Longest = max(c.Longest, now.Sub(w.since))
	c.add(&c.came, w.why)
}

func (c *retryCounts) add(to *[maxReasons]uint64, why uint64) {
	for ; why != 0; why &= why - 1 {
		to[bits.TrailingZeros64(why)]++
	}
}

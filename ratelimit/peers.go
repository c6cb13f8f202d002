package ratelimit

import (
	"slices"
	"sync"
	"time"
)

// Peers are what a machine knows of those it shares a store with. They are safe
// for concurrent use.
//
// What they say is the store's word of the last time that it answered, and holds
// while it is away: a machine that is not heard of then may well be counting.
type Peers struct {
	self    string
	mu      sync.RWMutex
	names   []string // with self, in order
	claims  map[uint64]Claim
	dropped uint64
}

// A Claim says that one machine uses so much of a counter that the parts of the
// others are its own too.
type Claim struct {
	By     string // name of the machine
	Others uint32 // what the other machines have used, at least
	Until  time.Time
}

// maxClaims bounds what is remembered of counters that are claimed.
const maxClaims = 1 << 18

// NewPeers returns the Peers of a machine that has heard of no other.
func NewPeers(self string) *Peers {
	return &Peers{self: self, names: []string{self}, claims: map[uint64]Claim{}}
}

// Self gives the machine's own name.
func (p *Peers) Self() string { return p.self }

// Set takes the names of all machines that share the store now, in any order;
// its own need not be among them.
func (p *Peers) Set(names []string) {
	all := append(slices.Clone(names), p.self)
	slices.Sort(all)
	all = slices.Compact(all)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = all
}

// Names gives the names of all machines, its own too, in order.
func (p *Peers) Names() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.names)
}

// Count gives how many machines there are, this one included, and how many of
// their names come before its own.
func (p *Peers) Count() (machines, before int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	before, _ = slices.BinarySearch(p.names, p.self)
	return len(p.names), before
}

// Claimed notes a claim, in place of any before on the same counter.
func (p *Peers) Claimed(id uint64, c Claim, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.claims[id]; !ok && len(p.claims) >= maxClaims {
		for other, old := range p.claims { // any that is over, else any
			if delete(p.claims, other); now.Before(old.Until) {
				p.dropped++
			}
			break
		}
	}
	p.claims[id] = c
}

// Expire forgets claims that are over. It is to be called now and then.
func (p *Peers) Expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, c := range p.claims {
		if !now.Before(c.Until) {
			delete(p.claims, id)
		}
	}
}

// Part gives what this machine may use of a counter while it cannot ask, of what
// it has used in the window before too: its Share, unless somebody claims the
// counter. Then all that the others have not used belongs to that machine.
func (p *Peers) Part(id uint64, most uint32, now time.Time) uint32 {
	p.mu.RLock()
	c, claimed := p.claims[id]
	machines := len(p.names)
	before, _ := slices.BinarySearch(p.names, p.self)
	p.mu.RUnlock()
	switch {
	case machines == 1:
		return most
	case !claimed || !now.Before(c.Until):
		return Share(most, machines, before)
	case c.By == p.self:
		return most - min(most, c.Others)
	}
	return 0
}

// Share is what one of so many machines may use of a maximum: an equal part, and
// those whose names come first one more where it does not come out even. The
// parts of all add up to the maximum, so a machine's may be 0.
func Share(most uint32, machines, before int) uint32 {
	n := uint32(max(machines, 1))
	part := most / n
	if uint32(before) < most%n {
		part++
	}
	return part
}

package ratelimit

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The defaults of a Fallback.
const (
	SharedTimeout = 50 * time.Millisecond // a later answer counts as none
	SharedRetry   = time.Second           // the shared store is left alone so long after a failure
)

// PeersWindow is how long a machine counts after it was last heard of.
const PeersWindow = time.Hour

// maxPeers bounds what is remembered of other machines.
const maxPeers = 1024

// Peers are the machines that share a store. They are safe for concurrent use.
type Peers struct {
	self string
	mu   sync.Mutex
	last map[string]time.Time
}

// NewPeers returns the Peers of a machine that has heard of no other. Names are
// the same on all machines, and differ from each other.
func NewPeers(self string) *Peers { return &Peers{self: self, last: map[string]time.Time{}} }

// Seen notes that a machine was heard of.
func (p *Peers) Seen(name string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if _, ok := p.last[name]; ok || len(p.last) < maxPeers {
		p.last[name] = now
	}
}

func (p *Peers) expire(now time.Time) {
	for name, t := range p.last {
		if now.Sub(t) > PeersWindow {
			delete(p.last, name)
		}
	}
}

// Count gives how many machines were heard of within PeersWindow, this one
// included, and how many of their names come before its own.
func (p *Peers) Count(now time.Time) (machines, before int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	machines = 1
	for name := range p.last {
		if name == p.self {
			continue
		}
		machines++
		if name < p.self {
			before++
		}
	}
	return machines, before
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

// A Fallback is a Store that asks a shared one, and counts locally while that
// does not answer: then each machine uses no more than its Share of a maximum,
// together with what it let through itself in the window before. So the mail of
// all machines while the store is away stays below the maximum; with what others
// than this one had sent before, it may reach twice that, once.
//
// What was counted locally while the store was away is not brought to it
// afterwards: the local Table goes on knowing it, and it ends with its window.
type Fallback struct {
	shared  Store
	local   *Table
	peers   *Peers
	timeout time.Duration
	retry   time.Duration

	downUntil atomic.Int64 // Unix nanoseconds
	failures  atomic.Uint64
	locally   atomic.Uint64
}

// NewFallback returns a Store for these. The Table is the machine's own, and is
// told of all that this machine counts in the shared store, too.
func NewFallback(shared Store, local *Table, peers *Peers) *Fallback {
	return &Fallback{shared: shared, local: local, peers: peers, timeout: SharedTimeout, retry: SharedRetry}
}

// FallbackStats are of a Fallback since it was made.
type FallbackStats struct {
	Failures uint64 // calls of the shared store that failed or came too late
	Locally  uint64 // decisions made without it
}

// Stats gives its counts.
func (f *Fallback) Stats() FallbackStats {
	return FallbackStats{Failures: f.failures.Load(), Locally: f.locally.Load()}
}

// Take implements Store. It never gives an error.
func (f *Fallback) Take(ctx context.Context, charges []Charge, now time.Time) (bool, error) {
	if f.up(now) {
		ok, err := f.takeShared(ctx, charges, now)
		if err == nil {
			return ok, nil
		}
		if ctx.Err() == nil { // a caller that gave up is no failure of the store
			f.failed(now)
		}
	}
	f.locally.Add(1)
	return f.takeLocal(charges, now), nil
}

func (f *Fallback) takeShared(ctx context.Context, charges []Charge, now time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	ok, err := f.shared.Take(ctx, charges, now)
	if err != nil {
		return false, err
	}
	for i := range charges {
		charges[i].local = false
	}
	if ok {
		f.mirror(charges, now)
	}
	return ok, nil
}

// mirror counts locally, whether it fits there or not, what the shared store took.
func (f *Fallback) mirror(charges []Charge, now time.Time) {
	copies := slices.Clone(charges)
	for i := range copies {
		copies[i].Report = true
	}
	f.local.take(copies, now, true)
}

func (f *Fallback) takeLocal(charges []Charge, now time.Time) bool {
	machines, before := f.peers.Count(now)
	for i := range charges {
		c := &charges[i]
		c.local, c.Max = true, Share(c.Max, machines, before)
	}
	return f.local.take(charges, now, true)
}

// Settle implements Store. Its error is that of the shared store, where the
// reservation then stays until that store gives it up.
func (f *Fallback) Settle(ctx context.Context, charges []Charge, outcome Outcome, now time.Time) error {
	f.local.Settle(ctx, charges, outcome, now)
	shared := charges
	if slices.ContainsFunc(charges, isLocal) {
		shared = slices.DeleteFunc(slices.Clone(charges), isLocal)
	}
	if len(shared) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	err := f.shared.Settle(ctx, shared, outcome, now)
	if err != nil {
		f.failed(now)
	}
	return err
}

func isLocal(c Charge) bool { return c.local }

func (f *Fallback) up(now time.Time) bool {
	until := f.downUntil.Load()
	// A wall clock that stepped back does not keep it down for longer.
	return now.UnixNano() >= until || now.UnixNano() < until-int64(f.retry)
}

func (f *Fallback) failed(now time.Time) {
	f.failures.Add(1)
	f.downUntil.Store(now.Add(f.retry).UnixNano())
}

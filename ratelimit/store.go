package ratelimit

import (
	"context"
	"time"
)

// A Charge is what one mail takes of one counter, and, after Store.Take, what
// came of it.
type Charge struct {
	ID     uint64        // the counter: a keyed hash of the limit and of whose mail it is
	Window time.Duration // whole seconds; the same for the same ID
	Max    uint32        // how much the counter may hold
	Amount uint32        // 1 or more
	Report bool          // count it, and do not refuse for it

	// Set by Take.
	Over bool          // it does not fit
	Used uint32        // what the counter held before, pending included
	Wait time.Duration // when Over: until enough has surely returned if nobody takes it; 0 is never

	limit uint16 // index in Rules
	firm  bool   // its limit refuses, whatever Report says: a Transaction may monitor
	found bool   // it had a counter already
	part  uint32 // of Max: what it was held to, plus one; 0: to all of it
}

// SetPart says that the charge was held to less than its Max, where it was: to what
// one machine may use by itself.
func (c *Charge) SetPart(part uint32) {
	if c.part = 0; part < c.Max {
		c.part = part + 1
	}
}

// Part gives what the charge was held to, and whether that is less than its Max.
func (c *Charge) Part() (part uint32, is bool) {
	if c.part == 0 {
		return c.Max, false
	}
	return c.part - 1, true
}

// seconds gives the window, within what a cell can hold.
func (c *Charge) seconds() int64 {
	return int64(min(max(c.Window, MinWindow), MaxWindow) / time.Second)
}

// An Outcome is how a reservation ends.
type Outcome uint8

// The outcomes.
const (
	GiveBack Outcome = iota // the mail did not come to its end
	Keep                    // it did, now: it counts from now on for one window
)

// A Store counts. A Table does, in memory; one that asks a server lets several
// machines count together (see Fallback). It is safe for concurrent use.
type Store interface {
	// Take reserves all charges or none, in one step, and reports which. Those
	// with Report never stand in the way. The IDs in one call differ. It sets
	// Over, Used and Wait of each charge; with an error it has reserved nothing,
	// or will take care itself that it is given back.
	Take(ctx context.Context, charges []Charge, now time.Time) (bool, error)

	// Settle ends reservations that Take made: the amounts may be sums of
	// several. The caller settles each once. An error has been dealt with as far
	// as it can be, and is for the log.
	Settle(ctx context.Context, charges []Charge, outcome Outcome, now time.Time) error
}

package engine

import (
	"context"
	"time"

	"mailprofiled/ratelimit"
)

// A looker is a store that can tell what Take would, and reserve nothing.
type looker interface {
	Look(charges []ratelimit.Charge, now time.Time) bool
}

// An onlooker is the store of a visit that is only explained. What it takes it notes
// for itself, so that of several recipients those are told that would not fit.
type onlooker struct {
	table looker
	held  map[uint64]uint32
}

// Take implements ratelimit.Store.
func (o *onlooker) Take(_ context.Context, charges []ratelimit.Charge, now time.Time) (bool, error) {
	for i := range charges {
		charges[i].Amount += o.held[charges[i].ID]
	}
	ok := o.table.Look(charges, now)
	for i := range charges {
		c := &charges[i]
		held := o.held[c.ID]
		c.Amount -= held
		c.Used += held
		if ok {
			o.held[c.ID] += c.Amount
		}
	}
	return ok, nil
}

// Settle implements ratelimit.Store.
func (o *onlooker) Settle(_ context.Context, charges []ratelimit.Charge, _ ratelimit.Outcome, _ time.Time) error {
	for i := range charges {
		o.held[charges[i].ID] -= charges[i].Amount
	}
	return nil
}

package ratelimit

import (
	"context"
	"slices"
	"time"
)

// A Transaction is what one connection's mail holds of its limits, one mail after
// another. It belongs to one goroutine. Whatever order its methods are called
// in, each reservation is settled once; the last call must be Release.
type Transaction struct {
	// Monitor lets everything go on and counts all of it. Decisions then are what
	// would have been said.
	Monitor bool

	rules   *Rules
	store   Store
	held    []Charge // reserved and not settled; one for each counter
	asked   []Charge // of the last Take
	last    []Charge // what the last RCPT reserved
	refused Decision // of MAIL
}

// Begin returns a Transaction that holds nothing.
func Begin(r *Rules, s Store) *Transaction { return &Transaction{rules: r, store: s} }

// Mail begins a mail, at MAIL: it reserves one message of each limit that applies.
// What an unfinished mail holds is given back first. When it is refused, nothing
// is reserved, and the recipients of this mail are refused for the same reason,
// but for those that must stay within reach.
//
// Who answers at RCPT only may ignore the Decision.
func (tx *Transaction) Mail(ctx context.Context, s *Subject, now time.Time) Decision {
	err := tx.Release(ctx, now)
	d := tx.take(ctx, s, AtMail, now)
	if d.Refused() && !tx.Monitor {
		tx.refused = d
	}
	if d.Err == nil {
		d.Err = err
	}
	return d
}

// Rcpt adds a recipient, at RCPT: it reserves one recipient of each limit that
// counts them, and one message of each that is per recipient or their domain,
// unless this mail has done that already.
func (tx *Transaction) Rcpt(ctx context.Context, s *Subject, now time.Time) Decision {
	tx.last = tx.last[:0]
	if tx.refused.Refused() && !(s.Open && s.Account == "") {
		return tx.refused
	}
	return tx.take(ctx, s, AtRcpt, now)
}

// Drop gives back what the last Rcpt reserved, when that recipient is refused for
// another reason. Doing it again does nothing.
func (tx *Transaction) Drop(ctx context.Context, now time.Time) error {
	if len(tx.last) == 0 {
		return nil
	}
	for _, c := range tx.last {
		i := slices.IndexFunc(tx.held, c.sameCounter)
		if tx.held[i].Amount -= c.Amount; tx.held[i].Amount == 0 {
			tx.held = slices.Delete(tx.held, i, i+1)
		}
	}
	err := tx.store.Settle(ctx, tx.last, GiveBack, now)
	tx.last = tx.last[:0]
	return err
}

// Fullest gives the limit of an account, and of nothing else, of which the greatest
// share is used with what the mail holds; false where it holds of none. Used has the
// mail itself, and Again is not set.
func (tx *Transaction) Fullest() (Over, bool) {
	best := -1
	for i := range tx.held {
		c := &tx.held[i]
		if tx.rules.limits[c.limit].Per == PerAccount && (best < 0 || c.fuller(&tx.held[best])) {
			best = i
		}
	}
	if best < 0 {
		return Over{}, false
	}
	o := tx.rules.over(&tx.held[best], time.Time{})
	o.Used += int(tx.held[best].Amount)
	return o, true
}

// fuller reports whether more of a charge's maximum is used than of another's.
func (c *Charge) fuller(o *Charge) bool {
	return (uint64(c.Used)+uint64(c.Amount))*uint64(o.Max) > (uint64(o.Used)+uint64(o.Amount))*uint64(c.Max)
}

// Commit ends the mail at end of message: what it reserved now counts, for one
// window from now. A mail that holds nothing is no mistake.
func (tx *Transaction) Commit(ctx context.Context, now time.Time) error {
	return tx.settle(ctx, Keep, now)
}

// Release gives back what the mail reserved: at RSET, ABORT, QUIT, loss. After
// Commit, or another Release, there is nothing to give back.
func (tx *Transaction) Release(ctx context.Context, now time.Time) error {
	return tx.settle(ctx, GiveBack, now)
}

func (tx *Transaction) settle(ctx context.Context, outcome Outcome, now time.Time) error {
	tx.refused, tx.last = Decision{}, tx.last[:0]
	if len(tx.held) == 0 {
		return nil
	}
	// Forgotten before it is tried: what fails is not tried twice.
	held := tx.held
	tx.held = tx.held[:0]
	return tx.store.Settle(ctx, held, outcome, now)
}

// take reserves what the subject takes at this stage, and decides.
func (tx *Transaction) take(ctx context.Context, s *Subject, stage Stage, now time.Time) Decision {
	tx.asked = tx.rules.Charges(tx.asked[:0], s, stage, now)
	if stage == AtRcpt {
		tx.asked = slices.DeleteFunc(tx.asked, func(c Charge) bool {
			return tx.rules.limits[c.limit].Count == Messages && tx.holds(c)
		})
	}
	if len(tx.asked) == 0 {
		return Decision{}
	}
	if tx.Monitor {
		for i := range tx.asked {
			tx.asked[i].Report = true
		}
	}
	ok, err := tx.store.Take(ctx, tx.asked, now)
	if err != nil {
		return Decision{Err: err}
	}
	if ok {
		tx.hold(stage)
	}
	return tx.rules.decide(tx.asked, now)
}

// holds reports whether this mail has reserved of a counter already.
func (tx *Transaction) holds(c Charge) bool {
	return slices.ContainsFunc(tx.held, func(h Charge) bool { return h.ID == c.ID })
}

// hold notes what was reserved.
func (tx *Transaction) hold(stage Stage) {
	for _, c := range tx.asked {
		if i := slices.IndexFunc(tx.held, c.sameCounter); i >= 0 {
			tx.held[i].Amount += c.Amount
		} else {
			tx.held = append(tx.held, c)
		}
	}
	if stage == AtRcpt {
		tx.last = append(tx.last[:0], tx.asked...)
	}
}

// sameCounter reports whether what two charges reserved is settled together.
func (c *Charge) sameCounter(o Charge) bool { return c.ID == o.ID }

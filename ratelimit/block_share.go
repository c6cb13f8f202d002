package ratelimit

import (
	"cmp"
	"strings"
	"time"
)

// This file lets machines tell each other which accounts are blocked: each has all of it,
// and what was changed last is true on all.

// changed is Changed, or what comes nearest where that is not there.
func (b *Block) changed() time.Time {
	switch {
	case !b.Changed.IsZero():
		return b.Changed
	case b.Released.After(b.Since):
		return b.Released
	}
	return b.Since
}

// supersedes reports whether it is true rather than another block of the account. Two that
// changed at once, as clocks have it, are put into some order, the same on all machines.
func (b *Block) supersedes(old *Block) bool {
	return cmp.Or(b.changed().Compare(old.changed()), b.Released.Compare(old.Released), b.Since.Compare(old.Since), b.Until.Compare(old.Until),
		strings.Compare(b.By+"\n"+b.ReleasedBy+"\n"+b.Reason+"\n"+b.Owner, old.By+"\n"+old.ReleasedBy+"\n"+old.Reason+"\n"+old.Owner)) > 0
}

// changeAfter gives when a change is that is made now to what is known of an account; nil
// for nothing.
func changeAfter(old *Block, now time.Time) time.Time {
	now = now.Round(0).UTC()
	if old == nil || old.changed().Before(now) {
		return now
	}
	return old.changed().Add(time.Millisecond) // heard of a machine whose clock is ahead
}

// tell has other machines told of a block, where there are any. x.mu is held.
func (x *Blocks) tell(b *Block) {
	if x.news != nil && b.ReleasedBy != otherName {
		x.news[b.Account] = true
	}
}

// Share has other machines told, by TakeNews, of all blocks that there are, and of each
// that changes. It may be called again: they have lost what they were told.
func (x *Blocks) Share() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.news = make(map[string]bool, len(x.rows))
	for _, b := range x.rows {
		x.tell(b)
	}
}

// TakeNews gives blocks that other machines have not been told of, so many at most.
func (x *Blocks) TakeNews(most int) []Block {
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []Block
	for account := range x.news {
		if len(all) == most {
			break
		}
		all = append(all, *x.rows[account])
		delete(x.news, account)
	}
	return all
}

// Hear enters what another machine tells of an account's block, unless what is known here
// was changed later, and gives what stands there since; false where nothing has changed.
// It may come late, in any order, and any number of times.
func (x *Blocks) Hear(b Block, now time.Time) (Block, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.key != nil {
		b.Account = x.key(b.Account)
	}
	if err := b.Check(); err != nil {
		return b, false, err
	}
	old := x.rows[b.Account]
	end := b.End(now)
	switch {
	case old != nil && !b.supersedes(old),
		old == nil && !end.IsZero() && now.Sub(end) > blockStays:
		return b, false, nil
	case old == nil && !x.room(now):
		return b, false, ErrBlocksFull
	}
	x.put(&b)
	return b, true, nil
}

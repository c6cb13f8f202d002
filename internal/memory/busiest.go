package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// maxBusiest is how many accounts a Busiest names, and maxLimitsOf how many limits
// of each: less than 100 KB.
const (
	maxBusiest  = 256
	maxLimitsOf = 8
)

// Busiest counts how often accounts meet their limits, and names those that do it
// most. It is bounded, by the algorithm of Metwally, Agrawal and El Abbadi ("Space
// Saving", 2005): when it is full, a new account takes the place and the count of
// the one with the least, and Busy.Less says how much of its count may be that one's.
// So whoever met limits more often than the least of the list is in it. It is safe
// for concurrent use. The zero Busiest knows nobody. It knows who is near a limit, too
// (Near).
type Busiest struct {
	mu   sync.Mutex
	all  map[string]*Busy
	lost bool // somebody had to go

	near     map[string]*Near // see Near
	nearLost time.Time        // until when one who had to go may be near
}

// A Busy is an account that met limits.
type Busy struct {
	Account  string
	Refused  uint64   // mails
	Reported uint64   // mails that were only told of
	Less     uint64   // how much less both together may be
	Limits   []string // that it met, the first few
	Last     time.Time
}

func (b *Busy) count() uint64 { return b.Refused + b.Reported }

// Limited notes that a mail of an account met a limit.
func (b *Busiest) Limited(account, limit string, refused bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	who := b.all[account]
	if who == nil {
		who = b.room(account)
	}
	if refused {
		who.Refused++
	} else {
		who.Reported++
	}
	who.Last = now
	if len(who.Limits) < maxLimitsOf && !slices.Contains(who.Limits, limit) {
		who.Limits = append(who.Limits, limit)
	}
}

// room makes a place for an account.
func (b *Busiest) room(account string) *Busy {
	who := &Busy{Account: account}
	if b.all == nil {
		b.all = make(map[string]*Busy)
	}
	if len(b.all) >= maxBusiest {
		var least *Busy
		for _, o := range b.all {
			if least == nil || o.count() < least.count() {
				least = o
			}
		}
		delete(b.all, least.Account)
		b.lost = true
		who.Refused, who.Reported, who.Less = least.Refused, least.Reported, least.count()
	}
	b.all[account] = who
	return who
}

// Top gives the first n of those that met limits most often, and whether all that
// met one are still known.
func (b *Busiest) Top(n int) (top []Busy, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, who := range b.all {
		one := *who
		one.Limits = slices.Clone(who.Limits)
		top = append(top, one)
	}
	slices.SortFunc(top, func(a, b Busy) int {
		return cmp.Or(cmp.Compare(b.count(), a.count()), cmp.Compare(a.Account, b.Account))
	})
	return top[:min(n, len(top))], !b.lost
}

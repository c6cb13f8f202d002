package memory

import (
	"cmp"
	"slices"
	"time"
)

// NearShare is the share of a limit from which an account that has used so much is
// near it.
const NearShare = 0.8

// A Use is how much of a limit is used.
type Use struct {
	Limit, Count string // its name, and what it counts
	Window       time.Duration
	Max, Used    int
}

func (u *Use) share() float64 { return float64(u.Used) / float64(max(u.Max, 1)) }

// A Near is an account that is near a limit, as it was at its last mail.
type Near struct {
	Account string
	Use
	Last time.Time
}

// over reports whether all that was used has come back since.
func (n *Near) over(now time.Time) bool { return !now.Before(n.Last.Add(n.Window)) }

// Near notes that an account has used much of a limit. Where it is near several, the
// fullest stands. Of more than 256 accounts the fullest are kept.
func (b *Busiest) Near(account string, use Use, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	who := b.near[account]
	switch {
	case who != nil && who.Limit != use.Limit && !who.over(now) && who.share() > use.share():
		return
	case who == nil && len(b.near) >= maxBusiest && !b.nearRoom(&use, now):
		b.nearLost = later(b.nearLost, now.Add(use.Window))
		return
	case who == nil:
		who = &Near{Account: account}
		if b.near == nil {
			b.near = make(map[string]*Near)
		}
		b.near[account] = who
	}
	who.Use, who.Last = use, now
}

// nearRoom makes a place for what is used so much; false where all are fuller.
func (b *Busiest) nearRoom(use *Use, now time.Time) bool {
	var least *Near
	for account, n := range b.near {
		if n.over(now) {
			delete(b.near, account)
			continue
		}
		if least == nil || n.share() < least.share() {
			least = n
		}
	}
	if len(b.near) < maxBusiest {
		return true
	}
	if least.share() >= use.share() {
		return false
	}
	delete(b.near, least.Account)
	b.nearLost = later(b.nearLost, least.Last.Add(least.Window))
	return true
}

// Nearest gives the first n accounts that are near a limit, the fullest first, and
// whether all that may be are still known.
func (b *Busiest) Nearest(n int, now time.Time) (near []Near, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, who := range b.near {
		if !who.over(now) {
			near = append(near, *who)
		}
	}
	slices.SortFunc(near, func(a, b Near) int {
		return cmp.Or(cmp.Compare(b.share(), a.share()), b.Last.Compare(a.Last), cmp.Compare(a.Account, b.Account))
	})
	return near[:min(max(n, 0), len(near))], !now.Before(b.nearLost)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

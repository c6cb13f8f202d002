// Package memory remembers how servers and accounts behaved before.
//
// It holds the honest retry (RFC 6647): who was asked to come back, and who did; and
// which accounts met their limits most often. It lives in RAM only, bounded; after a
// restart a server that was deferred waits once more.
package memory

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Windows are the times of an honest retry. All are positive, and After < Within.
type Windows struct {
	After  time.Duration // a visit sooner than this after the first deferral waits on
	Within time.Duration // a visit later than this is a stranger again
	Keep   time.Duration // how long a network that came back passes
}

// inTime reports whether a visit so long after the first deferral is an honest retry.
func (w Windows) inTime(waited time.Duration) bool { return waited >= w.After && waited <= w.Within }

// The bounds of a Retries: some 40 MB when all are reached. What one network may
// fill is bounded too, so that no client makes others be forgotten.
const (
	maxNetworks   = 100_000 // with open deferrals
	maxDeferred   = 200_000 // of all of them
	maxPerNetwork = 500
	maxPassed     = 50_000
)

// Retries remembers deferrals and the networks that came back honestly.
// It is safe for concurrent use, and bounded: the least recently used go first.
type Retries struct {
	seed maphash.Seed

	mu       sync.Mutex
	win      Windows
	networks *simplelru.LRU[netip.Prefix, *deferrals]
	open     int                                     // deferrals of all networks
	passed   *simplelru.LRU[netip.Prefix, time.Time] // until when the network passes
}

// deferrals are the open ones of one network, in the order of their first time.
type deferrals struct{ list []deferral }

type deferral struct {
	key   uint64
	first time.Time
}

func (d *deferrals) find(key uint64) int {
	return slices.IndexFunc(d.list, func(x deferral) bool { return x.key == key })
}

// NewRetries returns an empty Retries.
func NewRetries(w Windows) *Retries {
	r := &Retries{win: w, seed: maphash.MakeSeed()}
	// The sizes are positive constants, the only thing NewLRU can refuse.
	r.networks, _ = simplelru.NewLRU(maxNetworks, func(_ netip.Prefix, d *deferrals) { r.open -= len(d.list) })
	r.passed, _ = simplelru.NewLRU[netip.Prefix, time.Time](maxPassed, nil)
	return r
}

// Passes reports whether a visit that would be deferred for its score has come
// back honestly: sender and recipient were deferred from the client's network
// between After and Within ago, or the network has come back before and is
// still remembered. The sender is taken without its per-message tags (see
// SenderKey); both may be in any case. An honest retry is remembered for Keep.
func (r *Retries) Passes(client netip.Addr, sender, rcpt string, now time.Time) bool {
	network := Network(client)
	key := r.key(network, sender, rcpt)
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.passed.Get(network); ok {
		if now.Before(until) {
			return true
		}
		r.passed.Remove(network)
	}
	d, ok := r.networks.Get(network)
	if !ok {
		return false
	}
	i := d.find(key)
	if i < 0 || !r.win.inTime(now.Sub(d.list[i].first)) {
		return false
	}
	r.forget(d, i)
	r.passed.Add(network, now.Add(r.win.Keep))
	return true
}

// WouldPass is Passes without a trace: nothing is remembered for it, nor used up.
func (r *Retries) WouldPass(client netip.Addr, sender, rcpt string, now time.Time) bool {
	network := Network(client)
	key := r.key(network, sender, rcpt)
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.passed.Peek(network); ok && now.Before(until) {
		return true
	}
	d, ok := r.networks.Peek(network)
	if !ok {
		return false
	}
	i := d.find(key)
	return i >= 0 && r.win.inTime(now.Sub(d.list[i].first))
}

// Deferred notes that the visit was asked to come back. A deferral still open
// is neither reset nor extended by it; one older than Within begins anew.
func (r *Retries) Deferred(client netip.Addr, sender, rcpt string, now time.Time) {
	network := Network(client)
	key := r.key(network, sender, rcpt)
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.networks.Get(network)
	if !ok {
		d = new(deferrals)
		r.networks.Add(network, d)
	}
	if i := d.find(key); i >= 0 {
		if now.Sub(d.list[i].first) <= r.win.Within {
			return
		}
		r.forget(d, i)
	}
	if len(d.list) == maxPerNetwork {
		r.forget(d, 0)
	}
	d.list = append(d.list, deferral{key, now})
	r.open++
	for r.open > maxDeferred {
		r.networks.RemoveOldest()
	}
}

func (r *Retries) forget(d *deferrals, i int) {
	d.list = slices.Delete(d.list, i, i+1)
	r.open--
}

// SetWindows changes the times for what comes from now on, and for deferrals that
// are open. Networks that came back already are remembered as long as was promised.
func (r *Retries) SetWindows(w Windows) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.win = w
}

// Sizes gives how many deferrals and how many networks that came back are
// remembered; some of both may be too old to matter.
func (r *Retries) Sizes() (deferred, passed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.passed.Len()
}

func (r *Retries) key(network netip.Prefix, sender, rcpt string) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	addr := network.Addr().As16()
	h.Write(addr[:])
	h.WriteString(SenderKey(sender))
	h.WriteByte(0) // no address has a NUL: the two parts cannot run into each other
	h.WriteString(foldAddress(rcpt))
	return h.Sum64()
}

// Network returns the network one operator's sending machines share at the
// least: the /24 of an IPv4 address, the /64 of an IPv6 one (RFC 6647 section 4.1).
func Network(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := 64
	if client.Is4() {
		bits = 24
	}
	p, _ := client.Prefix(bits) // of the zero Addr: the zero Prefix, one network for all unknowns
	return p
}

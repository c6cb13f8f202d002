package resolver

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// maxForwardAddrs of a PTR name are kept to show; whether the client is among
// them is judged on all that its forward answer has.
const maxForwardAddrs = 8

// A Forward says whether a PTR name leads back to the address. The zero Forward
// stands for no look-up.
type Forward uint8

// The ends of a forward look-up (RFC 8601 section 3).
const (
	_             Forward = iota
	Confirmed             // one of the name's addresses is the asked one
	Mismatch              // the name has other addresses, or none
	ForwardFailed         // no usable answer; Reason says why
)

// A Reverse is the reverse DNS of an address.
type Reverse struct {
	Outcome Outcome       // of the PTR question
	Reason  string        // when Failed
	Names   []ReverseName // at most 10, in the order of the answer; only when Found
	Stale   bool          // the names are past their expiry
	Cached  bool          // the names were not asked for
	Took    time.Duration // for the names
	Age     time.Duration // of the names
}

// A ReverseName is one PTR name and where it leads.
type ReverseName struct {
	Name    string
	Forward Forward
	Outcome Outcome      // of the forward question
	Reason  string       // when ForwardFailed
	Addrs   []netip.Addr // of the asked address's family; at most 8, the asked one among them if Confirmed
	Stale   bool
	Cached  bool
	Took    time.Duration
	Age     time.Duration
}

// Reverse asks for the PTR names of addr and then, all at once, where each leads
// (A for an IPv4 address, AAAA for IPv6). One name's failure does not hide that
// another leads back. It waits at most until ctx ends; what is not known then is
// Failed, or ForwardFailed, with Budget.
//
// partial, unless it is nil, is called at most once, before Reverse returns and
// from its goroutine: when the names are known and forward look-ups are still
// out, which are then ForwardFailed with Budget.
//
// An IPv4-mapped address is the IPv4 one; for an invalid addr the outcome is NotAsked.
func (r *Resolver) Reverse(ctx context.Context, addr netip.Addr, partial func(Reverse)) Reverse {
	k, ok := reverseKey(addr)
	if !ok {
		return Reverse{}
	}
	ptr := r.lookup(ctx, k)
	rev := newReverse(ptr.answer)
	if len(rev.Names) > 0 {
		r.forwards(ctx, k.addr, &rev, partial)
	}
	return rev
}

// CachedReverse is Reverse without asking: it is false when a question would be
// needed, for the names or for where one of them leads.
func (r *Resolver) CachedReverse(addr netip.Addr) (Reverse, bool) {
	k, ok := reverseKey(addr)
	if !ok {
		return Reverse{}, true
	}
	parts, ok := r.cache.get(k.subject)
	if !ok {
		return Reverse{}, false
	}
	ptr, ok := r.recallIn(parts, k.kind())
	if !ok {
		return Reverse{}, false
	}
	rev := newReverse(ptr.answer)
	for i := range rev.Names {
		f, ok := r.recallForward(parts, k.addr, i, rev.Names[i].Name)
		if !ok {
			return Reverse{}, false
		}
		rev.Names[i].set(f.answer, k.addr)
	}
	r.counts.hit(ptr.answer.Stale)
	return rev, true
}

func reverseKey(addr netip.Addr) (key, bool) {
	addr = addr.Unmap().WithZone("")
	return key{subject: subject{addr: addr}, qtype: dns.TypePTR}, addr.IsValid()
}

func newReverse(ptr Answer) Reverse {
	rev := Reverse{Outcome: ptr.Outcome, Reason: ptr.Reason, Stale: ptr.Stale, Cached: ptr.Cached, Took: ptr.Took, Age: ptr.Age}
	if len(ptr.Names) > 0 {
		rev.Names = make([]ReverseName, len(ptr.Names))
		for i, name := range ptr.Names {
			rev.Names[i] = ReverseName{Name: name, Forward: ForwardFailed, Outcome: Failed, Reason: Budget}
		}
	}
	return rev
}

// forwards finds out where the names of rev lead.
func (r *Resolver) forwards(ctx context.Context, addr netip.Addr, rev *Reverse, partial func(Reverse)) {
	parts, _ := r.cache.get(subject{addr: addr})
	got := make([]held, len(rev.Names))
	out := make([]*flight, len(rev.Names))
	waiting, asked := false, false
	for i, n := range rev.Names {
		if h, ok := r.forwardIn(parts, addr, i, 0); ok {
			got[i] = h
		} else {
			got[i], out[i] = r.begin(ctx, forwardKey(n.Name, addr), len(rev.Names) == 1)
			waiting, asked = waiting || out[i] != nil, true
		}
		if out[i] == nil {
			got[i] = r.orStale(got[i], parts, addr, i)
			rev.Names[i].set(got[i].answer, addr)
		}
	}
	if waiting && partial != nil {
		early := *rev
		early.Names = slices.Clone(rev.Names)
		partial(early)
	}
	for i, f := range out {
		if f != nil {
			got[i] = r.orStale(r.await(ctx, f), parts, addr, i)
			rev.Names[i].set(got[i].answer, addr)
		}
	}
	if asked {
		r.storeForwards(addr, rev.Names, got)
	}
}

func forwardKey(name string, addr netip.Addr) key {
	k := key{subject: subject{name: name}, qtype: dns.TypeA}
	if addr.Is6() {
		k.qtype = dns.TypeAAAA
	}
	return k
}

// recallForward gives where the PTR name at a place leads, if that is known:
// from the address's own record, or else from the name's.
func (r *Resolver) recallForward(parts string, addr netip.Addr, place int, name string) (held, bool) {
	if h, ok := r.forwardIn(parts, addr, place, 0); ok {
		return h, true
	}
	h, ok := r.recall(forwardKey(name, addr))
	return r.orStale(h, parts, addr, place), ok
}

// forwardIn finds the forward answer of a place in the record of addr; it may be
// up to late seconds past its expiry.
func (r *Resolver) forwardIn(parts string, addr netip.Addr, place int, late uint32) (held, bool) {
	now := r.clock()
	for {
		p, rest, ok := nextPart(parts)
		if !ok {
			return held{}, false
		}
		if parts = rest; p.kind != kindForward || now >= p.expiry+late {
			continue
		}
		if f, ok := unpackForward(p, addr.BitLen()/8); ok && f.place == place {
			a := Answer{Outcome: f.outcome, Addrs: f.addrs, Cached: true, Stale: now >= p.expiry, Age: p.ageOf(now)}
			return held{answer: a, expiry: f.expiry}, true
		}
	}
}

// orStale gives the old forward answer in the record of addr instead of h, if h
// failed for the servers' fault.
func (r *Resolver) orStale(h held, parts string, addr netip.Addr, place int) held {
	if h.answer.Outcome == Failed && serversFault(h.answer.Reason) {
		if old, ok := r.forwardIn(parts, addr, place, maxLate); ok {
			old.answer.Took = h.answer.Took
			return old
		}
	}
	return h
}

// set judges the forward answer a of n for the address addr.
func (n *ReverseName) set(a Answer, addr netip.Addr) {
	n.Outcome, n.Reason, n.Stale, n.Cached, n.Took, n.Age = a.Outcome, a.Reason, a.Stale, a.Cached, a.Took, a.Age
	n.Addrs = forwardAddrs(a.Addrs, addr)
	switch {
	case slices.Contains(n.Addrs, addr):
		n.Forward = Confirmed
	case a.Outcome == Failed:
		n.Forward = ForwardFailed
	case a.Partial: // the address may be among those that were not kept
		n.Forward, n.Outcome, n.Reason = ForwardFailed, Failed, BadAnswer
	default:
		n.Forward = Mismatch
	}
}

// forwardAddrs cuts addrs to what is kept, with addr among it if it was before.
func forwardAddrs(addrs []netip.Addr, addr netip.Addr) []netip.Addr {
	if len(addrs) <= maxForwardAddrs {
		return addrs
	}
	kept := slices.Clone(addrs[:maxForwardAddrs])
	if !slices.Contains(kept, addr) && slices.Contains(addrs, addr) {
		kept[maxForwardAddrs-1] = addr
	}
	return kept
}

// storeForwards keeps fresh forward answers with the address, as long as its
// names are still these.
func (r *Resolver) storeForwards(addr netip.Addr, names []ReverseName, got []held) {
	s, now := subject{addr: addr}, r.clock()
	r.cache.update(s, func(b []byte, parts string) []byte {
		good, _ := find(parts, kindPTR)
		ptr, _ := unpack(good)
		if !slices.EqualFunc(names, ptr.names, func(n ReverseName, name string) bool { return n.Name == name }) {
			return nil
		}
		var fresh []forward
		for i, n := range names {
			if n.Forward != ForwardFailed && !n.Stale && now < got[i].expiry {
				fresh = append(fresh, forward{i, n.Outcome, n.Addrs, got[i].expiry, lifeOf(now-min(now, uint32(n.Age/time.Second)), got[i].expiry)})
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		b = keepOthers(b, parts, fresh)
		for _, f := range fresh {
			b = appendPart(b, packForward(f))
		}
		return b
	})
}

// keepOthers appends to b those of parts that fresh does not replace.
func keepOthers(b []byte, parts string, fresh []forward) []byte {
	for {
		p, rest, ok := nextPart(parts)
		if !ok {
			return b
		}
		replaced := p.kind == kindForward && slices.ContainsFunc(fresh, func(f forward) bool {
			return p.payload != "" && int(p.payload[0]) == f.place
		})
		if !replaced {
			b = append(b, parts[:len(parts)-len(rest)]...)
		}
		parts = rest
	}
}

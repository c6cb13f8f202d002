package engine

import (
	"net/netip"

	"github.com/miekg/dns"

	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// This file turns the resolver's answers into profile's facts, the two rooms
// not knowing each other, and reads them from the cache alone where it can.

// maxExchanges is how many MX targets are looked at: more would only help a
// hostile zone to make us ask.
const maxExchanges = 10

// failedHost is a host whose addresses were asked for and are not known.
var failedHost = profile.Host{A: profile.Failed, AAAA: profile.Failed}

func outcomeOf(a resolver.Answer) profile.Outcome {
	switch a.Outcome {
	case resolver.Found:
		return profile.Found
	case resolver.NoData:
		return profile.NoData
	case resolver.NoName:
		return profile.NoName
	}
	return profile.Failed
}

func hostOf(a, aaaa resolver.Answer) profile.Host {
	h := profile.Host{A: addrOutcome(a), AAAA: addrOutcome(aaaa), Stale: a.Stale || aaaa.Stale}
	switch {
	case len(aaaa.Addrs) == 0:
		h.Addrs = a.Addrs
	case len(a.Addrs) == 0:
		h.Addrs = aaaa.Addrs
	default:
		h.Addrs = make([]netip.Addr, 0, len(a.Addrs)+len(aaaa.Addrs))
		h.Addrs = append(append(h.Addrs, a.Addrs...), aaaa.Addrs...)
	}
	return h
}

// addrOutcome is outcomeOf for addresses. Where there were more of them than the
// resolver keeps, it is not known whether one among the others is the client's.
func addrOutcome(a resolver.Answer) profile.Outcome {
	if a.Partial {
		return profile.Failed
	}
	return outcomeOf(a)
}

// noAddress reports that both questions were answered, and there is none.
func noAddress(h profile.Host) bool { return h.A.Missing() && h.AAAA.Missing() }

func rdnsOf(r resolver.Reverse) profile.RDNS {
	rdns := profile.RDNS{Outcome: outcomeOf(resolver.Answer{Outcome: r.Outcome}), Stale: r.Stale}
	if len(r.Names) > 0 {
		rdns.Names = make([]profile.PTR, len(r.Names))
	}
	for i, name := range r.Names {
		rdns.Names[i] = profile.PTR{Name: name.Name, Forward: forwardOf(name.Forward)}
		rdns.Stale = rdns.Stale || name.Stale
	}
	return rdns
}

func forwardOf(f resolver.Forward) profile.Forward {
	switch f {
	case resolver.Confirmed:
		return profile.Confirmed
	case resolver.Mismatch:
		return profile.Mismatch
	}
	return profile.ForwardFailed
}

// setMX puts the answer to the MX question into s. A null MX is "0 ." alone
// (RFC 7505 section 3); among other targets the root is no target.
func setMX(s *profile.Sender, mx resolver.Answer) {
	s.MX, s.Stale = outcomeOf(mx), mx.Stale
	more := mx.Partial
	for _, target := range mx.MX {
		switch {
		case target.Host == "" || target.Host == ".":
			s.NullMX = len(mx.MX) == 1
		case len(s.Exchanges) < maxExchanges:
			s.Exchanges = append(s.Exchanges, profile.Exchange{Name: target.Host})
		default:
			more = true
		}
	}
	if more { // what is not looked at is unknown, and stands for itself
		s.Exchanges = append(s.Exchanges, profile.Exchange{Host: failedHost})
	}
}

// cachedHost answers from the cache if it knows both kinds of addresses.
func (v *Visit) cachedHost(name string) (profile.Host, bool) {
	a, ok := v.e.o.Resolver.Cached(name, dns.TypeA)
	if !ok {
		return profile.Host{}, false
	}
	aaaa, ok := v.e.o.Resolver.Cached(name, dns.TypeAAAA)
	if !ok {
		return profile.Host{}, false
	}
	return hostOf(a, aaaa), true
}

// cachedSender fills s from the cache, and reports whether all was there. If
// not, s is as it was.
func (v *Visit) cachedSender(s *profile.Sender) bool {
	mx, ok := v.e.o.Resolver.Cached(s.Domain, dns.TypeMX)
	if !ok {
		return false
	}
	filled := *s
	if filled.Host, ok = v.cachedHost(s.Domain); !ok {
		return false
	}
	setMX(&filled, mx)
	for i := range filled.Exchanges {
		x := &filled.Exchanges[i]
		if !askable(x.Name) {
			continue
		}
		if x.Host, ok = v.cachedHost(x.Name); !ok {
			return false
		}
	}
	*s = filled
	return true
}

// askable reports whether an MX target is a name to ask DNS for: not one of
// those left out, and not an address by mistake, which no name in DNS can be.
func askable(target string) bool {
	_, err := netip.ParseAddr(target)
	return target != "" && err != nil
}

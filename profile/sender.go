package profile

import (
	"net/netip"
	"slices"
)

// judgeSender judges the envelope sender. The null sender needs no domain and
// must be taken (RFC 5321 section 4.5.5).
func (j *Judgement) judgeSender(f *facts) {
	s := &f.Sender
	if s.Given != Shown || s.Null {
		return
	}
	if !validPath(s.Raw) {
		j.say(fromSyntax, s.Raw, false)
	}
	if s.Domain != "" {
		j.judgeDomain(f)
	}
	if f.fromIsUs() {
		j.say(fromIsUs, s.Domain, f.SPF.Stale)
	}
	if f.localHoldsAddress() {
		j.say(fromAddress, s.Local, false)
	}
	if j.Identity.Answer == "no" {
		j.say(fromUnrelated, s.Domain, s.Stale || f.SPF.Stale || f.RDNS.Stale)
	}
	if s.Domain != "" && s.trouble() {
		j.say(fromError, s.Domain, false)
	}
}

// judgeDomain looks whether the sender's domain can be written to: at its MX,
// else at its own addresses (RFC 5321 section 5.1).
func (j *Judgement) judgeDomain(f *facts) {
	s := &f.Sender
	stale := s.Stale || s.Host.Stale
	switch {
	case s.noDomain():
		j.say(fromNoDomain, s.Domain, stale)
	case s.MX == NoData && s.Host.A.Missing() && s.Host.AAAA.Missing():
		j.say(fromUnresolvable, s.Domain, stale)
	case s.MX == Found && s.NullMX:
		j.say(fromNullMX, s.Domain, s.Stale)
	case s.MX == Found:
		j.judgeExchanges(f)
	}
}

// noDomain reports whether the domain does not exist. NXDOMAIN holds for every
// type (RFC 8020), but some servers say it for MX alone: then an address, or
// one that may be there, speaks for the domain.
func (s *Sender) noDomain() bool {
	speaks := func(o Outcome) bool { return o == Found || o == Failed }
	return s.MX == NoName && !speaks(s.Host.A) && !speaks(s.Host.AAAA)
}

// judgeExchanges looks whether any MX can be reached from outside.
func (j *Judgement) judgeExchanges(f *facts) {
	xs := f.Sender.Exchanges
	if len(xs) == 0 || f.isExchange() {
		return
	}
	stale := f.Sender.Stale
	for i := range xs {
		if !xs[i].bogus() {
			return
		}
		stale = stale || xs[i].Host.Stale
	}
	j.say(fromBogusMX, f.Sender.Domain+" MX "+xs[0].Name, stale)
}

// bogus reports whether an MX target is known to be out of reach for everyone.
func (x *Exchange) bogus() bool {
	if x.literal() {
		return true
	}
	if slices.ContainsFunc(x.Host.Addrs, reachable) {
		return false
	}
	return x.Host.A.Known() && x.Host.AAAA.Known()
}

// literal reports whether the target is an address, which an MX must not be
// (RFC 1035 section 3.3.9, RFC 5321 section 5.1).
func (x *Exchange) literal() bool {
	if _, ok := literalOf(x.Name); ok {
		return true
	}
	_, ok := addrOf(x.Name)
	return ok
}

// Prefixes that netip does not name: "this network" (RFC 6890), shared address
// space (RFC 6598), reserved.
var unreachable = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

func reachable(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !addr.IsPrivate() &&
		!slices.ContainsFunc(unreachable[:], func(p netip.Prefix) bool { return p.Contains(addr) })
}

// trouble reports whether it cannot be said if the domain takes mail.
func (s *Sender) trouble() bool {
	found := s.Host.A == Found || s.Host.AAAA == Found
	failed := s.Host.A == Failed || s.Host.AAAA == Failed
	return s.MX == Failed || s.MX.Missing() && !found && failed
}

// localHoldsAddress reports whether the whole of the client's address stands in
// the local part.
func (f *facts) localHoldsAddress() bool {
	return f.Client.IsValid() && findAddress(lower(f.Sender.Local), f.Client).full
}

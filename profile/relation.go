package profile

import "slices"

// judgeRelation looks whether the client is known to belong to what it claims,
// and notes whether an answer that failed could have shown so (law 2). What was
// not asked could not.
func (j *Judgement) judgeRelation(f *facts) {
	switch {
	case f.isExchange():
		j.say(relation, f.exchangeText(), f.Sender.Stale)
	case f.claimsDomain() && f.SPF.Outcome == SPFPass:
		j.say(relation, "SPF passes for the sender's domain", f.SPF.Stale)
	case f.heloIsPTR() == there:
		j.say(relation, "HELO is the confirmed PTR name", f.RDNS.Stale)
	case f.mayBeExchange() || f.mayBeHeloPTR() || f.claimsDomain() && (f.SPF.Outcome == SPFTempError || f.SPF.Stale):
		j.mayLift(relation)
	}
}

// exchangeText says by what isExchange holds.
func (f *facts) exchangeText() string {
	if f.Sender.MX == Found {
		return "MX of the sender's domain"
	}
	return "an address of the sender's domain"
}

// claimsDomain reports whether there is a domain that the sender claims. The
// null sender claims none: a pass of its HELO name says of that name alone that
// it is no lie, and makes no relation.
func (f *facts) claimsDomain() bool {
	return f.Sender.Given == Shown && !f.Sender.Null && f.Sender.Domain != ""
}

// isExchange reports whether the client receives the mail of the sender's
// domain. Where no MX is known, the domain's own address stands for it (RFC 5321
// section 5.1).
func (f *facts) isExchange() bool {
	s := &f.Sender
	if !f.claimsDomain() {
		return false
	}
	if s.MX != Found {
		return hasAddr(s.Host.Addrs, f.Client)
	}
	return slices.ContainsFunc(s.Exchanges, func(x Exchange) bool { return hasAddr(x.Host.Addrs, f.Client) })
}

// mayBeExchange reports whether isExchange would hold under some answer to a
// question that failed, or whose answer is past its expiry: that must not
// support a reject.
func (f *facts) mayBeExchange() bool {
	s := &f.Sender
	if !f.claimsDomain() || !f.Client.IsValid() {
		return false
	}
	open := func(h *Host) bool { return h.family(f.Client) == Failed || h.Stale }
	switch {
	case s.MX == Failed || s.Stale:
		return true
	case s.MX != Found:
		return open(&s.Host)
	}
	return slices.ContainsFunc(s.Exchanges, func(x Exchange) bool { return open(&x.Host) })
}

// heloIsPTR says whether the HELO name is a confirmed PTR name that is neither
// generic nor dynamic.
func (f *facts) heloIsPTR() lookup {
	if f.helo.ptr < 0 || f.helo.nature.asConfirmed() != Plain {
		return absent
	}
	switch f.RDNS.Names[f.helo.ptr].Forward {
	case Confirmed:
		return there
	case ForwardFailed:
		return unknown
	}
	return absent
}

// mayBeHeloPTR reports whether heloIsPTR would hold under some answer to a
// question that failed, or whose answer is past its expiry.
func (f *facts) mayBeHeloPTR() bool {
	if f.RDNS.Outcome == Failed || f.RDNS.Stale {
		return f.helo.asked() && f.helo.nature.asConfirmed() == Plain
	}
	return f.heloIsPTR() == unknown
}

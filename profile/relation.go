package profile

import "slices"

// judgeRelation looks whether the client is known to belong to what it claims,
// and notes whether an answer that failed could have shown so (law 2). What was
// not asked could not.
func (j *Judgement) judgeRelation(f *facts) {
	switch {
	case f.isExchange():
		j.say(relation, "MX of the sender's domain", f.Sender.Stale)
	case f.heloIsPTR() == there:
		j.say(relation, "HELO is the confirmed PTR name", f.RDNS.Stale)
	case f.mayBeExchange() || f.mayBeHeloPTR():
		if points := j.policy.points(relation); points < 0 {
			j.possible = append(j.possible, mark{kind: relation, points: points})
		}
	}
}

// isExchange reports whether the client receives the mail of the sender's
// domain. Where no MX is known, the domain's own address stands for it (RFC 5321
// section 5.1).
func (f *facts) isExchange() bool {
	s := &f.Sender
	if s.Given != Shown || s.Domain == "" {
		return false
	}
	if s.MX != Found {
		return hasAddr(s.Host.Addrs, f.Client)
	}
	return slices.ContainsFunc(s.Exchanges, func(x Exchange) bool { return hasAddr(x.Host.Addrs, f.Client) })
}

// mayBeExchange reports whether isExchange would hold under some answer to a
// question that failed.
func (f *facts) mayBeExchange() bool {
	s := &f.Sender
	if s.Given != Shown || s.Domain == "" || !f.Client.IsValid() {
		return false
	}
	switch s.MX {
	case Failed:
		return true
	case Found:
	default:
		return s.Host.family(f.Client) == Failed
	}
	return slices.ContainsFunc(s.Exchanges, func(x Exchange) bool { return x.Host.family(f.Client) == Failed })
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
// question that failed.
func (f *facts) mayBeHeloPTR() bool {
	if f.RDNS.Outcome == Failed {
		return f.helo.asked() && f.helo.nature.asConfirmed() == Plain
	}
	return f.heloIsPTR() == unknown
}

// identity answers whether the address has a record for the domain it claims:
// the sender's, or for the null sender the one of HELO (RFC 7208 section 2.4).
// "no" needs the answer of SPF, which is not asked yet.
func (f *facts) identity() Identity {
	claimed, host := f.Sender.Domain, &f.Sender.Host
	if f.Sender.Given == Shown && f.Sender.Null && f.helo.labels >= 2 {
		claimed, host = f.helo.host, &f.Helo.Host
	}
	if claimed == "" || f.Sender.Given != Shown {
		return Identity{Answer: "unknown"}
	}
	switch {
	case !f.Sender.Null && f.Sender.MX == Found && f.isExchange():
		return Identity{Answer: "yes", By: "mx"}
	case host.leadsTo(f.Client) == there:
		return Identity{Answer: "yes", By: "a"}
	case f.ptrUnder(claimed):
		return Identity{Answer: "yes", By: "ptr"}
	case f.helo.labels >= 2 && f.helo.forward == there && f.heloKind() == Plain && OrgDomain(f.helo.host) == OrgDomain(claimed):
		return Identity{Answer: "yes", By: "helo"}
	}
	return Identity{Answer: "unknown"}
}

// ptrUnder reports whether a confirmed PTR name, not a provider's default, has
// the registered domain of the claimed one.
func (f *facts) ptrUnder(claimed string) bool {
	domain := ""
	for i, name := range f.names() {
		if name.Forward != Confirmed {
			continue
		}
		if domain == "" {
			domain = OrgDomain(claimed)
		}
		if OrgDomain(name.Name) == domain && f.nature(i).asConfirmed() == Plain {
			return true
		}
	}
	return false
}

package profile

import "slices"

// judgeSPF says what the record of the claimed domain makes of the client
// (RFC 7208 section 8): the sender's domain, or for the null sender the HELO name.
func (j *Judgement) judgeSPF(f *facts) {
	s := &f.SPF
	if f.Sender.Given != Shown {
		return
	}
	detail := s.Detail
	if detail == "" {
		detail = s.Domain
	}
	switch s.Outcome {
	case SPFNone, SPFNeutral: // to be treated alike, section 8.2
		j.say(spfNone, detail, s.Stale)
	case SPFPass:
		j.say(spfPass, detail, s.Stale)
	case SPFFail:
		if !s.Never || !j.say(spfNever, detail, s.Stale) {
			j.say(spfFail, detail, s.Stale)
		}
	case SPFSoftFail:
		j.say(spfSoftFail, detail, s.Stale)
	case SPFPermError:
		j.say(spfPermError, detail, s.Stale)
	case SPFTempError:
		j.say(spfError, detail, false)
	}
	if s.Outcome == SPFTempError || s.Stale && s.Outcome != SPFPass {
		j.mayLift(spfPass)
	}
}

// fromIsUs reports whether the sender claims a domain of ours, whose record is
// known not to allow the client.
func (f *facts) fromIsUs() bool {
	return f.Us != nil && f.claimsDomain() && f.SPF.Outcome.Known() && f.SPF.Outcome != SPFPass &&
		slices.Contains(f.Us.Domains, f.Sender.Domain)
}

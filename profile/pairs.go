package profile

import "slices"

// judgePairs judges what two findings say together, and neither says alone. A
// good server that has no name of its own tells whose it is: it is named in HELO,
// writes for the domain of that name, or is called a mail server. One that does
// none of this is most often nobody's mail server (docs/judgement.md has the
// figures). A pair is judged only beside a finding that counts: who turns that
// off or only watches it has no pair of it either. Pairs are never a reason to
// refuse, and have no sentence: their findings speak.
func (j *Judgement) judgePairs(f *facts) {
	unnamed, stale1 := j.counts(rdnsMissing, rdnsUnconfirmed)
	generic, stale2 := j.counts(rdnsGeneric, rdnsDynamic)
	unrelated, stale3 := j.counts(heloUnrelated)
	if !unnamed && !generic && !unrelated {
		return
	}
	pairs := [...]struct {
		holds           bool
		elsewhere, bare kind
		stale           bool
	}{
		{unnamed, unnamedElsewhere, unnamedBare, stale1},
		{generic, genericElsewhere, genericBare, stale2},
		{unrelated, unrelatedElsewhere, unrelatedBare, stale3},
	}
	elsewhere, bare := f.fromElsewhere(), f.heloBare()
	for _, pair := range pairs {
		if pair.holds && elsewhere {
			j.say(pair.elsewhere, "HELO "+f.Helo.Name+", sender "+f.Sender.Domain, pair.stale)
		}
		if pair.holds && bare {
			j.say(pair.bare, "HELO "+f.helo.host, pair.stale)
		}
	}
}

// counts reports whether one of two findings was said and counts, and whether it
// rests on an answer past its expiry.
func (j *Judgement) counts(kinds ...kind) (ok, stale bool) {
	for i, k := range j.said {
		if slices.Contains(kinds, k) && !j.Findings[i].Monitor {
			return true, j.Findings[i].Stale
		}
	}
	return false, false
}

// fromElsewhere reports whether nothing of the client's own names has to do with
// the sender's domain: neither HELO nor a PTR name is under the same registered
// domain, but one that does not lead back to the client, which anybody can have.
// A HELO with a mail word is left out: services that send for others are called
// so.
func (f *facts) fromElsewhere() bool {
	if !f.claimsDomain() || f.Helo.Given != Shown || f.helo.nature.Mail {
		return false
	}
	domain := OrgDomain(f.Sender.Domain)
	if f.helo.host != "" && OrgDomain(f.helo.host) == domain {
		return false
	}
	for _, name := range f.names() {
		if name.Forward != Mismatch && OrgDomain(name.Name) == domain {
			return false
		}
	}
	return true
}

// heloBare reports whether HELO is a registered domain itself, without the name of
// a host.
func (f *facts) heloBare() bool {
	return f.helo.asked() && OrgDomain(f.helo.host) == f.helo.host
}

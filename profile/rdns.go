package profile

// judgeRDNS judges the client's reverse DNS (iprev, RFC 8601 section 3).
func (j *Judgement) judgeRDNS(f *facts) {
	stale := f.RDNS.Stale
	switch f.RDNS.Outcome {
	case NoData, NoName:
		j.say(rdnsMissing, "", stale)
	case Failed:
		j.say(rdnsError, "PTR", false)
	case NotAsked:
		if f.RDNS.Nameless {
			j.say(j.lesserNameless(), "missing or unconfirmed", stale)
		}
	case Found:
		j.judgeForward(f)
		j.judgeNature(f)
	}
}

// lesserNameless chooses between the two findings that may hold of a client which
// no name leads back to: the one that weighs less.
func (j *Judgement) lesserNameless() kind {
	if j.policy.points(rdnsMissing) < j.policy.points(rdnsUnconfirmed) {
		return rdnsMissing
	}
	return rdnsUnconfirmed
}

// judgeForward looks whether any name leads back to the client. One name that
// could not be asked may be the one that does: then nothing is proven.
func (j *Judgement) judgeForward(f *facts) {
	mismatches, failures := 0, 0
	for _, name := range f.names() {
		switch name.Forward {
		case Mismatch:
			mismatches++
		case ForwardFailed:
			failures++
		}
	}
	switch n := len(f.names()); {
	case n == 0:
	case mismatches == n:
		j.say(rdnsUnconfirmed, f.names()[0].Name, f.RDNS.Stale)
	case failures == n:
		j.say(rdnsError, "forward look-up of "+f.names()[0].Name, false)
	}
}

// judgeNature looks whether the names are a provider's defaults. The confirmed
// ones decide; if none is confirmed, all do.
func (j *Judgement) judgeNature(f *facts) {
	low, high, at := f.natureRange()
	if low == Plain {
		return
	}
	detail := f.RDNS.Names[at].Name + " (" + f.nature(at).Sign + ")"
	if j.lesserNature(low, high) == Dynamic && j.say(rdnsDynamic, detail, f.RDNS.Stale) {
		return
	}
	j.say(rdnsGeneric, detail, f.RDNS.Stale)
}

// lesserNature chooses between what the names may turn out to be: where that
// is not known, the finding that weighs less.
func (j *Judgement) lesserNature(low, high Kind) Kind {
	if low != high && j.policy.points(rdnsDynamic) < j.policy.points(rdnsGeneric) {
		return high
	}
	return low
}

// natureRange returns the least and the most that the deciding names can be,
// over all answers that the forward look-ups still unknown could have had, and
// the place of a name that shows the least.
func (f *facts) natureRange() (low, high Kind, at int) {
	names := f.names()
	if len(names) == 0 {
		return Plain, Plain, 0
	}
	confirmed, open := false, false
	for _, name := range names {
		confirmed = confirmed || name.Forward == Confirmed
		open = open || name.Forward == ForwardFailed || name.Forward == ForwardNotAsked
	}
	low, high = Dynamic, Plain
	consider := func(i int, k Kind) {
		if k < low {
			low, at = k, i
		}
		high = max(high, k)
	}
	for i, name := range names {
		nature := f.nature(i)
		if name.Forward != Mismatch { // confirmed, or perhaps
			consider(i, nature.asConfirmed())
		}
		if !confirmed { // perhaps none is, and all decide
			consider(i, nature.Kind)
		}
	}
	if !open {
		high = low // the least of them is the answer, not a guess
	}
	return low, high, at
}

package profile

import "slices"

// identity answers whether the address has a record for the domain it claims:
// the sender's, or for the null sender the one of HELO (RFC 7208 section 2.4).
// "no" takes an answer to each of the questions.
func (f *facts) identity() Identity {
	claimed, host := f.Sender.Domain, &f.Sender.Host
	if f.Sender.Null && f.helo.labels >= 2 {
		claimed, host = f.helo.host, &f.Helo.Host
	}
	if claimed == "" || f.Sender.Given != Shown {
		return Identity{Answer: "unknown"}
	}
	known := true
	for _, by := range [...]string{"spf", "mx", "a", "ptr", "helo"} {
		switch f.record(by, claimed, host) {
		case there:
			return Identity{Answer: "yes", By: by}
		case unknown:
			known = false
		}
	}
	if !known {
		return Identity{Answer: "unknown"}
	}
	return Identity{Answer: "no"}
}

// record says whether there is a record of one kind for the claimed domain that
// names the client.
func (f *facts) record(by, claimed string, host *Host) lookup {
	switch by {
	case "spf":
		return f.spfLookup()
	case "mx":
		return f.exchangeLookup()
	case "a":
		return host.leadsTo(f.Client)
	case "ptr":
		return f.ptrUnder(claimed)
	}
	return f.heloUnder(claimed)
}

func (f *facts) spfLookup() lookup {
	switch {
	case f.SPF.Outcome == SPFPass:
		return there
	case f.SPF.Outcome.Known():
		return absent
	}
	return unknown
}

// exchangeLookup looks among the MX hosts of the sender's domain. A HELO name
// receives no mail: it needs no MX.
func (f *facts) exchangeLookup() lookup {
	s := &f.Sender
	switch {
	case s.Null || s.MX.Missing() || s.NullMX:
		return absent
	case s.MX != Found || len(s.Exchanges) == 0:
		return unknown
	case f.isExchange():
		return there
	}
	open := func(x Exchange) bool { return !x.literal() && x.Host.leadsTo(f.Client) == unknown }
	if slices.ContainsFunc(s.Exchanges, open) {
		return unknown
	}
	return absent
}

// ptrUnder looks for a confirmed PTR name, not a provider's default, that has
// the registered domain of the claimed one.
func (f *facts) ptrUnder(claimed string) lookup {
	switch {
	case f.RDNS.Outcome.Missing(), f.RDNS.Nameless && f.RDNS.Outcome == NotAsked:
		return absent
	case f.RDNS.Outcome != Found:
		return unknown
	}
	domain, found := "", absent
	for i, name := range f.names() {
		if name.Forward == Mismatch {
			continue
		}
		if domain == "" {
			domain = OrgDomain(claimed)
		}
		if OrgDomain(name.Name) != domain || f.nature(i).asConfirmed() != Plain {
			continue
		}
		if name.Forward == Confirmed {
			return there
		}
		found = unknown
	}
	return found
}

// heloUnder says whether HELO is a name of the claimed domain's, not a
// provider's default, that leads to the client.
func (f *facts) heloUnder(claimed string) lookup {
	switch {
	case f.Helo.Given == Unseen:
		return unknown
	case f.helo.labels < 2 || f.helo.nature.asConfirmed() != Plain || OrgDomain(f.helo.host) != OrgDomain(claimed):
		return absent
	}
	return f.helo.forward
}

package dnsbl

import (
	"cmp"
	"net/netip"
	"strings"
)

// What an operator may do about a list that does not count.
const (
	remedySilent  = "nothing, if it passes; else see whether its zone still exists, and whether the resolver may ask it"
	remedyOutage  = "see the resolver and the line: no list is taken to be silent for this, and nothing is refused that a list could have saved"
	remedyEmpty   = "see whether the list has closed, then take it out of lists.use; or whether the resolver cuts 127.0.0.0/8 out of answers"
	remedyAll     = "take it out of lists.use until its operator has said what happened"
	remedyRewrite = "use a resolver of your own: this one answers names that do not exist (RFC 6761 section 6.4)"
	remedyOutside = "see who owns the zone now: no list answers so; or a resolver rewrites"
	remedyOwnDNS  = "ask through a resolver of your own, whose address has a reverse name, not a public one"
	remedyKey     = "see that the key in lists.keys is the one of this account, and not ended"
	remedyVolume  = "ask less, or take a contract: this much is not free"
	remedyZone    = "see the zone, for a misspelling"
	remedyAsk     = "see the list's terms, and whether this resolver is registered"
	remedyStrange = "it weighs nothing: see what the list's operator says that it means, and give it a code in a [[lists.own]] of this id"
	remedyPoison  = "nothing, if it passes; else see whether you ask more than is free"
)

// refusals are the words by which catalogues describe refusals, and their remedies.
var refusals = []struct{ word, remedy string }{
	{"public", remedyOwnDNS},
	{"open resolver", remedyOwnDNS},
	{"key", remedyKey},
	{"typing", remedyZone},
	{"too many", remedyVolume},
	{"over the query limit", remedyVolume},
	{"not registered", remedyAsk},
	{"refused", remedyOwnDNS},
}

// refusalRemedy says what to do about an error code of a list.
func refusalRemedy(l *List, code *Code) string {
	remedy := remedyAsk
	for _, r := range refusals {
		if r.remedy == remedyKey && l.key == nil {
			continue // a list without a key says so of keys in general
		}
		if strings.Contains(code.Meaning, r.word) {
			remedy = r.remedy
			break
		}
	}
	if l.Instead != "" {
		remedy += "; or use " + l.Instead
	}
	return remedy
}

// refusalReason says which error code came and what it means.
func refusalReason(addr netip.Addr, code *Code) string {
	return addr.String() + ": " + cmp.Or(code.Meaning, "an error by the list's own words")
}

// misread reports whether an error code speaks of the question and not of us: a
// domain list was asked about an address. A client that names itself like one
// could else switch the list off.
func misread(l *List, code *Code) bool {
	return l.Asks.Has(Domain) && code.Answer == "127.0.1.255"
}

// token is a reason as it may be shown: a word like "timeout". Anything else
// could hold the name that was asked, and with it a key.
func token(reason string) string {
	for _, c := range []byte(reason) {
		if (c < 'a' || c > 'z') && c != '-' || len(reason) > 20 {
			return "failed"
		}
	}
	return cmp.Or(reason, "failed")
}

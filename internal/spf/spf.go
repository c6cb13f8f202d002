// Package spf says whether a client may send for the domain it names, by the
// rules of RFC 7208.
//
// The evaluation is blitiri.com.ar/go/spf. Around it stand three things of ours.
// A resolver that tells "no such record" from "could not find out", so that a
// failed question is never a permanent result. A reading of each record before
// it is evaluated, which finds the syntax errors that the library overlooks
// (RFC 7208 section 4.6) and asks in parallel for what the record leads to. And
// a bounded memory of results. It decides nothing about mail.
//
// Explanations (exp=) are checked and not fetched: a stranger's text has no
// place in our replies. docs/spf.md says where the results differ from the
// conformance suite.
package spf

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// An Outcome is the result of a check (RFC 7208 section 2.6). The zero Outcome
// is NotAsked.
type Outcome uint8

// The outcomes. Only TempError is about us and the DNS, and not about the record.
const (
	NotAsked  Outcome = iota // no client address, or a sender that is no address
	None                     // no record, or no domain that could have one
	Neutral                  // the domain does not say
	Pass                     // the client may send
	Fail                     // the client may not send
	SoftFail                 // the client probably may not send
	TempError                // a question failed: ask again later
	PermError                // the record cannot be understood
)

var outcomes = [...]string{"not-asked", "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}

// String is the result as RFC 7208 writes it.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "unknown"
}

// An Identity says which name was checked.
type Identity string

// The identities (RFC 7208 sections 2.3 and 2.4).
const (
	MailFrom Identity = "mailfrom"
	Helo     Identity = "helo"
)

// A Query is what a client showed.
type Query struct {
	Client netip.Addr // IPv4-mapped is IPv4; the zone of an IPv6 address is ignored
	Helo   string     // as sent
	Sender string     // local@domain without brackets; "" for the null sender
}

// A Result is what is known of the right to send. It is read-only: the memory
// of results shares it.
type Result struct {
	Outcome  Outcome
	Never    bool     // Fail, and the record is "v=spf1 -all" alone: the domain sends no mail
	Identity Identity // what was checked: the HELO name only for the null sender
	Domain   string   // that was checked: lower case, A-labels; as given when it can have no record

	// Mechanism is the term that decided, with the qualifier that its record
	// gives it, and after it those which led there: "~all",
	// "ip4:192.0.2.0/24, include:_spf.example.com". "" when none did.
	// It quotes the domain's record: printable ASCII, for the operator alone.
	Mechanism string
	// Reason says why there is no verdict, likewise: "no SPF record",
	// "TXT example.com: timeout". "" where Mechanism says it all.
	Reason string

	Stale   bool          // rests on an answer past its expiry
	Lookups []Lookup      // in the order of asking; nil from the memory of results
	Cached  bool          // it is from there
	Age     time.Duration // how long ago it was checked, then
	ByLocal bool          // it rests on the sender's local part: questions may hold that

	expires time.Time // when to ask again; zero: at once
	by      letters   // what else the result depends on
}

// A Lookup is one question of a check.
type Lookup struct {
	Type   string // TXT, MX, A, AAAA or PTR
	Name   string // of PTR: the client's address
	Answer Answer
	Used   bool // the result rests on it; others were asked ahead in vain
}

// Check judges q by the domain's record. It waits until r has answered, at most
// until ctx ends, and leaves no question behind. It is safe for concurrent use
// if r is.
func Check(ctx context.Context, r Resolver, q Query) Result {
	s, early := newSubject(q)
	if early.Outcome != NotAsked || s.domain == "" {
		return early
	}
	return s.check(ctx, r)
}

// A subject is a query made ready: who asks to send for which domain.
type subject struct {
	client   netip.Addr
	domain   string // lower case, A-labels, at least two of them
	local    string // masked; "postmaster" when there is none
	helo     string // masked
	identity Identity
}

// newSubject makes q ready. Without a domain that can have a record, the early
// result is final and the subject is empty.
func newSubject(q Query) (s subject, early Result) {
	if !q.Client.IsValid() {
		return subject{}, Result{}
	}
	s = subject{client: q.Client.Unmap().WithZone(""), local: "postmaster", helo: masked(q.Helo), identity: Helo}
	domain := q.Helo // RFC 7208 section 2.4
	if q.Sender != "" {
		at := strings.LastIndexByte(q.Sender, '@')
		if at < 0 {
			return subject{}, Result{}
		}
		s.identity, domain = MailFrom, q.Sender[at+1:]
		if at > 0 { // RFC 7208 section 4.3
			s.local = masked(q.Sender[:at])
		}
	}
	var ok bool
	if s.domain, ok = checkable(domain); !ok {
		return subject{}, Result{Outcome: None, Identity: s.identity, Domain: clip(domain), Reason: "no domain that can have a record"}
	}
	return s, Result{}
}

// checkable brings a domain into the form in which it is asked for. It is false
// for what RFC 7208 section 4.3 answers at once: malformed, or a single label.
func checkable(domain string) (string, bool) {
	domain = strings.TrimSuffix(domain, ".")
	if len(domain) > 4*maxName {
		return "", false
	}
	if !ascii(domain) {
		a, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return "", false
		}
		domain = a
	}
	domain = strings.ToLower(domain)
	if !hostName(domain) || !strings.Contains(domain, ".") {
		return "", false
	}
	return domain, !numeric(domain[strings.LastIndexByte(domain, '.')+1:])
}

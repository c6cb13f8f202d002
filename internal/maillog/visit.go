package maillog

import (
	"net/netip"
	"strings"
	"time"
)

// A Name says what the MTA's log tells of the client's reverse DNS.
type Name uint8

// What it may tell.
const (
	NotLookedUp   Name = iota // nothing: postscreen asks for no name
	Confirmed                 // there is a name, and it leads back
	Unconfirmed               // there is a name, and it does not lead back
	Unproven                  // there is a name, and whether it leads back could not be found out
	Missing                   // there is none
	Indeterminate             // none, one that does not lead back, or DNS failed: "unknown"
)

// An Outcome is what became of a visit.
type Outcome uint8

// The outcomes, by how much came of it: of several recipients the best counts.
const (
	NoAnswer Outcome = iota // the log does not tell
	Refused                 // 5yz
	Deferred                // 4yz
	Accepted
)

// String gives the word that stands for it, "" for NoAnswer.
func (o Outcome) String() string { return [...]string{"", "refused", "deferred", "accepted"}[o] }

// A Visit is one transaction, or a client that was turned away before. What is zero
// is not known.
type Visit struct {
	Time       time.Time
	MTA        string // postfix, sendmail
	Host       string // whose log it is
	Queue      string // queue id
	Submission bool   // at a door where users log in
	Client     netip.Addr
	PTR        string
	Name       Name
	Helo       string
	From       string // address, or "<>"
	SPF        string // result, in lower case
	Account    string
	Rcpts      []string // at most maxRcpts
	Unknown    int      // recipients that were refused, since they do not exist
	Outcome    Outcome

	before *Visit // of the same connection, turned away before this had a queue id

	done bool // nothing more is to come
	out  bool // it was given, or there is nothing to give
}

// keep is a copy of a part of a line that does not hold the line. More than any name
// or address may have is cut.
func keep(s string) string { return strings.Clone(s[:min(len(s), 512)]) }

// maxRcpts bounds the recipients kept of one visit.
const maxRcpts = 100

func (v *Visit) addRcpt(rcpt string) {
	if rcpt == "" || len(v.Rcpts) >= maxRcpts {
		return
	}
	for _, known := range v.Rcpts {
		if known == rcpt {
			return
		}
	}
	v.Rcpts = append(v.Rcpts, keep(rcpt))
}

// better notes what became of a recipient, or of the whole.
func (v *Visit) better(o Outcome) { v.Outcome = max(v.Outcome, o) }

// refused notes the answer to a recipient that is no acceptance.
func (v *Visit) refused(code string) {
	v.better(class(code))
	for _, status := range [...]string{"5.1.1 ", "5.1.10 "} { // RFC 3463 section 3.2, RFC 7505 section 4.1
		if strings.HasPrefix(strings.TrimPrefix(code, "550 "), status) {
			v.Unknown++
		}
	}
}

// A peer is a client as a line names it.
type peer struct {
	addr netip.Addr
	ptr  string
	name Name
}

// take fills in the client.
func (v *Visit) take(p peer) {
	v.Client, v.PTR, v.Name = p.addr, keep(p.ptr), p.name
}

// parseIP reads an address as MTAs write it, with or without IPv6:.
func parseIP(s string) (netip.Addr, bool) {
	if len(s) > 5 && strings.EqualFold(s[:5], "ipv6:") {
		s = s[5:]
	}
	addr, err := netip.ParseAddr(s)
	return addr.Unmap().WithZone(""), err == nil
}

// mailbox is an address out of <...>; "<>" for the null sender.
func mailbox(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	if s == "" {
		return "<>"
	}
	return s
}

// class is the outcome that a reply code or enhanced status stands for.
func class(code string) Outcome {
	switch {
	case strings.HasPrefix(code, "4"):
		return Deferred
	case strings.HasPrefix(code, "5"):
		return Refused
	}
	return NoAnswer
}

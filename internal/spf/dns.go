package spf

import (
	"context"
	"net/netip"
	"time"
)

// A Resolver answers the questions of a check. Its methods are called
// concurrently, return when ctx ends at the latest, and may share what they
// return with others: it is not changed here.
//
// Names are given in lower case and without the last dot, in printable ASCII; a
// backslash in a name is written twice (RFC 1035 section 5.1).
type Resolver interface {
	// TXT gives the texts of name, the strings of each record joined.
	TXT(ctx context.Context, name string) Answer
	// MX gives the mail exchangers of name, the most preferred first; the root is "".
	MX(ctx context.Context, name string) Answer
	// Addrs gives the IPv4 or the IPv6 addresses of name.
	Addrs(ctx context.Context, name string, v6 bool) Answer
	// PTR gives the names of an address.
	PTR(ctx context.Context, addr netip.Addr) Answer
}

// A Status says how a question ended. The zero Status is Failed.
type Status uint8

// The ends of a question.
const (
	Failed Status = iota // no usable answer; Reason says why
	Found                // there are such records
	NoData               // the name exists, without such records
	NoName               // there is no such name
)

// An Answer is what a question gave.
type Answer struct {
	Status  Status
	Reason  string       // when Failed, in a word: "timeout"
	Texts   []string     // of TXT
	Names   []string     // of MX and PTR
	Addrs   []netip.Addr // of A and AAAA
	Partial bool         // there was more: what is not here may still be there
	Stale   bool         // past its expiry, for want of a newer one
	Cached  bool         // nothing was asked for it
	Took    time.Duration
	Age     time.Duration // how long it had been known, where it is Cached
	Expires time.Time     // when to ask again; zero: nothing that rests on it may be kept
}

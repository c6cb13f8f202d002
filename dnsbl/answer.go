package dnsbl

import (
	"context"
	"net/netip"
	"time"
)

// An Asker asks DNS. It keeps no answers: this package keeps its own, packed. It
// must be safe for concurrent use, return soon after ctx ends, and never retain
// or print a name, which may hold a secret key.
type Asker interface {
	A(ctx context.Context, name string) Reply
	TXT(ctx context.Context, name string) Reply
}

// An Outcome says how a question ended.
type Outcome uint8

// The outcomes. The zero Outcome is Failed: unknown is never evidence.
const (
	Failed Outcome = iota // no usable answer: Reason says why
	Found                 // there are such records
	None                  // NXDOMAIN, or no such records
)

// A Reply is what an Asker got.
type Reply struct {
	Outcome Outcome
	Addrs   []netip.Addr // of A
	Texts   []string     // of TXT, raw octets
	Reason  string       // when Failed: "timeout", "servfail", "refused", ...
	Stale   bool         // past its expiry, because no server answers
	Expires time.Time    // until when it may be kept
	Took    time.Duration
}

// A Subject is what lists are asked about.
type Subject struct {
	Addr  netip.Addr // at Connect, Bounce and Auth
	Name  string     // at PTR, Helo and Mail: lower case, A-labels, no last dot
	Stage Stage
}

// A State says what a list holds of a subject.
type State uint8

// The states. The zero State is Unknown.
const (
	Unknown State = iota // no answer that could be used: Reason says why
	Clear                // not listed; Matches may hold answers of no declared meaning
	Hit                  // listed by at least one declared code
)

// The reasons of Unknown beside those of the Asker.
const (
	Budget  = "budget"      // the context ended first
	Pending = "pending"     // the answer is still out, in a partial result only
	Refusal = "refusal"     // the list answered with an error code
	Outside = "outside-127" // it answered with an address outside 127.0.0.0/8: not a list's answer at all
	Suspect = "suspect"     // it answered with a code that says it may be lying
	Away    = "away"        // it is not asked now, and Missed
)

// A Match is one address of an answer and what it means.
type Match struct {
	Addr netip.Addr
	Code *Code // nil: no declared meaning; it weighs nothing
}

// An Answer is what one list says of a subject.
type Answer struct {
	List    *List
	State   State
	Matches []Match       // also of Unknown, where addresses came: evidence about the list, not about the subject
	Reason  string        // of Unknown; after Merge also of a part that is unknown
	Stale   bool          // past its expiry, by at most an hour: it may lift or defer, never support a rejection
	Cached  bool          // nothing was asked for it
	Took    time.Duration // of the question
	Heard   time.Time     // of what came: when, or some time later
}

// Points is what the answer weighs: 0 unless State is Hit, negative when it
// speaks for the client.
func (a *Answer) Points() float64 {
	if a.State != Hit {
		return 0
	}
	return Weigh(a.Matches)
}

// An Absence is a set of what holds of a list that does not count now. It bears on what
// speaks for a client alone: nothing that such a list said is held against anybody.
type Absence uint8

// What may hold of a list that does not count.
const (
	Remembered Absence = 1 << iota // nobody doubts what it said before: that may still speak for a client
	Missed                         // it gives no answer since a short while: the one that is not there might have spoken for a client
)

// A Watch is told of each answer and says which lists count. Health is one. It
// must be safe for concurrent use; Counts is called on the way of every visit.
type Watch interface {
	// Counts reports whether the list may be asked and its answers count.
	Counts(id string) bool
	// Absence says what is made of a list that does not count.
	Absence(id string) Absence
	// Generation is a number that is another one after each time that the list
	// was doubted: what it said before is not used again.
	Generation(id string) uint32
	// Saw is told of each question that was asked, once, before its answer is
	// acted on, also when it failed. One given up at the deadline of the last
	// who waited is told as Unknown by Budget, with how long that was; one given
	// up by somebody's wish is told so after a second only. It must not block.
	Saw(a *Answer)
}

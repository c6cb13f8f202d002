// Package directory answers one question: does this recipient exist, since when,
// on which plan, with which settings.
//
// A Source asks one backend: a file, a database, an LDAP server, the next hop. It
// knows addresses of the form local@domain and nothing of the rest. What all of
// them need - aliases of domains, plus-addresses, catch-alls, a cache, one question
// in flight for an address, a circuit breaker - stands before them and is written
// once. Sources that need modules of other people, or a network, are packages below
// this one.
//
// The answer has four ends, and the one that matters is Failed: a directory that is
// down says nothing of a recipient, so nobody is refused for it.
package directory

import (
	"context"
	"errors"
	"time"
)

// A Result is what a directory says of a recipient. The zero Result is Unknown.
type Result uint8

const (
	// Unknown says that the source does not speak for this address: it holds
	// nothing of the domain, or was not asked. It is evidence of nothing.
	Unknown Result = iota
	// Yes says that mail for the recipient is taken.
	Yes
	// No says that the source speaks for the domain and has no such recipient.
	No
	// Failed says that the source could not be asked, did not answer in time, or
	// answered what makes no sense. It is never read as No.
	Failed
)

// String is the word of log lines, metrics and status: "unknown", "yes", "no" or "failed".
func (r Result) String() string {
	switch r {
	case Yes:
		return "yes"
	case No:
		return "no"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// An Address is a recipient as a Source is asked for it.
type Address struct {
	Local  string // as sent, without the quotes of a quoted string (RFC 5321 section 4.1.2); case kept; may be UTF-8 (RFC 6531)
	Domain string // lower case, in A-labels, without a trailing dot; never empty
}

// String is the address as a look-up key: local@domain.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// An Entry is the answer for one address.
type Entry struct {
	Result   Result
	Created  time.Time         // when the account was made, UTC; zero where the source does not say
	Plan     string            // "" where the source does not say
	Settings map[string]string // what else the source says, by name; nil where nothing; shared, so nobody changes it
	Err      error             // why, with Failed, and with Unknown where there is more to say; nil else. It may name hosts and files, never a secret or the address
}

// A Source answers for the addresses of one backend.
//
// Lookup may wait as long as ctx, which always has a deadline; where it ends, the
// answer is Failed with ctx's error. It is asked for exactly the address given: the
// callers walk plus-addresses and domain aliases, and ask a second time for a
// catch-all, with the empty Local. A source that has no catch-alls answers No there.
// It must be safe for concurrent use: the callers hold the number of questions at a
// time down, and never ask for one address twice at a time.
//
// Close lets go of connections and files, and waits for goroutines of its own. It is
// called once, when no Lookup is under way any more.
type Source interface {
	Lookup(ctx context.Context, a Address) Entry
	Close() error
}

// A CaseBlind is a Source to which the case of a local part means nothing: it asks in
// lower case, whatever it is given.
type CaseBlind interface {
	Source
	// IgnoresCase is never called: it tells such a Source from others.
	IgnoresCase()
}

// ErrUnavailable is the Err of an answer that no question was asked for: the source
// has failed too often of late and is left alone for a while.
var ErrUnavailable = errors.New("source is left alone after failures")

// ErrLate is the Err of an answer that did not come within the deadline of who asked. It
// is a [context.DeadlineExceeded] too.
var ErrLate error = lateError{}

type lateError struct{}

func (lateError) Error() string        { return "it did not answer in time" }
func (lateError) Is(target error) bool { return target == context.DeadlineExceeded }

// Fail is the Entry of a source that could not answer.
func Fail(err error) Entry { return Entry{Result: Failed, Err: err} }

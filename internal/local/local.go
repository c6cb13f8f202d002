// Package local is the operator's own word: who is let in, kept out, or given
// points by hand, in rules or in whole files.
//
// It decides whether a rule matches what a client has shown. What a match means
// for the verdict, and when it is spoken, is for its callers. It starts no
// goroutine and reads no clock: the owner calls Set.Refresh now and then, which
// looks at the files and takes in those that changed.
//
// Files hold one entry a line; see parsePlain for the form, and formats.go for
// the files of rbldnsd(8).
package local

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// An Action is what a rule that matches asks for. Deny goes before Allow, and
// Allow before Points: that is also the order of their values.
type Action uint8

// The actions.
const (
	Deny Action = iota
	Allow
	Points
)

// String gives the word of the configuration.
func (a Action) String() string {
	switch a {
	case Deny:
		return "deny"
	case Allow:
		return "allow"
	case Points:
		return "points"
	}
	return "action(" + strconv.Itoa(int(a)) + ")"
}

// A Field is the part of a Subject that an entry is held against.
type Field uint8

// The fields, by the words that stand before the colon.
const (
	Client  Field = iota // "client": address or network
	PTR                  // "ptr": a confirmed name, or its domain
	Helo                 // "helo": the name of HELO, or its domain
	From                 // "from": the sender's address or domain
	Rcpt                 // "rcpt": the recipient's address or domain
	Account              // "account": the login name of SMTP AUTH
	Country              // "country": two letters, ISO 3166
	ASN                  // "asn": the number of a network, RFC 6793

	fields = iota
)

var fieldNames = [fields]string{"client", "ptr", "helo", "from", "rcpt", "account", "country", "asn"}

// String gives the word of the configuration.
func (f Field) String() string {
	if int(f) < len(fieldNames) {
		return fieldNames[f]
	}
	return "field(" + strconv.Itoa(int(f)) + ")"
}

// A Rule is one [[local]] of the configuration.
type Rule struct {
	// Match lists what the rule is for; one that matches is enough. Each is
	// "type:value" with the type of a Field (see parseValue for the values), or
	// "file:/path", "file:ip4set:/path", "file:ip4trie:/path", "file:dnset:/path".
	Match   []string
	Action  Action
	Points  float64   // for Points; negative speaks for the client
	Owner   string    // who is to be asked
	Reason  string    // why, such as a ticket
	Expires time.Time // the last day on which it holds, in UTC; only its date counts. Zero: for ever
	Where   string    // "file:line" of the rule, for messages
}

// until gives the moment from which a rule with this date holds no more, in
// Unix seconds.
func until(date time.Time) int64 {
	if date.IsZero() {
		return never
	}
	y, m, d := date.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC).Unix()
}

// A Problem is something that the operator should put right.
type Problem struct {
	File   string // the configuration's, or the list's
	Line   int    // from 1; 0 when the whole file is meant
	What   string // one line of printable text
	Remedy string // what to do about it
	// Warning: all that was written counts, but perhaps not as meant. Otherwise
	// something that the operator wrote does not count: a line, a file or a rule.
	Warning bool
}

// String gives "file:line: what; remedy".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// A Subject is what a client has shown. Whatever is left zero is not asked
// about and matches nothing: so the facts of a visit can be asked about once,
// and each recipient with a Subject of its Rcpt alone.
type Subject struct {
	Client     netip.Addr
	PTR        []string // confirmed names only: others are anybody's to choose
	Helo       string   // as sent
	From       string   // local@domain as sent, without angle brackets; "<>" for the null sender
	FromDomain string   // its domain in A-labels; "" takes what stands behind the last @ of From
	Rcpt       string   // local@domain as sent, without angle brackets
	Account    string
	Country    string // "DE"
	ASN        uint32 // of the network of Client; 0 for none
	Network    string // who runs that, for Detail alone
}

// A Hit is a rule that matches, and by what.
type Hit struct {
	Action Action
	Points float64 // of the rule; 0 unless Action is Points
	Field  Field   // the first that matched. Rcpt concerns this recipient only
	Rule   int     // index of the rule, in the order given to Load
	Match  string  // the matcher of the rule, as written: "client:192.0.2.0/24", "file:/etc/deny.txt"
	File   string  // the file that holds the entry; "" when it stands in the rule itself
	Line   int     // of the entry in File
	Note   string  // what File says beside the entry
	Shown  string  // by Country or ASN: what the subject has there, "DE" or "64500 (EXAMPLE-NET)"
	Owner  string
	Reason string
	Where  string // of the rule
}

// Detail tells the operator which entry matched, and whose it is. It may hold
// addresses that the operator wrote down; it is never for the client.
func (h Hit) Detail() string {
	var b strings.Builder
	if h.File != "" {
		b.WriteString(h.Field.String())
		if h.Shown != "" {
			b.WriteString(" " + h.Shown)
		}
		fmt.Fprintf(&b, " in %s:%d", h.File, h.Line)
		if h.Note != "" {
			b.WriteString(" (" + h.Note + ")")
		}
	} else {
		b.WriteString(h.Match)
		if name := strings.IndexByte(h.Shown, ' '); h.Field == ASN && name > 0 { // the number stands in Match
			b.WriteString(h.Shown[name:])
		}
	}
	if h.Reason != "" {
		b.WriteString(": " + h.Reason)
	}
	switch {
	case h.Owner != "" && h.Where != "":
		b.WriteString(" [" + h.Owner + ", " + h.Where + "]")
	case h.Owner+h.Where != "":
		b.WriteString(" [" + h.Owner + h.Where + "]")
	}
	return b.String()
}

package engine

import (
	"net/netip"

	"mailprofiled/profile"
)

// A Client is the connecting side as the MTA described it at connect.
type Client struct {
	Addr  netip.Addr // unmapped; the zero Addr when Local or when the MTA could not tell
	Local bool       // unix socket (family L) or unknown family (U): judged as an exempt network
	MTA   MTA
	Door  *Door // where the MTA came in; nil: one without settings of its own
}

// The roles of doors. At one of RoleSubmission an operator's own customers log in.
const (
	RoleMX         = "mx" // also of a door without settings of its own
	RoleSubmission = "submission"
)

// A Door is one place where MTAs come in, with what differs there. It is not
// changed once it is in use.
type Door struct {
	Name         string         // its place, "unix:/run/mailprofiled/submission.sock"
	Role         string         // mx or submission. It changes no verdict: an unauthenticated client is judged alike at both
	AnswerAtMail bool           // in place of that of Options
	Networks     []netip.Prefix // exempt there, besides those of Options
}

// An MTA is what the MTA said of itself, by macros.
type MTA struct {
	Name       string     // {j}
	IfAddr     netip.Addr // {if_addr}, Sendmail only; the zero Addr when not told
	DaemonAddr netip.Addr // {daemon_addr}
	DaemonName string     // {daemon_name}
}

// A Mail opens a transaction.
type Mail struct {
	From    string // the bytes the MTA sent, brackets included, ESMTP arguments cut
	Account string // {auth_authen}, "" when not authenticated
	QueueID string // {i}, "" when not known yet
}

// A Rcpt is one recipient of a transaction.
type Rcpt struct {
	To      string // the bytes the MTA sent, brackets included, ESMTP arguments cut
	QueueID string // {i}
	Refused bool   // the MTA refuses it itself ({rcpt_mailer} is "error"): nothing we answer matters
	Status  string // {rcpt_host} then: the MTA's enhanced status code, "5.1.1"
}

// An Answer is what the MTA is to be told. The zero Answer is: go on.
type Answer struct {
	Action profile.Action
	Code   int    // 450, 550, ...; 0 on Continue
	Status string // "5.7.25"; its class is Code's first digit
	Text   string // one line of US-ASCII, without codes and id
	Help   string // a URL that explains the answer, "" for none; said whole or not at all
	ID     string // the transaction's id, 12 of [0-9a-z]
}

package profile

import "net/netip"

// An Outcome says how one DNS question ended. The zero Outcome is NotAsked.
// A question that failed proves nothing (law 1), but it blocks a reject which
// its answer could have lifted (law 2); one that was not asked blocks nothing.
type Outcome uint8

const (
	NotAsked Outcome = iota
	Found            // answered: such records exist
	NoData           // answered: the name exists, without such a record
	NoName           // answered: NXDOMAIN
	Failed           // asked, and no usable answer: timeout, SERVFAIL, refusal, nonsense, out of budget
)

// Missing reports whether the answer is that there is no such record.
func (o Outcome) Missing() bool { return o == NoData || o == NoName }

// Known reports whether an answer was had, whatever it says.
func (o Outcome) Known() bool { return o == Found || o.Missing() }

// Given says whether the client has shown a thing yet. The zero Given is
// Unseen: not known, as when an operator asks explain without --helo.
type Given uint8

const (
	Unseen   Given = iota // not known
	Withheld              // known to be absent: MAIL without HELO
	Shown                 // seen, and then it may still be empty
)

// Trust says how the client stands to us. Server checks are for strangers only (law 4).
type Trust uint8

const (
	Stranger      Trust = iota
	Exempt              // loopback, a unix socket, an unknown family, or an exempt network
	Authenticated       // the MTA named the account at MAIL, and exempt.authenticated holds
)

// A Session is what is known of one client and its current transaction. It is a
// plain value: judging it changes nothing, and a copy may be judged elsewhere. What
// Us and Lists lead to is kept by its Judgement, and must not be changed after.
type Session struct {
	Client  netip.Addr // unmapped, without zone; the zero Addr when unknown
	Trust   Trust
	Us      *Us // nil: nothing is ours
	RDNS    RDNS
	Helo    Helo
	Sender  Sender
	SPF     SPF
	History History
	Lists   []ListHit  // in the order of the lists, which breaks ties of who speaks; the first 64 are looked at
	Local   []LocalHit // of rules about anything but the recipient
	Trap    string     // the client wrote to a trap lately: which sign of it, for the operator; "" for none
	Hijack  *Hijack    // the account that the client has logged in by seems stolen; nil: it does not
	Blocked *Block     // the account that the client has logged in by may not send; nil: it may
}

// A History is how the server, or its operator, behaved before. The zero History says
// nothing: where nothing is remembered, nothing is proven.
type History struct {
	Good, Bad string // why it is so, for the operator; "" where it is not
	New       bool   // it is known never to have had a message taken here
	Helos     int    // so many HELO domains that do not lead to it were used lately, where they are many
}

// Us is who we are: from the configuration, and what the MTA told of itself.
// Names and domains are lower case A-labels without a last dot. Read-only once shared.
type Us struct {
	Names   []string
	Domains []string
	Addrs   []netip.Addr
}

// RDNS is the reverse DNS of the client (iprev, RFC 8601 section 3).
type RDNS struct {
	Outcome Outcome // of the PTR question
	Names   []PTR   // at most 10, in the order of the answer; only when Found
	Stale   bool    // served past its expiry
	// Nameless: somebody else has looked, and kept no more than that no name leads
	// back to the client. There is none, or none that is confirmed: what weighs
	// less is held against it. Only when NotAsked.
	Nameless bool
}

// A PTR is one name of the client and how its forward look-up went.
type PTR struct {
	Name    string // lower case, no last dot, as DNS gave it: hostile text
	Forward Forward

	nature Nature // what Read has read out of the name
	read   bool
}

// Forward says whether a PTR name leads back to the client.
type Forward uint8

const (
	ForwardNotAsked Forward = iota
	Confirmed               // one of its addresses is the client's
	Mismatch                // answered, and none is: other addresses, no data or NXDOMAIN
	ForwardFailed           // asked, no usable answer
)

// A Host is what A and AAAA say of a name.
type Host struct {
	A, AAAA Outcome
	Addrs   []netip.Addr // of both kinds
	Stale   bool
}

// Helo is the argument of the last HELO or EHLO, and what DNS says of it.
type Helo struct {
	Given Given
	Name  string  // as sent; hostile text
	Host  Host    // asked only when Name is a domain name of two labels or more
	MX    Outcome // likewise
}

// A Sender is the envelope sender and what DNS says of its domain.
type Sender struct {
	Given     Given
	Raw       string // the bytes the MTA sent, brackets included, ESMTP arguments cut
	Null      bool   // <>
	Local     string // before the last @, quotes kept
	Domain    string // behind it: lower case, A-labels, no last dot; "" when there is none
	MX        Outcome
	NullMX    bool       // the only MX is "0 ." (RFC 7505)
	Exchanges []Exchange // at most 10, most preferred first; without the null MX
	Host      Host       // A and AAAA of the domain itself
	Stale     bool       // the MX answer was served past its expiry
}

// An Exchange is one MX target and its addresses.
type Exchange struct {
	Name string // lower case, no last dot; may be an address by mistake
	Host Host
}

// A Recipient is one RCPT.
type Recipient struct {
	Raw    string     // as the MTA sent it, brackets included
	Number int        // 1 for the first RCPT of the transaction
	Exempt bool       // named in exempt.recipients
	Local  []LocalHit // of rules about the recipient
	Limits []LimitHit // that its mail does not fit in, the one that is to speak first

	Mailbox MailboxState // what the directory says of it
	By      string       // whose word that is, for the operator
	Harvest string       // the client is after addresses: the sign of it, for the operator; "" for none
}

// A MailboxState is what the directory says of a recipient. The zero MailboxState is
// MailboxNotAsked.
type MailboxState uint8

const (
	MailboxNotAsked MailboxState = iota // or nobody speaks for its domain
	MailboxThere
	MailboxNone  // there is no such user
	MailboxError // the directory failed, and the client may go on
	MailboxDown  // it failed, and the client is to come back
)

// An SPFOutcome is what the record of the claimed domain says of the client
// (RFC 7208 section 2.6). The zero SPFOutcome is SPFNotAsked.
type SPFOutcome uint8

const (
	SPFNotAsked  SPFOutcome = iota
	SPFNone                 // no record, or no domain that could have one
	SPFNeutral              // the domain does not say
	SPFPass                 // the client may send
	SPFFail                 // it may not
	SPFSoftFail             // it probably may not
	SPFTempError            // no answer, or none yet: nothing is known
	SPFPermError            // the record cannot be understood
)

// Known reports whether an answer was had, whatever it says.
func (o SPFOutcome) Known() bool { return o != SPFNotAsked && o != SPFTempError }

// SPF is the right of the client to send for the domain that it claims: the
// sender's, or for the null sender the one of HELO (RFC 7208 section 2.4).
type SPF struct {
	Outcome SPFOutcome
	Never   bool   // with SPFFail: the whole record is "v=spf1 -all", the domain sends no mail
	Domain  string // that was asked
	Detail  string // for the operator, in place of Domain: what decided; may quote the record
	Stale   bool   // rests on an answer served past its expiry
}

// A LocalAction is what a rule of the operator's own asks for.
type LocalAction uint8

// The actions: deny goes before allow, and allow before points.
const (
	LocalDeny LocalAction = iota
	LocalAllow
	LocalPoints
)

// A LocalHit is one rule of the operator's own ([[local]]) that matches.
type LocalHit struct {
	Action LocalAction
	Points float64 // of LocalPoints; negative speaks for the client
	Detail string  // which rule, whose, and why
	Stale  bool    // rests on a PTR name served past its expiry: may lift or defer, not refuse
	// Possible: it would match under some answer to a question that failed (a
	// rule about the PTR name). It is no finding, but where it could lift the
	// visit, it holds back a reject (law 2). Of a Session's hits only.
	Possible bool
}

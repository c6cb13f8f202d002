package ratelimit

import (
	"net/netip"
	"strings"
	"time"
)

// An Age is how old an account is. The zero Age is unknown.
type Age struct {
	AtLeast time.Duration // it is this old; exactly so if Known
	Known   bool
}

// A Subject is the mail that is counted, as far as it is known. What is left zero
// is not known: a limit per it does not apply.
type Subject struct {
	Account string // AccountKey of the login of SMTP AUTH; "" when not authenticated
	Age     Age    // of the account, see Accounts
	Plan    string // of the account, as the directory says; "" is unknown
	Domain  string // of the account, in lower case; "" takes what stands behind the last @ of Account

	Client   netip.Addr // the zero Addr for a Unix socket
	Listener string     // the name or role of the door that the MTA came in by
	History  string     // the finding about the server's past: "history-good", "history-bad", "first-seen"; "" is unknown

	Sender       string // local@domain without brackets, in the one spelling of its mailbox; "" for the null sender
	SenderProven bool   // SPF passed for it; not needed with an Account

	Rcpt string // likewise; for Transaction.Rcpt
	// Open: this recipient must stay within everybody's reach (postmaster, abuse).
	// Only authenticated clients are ever refused at it.
	Open bool
}

// AccountKey brings a login to the form that is counted by: lower case.
func AccountKey(login string) string { return strings.ToLower(login) }

func (s *Subject) domain() string {
	if s.Domain != "" {
		return s.Domain
	}
	return behindAt(s.Account)
}

// behindAt gives the domain of an address, "" if it has none.
func behindAt(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return address[at+1:]
	}
	return ""
}

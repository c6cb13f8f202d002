package main

import (
	_ "embed"
	"net/netip"
	"time"
)

// world is the DNS of the demo, in master-file form.
//
//go:embed world.zone
var world string

// The names whose DNS servers never answer in the demo.
var silent = []string{"90.113.0.203.in-addr.arpa", "silent.example"}

// What the demo's daemon is told; the rest is default.
const (
	ourName    = "mx.example.net"
	ourDomain  = "example.net"
	dnsDelay   = 20 * time.Millisecond // of every answer, as from a resolver that has to ask around
	dnsBudget  = time.Second
	retryAfter = time.Second
)

// A sender is one visit of a simulated mail server, and what is expected of it.
type sender struct {
	who   string // for people, short
	addr  string
	ptr   string // the confirmed name: what Postfix would have found itself
	helo  string
	from  string // "" is the null sender
	to    string
	login string // the account it has logged in with
	again bool   // the visit before it once more, retryAfter later
	look  bool   // shown closer after the table
	note  string // what a newcomer may wonder about
	want  want
}

// A want is the reply to the recipient, and the findings behind it.
type want struct {
	code     int
	status   string
	findings string // ids, in any order; their points are the policy's affair
}

// client is the address of the sender.
func (s *sender) client() netip.Addr { return netip.MustParseAddr(s.addr) }

// senders are all visits, in the order in which they come.
func senders() []sender {
	const (
		jo   = "jo@" + ourDomain
		line = "dsl-203-0-113-45.pool.homenet.example"
	)
	accepted := func(findings string) want { return want{250, "2.1.5", findings} }
	return []sender{
		{who: "a well-kept server", addr: "192.0.2.10", ptr: "mail.harbour.example",
			helo: "mail.harbour.example", from: "news@harbour.example", to: jo,
			want: accepted("spf-pass relation")},
		{who: "another, by IPv6", addr: "2001:db8:6::25", ptr: "mx.meadow.example",
			helo: "mx.meadow.example", from: "ann@meadow.example", to: jo,
			want: accepted("spf-pass relation")},
		{who: "no reverse DNS", addr: "203.0.113.20",
			helo: "out.nameless.example", from: "info@nameless.example", to: jo, look: true,
			want: want{450, "4.7.25", "rdns-missing spf-none"}},
		{who: "a PTR that is not its own", addr: "203.0.113.30",
			helo: "server1.bank.example", from: "alert@bank.example", to: jo,
			want: want{450, "4.7.25", "rdns-unconfirmed helo-unresolvable from-unrelated spf-softfail"}},
		{who: "a home line", addr: "203.0.113.45", ptr: line,
			helo: line, from: "win@harbour.example", to: jo,
			want: want{550, "5.7.25", "rdns-dynamic helo-generic helo-holds-address generic-elsewhere from-unrelated spf-softfail"}},
		{who: "the same line, logged in", addr: "203.0.113.45", ptr: line, login: "jo",
			helo: "[192.168.1.20]", from: jo, to: "ann@" + ourDomain,
			note: "Server checks are for strangers: a user of ours may sit anywhere.",
			want: accepted("")},
		{who: "a spammer that is listed", addr: "203.0.113.76", ptr: "mail.bulk.example",
			helo: "mail.bulk.example", from: "win@bulk.example", to: jo,
			note: "Good names, but a DNS list has it. A list counts only while it passes its tests.",
			want: want{554, "5.7.1", "dnsbl:watch spf-none relation"}},
		{who: "says HELO with our name", addr: "203.0.113.50", ptr: "web5.rented.example",
			helo: ourName, from: "ceo@harbour.example", to: jo, look: true,
			want: want{550, "5.7.1", "helo-is-us helo-not-client helo-unrelated from-unrelated spf-softfail"}},
		{who: "HELO is a bare address", addr: "203.0.113.60", ptr: "web6.rented.example",
			helo: "203.0.113.60", from: "deal@harbour.example", to: jo,
			want: want{550, "5.7.1", "helo-address from-unrelated spf-softfail"}},
		{who: "HELO is another's address", addr: "203.0.113.70", ptr: "web7.rented.example",
			helo: "[192.0.2.10]", from: "deal@harbour.example", to: jo,
			want: want{550, "5.7.1", "helo-literal-mismatch from-unrelated spf-softfail"}},
		{who: "sender takes no mail", addr: "192.0.2.40", ptr: "mail.parcel.example",
			helo: "mail.parcel.example", from: "noreply@nomail.example", to: jo,
			want: want{550, "5.7.27", "from-null-mx from-unrelated spf-never relation"}},
		{who: "sender does not exist", addr: "192.0.2.40", ptr: "mail.parcel.example",
			helo: "mail.parcel.example", from: "you@no-such-firm.example", to: jo,
			want: want{550, "5.1.8", "from-no-domain from-unrelated spf-none relation"}},
		{who: "sender that never mails", addr: "192.0.2.40", ptr: "mail.parcel.example",
			helo: "mail.parcel.example", from: "hr@parked.example", to: jo,
			want: want{550, "5.7.23", "spf-never from-unrelated relation"}},
		{who: "its DNS does not answer", addr: "203.0.113.90",
			helo: "mail.silent.example", from: "info@silent.example", to: jo,
			note: "Unknown is never evidence: after dns.budget the mail goes on.",
			want: accepted("rdns-error from-error spf-error")},
		{who: "a club without a PTR", addr: "198.51.100.25",
			helo: "mail.club.example", from: "board@club.example", to: jo,
			want: want{450, "4.7.25", "rdns-missing spf-none"}},
		{who: "the club comes back", addr: "198.51.100.25", again: true,
			helo: "mail.club.example", from: "board@club.example", to: jo, look: true,
			note: "Later than retry.after, same sender and recipient: a real server. Now it passes for a week.",
			want: accepted("rdns-missing spf-none retry-passed")},
		{who: "the worst, to postmaster", addr: "203.0.113.45", ptr: line,
			helo: ourName, from: "noreply@nomail.example", to: "postmaster@" + ourDomain,
			note: "Postmaster and abuse stay open to everyone: whoever is refused can ask why.",
			want: accepted("rdns-dynamic helo-is-us helo-not-client helo-unrelated from-null-mx from-unrelated spf-never")},
	}
}

// explained is the sender whose visit is explained in full.
const explained = "a home line"

package profile

import (
	"net/netip"
	"testing"
)

// cleanVisit is a mail server as it should be: one confirmed name of its own,
// said in HELO, and MX of the sender's domain.
func cleanVisit() Session {
	client := netip.MustParseAddr("192.0.2.7")
	host := Host{A: Found, AAAA: NoData, Addrs: []netip.Addr{client}}
	sender := ParseSender("<joe@example.com>")
	sender.MX, sender.Host = Found, Host{A: NoData, AAAA: NoData}
	sender.Exchanges = []Exchange{{Name: "mail.example.com", Host: host}}
	return Session{
		Client: client, Us: &Us{Names: []string{"mx.example.net"}, Domains: []string{"example.net"}},
		RDNS:   RDNS{Outcome: Found, Names: []PTR{{Name: "mail.example.com", Forward: Confirmed}}},
		Helo:   Helo{Given: Shown, Name: "mail.example.com", Host: host, MX: NoData},
		Sender: sender,
	}
}

// badVisit is a home computer at work for somebody else.
func badVisit() Session {
	client := netip.MustParseAddr("192.0.2.7")
	sender := ParseSender("<joe@gone.example>")
	sender.MX, sender.Host = NoName, Host{A: NoName, AAAA: NoName}
	return Session{
		Client: client, Us: &Us{Names: []string{"mx.example.net"}, Domains: []string{"example.net"}},
		RDNS:   RDNS{Outcome: Found, Names: []PTR{{Name: "192-0-2-7.dsl.example.org", Forward: Mismatch}}},
		Helo:   Helo{Given: Shown, Name: "Pc.Example.Org", Host: Host{A: NoName, AAAA: NoName}, MX: NoName},
		Sender: sender,
	}
}

func benchmarkVisit(b *testing.B, s Session) {
	p, err := Baseline("standard")
	if err != nil {
		b.Fatal(err)
	}
	r := &Recipient{Raw: "<ann@example.net>", Number: 1}
	b.ReportAllocs()
	for b.Loop() {
		Judge(&s, p).Decide(r, false)
	}
}

func BenchmarkCleanVisit(b *testing.B) {
	s := cleanVisit()
	s.SPF = SPF{Outcome: SPFPass, Domain: "example.com", Detail: "example.com: mx"}
	benchmarkVisit(b, s)
}

func BenchmarkBadVisit(b *testing.B) {
	s := badVisit()
	s.SPF = SPF{Outcome: SPFFail, Domain: "gone.example", Detail: "gone.example: -all"}
	benchmarkVisit(b, s)
}

// BenchmarkForwarder is a server of its own that sends for somebody else's domain:
// every question about the identity is gone through.
func BenchmarkForwarder(b *testing.B) { benchmarkVisit(b, stranger()) }

func BenchmarkAllowed(b *testing.B) {
	s := badVisit()
	s.Local = []LocalHit{{Action: LocalAllow, Detail: "client:192.0.2.0/24 (jo: ticket 4711)"}}
	benchmarkVisit(b, s)
}

func BenchmarkAuthenticated(b *testing.B) {
	s := cleanVisit()
	s.Trust = Authenticated
	benchmarkVisit(b, s)
}

func BenchmarkClassify(b *testing.B) {
	client := netip.MustParseAddr("192.0.2.7")
	for _, name := range []string{"mail.example.com", "host-192-0-2-7.dsl.example.co.uk", "p-c0000207.dip.example.net"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(name, client)
			}
		})
	}
}

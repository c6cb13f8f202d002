package dnstest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const world = `
; a small world
mx.good.test.              300 IN A     192.0.2.7
mx.good.test                   IN AAAA  2001:db8::7
good.test.                 300 IN MX    10 mx.good.test.
alias.test.                300 IN CNAME mx.good.test.
*.wild.test.               300 IN A     192.0.2.9
7.2.0.192.in-addr.arpa.    300 IN PTR   mx.good.test.
soa.test.                  60  IN SOA   ns.soa.test. h.soa.test. 1 2 3 4 5
`

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start(world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *Server, network, name string, qtype uint16) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: network, Timeout: 10 * time.Second}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype), s.Addr().String())
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
	}
	return m
}

func TestAnswers(t *testing.T) {
	s := start(t)
	tests := []struct {
		rule    string
		name    string
		qtype   uint16
		rcode   int
		answers int
		soa     uint32 // its TTL; 0: none
	}{
		{"a record is found", "mx.good.test", dns.TypeA, dns.RcodeSuccess, 1, 0},
		{"case does not matter", "MX.Good.TEST", dns.TypeA, dns.RcodeSuccess, 1, 0},
		{"a name without last dot in the data", "mx.good.test", dns.TypeAAAA, dns.RcodeSuccess, 1, 0},
		{"another type is no data", "mx.good.test", dns.TypeTXT, dns.RcodeSuccess, 0, 300},
		{"an empty non-terminal is no data", "2.0.192.in-addr.arpa", dns.TypePTR, dns.RcodeSuccess, 0, 300},
		{"an unknown name is NXDOMAIN with an SOA", "no.test", dns.TypeA, dns.RcodeNameError, 0, 300},
		{"the SOA of the zone is used", "no.soa.test", dns.TypeA, dns.RcodeNameError, 0, 60},
		{"a CNAME is followed", "alias.test", dns.TypeA, dns.RcodeSuccess, 2, 0},
		{"a CNAME to a name without the type", "alias.test", dns.TypeMX, dns.RcodeSuccess, 1, 300},
		{"a wildcard covers names below", "a.b.wild.test", dns.TypeA, dns.RcodeSuccess, 1, 0},
		{"a reverse name", "7.2.0.192.in-addr.arpa", dns.TypePTR, dns.RcodeSuccess, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			for _, network := range []string{"udp", "tcp"} {
				m := ask(t, s, network, tt.name, tt.qtype)
				if m.Rcode != tt.rcode || len(m.Answer) != tt.answers {
					t.Errorf("%s: got rcode %d, %v; want rcode %d, %d answers", network, m.Rcode, m.Answer, tt.rcode, tt.answers)
				}
				if tt.soa == 0 && len(m.Ns) > 0 || tt.soa > 0 && (len(m.Ns) != 1 || m.Ns[0].Header().Ttl != tt.soa) {
					t.Errorf("%s: authority %v, want an SOA with TTL %d", network, m.Ns, tt.soa)
				}
			}
		})
	}
}

func TestModes(t *testing.T) {
	s := start(t)
	s.Misbehave("good.test", ServFail)
	s.MisbehaveType("mx.good.test", dns.TypeAAAA, OK)
	s.Misbehave("alias.test", Truncate)
	s.Misbehave("huge.test", Huge)
	s.Misbehave("loop.test", Loop)

	if m := ask(t, s, "udp", "mx.good.test", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("below a failing name: rcode %d", m.Rcode)
	}
	if m := ask(t, s, "udp", "mx.good.test", dns.TypeAAAA); len(m.Answer) != 1 {
		t.Errorf("a type that is excepted: %v", m)
	}
	if m := ask(t, s, "udp", "alias.test", dns.TypeA); !m.Truncated || len(m.Answer) != 0 {
		t.Errorf("truncated over UDP: %v", m)
	}
	if m := ask(t, s, "tcp", "alias.test", dns.TypeA); m.Truncated || len(m.Answer) != 2 {
		t.Errorf("whole over TCP: %v", m)
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypePTR} {
		if m := ask(t, s, "udp", "huge.test", qtype); !m.Truncated {
			t.Errorf("huge %s over UDP is not truncated", dns.TypeToString[qtype])
		}
		m := ask(t, s, "tcp", "huge.test", qtype)
		m.Compress = true
		if m.Truncated || len(m.Answer) == 0 || qtype == dns.TypeTXT && m.Len() < 60_000 {
			t.Errorf("huge %s over TCP: truncated %v, %d records, %d octets", dns.TypeToString[qtype], m.Truncated, len(m.Answer), m.Len())
		}
	}
	if m := ask(t, s, "udp", "loop.test", dns.TypeA); len(m.Answer) != 2 {
		t.Errorf("loop: %v", m)
	}
}

func TestQuestionsAreCounted(t *testing.T) {
	s := start(t)
	ask(t, s, "udp", "MX.good.test", dns.TypeA)
	ask(t, s, "tcp", "mx.good.test", dns.TypeA)
	if n := s.Questions()["mx.good.test A"]; n != 2 {
		t.Errorf("asked twice, counted %d: %v", n, s.Questions())
	}
	if err := s.Await(t.Context(), "mx.good.test A", 2); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Await(ctx, "mx.good.test A", 3); err == nil {
		t.Error("waited for a third question and got it")
	}
	s.ResetQuestions()
	if n := len(s.Questions()); n != 0 {
		t.Errorf("%d questions after a reset", n)
	}
}

func TestAddAndRemove(t *testing.T) {
	s := start(t)
	if err := s.Add("new.test. IN A 192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if m := ask(t, s, "udp", "new.test", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("added: %v", m)
	}
	s.Remove("New.test")
	if m := ask(t, s, "udp", "new.test", dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("removed: %v", m)
	}
	if err := s.Add("bad.test. IN A not-an-address"); err == nil {
		t.Error("a broken record was taken")
	}
}

func TestDelayEndsWithClose(t *testing.T) {
	s, err := Start(world)
	if err != nil {
		t.Fatal(err)
	}
	s.Delay(time.Hour)
	conn, err := dns.Dial("udp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMsg(new(dns.Msg).SetQuestion("mx.good.test.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
}

func TestComesBackOnItsPort(t *testing.T) {
	s := start(t)
	at := s.Addr()
	s.Close()
	back, err := StartAt(at, world)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if back.Addr() != at || at.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("at %v, want %v", back.Addr(), at)
	}
}

package dnstest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestRelay(t *testing.T) {
	far, err := Start("a.list.test. 300 IN A 127.0.0.2\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(far.Close)
	near := start(t)
	near.Relay("list.test", far.Addr())
	for _, tt := range []struct {
		name, question, want string
		mode                 Mode
	}{
		{"below the zone the other server answers", "a.list.test", "127.0.0.2", OK},
		{"and says what does not exist", "b.list.test", "NXDOMAIN", OK},
		{"all else is our own", "mx.good.test", "192.0.2.7", OK},
		{"its answers can be rewritten", "b.list.test", RewrittenTo, Rewrite},
		{"those that say something are left", "a.list.test", "127.0.0.2", Rewrite},
		{"names of ours that do not exist are rewritten too", "b.good.test", RewrittenTo, Rewrite},
		{"modes go before it", "a.list.test", "SERVFAIL", ServFail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near.Misbehave(".", tt.mode)
			got := dns.RcodeToString[ask(t, near, "udp", tt.question, dns.TypeA).Rcode]
			if m := ask(t, near, "tcp", tt.question, dns.TypeA); len(m.Answer) == 1 {
				got = m.Answer[0].(*dns.A).A.String()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	near.Misbehave(".", OK)
	near.Relay("list.test", netip.AddrPort{})
	if m := ask(t, near, "udp", "a.list.test", dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("relayed still: %v", m)
	}
}

// A server that is closed waits for nobody.
func TestCloseEndsRelayedQuestions(t *testing.T) {
	far := start(t)
	far.Misbehave(".", Timeout)
	near := start(t)
	near.Relay("list.test", far.Addr())
	conn, err := dns.Dial("udp", near.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMsg(new(dns.Msg).SetQuestion("a.list.test.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if err := far.Await(t.Context(), "a.list.test A", 1); err != nil {
		t.Fatal(err)
	}
	near.Close() // and goleak holds it to that
}

func TestDelayBelow(t *testing.T) {
	s := start(t)
	s.DelayBelow("wild.test", time.Hour)
	if m := ask(t, s, "udp", "mx.good.test", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("got %v", m)
	}
	conn, err := dns.Dial("udp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMsg(new(dns.Msg).SetQuestion("a.wild.test.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(t.Context(), "a.wild.test A", 1); err != nil {
		t.Fatal(err)
	}
	s.DelayBelow("wild.test", 0) // the one that waits goes on waiting
	if m := ask(t, s, "udp", "b.wild.test", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("got %v", m)
	}
}

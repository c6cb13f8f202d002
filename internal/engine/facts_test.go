package engine

import (
	"fmt"
	"net/netip"
	"testing"

	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

func TestAStaleForwardAnswerMakesReverseDNSStale(t *testing.T) {
	rdns := rdnsOf(resolver.Reverse{Outcome: resolver.Found, Names: []resolver.ReverseName{
		{Name: "a.example", Forward: resolver.Mismatch},
		{Name: "b.example", Forward: resolver.Mismatch, Stale: true},
	}})
	if !rdns.Stale {
		t.Error("a mismatch that rests on a stale answer could support a reject")
	}
}

func TestMoreAddressesThanAreKeptProveNothing(t *testing.T) {
	some := resolver.Answer{Outcome: resolver.Found, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Partial: true}
	host := hostOf(some, resolver.Answer{Outcome: resolver.NoData})
	if host.A != profile.Failed || len(host.Addrs) != 1 {
		t.Errorf("got %+v, want the addresses seen, and the others unknown", host)
	}
}

func TestExchangesBeyondTheBoundStandForThemselves(t *testing.T) {
	mx := resolver.Answer{Outcome: resolver.Found}
	for i := range maxExchanges + 5 {
		mx.MX = append(mx.MX, resolver.MX{Host: fmt.Sprintf("mx%d.example", i)})
	}
	var s profile.Sender
	setMX(&s, mx)
	last := s.Exchanges[len(s.Exchanges)-1]
	if len(s.Exchanges) != maxExchanges+1 || last.Name != "" || last.Host.A != profile.Failed || last.Host.AAAA != profile.Failed {
		t.Errorf("got %d exchanges, the last %+v", len(s.Exchanges), last)
	}
}

func TestNullMXIsTheRootAlone(t *testing.T) {
	var null, odd profile.Sender
	setMX(&null, resolver.Answer{Outcome: resolver.Found, MX: []resolver.MX{{Host: ""}}})
	setMX(&odd, resolver.Answer{Outcome: resolver.Found, MX: []resolver.MX{{Host: ""}, {Host: "mx.example"}}})
	if !null.NullMX || odd.NullMX || len(odd.Exchanges) != 1 {
		t.Errorf("null %+v, odd %+v", null, odd)
	}
}

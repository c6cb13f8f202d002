package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/dnstest"
)

func TestReverse(t *testing.T) {
	confirmed := func(name string, a ...string) ReverseName {
		return ReverseName{Name: name, Forward: Confirmed, Outcome: Found, Addrs: addrs(a...)}
	}
	tests := []struct {
		rule string
		addr string
		want Reverse
	}{
		{"confirmed", "192.0.2.7", Reverse{Outcome: Found, Names: []ReverseName{confirmed("mx.good.test", "192.0.2.7")}}},
		{"confirmed, IPv6", "2001:db8::7", Reverse{Outcome: Found, Names: []ReverseName{confirmed("mx.good.test", "2001:db8::7")}}},
		{"IPv4 in IPv6 is IPv4", "::ffff:192.0.2.7", Reverse{Outcome: Found, Names: []ReverseName{confirmed("mx.good.test", "192.0.2.7")}}},
		{"mismatch, over a CNAME", "192.0.2.8", Reverse{Outcome: Found, Names: []ReverseName{
			{Name: "mx.good.test", Forward: Mismatch, Outcome: Found, Addrs: addrs("192.0.2.7")}}}},
		{"one name's failure hides no other", "192.0.2.9", Reverse{Outcome: Found, Names: []ReverseName{
			{Name: "nowhere.test", Forward: Mismatch, Outcome: NoName},
			{Name: "slow.test", Forward: ForwardFailed, Outcome: Failed, Reason: ServFail},
			confirmed("two.test", "192.0.2.200", "192.0.2.9")}}},
		{"no name", "192.0.2.99", Reverse{Outcome: NoName}},
		{"failed", "198.51.100.1", Reverse{Outcome: Failed, Reason: ServFail}},
	}
	s := startDNS(t)
	s.Misbehave("slow.test", dnstest.ServFail)
	s.Misbehave("198.in-addr.arpa", dnstest.ServFail)
	r := newTest(t, Config{}, s)
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			addr := netip.MustParseAddr(tt.addr)
			if _, ok := r.CachedReverse(addr); ok && !addr.Is4In6() {
				t.Fatal("known before it was asked")
			}
			got := r.Reverse(t.Context(), addr, nil)
			if d := diff(tt.want, uncached(got)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			for from, warm := range map[string]func() (Reverse, bool){
				"CachedReverse": func() (Reverse, bool) { return r.CachedReverse(addr) },
				"Reverse":       func() (Reverse, bool) { return r.Reverse(t.Context(), addr, nil), true },
			} {
				got, ok := warm()
				if !ok || !got.Cached {
					t.Errorf("%s: %v, %+v", from, ok, got)
				}
				if d := diff(tt.want, uncached(got)); d != "" {
					t.Errorf("%s: -want +got\n%s", from, d)
				}
			}
		})
	}
	if rev := r.Reverse(t.Context(), netip.Addr{}, nil); rev.Outcome != NotAsked {
		t.Errorf("no address: %+v", rev)
	}
	// Lookup of the same question shares the record.
	before := s.Questions()["7.2.0.192.in-addr.arpa PTR"]
	if a := r.Lookup(t.Context(), "7.2.0.192.in-addr.arpa.", dns.TypePTR); !a.Cached || a.Outcome != Found {
		t.Errorf("PTR by name: %+v", a)
	}
	if n := s.Questions()["7.2.0.192.in-addr.arpa PTR"]; n != before || n != 1 {
		t.Errorf("PTR was asked %d times", n)
	}
}

// uncached clears the marks of where an answer came from.
func uncached(r Reverse) Reverse {
	r.Cached = false
	names := append([]ReverseName(nil), r.Names...)
	for i := range names {
		names[i].Cached = false
	}
	r.Names = names
	return r
}

func TestReversePartial(t *testing.T) {
	s := startDNS(t)
	s.Misbehave("slow.test", dnstest.Timeout)
	r := newTest(t, Config{}, s)
	r.Lookup(t.Context(), "two.test", dns.TypeA) // one forward answer is there already
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	got := r.Reverse(ctx, netip.MustParseAddr("192.0.2.9"), func(early Reverse) {
		calls++
		if len(early.Names) != 3 || early.Outcome != Found {
			t.Errorf("early: %+v", early)
			return
		}
		if n := early.Names[0]; n.Forward != ForwardFailed || n.Reason != Budget {
			t.Errorf("early, still out: %+v", n)
		}
		if n := early.Names[2]; n.Forward != Confirmed {
			t.Errorf("early, known: %+v", n)
		}
		go func() {
			defer cancel() // the budget ends while slow.test is still out
			_ = s.Await(t.Context(), "slow.test A", 1)
			_ = s.Await(t.Context(), "nowhere.test A", 1)
			r.Lookup(t.Context(), "nowhere.test", dns.TypeA)
		}()
	})
	if calls != 1 {
		t.Errorf("partial was called %d times", calls)
	}
	want := []Forward{Mismatch, ForwardFailed, Confirmed}
	for i, n := range got.Names {
		if n.Forward != want[i] {
			t.Errorf("%s: forward %v %s, want %v", n.Name, n.Forward, n.Reason, want[i])
		}
	}
	if n := got.Names[1]; n.Reason != Budget {
		t.Errorf("the one that was still out: %+v", n)
	}
	r.Reverse(t.Context(), netip.MustParseAddr("192.0.2.99"), func(Reverse) { t.Error("partial without names") })
}

func TestReverseExpiresInParts(t *testing.T) {
	s, err := dnstest.Start(`
1.2.0.192.in-addr.arpa. 600 IN PTR a.test.
a.test. 100 IN A 192.0.2.1`)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := newTest(t, Config{}, s)
	clock := setClock(r)
	addr := netip.MustParseAddr("192.0.2.1")
	ask := func() Reverse { return r.Reverse(t.Context(), addr, nil) }
	count := func(ptr, a int) {
		t.Helper()
		q := s.Questions()
		if q["1.2.0.192.in-addr.arpa PTR"] != ptr || q["a.test A"] != a {
			t.Errorf("asked %v, want PTR %d, A %d", q, ptr, a)
		}
	}
	ask()
	count(1, 1)
	clock.advance(100 * time.Second)
	if _, ok := r.CachedReverse(addr); ok {
		t.Error("the confirmation is past its expiry, and was used")
	}
	ask()
	count(1, 2)

	s.Misbehave(".", dnstest.ServFail)
	clock.advance(100 * time.Second)
	rev := ask()
	if rev.Stale || len(rev.Names) != 1 || rev.Names[0].Forward != Confirmed || !rev.Names[0].Stale {
		t.Errorf("names fresh, confirmation stale: %+v", rev)
	}
	clock.advance(500 * time.Second)
	rev = ask()
	if !rev.Stale || len(rev.Names) != 1 || rev.Names[0].Forward != Confirmed || !rev.Names[0].Stale {
		t.Errorf("all stale: %+v", rev)
	}
	if rev, ok := r.CachedReverse(addr); !ok || !rev.Stale || rev.Names[0].Forward != Confirmed {
		t.Errorf("all stale, from the cache: %v %+v", ok, rev)
	}
	clock.advance(2 * time.Hour)
	if rev := ask(); rev.Outcome != Failed || rev.Reason != ServFail {
		t.Errorf("long after: %+v", rev)
	}

	s.Misbehave(".", dnstest.OK)
	s.Remove("1.2.0.192.in-addr.arpa")
	if err := s.Add("1.2.0.192.in-addr.arpa. 600 IN PTR b.test.\nb.test. 600 IN A 192.0.2.2"); err != nil {
		t.Fatal(err)
	}
	clock.advance(failTTL * time.Second)
	rev = ask()
	if len(rev.Names) != 1 || rev.Names[0].Name != "b.test" || rev.Names[0].Forward != Mismatch {
		t.Errorf("another name now: %+v", rev)
	}
}

func TestStaleConfirmationOutlivesTheName(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	clock := setClock(r)
	addr := netip.MustParseAddr("192.0.2.7")
	r.Reverse(t.Context(), addr, nil)
	name := subject{name: "mx.good.test"}
	r.cache.shard(r.cache.hash(name)).lru.Remove(r.cache.hash(name))
	s.Misbehave(".", dnstest.ServFail)
	clock.advance(10 * time.Minute)
	rev := r.Reverse(t.Context(), addr, nil)
	if len(rev.Names) != 1 || rev.Names[0].Forward != Confirmed || !rev.Names[0].Stale {
		t.Errorf("got %+v", rev)
	}
}

func TestReverseFindsTheAddressAmongMany(t *testing.T) {
	zone := "77.2.0.192.in-addr.arpa. IN PTR pool.test.\n"
	for i := range 100 {
		zone += fmt.Sprintf("pool.test. IN A 192.0.2.%d\n", i)
	}
	s, err := dnstest.Start(zone)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := newTest(t, Config{}, s)
	addr := netip.MustParseAddr("192.0.2.77")
	rev := r.Reverse(t.Context(), addr, nil)
	if len(rev.Names) != 1 || rev.Names[0].Forward != Confirmed || len(rev.Names[0].Addrs) != maxForwardAddrs {
		t.Errorf("got %+v", rev)
	}
	if rev, ok := r.CachedReverse(addr); !ok || rev.Names[0].Forward != Confirmed {
		t.Errorf("from the cache: %v, %+v", ok, rev)
	}
}

package resolver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/dnstest"
)

func TestTTLs(t *testing.T) {
	s := startDNS(t)
	if err := s.Add(`
zero.test.      0     IN A     192.0.2.1
short.test.     10    IN A     192.0.2.1
some.test.      600   IN A     192.0.2.1
long.test.      86400 IN A     192.0.2.1
cname.test.     120   IN CNAME some.test.
set.test.       600   IN MX    1 a.test.
set.test.       90    IN MX    2 b.test.
soa.test.       600   IN SOA   ns.test. h.test. 1 2 3 4 240
ttl.test.       150   IN SOA   ns.test. h.test. 1 2 3 4 86400
tiny.test.      5     IN SOA   ns.test. h.test. 1 2 3 4 5
vast.test.      90000 IN SOA   ns.test. h.test. 1 2 3 4 90000
lead.test.      100   IN CNAME no.soa.test.
`); err != nil {
		t.Fatal(err)
	}
	s.Misbehave("fails.test", dnstest.ServFail)
	for _, tt := range []struct {
		rule  string
		name  string
		qtype uint16
		want  int // seconds
	}{
		{"a TTL of 0 is kept a minute", "zero.test", dns.TypeA, 60},
		{"a short TTL likewise", "short.test", dns.TypeA, 60},
		{"a TTL is honoured", "some.test", dns.TypeA, 600},
		{"a long TTL is cut to an hour", "long.test", dns.TypeA, 3600},
		{"the least of a chain", "cname.test", dns.TypeA, 120},
		{"the least of a set", "set.test", dns.TypeMX, 90},
		{"no name: the SOA's minimum", "no.soa.test", dns.TypeA, 240},
		{"no data: the SOA's own TTL if less", "ttl.test", dns.TypeA, 150},
		{"negative, at least a minute", "no.tiny.test", dns.TypeA, 60},
		{"negative, at most an hour", "no.vast.test", dns.TypeA, 3600},
		{"a CNAME to nothing: the least of both", "lead.test", dns.TypeA, 100},
		{"a failure: seconds", "fails.test", dns.TypeA, failTTL},
		{"a name that cannot be asked is not asked again", "a..test", dns.TypeA, 1 << 20},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r := newTest(t, Config{}, s)
			clock := setClock(r)
			r.Lookup(t.Context(), tt.name, tt.qtype)
			clock.advance(time.Duration(tt.want)*time.Second - time.Second)
			if _, ok := r.Cached(tt.name, tt.qtype); !ok {
				t.Errorf("%s is forgotten before %d s", tt.name, tt.want)
			}
			clock.advance(time.Second)
			if a, ok := r.Cached(tt.name, tt.qtype); ok && tt.want < 1<<20 {
				t.Errorf("%s is still known after %d s: %+v", tt.name, tt.want, a)
			}
		})
	}
}

func TestStale(t *testing.T) {
	for _, tt := range []struct {
		rule string
		mode dnstest.Mode
		want bool
	}{
		{"no answer", dnstest.Timeout, true},
		{"SERVFAIL", dnstest.ServFail, true},
		{"REFUSED", dnstest.Refused, true},
		{"a wrong answer is not the servers' silence", dnstest.Loop, false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			s := startDNS(t)
			r := newTest(t, Config{}, s)
			clock := setClock(r)
			ask := func() Answer { return r.Lookup(t.Context(), "mx.good.test", dns.TypeA) }
			ask()
			s.Misbehave(".", tt.mode)
			if tt.mode == dnstest.Timeout {
				endAtOnce(r)
			}

			clock.advance(299 * time.Second)
			if a := ask(); a.Outcome != Found || a.Stale || !a.Cached {
				t.Errorf("before its expiry: %+v", a)
			}
			clock.advance(time.Second)
			if a := ask(); a.Stale != tt.want || (a.Outcome == Found) != tt.want {
				t.Errorf("at its expiry: %+v", a)
			}
			if a, ok := r.Cached("mx.good.test", dns.TypeA); !ok || a.Stale != tt.want {
				t.Errorf("from the cache: %+v, %v", a, ok)
			}
			clock.advance(59*time.Minute + 59*time.Second)
			if a := ask(); a.Stale != tt.want {
				t.Errorf("a second before the hour is over: %+v", a)
			}
			clock.advance(time.Second)
			if a := ask(); a.Outcome != Failed || a.Stale {
				t.Errorf("an hour after its expiry: %+v", a)
			}
			s.Misbehave(".", dnstest.OK)
			r.ask = r.exchange
			clock.advance(failTTL * time.Second)
			if a := ask(); a.Outcome != Found || a.Stale {
				t.Errorf("the servers are back: %+v", a)
			}
		})
	}
}

func TestStaleNegativeAnswer(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	clock := setClock(r)
	r.Lookup(t.Context(), "nowhere.test", dns.TypeA)
	s.Misbehave(".", dnstest.ServFail)
	clock.advance(10 * time.Minute)
	if a := r.Lookup(t.Context(), "nowhere.test", dns.TypeA); a.Outcome != NoName || !a.Stale {
		t.Errorf("got %+v", a)
	}
}

func TestStaleAtOnceWhenAllServersAreDown(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	r.probeFirst = time.Hour
	clock := setClock(r)
	r.Lookup(t.Context(), "mx.good.test", dns.TypeA)
	s.Close()
	r.Lookup(t.Context(), "other.test", dns.TypeA)
	clock.advance(10 * time.Minute)
	began, _ := blocked(r)
	if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found || !a.Stale {
		t.Errorf("got %+v", a)
	}
	if len(began) > 0 {
		t.Error("asked, though all servers are down and an answer is there")
	}
}

func TestStaleWhenTheBudgetEndsInTrouble(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	clock := setClock(r)
	r.Lookup(t.Context(), "mx.good.test", dns.TypeA)
	s.Misbehave(".", dnstest.Timeout)
	giveUpOnce(r)
	clock.advance(10 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan Answer)
	go func() { got <- r.Lookup(ctx, "mx.good.test", dns.TypeA) }()
	if err := s.Await(t.Context(), "mx.good.test A", 3); err != nil { // twice by now: the first try is given up
		t.Fatal(err)
	}
	cancel()
	if a := <-got; a.Outcome != Found || !a.Stale {
		t.Errorf("got %+v", a)
	}
}

func TestTypesOfANameExpireApart(t *testing.T) {
	s := startDNS(t)
	if err := s.Add("two.kinds.test. 100 IN A 192.0.2.1\ntwo.kinds.test. 200 IN MX 1 a.test."); err != nil {
		t.Fatal(err)
	}
	r := newTest(t, Config{}, s)
	clock := setClock(r)
	for range 2 {
		r.Lookup(t.Context(), "two.kinds.test", dns.TypeMX)
		r.Lookup(t.Context(), "two.kinds.test", dns.TypeA)
		clock.advance(150 * time.Second)
	}
	asked := s.Questions()
	if a, mx := asked["two.kinds.test A"], asked["two.kinds.test MX"]; a != 2 || mx != 1 {
		t.Errorf("A was asked %d times, MX %d times", a, mx)
	}
	if n, _ := r.cache.size(); n != 1 {
		t.Errorf("%d records for one name", n)
	}
}

func TestByteBoundUnderChurn(t *testing.T) {
	const limit = 300 << 10
	r := newTest(t, Config{CacheBytes: limit})
	answerWith(r, func(f *flight) (data, uint32) {
		if len(f.key.name)%3 == 0 {
			return data{outcome: Found, texts: []string{fmt.Sprintf("%02000d", 1)}}, 300
		}
		return data{outcome: NoName}, 300
	})
	for i := range 5000 {
		name := fmt.Sprintf("n%d.test", i*i)
		r.Lookup(t.Context(), name, dns.TypeTXT)
		if i%3 == 0 {
			r.Lookup(t.Context(), name, dns.TypeA)
		}
		if _, bytes := r.cache.size(); bytes > limit {
			t.Fatalf("%d bytes after %d names", bytes, i)
		}
	}
	entries, bytes := r.cache.size()
	var sum int64
	for i := range r.cache.shards {
		for _, record := range r.cache.shards[i].lru.Values() {
			sum += cost(record)
		}
	}
	if sum != bytes || entries < 100 || bytes < limit/2 {
		t.Errorf("account %d, records %d bytes in %d entries", bytes, sum, entries)
	}
	if _, ok := r.Cached(fmt.Sprintf("n%d.test", 4999*4999), dns.TypeTXT); !ok {
		t.Error("the latest name is forgotten")
	}
	if _, ok := r.Cached("n0.test", dns.TypeTXT); ok {
		t.Error("the oldest name is still there")
	}
}

func TestRecordLargerThanTheCache(t *testing.T) {
	r := newTest(t, Config{CacheBytes: 1000})
	answerWith(r, func(*flight) (data, uint32) {
		return data{outcome: Found, texts: []string{fmt.Sprintf("%02000d", 1)}}, 300
	})
	for i := range 3 {
		if a := r.Lookup(t.Context(), fmt.Sprintf("n%d.test", i), dns.TypeTXT); a.Outcome != Found {
			t.Errorf("got %+v", a)
		}
	}
	if n, bytes := r.cache.size(); n != 0 || bytes != 0 {
		t.Errorf("%d entries, %d bytes", n, bytes)
	}
}

func TestHashCollisionGivesNoWrongAnswer(t *testing.T) {
	c := newCache(1 << 20)
	a, b := subject{name: "a.test"}, subject{name: "b.test"}
	put := func(s subject) {
		c.update(s, func(buf []byte, _ string) []byte {
			return appendPart(buf, part{kind: kindA, outcome: NoData, expiry: 9})
		})
	}
	put(a)
	// Put a's record where b's is looked for.
	hash := c.hash(b)
	record, _ := c.shard(c.hash(a)).lru.Get(c.hash(a))
	c.shard(hash).lru.Add(hash, record)
	if parts, ok := c.get(b); ok {
		t.Errorf("b got %q, which is a's", parts)
	}
	put(b)
	if _, ok := c.get(b); !ok {
		t.Error("b is not kept in a's place")
	}
}

package resolver

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/dnstest"
)

func TestFreshAnswers(t *testing.T) {
	const never, negative = 0, 120 * time.Second
	s, err := dnstest.Start(world + `
test.       900 IN SOA ns.test. hostmaster.test. 1 2 3 4 120
short.test.  90 IN A   192.0.2.7
long.test. 86400 IN A  192.0.2.7
hasty.test.   2 IN A  192.0.2.7
`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Misbehave("broken.test", dnstest.ServFail)
	r := newTest(t, Config{}, s)
	setClock(r)
	for _, tt := range []struct {
		rule, name string
		qtype      uint16
		want       Answer
		holds      time.Duration
	}{
		{"until its TTL is over", "short.test", dns.TypeA, Answer{Outcome: Found, Addrs: addrs("192.0.2.7")}, 90 * time.Second},
		{"however long that is", "long.test", dns.TypeA, Answer{Outcome: Found, Addrs: addrs("192.0.2.7")}, 24 * time.Hour},
		{"or short", "hasty.test", dns.TypeA, Answer{Outcome: Found, Addrs: addrs("192.0.2.7")}, 2 * time.Second},
		{"over CNAMEs", "alias2.test", dns.TypeA, Answer{Outcome: Found, Addrs: addrs("192.0.2.7")}, 300 * time.Second},
		{"texts", "good.test", dns.TypeTXT, Answer{Outcome: Found, Texts: []string{"v=spf1 mx -all", "other"}}, 300 * time.Second},
		{"a failure for seconds", "broken.test", dns.TypeA, Answer{Outcome: Failed, Reason: ServFail}, failTTL * time.Second},
		{"no such name: as the SOA says", "nowhere.test", dns.TypeA, Answer{Outcome: NoName}, negative},
		{"no such data: as the SOA says", "short.test", dns.TypeMX, Answer{Outcome: NoData}, negative},
		{"a name that cannot be is not asked", "a..test", dns.TypeA, Answer{Outcome: NoName}, never},
		{"a type that is not asked", "good.test", dns.TypeHINFO, Answer{}, never},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			for range 2 { // the second one is asked again
				a := r.Fresh(t.Context(), tt.name, tt.qtype)
				if d := diff(tt.want, a); d != "" {
					t.Errorf("-want +got\n%s", d)
				}
				want := time.Time{}
				if tt.holds != never {
					want = r.now().Add(tt.holds)
				}
				if !a.Expires.Equal(want) {
					t.Errorf("expires %v, want %v", a.Expires, want)
				}
			}
			question := tt.name + " " + dns.TypeToString[tt.qtype]
			if n := s.Questions()[question]; tt.holds != never && n != 2 {
				t.Errorf("%s was asked %d times, want 2", question, n)
			}
		})
	}
	if st := r.Stats(); st.Entries != 0 || st.Hits != 0 {
		t.Errorf("%d entries in the cache, %d hits", st.Entries, st.Hits)
	}
}

// What Lookup keeps is of no use to Fresh, and stays as it is.
func TestFreshLeavesTheCacheAlone(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	clock := setClock(r)
	kept := r.Lookup(t.Context(), "mx.good.test", dns.TypeA)
	clock.advance(10 * time.Second)
	if a := r.Fresh(t.Context(), "mx.good.test", dns.TypeA); a.Cached || !a.Expires.After(kept.Expires) {
		t.Errorf("fresh: %+v", a)
	}
	if a, ok := r.Cached("mx.good.test", dns.TypeA); !ok || !a.Expires.Equal(kept.Expires) {
		t.Errorf("kept: %v %+v, want it to expire %v", ok, a, kept.Expires)
	}
	clock.advance(time.Hour) // stale now
	s.Misbehave(".", dnstest.ServFail)
	if a := r.Fresh(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Failed || a.Reason != ServFail {
		t.Errorf("in an outage: %+v", a)
	}
	if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found || !a.Stale {
		t.Errorf("what Lookup says in an outage: %+v", a)
	}
}

func TestFreshJoinsFreshOnly(t *testing.T) {
	r := newTest(t, Config{})
	began, release := blocked(r)
	const n = 20
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if a := r.Fresh(t.Context(), "Same.test", dns.TypeA); a.Outcome != Found || a.Expires.IsZero() {
				t.Errorf("got %+v", a)
			}
		})
	}
	f := <-began
	joined(r, f, n)
	wg.Go(func() { r.Lookup(t.Context(), "same.test", dns.TypeA) })
	if other := <-began; other == f || other.key.fresh {
		t.Error("a question for the cache is not one of its own")
	}
	close(release)
	wg.Wait()
	if len(began) != 0 {
		t.Error("asked more than once")
	}
	want := []QueryCount{{"A", "found", 2}}
	if d := diff(want, r.Stats().Queries); d != "" {
		t.Errorf("counted: -want +got\n%s", d)
	}
}

// A DNS list's key is a label of the names asked there.
func TestNamesStayOutOfTheLog(t *testing.T) {
	const secret = "s3cr3tkey"
	ask := func(r *Resolver) {
		for i := range 2 * missesToProbe {
			name := fmt.Sprintf("n%d.%s.list.test", i, secret)
			answers := fmt.Sprintf("%+v", r.Fresh(t.Context(), name, dns.TypeA))
			if strings.Contains(answers, secret) {
				t.Errorf("the answer has the name: %s", answers)
			}
		}
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	wrong := []func(*testing.T, *Resolver, *dnstest.Server){
		func(_ *testing.T, r *Resolver, _ *dnstest.Server) {
			r.ask = func(f *flight) {
				a := &f.asking
				a.mu.Lock()
				defer a.mu.Unlock()
				defer a.guard()
				panic("cannot read " + f.key.question())
			}
		},
		func(_ *testing.T, _ *Resolver, s *dnstest.Server) { s.Close() },
	}
	for mode := dnstest.OK; mode <= dnstest.Stray; mode++ {
		wrong = append(wrong, func(_ *testing.T, _ *Resolver, s *dnstest.Server) { s.Misbehave(".", mode) })
	}
	for _, goWrong := range wrong {
		s := startDNS(t)
		r := newTest(t, Config{Logger: logger, Timeout: 20 * time.Millisecond, Try: 5 * time.Millisecond}, s)
		goWrong(t, r, s)
		ask(r)
		r.Close()
		if stats := fmt.Sprintf("%+v", r.Stats()); strings.Contains(stats, secret) {
			t.Errorf("the counters have the name: %s", stats)
		}
	}
	if log.Len() == 0 || !strings.Contains(log.String(), "panicked") || !strings.Contains(log.String(), "down") {
		t.Fatalf("the log lacks what it should have:\n%s", log.String())
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log has the name:\n%s", log.String())
	}
}

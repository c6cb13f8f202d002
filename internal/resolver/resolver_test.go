package resolver

import (
	"context"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"mailprofiled/internal/dnstest"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		serveForParent()
		return
	}
	goleak.VerifyTestMain(m)
}

const world = `
mx.good.test.              300 IN A     192.0.2.7
mx.good.test.              300 IN AAAA  2001:db8::7
good.test.                 300 IN MX    20 backup.good.test.
good.test.                 300 IN MX    10 MX.good.test.
good.test.                 300 IN TXT   "v=spf1 mx" " -all"
good.test.                 300 IN TXT   "other"
null.test.                 300 IN MX    0 .
alias.test.                300 IN CNAME mx.good.test.
alias2.test.               300 IN CNAME alias.test.
hanging.test.              300 IN CNAME nowhere.test.
7.2.0.192.in-addr.arpa.    300 IN PTR   mx.good.test.
8.2.0.192.in-addr.arpa.    300 IN CNAME 8.0-15.2.0.192.in-addr.arpa.
8.0-15.2.0.192.in-addr.arpa. 300 IN PTR mx.good.test.
9.2.0.192.in-addr.arpa.    300 IN PTR   nowhere.test.
9.2.0.192.in-addr.arpa.    300 IN PTR   slow.test.
9.2.0.192.in-addr.arpa.    300 IN PTR   two.test.
two.test.                  300 IN A     192.0.2.200
two.test.                  300 IN A     192.0.2.9
slow.test.                 300 IN A     192.0.2.9
7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 300 IN PTR mx.good.test.
odd.test.                  300 IN PTR   Nul\000.dot\.label.Test.
`

// startDNS serves world.
func startDNS(t testing.TB) *dnstest.Server {
	t.Helper()
	s, err := dnstest.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// patience is how long a resolver waits where its test does not say: for ever, so
// that a slow machine is not taken for a silent server.
const patience = time.Hour

// newTest makes a resolver for the servers.
func newTest(t testing.TB, cfg Config, servers ...*dnstest.Server) *Resolver {
	t.Helper()
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.Addr())
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = patience
	}
	if cfg.Try == 0 {
		cfg.Try = patience
	}
	r := New(cfg)
	t.Cleanup(r.Close)
	return r
}

// quick is for questions that no server answers: the clock ends them.
var quick = Config{Timeout: 200 * time.Millisecond, Try: 50 * time.Millisecond}

// giveUpOnce gives up the first server of each question as soon as it has been
// asked, as if Config.Try had passed.
func giveUpOnce(r *Resolver) {
	r.ask = func(f *flight) {
		r.exchange(f)
		f.asking.expire()
	}
}

// endAtOnce ends each question as soon as it has been asked, as if
// Config.Timeout had passed.
func endAtOnce(r *Resolver) {
	r.ask = func(f *flight) {
		r.exchange(f)
		f.asking.mu.Lock()
		f.asking.deadline = time.Now()
		f.asking.mu.Unlock()
		f.asking.expire()
	}
}

// ownSockets makes r treat its servers as if they were not on loopback.
func ownSockets(r *Resolver) *Resolver {
	for _, s := range r.servers.all {
		s.shared = nil
	}
	return r
}

// fakeClock moves the cache's time by hand.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func setClock(r *Resolver) *fakeClock {
	c := &fakeClock{t: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	r.now = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.t
	}
	r.start = r.now()
	return c
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var addrs = func(ss ...string) []netip.Addr {
	var as []netip.Addr
	for _, s := range ss {
		as = append(as, netip.MustParseAddr(s))
	}
	return as
}

// diff compares answers but for the time they took.
func diff(want, got any) string {
	return cmp.Diff(want, got,
		cmpopts.IgnoreFields(Answer{}, "Took", "Expires"),
		cmpopts.IgnoreFields(Reverse{}, "Took"),
		cmpopts.IgnoreFields(ReverseName{}, "Took"),
		cmpopts.EquateComparable(netip.Addr{}))
}

func TestLookup(t *testing.T) {
	tests := []struct {
		rule  string
		name  string
		qtype uint16
		want  Answer
	}{
		{"an address", "mx.good.test", dns.TypeA, Answer{Outcome: Found, Addrs: addrs("192.0.2.7")}},
		{"case and last dot do not matter", "MX.Good.TEST.", dns.TypeAAAA, Answer{Outcome: Found, Addrs: addrs("2001:db8::7")}},
		{"exchangers, most preferred first, lower case", "good.test", dns.TypeMX,
			Answer{Outcome: Found, MX: []MX{{10, "mx.good.test"}, {20, "backup.good.test"}}}},
		{"the null MX has an empty host", "null.test", dns.TypeMX, Answer{Outcome: Found, MX: []MX{{0, ""}}}},
		{"strings of a TXT record are joined", "good.test", dns.TypeTXT,
			Answer{Outcome: Found, Texts: []string{"v=spf1 mx -all", "other"}}},
		{"a CNAME is followed", "alias2.test", dns.TypeA, Answer{Outcome: Found, Addrs: addrs("192.0.2.7")}},
		{"a CNAME to a name without the type", "alias2.test", dns.TypeTXT, Answer{Outcome: NoData}},
		{"a CNAME to no name", "hanging.test", dns.TypeA, Answer{Outcome: NoName}},
		{"no such data", "mx.good.test", dns.TypeTXT, Answer{Outcome: NoData}},
		{"no such name", "nowhere.test", dns.TypeA, Answer{Outcome: NoName}},
		{"PTR of an address", "7.2.0.192.in-addr.arpa", dns.TypePTR, Answer{Outcome: Found, Names: []string{"mx.good.test"}}},
		{"PTR over a CNAME, RFC 2317", "8.2.0.192.in-addr.arpa", dns.TypePTR, Answer{Outcome: Found, Names: []string{"mx.good.test"}}},
		{"PTR of another name, odd octets escaped", "odd.test", dns.TypePTR,
			Answer{Outcome: Found, Names: []string{`nul\000.dot\.label.test`}}},
		{"a label over 63 octets cannot exist", "a23456789012345678901234567890123456789012345678901234567890abcd.test", dns.TypeA, Answer{Outcome: NoName}},
		{"an empty label cannot exist", "a..test", dns.TypeMX, Answer{Outcome: NoName}},
		{"the root is no name of anyone", ".", dns.TypeMX, Answer{Outcome: NoName}},
		{"another type is not asked", "good.test", dns.TypeHINFO, Answer{}},
	}
	for _, way := range ways {
		s := startDNS(t)
		r := way.set(newTest(t, Config{}, s))
		for _, tt := range tests {
			t.Run(tt.rule, func(t *testing.T) {
				got := r.Lookup(t.Context(), tt.name, tt.qtype)
				if d := diff(tt.want, got); d != "" {
					t.Errorf("%s socket: %s: -want +got\n%s", way.name, tt.name, d)
				}
				again, ok := r.Cached(tt.name, tt.qtype)
				if again.Cached = false; !ok || diff(tt.want, again) != "" {
					t.Errorf("from the cache: %v %+v, want %+v", ok, again, tt.want)
				}
			})
		}
		for q, n := range s.Questions() {
			if n != 1 {
				t.Errorf("%s was asked %d times", q, n)
			}
		}
	}
}

func TestMisbehaviour(t *testing.T) {
	a := addrs("192.0.2.7")
	tests := []struct {
		rule string
		mode dnstest.Mode
		want Answer
	}{
		{"honest", dnstest.OK, Answer{Outcome: Found, Addrs: a}},
		{"no answer", dnstest.Timeout, Answer{Outcome: Failed, Reason: Timeout}},
		{"SERVFAIL", dnstest.ServFail, Answer{Outcome: Failed, Reason: ServFail}},
		{"REFUSED", dnstest.Refused, Answer{Outcome: Failed, Reason: Refused}},
		{"truncated: TCP is asked", dnstest.Truncate, Answer{Outcome: Found, Addrs: a}},
		{"a wrong id is not believed", dnstest.WrongID, Answer{Outcome: Failed, Reason: Timeout}},
		{"a wrong name is not believed", dnstest.WrongName, Answer{Outcome: Failed, Reason: Timeout}},
		{"a wrong type is not believed", dnstest.WrongType, Answer{Outcome: Failed, Reason: Timeout}},
		{"waiting goes on after spoofs", dnstest.Spoof, Answer{Outcome: Found, Addrs: a}},
		{"rubbish is no answer", dnstest.Garbage, Answer{Outcome: Failed, Reason: Timeout}},
		{"a CNAME loop", dnstest.Loop, Answer{Outcome: Failed, Reason: BadAnswer}},
		{"an endless CNAME chain", dnstest.Chain, Answer{Outcome: Failed, Reason: BadAnswer}},
		{"records of other names are ignored", dnstest.Stray, Answer{Outcome: Found, Addrs: a}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			for _, way := range ways {
				s := startDNS(t)
				s.Misbehave("good.test", tt.mode)
				cfg := Config{}
				if tt.want.Reason == Timeout {
					cfg = quick
				}
				r := way.set(newTest(t, cfg, s))
				got := r.Lookup(t.Context(), "mx.good.test", dns.TypeA)
				if d := diff(tt.want, got); d != "" {
					t.Errorf("%s socket: -want +got\n%s", way.name, d)
				}
			}
		})
	}
}

func TestHugeAnswersAreCut(t *testing.T) {
	s := startDNS(t)
	s.Misbehave(".", dnstest.Huge)
	r := newTest(t, Config{}, s)
	ask := func(qtype uint16) Answer { return r.Lookup(t.Context(), "huge.test", qtype) }
	if a := ask(dns.TypeA); a.Outcome != Found || len(a.Addrs) != maxAddrs || !a.Partial {
		t.Errorf("A: %v %s, %d addresses, partial %v", a.Outcome, a.Reason, len(a.Addrs), a.Partial)
	}
	if a := ask(dns.TypeMX); len(a.MX) != maxMX || a.MX[0].Preference != 0 || !a.Partial {
		t.Errorf("MX: %d of them, partial %v", len(a.MX), a.Partial)
	}
	if a := ask(dns.TypePTR); len(a.Names) != maxNames || !a.Partial {
		t.Errorf("PTR: %d names, partial %v", len(a.Names), a.Partial)
	}
	if a := ask(dns.TypeTXT); a.Outcome != Failed || a.Reason != BadAnswer {
		t.Errorf("a TXT of 64 kB: %v %s, %d texts", a.Outcome, a.Reason, len(a.Texts))
	}
	rev := r.Reverse(t.Context(), netip.MustParseAddr("192.0.2.50"), nil)
	if len(rev.Names) != maxNames {
		t.Errorf("reverse: %d names", len(rev.Names))
	}
	for _, n := range rev.Names {
		if n.Forward != ForwardFailed || n.Reason != BadAnswer || len(n.Addrs) > maxForwardAddrs {
			t.Errorf("%s: an address that may be among those not kept: %v %s, %d addresses", n.Name, n.Forward, n.Reason, len(n.Addrs))
		}
	}
}

func TestContextEnds(t *testing.T) {
	s := startDNS(t)
	s.Misbehave(".", dnstest.Timeout)
	r := newTest(t, Config{}, s)
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan Answer)
	go func() { answers <- r.Lookup(ctx, "mx.good.test", dns.TypeA) }()
	await(t, s, "mx.good.test A")
	f := inFlight(t, r, "mx.good.test", dns.TypeA)
	cancel()
	if a := <-answers; a.Outcome != Failed || a.Reason != Budget {
		t.Errorf("got %+v", a)
	}
	<-f.done
	if n := r.Stats().InFlight; n != 0 {
		t.Errorf("%d questions are still out", n)
	}
	if a := r.Lookup(ctx, "never.asked.test", dns.TypeA); a.Reason != Budget {
		t.Errorf("with a context that has ended: %+v", a)
	}
	if _, ok := r.Cached("mx.good.test", dns.TypeA); ok {
		t.Error("a question that nobody waited for left an answer")
	}
}

func TestNoServer(t *testing.T) {
	r := newTest(t, Config{})
	if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Failed || a.Reason != NoServer {
		t.Errorf("none configured: %+v", a)
	}
	s := startDNS(t)
	r = newTest(t, Config{}, s)
	s.Close()
	for _, name := range []string{"a.test", "b.test"} {
		if a := r.Lookup(t.Context(), name, dns.TypeA); a.Outcome != Failed || a.Reason != NoServer {
			t.Errorf("nothing listens: %+v", a)
		}
	}
	if st := r.Stats().Servers[0]; st.Up {
		t.Errorf("nothing listens, but %+v", st)
	}
}

func TestClosed(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	r.Lookup(t.Context(), "mx.good.test", dns.TypeA)
	s.Misbehave(".", dnstest.Timeout)
	answers := make(chan Answer)
	go func() { answers <- r.Lookup(t.Context(), "good.test", dns.TypeMX) }()
	await(t, s, "good.test MX")
	r.Close()
	if a := <-answers; a.Outcome != Failed || a.Reason != NoServer {
		t.Errorf("in flight: %+v", a)
	}
	if a := r.Lookup(t.Context(), "null.test", dns.TypeMX); a.Reason != NoServer {
		t.Errorf("afterwards: %+v", a)
	}
	if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found {
		t.Errorf("what is known stays known: %+v", a)
	}
}

// await returns when s was asked.
func await(t *testing.T, s *dnstest.Server, question string) {
	t.Helper()
	if err := s.Await(t.Context(), question, 1); err != nil {
		t.Fatal(err)
	}
}

// inFlight gives the flight of a question that was asked.
func inFlight(t *testing.T, r *Resolver, name string, qtype uint16) *flight {
	t.Helper()
	k, _ := newKey(name, qtype)
	r.flights.mu.Lock()
	defer r.flights.mu.Unlock()
	f := r.flights.out[k]
	if f == nil {
		t.Fatalf("%s is not in flight", name)
	}
	return f
}

func TestNamesAreSortedOut(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"example.test", "example.test", true},
		{"Example.TEST.", "example.test", true},
		{"_dmarc.example.test", "_dmarc.example.test", true},
		{"a b.test", `a\ b.test`, true},
		{"\x00\r\n.test", `\000\013\010.test`, true},
		{`\000.test`, `\000.test`, true},
		{`a\.b.test`, `a\.b.test`, true},
		{`test\.`, `test\.`, true},
		{"b\u00fccher.test", `b\195\188cher.test`, true},
		{"", "", false},
		{".", "", false},
		{"..", "", false},
		{".test", "", false},
		{"a..test", "", false},
	} {
		got, ok := canonical(tt.in)
		if got != tt.want || ok != tt.ok {
			t.Errorf("canonical(%q) = %q, %v; want %q, %v", tt.in, got, ok, tt.want, tt.ok)
		}
		if again, ok2 := canonical(got); ok && (again != got || !ok2) {
			t.Errorf("canonical(%q) = %q, %v: not stable", got, again, ok2)
		}
	}
}

func TestReverseNames(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":   "7.2.0.192.in-addr.arpa",
		"2001:db8::7": "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		a := netip.MustParseAddr(addr)
		if got := reverseName(a); got != want {
			t.Errorf("reverseName(%s) = %q", addr, got)
		}
		if back, ok := reverseAddr(want); !ok || back != a {
			t.Errorf("reverseAddr(%q) = %v, %v", want, back, ok)
		}
	}
	for _, name := range []string{"2.0.192.in-addr.arpa", "07.2.0.192.in-addr.arpa", "1.7.2.0.192.in-addr.arpa",
		"0-15.2.0.192.in-addr.arpa", "in-addr.arpa", "::1.in-addr.arpa", "7.0.ip6.arpa", "ip6.arpa", "arpa",
		reverseName(netip.MustParseAddr("::ffff:192.0.2.7"))} {
		if a, ok := reverseAddr(name); ok {
			t.Errorf("reverseAddr(%q) = %v", name, a)
		}
	}
}

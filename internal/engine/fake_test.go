package engine

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeDNS answers from a map, "name TYPE" to values; what is not in it does
// not exist. It can be late, never answer, and panic.
type fakeDNS struct {
	records map[string][]string
	delay   time.Duration
	dead    map[string]bool // "name TYPE", or "*": never answers
	panics  string          // "name TYPE" that panics
	caching bool            // Cached answers what was asked before

	mu       sync.Mutex
	asked    map[string]int
	canceled int
}

func (f *fakeDNS) key(name string, qtype uint16) string { return name + " " + dns.TypeToString[qtype] }

func (f *fakeDNS) Cached(name string, qtype uint16) (resolver.Answer, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.caching || f.asked[f.key(name, qtype)] == 0 {
		return resolver.Answer{}, false
	}
	a := f.answer(name, qtype)
	a.Cached = true
	return a, true
}

func (f *fakeDNS) Lookup(ctx context.Context, name string, qtype uint16) resolver.Answer {
	key := f.key(name, qtype)
	f.mu.Lock()
	if f.asked == nil {
		f.asked = make(map[string]int)
	}
	f.asked[key]++
	delay, dead := f.delay, f.dead[key] || f.dead["*"]
	f.mu.Unlock()
	if key == f.panics {
		panic("a bug of ours")
	}
	if dead {
		delay = time.Hour
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			f.mu.Lock()
			f.canceled++
			f.mu.Unlock()
			return resolver.Answer{Outcome: resolver.Failed, Reason: "budget"}
		}
	}
	if dead {
		return resolver.Answer{Outcome: resolver.Failed, Reason: "timeout"}
	}
	f.mu.Lock() // a test may change the records while a lookup that nobody waits for is still under way
	defer f.mu.Unlock()
	return f.answer(name, qtype)
}

// answer is what the records say; the caller holds f.mu.
func (f *fakeDNS) answer(name string, qtype uint16) resolver.Answer {
	values, ok := f.records[f.key(name, qtype)]
	if !ok {
		for key := range f.records {
			if strings.HasPrefix(key, name+" ") {
				return resolver.Answer{Outcome: resolver.NoData}
			}
		}
		return resolver.Answer{Outcome: resolver.NoName}
	}
	if len(values) == 1 && values[0] == "SERVFAIL" {
		return resolver.Answer{Outcome: resolver.Failed, Reason: "servfail"}
	}
	a := resolver.Answer{Outcome: resolver.Found}
	for _, value := range values {
		switch qtype {
		case dns.TypeA, dns.TypeAAAA:
			a.Addrs = append(a.Addrs, netip.MustParseAddr(value))
		case dns.TypeMX:
			a.MX = append(a.MX, resolver.MX{Preference: 10, Host: value})
		case dns.TypeTXT:
			a.Texts = append(a.Texts, value)
		case dns.TypePTR:
			a.Names = append(a.Names, value)
		}
	}
	return a
}

func (f *fakeDNS) CachedReverse(netip.Addr) (resolver.Reverse, bool) {
	return resolver.Reverse{}, false
}

func (f *fakeDNS) Reverse(ctx context.Context, client netip.Addr, partial func(resolver.Reverse)) resolver.Reverse {
	ptr := f.Lookup(ctx, client.String(), dns.TypePTR)
	r := resolver.Reverse{Outcome: ptr.Outcome, Reason: ptr.Reason}
	for _, name := range ptr.Names {
		r.Names = append(r.Names, resolver.ReverseName{Name: name, Forward: resolver.ForwardFailed, Reason: "budget"})
	}
	if partial != nil && len(r.Names) > 0 {
		partial(resolver.Reverse{Outcome: r.Outcome, Names: append([]resolver.ReverseName(nil), r.Names...)})
	}
	qtype := dns.TypeA
	if client.Is6() {
		qtype = dns.TypeAAAA
	}
	for i := range r.Names {
		forward := f.Lookup(ctx, r.Names[i].Name, qtype)
		if forward.Outcome == resolver.Failed {
			continue
		}
		r.Names[i].Forward = resolver.Mismatch
		for _, addr := range forward.Addrs {
			if addr == client {
				r.Names[i].Forward = resolver.Confirmed
			}
		}
	}
	return r
}

func (f *fakeDNS) timesAsked(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[key]
}

// world is the DNS most tests live in.
func world() *fakeDNS {
	return &fakeDNS{
		dead: map[string]bool{},
		records: map[string][]string{
			"192.0.2.7 PTR":            {"mail.good.example"},
			"mail.good.example A":      {"192.0.2.7"},
			"good.example MX":          {"mail.good.example"},
			"good.example A":           {"192.0.2.80"},
			"198.51.100.9 PTR":         {"dsl-198-51-100-9.pool.isp.example"},
			"203.0.113.5 PTR":          {"elsewhere.example"},
			"elsewhere.example A":      {"203.0.113.99"},
			"null.example MX":          {""},
			"null.example A":           {"192.0.2.80"},
			"2001:db8::7 PTR":          {"six.good.example"},
			"six.good.example AAAA":    {"2001:db8::7"},
			"broken.example MX":        {"SERVFAIL"},
			"broken.example A":         {"SERVFAIL"},
			"broken.example AAAA":      {"SERVFAIL"},
			"helo.elsewhere.example A": {"192.0.2.44"},
		},
	}
}

var (
	good     = Client{Addr: netip.MustParseAddr("192.0.2.7")}
	nameless = Client{Addr: netip.MustParseAddr("192.0.2.66")}
)

// An outcome is what a test of the engine looks at.
type harness struct {
	*Engine
	log *bytes.Buffer
}

// lines returns the log lines with the given msg.
func (h harness) lines(msg string) []string {
	var found []string
	for line := range strings.Lines(h.log.String()) {
		if strings.HasPrefix(line, "msg="+msg+" ") {
			found = append(found, strings.TrimSuffix(line, "\n"))
		}
	}
	return found
}

func newHarness(t testing.TB, f *fakeDNS, change func(*Options)) harness {
	t.Helper()
	policy, err := profile.Baseline("standard")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := Options{
		Policy: policy, PolicyID: "standard@1-test", Budget: 5 * time.Second, Resolver: f,
		Us:      profile.Us{Names: []string{"mx.here.example"}, Domains: []string{"here.example"}},
		Exempt:  Exempt{Authenticated: true},
		Retries: memory.NewRetries(memory.Windows{After: time.Minute, Within: 24 * time.Hour, Keep: 7 * 24 * time.Hour}),
		Logger:  logging.New(&log, logging.Options{NoStamp: true, Level: slog.LevelInfo}),
	}
	if change != nil {
		change(&o)
	}
	return harness{New(o), &log}
}

// deliver is one whole visit with one recipient.
func (h harness) deliver(c Client, helo, from, rcpt string) Answer {
	v := h.Connect(c)
	defer v.Close()
	v.Helo(helo)
	if a := v.Mail(Mail{From: from}); a.Action != profile.Continue {
		return a
	}
	a := v.Rcpt(Rcpt{To: rcpt})
	if a.Action == profile.Continue {
		v.EndOfMessage("Q1")
	}
	return a
}

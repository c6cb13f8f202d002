package spf

import (
	"context"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	library "blitiri.com.ar/go/spf"
)

// A dream is a Resolver that has an answer to everything, always the same one to
// the same question: a.test has one record, other names another or none, and
// some questions fail.
type dream struct {
	root, inner string
	client      netip.Addr
	fails       uint64 // one question in 64 for each bit

	mu    sync.Mutex
	asked map[question]int
}

func (d *dream) TXT(_ context.Context, name string) Answer {
	h, a := d.ask(typeTXT, name)
	switch {
	case a.Status != Found:
	case name == "a.test":
		a.Texts = []string{"other", d.root}
	case h%7 == 0:
		a = Answer{Status: NoName}
	case h%7 == 1:
		a.Texts = []string{d.inner, "v=spf1 -all"}
	default:
		a.Texts = []string{d.inner}
	}
	return a
}

func (d *dream) MX(_ context.Context, name string) Answer {
	h, a := d.ask(typeMX, name)
	if a.Status == Found {
		a.Names = []string{"h1.test", "h2.test", "", "h2.test", `odd\ .test`}[:h%6%5]
	}
	return emptied(a)
}

func (d *dream) Addrs(_ context.Context, name string, v6 bool) Answer {
	t := typeA
	if v6 {
		t = typeAAAA
	}
	h, a := d.ask(t, name)
	switch {
	case a.Status != Found:
	case h%5 == 0:
		return Answer{Status: NoName}
	case h%5 == 1:
		return Answer{Status: NoData}
	case h%5 == 2 && d.client.Is4() != v6:
		a.Addrs, a.Partial = []netip.Addr{d.client}, h%2 == 0
	case v6:
		a.Addrs = []netip.Addr{ip("2001:db8::ffff")}
	default:
		a.Addrs = []netip.Addr{ip("192.0.2.255")}
	}
	return a
}

func (d *dream) PTR(_ context.Context, addr netip.Addr) Answer {
	_, a := d.ask(typePTR, reverse(addr))
	if a.Status == Found {
		a.Names = []string{"mx.a.test", "%{d}.test", "b.test", "mx.test"}
	}
	return a
}

func emptied(a Answer) Answer {
	if a.Status == Found && len(a.Names) == 0 {
		a.Status = NoData
	}
	return a
}

func (d *dream) ask(t rrtype, name string) (uint64, Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[question{t, name}]++
	sum := fnv.New64a()
	sum.Write([]byte{byte(t)})
	sum.Write([]byte(name))
	h := sum.Sum64() >> 8
	if d.fails>>(h%64)&1 == 1 {
		return h, Answer{Reason: "timeout"}
	}
	return h, Answer{Status: Found}
}

// run checks joe@a.test, or who else is given, in a fresh dream.
func (d *dream) run(t *testing.T, q Query, serial bool) (Result, *asker) {
	d.asked = map[question]int{}
	s, early := newSubject(q)
	if s.domain == "" {
		t.Fatalf("%+v: %+v", q, early)
	}
	a := newAsker(t.Context(), d, &s)
	a.serial = serial
	r := a.evaluate()
	for q, times := range d.asked {
		if times > 1 {
			t.Errorf("asked %v %d times", q, times)
		}
		if clip(q.name) != q.name && len(q.name) < maxText || strings.ToLower(q.name) != q.name || q.name == "" || len(q.name) > 4*maxName {
			t.Errorf("asked for %q", q.name)
		}
	}
	if len(d.asked) > mostQuestions {
		t.Errorf("%d questions", len(d.asked))
	}
	return r, a
}

// FuzzRecord holds what hostile records and senders may not do.
func FuzzRecord(f *testing.F) {
	for _, s := range []struct{ root, inner string }{
		{"v=spf1 -all", ""},
		{"v=spf1 a mx ptr include:b.test exists:%{ir}.%{l1r-}.c.test redirect=d.test", "v=spf1 ip4:192.0.2.0/24 ?all"},
		{"v=spf1 include:%{i}._ip.%{h}._ehlo.%{d}.c.test ~all", "v=spf1 a:b.test/24//64 mx:c.test//64 exp=x.test -all"},
		{"v=spf1 include:a.test include:b.test", "v=spf1 include:a.test include:c.test include:d.test"},
		{"v=spf1 a:foo/bar.test exists:%{p}.%{p2r}.x.test -ptr:b.test +all", "v=spf1 redirect=%{d2}.test"},
		{"v=spf1 " + strings.Repeat("include:%{s}.b.test ", 30), "V=spf1 " + strings.Repeat("mx:%{o}.test ", 12)},
		{"v=spf1 ip6:2001:db8::/32 ip4:192.0.2.7 ip6:::ffff:192.0.2.7 moo", "v=spf1 a:%%%_%-.test -all"},
	} {
		f.Add(s.root, s.inner, "mx.test", "joe-list", false, uint64(0))
		f.Add(s.root, s.inner, "%{d}\x1d", "x@y\x1f", true, uint64(0x8421842184218421))
	}
	f.Fuzz(func(t *testing.T, root, inner, helo, local string, v6 bool, fails uint64) {
		d := &dream{root: root, inner: inner, client: c7, fails: fails}
		if v6 {
			d.client = six
		}
		q := Query{d.client, helo, local + "@a.test"}
		got, a := d.run(t, q, false)
		holds(t, got, len(d.asked))
		for _, sender := range []string{"", local} {
			if s, _ := newSubject(Query{d.client, helo, sender}); s.domain != "" {
				r, _ := d.run(t, Query{d.client, helo, sender}, false)
				holds(t, r, len(d.asked))
			}
		}
		plain, _ := d.run(t, q, true)
		if got.Outcome != plain.Outcome && len(a.order) < mostQuestions {
			t.Errorf("asking ahead makes %v (%s) of %v (%s)", got.Outcome, got.Reason, plain.Outcome, plain.Reason)
		}
		if fails == 0 && !v6 && a.ordinary() && masked(helo+local) == helo+local {
			alone, err := library.CheckHostWithSender(net.IP(c7.AsSlice()), helo, q.Sender, library.WithResolver(bareDream{d}))
			if results[alone] != got.Outcome && got.Outcome != TempError { // of an answer that was cut
				t.Errorf("the library by itself has %v (%v), not %v (%s; %s)", alone, err, got.Outcome, got.Mechanism, got.Reason)
			}
		}
	})
}

// holds: no result against the client rests on a question that failed, and what
// the operator reads is printable and short.
func holds(t *testing.T, r Result, questions int) {
	t.Helper()
	if r.Outcome == NotAsked || r.Never && r.Outcome != Fail {
		t.Errorf("got %v, never %v", r.Outcome, r.Never)
	}
	for _, l := range r.Lookups {
		against := r.Outcome == Fail || r.Outcome == SoftFail || r.Outcome == PermError
		if l.Used && l.Answer.Status == Failed && against {
			t.Errorf("%v (%s) although %s %s failed", r.Outcome, r.Reason, l.Type, l.Name)
		}
		if l.Name == "a.test" && l.Type == "TXT" && l.Answer.Status == Failed && r.Outcome != TempError {
			t.Errorf("%v without a record", r.Outcome)
		}
	}
	if len(r.Lookups) > questions {
		t.Errorf("%d look-ups, %d questions", len(r.Lookups), questions)
	}
	for _, text := range []string{r.Mechanism, r.Reason} {
		if clip(text) != text && len(text) <= maxText || len(text) > 2*maxText {
			t.Errorf("the operator reads %q", text)
		}
	}
	if (r.Mechanism == "") == (r.Reason == "") && r.Reason == "" {
		t.Errorf("%v says nothing", r.Outcome)
	}
}

// ordinary: no record that was looked at has what the library is known to read
// otherwise.
func (a *asker) ordinary() bool {
	for _, in := range a.order {
		switch p := in.policy; {
		case !in.used || in.rrtype != typeTXT:
		case p.err != nil:
			return false
		case p.record != nil:
			if p.record.letters&odd != 0 || p.record.letters.has('p') || slices.ContainsFunc(p.record.terms, func(t term) bool {
				return strings.Contains(t.spec, "/") || t.kind == kindIP && t.network.Addr().Is4In6()
			}) || strings.Contains(p.record.redirect, "/") {
				return false
			}
		}
	}
	return true
}

// bareDream is a dream as the library expects it.
type bareDream struct{ *dream }

func (d bareDream) LookupTXT(ctx context.Context, name string) ([]string, error) {
	name, ok := asked(name)
	a := d.TXT(ctx, name)
	return a.Texts, d.err(a, ok)
}

func (d bareDream) LookupMX(ctx context.Context, name string) (mxs []*net.MX, err error) {
	name, ok := asked(name)
	a := d.MX(ctx, name)
	for _, host := range a.Names {
		mxs = append(mxs, &net.MX{Host: host})
	}
	if err := d.err(a, ok); err != nil {
		return nil, err
	}
	return mxs, nil
}

func (d bareDream) LookupIPAddr(ctx context.Context, name string) (addrs []net.IPAddr, err error) {
	name, ok := asked(name)
	a := d.Addrs(ctx, name, false)
	for _, addr := range a.Addrs {
		addrs = append(addrs, net.IPAddr{IP: addr.AsSlice()})
	}
	if err := d.err(a, ok); err != nil {
		return nil, err
	}
	return addrs, nil
}

func (d bareDream) LookupAddr(ctx context.Context, addr string) (names []string, err error) {
	a := d.PTR(ctx, netip.MustParseAddr(addr))
	return slices.DeleteFunc(slices.Clone(a.Names), func(name string) bool { return !hostName(name) }), d.err(a, true)
}

func (d bareDream) err(a Answer, ok bool) error {
	switch {
	case !ok || a.Status == NoName:
		return errNotFound
	case a.Status == Failed:
		return &net.DNSError{Err: a.Reason, IsTemporary: true}
	}
	return nil
}

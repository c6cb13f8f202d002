package engine

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// A fakeZones is a dnsbl.Asker that answers from a map, names to what is answered:
// addresses, or the reason of a failure, or "never", or "panic". What is not in it
// does not exist. It counts what it is asked.
type fakeZones struct {
	delay time.Duration
	slow  map[string]time.Duration // by the end of the name

	mu    sync.Mutex
	a     map[string][]string
	txt   map[string]string
	asked map[string]int
}

func newZones() *fakeZones {
	return &fakeZones{slow: map[string]time.Duration{}, a: map[string][]string{}, txt: map[string]string{}, asked: map[string]int{}}
}

// set makes a name, or with a leading dot all below it, answer so.
func (z *fakeZones) set(name string, answers ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.a[name] = answers
}

func (z *fakeZones) A(ctx context.Context, name string) dnsbl.Reply {
	z.mu.Lock()
	z.asked[name]++
	answers, delay := z.answers(name), z.delay
	z.mu.Unlock()
	for end, d := range z.slow {
		if strings.HasSuffix(name, end) {
			delay = d
		}
	}
	if len(answers) == 1 && answers[0] == "never" {
		delay = 24 * time.Hour
	}
	if !pass(ctx, delay) {
		return dnsbl.Reply{Reason: dnsbl.Budget}
	}
	r := dnsbl.Reply{Outcome: dnsbl.None, Expires: time.Now().Add(10 * time.Minute)}
	for _, text := range answers {
		addr, err := netip.ParseAddr(text)
		switch {
		case text == "panic":
			panic("a bug of ours")
		case err != nil:
			return dnsbl.Reply{Reason: text}
		}
		r.Outcome, r.Addrs = dnsbl.Found, append(r.Addrs, addr)
	}
	return r
}

// answers are those of the name, or else of the nearest above it.
func (z *fakeZones) answers(name string) []string {
	if a, ok := z.a[name]; ok {
		return a
	}
	for rest := name; ; {
		_, above, more := strings.Cut(rest, ".")
		if !more {
			return nil
		}
		if a, ok := z.a["."+above]; ok {
			return a
		}
		rest = above
	}
}

// pass lets time pass, unless ctx ends.
func pass(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (z *fakeZones) TXT(ctx context.Context, name string) dnsbl.Reply {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked["TXT "+name]++
	text, ok := z.txt[name]
	if !ok {
		return dnsbl.Reply{Outcome: dnsbl.None}
	}
	return dnsbl.Reply{Outcome: dnsbl.Found, Texts: []string{text}}
}

// questions gives what was asked since the last call, each once, in order.
func (z *fakeZones) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	asked := slices.Sorted(maps.Keys(z.asked))
	clear(z.asked)
	return asked
}

// count gives how often a name was asked for.
func (z *fakeZones) count(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name]
}

// A doorman is a ListWatch, and the dnsbl.Watch of the same lists, by hand.
type doorman struct {
	mu        sync.Mutex
	away      map[string]bool // lists that do not count
	absent    dnsbl.Absence   // what is made of these
	mad       map[string]bool // lists that confirm nothing
	silent    bool            // confirmations wait until their time is over
	judged    []dnsbl.VisitSeen
	swayed    []string
	sound     map[string]bool     // lists that have passed a test since
	waiting   map[string][]func() // for that
	confirmed []string
}

func newDoorman() *doorman {
	return &doorman{away: map[string]bool{}, mad: map[string]bool{}, sound: map[string]bool{}, waiting: map[string][]func(){}}
}

func (d *doorman) Generation(string) uint32 { return 0 }
func (d *doorman) Saw(*dnsbl.Answer)        {}

func (d *doorman) Absence(string) dnsbl.Absence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.absent
}

func (d *doorman) Snapshot() []dnsbl.Standing {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []dnsbl.Standing{{List: "not in use", Condition: dnsbl.Empty}}
	for _, id := range slices.Sorted(maps.Keys(d.away)) {
		s := dnsbl.Standing{List: id, Condition: dnsbl.Up, Counts: !d.away[id]}
		if d.away[id] {
			s.Condition, s.Reason, s.Remedy = dnsbl.Silent, "says nothing", "wait"
		}
		all = append(all, s)
	}
	return all
}

func (d *doorman) Counts(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.away[id]
}

func (d *doorman) Judged(seen dnsbl.VisitSeen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.judged = append(d.judged, seen)
}

func (d *doorman) ConfirmSince(ctx context.Context, id string, kind dnsbl.Asks, heard time.Time) bool {
	if heard.IsZero() {
		panic("a hit of no time")
	}
	d.mu.Lock()
	d.confirmed = append(d.confirmed, id+" "+map[dnsbl.Asks]string{dnsbl.IP4: "ip4", dnsbl.IP6: "ip6", dnsbl.Domain: "domain"}[kind])
	silent, mad := d.silent, d.mad[id]
	d.mu.Unlock()
	if silent {
		<-ctx.Done()
	}
	return !mad && ctx.Err() == nil
}

func (d *doorman) AfterTest(id string, heard time.Time, then func()) bool {
	if heard.IsZero() {
		panic("a hit of no time")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.sound[id] {
		d.waiting[id] = append(d.waiting[id], then)
	}
	return d.sound[id]
}

func (d *doorman) Swayed(id string, harsher bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.swayed = append(d.swayed, id+map[bool]string{true: " harsher", false: " softer"}[harsher])
}

// confirmations gives the lists that were asked to confirm since the last call.
func (d *doorman) confirmations() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := slices.Sorted(slices.Values(d.confirmed))
	d.confirmed = nil
	return c
}

// code makes a code; of a suspect one the list may be lying.
func code(t testing.TB, answer string, kind dnsbl.Kind, points float64) dnsbl.Code {
	t.Helper()
	c, err := dnsbl.NewCode(answer, "", "", kind, points)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newList makes a list of that id under ID.test. Its codes are 127.0.0.2 "listed" of
// so many points, or "allow" where they are below 0; 127.0.0.3 is "listed" and weighs
// nothing, 127.0.0.4 info, 127.0.0.255 an error, and 127.0.0.10 says that it lies.
func newList(t testing.TB, id string, points float64, at ...dnsbl.Stage) dnsbl.List {
	t.Helper()
	kind := dnsbl.Listed
	if points < 0 {
		kind = dnsbl.Allow
	}
	suspect := code(t, "127.0.0.10", dnsbl.Info, 0)
	suspect.Suspect = true
	spec := dnsbl.Spec{
		ID: id, Zone: id + ".test", Asks: dnsbl.IP4 | dnsbl.IP6 | dnsbl.Domain, Stages: dnsbl.StagesOf(at...),
		Codes: []dnsbl.Code{
			code(t, "127.0.0.2", kind, points), code(t, "127.0.0.3", dnsbl.Listed, 0), code(t, "127.0.0.4", dnsbl.Info, 0),
			code(t, "127.0.0.255", dnsbl.Error, 0), suspect,
		},
	}
	spec.Codes[0].Meaning = "spam source"
	l, err := spec.List()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// everywhere are five lists, one for each subject, of 8 points each.
func everywhere(t testing.TB) []dnsbl.List {
	return []dnsbl.List{
		newList(t, "bl", 8, dnsbl.Connect), newList(t, "bounce", 8, dnsbl.Bounce), newList(t, "ptr", 8, dnsbl.PTR),
		newList(t, "helo", 8, dnsbl.Helo), newList(t, "mail", 8, dnsbl.Mail),
	}
}

// A listHarness judges by lists.
type listHarness struct {
	harness
	dns   *fakeDNS
	zones *fakeZones
	watch *doorman
	set   *dnsbl.Set
}

// withLists makes one. What may be asked lives as long as the test.
func withLists(t testing.TB, change func(*Options), lists ...dnsbl.List) listHarness {
	t.Helper()
	h := listHarness{dns: world(), zones: newZones(), watch: newDoorman()}
	h.set = dnsbl.NewSet(lists, h.zones, h.watch, dnsbl.Options{Cache: dnsbl.NewCache(1 << 20), Own: []netip.Addr{netip.MustParseAddr("192.0.2.99")}})
	h.harness = newHarness(t, h.dns, func(o *Options) {
		o.Lists, o.ListWatch = h.set, h.watch
		o.Us.Addrs = []netip.Addr{netip.MustParseAddr("192.0.2.99")}
		if change != nil {
			change(o)
		}
	})
	return h
}

// findings are those of lists in the last verdict in the log.
func (h listHarness) findings() string {
	lines := h.lines("verdict")
	if len(lines) == 0 {
		return "no verdict"
	}
	_, rest, _ := strings.Cut(lines[len(lines)-1], " findings=")
	findings, _, _ := strings.Cut(rest, " ")
	var of []string
	for id := range strings.SplitSeq(findings, ",") {
		if strings.Count(id, ":") == 2 {
			of = append(of, id)
		}
	}
	return strings.Join(of, ",")
}

// send is a whole transaction of one recipient on an open visit.
func send(v *Visit, from string) Answer {
	if a := v.Mail(Mail{From: from}); a.Action != profile.Continue {
		return a
	}
	a := v.Rcpt(Rcpt{To: toUser})
	v.EndOfMessage("Q")
	return a
}

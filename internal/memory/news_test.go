package memory

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A peer is one of the machines that tell each other of servers.
type peer struct {
	retries *Retries
	servers *Servers
}

var (
	shareKey    = Secret{7}
	sharedTimes = Windows{After: time.Minute, Within: 24 * time.Hour, Keep: 7 * 24 * time.Hour}
	midday      = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
)

func newPeer() *peer {
	p := &peer{NewKeptRetries(sharedTimes, shareKey), NewServers(Options{Settings: DefaultSettings(), Track: true, Secret: shareKey}, midday.Add(-30*24*time.Hour))}
	p.retries.Share(midday)
	p.servers.Share()
	return p
}

// tell has a machine tell others all that is new to it, in records of about most octets.
func (p *peer) tell(t testing.TB, most int, now time.Time, to ...*peer) (records int) {
	t.Helper()
	for {
		r, s := p.retries.News(nil, most), p.servers.News(nil, most)
		if len(r)+len(s) == 0 {
			return records
		}
		records++
		for _, other := range to {
			if len(r) > 0 {
				if err := other.retries.Hear(r, now); err != nil {
					t.Fatal(err)
				}
			}
			if len(s) > 0 {
				if err := other.servers.Hear(s, now); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// try is one visit that would be deferred for its score.
func (p *peer) try(client, operator, mail string, now time.Time) bool {
	c := p.retries.Caller(netip.MustParseAddr(client), operator, "")
	if p.retries.Passes(&c, "<"+mail+"@s.example>", "<r@here.example>", now) {
		return true
	}
	p.retries.Deferred(&c, "<"+mail+"@s.example>", "<r@here.example>", []string{"rdns-missing"}, now)
	return false
}

// TestADeferralHereAndTheRetryThere: an operator is asked once, whichever machine it comes
// to, and passes on all of them when it has come back to one.
func TestADeferralHereAndTheRetryThere(t *testing.T) {
	for _, operator := range []string{"", "big.example"} {
		a, b := newPeer(), newPeer()
		if a.try("192.0.2.7", operator, "m", midday) {
			t.Fatal("a stranger passes")
		}
		a.tell(t, 4096, midday, b)
		if b.try("192.0.2.7", operator, "m", midday.Add(10*time.Second)) {
			t.Error("it has not waited")
		}
		later := midday.Add(2 * time.Minute)
		if !b.try("192.0.2.7", operator, "m", later) {
			t.Fatalf("operator %q: the retry at the other machine is deferred", operator)
		}
		b.tell(t, 4096, later, a)
		if !a.try("192.0.2.7", operator, "other", later.Add(time.Hour)) {
			t.Errorf("operator %q: it came back there, and is asked here", operator)
		}
		if operator != "" && !a.try("203.0.113.9", operator, "third", later.Add(time.Hour)) {
			t.Error("another machine of that operator is asked")
		}
		if a.try("198.51.100.7", "", "m", later) {
			t.Error("a stranger passes for it")
		}
		// One asked, one came back, and nobody gave up, on both together.
		end := midday.Add(30 * time.Hour)
		a.try("198.51.100.99", "", "x", end)
		b.try("198.51.100.99", "", "x", end)
		sa, sb := a.retries.Stats(), b.retries.Stats()
		if sa.Returned+sb.Returned != 1 || sa.GaveUp+sb.GaveUp != 1 { // 198.51.100.7
			t.Errorf("operator %q: %+v, %+v", operator, sa, sb)
		}
	}
}

// TestNewsAreToldOnceAndHeardTwice: nothing is told again, and what is heard again changes
// nothing; the order does not matter.
func TestNewsAreToldOnceAndHeardTwice(t *testing.T) {
	a, b, c := newPeer(), newPeer(), newPeer()
	for i := range 50 {
		a.try(fmt.Sprintf("203.0.113.%d", i), "", fmt.Sprintf("m%c%c", 'a'+i/10, 'a'+i%10), midday) // numbers are as one
	}
	first := slices.Clone(a.retries.News(nil, 1<<20))
	if again := a.retries.News(nil, 1<<20); len(again) > 0 {
		t.Errorf("%d octets are told again", len(again))
	}
	a.try("203.0.113.1", "", "another", midday)
	second := slices.Clone(a.retries.News(nil, 1<<20))
	if len(second) > 200 {
		t.Errorf("one more mail takes %d octets: all of the sender's are told again", len(second))
	}
	for _, r := range [][]byte{first, second, first} {
		if err := b.retries.Hear(r, midday); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range [][]byte{second, first, second} {
		if err := c.retries.Hear(r, midday); err != nil {
			t.Fatal(err)
		}
	}
	if x, y := b.retries.Stats(), c.retries.Stats(); x.Waiting != 51 || x.Waiting != y.Waiting || x.Callers != y.Callers || x.Deferred != 0 {
		t.Errorf("%+v, %+v", x, y)
	}
	if n := len(b.retries.News(nil, 1<<20)); n > 0 {
		t.Errorf("what was heard is told: %d octets", n)
	}
}

// TestNewsOutliveTheProcess: what was kept and perhaps not told is told again.
func TestNewsOutliveTheProcess(t *testing.T) {
	a, b := newPeer(), newPeer()
	a.try("192.0.2.7", "", "old", midday.Add(-time.Hour))
	a.tell(t, 4096, midday)
	a.try("192.0.2.7", "", "m", midday)
	kept := slices.Clone(a.retries.ExportChanged(nil))
	again := newPeer()
	if err := again.retries.Import(kept, midday); err != nil {
		t.Fatal(err)
	}
	again.retries.Share(midday.Add(10 * time.Second))
	again.tell(t, 4096, midday, b)
	if !b.try("192.0.2.7", "", "m", midday.Add(2*time.Minute)) {
		t.Error("who was deferred just before the end is not known elsewhere")
	}
}

// TestForgottenIsForgottenEverywhere.
func TestForgottenIsForgottenEverywhere(t *testing.T) {
	a, b := newPeer(), newPeer()
	a.try("192.0.2.7", "", "m", midday)
	a.try("192.0.2.7", "", "m", midday.Add(time.Hour))
	sub := a.servers.Subject(netip.MustParseAddr("192.0.2.7"), "")
	a.servers.Note(&sub, &Event{Visit: true}, midday)
	a.tell(t, 4096, midday, b)
	a.retries.Forget(NetKey(netip.MustParseAddr("192.0.2.7")), AddressKey(netip.MustParseAddr("192.0.2.7")))
	a.servers.Forget(sub.Home, sub.Net)
	a.tell(t, 4096, midday, b)
	if b.try("192.0.2.7", "", "m", midday.Add(2*time.Hour)) {
		t.Error("it passes there")
	}
	if c := b.servers.Counts(sub.Home, midday); c.Known() {
		t.Errorf("%+v", c)
	}
}

// TestServersAreKnownAlike: what two machines see adds up on both, a day on which both saw
// a server is one, and names of operators need no key.
func TestServersAreKnownAlike(t *testing.T) {
	a, b := newPeer(), newPeer()
	event := Event{Visit: true, Taken: 2, Met: true, Helo: "stray.example", From: "s.example"}
	at := func(p *peer) Subject { return p.servers.Subject(netip.MustParseAddr("192.0.2.7"), "big.example") }
	now := midday
	for day := range 5 {
		now = midday.AddDate(0, 0, day)
		for _, p := range []*peer{a, b} {
			sub := at(p)
			p.servers.Note(&sub, &event, now)
			if day == 4 {
				p.servers.Report(&sub, Spam, now)
			}
		}
		a.tell(t, 100, now, b) // several records
		b.tell(t, 100, now, a)
	}
	alone := newPeer()
	for day := range 5 {
		sub := at(alone)
		for range 2 {
			alone.servers.Note(&sub, &event, midday.AddDate(0, 0, day))
		}
	}
	sub := at(alone)
	alone.servers.Report(&sub, Spam, now)
	alone.servers.Report(&sub, Spam, now)
	for _, key := range []Key{sub.Home, sub.Net, sub.Operator} {
		want := alone.servers.Counts(key, now)
		for _, p := range []*peer{a, b} {
			got := p.servers.Counts(key, now)
			if near := func(x, y float64) bool { return x-y < 0.01 && y-x < 0.01 }; !near(got.Visits, want.Visits) || !near(got.Taken, want.Taken) || !near(got.Spam, want.Spam) ||
				!near(got.DaysSeen, want.DaysSeen) || !near(got.DaysTaken, want.DaysTaken) || got.Helos != want.Helos || got.Senders != want.Senders || !got.Met || !got.First.Equal(want.First) {
				t.Errorf("%v: %+v, want %+v", key, got, want)
			}
		}
	}
	if a.servers.Name(sub.Operator) != "big.example" {
		t.Error("the operator has no name")
	}
	if n := len(b.servers.News(nil, 1<<20)); n > 0 {
		t.Errorf("what was heard is told: %d octets", n)
	}
}

// TestNewsAreBounded: while nobody can be told, they do not grow without end.
func TestNewsAreBounded(t *testing.T) {
	a := newPeer()
	for i := range 3 * shards * maxNews / 2 {
		sub := a.servers.Subject(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "")
		a.servers.Note(&sub, &Event{Visit: true}, midday)
	}
	n := 0
	for i := range a.servers.shards {
		n += len(a.servers.shards[i].news)
	}
	if n > shards*maxNews {
		t.Errorf("%d news", n)
	}
}

// TestAnotherSecretMovesOperators: their names are known, so they are found under it.
func TestAnotherSecretMovesOperators(t *testing.T) {
	a := newPeer()
	sub := a.servers.Subject(netip.MustParseAddr("192.0.2.7"), "big.example")
	a.servers.Note(&sub, &Event{Visit: true, Taken: 1}, midday)
	a.servers.SetSecret(Secret{8}, midday)
	moved := a.servers.Subject(netip.MustParseAddr("192.0.2.7"), "big.example")
	if c := a.servers.Counts(moved.Operator, midday); moved.Operator == sub.Operator || c.Taken != 1 || a.servers.Name(moved.Operator) != "big.example" {
		t.Errorf("%+v", c)
	}
	if c := a.servers.Counts(sub.Operator, midday); c.Known() {
		t.Errorf("it is known by the old one too: %+v", c)
	}
	again := NewServers(Options{Settings: DefaultSettings(), Secret: Secret{8}}, midday)
	if err := again.Import(a.servers.ExportChanged(nil), midday); err != nil {
		t.Fatal(err)
	}
	old := again.Counts(sub.Operator, midday)
	if c := again.Counts(moved.Operator, midday); c.Taken != 1 || old.Known() {
		t.Errorf("kept: %+v", c)
	}
}

// FuzzHear: whatever a record of another machine holds, it is taken or refused.
func FuzzHear(f *testing.F) {
	a := newPeer()
	a.try("192.0.2.7", "big.example", "m", midday)
	sub := a.servers.Subject(netip.MustParseAddr("192.0.2.7"), "big.example")
	a.servers.Note(&sub, &Event{Visit: true, Taken: 2}, midday)
	f.Add(a.retries.News(nil, 4096))
	f.Add(a.servers.News(nil, 4096))
	f.Fuzz(func(t *testing.T, record []byte) {
		b := newPeer()
		if err := b.retries.Hear(record, midday); err == nil {
			b.retries.News(nil, 4096)
			b.retries.ExportChanged(nil)
			if s := b.retries.Stats(); s.Waiting < 0 || s.Callers < 0 || s.Passed < 0 {
				t.Errorf("%+v", s)
			}
		}
		if err := b.servers.Hear(record, midday); err == nil {
			kept := b.servers.ExportChanged(nil)
			if len(kept) > 0 {
				if err := newPeer().servers.Import(kept, midday); err != nil {
					t.Errorf("what was taken cannot be kept: %v", err)
				}
			}
		}
	})
}

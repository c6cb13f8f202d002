package memory

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var (
	windows = Windows{After: time.Minute, Within: 24 * time.Hour, Keep: 7 * 24 * time.Hour}
	start   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

var secret = Secret{1, 2, 3}

func kept() *Retries { return NewKeptRetries(windows, secret) }

// by is a client without a name of its own: one of its network.
func by(r *Retries, client netip.Addr) *Caller {
	c := r.Caller(client, "", "")
	return &c
}

// A try is one visit that would be deferred for its score.
type try struct {
	at           time.Duration
	client       string
	sender, rcpt string
	want         bool
}

func TestRetry(t *testing.T) {
	const a, b = "<a@example.net>", "<b@example.org>"
	tests := []struct {
		name  string
		tries []try
	}{
		{"a first visit waits", []try{{0, "192.0.2.7", a, b, false}}},
		{"too early waits on, and does not reset", []try{
			{0, "192.0.2.7", a, b, false},
			{59 * time.Second, "192.0.2.7", a, b, false},
			{60 * time.Second, "192.0.2.7", a, b, true},
		}},
		{"the last moment still passes", []try{
			{0, "192.0.2.7", a, b, false},
			{24 * time.Hour, "192.0.2.7", a, b, true},
		}},
		{"too late is a stranger again, whose clock starts then", []try{
			{0, "192.0.2.7", a, b, false},
			{24*time.Hour + time.Second, "192.0.2.7", a, b, false},
			{24*time.Hour + 30*time.Second, "192.0.2.7", a, b, false},
			{24*time.Hour + 61*time.Second, "192.0.2.7", a, b, true},
		}},
		{"early tries do not extend the end", []try{
			{0, "192.0.2.7", a, b, false},
			{30 * time.Second, "192.0.2.7", a, b, false},
			{24*time.Hour + 10*time.Second, "192.0.2.7", a, b, false},
		}},
		{"a neighbour of the same /24 comes back", []try{
			{0, "192.0.2.7", a, b, false},
			{5 * time.Minute, "192.0.2.200", a, b, true},
		}},
		{"another /24 does not", []try{
			{0, "192.0.2.7", a, b, false},
			{5 * time.Minute, "192.0.3.7", a, b, false},
		}},
		{"a neighbour of the same /64 comes back", []try{
			{0, "2001:db8::7", a, b, false},
			{5 * time.Minute, "2001:db8::ffff:1", a, b, true},
		}},
		{"another /64 does not", []try{
			{0, "2001:db8::7", a, b, false},
			{5 * time.Minute, "2001:db8:0:1::7", a, b, false},
		}},
		{"another sender has not come back", []try{
			{0, "192.0.2.7", a, b, false},
			{5 * time.Minute, "192.0.2.7", "<other@example.net>", b, false},
		}},
		{"another recipient has not come back", []try{
			{0, "192.0.2.7", a, b, false},
			{5 * time.Minute, "192.0.2.7", a, "<other@example.org>", false},
		}},
		{"case and tags do not matter", []try{
			{0, "192.0.2.7", "<prvs=0123456789=Joe@example.net>", "<B@Example.org>", false},
			{5 * time.Minute, "192.0.2.7", "<prvs=9876543210=joe@Example.NET>", b, true},
		}},
		{"who came back passes with anything, for as long as is kept", []try{
			{0, "192.0.2.7", a, b, false},
			{5 * time.Minute, "192.0.2.7", a, b, true},
			{6 * time.Minute, "192.0.2.8", "<new@example.com>", "<x@example.org>", true},
			{5*time.Minute + 7*24*time.Hour, "192.0.2.7", a, b, false},
		}},
		{"a clock stepped back is not a retry", []try{
			{0, "192.0.2.7", a, b, false},
			{-time.Hour, "192.0.2.7", a, b, false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := kept()
			for i, v := range tt.tries {
				client, now := netip.MustParseAddr(v.client), start.Add(v.at)
				got := r.Passes(by(r, client), v.sender, v.rcpt, now)
				if got != v.want {
					t.Fatalf("try %d (%+v): passes = %v, want %v", i, v, got, v.want)
				}
				if !got {
					r.Deferred(by(r, client), v.sender, v.rcpt, nil, now)
				}
			}
		})
	}
}

func TestRetriesAreBounded(t *testing.T) {
	r := kept()
	for i := range maxDeferred/2 + 500 {
		client := netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1}) // two recipients in each /24
		r.Deferred(by(r, client), "<a@example.net>", "<b@example.org>", nil, start)
		r.Deferred(by(r, client), "<a@example.net>", "<c@example.org>", nil, start)
	}
	sum := 0
	for _, w := range r.waiting {
		sum += len(w.list)
	}
	if r.open > maxDeferred || r.open != sum || len(r.waiting) > maxWaiting {
		t.Errorf("%d deferrals (%d counted) of %d networks", r.open, sum, len(r.waiting))
	}
	if st := r.Stats(); st.Forgotten != 500 || st.Deferred != maxDeferred/2+500 || st.Waiting != maxDeferred {
		t.Errorf("%+v", st)
	}
}

func TestOneNetworkMakesNobodyForgotten(t *testing.T) {
	r := kept()
	honest := netip.MustParseAddr("192.0.2.7")
	r.Deferred(by(r, honest), "<a@example.net>", "<b@example.org>", nil, start)
	flood := netip.MustParseAddr("198.51.100.1")
	for i := range 10 * maxPerKey {
		r.Deferred(by(r, flood), "<a@example.net>", fmt.Sprintf("<%x@example.org>", rand.Uint64()^uint64(i)), nil, start)
	}
	if open := r.Stats().Waiting; open != maxPerKey+1 {
		t.Errorf("%d deferrals, want %d of the flood and one", open, maxPerKey)
	}
	if !r.Passes(by(r, honest), "<a@example.net>", "<b@example.org>", start.Add(5*time.Minute)) {
		t.Error("an honest retry was forgotten for a flood from elsewhere")
	}
}

func TestSenderKey(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"the null sender", "<>", ""},
		{"plain, in any case", "<Joe@Example.NET>", "joe@example.net"},
		{"BATV", "<prvs=4163ab7d58=joe@example.net>", "joe@example.net"},
		{"BATV in its first form", "<prvs=joe/4163ab7d58@example.net>", "joe@example.net"},
		{"BATV by Barracuda", "<btv1==416ab==joe@example.net>", "joe@example.net"},
		{"SRS0 without hash and time", "<SRS0=Hx4s=BQ=example.net=joe@forwarder.example>", "srs:example.net:joe@forwarder.example"},
		{"SRS0 on another day is the same", "<SRS0=abcd=ZZ=example.net=joe@forwarder.example>", "srs:example.net:joe@forwarder.example"},
		{"SRS1", "<SRS1=Hx=first.example==Hx4s=BQ=example.net=joe@second.example>", "srs:example.net:joe@second.example"},
		{"VERP by plus", "<list+joe=example.org@lists.example>", "list@lists.example"},
		{"VERP by minus", "<list-return-joe=example.org@lists.example>", "list@lists.example"},
		{"VERP by number", "<bounce-8123-77@lists.example>", "bounce-#-#@lists.example"},
		{"a tag within a tag", "<prvs=4163ab7d58=list+joe=example.org@lists.example>", "list@lists.example"},
		{"no domain", "<joe>", "joe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SenderKey(tt.in); got != tt.want {
				t.Errorf("SenderKey(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzSenderKey(f *testing.F) {
	for _, s := range []string{"<>", "<a@b>", "prvs=1=x@y", "SRS0=a=b=c=d@e", "<prvs==/@>", "btv1====", "a-b=c@d", "\x00\xff@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := SenderKey(s)
		if len(once) > 3*len(s)+8 {
			t.Errorf("SenderKey(%q) grew to %q", s, once)
		}
	})
}

func BenchmarkPasses(b *testing.B) {
	b.ReportAllocs()
	r := kept()
	client := netip.MustParseAddr("192.0.2.7")
	for b.Loop() {
		r.Passes(by(r, client), "<joe@example.net>", "<x@example.org>", start)
	}
}

// TestWouldPass: looking says what passing would, and leaves no trace.
func TestWouldPass(t *testing.T) {
	r := kept()
	client := netip.MustParseAddr("192.0.2.7")
	const from, to = "<a@example.net>", "<b@example.org>"
	r.Deferred(by(r, client), from, to, nil, start)
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Minute, true}, {24 * time.Hour, true}, {25 * time.Hour, false}, {time.Hour, true}} {
		if got := r.WouldPass(by(r, client), from, to, start.Add(tt.after)); got != tt.want {
			t.Errorf("after %v: %v, want %v", tt.after, got, tt.want)
		}
	}
	if st := r.Stats(); st.Waiting != 1 || st.Passed != 0 {
		t.Errorf("%+v after looking, want one who waits and none who passed", st)
	}
	if !r.Passes(by(r, client), from, to, start.Add(time.Hour)) || !r.WouldPass(by(r, client), "<x@y.example>", to, start.Add(2*time.Hour)) {
		t.Error("a network that came back does not pass")
	}
	if r.WouldPass(by(r, client), from, to, start.Add(time.Hour+windows.Keep)) {
		t.Error("a network passes for longer than keep")
	}
}

// TestSetWindows: open deferrals live by the new times.
func TestSetWindows(t *testing.T) {
	r := kept()
	client := netip.MustParseAddr("192.0.2.7")
	r.Deferred(by(r, client), "<a@example.net>", "<b@example.org>", nil, start)
	r.SetWindows(Windows{After: time.Second, Within: time.Hour, Keep: time.Hour})
	if !r.Passes(by(r, client), "<a@example.net>", "<b@example.org>", start.Add(2*time.Second)) {
		t.Error("the shorter wait does not hold for an open deferral")
	}
}

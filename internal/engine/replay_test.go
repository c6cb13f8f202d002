package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/memory"
	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// A deafDNS fails the test that asks it.
type deafDNS struct{ t testing.TB }

func (d deafDNS) asked(what string) {
	d.t.Errorf("asked for %s: nothing was to leave", what)
}
func (d deafDNS) Cached(name string, qtype uint16) (resolver.Answer, bool) {
	d.asked(name)
	return resolver.Answer{}, false
}
func (d deafDNS) Lookup(_ context.Context, name string, _ uint16) resolver.Answer {
	d.asked(name)
	return resolver.Answer{}
}
func (d deafDNS) CachedReverse(client netip.Addr) (resolver.Reverse, bool) {
	d.asked(client.String())
	return resolver.Reverse{}, false
}
func (d deafDNS) Reverse(_ context.Context, client netip.Addr, _ func(resolver.Reverse)) resolver.Reverse {
	d.asked(client.String())
	return resolver.Reverse{}
}

func deaf(t testing.TB, change func(*Options)) harness {
	return newHarness(t, nil, func(o *Options) {
		o.Resolver = deafDNS{t}
		if change != nil {
			change(o)
		}
	})
}

func confirmedAs(name string) profile.RDNS {
	return profile.RDNS{Outcome: profile.Found, Names: []profile.PTR{{Name: name, Forward: profile.Confirmed}}}
}

func shown(name string) profile.Helo { return profile.Helo{Given: profile.Shown, Name: name} }

func TestReplayJudgesByWhatIsGivenAndAsksNothing(t *testing.T) {
	client := Client{Addr: netip.MustParseAddr("192.0.2.7")}
	away := profile.Host{A: profile.Found}
	here := profile.Host{A: profile.Found, Addrs: []netip.Addr{client.Addr}}
	tests := []struct {
		name  string
		given Given
		want  string // action and findings
	}{
		{"nothing is known", Given{}, "continue "},
		{"no PTR", Given{RDNS: profile.RDNS{Outcome: profile.NoName}}, "tempfail rdns-missing:6"},
		{"PTR unknown, and no more", Given{RDNS: profile.RDNS{Nameless: true}}, "continue rdns-unconfirmed:3"},
		{"a name that does not lead back", Given{RDNS: profile.RDNS{Outcome: profile.Found, Names: []profile.PTR{{Name: "a.example", Forward: profile.Mismatch}}}}, "continue rdns-unconfirmed:3"},
		{"a name of which more is not known", Given{RDNS: profile.RDNS{Outcome: profile.Found, Names: []profile.PTR{{Name: "a.example"}}}}, "continue "},
		{"HELO is the confirmed name", Given{RDNS: confirmedAs("mail.good.example"), Helo: shown("mail.good.example")}, "continue relation:-16"},
		{"HELO leads elsewhere", Given{Helo: profile.Helo{Given: profile.Shown, Name: "mail.good.example", Host: away}}, "continue helo-not-client:0.5"},
		{"HELO leads here", Given{Helo: profile.Helo{Given: profile.Shown, Name: "mail.good.example", Host: here}}, "continue "},
		{"HELO is us", Given{Helo: shown("mx.here.example")}, "reject helo-is-us:10"},
		{"a home line", Given{RDNS: confirmedAs("dsl-192-0-2-7.pool.isp.example")}, "tempfail rdns-dynamic:7"},
		{"SPF fails", Given{From: fromGood, SPF: profile.SPF{Outcome: profile.SPFFail}}, "continue spf-fail:1.5"},
		{"SPF passes", Given{From: fromGood, SPF: profile.SPF{Outcome: profile.SPFPass}}, "continue spf-pass:0,relation:-16"},
		{"SPF passes for the null sender's HELO", Given{From: "<>", SPF: profile.SPF{Outcome: profile.SPFPass}}, "continue spf-pass:0"},
		{"SPF of a sender who was not recorded", Given{SPF: profile.SPF{Outcome: profile.SPFFail}}, "continue spf-fail:1.5"},
		{"SPF had no answer", Given{From: fromGood, SPF: profile.SPF{Outcome: profile.SPFTempError}}, "continue spf-error:0"},
		{"a bounce to two", Given{From: "<>", Rcpts: []string{"<a@here.example>", "<b@here.example>"}}, "continue bounce-many-rcpts:4"},
		{"one recipient among the ways to help", Given{Helo: shown("mx.here.example"), Rcpts: []string{"<postmaster@here.example>"}}, "continue helo-is-us:10"},
		{"the harshest of several answers", Given{Helo: shown("mx.here.example"), Rcpts: []string{"<postmaster@here.example>", toUser}}, "reject helo-is-us:10"},
		{"a client that has logged in", Given{Helo: shown("localhost"), Account: "jo"}, "continue "},
		{"an address that cannot be read", Given{Client: Client{Addr: netip.Addr{}}, Helo: shown("localhost")}, "continue "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := deaf(t, nil)
			if tt.name != "an address that cannot be read" {
				tt.given.Client = client
			}
			r := h.Begin(tt.given).Judge()
			if got := fmt.Sprintf("%v %s", r.Verdict.Action, r.FindingsText()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if h.log.Len() > 0 {
				t.Errorf("logged: %s", h.log)
			}
		})
	}
}

// What a live visit has learned, given to a replay, makes the same verdict.
func TestReplayIsTheLiveVerdict(t *testing.T) {
	clients := []string{"192.0.2.7", "192.0.2.66", "198.51.100.9", "203.0.113.5", "2001:db8::7"}
	helos := []string{"mail.good.example", "helo.elsewhere.example", "six.good.example", "localhost", "[192.0.2.7]", "mx.here.example", "friend", "gone.example"}
	senders := []string{fromGood, "<>", "<x@null.example>", "<x@broken.example>", "<x@nowhere.example>", "<no address>"}
	h := newHarness(t, world(), func(o *Options) { o.Retries = nil })
	quiet := deaf(t, func(o *Options) { o.Retries = nil })
	for _, client := range clients {
		for _, helo := range helos {
			for _, from := range senders {
				c := Client{Addr: netip.MustParseAddr(client)}
				v := h.Connect(c)
				v.Helo(helo)
				v.Mail(Mail{From: from})
				v.judge(h.o.Now().Add(5 * time.Second))
				s := v.tx.session
				want := ofClient(v.tx.judgement.Findings)
				v.Close()

				r := quiet.Begin(Given{Client: c, RDNS: s.RDNS, Helo: s.Helo, From: from, SPF: s.SPF}).Judge()
				if got := ofClient(r.Findings()); got != want {
					t.Errorf("%s %s %s: live %s, replayed %s", client, helo, from, want, got)
				}
			}
		}
	}
}

// ofClient are the findings that do not rest on the DNS of the sender's domain, of
// which nobody records the answers.
func ofClient(findings []profile.Finding) string {
	return findingsText(slices.DeleteFunc(slices.Clone(findings), func(f profile.Finding) bool {
		return strings.HasPrefix(f.ID, "from-") || f.ID == "relation"
	}), nil)
}

// What is not given is asked for where that is wanted, and what is given is not.
func TestReplayAsksForWhatIsMissing(t *testing.T) {
	f := world()
	h := newHarness(t, f, nil)
	r := h.Begin(Given{Client: nameless, Helo: shown("helo.elsewhere.example"), From: fromGood, Ask: true}).Judge()
	if got := r.FindingsText(); !strings.Contains(got, "rdns-missing:6") || !strings.Contains(got, "helo-not-client") {
		t.Errorf("findings %s", got)
	}
	f = world()
	h = newHarness(t, f, nil)
	h.Begin(Given{
		Client: nameless, RDNS: profile.RDNS{Outcome: profile.NoName}, From: fromGood, SPF: profile.SPF{Outcome: profile.SPFNone},
		Helo: profile.Helo{Given: profile.Shown, Name: "helo.elsewhere.example", Host: profile.Host{A: profile.Found}}, Ask: true,
	}).Judge()
	for _, key := range []string{"192.0.2.66 PTR", "helo.elsewhere.example A", "good.example TXT"} {
		if f.timesAsked(key) > 0 {
			t.Errorf("asked for %s, which was given", key)
		}
	}
	if f.timesAsked("good.example MX") == 0 {
		t.Error("the sender's domain was not asked for")
	}
}

// Deferrals go by the clock of the replay, and only where a retry can be told.
func TestReplayRemembersInItsOwnTime(t *testing.T) {
	began := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	tests := []struct {
		name  string
		anew  bool
		after time.Duration
		want  profile.Action
	}{
		{"too soon", false, 30 * time.Second, profile.TempFail},
		{"in time", false, 10 * time.Minute, profile.Continue},
		{"too late", false, 25 * time.Hour, profile.TempFail},
		{"a retry that cannot be told from a new mail", true, 10 * time.Minute, profile.TempFail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := began
			h := deaf(t, func(o *Options) {
				o.Now = func() time.Time { return now }
				o.Retries = memory.NewRetries(memory.Windows{After: time.Minute, Within: 24 * time.Hour, Keep: time.Hour})
			})
			given := Given{Client: nameless, RDNS: profile.RDNS{Outcome: profile.NoName}, From: fromGood, Rcpts: []string{toUser}, Anew: tt.anew}
			if r := h.Begin(given).Judge(); r.Verdict.Action != profile.TempFail {
				t.Fatalf("first visit: %v", r.Verdict.Action)
			}
			now = began.Add(tt.after)
			if r := h.Begin(given).Judge(); r.Verdict.Action != tt.want {
				t.Errorf("after %v: %v, want %v", tt.after, r.Verdict.Action, tt.want)
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	h := deaf(b, nil)
	given := Given{Client: good, RDNS: confirmedAs("dsl-192-0-2-7.pool.isp.example"), Helo: shown("friend"), From: fromGood, Anew: true}
	b.ReportAllocs()
	for b.Loop() {
		r := h.Begin(given).Judge()
		_ = r.FindingsText()
	}
}

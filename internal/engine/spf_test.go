package engine

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// sending is a world whose domains say who may send for them.
func sending() *fakeDNS {
	f := world()
	f.records["pass.example TXT"] = []string{"v=spf1 include:_spf.pass.example -all"}
	f.records["_spf.pass.example TXT"] = []string{"v=spf1 ip4:192.0.2.0/24 -all"}
	f.records["fail.example TXT"] = []string{"v=spf1 ip4:198.51.100.1 -all"}
	f.records["never.example TXT"] = []string{"v=spf1 -all"}
	f.records["sick.example TXT"] = []string{"SERVFAIL"}
	for _, domain := range []string{"pass", "fail", "never", "sick"} {
		f.records[domain+".example MX"] = []string{"mx." + domain + ".example"}
		f.records["mx."+domain+".example A"] = []string{"203.0.113.80"}
	}
	return f
}

func TestSPF(t *testing.T) {
	tests := []struct {
		name, from, finding string
		want                profile.Action
	}{
		{"pass, by an include", "<joe@pass.example>", "spf-pass", profile.Continue},
		{"fail weighs, and does not refuse", "<joe@fail.example>", "spf-fail", profile.Continue},
		{"a domain that sends nothing", "<joe@never.example>", "spf-never", profile.Reject},
		{"a record that cannot be had is no evidence", "<joe@sick.example>", "spf-error", profile.Continue},
		{"no record", "<joe@good.example>", "spf-none", profile.Continue},
		{"HELO for the null sender", "<>", "spf-none", profile.Continue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, sending(), nil)
			a := h.deliver(good, "mail.good.example", tt.from, toUser)
			if line := h.lines("verdict")[0]; a.Action != tt.want || !strings.Contains(line, tt.finding+":") {
				t.Errorf("got %v, want %v with %s\n%s", a.Action, tt.want, tt.finding, line)
			}
		})
	}
}

func TestSPFPassIsARelation(t *testing.T) {
	h := newHarness(t, sending(), nil)
	helo, from := "unresolvable.example", "joe@pass.example"
	rec := h.Explain(Query{Client: nameless.Addr, Helo: &helo, From: &from})
	if rec.Identity != (RecordIdentity{Answer: "yes", By: "spf"}) {
		t.Errorf("identity %+v", rec.Identity)
	}
	if rec.Recipients[0].Action != "continue" {
		t.Errorf("no PTR, but SPF passes: %+v\n%+v", rec.Recipients[0], rec.Findings)
	}
	var asked []string
	for _, l := range rec.Lookups {
		if l.Type == "TXT" {
			asked = append(asked, l.Question)
		}
	}
	if strings.Join(asked, " ") != "_spf.pass.example pass.example" {
		t.Errorf("look-ups of SPF: %v", asked)
	}
}

func TestColdVisitWithOneIncludeTakesFourRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sending()
		f.delay = 20 * time.Millisecond
		h := newHarness(t, f, nil)
		start := time.Now()
		h.deliver(good, "mail.good.example", "<joe@pass.example>", toUser)
		if waited := time.Since(start); waited > 80*time.Millisecond {
			t.Errorf("took %v, want four round trips of 20ms at most", waited)
		}
	})
}

func TestSlowSPFHoldsBackNoMailBeyondTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sending()
		f.dead["pass.example TXT"] = true
		h := newHarness(t, f, nil)
		start := time.Now()
		a := h.deliver(Client{Addr: netip.MustParseAddr("192.0.2.7")}, "mail.good.example", "<joe@pass.example>", toUser)
		if waited := time.Since(start); waited != 5*time.Second || a.Action != profile.Continue {
			t.Errorf("%v after %v, want continue after the budget", a.Action, waited)
		}
		synctest.Wait()
	})
}

// A lastingDNS is a fakeDNS whose answers hold for an hour.
type lastingDNS struct{ *fakeDNS }

func (f lastingDNS) Lookup(ctx context.Context, name string, qtype uint16) resolver.Answer {
	a := f.fakeDNS.Lookup(ctx, name, qtype)
	a.Expires = time.Now().Add(time.Hour)
	return a
}

func TestEnginesThatFollowOneAnotherShareWhatSPFFound(t *testing.T) {
	f := lastingDNS{sending()}
	shared := NewSPF(f)
	for i, tt := range []struct {
		name   string
		change func(*Options)
		asked  int // by then
	}{
		{"the first one asks", func(o *Options) { o.SPF = shared }, 1},
		{"the next one remembers", func(o *Options) { o.SPF, o.PolicyID = shared, "standard@1-other" }, 1},
		{"one with a memory of its own asks again", func(*Options) {}, 2},
	} {
		h := newHarness(t, f.fakeDNS, func(o *Options) {
			o.Resolver = f
			tt.change(o)
		})
		a := h.deliver(good, "mail.good.example", "<joe@pass.example>", toUser)
		if n := f.timesAsked("pass.example TXT"); n != tt.asked || a.Action != profile.Continue || !strings.Contains(h.log.String(), "spf-pass") {
			t.Errorf("engine %d, %s: %v, asked %d times, want %d\n%s", i, tt.name, a, n, tt.asked, h.log)
		}
	}
}

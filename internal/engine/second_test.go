package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// A keeper is a Second that keeps what it is given.
type keeper struct{ all []*Judged }

func (k *keeper) Take(j *Judged) { k.all = append(k.all, j) }

// last rejudges the last transaction, and says how: "continue > tempfail".
func (k *keeper) last(t *testing.T, by *Engine) []string {
	t.Helper()
	if len(k.all) == 0 {
		t.Fatal("nothing was handed over")
	}
	var all []string
	for _, twice := range by.Rejudge(k.all[len(k.all)-1]) {
		all = append(all, twice.Said.Verdict.Action.String()+" > "+twice.Other.Verdict.Action.String())
	}
	return all
}

// tried is a harness that hands over, and an engine that judges that once more. It has
// no resolver: it could ask nobody.
func tried(t *testing.T, f *fakeDNS, live func(*Options), change func(*Options)) (harness, *keeper, *Engine) {
	t.Helper()
	k := new(keeper)
	h := newHarness(t, f, func(o *Options) {
		if live != nil {
			live(o)
		}
		o.Second = k
	})
	policy, err := profile.Baseline("standard")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Policy: policy, PolicyID: "candidate", Us: h.o.Us, Exempt: h.o.Exempt, Retries: h.o.Retries, Logger: h.o.Logger, Now: h.o.Now}
	change(&o)
	return h, k, New(o)
}

func points(id string, n float64) func(*Options) {
	return func(o *Options) { o.Policy.Points[id] = profile.Points{Value: n} }
}

func TestRejudgeByOtherPoints(t *testing.T) {
	for _, tt := range []struct {
		name       string
		change     func(*Options)
		client     Client
		helo, from string
		rcpt       string
		want       string
	}{
		{"the same policy says the same", func(*Options) {}, nameless, "helo.elsewhere.example", fromGood, toUser, "tempfail > tempfail"},
		{"more points", points("rdns-missing", 30), nameless, "helo.elsewhere.example", fromGood, toUser, "tempfail > reject"},
		{"fewer", points("rdns-missing", 0), nameless, "helo.elsewhere.example", fromGood, toUser, "tempfail > continue"},
		{"postmaster stays open", points("rdns-missing", 30), nameless, "helo.elsewhere.example", fromGood, "<postmaster@here.example>", "continue > continue"},
		{"its own exempt recipients", func(o *Options) { o.Exempt.Recipients = []string{"user@here.example"} }, nameless, "helo.elsewhere.example", fromGood, toUser, "tempfail > continue"},
		{"its own names", func(o *Options) { o.Us.Names = []string{"mail.good.example"} }, good, "mail.good.example", fromGood, toUser, "continue > reject"},
	} {
		h, k, by := tried(t, world(), nil, tt.change)
		h.deliver(tt.client, tt.helo, tt.from, tt.rcpt)
		if got := strings.Join(k.last(t, by), ", "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestRejudgeTellsRecipientsApart: each different pair of answers is told, once.
func TestRejudgeTellsRecipientsApart(t *testing.T) {
	h, k, by := tried(t, world(), nil, points("rdns-missing", 30))
	v := h.Connect(nameless)
	v.Helo("helo.elsewhere.example")
	v.Mail(Mail{From: fromGood})
	for _, to := range []string{toUser, "<postmaster@here.example>", "<al@here.example>", "<abuse@here.example>"} {
		v.Rcpt(Rcpt{To: to})
	}
	v.EndOfMessage("Q")
	v.Close()
	if got := strings.Join(k.last(t, by), ", "); len(k.all) != 1 || got != "tempfail > reject, continue > continue" {
		t.Errorf("%d transactions, %s", len(k.all), got)
	}
}

// TestRejudgeOfManyRecipientsIsBounded: what is kept of a transaction has an end.
func TestRejudgeOfManyRecipientsIsBounded(t *testing.T) {
	h, k, by := tried(t, world(), nil, func(*Options) {})
	v := h.Connect(good)
	v.Helo("mail.good.example")
	v.Mail(Mail{From: fromGood})
	for range 5 * maxSayings {
		v.Rcpt(Rcpt{To: toUser})
	}
	v.Close()
	if n := len(k.all[0].said); n != maxSayings {
		t.Errorf("%d answers kept", n)
	}
	k.last(t, by)
}

// TestRejudgeAsksNobodyAndLeavesNoTrace: facts that were not asked are unknown, limits are
// left out, and neither memory nor the table of retries learns of it.
func TestRejudgeAsksNobodyAndLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		servers := memory.NewServers(memory.Options{Settings: memory.DefaultSettings()}, time.Now())
		h, k, by := tried(t, f, func(o *Options) {
			o.Memory = servers
			o.Limits = newLimited(t, perOf(ratelimit.PerClient, ratelimit.Messages, 1), nil).o.Limits
		}, points("rdns-missing", 7))
		h.deliver(good, "mail.good.example", fromGood, toUser)
		if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.TempFail {
			t.Fatalf("the limit: %+v", a)
		}
		if got := k.last(t, by); got[0] != "continue > continue" {
			t.Errorf("a limit is compared: %v", got)
		}
		h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
		asked, retries, seen := len(f.asked), h.o.Retries.Stats(), servers.Stats(time.Now())
		lines := h.log.Len()
		for range 3 {
			k.last(t, by)
		}
		if len(f.asked) != asked || h.o.Retries.Stats().Deferred != retries.Deferred || servers.Stats(time.Now()) != seen || h.log.Len() != lines {
			t.Errorf("asked %d, then %d; %+v, then %+v; log %s", asked, len(f.asked), retries, h.o.Retries.Stats(), h.log)
		}
		time.Sleep(5 * time.Minute) // who came back to the one that speaks, has come back
		if a := h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser); a.Action != profile.Continue {
			t.Fatalf("%+v", a)
		}
		if got := k.last(t, by); got[0] != "continue > continue" {
			t.Errorf("an honest retry: %v", got)
		}
	})
}

// TestRejudgeOfTheTrusted: who is exempt for one of the two only is judged by what was
// asked.
func TestRejudgeOfTheTrusted(t *testing.T) {
	exempt := func(o *Options) { o.Exempt.Networks = append(o.Exempt.Networks, memory.Network(nameless.Addr)) }
	h, k, by := tried(t, world(), exempt, points("rdns-missing", 30))
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	if got := k.last(t, by); got[0] != "continue > continue" {
		t.Errorf("nothing was asked of an exempt client: %v", got)
	}
	h, k, by = tried(t, world(), nil, exempt)
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	if got := k.last(t, by); got[0] != "tempfail > continue" {
		t.Errorf("exempt by the candidate: %v", got)
	}
}

// TestRejudgeOfLists: an answer is read by the candidate's codes; lists that it has alone
// say nothing, and so do those that it has not.
func TestRejudgeOfLists(t *testing.T) {
	for _, tt := range []struct {
		name   string
		lists  []dnsbl.List
		answer string
		want   string
	}{
		{"the same", []dnsbl.List{newList(t, "bl", 6, dnsbl.Connect)}, "127.0.0.2", "tempfail > tempfail"},
		{"heavier", []dnsbl.List{newList(t, "bl", 20, dnsbl.Connect)}, "127.0.0.2", "tempfail > reject"},
		{"lighter", []dnsbl.List{newList(t, "bl", 1, dnsbl.Connect)}, "127.0.0.2", "tempfail > continue"},
		{"not at all", nil, "127.0.0.2", "tempfail > continue"},
		{"another one", []dnsbl.List{newList(t, "other", 20, dnsbl.Connect)}, "127.0.0.2", "tempfail > continue"},
		{"it speaks for the client", []dnsbl.List{newList(t, "bl", -6, dnsbl.Connect)}, "127.0.0.2", "tempfail > continue"},
	} {
		k := new(keeper)
		h := withLists(t, func(o *Options) { o.Second = k }, newList(t, "bl", 6, dnsbl.Connect))
		h.zones.set(".bl.test", tt.answer)
		h.deliver(good, "mail.elsewhere.example", fromElsewhere, toUser)
		policy, _ := profile.Baseline("standard")
		by := New(Options{Policy: policy, Logger: h.o.Logger, Reread: dnsbl.NewOther(tt.lists)})
		if got := k.last(t, by); got[0] != tt.want {
			t.Errorf("%s: %v, want %s\n%s", tt.name, got, tt.want, h.log)
		}
	}
}

// BenchmarkSecond is a visit of a known client that is handed over, beside
// BenchmarkWarmVisit; and what it costs to judge it once more, off its way.
func BenchmarkSecond(b *testing.B) {
	f := world()
	f.caching = true
	k := new(keeper)
	h := newHarness(b, f, func(o *Options) { o.Second = k })
	h.deliver(good, "mail.good.example", fromGood, toUser)
	b.Run("visit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.log.Reset()
			k.all = k.all[:0]
			h.deliver(good, "mail.good.example", fromGood, toUser)
		}
	})
	policy, err := profile.Baseline("strict")
	if err != nil {
		b.Fatal(err)
	}
	by := New(Options{Policy: policy, Us: h.o.Us, Logger: h.o.Logger, Retries: h.o.Retries})
	b.Run("rejudge", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			by.Rejudge(k.all[0])
		}
	})
}

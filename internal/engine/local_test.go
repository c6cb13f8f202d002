package engine

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/local"
	"mailprofiled/profile"
)

// rules makes a Set of the operator's own rules.
func rules(t *testing.T, list ...local.Rule) *local.Set {
	t.Helper()
	set, problems := local.Load(list, time.Now(), nil)
	if set == nil || len(problems) > 0 {
		t.Fatalf("rules: %v", problems)
	}
	return set
}

func deny(match string) local.Rule {
	return local.Rule{Match: []string{match}, Action: local.Deny, Owner: "jo", Reason: "ticket 4711", Where: "test:1"}
}

func TestLocalDenyAnswersAtMailAndWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, match := range []string{"client:192.0.2.0/24", "helo:mail.good.example", "from:good.example", "from:joe@good.example"} {
			f := world()
			f.dead["*"] = true
			h := newHarness(t, f, func(o *Options) { o.Local = rules(t, deny(match)) })
			start := time.Now()
			v := h.Connect(good)
			v.Helo("mail.good.example")
			a := v.Mail(Mail{From: fromGood})
			if a.Action != profile.Reject || a.Code != 550 || a.Status != "5.7.1" || time.Since(start) != 0 {
				t.Errorf("%s: %+v after %v, want a reject at once", match, a, time.Since(start))
			}
			v.Close()
			if line := h.lines("verdict")[0]; !strings.Contains(line, "stage=mail action=reject") || !strings.Contains(line, "local-deny:") {
				t.Errorf("%s: %s", match, line)
			}
			synctest.Wait()
		}
	})
}

func TestLocalDenyOfARecipientIsForThatOne(t *testing.T) {
	h := newHarness(t, world(), func(o *Options) { o.Local = rules(t, deny("rcpt:user@here.example")) })
	v := h.Connect(good)
	defer v.Close()
	v.Helo("mail.good.example")
	v.Mail(Mail{From: fromGood})
	if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Reject {
		t.Errorf("the denied recipient: %+v", a)
	}
	if a := v.Rcpt(Rcpt{To: "<other@here.example>"}); a.Action != profile.Continue {
		t.Errorf("another: %+v", a)
	}
}

func TestLocalDenyByNameNeedsAConfirmedName(t *testing.T) {
	h := newHarness(t, world(), func(o *Options) { o.Local = rules(t, deny("ptr:good.example"), deny("ptr:elsewhere.example")) })
	if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Reject {
		t.Errorf("a confirmed name: %+v", a)
	}
	unconfirmed := Client{Addr: netip.MustParseAddr("203.0.113.5")}
	if h.deliver(unconfirmed, "helo.elsewhere.example", fromGood, toUser); strings.Contains(h.lines("verdict")[1], "local-deny") {
		t.Error("a name that does not lead back is anybody's to choose")
	}
}

func TestLocalAllowLiftsServerChecks(t *testing.T) {
	allow := local.Rule{Match: []string{"client:192.0.2.66"}, Action: local.Allow, Where: "test:1"}
	h := newHarness(t, world(), func(o *Options) { o.Local = rules(t, allow) })
	if a := h.deliver(nameless, "localhost", fromGood, toUser); a.Action != profile.Continue {
		t.Errorf("got %+v", a)
	}
}

func TestLocalPointsAreAdded(t *testing.T) {
	points := local.Rule{Match: []string{"client:192.0.2.7"}, Action: local.Points, Points: 20, Where: "test:1"}
	h := newHarness(t, world(), func(o *Options) { o.Local = rules(t, points) })
	if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Reject {
		t.Errorf("got %+v", a)
	}
}

func TestExplainUsesNoRule(t *testing.T) {
	set := rules(t, deny("client:192.0.2.7"))
	h := newHarness(t, world(), func(o *Options) { o.Local = set })
	helo, from := "mail.good.example", "joe@good.example"
	rec := h.Explain(Query{Client: good.Addr, Helo: &helo, From: &from, Rcpts: []string{"a@here.example"}})
	if rec.Stage != "mail" || rec.Recipients[0].Action != "reject" {
		t.Errorf("stage %s, %+v", rec.Stage, rec.Recipients[0])
	}
	if use := set.Usage(time.Now())[0]; use.Hits != 0 {
		t.Errorf("explain counted %d hits", use.Hits)
	}
}

package engine

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/geo"
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

// places are databases that know one country and one network, or are broken.
type places struct {
	country string
	network geo.Network
	err     error
	asked   int
}

func (p *places) Country(netip.Addr) (string, error)      { p.asked++; return p.country, p.err }
func (p *places) Network(netip.Addr) (geo.Network, error) { p.asked++; return p.network, p.err }

func TestLocalRulesByWhereAClientBelongs(t *testing.T) {
	here := &places{country: "DE", network: geo.Network{Number: 64500, Name: "EXAMPLE-NET"}}
	for _, test := range []struct {
		name, match string
		places      *places
		want        profile.Action
		detail      string
		asked       int
	}{
		{"its country", "country:DE", here, profile.Reject, "country:DE: ticket 4711", 1},
		{"another country", "country:AT", here, profile.Continue, "", 1},
		{"its network", "asn:64500", here, profile.Reject, "asn:64500 (EXAMPLE-NET): ticket 4711", 1},
		{"another network", "asn:64501", here, profile.Continue, "", 1},
		{"no country known never matches", "country:DE", &places{}, profile.Continue, "", 1},
		{"no network known never matches", "asn:64500", &places{}, profile.Continue, "", 1},
		{"a broken database never matches", "country:DE", &places{country: "DE", err: geo.ErrDamaged}, profile.Continue, "", 1},
		{"nobody asks", "client:198.51.100.1", here, profile.Continue, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := *test.places
			if db.err != nil {
				db.country = "" // as geo.Set does
			}
			db.asked = 0
			h := newHarness(t, world(), func(o *Options) { o.Local, o.Places = rules(t, deny(test.match)), &db })
			v := h.Connect(good)
			v.Helo("mail.good.example")
			v.Mail(Mail{From: fromGood})
			if a := v.Rcpt(Rcpt{To: toUser}); a.Action != test.want {
				t.Errorf("%+v, want %v", a, test.want)
			}
			v.Close()
			if db.asked != test.asked {
				t.Errorf("asked %d times, want %d: once in a visit, if a rule wants it", db.asked, test.asked)
			}
			rec := h.Explain(Query{Client: good.Addr})
			if test.detail != "" && (len(rec.Findings) == 0 || !strings.HasPrefix(rec.Findings[0].Detail, test.detail)) {
				t.Errorf("explained as %+v, want %q", rec.Findings, test.detail)
			}
		})
	}
}

// TestABrokenDatabaseLeavesOpenWhatItMayHaveLifted: no refusal on half the facts.
func TestABrokenDatabaseLeavesOpenWhatItMayHaveLifted(t *testing.T) {
	for _, match := range []string{"country:DE", "asn:64500"} {
		allow := local.Rule{Match: []string{match}, Action: local.Allow, Where: "test:1"}
		for _, test := range []struct {
			places *places
			want   profile.Action
		}{
			{&places{country: "DE", network: geo.Network{Number: 64500}}, profile.Continue},
			{&places{country: "AT", network: geo.Network{Number: 64501}}, profile.Reject},
			{&places{}, profile.Reject},
			{&places{err: geo.ErrDamaged}, profile.TempFail},
		} {
			h := newHarness(t, world(), func(o *Options) { o.Local, o.Places = rules(t, allow), test.places })
			if a := h.deliver(nameless, "localhost", fromGood, toUser); a.Action != test.want {
				t.Errorf("%s, %+v: %v, want %v", match, test.places, a.Action, test.want)
			}
		}
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

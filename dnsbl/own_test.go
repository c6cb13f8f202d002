package dnsbl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func ownCode(t *testing.T, answer string, kind Kind, points float64) Code {
	t.Helper()
	c, err := NewCode(answer, "", "m", kind, points)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOwnLists(t *testing.T) {
	l, err := Spec{
		ID: "bl.example", Zone: "BL.example.net.", Asks: IP4, Stages: StagesOf(Connect, Bounce),
		Codes: []Code{ownCode(t, "127.0.0.2", Listed, 8)}, Listed: []string{"127.0.0.2"}, Unlisted: []string{"127.0.0.1"}, Text: true,
	}.List()
	if err != nil {
		t.Fatal(err)
	}
	if l.Zone != "bl.example.net" || l.Group != "bl.example" || l.Status != Live || !l.Own || !l.Text || l.Family != "block" {
		t.Errorf("made %+v", l)
	}
	if _, _, m := l.read(nil, addrsOf(t, "127.0.0.2")); Weigh(m) != 8 {
		t.Errorf("its code weighs %g, want 8", Weigh(m))
	}
}

func TestOverridesKeepTheRest(t *testing.T) {
	plain, _ := Find("spamcop")
	l, err := Spec{ID: "spamcop", Codes: []Code{ownCode(t, "127.0.0.2", Listed, 1)}}.List()
	if err != nil {
		t.Fatal(err)
	}
	if l.Zone != plain.Zone || l.Group != plain.Group || l.Delist != plain.Delist || l.Stages != plain.Stages || !l.Own {
		t.Errorf("made %+v of %+v", l, plain)
	}
	if again, _ := Find("spamcop"); again.Codes[0].Points != plain.Codes[0].Points {
		t.Error("an override changes the catalogue")
	}
	local, err := Spec{ID: "invaluement-sip", Zone: "sip.local.example"}.List()
	if err != nil || !local.Askable() {
		t.Errorf("a local copy of a list without a public zone: %v", err)
	}
	keyed, err := Spec{ID: "spamhaus-zen-dqs", Zone: "zen.mirror.example"}.List()
	if err != nil || keyed.TakesKey() || !keyed.Askable() {
		t.Errorf("a mirror takes a key: %v", err)
	}
	mixed, err := Spec{ID: "spamcop", Codes: []Code{ownCode(t, "127.0.0.2", Listed, 1), ownCode(t, "127.0.0.3", Allow, -1)}}.List()
	if err != nil || mixed.Family != "mixed" {
		t.Errorf("codes that speak both ways make a list of family %s: %v", mixed.Family, err)
	}
}

// Whatever an operator makes of a list's codes, by its id or under its zone, those by
// which it refuses or says that it may be lying are no listing, and speak for nobody.
func TestRefusalsStay(t *testing.T) {
	all := ownCode(t, "127.0.0.0/8", Listed, 9)
	for _, c := range []struct {
		name   string
		spec   Spec
		answer string
		want   State
		why    string
	}{
		{"a listing", Spec{ID: "spamhaus-zen", Codes: []Code{all}}, "127.0.0.2", Hit, ""},
		{"one for all answers", Spec{ID: "spamhaus-zen", Codes: []Code{all}}, "127.255.255.254", Unknown, Refusal},
		{"the very code", Spec{ID: "spamhaus-zen", Codes: []Code{ownCode(t, "127.255.255.254", Listed, 9)}}, "127.255.255.254", Unknown, Refusal},
		{"its own word for it", Spec{ID: "spamhaus-zen", Codes: []Code{all, ownCode(t, "127.255.255.254", Error, 0)}}, "127.255.255.254", Unknown, Refusal},
		{"bits", Spec{ID: "uribl", Codes: []Code{ownCode(t, "127.0.0.1", Listed, 9), ownCode(t, "127.0.0.2", Listed, 9)}}, "127.0.0.1", Unknown, Refusal},
		{"anything else", Spec{ID: "spamrats-all", Codes: []Code{ownCode(t, "127.0.0.36", Listed, 9)}}, "127.0.0.99", Unknown, Refusal},
		{"but what is declared", Spec{ID: "spamrats-all", Codes: []Code{ownCode(t, "127.0.0.36", Listed, 9)}}, "127.0.0.36", Hit, ""},
		{"poison", Spec{ID: "dnswl", Codes: []Code{ownCode(t, "127.0.0.0/16", Allow, -9)}}, "127.0.10.3", Unknown, Suspect},
		{"over the limit", Spec{ID: "dnswl", Codes: []Code{ownCode(t, "127.0.0.0/16", Allow, -9)}}, "127.0.0.255", Unknown, Refusal},
		{"a copy", Spec{ID: "spamhaus-zen", Zone: "zen.copy.example", Codes: []Code{all}}, "127.255.255.254", Unknown, Refusal},
		{"another id", Spec{ID: "zen", Zone: "ZEN.spamhaus.org.", Asks: IP4, Stages: StagesOf(Connect), Codes: []Code{all}}, "127.255.255.252", Unknown, Refusal},
		{"another id and key", Spec{ID: "zen", Zone: "{key}.zen.dq.spamhaus.net", Asks: IP4, Stages: StagesOf(Connect), Codes: []Code{all}}, "127.255.255.250", Unknown, Refusal},
		{"another zone", Spec{ID: "zen", Zone: "zen.example.net", Asks: IP4, Stages: StagesOf(Connect), Codes: []Code{all}}, "127.255.255.252", Hit, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := c.spec.List()
			if err != nil {
				t.Fatal(err)
			}
			if state, why, _ := l.read(nil, addrsOf(t, c.answer)); state != c.want || why != c.why {
				t.Errorf("%s is %v %q, want %v %q", c.answer, state, why, c.want, c.why)
			}
		})
	}
}

func TestZonesOfTheCatalogue(t *testing.T) {
	for _, c := range []struct {
		zone, want string
		exact      bool
	}{
		{"dnsbl.sorbs.net", "sorbs", true}, {"DNSBL.Sorbs.net.", "sorbs", true}, {"spam.dnsbl.sorbs.net", "sorbs", false},
		{"sorbs.net", "", false}, {"notdnsbl.sorbs.net", "", false}, {"", "", false}, {".", "", false},
		{"zen.dq.spamhaus.net", "spamhaus-zen-dqs", true}, {"{key}.zen.dq.spamhaus.net", "spamhaus-zen-dqs", true},
		{"{key}.all.spamrats.com", "spamrats-all", true}, {"all.spamrats.com", "spamrats-all", true},
		{"bl.score.senderscore.com", "validity-rpbl", true}, {"x.bl.score.senderscore.com", "validity-rpbl", false}, {"x.score.senderscore.com", "validity-score", false},
	} {
		l, exact, ok := OfZone(c.zone)
		if l.ID != c.want || exact != c.exact || ok != (c.want != "") {
			t.Errorf("%q is that of %q, exactly: %v, want %q, %v", c.zone, l.ID, exact, c.want, c.exact)
		}
	}
}

func TestOwnListsThatAreNone(t *testing.T) {
	good := func(change func(*Spec)) Spec {
		s := Spec{ID: "own", Zone: "bl.example.net", Asks: IP4, Stages: StagesOf(Connect), Codes: []Code{ownCode(t, "127.0.0.2", Listed, 8)}}
		change(&s)
		return s
	}
	if _, err := good(func(*Spec) {}).List(); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		key    string
	}{
		{"no id", func(s *Spec) { s.ID = "" }, "id"},
		{"an id with a space", func(s *Spec) { s.ID = "my list" }, "id"},
		{"no zone", func(s *Spec) { s.Zone = "" }, "zone"},
		{"a zone of one label", func(s *Spec) { s.Zone = "local" }, "zone"},
		{"prose for a zone", func(s *Spec) { s.Zone = "our local copy" }, "zone"},
		{"an address for a zone", func(s *Spec) { s.Zone = "192.0.2.1" }, "zone"},
		{"two keys in a zone", func(s *Spec) { s.Zone = "{key}.{key}.example" }, "zone"},
		{"nothing to ask", func(s *Spec) { s.Asks = 0 }, "ask"},
		{"no stage", func(s *Spec) { s.Stages = 0 }, "at"},
		{"names asked of an address list", func(s *Spec) { s.Stages = StagesOf(Helo) }, "at"},
		{"addresses asked of a domain list", func(s *Spec) { s.Asks = Domain }, "at"},
		{"no codes", func(s *Spec) { s.Codes = nil }, "codes"},
		{"a code not made by NewCode", func(s *Spec) { s.Codes = []Code{{Answer: "127.0.0.2"}} }, "codes"},
		{"a code twice", func(s *Spec) { s.Codes = append(s.Codes, s.Codes[0]) }, "codes"},
		{"ranges that cross", func(s *Spec) {
			s.Codes = []Code{ownCode(t, "127.0.0.2-127.0.0.5", Listed, 1), ownCode(t, "127.0.0.4-127.0.0.7", Listed, 2)}
		}, "codes"},
		{"a test entry of another kind", func(s *Spec) { s.Listed = []string{"::ffff:7f00:2"} }, "test.listed"},
		{"a name as test entry of an address list", func(s *Spec) { s.Unlisted = []string{"invalid"} }, "test.unlisted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := good(c.change).List()
			var mistake *SpecError
			if !errors.As(err, &mistake) || mistake.Key != c.key {
				t.Errorf("%v, want a mistake in %s", err, c.key)
			}
		})
	}
	if _, err := (Spec{ID: "own"}).List(); strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("not all mistakes at once: %v", err)
	}
}

func TestMisuse(t *testing.T) {
	for _, c := range []struct {
		list  string
		at    Stages
		wrong bool
	}{
		{"spamhaus-zen", StagesOf(Connect), false},
		{"spamhaus-zen", StagesOf(Connect, Auth), true},
		{"spamhaus-authbl-dqs", StagesOf(Auth), false},
		{"spamhaus-authbl-dqs", StagesOf(Connect), true},
		{"spamrats-auth", StagesOf(Connect, Auth), true},
		{"backscatterer", StagesOf(Bounce), false},
		{"backscatterer", StagesOf(Connect), true},
		{"surbl", StagesOf(Helo), false},
		{"nobody-knows", StagesOf(Auth), false},
		{"sorbs", StagesOf(Auth), false},
		{"zone auth.spamrats.com", StagesOf(Connect), true},
		{"zone ips.backscatterer.org", StagesOf(Bounce, Connect), true},
		{"zone zen.spamhaus.org", StagesOf(Auth), true},
		{"zone zen.example.net", StagesOf(Auth), false},
	} {
		l := List{ID: c.list}
		if zone, ok := strings.CutPrefix(c.list, "zone "); ok {
			l = List{ID: "own", Zone: zone}
		}
		if got := l.Misuse(c.at); (got != "") != c.wrong {
			t.Errorf("%s at %s: %q, want that wrong is %v", c.list, c.at, got, c.wrong)
		}
	}
}

func TestStagesAndAsksAreNamed(t *testing.T) {
	for s := range stages {
		if got, err := ParseStages([]string{s.String()}); err != nil || got != StagesOf(s) || got.String() != s.String() {
			t.Errorf("%s reads as %s, %v", s, got, err)
		}
	}
	if _, err := ParseStages([]string{"connect", "data"}); err == nil {
		t.Error("data is a stage")
	}
	if got, err := ParseAsks([]string{"ip4", "domain"}); err != nil || got != IP4|Domain {
		t.Errorf("ip4 and domain read as %d, %v", got, err)
	}
	if _, err := ParseAsks([]string{"ipv4"}); err == nil {
		t.Error("ipv4 may be asked")
	}
	if stages.String() != "none" || StagesOf(Helo).Has(stages) {
		t.Error("what is no stage is one")
	}
}

func TestKeys(t *testing.T) {
	open, _ := Find("spamcop")
	needs, _ := Find("spamhaus-zen-dqs")
	takes, _ := Find("spamrats-all")
	if open.TakesKey() || !needs.TakesKey() || !needs.NeedsKey() || !takes.TakesKey() || takes.NeedsKey() {
		t.Error("which list takes a key, and which needs one, is wrong")
	}
	if needs.Askable() || !takes.Askable() {
		t.Error("which list can be asked without a key is wrong")
	}
	if _, err := open.WithKey("abc"); !errors.Is(err, ErrNoKeyTaken) {
		t.Errorf("a key for an open list: %v", err)
	}
	for _, bad := range []string{"", " ", "a b", "s3cret/", "s3cret\x00", strings.Repeat("s3cret", 11), "a..s3cret", strings.Repeat("s3cret.", 40)} {
		if _, err := needs.WithKey(bad); !errors.Is(err, ErrBadKey) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the key %q: %v", bad, err)
		}
	}
	keyed, err := takes.WithKey(" abc123\n")
	if zone, ok := keyed.zone(); err != nil || !ok || zone != "abc123.all.spamrats.com" {
		t.Errorf("asked under %q, %v", zone, err)
	}
	if takes.HasKey() || !keyed.HasKey() {
		t.Error("WithKey changes the list it is called on, or none")
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	l, _ := Find("spamhaus-zen-dqs")
	l, err := l.WithKey("s3cret")
	if err != nil {
		t.Fatal(err)
	}
	z := newZoneFile()
	s := NewSet([]List{l}, z, nil, Options{})
	defer s.Close()
	z.set("7.2.0.192.s3cret.zen.dq.spamhaus.net", "127.0.0.2")
	answers := s.Ask(t.Context(), atConnect("192.0.2.7"), nil)
	if saidAll(answers) != "spamhaus-zen-dqs hit 127.0.0.2" {
		t.Fatalf("said %s", saidAll(answers))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{l, &l, []List{l}, answers, answers[0], s.Lists(), s.Question(atConnect("192.0.2.7"), &l)} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "s3cret") {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
	}
}

package profile

import (
	"net/netip"
	"testing"
)

// visitWith is a stranger of whom some facts are known; the rest is not asked.
func visitWith(facts ...func(*Session)) Session {
	s := Session{Client: c7}
	for _, f := range facts {
		f(&s)
	}
	return s
}

func withRDNS(r RDNS) func(*Session) { return func(s *Session) { s.RDNS = r } }

func withHelo(name string, h Host, mx Outcome) func(*Session) {
	return func(s *Session) { s.Helo = Helo{Given: Shown, Name: name, Host: h, MX: mx} }
}

func withSender(raw string, mx Outcome, h Host) func(*Session) {
	return func(s *Session) {
		s.Sender = ParseSender(raw)
		s.Sender.MX, s.Sender.Host = mx, h
	}
}

var (
	noPTR       = withRDNS(RDNS{Outcome: NoName})
	noSuchHelo  = withHelo("pc.example.org", noHost(NoName), NoName)
	missingHelo = func(s *Session) { s.Helo = Helo{Given: Withheld} }
	badDomain   = withSender("<joe@gone.example>", NoName, noHost(NoName))
	goodSender  = withSender("<joe@example.com>", NoData, hostAt(other))
)

func TestDecide(t *testing.T) {
	type points map[string]Points
	for _, tc := range []struct {
		name   string
		s      Session
		points points
		action Action
		code   int
		status string
		said   string // the finding that speaks
		capped bool
	}{
		{"nothing known, nothing held against it", visitWith(), nil, Continue, 0, "", "", false},
		{"no PTR is deferred in standard, with its own subject and detail", visitWith(noPTR, goodSender), nil, TempFail, 450, "4.7.25", "rdns-missing", false},
		{"a dead domain is refused", visitWith(badDomain), nil, Reject, 550, "5.1.8", "from-no-domain", false},
		{"MAIL without HELO keeps its own code", visitWith(missingHelo), nil, Reject, 503, "5.5.1", "helo-missing", false},
		{"a 501 row serves a tempfail as 450", visitWith(withHelo("a b", Host{}, NotAsked)), points{"helo-syntax": {Value: 6}}, TempFail, 450, "4.5.4", "helo-syntax", false},
		{"two that are not enough alone", visitWith(noPTR, noSuchHelo, goodSender), points{"helo-unresolvable": {Value: 4}}, Reject, 550, "5.7.25", "rdns-missing", false},
		{"a relation may be hidden in the MX that failed", visitWith(noPTR, noSuchHelo, withSender("<joe@example.com>", Failed, noHost(Failed))), points{"helo-unresolvable": {Value: 4}}, TempFail, 450, "4.7.25", "rdns-missing", true},
		{"what no lift reaches is refused though DNS is down", visitWith(withHelo("localhost", Host{}, NotAsked), withRDNS(RDNS{Outcome: Failed}), withSender("<joe@example.com>", Failed, noHost(Failed))), nil, Reject, 550, "5.7.1", "helo-localhost", false},
		{"what was not asked blocks nothing", visitWith(noPTR, noSuchHelo), points{"helo-unresolvable": {Value: 4}}, Reject, 550, "5.7.25", "rdns-missing", false},
		{"never alone: the name that is not the client's", visitWith(withHelo("mail.example.com", hostAt(other), NoData)), points{"helo-not-client": {Value: 50}}, TempFail, 450, "4.7.1", "helo-not-client", true},
		{"never in pairs: the rest must reach the threshold", visitWith(noPTR, withHelo("mail.example.com", hostAt(other), NoData), goodSender), points{"helo-not-client": {Value: 4}}, TempFail, 450, "4.7.25", "rdns-missing", true},
		{"a refusal never gives a never finding as its reason", visitWith(missingHelo, withRDNS(ptr("a.example.net", Confirmed))), nil, Reject, 503, "5.5.1", "helo-missing", false},
		{"a stale answer supports no reject", visitWith(badDomain, func(s *Session) { s.Sender.Stale = true }), nil, TempFail, 450, "4.1.8", "from-no-domain", true},
		{"a stale answer beside firm ones", visitWith(badDomain, missingHelo, func(s *Session) { s.Sender.Stale = true }), points{"from-no-domain": {Value: 12}}, Reject, 503, "5.5.1", "helo-missing", false},
		{"an error with a tempfail point", visitWith(withRDNS(RDNS{Outcome: Failed})), points{"rdns-error": {Rule: AtLeastTempfail}}, TempFail, 451, "4.4.3", "rdns-error", false},
		{"the score speaks before a tempfail point", visitWith(noPTR, withSender("<joe@example.com>", Failed, noHost(Failed))), points{"from-error": {Rule: AtLeastTempfail}}, TempFail, 450, "4.7.25", "rdns-missing", false},
		{"errors have no points of their own", visitWith(withRDNS(RDNS{Outcome: Failed})), points{"rdns-error": {Value: 50}}, Continue, 0, "", "", false},
		{"monitored: said, not counted", visitWith(badDomain), points{"from-no-domain": {Value: 10, Rule: Monitor}}, Continue, 0, "", "", false},
		{"off: not judged", visitWith(badDomain), points{"from-no-domain": {Rule: Off}}, Continue, 0, "", "", false},
		{"a tie goes to the first of the table", visitWith(missingHelo, badDomain), nil, Reject, 503, "5.5.1", "helo-missing", false},
		{"the heaviest speaks", visitWith(missingHelo, badDomain), points{"from-no-domain": {Value: 11}}, Reject, 550, "5.1.8", "from-no-domain", false},
		{"a relation may be hidden in the forward look-up that failed", visitWith(withRDNS(ptr("mail.example.com", ForwardFailed)), withHelo("mail.example.com", noHost(NoName), NoName)), points{"helo-unresolvable": {Value: 12}}, TempFail, 450, "4.7.1", "helo-unresolvable", true},
		{"a relation may be hidden in the PTR that failed", visitWith(withRDNS(RDNS{Outcome: Failed}), withHelo("mail.example.com", noHost(NoName), NoName)), points{"helo-unresolvable": {Value: 12}}, TempFail, 450, "4.7.1", "helo-unresolvable", true},
		{"no relation in the name of a line, whatever failed", visitWith(withRDNS(RDNS{Outcome: Failed}), withHelo("192-0-2-7.dsl.example.com", noHost(NoName), NoName)), points{"helo-unresolvable": {Value: 12}}, Reject, 550, "5.7.1", "helo-unresolvable", false},
		{"a lift that is off holds back nothing", visitWith(withRDNS(RDNS{Outcome: Failed}), withHelo("mail.example.com", noHost(NoName), NoName)), points{"helo-unresolvable": {Value: 12}, "relation": {Rule: Off}}, Reject, 550, "5.7.1", "helo-unresolvable", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := standard(t)
			for id, points := range tc.points {
				p.Points[id] = points
			}
			v := Judge(&tc.s, p).Decide(&Recipient{Raw: "<ann@us.example>", Number: 1}, false)
			if v.Action != tc.action || v.Code != tc.code || v.Status != tc.status || v.Capped != tc.capped {
				t.Fatalf("got %v %d %s capped %v, want %v %d %s capped %v\n%+v", v.Action, v.Code, v.Status, v.Capped, tc.action, tc.code, tc.status, tc.capped, v)
			}
			if want := replyOf(p, tc.said); v.Text != want {
				t.Errorf("text %q, want %q", v.Text, want)
			}
		})
	}
}

func replyOf(p *Policy, id string) string {
	if id == "" {
		return ""
	}
	j := Judgement{policy: p, client: c7}
	v := Verdict{Action: Reject, Score: p.RejectScore, Findings: []Finding{{ID: id, Points: 1}}}
	k := kindOf(id)
	if !supportsReject(&v.Findings[0], k) {
		v.Action = TempFail
		v.Findings[0].Tempfail = true
	}
	j.speak(&v, []kind{k})
	return v.Text
}

func TestDecideRetry(t *testing.T) {
	deferred := visitWith(noPTR, goodSender)
	refusedUnderCap := visitWith(noPTR, noSuchHelo, badDomain, func(s *Session) { s.RDNS.Stale, s.Sender.Stale, s.Helo.Host.Stale = true, true, true })
	for _, tc := range []struct {
		name     string
		s        Session
		points   map[string]Points
		forScore bool
		passes   bool
		said     string
	}{
		{"a score between the thresholds", deferred, nil, true, true, "retry-passed"},
		{"a score over the reject threshold, though capped", refusedUnderCap, nil, false, false, ""},
		{"a tempfail point, whatever the score", visitWith(noPTR, withSender("<joe@example.com>", Failed, noHost(NoData))), map[string]Points{"from-error": {Rule: AtLeastTempfail}}, false, false, ""},
		{"retries are off", deferred, map[string]Points{"retry-passed": {Rule: Off}}, true, false, ""},
		{"retries are monitored", deferred, map[string]Points{"retry-passed": {Rule: Monitor}}, true, false, "retry-passed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := standard(t)
			for id, points := range tc.points {
				p.Points[id] = points
			}
			j := Judge(&tc.s, p)
			r := &Recipient{Raw: "<ann@us.example>", Number: 1}
			if v := j.Decide(r, false); v.Action != TempFail || v.ForScore != tc.forScore {
				t.Errorf("first: %+v", v)
			}
			v := j.Decide(r, true)
			if passed := v.Action == Continue; passed != tc.passes || idsOf(v.Findings) != tc.said || sumOf(v.Findings) != 0 {
				t.Errorf("after a retry: %+v", v)
			}
			if v.Action == Continue && (v.Code != 0 || v.Text != "" || v.ForScore) {
				t.Errorf("continue with %+v", v)
			}
		})
	}
}

func TestDecideBounce(t *testing.T) {
	bounce := visitWith(func(s *Session) { s.Sender = ParseSender("<>") })
	first, second := &Recipient{Raw: "<a@us.example>", Number: 1}, &Recipient{Raw: "<b@us.example>", Number: 2}
	t.Run("the second recipient of a bounce", func(t *testing.T) {
		j := Judge(&bounce, standard(t))
		if v := j.Decide(first, false); len(v.Findings) > 0 {
			t.Errorf("first: %+v", v)
		}
		if v := j.Decide(second, false); idsOf(v.Findings) != "bounce-many-rcpts" || v.Score != 4 || v.Action != Continue {
			t.Errorf("second: %+v", v)
		}
		if v := j.Decide(nil, false); len(v.Findings) > 0 {
			t.Errorf("at MAIL: %+v", v)
		}
	})
	t.Run("a recipient's own finding is no matter for a retry", func(t *testing.T) {
		p := standard(t)
		p.Points["bounce-many-rcpts"] = Points{Value: 6}
		if v := Judge(&bounce, p).Decide(second, true); v.Action != TempFail || v.ForScore || v.Status != "4.7.1" {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("relation does not lift it, and the points add up", func(t *testing.T) {
		s := cleanVisit()
		s.Sender = ParseSender("<>")
		p := standard(t)
		p.Points["bounce-many-rcpts"] = Points{Value: 11}
		j := Judge(&s, p)
		v := j.Decide(second, false)
		if v.Action != Reject || v.Score != 11 || j.Score+sumOf(v.Findings) != 11 {
			t.Errorf("visit %v, got %+v", j.Score, v)
		}
		if all := HeaviestFirst(j.Findings, v.Findings); len(all) != 2 || sumOf(all) != 11 {
			t.Errorf("together %+v", all)
		}
	})
	t.Run("a real sender with many recipients", func(t *testing.T) {
		s := visitWith(goodSender)
		if v := Judge(&s, standard(t)).Decide(second, false); len(v.Findings) > 0 {
			t.Errorf("got %+v", v)
		}
	})
}

func TestDecideOpenRecipient(t *testing.T) {
	worst := visitWith(noPTR, badDomain, withHelo("us.example", noHost(NoName), NoName))
	worst.Us = &Us{Domains: []string{"us.example"}}
	j := Judge(&worst, standard(t))
	for raw, want := range map[string]Action{
		"<postmaster>":             Continue,
		"<Postmaster@US.Example>":  Continue,
		"<abuse@us.example>":       Continue,
		"<abuse>":                  Reject,
		"<postmaster@other.test>":  Reject,
		"<postmaster2@us.example>": Reject,
	} {
		v := j.Decide(&Recipient{Raw: raw, Number: 1}, false)
		if v.Action != want || v.Score != j.Score {
			t.Errorf("%s: %+v, want %v", raw, v, want)
		}
	}
}

func TestLiftIsCutToItsRow(t *testing.T) {
	isMX := func(s *Session) {
		s.Sender = ParseSender("<joe@example.com>")
		s.Sender.MX, s.Sender.Exchanges = Found, []Exchange{{"mx.example.com", hostAt(c7)}}
	}
	for _, tc := range []struct {
		name           string
		s              Session
		score, lifting float64
	}{
		{"more than there is to lift, nothing else: no floor", visitWith(noPTR, isMX), -10, -16},
		{"nothing to lift, something else: nothing comes off", visitWith(missingHelo, isMX), 10, 0},
		{"both: the surplus does not spill over", visitWith(noPTR, missingHelo, isMX), 10, -6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := Judge(&tc.s, standard(t))
			if j.Score != tc.score {
				t.Errorf("score %v, want %v: %+v", j.Score, tc.score, j.Findings)
			}
			for _, f := range j.Findings {
				if f.ID == "relation" && f.Points != tc.lifting {
					t.Errorf("relation shows %v, want %v", f.Points, tc.lifting)
				}
			}
		})
	}
}

func TestThresholdsAreReachedByFractions(t *testing.T) {
	p := standard(t)
	p.TempfailScore = 0.8
	p.Points["rdns-missing"], p.Points["helo-not-fqdn"] = Points{Value: 0.7}, Points{Value: 0.1} // 0.7999999999999999
	s := visitWith(noPTR, withHelo("mail", Host{}, NotAsked))
	if v := Judge(&s, p).Decide(nil, false); v.Action != TempFail || v.Score != 0.8 {
		t.Errorf("got %+v", v)
	}
}

func TestTrustedClientsPassUnderAnyThreshold(t *testing.T) {
	p := standard(t)
	p.TempfailScore, p.RejectScore = 0, 0
	s := visitWith(noPTR, badDomain)
	s.Trust = Authenticated
	if v := Judge(&s, p).Decide(nil, false); v.Action != Continue {
		t.Errorf("got %+v", v)
	}
}

func TestDecideWithoutReply(t *testing.T) {
	p := standard(t)
	clear(p.Texts)
	s := visitWith(missingHelo)
	s.Client = netip.Addr{}
	v := Judge(&s, p).Decide(nil, false)
	checkReply(t, v)
}

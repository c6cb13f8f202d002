package profile

import (
	"math"
	"testing"
)

func deny(detail string) LocalHit  { return LocalHit{Action: LocalDeny, Detail: detail} }
func allow(detail string) LocalHit { return LocalHit{Action: LocalAllow, Detail: detail} }
func weigh(points float64) LocalHit {
	return LocalHit{Action: LocalPoints, Points: points, Detail: "ticket"}
}

// possibly is a hit that a question which failed might have brought.
func possibly(h LocalHit) LocalHit {
	h.Possible = true
	return h
}

// old is a hit by an answer past its expiry.
func old(h LocalHit) LocalHit {
	h.Stale = true
	return h
}

func withLocal(hits ...LocalHit) func(*Session) { return func(s *Session) { s.Local = hits } }

func trusted(t Trust) func(*Session) { return func(s *Session) { s.Trust = t } }

func TestDecideLocal(t *testing.T) {
	monitored := func(ids ...string) map[string]Points {
		m := map[string]Points{}
		for _, id := range ids {
			m[id] = Points{Rule: Monitor}
		}
		return m
	}
	joe := func(hits ...LocalHit) *Recipient {
		return &Recipient{Raw: "<joe@us.example>", Number: 1, Local: hits}
	}
	postmaster := func(hits ...LocalHit) *Recipient {
		return &Recipient{Raw: "<PostMaster>", Number: 1, Local: hits}
	}
	for _, tc := range []struct {
		name   string
		s      Session
		points map[string]Points
		r      *Recipient
		action Action
		status string
		score  float64
		log    string // all findings, heaviest first
	}{
		{"deny refuses a good server", visitWith(goodSender, withSPF(SPFPass), withLocal(deny("jo"))), nil, joe(), Reject, "5.7.1", -16, "spf-pass:0,local-deny:0,relation:-16"},
		{"deny at MAIL", visitWith(withLocal(deny(""))), nil, nil, Reject, "5.7.1", 0, "local-deny:0"},
		{"deny refuses postmaster's mail", visitWith(withLocal(deny(""))), nil, postmaster(), Reject, "5.7.1", 0, "local-deny:0"},
		{"deny refuses mail to an exempt recipient", visitWith(withLocal(deny(""))), nil, &Recipient{Raw: "<a@us.example>", Exempt: true}, Reject, "5.7.1", 0, "local-deny:0"},
		{"deny refuses exempt networks", visitWith(noPTR, trusted(Exempt), withLocal(deny(""))), nil, joe(), Reject, "5.7.1", 0, "local-deny:0"},
		{"deny refuses who is logged in", visitWith(trusted(Authenticated), withLocal(deny(""))), nil, joe(), Reject, "5.7.1", 0, "local-deny:0"},
		{"deny of one recipient", visitWith(), nil, joe(deny("")), Reject, "5.7.1", 0, "local-deny:0"},
		{"deny of one recipient, by who is logged in", visitWith(trusted(Authenticated)), nil, joe(deny("")), Reject, "5.7.1", 0, "local-deny:0"},
		{"deny speaks before a heavier score", visitWith(badDomain, withLocal(deny(""))), nil, joe(), Reject, "5.7.1", 10, "from-no-domain:10,local-deny:0"},
		{"deny before allow before points", visitWith(withLocal(weigh(3), allow(""), deny(""))), nil, joe(), Reject, "5.7.1", 0, "local-deny:0"},
		{"deny of the recipient before allow of the client", visitWith(withLocal(allow(""))), nil, joe(deny("")), Reject, "5.7.1", 0, "local-allow:0,local-deny:0"},
		{"deny of the client before allow of the recipient", visitWith(withLocal(deny(""))), nil, joe(allow("")), Reject, "5.7.1", 0, "local-deny:0,local-allow:0"},
		{"deny that is monitored says so and goes on to allow", visitWith(noPTR, withLocal(deny(""), allow(""))), monitored("local-deny"), joe(), Continue, "", 0, "rdns-missing:6,local-deny:monitor,local-allow:-6"},
		{"deny that is off", visitWith(withLocal(deny(""))), map[string]Points{"local-deny": {Rule: Off}}, joe(), Continue, "", 0, ""},
		{"a deny that may match is none", visitWith(withLocal(possibly(deny("")))), nil, joe(), Continue, "", 0, ""},

		{"allow lifts server checks", visitWith(noPTR, badDomain, withLocal(allow("jo"))), nil, joe(), Continue, "", 0, "from-no-domain:10,rdns-missing:6,local-allow:-16"},
		{"allow lifts what nothing else does", visitWith(withHelo("localhost", Host{}, NotAsked), withLocal(allow(""))), nil, joe(), Continue, "", 0, "helo-localhost:10,local-allow:-10"},
		{"allow takes what relation has left", visitWith(noPTR, missingHelo, goodSender, withSPF(SPFPass), withLocal(allow(""))), nil, joe(), Continue, "", 0, "helo-missing:10,rdns-missing:6,spf-pass:0,relation:-6,local-allow:-10"},
		{"allow leaves no debt", visitWith(goodSender, withSPF(SPFPass), withLocal(allow(""))), nil, joe(), Continue, "", -16, "spf-pass:0,local-allow:0,relation:-16"},
		{"allow lifts a tempfail point", visitWith(withRDNS(RDNS{Outcome: Failed}), withLocal(allow(""))), map[string]Points{"rdns-error": {Rule: AtLeastTempfail}}, joe(), Continue, "", 0, "rdns-error:tempfail,local-allow:0"},
		{"allow silences points", visitWith(withLocal(allow(""), weigh(12))), nil, joe(), Continue, "", 0, "local-allow:0"},
		{"allow of the recipient", visitWith(noPTR, withLocal(weigh(6))), nil, joe(allow("")), Continue, "", 0, "rdns-missing:6,local-points:6,local-allow:-12"},
		{"allow of the client silences points of the recipient", visitWith(withLocal(allow(""))), nil, joe(weigh(12)), Continue, "", 0, "local-allow:0"},
		{"allow that is monitored lifts nothing", visitWith(badDomain, withLocal(allow(""))), monitored("local-allow"), joe(), Reject, "5.1.8", 10, "from-no-domain:10,local-allow:monitor"},
		{"allow lifts what a recipient adds", visitWith(withSender("<>", NotAsked, Host{}), withLocal(allow(""))), nil, &Recipient{Raw: "<joe@us.example>", Number: 2}, Continue, "", 0, "bounce-many-rcpts:4,local-allow:-4"},

		{"points defer", visitWith(withLocal(weigh(5))), nil, joe(), TempFail, "4.7.1", 5, "local-points:5"},
		{"points refuse by themselves", visitWith(withLocal(weigh(10))), nil, joe(), Reject, "5.7.1", 10, "local-points:10"},
		{"points of several rules add up", visitWith(withLocal(weigh(3), weigh(4.5))), nil, joe(), TempFail, "4.7.1", 7.5, "local-points:7.5"},
		{"points of the recipient add to the client's", visitWith(withLocal(weigh(3))), nil, joe(weigh(2)), TempFail, "4.7.1", 5, "local-points:5"},
		{"points of the recipient alone", visitWith(noPTR), nil, joe(weigh(4)), Reject, "5.7.25", 10, "rdns-missing:6,local-points:4"},
		{"points below zero speak for the client, against anything", visitWith(badDomain, withLocal(weigh(-6))), nil, joe(), Continue, "", 4, "from-no-domain:10,local-points:-6"},
		{"points below zero of the recipient", visitWith(noPTR), nil, joe(weigh(-4)), Continue, "", 2, "rdns-missing:6,local-points:-4"},
		{"relation goes first, and nothing is lifted twice", visitWith(noPTR, missingHelo, goodSender, withSPF(SPFPass), withLocal(weigh(-3))), nil, joe(), TempFail, "4.5.1", 7, "helo-missing:10,rdns-missing:6,spf-pass:0,local-points:-3,relation:-6"},
		{"points are for strangers", visitWith(trusted(Authenticated), withLocal(weigh(12))), nil, joe(weigh(5)), Continue, "", 0, ""},
		{"points do not shut postmaster out", visitWith(withLocal(weigh(12))), nil, postmaster(), Continue, "", 12, "local-points:12"},
		{"points that are monitored", visitWith(withLocal(weigh(12))), monitored("local-points"), joe(), Continue, "", 0, "local-points:monitor"},
		{"points that are off", visitWith(withLocal(weigh(12))), map[string]Points{"local-points": {Rule: Off}}, joe(), Continue, "", 0, ""},
		{"points that are no number weigh nothing", visitWith(withLocal(weigh(math.NaN()), weigh(math.Inf(1)), weigh(5))), nil, joe(), TempFail, "4.7.1", 5, "local-points:5"},

		{"a deny by an old answer defers", visitWith(withLocal(old(deny("")))), nil, joe(), TempFail, "4.7.1", 0, "local-deny:0"},
		{"a deny by an old answer goes before allow", visitWith(withLocal(allow(""), old(deny("")))), nil, postmaster(), TempFail, "4.7.1", 0, "local-deny:0"},
		{"a deny by an old answer and a firm one", visitWith(withLocal(old(deny("")), deny(""))), nil, joe(), Reject, "5.7.1", 0, "local-deny:0"},
		{"a deny by an old answer, and a firm one of the recipient", visitWith(withLocal(old(deny("")))), nil, joe(deny("")), Reject, "5.7.1", 0, "local-deny:0"},
		{"an allow by an old answer lifts", visitWith(badDomain, withLocal(old(allow("")))), nil, joe(), Continue, "", 0, "from-no-domain:10,local-allow:-10"},
		{"points by an old answer support no reject", visitWith(withLocal(old(weigh(12)))), nil, joe(), TempFail, "4.7.1", 12, "local-points:12"},

		{"an allow that may match holds a reject back", visitWith(badDomain, withLocal(possibly(allow("")))), nil, joe(), TempFail, "4.1.8", 10, "from-no-domain:10"},
		{"points that may match and save hold it back", visitWith(badDomain, withLocal(possibly(weigh(-1)))), nil, joe(), TempFail, "4.1.8", 10, "from-no-domain:10"},
		{"points that may match and not save do not", visitWith(badDomain, missingHelo, withLocal(possibly(weigh(-1)))), nil, joe(), Reject, "5.5.1", 20, "helo-missing:10,from-no-domain:10"},
		{"points that may match and speak against hold nothing back", visitWith(badDomain, withLocal(possibly(weigh(1)))), nil, joe(), Reject, "5.1.8", 10, "from-no-domain:10"},
		{"an allow that may match and is monitored holds nothing back", visitWith(badDomain, withLocal(possibly(allow("")))), monitored("local-allow"), joe(), Reject, "5.1.8", 10, "from-no-domain:10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := standard(t)
			for id, points := range tc.points {
				p.Points[id] = points
			}
			j := Judge(&tc.s, p)
			v := j.Decide(tc.r, false)
			if v.Action != tc.action || v.Status != tc.status || v.Score != tc.score {
				t.Errorf("got %v %q with %v, want %v %q with %v", v.Action, v.Status, v.Score, tc.action, tc.status, tc.score)
			}
			if got := logOf(HeaviestFirst(j.Findings, v.Findings)); got != tc.log {
				t.Errorf("findings %s, want %s", got, tc.log)
			}
			if v.Action != Continue {
				checkReply(t, v)
			}
		})
	}
}

// logOf writes findings as the log has them.
func logOf(findings []Finding) string {
	text := ""
	for i, f := range findings {
		if i > 0 {
			text += ","
		}
		points := Points{Value: f.Points}
		switch {
		case f.Monitor:
			points.Rule = Monitor
		case f.Tempfail:
			points.Rule = AtLeastTempfail
		}
		text += f.ID + ":" + points.String()
	}
	return text
}

func TestDenied(t *testing.T) {
	for _, tc := range []struct {
		name string
		s    Session
		rule Rule
		want bool
	}{
		{"no rule", visitWith(badDomain), Counted, false},
		{"deny", visitWith(withLocal(deny(""))), Counted, true},
		{"deny for who is logged in", visitWith(trusted(Authenticated), withLocal(deny(""))), Counted, true},
		{"deny beside allow", visitWith(withLocal(allow(""), deny(""))), Counted, true},
		{"allow", visitWith(withLocal(allow(""))), Counted, false},
		{"points that refuse can wait for RCPT", visitWith(withLocal(weigh(50))), Counted, false},
		{"deny that is monitored", visitWith(withLocal(deny(""))), Monitor, false},
		{"deny that is off", visitWith(withLocal(deny(""))), Off, false},
		{"deny that may match", visitWith(withLocal(possibly(deny("")))), Counted, false},
		{"deny by an old answer", visitWith(withLocal(old(deny("")))), Counted, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := standard(t)
			p.Points["local-deny"] = Points{Rule: tc.rule}
			j := Judge(&tc.s, p)
			if j.Denied() != tc.want {
				t.Errorf("denied %v", j.Denied())
			}
			if v := j.Decide(nil, true); tc.want && (v.Action != Reject || v.Text == "" || v.ForScore || v.Capped) {
				t.Errorf("at MAIL: %+v", v)
			}
		})
	}
}

func TestLocalDetail(t *testing.T) {
	s := visitWith(withLocal(weigh(1), possibly(weigh(2)), weigh(3), deny("list.txt:7")))
	p := standard(t)
	p.Points["local-deny"] = Points{Rule: Monitor}
	got := map[string]string{}
	for _, f := range Judge(&s, p).Findings {
		got[f.ID] = f.Detail
	}
	if got["local-deny"] != "list.txt:7" || got["local-points"] != "ticket (and 1 more)" {
		t.Errorf("got %q", got)
	}
}

func TestAllowNeedsNoRetry(t *testing.T) {
	s := visitWith(noPTR)
	j := Judge(&s, standard(t))
	if v := j.Decide(&Recipient{Raw: "<joe@us.example>", Local: []LocalHit{allow("")}}, false); v.Action != Continue || v.ForScore {
		t.Errorf("got %+v", v)
	}
	if v := j.Decide(&Recipient{Raw: "<joe@us.example>", Local: []LocalHit{deny("")}}, true); v.Action != Reject {
		t.Errorf("denied, and coming back: %+v", v)
	}
}

// A server without PTR: what each baseline says of it.
func TestBaselinesOfAServerWithoutPTR(t *testing.T) {
	related := func(s *Session) {
		s.Sender = ParseSender("<joe@example.com>")
		s.Sender.MX, s.Sender.Exchanges = Found, []Exchange{{"mail.example.com", hostAt(c7)}}
		s.SPF.Outcome = SPFPass
	}
	for _, tc := range []struct {
		baseline string
		s        Session
		want     Action
	}{
		{"cautious", visitWith(noPTR, goodSender), TempFail},
		{"standard", visitWith(noPTR, goodSender), TempFail},
		{"strict", visitWith(noPTR, goodSender), Reject},
		{"cautious", visitWith(noPTR, related), Continue},
		{"standard", visitWith(noPTR, related), Continue},
		{"strict", visitWith(noPTR, related), Reject},
		{"strict", visitWith(noPTR, withSender("<joe@example.com>", Failed, noHost(Failed)), withSPF(SPFTempError)), Reject},
		{"strict", visitWith(withRDNS(RDNS{Outcome: Failed}), goodSender), Continue},
		{"strict", visitWith(withRDNS(RDNS{Outcome: NoName, Stale: true}), goodSender), TempFail},
		{"strict", visitWith(noPTR, related, withLocal(allow(""))), Continue},
		{"strict", visitWith(withRDNS(ptr("mail.example.com", Mismatch)), goodSender), TempFail},
	} {
		if v := Judge(&tc.s, shipped(t, tc.baseline)).Decide(&Recipient{Raw: "<joe@us.example>", Number: 1}, false); v.Action != tc.want {
			t.Errorf("%s: %v, want %v: %s", tc.baseline, v.Action, tc.want, show(tc.s))
		}
	}
}

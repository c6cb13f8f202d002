package profile

import (
	"net/netip"
	"slices"
	"testing"
)

func withSPF(o SPFOutcome) func(*Session) { return func(s *Session) { s.SPF.Outcome = o } }

func neverSends(s *Session) { s.SPF = SPF{Outcome: SPFFail, Never: true} }

func TestJudgeSPF(t *testing.T) {
	null := withSender("<>", NotAsked, Host{})
	for _, tc := range []struct {
		name string
		s    Session
		want string
	}{
		{"not asked: nothing is known", visitWith(goodSender), ""},
		{"no record", visitWith(goodSender, withSPF(SPFNone)), "spf-none"},
		{"neutral is none (RFC 7208 section 8.2)", visitWith(goodSender, withSPF(SPFNeutral)), "spf-none"},
		{"pass is a relation", visitWith(goodSender, withSPF(SPFPass)), "relation spf-pass"},
		{"fail", visitWith(goodSender, withSPF(SPFFail)), "spf-fail"},
		{"fail of a domain that never sends", visitWith(goodSender, neverSends), "spf-never"},
		{"never is said of a fail only", visitWith(goodSender, func(s *Session) { s.SPF = SPF{Outcome: SPFSoftFail, Never: true} }), "spf-softfail"},
		{"softfail", visitWith(goodSender, withSPF(SPFSoftFail)), "spf-softfail"},
		{"permerror", visitWith(goodSender, withSPF(SPFPermError)), "spf-permerror"},
		{"temperror: not held against the client", visitWith(goodSender, withSPF(SPFTempError)), "spf-error"},
		{"null sender: HELO is asked", visitWith(null, withSPF(SPFFail)), "spf-fail"},
		{"null sender: a pass of HELO is no relation to a sender", visitWith(null, withSPF(SPFPass)), "spf-pass"},
		{"sender not known: whose record it is is not known", visitWith(withSPF(SPFFail)), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := idsOf(Judge(&tc.s, standard(t)).Findings); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDecideSPF(t *testing.T) {
	heavy := map[string]Points{"rdns-missing": {Value: 12}}
	for _, tc := range []struct {
		name   string
		s      Session
		points map[string]Points
		action Action
		code   int
		status string
		capped bool
	}{
		{"fail alone passes", visitWith(goodSender, withSPF(SPFFail)), nil, Continue, 0, "", false},
		{"never alone is refused", visitWith(goodSender, neverSends), nil, Reject, 550, "5.7.23", false},
		{"never that is off is a fail", visitWith(goodSender, neverSends), map[string]Points{"spf-never": {Rule: Off}, "spf-fail": {Value: 6}}, TempFail, 450, "4.7.23", false},
		{"a fail that the operator refuses", visitWith(goodSender, withSPF(SPFFail)), map[string]Points{"spf-fail": {Value: 10}}, Reject, 550, "5.7.23", false},
		{"a permerror has a status of its own", visitWith(goodSender, withSPF(SPFPermError)), map[string]Points{"spf-permerror": {Value: 10}}, Reject, 550, "5.7.24", false},
		{"a stale fail supports no reject", visitWith(goodSender, func(s *Session) { s.SPF = SPF{Outcome: SPFFail, Never: true, Stale: true} }), nil, TempFail, 450, "4.7.23", true},
		{"temperror with a tempfail point", visitWith(goodSender, withSPF(SPFTempError)), map[string]Points{"spf-error": {Rule: AtLeastTempfail}}, TempFail, 451, "4.7.24", false},
		{"a pass lifts what speaks against the name", visitWith(noPTR, goodSender, withSPF(SPFPass)), nil, Continue, 0, "", false},
		{"a pass does not lift a lie in HELO", visitWith(goodSender, withSPF(SPFPass), withHelo("localhost", Host{}, NotAsked)), nil, Reject, 550, "5.7.1", false},
		{"an answer that is out could have been a pass", visitWith(noPTR, goodSender, withSPF(SPFTempError)), heavy, TempFail, 450, "4.7.25", true},
		{"no pass to be had: refused", visitWith(noPTR, goodSender, withSPF(SPFNone)), heavy, Reject, 550, "5.7.25", false},
		{"what was not asked blocks nothing", visitWith(noPTR, goodSender), heavy, Reject, 550, "5.7.25", false},
		{"HELO of a bounce could be no relation", visitWith(noPTR, withSender("<>", NotAsked, Host{}), withSPF(SPFTempError)), heavy, Reject, 550, "5.7.25", false},
		{"unless a pass of it has points of its own", visitWith(noPTR, withSender("<>", NotAsked, Host{}), withSPF(SPFTempError)), map[string]Points{"rdns-missing": {Value: 12}, "spf-pass": {Value: -3}}, TempFail, 450, "4.7.25", true},
		{"points of a pass add to those of relation", visitWith(noPTR, goodSender, withSPF(SPFPass)), map[string]Points{"rdns-missing": {Value: 25}, "spf-pass": {Value: -5}}, Continue, 0, "", false},
		{"and without them it is refused no more than", visitWith(noPTR, goodSender, withSPF(SPFPass)), map[string]Points{"rdns-missing": {Value: 25}}, TempFail, 450, "4.7.25", false},
		{"an old answer could be a pass by now", visitWith(noPTR, goodSender, withSPF(SPFNone), func(s *Session) { s.SPF.Stale = true }), heavy, TempFail, 450, "4.7.25", true},
		{"an old answer of a bounce, too, if a pass has points", visitWith(noPTR, withSender("<>", NotAsked, Host{}), withSPF(SPFNone), func(s *Session) { s.SPF.Stale = true }), map[string]Points{"rdns-missing": {Value: 12}, "spf-pass": {Value: -3}}, TempFail, 450, "4.7.25", true},
		{"a relation that is off is held back by nothing", visitWith(noPTR, goodSender, withSPF(SPFTempError)), map[string]Points{"rdns-missing": {Value: 12}, "relation": {Rule: Off}}, Reject, 550, "5.7.25", false},
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
		})
	}
}

func TestSPFDetail(t *testing.T) {
	s := visitWith(goodSender, func(s *Session) {
		s.SPF = SPF{Outcome: SPFSoftFail, Domain: "example.com", Detail: "example.com: ~all", Stale: true}
	})
	find := func() Finding {
		fs := Judge(&s, standard(t)).Findings
		return fs[slices.IndexFunc(fs, func(f Finding) bool { return f.ID == "spf-softfail" })]
	}
	if f := find(); f.Detail != "example.com: ~all" || !f.Stale {
		t.Errorf("got %+v", f)
	}
	s.SPF.Detail = ""
	if f := find(); f.Detail != "example.com" {
		t.Errorf("without detail: %+v", f)
	}
}

func TestFromIsUs(t *testing.T) {
	ours := withSender("<joe@us.example>", NoData, hostAt(other))
	p := standard(t)
	p.Points["from-is-us"] = Points{Value: 12}
	for _, tc := range []struct {
		name string
		s    Session
		want Action
	}{
		{"our domain from outside, SPF fails", visitWith(ours, withSPF(SPFFail)), Reject},
		{"our domain has no record", visitWith(ours, withSPF(SPFNone)), Reject},
		{"a server that our record names", visitWith(ours, withSPF(SPFPass)), Continue},
		{"SPF not known: it may pass", visitWith(ours, withSPF(SPFTempError)), Continue},
		{"SPF not asked", visitWith(ours), Continue},
		{"a subdomain is not us", visitWith(withSender("<joe@lists.us.example>", NoData, hostAt(other)), withSPF(SPFNone)), Continue},
		{"our name, which is no domain of ours", visitWith(withSender("<joe@mx.us.example>", NoData, hostAt(other)), withSPF(SPFNone)), Continue},
		{"logged in", visitWith(ours, withSPF(SPFFail), func(s *Session) { s.Trust = Authenticated }), Continue},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.s.Us = &Us{Domains: []string{"us.example"}, Names: []string{"mx.us.example"}}
			if v := Judge(&tc.s, p).Decide(nil, false); v.Action != tc.want {
				t.Errorf("got %+v", v)
			}
		})
	}
}

// stranger is a visit of which every question was answered, and no record of the
// sender's domain names the client.
func stranger() Session {
	s := visitWith(
		withRDNS(ptr("mx.other.example", Confirmed)), withHelo("mx.other.example", hostAt(c7), NotAsked),
		withSender("<joe@example.com>", Found, hostAt(other)), withSPF(SPFSoftFail),
	)
	s.Sender.Exchanges = []Exchange{{"mx.example.com", hostAt(other)}}
	return s
}

func TestIdentityNo(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Session)
		want   string
	}{
		{"every question is answered, and none says yes", func(*Session) {}, "no"},
		{"a record in error is an answer", withSPF(SPFPermError), "no"},
		{"SPF failed", withSPF(SPFTempError), "unknown"},
		{"SPF was not asked", withSPF(SPFNotAsked), "unknown"},
		{"MX failed", func(s *Session) { s.Sender.MX, s.Sender.Exchanges = Failed, nil }, "unknown"},
		{"an exchange failed", func(s *Session) { s.Sender.Exchanges[0].Host = noHost(Failed) }, "unknown"},
		{"an exchange failed in the other family", func(s *Session) { s.Sender.Exchanges[0].Host.AAAA = Failed }, "no"},
		{"an exchange that is an address by mistake is not asked", func(s *Session) { s.Sender.Exchanges[0] = Exchange{Name: "198.51.100.9"} }, "no"},
		{"null MX", func(s *Session) { s.Sender.NullMX, s.Sender.Exchanges = true, nil }, "no"},
		{"no MX at all", func(s *Session) { s.Sender.MX, s.Sender.Exchanges = NoData, nil }, "no"},
		{"the domain's own address failed", func(s *Session) { s.Sender.Host = noHost(Failed) }, "unknown"},
		{"PTR failed", withRDNS(RDNS{Outcome: Failed}), "unknown"},
		{"no PTR", noPTR, "no"},
		{"a PTR name of another domain, not confirmed for want of an answer", withRDNS(ptr("mx.other.example", ForwardFailed)), "no"},
		{"a PTR name of the domain may be confirmed", withRDNS(ptr("out.example.com", ForwardFailed)), "unknown"},
		{"a PTR name of the domain leads elsewhere", withRDNS(ptr("out.example.com", Mismatch)), "no"},
		{"a line of the domain's is no record, confirmed or not", withRDNS(ptr("192-0-2-7.dsl.example.com", ForwardFailed)), "no"},
		{"HELO of the domain, of which could not be asked", withHelo("out.example.com", noHost(Failed), NotAsked), "unknown"},
		{"HELO of the domain leads elsewhere", withHelo("out.example.com", hostAt(other), NotAsked), "no"},
		{"HELO is not known", func(s *Session) { s.Helo = Helo{} }, "unknown"},
		{"no HELO", missingHelo, "no"},
		{"HELO is a literal", withHelo("[192.0.2.7]", Host{}, NotAsked), "no"},
		{"the client is not known", func(s *Session) { s.Client = netip.Addr{} }, "unknown"},
		{"a bounce whose HELO name has no record for the client", func(s *Session) {
			s.Sender, s.Helo.Host, s.RDNS = ParseSender("<>"), hostAt(other), ptr("a.example.net", Confirmed)
		}, "no"},
		{"a bounce of a name that SPF allows", func(s *Session) {
			s.Sender, s.Helo.Host, s.SPF.Outcome = ParseSender("<>"), hostAt(other), SPFPass
		}, "yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := stranger()
			tc.change(&s)
			j := Judge(&s, standard(t))
			if got := j.Identity.Answer; got != tc.want {
				t.Errorf("got %+v, want %s", j.Identity, tc.want)
			}
			unrelated := slices.ContainsFunc(j.Findings, func(f Finding) bool { return f.ID == "from-unrelated" })
			if want := tc.want == "no" && !s.Sender.Null; unrelated != want {
				t.Errorf("from-unrelated %v, want %v", unrelated, want)
			}
		})
	}
}

func TestFromUnrelatedNeverRefuses(t *testing.T) {
	p := standard(t)
	p.Points["from-unrelated"] = Points{Value: 50}
	s := stranger()
	v := Judge(&s, p).Decide(nil, false)
	if v.Action != TempFail || !v.Capped {
		t.Errorf("got %+v", v)
	}
	checkReply(t, v)
}

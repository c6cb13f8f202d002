package profile

import "testing"

// Each pair, what makes it, and what saves an honest server from it.
func TestJudgePairs(t *testing.T) {
	from := func(domain string) Sender {
		return Sender{Given: Shown, Raw: "<jo@" + domain + ">", Local: "jo", Domain: domain}
	}
	none := RDNS{Outcome: NoName}
	lost := ptr("mail.example.org", Mismatch)
	line := ptr("host-192-0-2-7.static.example.net", Confirmed)
	good := ptr("mx.example.net", Confirmed)
	for _, tc := range []struct {
		name   string
		rdns   RDNS
		helo   string
		sender Sender
		want   string // the pairs alone
	}{
		{"no name, and writes for somebody else", none, "box.example.com", from("example.org"), "unnamed-elsewhere"},
		{"no name, and writes for its own domain", none, "box.example.com", from("lists.example.com"), ""},
		{"no name, and named as a mail server", none, "smtp3.example.com", from("example.org"), ""},
		{"no name, and no host in HELO", none, "example.com", from("example.com"), "unnamed-bare"},
		{"no name, no host in HELO, and writes for somebody else", none, "example.com", from("example.org"), "unnamed-bare unnamed-elsewhere"},
		{"no name, and a single label", none, "oem-w330", from("example.org"), "unnamed-elsewhere"},
		{"no name, and a bounce", none, "box.example.com", Sender{Given: Shown, Raw: "<>", Null: true}, ""},
		{"no name, and the sender is not known yet", none, "box.example.com", Sender{}, ""},
		{"a name that does not lead back is nobody's word", lost, "box.example.com", from("example.org"), "unnamed-elsewhere unrelated-elsewhere"},
		{"the name may lead back, for all we know", ptr("mx.example.org", ForwardFailed), "box.example.com", from("example.org"), ""},
		{"a default name, and writes for somebody else", line, "box.example.net", from("example.org"), "generic-elsewhere"},
		{"a default name of the sender's own network", line, "box.example.net", from("example.net"), ""},
		{"a default name, and no host in HELO", line, "example.com", from("example.com"), "generic-bare unrelated-bare"},
		{"a default name, and the own domain in HELO", line, "box.example.com", from("example.com"), ""},
		{"a good name, and another's HELO", good, "box.example.com", from("example.org"), "unrelated-elsewhere"},
		{"a good name of the sender's, and another's HELO", good, "box.example.com", from("example.net"), ""},
		{"a good name, and its domain for a HELO", good, "example.net", from("example.net"), ""},
		{"a good name, and a domain for a HELO", good, "example.com", from("example.com"), "unrelated-bare"},
		{"a good name, and its own HELO", good, "mx2.example.net", from("example.org"), ""},
		{"localhost is judged by itself", none, "localhost.localdomain", from("example.org"), "unnamed-elsewhere"},
		{"no PTR known", RDNS{}, "example.com", from("example.org"), ""},
		{"PTR failed", RDNS{Outcome: Failed}, "example.com", from("example.org"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Session{Client: c7, RDNS: tc.rdns, Helo: Helo{Given: Shown, Name: tc.helo}, Sender: tc.sender}
			if got := pairsOf(Judge(&s, standard(t)).Findings); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// pairsOf are the ids of the pairs among findings.
func pairsOf(findings []Finding) string {
	var pairs []Finding
	for _, f := range findings {
		switch f.ID {
		case "unnamed-elsewhere", "unnamed-bare", "generic-elsewhere", "generic-bare", "unrelated-elsewhere", "unrelated-bare":
			pairs = append(pairs, f)
		}
	}
	return idsOf(pairs)
}

// Who turns a finding off, or only watches it, has no pair of it.
func TestNoPairBesideWhatDoesNotCount(t *testing.T) {
	s := Session{
		Client: c7, RDNS: RDNS{Outcome: NoName}, Helo: Helo{Given: Shown, Name: "example.com"},
		Sender: Sender{Given: Shown, Raw: "<jo@example.org>", Local: "jo", Domain: "example.org"},
	}
	for _, rule := range []Rule{Off, Monitor} {
		p := standard(t)
		p.Points["rdns-missing"] = Points{Value: 6, Rule: rule}
		if got := pairsOf(Judge(&s, p).Findings); got != "" {
			t.Errorf("%v: %s", p.Points["rdns-missing"], got)
		}
	}
}

// A server that is known to belong to the sender's domain is no stranger there.
func TestRelationLiftsPairs(t *testing.T) {
	s := Session{
		Client: c7, RDNS: ptr("host-192-0-2-7.example.net", Mismatch), Helo: Helo{Given: Shown, Name: "example.com"},
		Sender: Sender{Given: Shown, Raw: "<jo@example.org>", Local: "jo", Domain: "example.org"},
	}
	for _, name := range []string{"cautious", "standard"} {
		p := shipped(t, name)
		s.SPF = SPF{}
		if v := Judge(&s, p).Decide(nil, false); v.Action != TempFail {
			t.Errorf("%s: a stranger: %v at %v", name, v.Action, v.Score)
		}
		s.SPF = SPF{Outcome: SPFPass, Domain: "example.org"}
		if v := Judge(&s, p).Decide(nil, false); v.Action != Continue {
			t.Errorf("%s: one with a pass of SPF: %v at %v", name, v.Action, v.Score)
		}
	}
}

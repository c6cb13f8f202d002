package profile

import (
	"math/rand"
	"strings"
	"testing"
)

// boxes are recipients by what a directory says of them, and by who writes to them.
var boxes = []Recipient{
	{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxNone},
	{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxError},
	{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxDown},
	{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxThere, Harvest: "20 of 21"},
	{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxNone, Harvest: "20 of 21"},
	{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxDown, Harvest: "20 of 21"},
}

// An unknown user is refused, a failed directory never refuses, and a harvest has one
// answer for all names: whoever the client is, and whatever its score.
func TestMailboxesAnswer(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		for _, id := range []string{"rcpt-unknown", "rcpt-error", "rcpt-harvest"} {
			p.Points[id] = Points{}
		}
		if rng.Intn(3) == 0 {
			s.Trust = pick(rng, []Trust{Exempt, Authenticated})
		}
		j := Judge(&s, p)
		if j.word != silent && j.word != allowed {
			return
		}
		said := map[string]bool{}
		for _, r := range boxes {
			v := j.Decide(&r, false)
			harvest := r.Harvest != "" && !j.Spared()
			switch {
			case harvest:
				said[v.Text] = true
				if v.Action != TempFail || v.Code != 450 || v.Status != "4.7.1" || v.Speaker != "rcpt-harvest" {
					t.Fatalf("%+v got %+v of %s", r, v, show(s))
				}
			case r.Mailbox == MailboxNone:
				if v.Action != Reject || v.Code != 550 || v.Status != "5.1.1" || v.ForScore {
					t.Fatalf("%+v got %+v of %s", r, v, show(s))
				}
			case r.Mailbox == MailboxDown:
				if v.Action != TempFail || v.Code != 451 || v.Status != "4.3.0" || v.ForScore {
					t.Fatalf("%+v got %+v of %s", r, v, show(s))
				}
			default:
				plain := r
				plain.Mailbox, plain.Harvest = MailboxNotAsked, ""
				if want := j.Decide(&plain, false); v.Action != want.Action || v.Speaker != want.Speaker || v.Score != want.Score {
					t.Fatalf("%+v got %+v, without the directory %+v of %s", r, v, want, show(s))
				}
			}
		}
		if len(said) > 1 {
			t.Fatalf("a harvest is told %v", said)
		}
	})
}

// Law 1 for directories: one that has failed is never harsher than one that says no.
func TestAFailedDirectoryIsNoEvidence(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, _ *world, s Session, p *Policy) {
		j := Judge(&s, p)
		r := Recipient{Raw: "<joe@us.example>", Number: 1 + rng.Intn(2), Mailbox: MailboxNone}
		no := j.Decide(&r, false)
		for _, state := range []MailboxState{MailboxError, MailboxNotAsked} {
			r.Mailbox = state
			if got := j.Decide(&r, false); p.Points["rcpt-unknown"].Rule == Counted && got.Action > no.Action {
				t.Fatalf("%d: %v, with a no %v", state, got.Action, no.Action)
			}
		}
	})
}

// Law 3: postmaster, abuse and who is exempt always exist, and nothing of this is
// said of them.
func TestTheWayToHelpAlwaysExists(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, _ *world, s Session, p *Policy) {
		j := Judge(&s, p)
		for _, box := range boxes {
			for _, r := range []Recipient{{Raw: "<postmaster>"}, {Raw: "<Abuse@us.example>"}, {Raw: "<joe@us.example>", Exempt: true}} {
				r.Mailbox, r.Harvest = box.Mailbox, box.Harvest
				v := j.Decide(&r, false)
				if v.Action != Continue && !j.Denied() && j.word != deferred {
					t.Fatalf("%+v got %+v", r, v)
				}
				for _, f := range v.Findings {
					if strings.HasPrefix(f.ID, "rcpt-") {
						t.Fatalf("%+v: %+v", r, f)
					}
				}
			}
		}
	})
}

// The operator's deny goes first, and what is off or monitored does not answer.
func TestMailboxesByPolicy(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rule     Rule
		want     Action
		findings string
	}{
		{"judged", Counted, Reject, "rcpt-unknown"},
		{"monitored", Monitor, Continue, "rcpt-unknown"},
		{"off", Off, Continue, ""},
	} {
		p, err := Baseline("standard")
		if err != nil {
			t.Fatal(err)
		}
		p.Points["rcpt-unknown"] = Points{Rule: tt.rule}
		j := Judge(&Session{Trust: Exempt}, p)
		v := j.Decide(&boxes[0], false)
		var got []string
		for _, f := range v.Findings {
			got = append(got, f.ID)
		}
		if v.Action != tt.want || strings.Join(got, " ") != tt.findings {
			t.Errorf("%s: %+v", tt.name, v)
		}
		denied := boxes[0]
		denied.Local = []LocalHit{{Action: LocalDeny}}
		if v := j.Decide(&denied, false); v.Speaker != "local-deny" {
			t.Errorf("%s: %s speaks before the operator", tt.name, v.Speaker)
		}
	}
	p, err := Baseline("standard")
	if err != nil {
		t.Fatal(err)
	}
	p.Points["rcpt-error"] = Points{Rule: AtLeastTempfail}
	if v := Judge(&Session{Trust: Exempt}, p).Decide(&boxes[1], false); v.Action != TempFail || v.Status != "4.3.0" {
		t.Errorf("tempfail by [points]: %+v", v)
	}
	trapped := Judge(&Session{Trap: "last at noon"}, p)
	if trapped.Score != 5 || trapped.Findings[0].ID != "rcpt-trap" {
		t.Errorf("%+v", trapped.Findings)
	}
}

// A server that is known for its mail does not harvest, whatever its neighbours do, nor
// where a small site has few names that it could know.
func TestAServerOfGoodHistoryIsNoHarvester(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Session
		rule Rule // of history-good
		want string
	}{
		{"a good history", Session{History: History{Good: "known for a year"}}, Counted, ""},
		{"one that is only watched", Session{History: History{Good: "known for a year"}}, Monitor, "rcpt-harvest"},
		{"none", Session{}, Counted, "rcpt-harvest"},
		{"a bad one", Session{History: History{Bad: "wrote to traps"}}, Counted, "rcpt-harvest"},
	} {
		p, err := Baseline("standard")
		if err != nil {
			t.Fatal(err)
		}
		p.Points["history-good"] = Points{Value: -8, Rule: tt.rule}
		j := Judge(&tt.s, p)
		r := Recipient{Raw: "<joe@us.example>", Number: 1, Mailbox: MailboxThere, Harvest: "20 of 21"}
		if v := j.Decide(&r, false); (v.Speaker == "rcpt-harvest") != (tt.want != "") || j.Spared() != (tt.want == "") {
			t.Errorf("%s: %+v", tt.name, v)
		}
	}
}

package profile

import (
	"math/rand"
	"slices"
	"strings"
	"testing"
)

func TestHistory(t *testing.T) {
	missing := RDNS{Outcome: NoName}
	listing := []ListHit{{ID: "dnsbl:a", Points: 6}}
	for _, tt := range []struct {
		name, baseline string
		s              Session
		want           Action
		findings       string // heaviest first
	}{
		{"nothing is remembered", "standard", Session{}, Continue, ""},
		{"a stranger", "standard", Session{History: History{New: true}}, Continue, "first-seen:0"},
		{"a stranger, strictly", "strict", Session{History: History{New: true}}, TempFail, "first-seen:5"},
		{"a stranger whose name is missing", "standard", Session{RDNS: missing, History: History{New: true}}, TempFail, "rdns-missing:6 first-seen:0"},
		{"a known server without a name is not asked to come back", "standard", Session{RDNS: missing, History: History{Good: "x"}}, Continue, "rdns-missing:6 history-good:-8"},
		{"a bad history alone refuses nobody", "standard", Session{History: History{Bad: "x"}}, Continue, "history-bad:3"},
		{"beside a missing name it defers", "standard", Session{RDNS: missing, History: History{Bad: "x"}}, TempFail, "rdns-missing:6 history-bad:3"},
		{"many names", "standard", Session{RDNS: missing, History: History{Bad: "x", Helos: 9}}, Reject, "rdns-missing:6 helo-many:3 history-bad:3"},
		{"a good history does not outweigh a list", "standard", Session{Lists: listing, History: History{Good: "x"}}, TempFail, "dnsbl:a:6 history-good:0"},
		{"nor a trap", "standard", Session{RDNS: RDNS{Outcome: NoName}, Trap: "last at noon", History: History{Good: "x"}}, TempFail, "rdns-missing:6 rcpt-trap:5 history-good:-6"},
		{"bad is never good", "standard", Session{RDNS: missing, History: History{Good: "x", Bad: "x"}}, TempFail, "rdns-missing:6 history-bad:3"},
		{"one that logs in has none", "strict", Session{Trust: Authenticated, History: History{Bad: "x", New: true, Helos: 9}}, Continue, ""},
	} {
		p, err := Baseline(tt.baseline)
		if err != nil {
			t.Fatal(err)
		}
		tt.s.Client = c7
		j := Judge(&tt.s, p)
		var got []string
		for _, f := range j.Findings {
			got = append(got, f.ID+":"+Points{Value: f.Points}.String())
		}
		v := j.Decide(&Recipient{Raw: "<joe@us.example>", Number: 1}, false)
		if text := strings.Join(got, " "); text != tt.findings || v.Action != tt.want {
			t.Errorf("%s: %v by %q, want %v by %q", tt.name, v.Action, text, tt.want, tt.findings)
		}
	}
}

// A law: a good history never outweighs what a list says, a bad one, or the operator's
// own points: with it, the answer is at least what these alone ask for.
func TestGoodHistoryOutweighsNoEvidence(t *testing.T) {
	tried := 0
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		s.History = History{Good: "known for years"}
		s.Lists = slices.DeleteFunc(s.Lists, func(h ListHit) bool { return h.kind() == dnswl })
		s.Local = nil
		alone := Session{Client: s.Client, Us: s.Us, Lists: s.Lists}
		r := &Recipient{Raw: "<joe@us.example>", Number: 1}
		want, got := Judge(&alone, p).Decide(r, false), Judge(&s, p).Decide(r, false)
		if want.Score > 0 {
			tried++
		}
		if want.Score > 0 && got.Score < want.Score-1e-6 || got.Action == Continue && want.Action == TempFail {
			t.Fatalf("%v of %v with a good history, %v of %v by the lists alone: %s\n%+v", got.Action, got.Score, want.Action, want.Score, show(s), p.Points)
		}
	})
	if tried == 0 {
		t.Error("no list hit: nothing was tested")
	}
}

// A law: being new refuses nobody, and being known never makes an answer harsher.
func TestNewnessRefusesNobody(t *testing.T) {
	asked := 0
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		s.History.New, s.History.Good, s.History.Bad = true, "", ""
		known, good := s, s
		known.History.New = false
		good.History.New, good.History.Good = false, "known for years"
		for _, r := range lawRecipients {
			stranger, other, friend := Judge(&s, p).Decide(r, false), Judge(&known, p).Decide(r, false), Judge(&good, p).Decide(r, false)
			switch {
			case stranger.Action == Reject && other.Action != Reject:
				t.Fatalf("refused for being new: %s\n%+v", show(s), p.Points)
			case friend.Action > other.Action || other.Action > stranger.Action:
				t.Fatalf("%v for a friend, %v for one who is known, %v for a stranger: %s\n%+v", friend.Action, other.Action, stranger.Action, show(s), p.Points)
			case stranger.Action == TempFail && other.Action == Continue:
				asked++
				if r == nil && (!stranger.ForScore || Judge(&s, p).Decide(r, true).Action != Continue && p.Points["retry-passed"].Rule == Counted) {
					t.Fatalf("a stranger cannot become known: %+v for %s\n%+v", stranger, show(s), p.Points)
				}
			}
		}
	})
	if asked == 0 {
		t.Error("no stranger was asked to come back: nothing was tested")
	}
}

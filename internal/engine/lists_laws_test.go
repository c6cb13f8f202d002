package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// weighing sets points of findings.
func weighing(t testing.TB, points map[string]float64) func(*Options) {
	return func(o *Options) {
		policy, err := profile.Baseline("standard")
		if err != nil {
			t.Fatal(err)
		}
		for id, p := range points {
			policy.Points[id] = profile.Points{Value: p}
		}
		o.Policy = policy
	}
}

// TestNoLostAllowAnswerRejects is law 2 from question to reply: bl refuses the
// client, and wl, as long as it is asked, might have lifted that.
func TestNoLostAllowAnswerRejects(t *testing.T) {
	const (
		byAddress = "7.2.0.192.wl.test"
		byPTR     = "mail.good.example.wl.test"
		byHelo    = "smtp.good.example.wl.test"
		bySender  = "good.example.wl.test"
	)
	all := []dnsbl.Stage{dnsbl.Connect, dnsbl.PTR, dnsbl.Helo, dnsbl.Mail}
	for _, tt := range []struct {
		name    string
		at      []dnsbl.Stage // of wl
		lost    string        // a question to wl
		answers []string
		dns     string // a record that cannot be looked up; behind "no ", one that is not there
		away    bool   // wl does not count
		want    profile.Action
	}{
		{"it says nothing for the client", all, byAddress, nil, "", false, profile.Reject},
		{"it speaks for the client", all, byAddress, []string{"127.0.0.2"}, "", false, profile.Continue},
		{"it remarks on something", all, byAddress, []string{"127.0.0.4"}, "", false, profile.Reject},
		{"it is not in use, as it does not count", all, byAddress, []string{"timeout"}, "", true, profile.Reject},
		{"lost: the address, by a timeout", all, byAddress, []string{"timeout"}, "", false, profile.TempFail},
		{"lost: the address, by a failure of its servers", all, byAddress, []string{"servfail"}, "", false, profile.TempFail},
		{"lost: the address, by a refusal", all, byAddress, []string{"127.0.0.255"}, "", false, profile.TempFail},
		{"lost: the address, by a refusal beside its word", all, byAddress, []string{"127.0.0.2", "127.0.0.255"}, "", false, profile.TempFail},
		{"lost: the address, by an answer that is none", all, byAddress, []string{"10.0.0.1"}, "", false, profile.TempFail},
		{"lost: the address, by poison", all, byAddress, []string{"127.0.0.10"}, "", false, profile.TempFail},
		{"lost: the address, still out at the end of the budget", all, byAddress, []string{"never"}, "", false, profile.TempFail},
		{"lost: the PTR name", all, byPTR, []string{"timeout"}, "", false, profile.TempFail},
		{"lost: the PTR name, out", all, byPTR, []string{"never"}, "", false, profile.TempFail},
		{"lost: the HELO name", all, byHelo, []string{"servfail"}, "", false, profile.TempFail},
		{"lost: the sender's domain", all, bySender, []string{"timeout"}, "", false, profile.TempFail},
		{"lost: which PTR names there are", []dnsbl.Stage{dnsbl.PTR}, "", nil, "192.0.2.7 PTR", false, profile.TempFail},
		{"lost: whether a PTR name leads back", []dnsbl.Stage{dnsbl.PTR}, "", nil, "mail.good.example A", false, profile.TempFail},
		{"nothing is lost of a client without a name", []dnsbl.Stage{dnsbl.PTR}, "", nil, "no 192.0.2.7 PTR", false, profile.Reject},
		{"lost: a name of which no allow list is asked", []dnsbl.Stage{dnsbl.Connect}, "", nil, "mail.good.example A", false, profile.Reject},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, weighing(t, map[string]float64{"rdns-missing": 0}), newList(t, "bl", 12, dnsbl.Connect), newList(t, "wl", -10, tt.at...))
				h.dns.records["smtp.good.example A"] = []string{"192.0.2.7"}
				h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
				if tt.lost != "" && tt.answers != nil {
					h.zones.set(tt.lost, tt.answers...)
				}
				if gone, ok := strings.CutPrefix(tt.dns, "no "); ok {
					delete(h.dns.records, gone)
				} else if tt.dns != "" {
					h.dns.records[tt.dns] = []string{"SERVFAIL"}
				}
				h.watch.away["wl"] = tt.away
				if a := h.deliver(good, "smtp.good.example", fromGood, toUser); a.Action != tt.want {
					t.Errorf("%v, want %v: %s", a.Action, tt.want, h.findings())
				}
				synctest.Wait()
			})
		})
	}
}

// TestAllowListsThatFellSilent: while one that gives no answer is missed, nothing is
// refused that it could have lifted; what it said before lifts.
func TestAllowListsThatFellSilent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		absent  dnsbl.Absence
		before  []string // what wl said of the client when it was up
		after   time.Duration
		stage   dnsbl.Stage
		noNames bool // it is not known which PTR names the client has
		want    profile.Action
	}{
		{"it is doubted: what it said is nothing", 0, []string{"127.0.0.2"}, 0, dnsbl.Connect, false, profile.Reject},
		{"it spoke for the client", dnsbl.Missed | dnsbl.Remembered, []string{"127.0.0.2"}, 0, dnsbl.Connect, false, profile.Continue},
		{"it spoke for its name", dnsbl.Missed | dnsbl.Remembered, []string{"127.0.0.2"}, 0, dnsbl.Helo, false, profile.Continue},
		{"it did so some time ago", dnsbl.Missed | dnsbl.Remembered, []string{"127.0.0.2"}, 40 * time.Minute, dnsbl.Connect, false, profile.Continue},
		{"it did so too long ago", dnsbl.Missed | dnsbl.Remembered, []string{"127.0.0.2"}, 2 * time.Hour, dnsbl.Connect, false, profile.TempFail},
		{"it said that it has nothing for the client", dnsbl.Missed | dnsbl.Remembered, []string{}, 0, dnsbl.Connect, false, profile.Reject},
		{"it did so some time ago, and may think otherwise now", dnsbl.Missed | dnsbl.Remembered, []string{}, 40 * time.Minute, dnsbl.Connect, false, profile.TempFail},
		{"it has not been asked about the client", dnsbl.Missed | dnsbl.Remembered, nil, 0, dnsbl.Connect, false, profile.TempFail},
		{"nor about names that may be there", dnsbl.Missed | dnsbl.Remembered, nil, 0, dnsbl.PTR, true, profile.TempFail},
		{"it was never up, and what it said of old is not used", dnsbl.Missed, []string{"127.0.0.2"}, 0, dnsbl.Connect, false, profile.TempFail},
		{"it is gone for long", dnsbl.Remembered, nil, 0, dnsbl.Connect, false, profile.Reject},
		{"it is gone for long, and spoke for the client still", dnsbl.Remembered, []string{"127.0.0.2"}, 0, dnsbl.Connect, false, profile.Continue},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, nil, newList(t, "bl", 12, dnsbl.Connect), newList(t, "wl", -10, tt.stage))
				question := "7.2.0.192.wl.test"
				if tt.stage == dnsbl.Helo {
					question = "mail.good.example.wl.test"
				}
				client := Client{Addr: netip.MustParseAddr("192.0.2.8")}
				h.zones.set("8.2.0.192.bl.test", "127.0.0.2")
				if tt.before != nil {
					client = good
					h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
					h.zones.set(question, tt.before...)
					h.deliver(good, "mail.good.example", fromGood, toUser)
					time.Sleep(tt.after)
				}
				h.watch.mu.Lock()
				h.watch.away["wl"], h.watch.absent = true, tt.absent
				h.watch.mu.Unlock()
				h.zones.questions()
				if tt.noNames {
					h.dns.records["192.0.2.8 PTR"] = []string{"SERVFAIL"}
				}
				if a := h.deliver(client, "mail.good.example", fromGood, toUser); a.Action != tt.want {
					t.Errorf("%v, want %v: %s", a.Action, tt.want, h.findings())
				}
				for _, q := range h.zones.questions() {
					if strings.HasSuffix(q, ".wl.test") {
						t.Errorf("asked %s", q)
					}
				}
				synctest.Wait()
			})
		})
	}
}

// TestAVisitRemembersWhatItLost: the answer that stops a list is lost to the whole
// visit that brought it, not to its first transaction alone.
func TestAVisitRemembersWhatItLost(t *testing.T) {
	h := withLists(t, nil, newList(t, "bl", 12, dnsbl.Connect), newList(t, "wl", -10, dnsbl.Connect, dnsbl.Mail))
	h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
	h.zones.set("7.2.0.192.wl.test", "127.0.0.10")
	v := h.Connect(good)
	defer v.Close()
	v.Helo("mail.good.example")
	first := send(v, fromGood)
	h.watch.mu.Lock()
	h.watch.away["wl"] = true // as dnsbl.Health says then
	h.watch.mu.Unlock()
	second, other := send(v, fromGood), h.deliver(good, "mail.good.example", fromGood, toUser)
	if first.Action != profile.TempFail || second.Action != profile.TempFail || other.Action != profile.Reject {
		t.Errorf("the visit: %v, then %v, want tempfail twice; the next: %v, want reject", first.Action, second.Action, other.Action)
	}
	h.watch.mu.Lock()
	h.watch.away["wl"] = false
	h.watch.mu.Unlock()
	h.zones.set("7.2.0.192.wl.test", "127.0.0.4")
	h.set = dnsbl.NewSet(h.set.Lists(), h.zones, h.watch, dnsbl.Options{})
	h.o.Lists = h.set // as after the expiry
	if third := send(v, fromGood); third.Action != profile.Reject {
		t.Errorf("it has answered by now: %v, want reject", third.Action)
	}
}

// TestStaleAnswersOfListsNeverRefuse, from either side.
func TestStaleAnswersOfListsNeverRefuse(t *testing.T) {
	for _, tt := range []struct {
		name, stale string
		want        profile.Action
	}{
		{"an old listing may defer", ".bl.test", profile.TempFail},
		{"an old word for the client may lift", ".wl.test", profile.Continue},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, nil, newList(t, "bl", 12, dnsbl.Connect), newList(t, "wl", -12, dnsbl.Connect))
				h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
				if tt.stale == ".wl.test" {
					h.zones.set("7.2.0.192.wl.test", "127.0.0.2")
				}
				h.deliver(good, "mail.good.example", fromGood, toUser)
				time.Sleep(20 * time.Minute) // past the expiry
				h.zones.set("7.2.0.192"+tt.stale, "timeout")
				if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != tt.want {
					t.Errorf("%v, want %v: %s", a.Action, tt.want, h.findings())
				}
			})
		})
	}
}

// A draw is what lists answer to one visit, drawn at random.
type draw struct {
	questions []string
	answers   [][]string
}

// draws are what may be drawn, by what it means for the client.
var (
	against = [][]string{{"127.0.0.2"}, {"127.0.0.2", "127.0.0.3"}}
	lost    = [][]string{{"timeout"}, {"servfail"}, {"127.0.0.255"}, {"127.0.0.10"}, {"10.0.0.1"}, {"127.0.0.2", "127.0.0.255"}}
	neutral = [][]string{nil, {"127.0.0.4"}, {"127.200.1.1"}, {"127.0.0.0"}, {"127.0.0.1", "127.0.0.5"}}
)

func pick(r *rand.Rand, from ...[][]string) []string {
	all := slices.Concat(from...)
	return all[r.IntN(len(all))]
}

// isListing reports whether an answer is a hit.
func isListing(a []string) bool {
	return slices.Contains(a, "127.0.0.2") && !slices.Contains(a, "127.0.0.255")
}

// lawLists are three lists against clients and two for them, and all that these are
// asked about client and names of the visits below.
func lawLists(t testing.TB) (lists []dnsbl.List, blocks, allows []string) {
	lists = []dnsbl.List{
		newList(t, "b1", 4, dnsbl.Connect), newList(t, "b2", 7, dnsbl.PTR, dnsbl.Helo), newList(t, "b3", 3, dnsbl.Mail, dnsbl.Connect),
		newList(t, "w1", -5, dnsbl.Connect), newList(t, "w2", -9, dnsbl.PTR, dnsbl.Mail),
	}
	lists[1].Group, lists[2].Group = "same", "same"
	blocks = []string{"7.2.0.192.b1.test", "mail.good.example.b2.test", "helo.elsewhere.example.b2.test", "good.example.b3.test", "7.2.0.192.b3.test"}
	allows = []string{"7.2.0.192.w1.test", "mail.good.example.w2.test", "good.example.w2.test"}
	return lists, blocks, allows
}

// outcome judges the visit of a draw anew, without any memory.
func (h listHarness) outcome(d draw) (score float64, action profile.Action) {
	o := h.o
	zones := newZones()
	for i, q := range d.questions {
		zones.a[q] = d.answers[i]
	}
	o.Lists = dnsbl.NewSet(h.set.Lists(), zones, nil, dnsbl.Options{Cache: dnsbl.NewCache(1 << 16)})
	o.ListWatch = nil
	helo, from := "helo.elsewhere.example", "joe@good.example"
	rec := New(o).Explain(Query{Client: good.Addr, Helo: &helo, From: &from})
	for a := profile.Continue; a <= profile.Reject; a++ {
		if a.String() == rec.Recipients[0].Action {
			action = a
		}
	}
	return rec.Score, action
}

// TestListLaws: whatever lists answer,
//
//   - what is no declared listing never raises a score;
//   - an answer against the client that is lost instead never makes the action harsher (law 1);
//   - an answer of a list that could have spoken for the client and is lost never
//     makes a reject of what was none (law 2).
func TestListLaws(t *testing.T) {
	lists, blocks, allows := lawLists(t)
	h := withLists(t, nil, lists...)
	questions := slices.Concat(blocks, allows)
	unlisted, _ := h.outcome(draw{})
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	tell := func(law string, d, then draw) {
		t.Errorf("seed %d: %s\n%s\nthen\n%s", seed, law, d, then)
	}
	rejects, lifts := 0, 0
	for range 1500 {
		d := draw{questions, make([][]string, len(questions))}
		quiet, doubted := draw{questions, make([][]string, len(questions))}, draw{questions, make([][]string, len(questions))}
		deaf := draw{questions, make([][]string, len(questions))}
		for i := range questions {
			d.answers[i] = pick(r, neutral, against, against, lost)
			quiet.answers[i], doubted.answers[i], deaf.answers[i] = d.answers[i], d.answers[i], d.answers[i]
			switch block := i < len(blocks); {
			case block:
				if isListing(d.answers[i]) {
					quiet.answers[i] = pick(r, neutral, lost)
					if r.IntN(2) == 0 {
						doubted.answers[i] = pick(r, lost)
					}
				}
			case r.IntN(2) == 0:
				deaf.answers[i] = pick(r, lost)
			}
		}
		score, action := h.outcome(d)
		if s, _ := h.outcome(quiet); s > unlisted {
			tell(fmt.Sprintf("no listing, and the score is %g instead of %g", s, unlisted), d, quiet)
		}
		if s, a := h.outcome(doubted); a > action || s > score && action == profile.Continue && a != profile.Continue {
			tell(fmt.Sprintf("%v became %v for want of answers against the client", action, a), d, doubted)
		}
		if _, a := h.outcome(deaf); a == profile.Reject && action != profile.Reject {
			tell(fmt.Sprintf("%v became %v for want of answers for the client", action, a), d, deaf)
		}
		if action == profile.Reject {
			rejects++
		}
		if score < unlisted {
			lifts++
		}
	}
	if rejects == 0 || lifts == 0 {
		t.Errorf("seed %d: %d rejects and %d lifts were drawn: this shows nothing", seed, rejects, lifts)
	}
}

func (d draw) String() string {
	var b strings.Builder
	for i, q := range d.questions {
		fmt.Fprintf(&b, "  %s: %s\n", q, strings.Join(d.answers[i], " "))
	}
	return b.String()
}

// TestManyHitsLoseNoLift: profile looks at a bounded number of hits, and those that
// may speak for the client are among them.
func TestManyHitsLoseNoLift(t *testing.T) {
	var lists []dnsbl.List
	for i := range 80 {
		lists = append(lists, newList(t, fmt.Sprintf("bl%d", i), 1, dnsbl.Connect))
	}
	h := withLists(t, nil, append(lists, newList(t, "wl", -100, dnsbl.Connect))...)
	h.zones.set(".test", "127.0.0.2")
	if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Continue {
		t.Errorf("%v: %s", a.Action, h.findings())
	}
	h.zones.set("66.2.0.192.wl.test", "timeout")
	if a := h.deliver(Client{Addr: netip.MustParseAddr("192.0.2.66")}, "mail.good.example", fromGood, toUser); a.Action != profile.TempFail {
		t.Errorf("with wl lost: %v: %s", a.Action, h.findings())
	}
}

// TestAllPTRNames: which names are asked about, and whether an allow list might know the
// client by one that is not (law 2).
func TestAllPTRNames(t *testing.T) {
	names := func(n int, forward profile.Forward) (all []profile.PTR) {
		for i := range n {
			all = append(all, profile.PTR{Name: fmt.Sprintf("mail%d.good.example", i), Forward: forward})
		}
		return all
	}
	found := func(names ...[]profile.PTR) profile.RDNS {
		return profile.RDNS{Outcome: profile.Found, Names: slices.Concat(names...)}
	}
	old := found(names(1, profile.Confirmed))
	old.Stale = true
	for _, tt := range []struct {
		name  string
		rdns  profile.RDNS
		asked int
		all   bool
	}{
		{"one name", found(names(1, profile.Confirmed)), 1, true},
		{"none", profile.RDNS{Outcome: profile.NoName}, 0, true},
		{"nobody knows", profile.RDNS{Outcome: profile.Failed}, 0, false},
		{"a name of the past", old, 1, false},
		{"as many as are asked about", found(names(3, profile.Confirmed)), 3, true},
		{"one more", found(names(4, profile.Confirmed)), 3, false},
		{"one more, which leads elsewhere", found(names(3, profile.Confirmed), names(1, profile.Mismatch)), 3, true},
		{"one more, of which nobody knows where it leads", found(names(3, profile.Confirmed), names(1, profile.ForwardFailed)), 3, false},
		{"as many as are kept, all leading elsewhere", found(names(10, profile.Mismatch)), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if asked, all := ptrSubjects(&tt.rdns); len(asked) != tt.asked || all != tt.all {
				t.Errorf("%d names, all: %v; want %d, %v", len(asked), all, tt.asked, tt.all)
			}
		})
	}
}

// TestPoisonWhileThePartnerIsSilent: of two allow lists that spoke for a client whom bl
// lists, one says that it lies and the other says nothing. Nobody is refused whom the
// silent one could lift.
func TestPoisonWhileThePartnerIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := watchedLists(t, tested(t, "bl", 12, dnsbl.Connect), tested(t, "wl", -20, dnsbl.Connect), tested(t, "partner", -20, dnsbl.Connect))
		is := func(when string, last int, want profile.Action) {
			t.Helper()
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(last)})
			if a := h.deliver(Client{Addr: addr}, "mail.good.example", fromGood, toUser); a.Action != want {
				t.Errorf("%s, client %d: %v, want %v: %s", when, last, a.Action, want, h.findings())
			}
		}
		h.zones.set(".2.0.192.bl.test", "127.0.0.2")
		h.zones.set(".2.0.192.wl.test", "127.0.0.2")
		h.zones.set("20.2.0.192.partner.test", "127.0.0.2")
		is("both are well", 20, profile.Continue)
		is("both are well", 21, profile.Continue)
		h.zones.set(".2.0.192.wl.test", "127.0.0.10")
		h.zones.set(".wl.test", "127.0.0.10")
		h.zones.set("2.0.0.127.wl.test", "127.0.0.10")
		h.zones.set(".partner.test", "servfail")
		h.zones.set("2.0.0.127.partner.test", "servfail")
		for i := range 60 {
			is("one lies and one is silent", 30+i, profile.TempFail)
			time.Sleep(time.Second)
		}
		if wl, partner := h.standing(t, "wl"), h.standing(t, "partner"); wl.Condition != dnsbl.Suspended || partner.Condition != dnsbl.Silent {
			t.Errorf("wl is %v, partner %v", wl.Condition, partner.Condition)
		}
		is("the silent one spoke for it", 20, profile.Continue)
		is("the silent one has nothing on it, and a liar's old word is none", 21, profile.Reject)
		is("nobody knows", 200, profile.TempFail)
	})
}

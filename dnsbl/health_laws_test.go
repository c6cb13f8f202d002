package dnsbl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// changesAnHour is what a list's state may change at most within an hour, at a test
// every ten minutes, whatever it answers.
const changesAnHour = 12

// behaviours are what a zone may do.
var behaviours = []func(string) Reply{
	sound, sound, sound,
	always(found("127.0.0.2")), always(found("127.255.255.254")), always(found("10.0.0.1")),
	always(noRecord()), always(timedOut()), always(Reply{Reason: "servfail"}), always(found("127.0.10.3")),
	func(string) Reply { return behaviours2[rand.IntN(len(behaviours2))] },
}

// behaviours2 are mixed by one that answers anything.
var behaviours2 = []Reply{found("127.0.0.2"), noRecord(), found("127.0.0.77"), {Reason: "timeout"}, found("127.255.255.254"), {}}

// TestNoSequenceOfAnswersMakesStorms lets every list do as it likes for days, and
// holds two laws: the changes of a state are few, and a list that is not up never counts.
func TestNoSequenceOfAnswersMakesStorms(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				w.run()
				rng := rand.New(rand.NewPCG(seed, 1))
				does := map[string]func(string) Reply{}
				w.asker.set(func(name string) Reply {
					for zone, answer := range does {
						if strings.HasSuffix(name, zone) {
							return answer(name)
						}
					}
					return sound(name)
				})
				for range 2000 {
					l := &w.lists[rng.IntN(len(w.lists))]
					b := behaviours[rng.IntN(len(behaviours))]
					w.asker.mu.Lock()
					does[l.Zone] = b
					w.asker.mu.Unlock()
					l = &w.lists[rng.IntN(len(w.lists))]
					if l.Asks.Has(IP4) {
						w.visit(l.ID, client(rng.IntN(1000)))
					}
					w.wantLaws()
					w.pass(time.Duration(rng.Int64N(int64(2 * time.Minute))))
				}
				w.wantFewChanges()
			})
		})
	}
}

// TestAnAdversaryMakesNoStorms is well while it is away and bad while it is up.
func TestAnAdversaryMakesNoStorms(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  Reply
	}{
		{"silent", Reply{Reason: "timeout"}}, {"refuses", found("127.255.255.254")},
		{"parked", found("10.0.0.1")}, {"poisons", found("127.0.10.3")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				w.run()
				w.asker.set(below("white.example.org", func(name string) Reply {
					if w.Counts("white") {
						return c.bad
					}
					return sound(name)
				}))
				for i := range 5000 {
					w.visit("white", client(i))
					w.wantLaws()
					w.pass(30 * time.Second)
				}
				w.wantFewChanges()
				if n := len(w.changes); n < 8 {
					t.Errorf("%d changes: the adversary did nothing", n)
				}
			})
		})
	}
}

// wantLaws wants no list to count that is not up.
func (w *ward) wantLaws() {
	w.t.Helper()
	synctest.Wait() // or a test could end between the two looks
	for _, s := range w.Snapshot() {
		if counts := w.Counts(s.List); counts != s.Counts || counts != (s.Condition == Up) {
			w.t.Fatalf("%s is %v, and counts: %t", s.List, s.Condition, counts)
		}
	}
}

// wantFewChanges wants no more than changesAnHour of any list in any hour.
func (w *ward) wantFewChanges() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	most := 0
	for i, first := range w.changes {
		n := 0
		for _, c := range w.changes[i:] {
			if c.List == first.List && c.At.Sub(first.At) < time.Hour {
				n++
			}
		}
		most = max(most, n)
	}
	w.t.Logf("%d changes in all, at most %d of one list in an hour", len(w.changes), most)
	if most > changesAnHour {
		w.t.Errorf("%d changes of one list in an hour, want at most %d", most, changesAnHour)
	}
}

// TestKeysAreNeverShown looks for the key in all that a Health gives away.
func TestKeysAreNeverShown(t *testing.T) {
	const secret = "sesamopenthekey"
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		for i := range w.lists {
			w.lists[i].Zone = "{key}." + w.lists[i].Zone
			key := secret
			w.lists[i].key = &key
		}
		w.Use(w.lists, w.asker, testEvery)
		w.run()
		keyed := 0
		for _, name := range w.asker.names() {
			if strings.Contains(name, secret) {
				keyed++
			}
		}
		if keyed == 0 {
			t.Fatal("no question has the key")
		}
		for _, r := range []Reply{found("10.0.0.1"), found("127.255.255.254"), found("127.0.0.2"), noRecord(),
			{Reason: "lookup " + secret + ".example.org: no such host"}, {Reason: secret + ".x"}} {
			w.asker.set(below("example.org", always(r)))
			w.pass(4 * time.Hour)
			w.asker.set(sound)
			w.pass(10 * time.Hour)
		}
		shown := w.log() + fmt.Sprintf("%+v %#v %+v", w.Snapshot(), w.Snapshot(), w.changes)
		if len(w.changes) < 20 || strings.Contains(shown, secret) {
			t.Fatalf("%d changes, the key in: %s", len(w.changes), shown)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.allUp()
		generation := map[string]uint32{}
		for _, l := range w.lists {
			generation[l.ID] = w.Generation(l.ID)
		}
		a := w.visit("a", netip.MustParseAddr("127.0.0.2"))
		w.Judged(VisitSeen{Client: client(1), Hit: []string{"a", "c"}})
		w.Judged(VisitSeen{Client: client(1), Hit: []string{"a"}})
		w.asker.set(below("c.example.org", always(found("10.0.0.1"))))
		w.visit("c", client(1))
		w.pass(3 * time.Second)
		w.forget()

		next := healthLists(t)
		next[0].Codes[0].Meaning = "another meaning" // the same list all the same
		next[1].Zone = "elsewhere.example.org"
		key := "k"
		next[3].key = &key
		gone := next[4]
		next = []List{next[3], next[2], next[1], next[0]}
		other := &fakeAsker{answer: func(name string) Reply { r := sound(name); r.Took = time.Second; return r }}
		w.Use(next, other, testEvery)
		w.lists = next
		for id, want := range map[string]Condition{"a": Up, "b": Untested, "c": Suspended, "domains": Untested} {
			w.want(id, want)
		}
		for id, same := range map[string]bool{"a": true, "b": false, "c": false, "domains": false, "white": false} {
			if (w.Generation(id) == generation[id]) != same {
				t.Errorf("%s: generation %d, before it was %d", id, w.Generation(id), generation[id])
			}
		}
		if w.Counts(gone.ID) {
			t.Error("a list that is not in use counts")
		}
		w.Saw(&Answer{List: &gone, Reason: Outside, Matches: []Match{{Addr: netip.MustParseAddr("10.0.0.1")}}})
		w.wantLines()

		all := w.Snapshot()
		if all[0].List != "domains" || all[3].List != "a" {
			t.Errorf("not in the order of use: %v", all)
		}
		if s := all[3]; a.State != Hit || s.Asked != 1 || s.Hits != 1 || s.Visits != 2 || s.Alone != 1 || len(s.Overlap) != 1 || s.Overlap[0] != (Overlap{"c", 1}) {
			t.Errorf("the figures of a are lost: %+v", s)
		}
		if s := all[2]; s.Asked != 0 {
			t.Errorf("a list that is another one has figures: %+v", s)
		}
		w.pass(10 * time.Second)
		w.want("b", Up)
		w.want("domains", Up)
		before := healthLists(t)[1]
		w.Saw(&Answer{List: &before, Reason: Outside, Matches: []Match{{Addr: netip.MustParseAddr("10.0.0.1")}}})
		if s := w.standing("b"); s.Condition != Up {
			t.Errorf("a visit that asked the old zone made the new one %v", s.Condition)
		}
		for _, name := range w.asker.names() {
			t.Errorf("the old resolver was asked %s", name)
		}
		w.Use(append(next, next[0]), other, testEvery)
		if n := len(w.Snapshot()); n != len(next) {
			t.Errorf("a list that is named twice makes %d of %d", n, len(next))
		}
		w.Use(nil, other, 0)
		if w.Counts("a") || len(w.Snapshot()) != 0 {
			t.Error("lists out of use count")
		}
		w.pass(testEvery)
	})
}

func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		if w.Confirm(t.Context(), "a", IP4) {
			t.Error("an untested list is confirmed")
		}
		w.allUp()
		slow := func(r Reply) func(string) Reply {
			return func(string) Reply { r.Took = 20 * time.Millisecond; return r }
		}
		w.asker.set(below("a.example.org", slow(noRecord())))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if !w.Confirm(t.Context(), "a", IP4) {
					t.Error("a sound list is not confirmed")
				}
			})
		}
		all.Wait()
		if names := w.asker.names(); len(names) != 1 {
			t.Errorf("50 at once asked %q", names)
		}
		w.pass(confirmApart)
		w.asker.set(below("a.example.org", slow(timedOut())))
		if w.Confirm(t.Context(), "a", IP4) || !w.Counts("a") {
			t.Error("no answer is no confirmation, and no evidence")
		}
		w.pass(confirmApart)
		old := noRecord()
		old.Stale = true
		w.asker.set(below("a.example.org", slow(old)))
		if w.Confirm(t.Context(), "a", IP4) || !w.Counts("a") {
			t.Error("an answer of the past is no confirmation, and no evidence")
		}
		w.pass(confirmApart)
		w.asker.set(below("a.example.org", slow(found("127.0.0.2"))))
		if w.Confirm(t.Context(), "a", IP4) {
			t.Error("a list that lists everything is confirmed")
		}
		w.want("a", ListsAll)
		if !w.Confirm(t.Context(), "domains", Domain) || !w.Confirm(t.Context(), "white", IP6) {
			t.Error("sound lists are not confirmed")
		}
	})
}

// TestConfirmSince: a hit of before the last question that was passed costs none; one
// that came after it is never confirmed by it, however short after.
func TestConfirmSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.allUp()
		ask := func(heard time.Time) (bool, int) {
			w.asker.names()
			good := w.ConfirmSince(t.Context(), "a", IP4, heard)
			n := 0
			for _, name := range w.asker.names() {
				if strings.HasSuffix(name, ".a.example.org") { // not what the tester asks of the resolver meanwhile
					n++
				}
			}
			return good, n
		}
		before := time.Now()
		w.pass(time.Second)
		if good, n := ask(before); !good || n != 1 {
			t.Errorf("the first one: %v, %d questions", good, n)
		}
		w.pass(time.Second) // short of the next tests, whose questions would count
		if good, n := ask(before); !good || n != 0 {
			t.Errorf("once more, of an old hit: %v, %d questions", good, n)
		}
		w.asker.set(below("a.example.org", always(timedOut())))
		if good, n := ask(time.Now()); good || n != 1 {
			t.Errorf("a new one, and no answer: %v, %d questions", good, n)
		}
		if good, n := ask(before); !good || n != 0 {
			t.Errorf("of the old hit again: %v, %d questions", good, n)
		}
		w.asker.set(sound)
		if good, n := ask(time.Now()); !good || n != 1 {
			t.Errorf("answered again: %v, %d questions", good, n)
		}
		w.pass(time.Millisecond)
		w.asker.set(below("a.example.org", always(found("127.0.0.2"))))
		if good, n := ask(time.Now()); good || n != 1 {
			t.Errorf("it went mad since: %v, %d questions", good, n)
		}
		w.want("a", ListsAll)
		if good, _ := ask(before); good {
			t.Error("a list that is away confirms nothing")
		}
	})
}

// TestConfirmationsAreApart: a flood of listed clients costs a bounded number of questions.
func TestConfirmationsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.allUp()
		w.asker.names()
		w.asker.set(func(string) Reply { <-time.After(30 * time.Millisecond); return noRecord() })
		var all sync.WaitGroup
		began := time.Now()
		for i := range 1000 {
			heard := time.Now().Add(time.Duration(i%3) * 10 * time.Second) // by the cache: then at the latest
			all.Go(func() {
				if !w.ConfirmSince(t.Context(), "a", IP4, heard) {
					t.Error("not confirmed")
				}
			})
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if n := len(w.asker.names()); n > int(time.Since(began)/confirmApart)+1 {
			t.Errorf("%d questions in %v", n, time.Since(began))
		}
		w.pass(confirmApart)
		w.Confirm(t.Context(), "a", IP4)
		w.pass(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), confirmApart/2)
		defer cancel()
		if w.Confirm(ctx, "a", IP4) {
			t.Error("confirmed by a question that was before it")
		}
	})
}

// TestNoClientIsHarmedByAListGoneMad lets a list go mad between two tests: with Confirm no
// client is harmed, and the list is away by the first hit.
func TestNoClientIsHarmedByAListGoneMad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.allUp()
		w.asker.set(below("a.example.org", always(found("127.0.0.2"))))
		harmed := 0
		for i := range 100 {
			if a := w.visit("a", client(i)); a.State == Hit && w.Confirm(t.Context(), "a", IP4) {
				harmed++
			}
		}
		if harmed != 0 || w.standing("a").Asked != 1 {
			t.Errorf("%d clients harmed, %d questions to a mad list", harmed, w.standing("a").Asked)
		}
	})
}

// TestHitsThatStand: a hit stands once its list has passed a test that began after it, and
// never if it was doubted before.
func TestHitsThatStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		if w.AfterTest("a", time.Now(), func() { t.Error("a hit of before the first test is none") }) || w.AfterTest("nobody", time.Now(), nil) {
			t.Error("a list that was never tested has a hit that stands")
		}
		w.allUp()
		w.pass(time.Second)
		w.forget()
		var stood []string
		hit := func(id, name string) bool {
			return w.AfterTest(id, time.Now(), func() { stood = append(stood, name) })
		}
		if hit("a", "first") {
			t.Error("a new hit stands at once")
		}
		if !w.AfterTest("a", time.Now().Add(-time.Minute), nil) {
			t.Error("an old hit does not stand")
		}
		w.pass(testEvery + testEvery/10)
		if got := strings.Join(stood, ","); got != "first" {
			t.Errorf("after a test: %q", got)
		}
		hit("a", "mad")
		hit("b", "silent")
		hit("c", "refused")
		hit("white", "spoken for")
		w.asker.set(func(name string) Reply {
			switch {
			case strings.HasSuffix(name, ".a.example.org"):
				return found("127.0.0.2")
			case strings.HasSuffix(name, ".b.example.org"):
				return Reply{Reason: "servfail"}
			case strings.HasSuffix(name, ".c.example.org"):
				return found("127.255.255.254")
			case strings.HasSuffix(name, ".white.example.org"):
				return Reply{Reason: "servfail"}
			}
			return sound(name)
		})
		w.pass(2 * testEvery)
		w.want("a", ListsAll)
		w.want("b", Silent)
		w.want("c", Refused)
		if hit("a", "while it is mad") {
			t.Error("a hit of a mad list stands")
		}
		w.asker.set(sound)
		w.pass(20 * testEvery)
		w.want("a", Up)
		w.want("c", Up)
		if got := strings.Join(stood, ","); got != "first,spoken for" {
			t.Errorf("when all are back: %q", got)
		}
		stood = nil
		for range 2 * maxWaiting {
			hit("a", "flood")
		}
		w.pass(testEvery + testEvery/10)
		if len(stood) != maxWaiting {
			t.Errorf("%d of a flood stand", len(stood))
		}
	})
}

func TestWithoutALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.asker.set(below("b.example.org", always(found("10.0.0.1"))))
		w.Test(t.Context())
		w.want("a", Up)
		w.want("b", Suspended)
		w.wantLines("to=up", "to=up", "to=up", "to=up", "list=b from=untested to=suspended")
	})
}

// TestTogether has everything done at once, for the race detector.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.run()
		w.asker.set(func(name string) Reply { return behaviours[rand.IntN(len(behaviours))](name) })
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := range 300 {
					switch id := w.lists[i%3].ID; g {
					case 0:
						w.Use(healthLists(t)[:2+i%4], w.asker, testEvery)
					case 1:
						w.Snapshot()
						w.Swayed(id, i%2 == 0)
					case 2:
						w.Confirm(t.Context(), id, IP4)
					case 3:
						w.Judged(VisitSeen{Client: client(i), Hit: []string{"a", "b"}, Trusted: true})
					default:
						w.visit(id, client(i))
						w.Judged(VisitSeen{Client: client(i), Hit: []string{id}, Clean: true})
					}
					<-time.After(time.Second)
				}
			})
		}
		all.Wait()
	})
}

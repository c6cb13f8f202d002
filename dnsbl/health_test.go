package dnsbl

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHealth lets lists, resolvers and clients go wrong in each known way.
func TestHealth(t *testing.T) {
	cases := []struct {
		name string
		run  func(*ward)
	}{
		{"a list counts only after its first passed tests", func(w *ward) {
			for _, l := range w.lists {
				w.want(l.ID, Untested)
			}
			w.run()
			for _, l := range w.lists {
				w.want(l.ID, Up)
			}
			w.wantLines("list=", "list=", "list=", "list=", "list=")
			w.asker.names()
			w.pass(testEvery + testEvery/10)
			if n := len(w.asker.names()); n < 10 || n > 30 {
				w.t.Fatalf("%d questions in a test interval, want each list tested once", n)
			}
			w.wantLines("list=", "list=", "list=", "list=", "list=")
		}},
		{"a list that wildcards in mid-run is found by its next test, and back after three good ones", func(w *ward) {
			w.allUp()
			w.asker.set(below("a.example.org", always(found("127.0.0.2"))))
			w.pass(2 * testEvery)
			w.want("a", ListsAll)
			w.wantLines("list=a from=up to=lists-all")
			w.asker.set(sound)
			w.pass(testEvery / 2)
			w.want("a", ListsAll)
			w.pass(9 * testEvery)
			w.want("a", Up)
			w.want("b", Up)
		}},
		{"a list that listed everybody is away until a resolver has forgotten what it said", func(w *ward) {
			w.allUp()
			w.asker.set(below("a.example.org", func(string) Reply {
				r := found("127.0.0.2")
				r.Expires = time.Now().Add(2 * time.Hour)
				return r
			}))
			w.Confirm(w.t.Context(), "a", IP4)
			w.want("a", ListsAll)
			w.pass(3 * time.Hour) // others ask it too, up to the end
			w.asker.set(sound)
			w.pass(2*time.Hour - time.Second)
			w.want("a", ListsAll)
			w.pass(2 * slowest * testEvery)
			w.want("a", Up)
		}},
		{"a list that does not answer its first tests says so", func(w *ward) {
			w.asker.set(below("a.example.org", always(Reply{Reason: "servfail"})))
			w.Test(w.t.Context())
			for _, s := range w.Snapshot() {
				if s.List == "a" && (s.Condition != Untested || s.Reason != "no answer to its first tests: servfail" || s.Remedy == "") {
					w.t.Errorf("%+v", s)
				}
			}
		}},
		{"but no longer than any resolver keeps an answer", func(w *ward) {
			w.allUp()
			w.asker.set(below("a.example.org", func(string) Reply {
				r := found("127.0.0.2")
				r.Expires = time.Now().Add(10000 * time.Hour)
				return r
			}))
			w.Confirm(w.t.Context(), "a", IP4)
			w.asker.set(sound)
			w.pass(maxHold + 3*testEvery)
			w.want("a", Up)
		}},
		{"hits of clean clients that jump call for a test at once", func(w *ward) {
			w.allUp()
			w.asker.set(below("a.example.org", always(found("127.0.0.2"))))
			for i := range 3 * cleanSeen {
				w.visit("a", client(i))
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Clean: true})
			}
			w.pass(time.Minute)
			w.want("a", ListsAll)
		}},
		{"a list that is away keeps to its pauses, whatever visits from before say", func(w *ward) {
			w.allUp()
			w.asker.set(below("a.example.org", always(found("127.0.0.2"))))
			w.Confirm(w.t.Context(), "a", IP4)
			w.want("a", ListsAll)
			w.asker.set(sound)
			for i := range 1000 {
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Clean: true})
				w.pass(time.Second)
			}
			w.want("a", ListsAll)
			w.pass(4 * testEvery)
			w.want("a", Up)
		}},
		{"a flood of truly listed clients suspends nothing", func(w *ward) {
			w.allUp()
			w.asker.set(func(name string) Reply {
				if strings.Contains(name, ".198.a.") {
					return found("127.0.0.2")
				}
				return sound(name)
			})
			for i := range 2000 {
				w.visit("a", client(i))
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Clean: true})
				w.pass(100 * time.Millisecond)
			}
			w.pass(10 * time.Minute)
			w.want("a", Up)
			w.wantLines()
		}},
		{"a jump among trusted clients as well suspends", func(w *ward) {
			w.allUp()
			for i := range 3 * sketchFull {
				w.Judged(VisitSeen{Client: client(i), Clean: true})
				w.Judged(VisitSeen{Client: client(i), Trusted: true})
			}
			for i := range 60 {
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Clean: true})
			}
			w.pass(time.Second)
			w.want("a", Up)
			for i := range 60 {
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Trusted: true})
			}
			w.want("a", Suspended)
			w.wantLines("of clean networks, and from 0 % to")
		}},
		{"trusted clients that always were on a list of access lines are no sign", func(w *ward) {
			w.allUp()
			for i := range 5 * sketchFull {
				w.Judged(VisitSeen{Client: client(i), Clean: true})
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Trusted: true})
			}
			for i := range 100 {
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Clean: true})
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Trusted: true})
			}
			w.pass(time.Second)
			w.want("a", Up)
		}},
		{"a refusal suspends at once and says what to do", func(w *ward) {
			w.allUp()
			w.asker.set(below("b.example.org", always(found("127.255.255.254"))))
			if a := w.visit("b", client(1)); a.State != Unknown {
				w.t.Fatalf("the visit that brought it has %v", a.State)
			}
			w.want("b", Refused)
			w.wantLines(`list=b from=up to=refused reason="127.255.255.254: query came through a public resolver" remedy="ask through a resolver of your own`)
			w.asker.set(sound)
			w.pass(2 * testEvery)
			w.want("b", Refused) // who refuses is left alone for longer
			w.pass(12 * testEvery)
			w.want("b", Up)
		}},
		{"an answer outside 127/8 suspends at once, and is told when the resolver is seen to be honest", func(w *ward) {
			w.allUp()
			w.pass(time.Minute)
			w.asker.set(below("b.example.org", always(found("10.0.0.1"))))
			w.visit("b", client(1))
			w.want("b", Suspended)
			w.pass(3 * time.Second)
			w.wantLines(`list=b from=up to=suspended reason="answered 10.0.0.1, which is not in 127.0.0.0/8"`)
		}},
		{"a poisoned allow list is suspended within seconds", func(w *ward) {
			w.allUp()
			w.pass(time.Minute)
			w.asker.set(below("white.example.org", always(found("127.0.10.3"))))
			if a := w.visit("white", client(1)); a.State != Unknown || a.Reason != Suspect {
				w.t.Errorf("%+v", a)
			}
			w.pass(testsApart)
			w.want("white", Suspended)
			w.wantLines(`list=white from=up to=suspended reason="answered 127.0.10.3: over the limit: no trust"`)
			w.pass(2 * testEvery)
			w.want("white", Suspended) // its tests say the same
			w.wantLines(`list=white from=up to=suspended reason="answered 127.0.10.3: over the limit: no trust"`)
		}},
		{"one client with a suspect code does not switch an allow list off", func(w *ward) {
			w.allUp()
			w.asker.set(func(name string) Reply {
				if strings.HasSuffix(name, ".18.198.white.example.org") {
					return found("127.0.10.0")
				}
				return sound(name)
			})
			w.asker.names()
			for i := range 600 {
				if a := w.visit("white", client(i%200)); a.State != Unknown || a.Reason != Suspect {
					w.t.Fatalf("%+v", a)
				}
				w.pass(100 * time.Millisecond)
			}
			w.want("white", Up)
			w.wantLines()
			tests := 0
			for _, name := range w.asker.names() {
				if strings.HasPrefix(name, "2.0.0.127.white.") {
					tests++
				}
			}
			if tests == 0 || tests > 7 {
				w.t.Errorf("%d tests in a minute", tests)
			}
		}},
		{"an allow list whose test entry has the suspect code is well", func(w *ward) {
			w.asker.set(below("white.example.org", func(name string) Reply {
				if strings.HasPrefix(name, "2.0.0.127.") {
					return found("127.0.10.0")
				}
				return noRecord()
			}))
			w.allUp()
		}},
		{"a list that answers NXDOMAIN for all is empty", func(w *ward) {
			w.allUp()
			w.asker.set(below("domains.example.org", always(noRecord())))
			w.pass(testEvery + testEvery/10)
			w.want("domains", Empty)
			w.wantLines("list=domains from=up to=empty reason=\"does not list its test entry TEST\"")
		}},
		{"a silent list is found by visits, not in one moment, and its first good tests come soon", func(w *ward) {
			w.allUp()
			w.asker.set(below("c.example.org", always(timedOut())))
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() { w.visit("c", client(i)) })
			}
			all.Wait()
			w.pass(checkApart + time.Second)
			w.want("c", Up)
			began := time.Now()
			for i := range 100 {
				all.Go(func() { w.visit("c", client(i)) })
				w.pass(100 * time.Millisecond)
			}
			all.Wait()
			w.want("c", Silent)
			if took := w.standing("c").Since.Sub(began); took > 12*time.Second {
				w.t.Errorf("found after %v", took)
			}
			w.wantLines("to=silent reason=\"")
			w.asker.set(sound)
			w.pass(testEvery)
			w.want("c", Up)
		}},
		{"a silent list that nobody asks is found by its tests", func(w *ward) {
			w.allUp()
			w.asker.set(below("c.example.org", always(timedOut())))
			w.pass(2 * testEvery)
			w.want("c", Silent)
			w.wantLines("list=c from=up to=silent")
		}},
		{"a slow list is as good as silent", func(w *ward) {
			w.allUp()
			w.asker.set(below("c.example.org", func(name string) Reply {
				r := sound(name)
				r.Took = testTimeout + time.Second
				return r
			}))
			w.pass(2 * testEvery)
			w.want("c", Silent)
		}},
		{"a failure now and then is not silence", func(w *ward) {
			w.allUp()
			for i := range 500 {
				w.asker.set(sound)
				if i%(failsToSilence) != 0 {
					w.asker.set(always(Reply{Reason: "servfail"}))
				}
				w.visit("c", client(i))
				w.asker.set(sound)
				w.pass(time.Second)
			}
			w.want("c", Up)
			w.wantLines()
		}},
		{"a budget that was spent elsewhere is not the list's silence", func(w *ward) {
			w.allUp()
			for range 50 {
				w.Saw(&Answer{List: &w.lists[2], Reason: Budget, Took: 100 * time.Millisecond})
				w.Saw(&Answer{List: &w.lists[2], Reason: "no-server"})
				w.pass(time.Second)
			}
			w.want("c", Up)
		}},
		{"no resolver at all makes no list silent by its tests", func(w *ward) {
			w.allUp()
			w.asker.set(always(timedOut()))
			w.pass(30 * time.Hour)
			if log := w.log(); len(w.changes) > 0 || strings.Count(log, "\n") != 1 || !strings.Contains(log, `msg="lists unanswered" reason="the world does not answer either: timeout"`) {
				w.t.Errorf("%+v\n%s", w.changes, log)
			}
			w.want("a", Up)
			for i := range 20 {
				w.visit("a", client(i))
			}
			w.want("a", Up) // its visits say no more than its tests
			w.asker.set(below("a.example.org", always(timedOut())))
			w.pass(2 * testEvery)
			w.want("a", Silent)
		}},
		{"what is usual must be known before a jump among trusted clients suspends", func(w *ward) {
			w.allUp()
			for i := range 60 {
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Clean: true})
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"a"}, Trusted: true})
			}
			w.pass(time.Second)
			w.want("a", Up)
		}},
		{"an allow list that trusted clients are on is as it must be", func(w *ward) {
			w.allUp()
			for i := range 3 * sketchFull {
				w.Judged(VisitSeen{Client: client(i), Clean: true})
				w.Judged(VisitSeen{Client: client(i), Trusted: true})
			}
			for i := range 60 {
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"white"}, Clean: true})
				w.Judged(VisitSeen{Client: client(i), Hit: []string{"white"}, Trusted: true})
			}
			w.pass(time.Second)
			w.want("white", Up)
		}},
		{"a resolver that makes answers up suspends all lists, with one line each way", func(w *ward) {
			w.allUp()
			w.pass(time.Minute)
			w.asker.set(func(name string) Reply {
				if r := sound(name); r.Outcome == Found {
					return r
				}
				return found("203.0.113.80")
			})
			for _, id := range []string{"a", "b", "c", "white"} {
				w.visit(id, client(1))
				if w.Counts(id) {
					w.t.Fatalf("%s still counts", id)
				}
			}
			w.pass(3 * time.Second)
			for _, l := range w.lists {
				w.want(l.ID, Suspended)
			}
			w.wantLines(`list=all from=up to=suspended reason="the resolver answers names that do not exist: 203.0.113.80"`)
			w.asker.names()
			w.pass(10 * time.Hour)
			for _, name := range w.asker.names() {
				if !strings.HasSuffix(name, ".invalid") {
					w.t.Fatalf("asked %s, of which there was nothing to learn", name)
				}
			}
			w.asker.set(sound)
			w.pass(4 * testEvery)
			for _, l := range w.lists {
				w.want(l.ID, Up)
			}
			w.wantLines("list=all from=up", `list=all from=suspended to=up reason="3 tests passed in a row"`)
		}},
		{"a resolver that makes up list answers suspends all lists too", func(w *ward) {
			w.allUp()
			w.asker.set(always(found("127.0.0.1")))
			w.pass(2 * testEvery)
			w.wantLines(`list=all from=up to=suspended`)
		}},
		{"a list answer that the resolver made up just after it was asked is told as the resolver's", func(w *ward) {
			w.allUp()
			w.asker.set(always(found("127.0.0.1")))
			if w.Confirm(w.t.Context(), "a", IP4) || w.Counts("a") {
				w.t.Fatal("a made up answer confirms")
			}
			w.pass(3 * time.Second)
			w.wantLines(`list=all from=up to=suspended`)
		}},
		{"a change that is still to be told at the end is told", func(w *ward) {
			w.allUp()
			w.asker.set(below("b.example.org", always(found("10.0.0.1"))))
			w.visit("b", client(1))
			w.wantLines()
			w.stop()
			<-w.done
			w.wantLines("list=b from=up to=suspended")
		}},
		{"a test of before a reload changes and tells nothing", func(w *ward) {
			for _, r := range []Reply{noRecord(), timedOut(), found("10.0.0.1"), found("127.255.255.254")} {
				r.Took = 2 * time.Second
				w.Use(w.lists[:1], w.asker, testEvery)
				w.asker.set(below("a.example.org", always(r)))
				if w.stop == nil {
					w.run()
				}
				w.pass(time.Second)
				w.Use(nil, w.asker, testEvery)
				w.pass(time.Minute)
				w.wantLines()
			}
		}},
		{"an answer that no code declares weighs nothing, is counted, and told of once an hour", func(w *ward) {
			w.allUp()
			w.asker.set(func(name string) Reply {
				if strings.HasSuffix(name, ".18.198.a.example.org") {
					return found("127.0.0.2", "127.0.0.77")
				}
				return sound(name)
			})
			for i := range 40 {
				if a := w.visit("a", client(i)); a.Points() != 5 {
					w.t.Fatalf("%+v", a)
				}
				w.pass(time.Minute)
			}
			w.visit("b", client(1))
			w.pass(time.Hour)
			w.visit("a", client(1))
			if s := w.standing("a"); s.Undeclared != 41 || s.Strange != netip.MustParseAddr("127.0.0.77") || s.Condition != Up {
				w.t.Errorf("%+v", s)
			}
			lines := strings.Split(strings.TrimSpace(w.log()), "\n")
			if len(lines) != 2 || !strings.Contains(lines[0], `msg="list answer undeclared" list=a answer=127.0.0.77 count=1 remedy=`) || !strings.Contains(lines[1], "count=40 ") {
				w.t.Errorf("the log has\n%s", w.log())
			}
			if s := w.standing("b"); s.Undeclared != 0 || s.Strange.IsValid() {
				w.t.Errorf("%+v", s)
			}
		}},
		{"a domain list that was asked about an address does not count as refusing", func(w *ward) {
			w.allUp()
			l := &w.lists[3]
			a := Answer{List: l, Reason: Refusal}
			_, _, a.Matches = l.read(nil, []netip.Addr{netip.MustParseAddr("127.0.1.255")})
			for range 20 {
				w.Saw(&a)
				w.pass(time.Second)
			}
			w.want("domains", Up)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(newWard(t)) })
		})
	}
}

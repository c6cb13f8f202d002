package dnsbl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A line is an Asker whose way into the world is cut now and then.
type line struct {
	mu      sync.Mutex
	cut     func(ctx context.Context, name string, mended <-chan struct{}) (Reply, bool)
	mended  chan struct{}
	sound   func(name string) Reply
	latency time.Duration
}

func (l *line) A(ctx context.Context, name string) Reply {
	l.mu.Lock()
	cut, mended, answer := l.cut, l.mended, l.sound
	l.mu.Unlock()
	if cut != nil {
		if r, failed := cut(ctx, name, mended); failed {
			return r
		}
	}
	select {
	case <-time.After(l.latency):
		return answer(name)
	case <-ctx.Done():
		return Reply{Reason: Budget}
	}
}

func (l *line) TXT(context.Context, string) Reply { return noRecord() }

func (l *line) set(cut func(context.Context, string, <-chan struct{}) (Reply, bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mended != nil {
		close(l.mended)
	}
	l.cut, l.mended = cut, nil
	if cut != nil {
		l.mended = make(chan struct{})
	}
}

// blackHole: who asks hears nothing, until the line is mended or his time is over; a
// question that is out then is answered.
func blackHole(ctx context.Context, _ string, mended <-chan struct{}) (Reply, bool) {
	select {
	case <-mended:
		return Reply{}, false
	case <-time.After(4 * time.Second):
		return Reply{Reason: "timeout"}, true
	case <-ctx.Done():
		return Reply{Reason: Budget}, true
	}
}

// deadLine: a resolver on this machine says at once that it finds out nothing, but for
// what it knows by itself.
func deadLine(_ context.Context, name string, _ <-chan struct{}) (Reply, bool) {
	return Reply{Reason: "servfail"}, !strings.HasSuffix(name, ".invalid")
}

// slowLine is that, said late.
func slowLine(ctx context.Context, name string, mended <-chan struct{}) (Reply, bool) {
	if strings.HasSuffix(name, ".invalid") {
		return Reply{}, false
	}
	select {
	case <-time.After(2500 * time.Millisecond):
		return Reply{Reason: "servfail"}, true
	case <-ctx.Done():
		return Reply{Reason: Budget}, true
	}
}

// behindLocal leaves the list "b", which is served on this machine, as it is.
func behindLocal(cut func(context.Context, string, <-chan struct{}) (Reply, bool)) func(context.Context, string, <-chan struct{}) (Reply, bool) {
	return func(ctx context.Context, name string, mended <-chan struct{}) (Reply, bool) {
		if strings.HasSuffix(name, ".b.example.org") {
			return Reply{}, false
		}
		return cut(ctx, name, mended)
	}
}

var cuts = map[string]func(context.Context, string, <-chan struct{}) (Reply, bool){
	"nobody answers": blackHole, "the resolver says that it does not know": deadLine, "and says it late": slowLine,
	"a list is served here": behindLocal(blackHole), "a list is served here, and the resolver too": behindLocal(deadLine),
}

// TestOurOwnOutageIsNoListsSilence: whatever becomes of our own line, for a second or
// for minutes, while visits come all the time: no list changes its state for it, and all
// are asked again at once when it is mended.
func TestOurOwnOutageIsNoListsSilence(t *testing.T) {
	for name, cut := range cuts {
		for _, visits := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 20 * time.Second} {
			t.Run(fmt.Sprint(name, ", a visit every ", visits), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWard(t)
					l := &line{sound: sound, latency: 20 * time.Millisecond}
					w.Use(w.lists, l, testEvery)
					w.run()
					w.pass(time.Second)
					w.forget()
					ctx, end := context.WithCancel(t.Context())
					var all sync.WaitGroup
					all.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							all.Go(func() { w.visitAll(l, i) })
							time.Sleep(visits)
						}
					})
					for range 8 {
						l.set(cut)
						w.pass(time.Duration(float64(time.Second) * (0.2 + 20*rand.Float64())))
						l.set(nil)
						w.pass(time.Duration(float64(time.Second) * (0.2 + 90*rand.Float64())))
					}
					l.set(cut)
					w.pass(5 * time.Minute)
					if o := w.Outage(); o == nil || time.Since(o.Since) < 4*time.Minute || o.Remedy != remedyOutage {
						t.Errorf("nobody is told of the outage: %+v", o)
					}
					l.set(nil)
					w.pass(time.Minute)
					if o := w.Outage(); o != nil {
						t.Errorf("it is over: %+v", o)
					}
					end()
					all.Wait()
					for _, l := range w.lists {
						w.want(l.ID, Up)
					}
					w.mu.Lock()
					defer w.mu.Unlock()
					if len(w.changes) > 0 {
						t.Errorf("changes for nothing:\n%s", w.lines.String())
					}
					if n := strings.Count(w.lines.String(), `msg="lists unanswered"`); n == 0 || n > 9 || n != strings.Count(w.lines.String(), `msg="lists answered again"`) {
						t.Errorf("told %d times:\n%s", n, w.lines.String())
					}
				})
			})
		}
	}
}

// visitAll asks all lists of addresses about a client at once, as a Set does.
func (w *ward) visitAll(asker Asker, n int) {
	var all sync.WaitGroup
	for i := range w.lists {
		l := &w.lists[i]
		if !l.Asks.Has(IP4) || !w.Counts(l.ID) {
			continue
		}
		name, _ := l.testQuestion(client(n % 5000).String())
		all.Go(func() {
			began := time.Now()
			ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
			defer cancel()
			reply := asker.A(ctx, name)
			a := Answer{List: l, Reason: reply.Reason, Took: time.Since(began)}
			if reply.Outcome != Failed {
				a.State, a.Reason, a.Matches = l.read(nil, reply.Addrs)
			}
			w.Saw(&a)
		})
	}
	all.Wait()
}

// outages are what the lists of a ward go through.
func TestSilences(t *testing.T) {
	silent := func(zones ...string) func(string) Reply {
		return func(name string) Reply {
			for _, zone := range zones {
				if strings.HasSuffix(name, "."+zone+".example.org") {
					return Reply{Reason: "servfail"}
				}
			}
			return sound(name)
		}
	}
	for _, c := range []struct {
		name string
		run  func(*ward)
	}{
		{"one of many is found within seconds", func(w *ward) {
			w.visits(silent("c"), 10*time.Second)
			w.want("c", Silent)
			w.wantLines("list=c from=up to=silent")
		}},
		{"half of all are taken to be ours for a minute, and no longer", func(w *ward) {
			w.visits(silent("a", "c", "white"), 50*time.Second)
			w.wantLines()
			w.visits(silent("a", "c", "white"), 20*time.Second)
			w.want("a", Silent)
			w.want("c", Silent)
			w.want("white", Silent)
			w.want("b", Up)
		}},
		{"lists of one operator that fail together are his doing", func(w *ward) {
			for i := range w.lists {
				w.lists[i].Group = map[bool]string{true: "one", false: w.lists[i].ID}[i == 0 || i == 2]
			}
			w.Use(w.lists, w.asker, testEvery)
			w.visits(silent("a", "c"), 10*time.Second)
			w.want("a", Silent)
			w.want("c", Silent)
		}},
		{"the only list there is", func(w *ward) {
			w.lists = w.lists[:1]
			w.Use(w.lists, w.asker, testEvery)
			w.visits(silent("a"), 10*time.Second)
			w.want("a", Silent)
		}},
		{"where nobody can ask the world, one list is not kept for it for long", func(w *ward) {
			closed := func(answer func(string) Reply) func(string) Reply {
				return func(name string) Reply {
					if strings.Count(name, ".") == 1 {
						return Reply{Reason: "refused"}
					}
					return answer(name)
				}
			}
			w.outside = outside{} // as after a start there
			w.visits(closed(silent("c")), 50*time.Second)
			w.want("c", Up)
			w.visits(closed(silent("c")), 40*time.Second)
			w.want("c", Silent)
			if len(w.changes) != 1 {
				w.t.Errorf("%+v", w.changes)
			}
		}},
		{"a list that was away is not set back by an outage of ours", func(w *ward) {
			w.asker.set(below("a.example.org", always(found("127.0.0.2"))))
			w.Confirm(w.t.Context(), "a", IP4)
			w.want("a", ListsAll)
			w.asker.set(sound)
			w.pass(2*testEvery + 2*testEvery/10) // two good tests
			w.asker.set(always(Reply{Reason: "servfail"}))
			w.pass(testEvery + testEvery/10)
			w.want("a", ListsAll)
			w.asker.set(sound)
			w.pass(testEvery + testEvery/10)
			w.want("a", Up)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				w.allUp()
				c.run(w)
			})
		})
	}
}

// visits has a client come every 100 ms.
func (w *ward) visits(answer func(string) Reply, lasts time.Duration) {
	w.asker.set(answer)
	for i := range int(lasts / (100 * time.Millisecond)) {
		w.visitAll(w.asker, i)
		w.pass(100 * time.Millisecond)
	}
}

// TestFirstTestsAfterAnOutage: a daemon that starts before its line is there has its lists
// tested as soon as that is.
func TestFirstTestsAfterAnOutage(t *testing.T) {
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				l := &line{sound: sound, latency: 20 * time.Millisecond}
				l.set(cut)
				w.Use(w.lists, l, testEvery)
				w.run()
				w.pass(time.Hour)
				w.want("a", Untested)
				if o, s := w.Outage(), w.Snapshot()[0]; o == nil || s.Remedy != remedyOutage {
					t.Errorf("the list is blamed: %+v, %+v", o, s)
				}
				l.set(nil)
				w.pass(checkMost + 5*time.Second)
				for _, l := range w.lists {
					w.want(l.ID, Up)
				}
			})
		})
	}
}

// TestAbsence: what is made of a list that gives no answer, and of one that is doubted.
func TestAbsence(t *testing.T) {
	refusal := found("127.0.0.255")
	for _, c := range []struct {
		name       string
		answer     func(string) Reply
		state      Condition
		first      bool // from the start
		want       Absence
		afterwards Absence // when the hour is over
		doubted    bool
	}{
		{"untested", always(Reply{Reason: "servfail"}), Silent, true, Missed | Remembered, Remembered, false},
		{"silent", always(Reply{Reason: "servfail"}), Silent, false, Missed | Remembered, Remembered, false},
		{"refused", always(refusal), Refused, false, Missed | Remembered, Remembered, false},
		{"refused from the start", always(refusal), Refused, true, Missed | Remembered, Remembered, false},
		{"lists all", always(found("127.0.0.2")), ListsAll, false, 0, 0, true},
		{"outside", always(found("10.0.0.1")), Suspended, false, 0, 0, true},
		{"empty", always(noRecord()), Empty, false, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				if c.first {
					w.asker.set(below("white.example.org", c.answer))
				} else {
					w.allUp()
				}
				if c.first {
					if got := w.Absence("white"); got != Missed {
						t.Errorf("before its first tests: %d", got)
					}
					w.run()
				} else if got := w.Absence("white"); got != 0 {
					t.Errorf("while it counts: %d", got)
				}
				generation := w.Generation("white")
				w.visits(below("white.example.org", c.answer), 20*time.Second)
				w.pass(2 * testEvery)
				w.want("white", c.state)
				if got := w.Absence("white"); got != c.want {
					t.Errorf("%d, want %d", got, c.want)
				}
				if doubted := w.Generation("white") != generation; doubted != c.doubted {
					t.Errorf("doubted: %v", doubted)
				}
				w.pass(missedFor)
				if got := w.Absence("white"); got != c.afterwards {
					t.Errorf("after an hour: %d, want %d", got, c.afterwards)
				}
				w.asker.set(sound)
				w.pass(12 * slowest * testEvery)
				w.want("white", Up)
				if got := w.Absence("white"); got != 0 {
					t.Errorf("when it is back: %d", got)
				}
				if got := w.Absence("nobody"); got != 0 {
					t.Errorf("of a list that is not in use: %d", got)
				}
			})
		})
	}
}

// TestASilentListThatGoesMadIsDoubted: what it said is good while it is silent only.
func TestASilentListThatGoesMadIsDoubted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.allUp()
		generation := w.Generation("white")
		w.visits(below("white.example.org", always(Reply{Reason: "timeout"})), 10*time.Second)
		w.want("white", Silent)
		w.asker.set(below("white.example.org", always(found("10.0.0.1"))))
		w.pass(2 * testEvery)
		w.want("white", Suspended)
		if w.Generation("white") == generation || w.Absence("white") != 0 {
			t.Error("what it said is used")
		}
	})
}

// TestASilentListIsNotBelievedAfterwards, where it speaks against clients: it may have gone
// mad just before.
func TestASilentListIsNotBelievedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.allUp()
		generation := w.Generation("a")
		w.visits(below("a.example.org", always(Reply{Reason: "timeout"})), 10*time.Second)
		w.want("a", Silent)
		if w.Generation("a") == generation || w.Absence("a") != 0 {
			t.Error("what it said is used")
		}
	})
}

// TestTestedWaitsForTheFirstTests, passed or not, and for nothing else.
func TestTestedWaitsForTheFirstTests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		deadline, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := w.Tested(deadline); len(got) != len(w.lists) {
			t.Errorf("without a test: %v", got)
		}
		w.asker.set(func(name string) Reply {
			r := sound(name)
			switch {
			case strings.HasSuffix(name, ".a.example.org"):
				r = Reply{Reason: "servfail"}
			case strings.HasSuffix(name, ".white.example.org"):
				r.Took = time.Second
			}
			return r
		})
		began := time.Now()
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		if got := w.Tested(t.Context()); len(got) > 0 || time.Since(began) < time.Second {
			t.Errorf("after %v: %v", time.Since(began), got)
		}
		w.want("a", Untested)
		w.want("white", Up)
		w.Use(nil, w.asker, testEvery)
		if got := w.Tested(t.Context()); len(got) > 0 {
			t.Errorf("of no lists: %v", got)
		}
		end()
		<-done
	})
}

func TestOutsideNames(t *testing.T) {
	for _, c := range []struct{ zones, failing, want string }{
		{"bl.spamcop.net", "", "net"}, {"bl.spamcop.net,list.dnswl.org", "", "org"}, {"bl.spamcop.net,list.dnswl.org", "bl.spamcop.net", "net"},
		{"traps.lan", "traps.lan", "com"}, {"traps.lan,list.dnswl.org", "traps.lan", "org"}, {"{key}.zen.DQ.spamhaus.NET", "", "net"}, {"", "", "com"},
	} {
		h := NewHealth(HealthOptions{})
		var lists []List
		for zone := range strings.SplitSeq(c.zones, ",") {
			lists = append(lists, List{ID: zone, Zone: zone})
		}
		h.Use(lists, &fakeAsker{answer: sound}, testEvery)
		for _, w := range h.roster.Load().all {
			if w.id == c.failing {
				w.state.failing = time.Now()
			}
		}
		label, top, _ := strings.Cut(h.outsideName(), ".")
		if top != c.want || len(label) != 20 {
			t.Errorf("%s, %s fails: %s.%s, want %s", c.zones, c.failing, label, top, c.want)
		}
	}
}

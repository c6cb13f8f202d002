package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a Set with all that is around it.
type world struct {
	*Set
	zone  *zoneFile
	watch *doorman
}

// newWorld must be called inside a synctest bubble: its clock is the bubble's.
func newWorld(t *testing.T, ids ...string) *world {
	t.Helper()
	w := &world{zone: newZoneFile(), watch: &doorman{out: map[string]bool{}}}
	w.Set = NewSet(find(t, ids...), w.zone, w.watch, Options{Cache: NewCache(1 << 20)})
	t.Cleanup(w.Close)
	return w
}

func (w *world) asked() []string { return slices.Sorted(maps.Keys(w.zone.questions())) }

func check(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestAListIsAskedOnceAndRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop", "dnswl")
		w.zone.set("7.2.0.192.zen.spamhaus.org", "127.0.0.4", "127.0.0.10")
		w.zone.set("7.2.0.192.list.dnswl.org", "127.0.5.1")
		sub := atConnect("192.0.2.7")
		if got, known := w.Known(sub, nil); known || saidAll(got) != "spamhaus-zen unknown pending; spamcop unknown pending; dnswl unknown pending" {
			t.Errorf("before the first question: %s, known %v", saidAll(got), known)
		}
		const want = "spamhaus-zen hit 127.0.0.4 127.0.0.10; spamcop clear; dnswl hit 127.0.5.1"
		first := w.Ask(t.Context(), sub, nil)
		check(t, "asked", saidAll(first), want)
		if first[0].Cached || first[0].Points() != 12 {
			t.Errorf("%+v", first[0])
		}
		if n := len(w.asked()); n != 3 {
			t.Errorf("%d questions, want 3", n)
		}
		for _, stage := range []Stage{Connect} {
			got, known := w.Known(Subject{Addr: sub.Addr, Stage: stage}, nil)
			if !known || !got[0].Cached {
				t.Errorf("known %v, cached %v", known, got[0].Cached)
			}
			check(t, "known", saidAll(got), want)
		}
		check(t, "asked again", saidAll(w.Ask(t.Context(), sub, nil)), want)
		if again := w.asked(); len(again) != 0 {
			t.Errorf("asked again: %v", again)
		}
	})
}

func TestOnlyWhatFitsIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop", "spamhaus-authbl-dqs", "backscatterer", "spamhaus-dbl", "surbl", "sem-fresh15", "hostkarma")
		name := "mail.shop.example.co.uk"
		for _, c := range []struct {
			sub  Subject
			want string
		}{
			{atConnect("192.0.2.7"), "spamhaus-zen clear; spamcop clear; hostkarma clear"},
			{atConnect("2001:db8::7"), "spamhaus-zen clear; hostkarma clear"},
			{Subject{Addr: netip.MustParseAddr("192.0.2.7"), Stage: Auth}, "spamhaus-authbl-dqs clear"},
			{Subject{Addr: netip.MustParseAddr("192.0.2.7"), Stage: Bounce}, "backscatterer clear"},
			{Subject{Name: name, Stage: PTR}, "spamhaus-dbl clear; surbl clear"},
			{Subject{Name: name, Stage: Helo}, "spamhaus-dbl clear; surbl clear"},
			{Subject{Name: name, Stage: Mail}, "spamhaus-dbl clear; surbl clear; sem-fresh15 clear"},
			{Subject{Name: "localhost", Stage: Helo}, ""},
			{atConnect("10.0.0.1"), ""},
			{Subject{Stage: Connect}, ""},
			{Subject{Stage: Mail}, ""},
			{Subject{Stage: stages}, ""},
		} {
			check(t, "asked "+c.sub.Stage.String()+" "+c.sub.Name, saidAll(w.Ask(t.Context(), c.sub, nil)), c.want)
			got, known := w.Known(c.sub, nil)
			check(t, "known", saidAll(got), c.want)
			if !known {
				t.Errorf("%v is not known", c.sub)
			}
		}
		want := []string{
			nibbles + ".hostkarma.junkemailfilter.com", nibbles + ".zen.spamhaus.org",
			"7.2.0.192.bl.spamcop.net", "7.2.0.192.hostkarma.junkemailfilter.com", "7.2.0.192.ips.backscatterer.org",
			"7.2.0.192.k3y.authbl.dq.spamhaus.net", "7.2.0.192.zen.spamhaus.org",
			"example.co.uk.fresh15.spameatingmonkey.net", "example.co.uk.multi.surbl.org", name + ".dbl.spamhaus.org",
		}
		if got := w.asked(); !slices.Equal(got, want) {
			t.Errorf("asked %v\nwant %v", got, want)
		}
	})
}

func TestNamesBelowOneDomainShareWhatIsRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-dbl", "surbl")
		w.zone.set("example.com.multi.surbl.org", "127.0.0.64")
		w.zone.set("example.com.dbl.spamhaus.org", "127.0.1.4")
		check(t, "first", saidAll(w.Ask(t.Context(), Subject{Name: "a.example.com", Stage: Helo}, nil)), "spamhaus-dbl clear; surbl hit 127.0.0.64")
		check(t, "second", saidAll(w.Ask(t.Context(), Subject{Name: "b.example.com", Stage: Helo}, nil)), "spamhaus-dbl clear; surbl hit 127.0.0.64")
		check(t, "the domain itself", saidAll(w.Ask(t.Context(), Subject{Name: "example.com", Stage: Helo}, nil)), "spamhaus-dbl hit 127.0.1.4; surbl hit 127.0.0.64")
		check(t, "the first again", saidAll(w.Ask(t.Context(), Subject{Name: "a.example.com", Stage: Helo}, nil)), "spamhaus-dbl clear; surbl hit 127.0.0.64")
		if got := w.zone.questions()["example.com.multi.surbl.org"]; got != 1 {
			t.Errorf("the registered domain was asked %d times, want once", got)
		}
	})
}

func TestListsThatDoNotCountAreNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop")
		w.watch.out["spamcop"] = true
		sub := atConnect("192.0.2.7")
		check(t, "suspended", saidAll(w.Ask(t.Context(), sub, nil)), "spamhaus-zen clear")
		w.watch.out["spamcop"] = false
		if got, known := w.Known(sub, nil); known || saidAll(got) != "spamhaus-zen clear; spamcop unknown pending" {
			t.Errorf("back: %s, known %v", saidAll(got), known)
		}
		check(t, "back", saidAll(w.Ask(t.Context(), sub, nil)), "spamhaus-zen clear; spamcop clear")
		if got := w.asked(); len(got) != 2 {
			t.Errorf("asked %v", got)
		}
		unasked, _ := Find("spamhaus-zen-dqs") // without its key
		s := NewSet([]List{unasked}, w.zone, w.watch, Options{})
		check(t, "a list without its key", saidAll(s.Ask(t.Context(), sub, nil)), "")
	})
}

func TestWhatAListSaidInItsMadnessIsNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamcop", "surbl")
		w.zone.ttl = 5 * time.Hour
		w.zone.set("7.2.0.192.bl.spamcop.net", "127.0.0.2") // as all are, now
		w.zone.set("example.com.multi.surbl.org", "127.0.0.64")
		addr, name := atConnect("192.0.2.7"), Subject{Name: "mail.example.com", Stage: Helo}
		check(t, "mad", saidAll(w.Ask(t.Context(), addr, nil)), "spamcop hit 127.0.0.2")
		check(t, "mad", saidAll(w.Ask(t.Context(), name, nil)), "surbl hit 127.0.0.64")
		w.watch.mu.Lock()
		w.watch.gen++
		w.watch.out["spamcop"], w.watch.out["surbl"] = true, true
		w.watch.mu.Unlock()
		time.Sleep(30 * time.Minute)
		w.watch.mu.Lock()
		w.watch.out = map[string]bool{}
		w.watch.mu.Unlock()
		w.zone.set("7.2.0.192.bl.spamcop.net")
		w.zone.set("example.com.multi.surbl.org")
		for _, sub := range []Subject{addr, name} {
			if got, known := w.Known(sub, nil); known {
				t.Errorf("back, it is believed what it said before: %s", saidAll(got))
			}
		}
		w.zone.failing("bl.spamcop.net", "timeout")
		check(t, "silent", saidAll(w.Ask(t.Context(), addr, nil)), "spamcop unknown timeout")
		w.zone.failing("bl.spamcop.net", "")
		time.Sleep(10 * time.Second)
		check(t, "sane", saidAll(w.Ask(t.Context(), addr, nil)), "spamcop clear")
		check(t, "sane", saidAll(w.Ask(t.Context(), name, nil)), "surbl clear")
		if _, known := w.Known(addr, nil); !known {
			t.Error("what it says now is not kept")
		}
	})
}

func TestAnswersExpire(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   string
		ttl      time.Duration
		min, max time.Duration
	}{
		{"not listed, by the TTL", "", 10 * time.Minute, 595 * time.Second, 10 * time.Minute},
		{"not listed, at least a minute", "", time.Second, 55 * time.Second, time.Minute},
		{"not listed, at most an hour", "", 48 * time.Hour, 3595 * time.Second, time.Hour},
		{"listed, at least a minute", "127.0.0.2", 0, 55 * time.Second, time.Minute},
		{"listed, by the TTL", "127.0.0.2", 10 * time.Minute, 595 * time.Second, 10 * time.Minute},
		{"listed, at most an hour", "127.0.0.2", 48 * time.Hour, 3595 * time.Second, time.Hour},
		{"refused, at most ten seconds", "127.255.255.254", time.Hour, 5 * time.Second, 10 * time.Second},
		{"nonsense, at most ten seconds", "10.0.0.1", time.Hour, 5 * time.Second, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "spamhaus-zen")
				w.zone.ttl = c.ttl
				if c.answer != "" {
					w.zone.set("7.2.0.192.zen.spamhaus.org", c.answer)
				}
				time.Sleep(1700 * time.Millisecond) // not at a tick; the bubble's clock
				sub := atConnect("192.0.2.7")
				w.Ask(t.Context(), sub, nil)
				time.Sleep(c.min - time.Millisecond)
				if _, known := w.Known(sub, nil); !known {
					t.Errorf("forgotten before %s", c.min)
				}
				time.Sleep(c.max - c.min + time.Millisecond)
				if _, known := w.Known(sub, nil); known {
					t.Errorf("kept for more than %s", c.max)
				}
			})
		})
	}
}

func TestTroubleIsUnknownAndSoonAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop")
		w.zone.failing("bl.spamcop.net", "timeout")
		sub := atConnect("192.0.2.7")
		const want = "spamhaus-zen clear; spamcop unknown timeout"
		check(t, "asked", saidAll(w.Ask(t.Context(), sub, nil)), want)
		got, known := w.Known(sub, nil)
		if !known || !got[1].Cached {
			t.Errorf("known %v", known)
		}
		check(t, "at once after", saidAll(got), want)
		w.zone.failing("bl.spamcop.net", "")
		time.Sleep(10 * time.Second)
		w.zone.questions()
		check(t, "later", saidAll(w.Ask(t.Context(), sub, nil)), "spamhaus-zen clear; spamcop clear")
		if got := w.asked(); !slices.Equal(got, []string{"7.2.0.192.bl.spamcop.net"}) {
			t.Errorf("asked %v", got)
		}
	})
}

func TestOldAnswersServeInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "dnswl", "spamcop")
		w.zone.set("7.2.0.192.list.dnswl.org", "127.0.5.2")
		sub := atConnect("192.0.2.7")
		w.Ask(t.Context(), sub, nil)
		time.Sleep(20 * time.Minute) // expired
		w.zone.failing("list.dnswl.org", "servfail")
		const want = "dnswl hit 127.0.5.2 stale; spamcop clear"
		check(t, "asked", saidAll(w.Ask(t.Context(), sub, nil)), want)
		got, known := w.Known(sub, nil)
		if !known {
			t.Error("not known at once after")
		}
		check(t, "at once after", saidAll(got), want)
		time.Sleep(60 * time.Minute) // over an hour past expiry
		check(t, "too old", saidAll(w.Ask(t.Context(), sub, nil)), "dnswl unknown servfail; spamcop clear")
		w.zone.failing("list.dnswl.org", "")
		time.Sleep(time.Minute)
		check(t, "back", saidAll(w.Ask(t.Context(), sub, nil)), "dnswl hit 127.0.5.2; spamcop clear")
	})
}

func TestAnOldAnswerIsNotAsGoodAsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamcop")
		w.zone.set("7.2.0.192.bl.spamcop.net", "127.0.0.2")
		sub := atConnect("192.0.2.7")
		w.Ask(t.Context(), sub, nil)
		time.Sleep(20 * time.Minute)
		if got, known := w.Known(sub, nil); known || saidAll(got) != "spamcop unknown pending" {
			t.Errorf("expired: %s, known %v", saidAll(got), known)
		}
		w.zone.set("7.2.0.192.bl.spamcop.net")
		check(t, "delisted", saidAll(w.Ask(t.Context(), sub, nil)), "spamcop clear")
		w.zone.mu.Lock()
		w.zone.stale = true
		w.zone.mu.Unlock()
		time.Sleep(20 * time.Minute)
		check(t, "what is old when it comes", saidAll(w.Ask(t.Context(), sub, nil)), "spamcop clear stale")
		if _, known := w.Known(sub, nil); known {
			t.Error("what was old when it came is kept as new")
		}
	})
}

func TestTheCacheOutlivesASet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen-dqs", "spamcop")
		w.zone.set("7.2.0.192.bl.spamcop.net", "127.0.0.2")
		sub := atConnect("192.0.2.7")
		w.Ask(t.Context(), sub, nil)

		other := newZoneFile()
		lists := find(t, "psbl", "spamcop", "spamhaus-zen-dqs")
		lists[2], _ = lists[2].WithKey("another")
		lists[1], _ = Spec{ID: "spamcop", Codes: []Code{ownCode(t, "127.0.0.2", Listed, 1)}}.List()
		next := NewSet(lists, other, w.watch, Options{Cache: w.cache})
		got, _ := next.Known(sub, nil)
		check(t, "after a reload", saidAll(got), "psbl unknown pending; spamcop hit 127.0.0.2; spamhaus-zen-dqs unknown pending")
		if got[1].Points() != 1 {
			t.Errorf("spamcop weighs %g, the new configuration says 1", got[1].Points())
		}
		old, known := w.Known(sub, nil) // a session of before
		if !known || old[1].Points() != 4 {
			t.Errorf("before the reload: %s, known %v", saidAll(old), known)
		}
	})
}

func TestKnownTakesNoMemory(t *testing.T) {
	w := NewSet(find(t, twenty...), none{}, nil, Options{})
	defer w.Close()
	buf := make([]Answer, 0, 32)
	for _, sub := range visit(7) {
		w.Ask(t.Context(), sub, nil)
		if n := testing.AllocsPerRun(100, func() {
			if _, known := w.Known(sub, buf); !known {
				t.Error("not known")
			}
		}); n != 0 {
			t.Errorf("%v: %g allocations", sub, n)
		}
	}
}

func TestPartialResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop")
		w.zone.hold = make(chan struct{})
		var parts []string
		done := make(chan []Answer)
		go func() {
			done <- w.Ask(t.Context(), atConnect("192.0.2.7"), func(a []Answer) { parts = append(parts, saidAll(a)) })
		}()
		synctest.Wait()
		w.zone.hold <- struct{}{}
		synctest.Wait()
		w.zone.hold <- struct{}{}
		check(t, "whole", saidAll(<-done), "spamhaus-zen clear; spamcop clear")
		if len(parts) != 1 || parts[0] != "spamhaus-zen clear; spamcop unknown pending" && parts[0] != "spamhaus-zen unknown pending; spamcop clear" {
			t.Errorf("in between: %q", parts)
		}
	})
}

func TestIdenticalQuestionsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop")
		w.zone.hold = make(chan struct{})
		sub := atConnect("192.0.2.7")
		done := make(chan string)
		gone, leave := context.WithCancel(t.Context())
		ctxs := []context.Context{gone, t.Context(), t.Context()}
		for _, ctx := range ctxs {
			go func() { done <- saidAll(w.Ask(ctx, sub, nil)) }()
			synctest.Wait()
		}
		leave() // the one who asked first
		check(t, "the one who left", <-done, "spamhaus-zen unknown budget; spamcop unknown budget")
		close(w.zone.hold)
		for range 2 {
			check(t, "those who stayed", <-done, "spamhaus-zen clear; spamcop clear")
		}
		for name, n := range w.zone.questions() {
			if n != 1 {
				t.Errorf("%s was asked %d times", name, n)
			}
		}
		if seen := w.watch.saw(); len(seen) != 2 {
			t.Errorf("the watch saw %s", saidAll(seen))
		}
	})
}

func TestTheBudgetEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen", "spamcop")
		w.zone.hold = make(chan struct{})
		sub := atConnect("192.0.2.7")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		got := w.Ask(ctx, sub, nil)
		check(t, "late", saidAll(got), "spamhaus-zen unknown budget; spamcop unknown budget")
		if got[0].Took != 3*time.Second {
			t.Errorf("waited %s", got[0].Took)
		}
		if _, known := w.Known(sub, nil); known {
			t.Error("our haste is kept as the list's trouble")
		}
		seen := w.watch.saw()
		check(t, "the watch saw", saidAll(seen), "spamhaus-zen unknown budget; spamcop unknown budget")
		synctest.Wait() // what was given up has ended

		hasty, leave := context.WithCancelCause(t.Context())
		leave(errors.New("the client has gone"))
		w.Ask(hasty, sub, nil)
		if seen := w.watch.saw(); len(seen) != 0 {
			t.Errorf("a client that goes is held against the lists: %s", saidAll(seen))
		}
		synctest.Wait()

		patient, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		time.AfterFunc(2*longEnough, hangUp)
		w.Ask(patient, sub, nil)
		check(t, "of a client that waited and went, the watch saw", saidAll(w.watch.saw()), "spamhaus-zen unknown budget; spamcop unknown budget")
		synctest.Wait()
		close(w.zone.hold)
		check(t, "asked anew", saidAll(w.Ask(t.Context(), sub, nil)), "spamhaus-zen clear; spamcop clear")
	})
}

func TestOldAnswersServeWhenTheBudgetEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "dnswl")
		w.zone.set("7.2.0.192.list.dnswl.org", "127.0.5.2")
		sub := atConnect("192.0.2.7")
		w.Ask(t.Context(), sub, nil)
		time.Sleep(20 * time.Minute)
		w.zone.hold = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check(t, "late", saidAll(w.Ask(ctx, sub, nil)), "dnswl hit 127.0.5.2 stale")
	})
}

// Of a name and of its registered domain two records are kept: what is older than
// any answer may be is not brought back by the other one.
func TestAnswersOlderThanTheyMayBeAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "surbl")
		w.zone.set("bad.example.multi.surbl.org", "127.0.0.64")
		sub := Subject{Name: "www.bad.example", Stage: Mail}
		if got := saidAll(w.Ask(t.Context(), sub, nil)); !strings.Contains(got, "hit") {
			t.Fatal(got)
		}
		time.Sleep(12 * time.Hour)
		w.zone.failing("multi.surbl.org", "budget")
		if got := saidAll(w.Ask(t.Context(), sub, nil)); strings.Contains(got, "hit") {
			t.Errorf("after half a day: %s", got)
		}
	})
}

// TestListsThatAreAwayStillSpeakForClients: a list that fell silent is not asked. What it
// said before may lift, up to an hour past its expiry, and is held against nobody; what it
// has not said is missed as long as the watch says so.
func TestListsThatAreAwayStillSpeakForClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "dnswl", "spamcop", "mailspike-rep", "surbl", "abusix-white")
		w.zone.set("7.2.0.192.list.dnswl.org", "127.0.5.2")
		w.zone.set("7.2.0.192.bl.spamcop.net", "127.0.0.2")
		w.zone.set("7.2.0.192.rep.mailspike.net", "127.0.0.20")
		w.zone.set("8.2.0.192.rep.mailspike.net", "127.0.0.10")
		good, bad, new := atConnect("192.0.2.7"), atConnect("192.0.2.8"), atConnect("192.0.2.9")
		check(t, "before", saidAll(w.Ask(t.Context(), good, nil)), "dnswl hit 127.0.5.2; spamcop hit 127.0.0.2; mailspike-rep hit 127.0.0.20; abusix-white clear")
		check(t, "before", saidAll(w.Ask(t.Context(), bad, nil)), "dnswl clear; spamcop clear; mailspike-rep hit 127.0.0.10; abusix-white clear")
		w.asked()
		is := func(what string, absence Absence, goodIs, badIs, newIs string) {
			t.Helper()
			w.watch.mu.Lock()
			w.watch.gone = map[string]Absence{}
			for _, id := range []string{"dnswl", "spamcop", "mailspike-rep", "abusix-white"} {
				w.watch.out[id], w.watch.gone[id] = true, absence
			}
			w.watch.mu.Unlock()
			for _, c := range []struct {
				sub  Subject
				want string
			}{{good, goodIs}, {bad, badIs}, {new, newIs}} {
				got, known := w.Known(c.sub, nil)
				check(t, what+", known", saidAll(got), c.want)
				check(t, what+", asked", saidAll(w.Ask(t.Context(), c.sub, nil)), c.want)
				if !known {
					t.Errorf("%s: questions would be needed", what)
				}
			}
			if asked := w.asked(); len(asked) > 0 {
				t.Errorf("%s: asked %q", what, asked)
			}
		}
		const missed = "dnswl unknown away; mailspike-rep unknown away; abusix-white unknown away"
		is("doubted", 0, "", "", "")
		is("missed", Missed, missed, missed, missed)
		is("silent", Missed|Remembered, "dnswl hit 127.0.5.2; mailspike-rep hit 127.0.0.20; abusix-white clear", "dnswl clear; mailspike-rep clear; abusix-white clear", missed)
		is("long silent", Remembered, "dnswl hit 127.0.5.2; mailspike-rep hit 127.0.0.20; abusix-white clear", "dnswl clear; mailspike-rep clear; abusix-white clear", "")
		time.Sleep(30 * time.Minute) // past the expiry
		is("silent, and old", Missed|Remembered, "dnswl hit 127.0.5.2 stale; mailspike-rep hit 127.0.0.20 stale; abusix-white unknown away", missed, missed)
		is("long silent, and old", Remembered, "dnswl hit 127.0.5.2 stale; mailspike-rep hit 127.0.0.20 stale", "", "")
		time.Sleep(time.Hour)
		is("silent, and too old", Missed|Remembered, missed, missed, missed)
		w.watch.mu.Lock()
		clear(w.watch.out)
		w.watch.mu.Unlock()
		check(t, "back", saidAll(w.Ask(t.Context(), good, nil)), "dnswl hit 127.0.5.2; spamcop hit 127.0.0.2; mailspike-rep hit 127.0.0.20; abusix-white clear")
	})
}

func TestTheWatchIsToldBeforeAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen")
		w.zone.set("7.2.0.192.zen.spamhaus.org", "127.255.255.254")
		check(t, "refused", saidAll(w.Ask(t.Context(), atConnect("192.0.2.7"), nil)), "spamhaus-zen unknown 127.255.255.254 refusal")
		check(t, "the watch saw", saidAll(w.watch.saw()), "spamhaus-zen unknown 127.255.255.254 refusal")
		got, known := w.Known(atConnect("192.0.2.7"), nil)
		if !known || saidAll(got) != "spamhaus-zen unknown 127.255.255.254 refusal" {
			t.Errorf("at once after: %s, known %v", saidAll(got), known)
		}
		if seen := w.watch.saw(); len(seen) != 0 {
			t.Errorf("what is cached is told again: %s", saidAll(seen))
		}
	})
}

// A slowWatch takes its time, and by then those who wait may have gone.
type slowWatch struct {
	doorman
	takes time.Duration
}

func (w *slowWatch) Saw(a *Answer) {
	w.doorman.Saw(a)
	time.Sleep(w.takes)
}

func TestTheWatchIsToldOnceOfAnAnswerThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := Find("spamcop")
		watch := &slowWatch{takes: 5 * time.Second}
		set := NewSet([]List{l}, newZoneFile(), watch, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		check(t, "who went", saidAll(set.Ask(ctx, atConnect("192.0.2.7"), nil)), "spamcop unknown budget")
		synctest.Wait()
		check(t, "the watch saw", saidAll(watch.saw()), "spamcop clear")
		set.Close()
	})
}

func TestAClosedSetAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "spamhaus-zen")
		w.zone.hold = make(chan struct{})
		done := make(chan string)
		go func() { done <- saidAll(w.Ask(t.Context(), atConnect("192.0.2.7"), nil)) }()
		synctest.Wait()
		w.Close()
		check(t, "closed under way", <-done, "spamhaus-zen unknown budget")
		w.zone.questions()
		check(t, "closed", saidAll(w.Ask(t.Context(), atConnect("192.0.2.8"), nil)), "spamhaus-zen unknown budget")
		if got := w.asked(); len(got) != 0 {
			t.Errorf("asked %v", got)
		}
	})
}

// A broken Asker has a bug.
type broken struct{ *zoneFile }

func (b broken) A(ctx context.Context, name string) Reply {
	if strings.HasSuffix(name, "spamcop.net") {
		panic("a bug")
	}
	return b.zoneFile.A(ctx, name)
}

func TestAPanicIsRaisedWhereItIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZoneFile()
		z.hold = make(chan struct{}) // nobody opens it: the other question must be given up
		s := NewSet(find(t, "spamhaus-zen", "spamcop"), broken{z}, nil, Options{})
		raised := contained(func() { s.Ask(t.Context(), atConnect("192.0.2.7"), nil) })
		if raised != "a bug" {
			t.Errorf("raised %v", raised)
		}
		s.Close()
	})
}

func TestASetIsBounded(t *testing.T) {
	var lists []List
	for range MaxLists + 10 {
		lists = append(lists, find(t, "spamcop")[0])
	}
	s := NewSet(lists, none{}, nil, Options{})
	defer s.Close()
	if n := len(s.Ask(t.Context(), atConnect("192.0.2.7"), nil)); n != MaxLists {
		t.Errorf("%d lists are asked, want %d", n, MaxLists)
	}
}

// TestManyAtOnce asks about few subjects from many sides, with a cache too small
// for them, and leaves early now and then.
func TestManyAtOnce(t *testing.T) {
	z := newZoneFile()
	for i := range 50 {
		z.set(fmt.Sprintf("%d.0.0.45.zen.spamhaus.org", i), "127.0.0.4")
	}
	w := &doorman{out: map[string]bool{}}
	s := NewSet(find(t, "spamhaus-zen", "spamcop", "dnswl", "surbl", "spamhaus-dbl"), z, w, Options{Cache: NewCache(1 << 15)})
	var wg sync.WaitGroup
	for side := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(side)))
			for range 150 {
				i := rng.IntN(100)
				ctx, cancel := context.WithCancel(context.Background())
				leave := rng.IntN(4) == 0
				answers := s.Ask(ctx, Subject{Addr: numbered(i), Stage: Connect}, func([]Answer) {
					if leave {
						cancel()
					}
				})
				for _, a := range answers {
					if want := a.List.ID == "spamhaus-zen" && i < 50; a.State == Hit != want && a.State != Unknown {
						t.Errorf("subject %d: %s", i, said(a))
					}
					if a.State == Unknown && !leave {
						t.Errorf("subject %d, nobody left: %s", i, said(a))
					}
				}
				cancel()
				s.Ask(context.Background(), Subject{Name: fmt.Sprintf("mail.domain-%d.example", i), Stage: Helo}, nil)
			}
		})
	}
	wg.Wait()
	s.Close()
	w.saw()
}

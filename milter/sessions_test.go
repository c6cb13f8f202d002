package milter

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
	"mailprofiled/profile"
)

// TestMaxSessions: beyond max_sessions the idle are closed for the new; where
// none is idle, the new one is answered by on_failure; and there is a last bound.
func TestMaxSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(scripted)
		r := serve(t, Config{Handler: h, MaxSessions: 2, OnFailure: profile.TempFail})
		r.sessions.bound = 4
		inMail := visit(t, r, miltertest.Postfix())
		mail(t, inMail)
		idle := visit(t, r, miltertest.Postfix())
		helo(t, idle)

		third := visit(t, r, miltertest.Postfix())
		helo(t, third)
		expect(t, "tempfail")(third.Mail("<a@example.net>", ""))
		if got := h.seen("connect"); got != 2 {
			t.Fatalf("%d sessions judged, want 2", got)
		}
		fourth := visit(t, r, miltertest.Sendmail())
		if v := miltertest.NewVisit(r.Dial(), miltertest.Postfix()); v.Negotiate() == nil {
			t.Error("the fifth of two got an answer")
		}

		pass(shedIdle - time.Second)
		helo(t, idle) // not idle for long enough any more, as are the third and fourth
		pass(2 * time.Second)
		fifth := visit(t, r, miltertest.Postfix())
		if code, _, err := third.Receive(); err == nil {
			t.Errorf("answer %q to nothing", code)
		}
		expect(t, "tempfail")(fifth.Mail("<a@example.net>", ""))
		helo(t, idle)
		mail(t, idle)

		pass(shedIdle + time.Second)
		for _, v := range []*miltertest.Visit{inMail, idle} { // idle, but inside a transaction
			rcpt(t, v)
			eom(t, v)
		}
		pass(shedIdle)
		sixth := visit(t, r, miltertest.Postfix())
		mail(t, sixth)
		if got := h.seen("connect"); got != 3 {
			t.Errorf("%d sessions judged, want 3", got)
		}
		if code, _, err := inMail.Receive(); err == nil {
			t.Errorf("answer %q to nothing", code)
		}
		synctest.Wait()
		if st := r.Stats(); st.Judged != 1 || st.Open != 1 || st.Limited != 3 || st.TurnedAway != 1 {
			t.Errorf("%+v", st)
		}
		if got := r.log.String(); strings.Count(got, "max_sessions reached") > 3 {
			t.Errorf("log:\n%s", got)
		}
		fourth.Close()
	})
}

func TestTheLastBoundLeavesRoom(t *testing.T) {
	for judged, want := range map[int]int{1: 1001, 5: 1005, 4000: 16000} {
		if got := hardBound(judged); got != want {
			t.Errorf("max_sessions %d: %d sessions in all, want %d", judged, got, want)
		}
	}
}

func TestPlacesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(scripted)
		r := serve(t, Config{Handler: h, MaxSessions: 1})
		for range 3 {
			v := visit(t, r, miltertest.Postfix())
			mail(t, v)
			limited := visit(t, r, miltertest.Postfix())
			mail(t, limited)
			expect(t, "continue")(limited.Rcpt("<nobody@example.org>")) // on_failure, nobody was asked
			eom(t, limited)
			v.Close()
			limited.Close()
			synctest.Wait()
		}
		if got := h.seen("connect"); got != 3 {
			t.Errorf("%d sessions judged, want 3", got)
		}
		if st := r.Stats(); st.Open != 0 || st.Judged != 0 || st.Accepted != 6 || st.Limited != 3 {
			t.Errorf("%+v", st)
		}
	})
}

// TestShedWhileBusy: a session at work is not idle, however long it takes.
func TestShedWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{onHelo: func(name string) {
			if name == "slow.example" {
				pass(time.Hour)
			}
		}}
		r := serve(t, Config{Handler: h, MaxSessions: 1})
		v := visit(t, r, miltertest.Postfix())
		v.Timeout = 0
		answered := make(chan error)
		go func() {
			_, err := v.Helo("slow.example")
			answered <- err
		}()
		pass(2 * shedIdle)
		visit(t, r, miltertest.Postfix()).Close()
		if err := <-answered; err != nil {
			t.Errorf("a session at work was closed: %v", err)
		}
		mail(t, v)
	})
}

// TestDrain: at the end of Serve's context sessions outside a transaction end at
// once, those inside with it, and what still stands after Drain is closed.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(scripted)
		r := serve(t, Config{Handler: h, Drain: 30 * time.Second})
		outside := visit(t, r, miltertest.Postfix())
		helo(t, outside)
		finishing := visit(t, r, miltertest.Postfix())
		mail(t, finishing)
		rcpt(t, finishing)
		aborting := visit(t, r, miltertest.Postfix())
		mail(t, aborting)
		refused := visit(t, r, miltertest.Postfix())
		expect(t, "reject")(refused.Mail("<badmail@example.net>", ""))
		lasting := visit(t, r, miltertest.Postfix())
		mail(t, lasting)
		half := visit(t, r, miltertest.Postfix())
		half.Raw([]byte{0, 0})
		synctest.Wait()

		start := time.Now()
		r.cancel()
		for name, v := range map[string]*miltertest.Visit{"outside": outside, "refused": refused, "half a packet": half} {
			if _, _, err := v.Receive(); err == nil || time.Since(start) != 0 {
				t.Errorf("%s a transaction: closed after %v, %v", name, time.Since(start), err)
			}
		}
		if r.Dial() != nil {
			t.Error("connections are still accepted")
		}
		pass(10 * time.Second)
		rcpt(t, finishing)
		expect(t, "continue")(finishing.EOM())
		if _, err := finishing.Mail("<again@example.net>", ""); err == nil {
			t.Error("a new transaction was begun")
		}
		rset(t, aborting)
		if _, _, err := aborting.Receive(); err == nil || time.Since(start) != 10*time.Second {
			t.Errorf("aborted: closed after %v, %v", time.Since(start), err)
		}
		<-r.ended
		if took := time.Since(start); took != 30*time.Second || r.err != nil {
			t.Errorf("Serve came back after %v with %v", took, r.err)
		}
		if _, _, err := lasting.Receive(); err == nil {
			t.Error("the last session was not closed")
		}
		if h.seen("close") != 6 || h.seen("eom") != 1 || h.seen("mail <again") != 0 {
			t.Errorf("calls:\n%s", h.trace())
		}
	})
}

// TestDrainWaitsForTheHandler: a judge at work is waited for, its session then closed.
func TestDrainWaitsForTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{onRcpt: func(engine.Rcpt) { pass(time.Minute) }}
		r := serve(t, Config{Handler: h})
		v := visit(t, r, miltertest.Postfix())
		v.Timeout = 0
		mail(t, v)
		start := time.Now()
		go v.Rcpt("<b@example.org>")
		synctest.Wait()
		r.stop()
		if took := time.Since(start); took != time.Minute || h.seen("close") != 1 {
			t.Errorf("Serve came back after %v, closed %d times", took, h.seen("close"))
		}
	})
}

// TestDrainOfOneListener leaves the sessions of another alone.
func TestDrainOfOneListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(scripted)
		r := serve(t, Config{Handler: h})
		second := newPipeListener()
		ended := make(chan error)
		go func() { ended <- r.Serve(t.Context(), second) }()
		v := miltertest.NewVisit(second.Dial(), miltertest.Postfix())
		if err := v.Negotiate(); err != nil {
			t.Fatal(err)
		}
		expect(t, "continue")(v.Connect(miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.7")}))
		r.stop()
		helo(t, v)
		v.Close()
		second.Close() // by somebody else than Serve's context
		if err := <-ended; err == nil {
			t.Error("Serve gave no error for a listener that was closed under it")
		}
	})
}

// TestDrainMeetsMailInTheBuffer: a MAIL that came along with the command before
// is not begun when the end has come in between.
func TestDrainMeetsMailInTheBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{onHelo: func(string) { pass(time.Minute) }}
		r := serve(t, Config{Handler: h, Drain: time.Hour})
		v := visit(t, r, miltertest.Postfix())
		v.Timeout = 0
		v.Add('H', "mx.example.com")
		v.Add('M', "<a@example.net>")
		if err := v.Flush(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		r.cancel()
		expect(t, "continue")(v.Wait())
		if a, err := v.Wait(); err == nil {
			t.Errorf("answer %v to MAIL", a)
		}
		<-r.ended
		if took := time.Since(start); took != time.Minute || h.seen("mail") != 0 || h.seen("close") != 1 {
			t.Errorf("Serve came back after %v, calls:\n%s", took, h.trace())
		}
	})
}

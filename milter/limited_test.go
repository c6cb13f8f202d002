package milter

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
	"mailprofiled/profile"
)

// A withLimits is a scripted handler whose limits refuse over@..., and panic at
// worse@...
type withLimits struct {
	scripted
	limits scripted
	after  int // sessions that took over from another
}

func (h *withLimits) ConnectLimited(c engine.Client, after Session) Session {
	if after != nil {
		h.after++
	}
	c.Addr = netip.MustParseAddr("192.0.2.1") // no one that makes scripted panic
	return overSession{h.limits.Connect(c)}
}

// An overSession is that of the limits. It panics for reasons of its own only.
type overSession struct{ Session }

func (s overSession) EndOfMessage(string) engine.Answer { return s.Session.EndOfMessage("") }

func (s overSession) Rcpt(r engine.Rcpt) engine.Answer {
	s.Session.Rcpt(engine.Rcpt{})
	switch {
	case strings.HasPrefix(r.To, "<over@"):
		return engine.Answer{Action: profile.TempFail, Code: 450, Status: "4.7.28", Text: "2 messages", ID: "abc"}
	case strings.HasPrefix(r.To, "<worse@"):
		panic("limits panic")
	}
	return engine.Answer{}
}

// TestLimitsHoldWhateverFails: neither a panic of ours nor want of a place is a way
// past limits, and what a mail has reserved before is counted at its end.
func TestLimitsHoldWhateverFails(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		open         bool // on_failure lets mail go on
		panics       uint64
		after, asked int // sessions that limits took over, recipients and ends that limits were told of
	}{
		{"a panic at RCPT", `
			connect 192.0.2.7
			mail <a@example.net>
			rcpt <first@example.org>  -> continue
			rcpt <panicked@example.org> -> continue
			rcpt <over@example.org>   -> tempfail 450 4.7.28
			eom                       -> continue
			mail <b@example.net>      -> continue
			rcpt <over@example.org>   -> tempfail 450 4.7.28
			rcpt <later@example.org>  -> continue
			eom                       -> continue
			quit`, true, 1, 1, 6},
		{"one at connect", `
			connect 192.0.2.66
			mail <a@example.net>      -> continue
			rcpt <over@example.org>   -> tempfail 450 4.7.28
			quit`, true, 1, 0, 1},
		{"at the end of message: limits learn of it", `
			connect 192.0.2.7
			mail <a@example.net>
			rcpt <first@example.org>
			macro E i panic
			send E                    -> continue
			quit`, true, 1, 1, 1},
		{"on_failure refuses: limits count no recipient, and the end of those before", `
			connect 192.0.2.7
			mail <a@example.net>
			rcpt <first@example.org>  -> continue
			rcpt <panic@example.org>  -> tempfail 451 4.3.0
			rcpt <over@example.org>   -> tempfail 451 4.3.0
			eom                       -> continue
			mail <b@example.net>      -> tempfail 451 4.3.0
			quit`, false, 1, 1, 1},
		{"limits panic too", `
			connect 192.0.2.66
			mail <a@example.net>      -> continue
			rcpt <worse@example.org>  -> continue
			rcpt <over@example.org>   -> continue
			eom                       -> continue
			quit`, true, 2, 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := new(withLimits)
			failure := profile.TempFail
			if tt.open {
				failure = profile.Continue
			}
			r := serve(t, Config{Handler: h, OnFailure: failure})
			miltertest.Play(t, r.Dial, tt.script)
			r.stop()
			asked := h.limits.seen("rcpt") + h.limits.seen("eom")
			if r.Stats().Panics != tt.panics || h.after != tt.after || asked != tt.asked {
				t.Errorf("%d panics, %d taken over, limits asked %d times, want %d, %d, %d\n%s", r.Stats().Panics, h.after, asked, tt.panics, tt.after, tt.asked, h.limits.trace())
			}
			if h.seen("close")+h.limits.seen("close") != h.after+1 {
				t.Errorf("closed:\n%s\nlimits:\n%s", h.trace(), h.limits.trace())
			}
		})
	}
}

// TestLimitsHoldWithoutAPlace: who finds no place falls under limits.
func TestLimitsHoldWithoutAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(withLimits)
		r := serve(t, Config{Handler: h, OnFailure: profile.Continue, MaxSessions: 1})
		mail(t, visit(t, r, miltertest.Postfix()))
		limited := visit(t, r, miltertest.Postfix())
		mail(t, limited)
		expect(t, "continue")(limited.Rcpt("<first@example.org>"))
		expect(t, "tempfail")(limited.Rcpt("<over@example.org>"))
		eom(t, limited)
		limited.Close()
		synctest.Wait()
		if h.seen("connect") != 1 || h.limits.seen("eom") != 1 || h.limits.seen("close") != 1 {
			t.Errorf("the judge:\n%s\nlimits:\n%s", h.trace(), h.limits.trace())
		}
	})
}

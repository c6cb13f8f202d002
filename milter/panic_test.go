package milter

import (
	"net/netip"
	"strings"
	"testing"

	"mailprofiled/internal/miltertest"
	"mailprofiled/profile"
)

func TestPanics(t *testing.T) {
	const failed = "tempfail 451 4.3.0 /temporarily unavailable/"
	for _, c := range []struct {
		name, script string
		closed       int // times that Close is called
	}{
		{"at connect", `
			connect 192.0.2.66   -> continue
			helo mx.example.com  -> continue
			mail <a@example.net> -> FAILED
			quit`, 0},
		{"a handler that gives no session", `
			connect 192.0.2.67   -> continue
			helo mx.example.com  -> continue
			mail <a@example.net> -> FAILED
			quit`, 0},
		{"at HELO", `
			connect 192.0.2.7
			helo panic           -> continue
			mail <a@example.net> -> FAILED
			quit`, 1},
		{"at MAIL", `
			connect 192.0.2.7
			helo mx.example.com
			mail <panic@example.net> -> FAILED
			mail <a@example.net>     -> FAILED
			rset
			quit`, 1},
		{"at RCPT", `
			connect 192.0.2.7
			helo mx.example.com
			mail <a@example.net>
			rcpt <first@example.org>  -> continue
			rcpt <panic@example.org>  -> FAILED
			rcpt <nobody@example.org> -> FAILED
			eom                       -> continue
			mail <a@example.net>      -> FAILED
			quit`, 1},
		{"at the end of the message: it is taken", `
			connect 192.0.2.7
			helo mx.example.com
			mail <a@example.net>
			rcpt <first@example.org>
			macro E i panic
			send E                    -> continue
			mail <a@example.net>      -> FAILED
			quit`, 1},
		{"at close", `
			connect 192.0.2.7
			helo closepanic
			mail <a@example.net>
			quit`, 1},
		{"the next client of the connection is judged", `
			connect 192.0.2.7
			helo panic
			mail <a@example.net>      -> FAILED
			next 192.0.2.8
			mail <a@example.net>      -> continue
			rcpt <nobody@example.org> -> reject 550 5.1.1
			quit`, 2},
	} {
		for _, onFailure := range []profile.Action{profile.Continue, profile.TempFail} {
			t.Run(c.name+", on_failure "+onFailure.String(), func(t *testing.T) {
				answer := failed
				if onFailure == profile.Continue {
					answer = "continue"
				}
				h := new(scripted)
				r := serve(t, Config{Handler: h, OnFailure: onFailure})
				miltertest.Play(t, r.Dial, strings.ReplaceAll(c.script, "FAILED", answer))
				r.stop()
				if got := h.seen("close"); got != c.closed {
					t.Errorf("closed %d times, want %d:\n%s", got, c.closed, h.trace())
				}
				wantLogged(t, r, c.name)
			})
		}
	}
}

// wantLogged looks for one line with a stack, or for the other one.
func wantLogged(t *testing.T, r *running, name string) {
	t.Helper()
	got := r.log.String()
	if strings.Contains(name, "gives no session") {
		if !strings.Contains(got, "handler gave no session") {
			t.Errorf("log:\n%s", got)
		}
		return
	}
	if strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "scripted") || r.Stats().Panics != 1 {
		t.Errorf("%d panics counted, log:\n%s", r.Stats().Panics, got)
	}
}

// TestTheConnectionClosesLast: who sees its end finds the session done with.
func TestTheConnectionClosesLast(t *testing.T) {
	h := new(scripted)
	v := visit(t, serve(t, Config{Handler: h}), miltertest.Postfix())
	v.Quit()
	v.Receive()
	if h.seen("close") != 1 {
		t.Errorf("the connection is closed, the session is not:\n%s", h.trace())
	}
}

// TestCloseComesOnce ends sessions in every way there is.
func TestCloseComesOnce(t *testing.T) {
	start := func(t *testing.T, r *running) *miltertest.Visit {
		v := visit(t, r, miltertest.Postfix())
		if _, err := v.Helo("mx.example.com"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Mail("<a@example.net>", ""); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, end := range map[string]func(t *testing.T, r *running, v *miltertest.Visit){
		"QUIT":             func(t *testing.T, r *running, v *miltertest.Visit) { v.Quit(); v.Receive() },
		"loss":             func(t *testing.T, r *running, v *miltertest.Visit) { v.Close() },
		"half a packet":    func(t *testing.T, r *running, v *miltertest.Visit) { v.Raw([]byte{0, 0}); v.Close() },
		"not the protocol": func(t *testing.T, r *running, v *miltertest.Visit) { v.Raw(make([]byte, 4)); v.Receive() },
		"shutdown":         func(t *testing.T, r *running, v *miltertest.Visit) { r.cancel(); v.Receive() },
		"a second connect": func(t *testing.T, r *running, v *miltertest.Visit) {
			if _, err := v.Connect(miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.8")}); err != nil {
				t.Fatal(err)
			}
			v.Quit()
			v.Receive()
		},
		"QUIT_NC and loss": func(t *testing.T, r *running, v *miltertest.Visit) { v.Next(); v.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			h := new(scripted)
			r := serve(t, Config{Handler: h})
			end(t, r, start(t, r))
			r.stop()
			if open, closed := h.seen("connect"), h.seen("close"); open != closed {
				t.Errorf("%d sessions opened, %d closed:\n%s", open, closed, h.trace())
			}
			if h.seen("mail") != 1 {
				t.Errorf("calls of the handler:\n%s", h.trace())
			}
		})
	}
}

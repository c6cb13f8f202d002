package milter

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
)

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// An event is a step of a visit in which nothing unexpected may happen.
type event func(*testing.T, *miltertest.Visit)

func helo(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	expect(t, "continue")(v.Helo("mx.example.com"))
}

func mail(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	expect(t, "continue")(v.Mail("<a@example.net>", ""))
}

func rcpt(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	expect(t, "continue")(v.Rcpt("<b@example.org>"))
}

func refusedRcpt(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	expect(t, "reject")(v.Rcpt("<nobody@example.org>"))
}

func rcptOfMTA(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	expect(t, "continue")(v.RcptRefused("<nobody@example.org>", "5.1.1"))
}

func eom(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	expect(t, "continue")(v.EOM())
}

func rset(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	if err := v.Reset(); err != nil {
		t.Fatal(err)
	}
}

func silence(d time.Duration) event {
	return func(*testing.T, *miltertest.Visit) { pass(d) }
}

// expect checks an answer.
func expect(t *testing.T, action string) func(miltertest.Answer, error) {
	t.Helper()
	return func(a miltertest.Answer, err error) {
		t.Helper()
		if err != nil || a.Action != action {
			t.Fatalf("answer %v, %v, want %s", a, err, action)
		}
	}
}

// TestSilence: the MTA may be silent for idle_timeout between commands, and for
// data_timeout between an accepted recipient and the end of the message.
func TestSilence(t *testing.T) {
	const idle, data = 5 * time.Minute, 24 * time.Hour
	elevenMinutes := silence(11 * time.Minute)
	for _, c := range []struct {
		name   string
		events []event
		last   time.Duration // after these events the session ends in so much more silence
	}{
		{"after connect", []event{}, idle},
		{"after HELO", []event{helo}, idle},
		{"each command begins it anew", []event{silence(4 * time.Minute), helo, silence(4 * time.Minute), mail, silence(4 * time.Minute)}, time.Minute},
		{"after MAIL", []event{helo, mail}, idle},
		{"after a refused recipient", []event{helo, mail, refusedRcpt}, idle},
		{"after a recipient refused by the MTA", []event{helo, mail, rcptOfMTA}, idle},
		{"11 minutes of DATA survive", []event{helo, mail, rcpt, elevenMinutes, eom}, idle},
		{"also after a refused second recipient", []event{helo, mail, rcpt, refusedRcpt, elevenMinutes, eom}, idle},
		{"and between recipients", []event{helo, mail, rcpt, elevenMinutes, rcpt, elevenMinutes, eom}, idle},
		{"DATA has its end too", []event{helo, mail, rcpt}, data},
		{"after RSET", []event{helo, mail, rcpt, rset}, idle},
		{"in the second message", []event{helo, mail, rcpt, eom, mail}, idle},
		{"DATA of the second message", []event{helo, mail, rcpt, eom, mail, rcpt, elevenMinutes, eom}, idle},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := new(scripted)
				r := serve(t, Config{Handler: h, IdleTimeout: idle, DataTimeout: data})
				v := visit(t, r, miltertest.Postfix())
				for _, e := range c.events {
					e(t, v)
				}
				wantEnd(t, r, v, c.last, "idle for too long")
				if h.seen("close") != 1 {
					t.Errorf("not closed:\n%s", h.trace())
				}
			})
		})
	}
}

// wantEnd waits for the server to close the connection, just then.
func wantEnd(t *testing.T, r *running, v *miltertest.Visit, after time.Duration, log string) {
	t.Helper()
	start := time.Now()
	v.Timeout = 0
	if code, _, err := v.Receive(); err == nil {
		t.Fatalf("answer %q", code)
	}
	if got := time.Since(start); got != after {
		t.Errorf("closed after %v, want %v", got, after)
	}
	synctest.Wait()
	if !strings.Contains(r.log.String(), log) {
		t.Errorf("log:\n%s\nwant %q in it", r.log.String(), log)
	}
}

func TestHalfAPacket(t *testing.T) {
	for name, bytes := range map[string]string{
		"a length without its end": "\x00\x00\x00",
		"a length alone":           "\x00\x00\x00\x10",
		"half the payload":         "\x00\x00\x00\x10Hmx.exam",
		"half a body":              "\x00\x00\xff\x10Bhello",
		"behind a whole packet":    "\x00\x00\x00\x01A\x00\x00\x00\x10Hmx",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := new(scripted)
				r := serve(t, Config{Handler: h, PacketTimeout: 20 * time.Second})
				v := visit(t, r, miltertest.Postfix())
				if err := v.Raw([]byte(bytes)); err != nil {
					t.Fatal(err)
				}
				wantEnd(t, r, v, 20*time.Second, "packet not complete in time")
				if h.seen("close") != 1 {
					t.Errorf("not closed:\n%s", h.trace())
				}
			})
		})
	}
}

// TestDrip: bytes that trickle in do not extend the time for their packet.
func TestDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, Config{Handler: new(scripted), PacketTimeout: 19500 * time.Millisecond})
		v := visit(t, r, miltertest.Postfix())
		start := time.Now()
		var err error
		for _, b := range []byte("\x00\x00\x00\x40H" + strings.Repeat("x", 0x3f)) {
			if err = v.Raw([]byte{b}); err != nil {
				break
			}
			pass(time.Second)
		}
		if took := time.Since(start); err == nil || took != 20*time.Second {
			t.Errorf("closed after %v, %v", took, err)
		}
	})
}

// TestSlowPackets: a packet that comes in time in pieces is a packet.
func TestSlowPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(scripted)
		v := visit(t, serve(t, Config{Handler: h, IdleTimeout: time.Minute}), miltertest.Postfix())
		name := strings.Repeat("x", 100<<10)
		packet := "\x00\x01\x90\x02H" + name + "\x00"
		for i := 0; i < len(packet); i += 5 << 10 {
			if err := v.Raw([]byte(packet[i:min(i+5<<10, len(packet))])); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		expect(t, "continue")(v.Wait())
		if h.seen("helo "+name) != 1 {
			t.Error("the name did not arrive whole")
		}
		helo(t, v)
	})
}

func TestClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(scripted)
		r := serve(t, Config{Handler: h, WriteTimeout: 10 * time.Second})
		v := visit(t, r, miltertest.Postfix())
		start := time.Now()
		if err := v.Send('H', "mx.example.com"); err != nil {
			t.Fatal(err)
		}
		err := v.Send('H', "mx.example.com") // nobody is there to take it
		if took := time.Since(start); err == nil || took != 10*time.Second {
			t.Errorf("closed after %v, %v", took, err)
		}
		synctest.Wait()
		if got := r.log.String(); h.seen("close") != 1 || strings.Count(got, "answer could not be written") != 1 {
			t.Errorf("calls:\n%s\nlog:\n%s", h.trace(), got)
		}
	})
}

// TestSlowHandler: the judge's time is not the MTA's silence.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{onRcpt: func(engine.Rcpt) { pass(time.Hour) }}
		v := visit(t, serve(t, Config{Handler: h, IdleTimeout: time.Minute}), miltertest.Postfix())
		v.Timeout = 0
		mail(t, v)
		rcpt(t, v)
		eom(t, v)
	})
}

// TestSeveralCommandsAtOnce: what is sent ahead is answered in order.
func TestSeveralCommandsAtOnce(t *testing.T) {
	h := new(scripted)
	v := visit(t, serve(t, Config{Handler: h}), miltertest.Postfix())
	for range 100 {
		v.Add('H', "mx.example.com")
	}
	sent := make(chan error)
	go func() { sent <- v.Flush() }()
	for range 100 {
		expect(t, "continue")(v.Wait())
	}
	if err := <-sent; err != nil || h.seen("helo mx.example.com") != 100 {
		t.Errorf("%v, %d names", err, h.seen("helo"))
	}
}

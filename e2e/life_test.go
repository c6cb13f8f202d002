//go:build e2e

package e2e

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/mtatest"
)

func TestMonitorModeOnlySaysWhatItWouldDo(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "mode = \"monitor\"\n")
		for _, tc := range []struct {
			helo, from string
			want       map[string]string
		}{
			{"mail.bad.example", "a@bad.example", map[string]string{"action": "tempfail", "code": "450", "status": "4.7.25"}},
			{"mx.test", "a@dead.example", map[string]string{"action": "reject", "code": "550", "status": "5.7.1"}},
		} {
			mark := h.daemon.log.Len()
			c := h.hello(t, bad4, tc.helo)
			d := send(t, c, tc.from, "jo@example.net")
			quit(t, c)
			if !d.Accepted() {
				t.Errorf("monitor mode refused: %v", d.Last())
			}
			l := h.daemon.verdict(t, mark, bad4)
			checkLine(t, l, tc.want)
			checkLine(t, l, map[string]string{"mode": "monitor"})
			h.daemon.messages(t, mark, bad4, 1)
		}
	})
}

// tries lets a server come back, as a mail queue does, until it is let in or the
// time is up. It gives the replies to RCPT.
func (h *house) tries(t *testing.T, a netip.Addr, helo, from string, rcpts ...string) []mtatest.Reply {
	t.Helper()
	deadline := waiting(t)
	again := time.NewTicker(400 * time.Millisecond)
	defer again.Stop()
	var replies []mtatest.Reply
	for {
		c := h.hello(t, a, helo)
		d := send(t, c, from, rcpts...)
		quit(t, c)
		replies = append(replies, d.Rcpts[0])
		if d.Accepted() {
			return replies
		}
		select {
		case <-again.C:
		case <-deadline.Done():
			t.Fatalf("never let in: %v", replies)
		}
	}
}

// A tempfail is a question: the one who comes back honestly has answered it.
func TestAnHonestRetryPasses(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "retry.after = \"2s\"\n")
		for _, a := range []netip.Addr{bad4, bad6} {
			mark, start := h.daemon.log.Len(), time.Now()
			replies := h.tries(t, a, "mail.bad.example", "a@bad.example", "jo@example.net")
			// However slow the machine, this is no shorter than what the daemon saw.
			if waited := time.Since(start); len(replies) < 2 || waited < 2*time.Second {
				t.Errorf("let in after %d tries in %v, before retry.after: %v", len(replies), waited, replies)
			}
			for _, r := range replies[:len(replies)-1] {
				if !strings.HasPrefix(r.String(), "450 4.7.25 ") {
					t.Errorf("an early try got %v", r)
				}
			}
			got := h.daemon.verdicts(t, mark, a, len(replies))
			last := got[len(got)-1]
			checkLine(t, last, map[string]string{"action": "continue", "rcpts": "1"})
			if _, ok := last.findings()["retry-passed"]; !ok || last.findings()["rdns-missing"] == "" {
				t.Errorf("findings of the last try: %v", last.values)
			}
			// Its network passes from now on, whoever writes, but for worse than a tempfail.
			near := nth(a, 1)
			c := h.hello(t, near, "mail.bad.example")
			d := send(t, c, "b@bad.example", "al@example.net")
			if !d.Accepted() {
				t.Errorf("its neighbour: %v", d.Last())
			}
			d = send(t, c, "a@dead.example", "jo@example.net")
			quit(t, c)
			if d.Rcpts[0].Code != 550 {
				t.Errorf("a reject passed by a retry: %v", d.Rcpts[0])
			}
		}
	})
}

// Without the daemon mail waits outside; with it, all is as before.
func TestTheDaemonKilledMidSession(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		c := h.hello(t, good4, "mx.good.example")
		do(t, c, "MAIL FROM:<a@good.example>", 250)
		h.daemon.signal(t, os.Kill)
		if code := h.daemon.ended(t); code != -1 {
			t.Errorf("exit code %d", code)
		}
		do(t, c, "RCPT TO:<jo@example.net>", 451)
		quit(t, c)

		c = h.hello(t, good4, "mx.good.example")
		do(t, c, "MAIL FROM:<a@good.example>", 451)
		quit(t, c)

		// Its socket is left in the way, and is no hindrance.
		if _, err := os.Lstat(h.daemon.socket); err != nil {
			t.Errorf("the killed daemon's socket: %v", err)
		}
		h.daemon.start(t)
		c = h.hello(t, good4, "mx.good.example")
		if d := send(t, c, "a@good.example", "jo@example.net"); !d.Accepted() {
			t.Errorf("after the new start: %v", d.Last())
		}
		quit(t, c)
	})
}

// At SIGTERM a session within a transaction may end it; nobody else is let in.
func TestSIGTERMLetsAMessageEnd(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "milter.drain = \"25s\"\n")
		idle := h.hello(t, good4, "mx.good.example")
		c := h.hello(t, good6, "mx.good.example")
		do(t, c, "MAIL FROM:<a@good.example>", 250)
		do(t, c, "RCPT TO:<jo@example.net>", 250)
		do(t, c, "DATA", 354)
		h.daemon.signal(t, syscall.SIGTERM)
		h.waitUntilShut(t)
		do(t, idle, "MAIL FROM:<a@good.example>", 451)
		r := do(t, c, "Subject: the last one\r\n\r\nA test.\r\n.", 250)
		if code := h.daemon.ended(t); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
		if _, err := os.Lstat(h.daemon.socket); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
		checkLine(t, h.daemon.messages(t, 0, good6, 1)[0], map[string]string{"queue": h.queueID(t, r)})
		quit(t, c)
	})
}

// waitUntilShut returns when the daemon takes no more connections.
func (h *house) waitUntilShut(t *testing.T) {
	t.Helper()
	deadline := waiting(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		c := h.hello(t, good4, "mx.good.example")
		r, err := c.Do("MAIL FROM:<a@good.example>")
		c.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if r.Code == 451 {
			return
		}
		select {
		case <-again.C:
		case <-deadline.Done():
			t.Fatal("the daemon goes on taking connections")
		}
	}
}

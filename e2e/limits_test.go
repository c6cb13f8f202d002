//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/mtatest"
)

// outgoing is a limit on each account, as a key of daemonConfig.
func outgoing(most int, window string) string {
	return fmt.Sprintf("limit = [{ name = \"outgoing\", per = \"account\", max = %d, window = %q }]\naccounts.learn = \"0\"\n", most, window)
}

// openLimited opens a house with a control socket and state of its own.
func openLimited(t *testing.T, kind, extra string) *house {
	t.Helper()
	return openKept(t, kind, sessionZone(), extra)
}

// openKept opens a house that keeps its state.
func openKept(t *testing.T, kind, zone, extra string) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "state-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return openHouse(t, kind, zone, extra+fmt.Sprintf("state.path = %q\nadmin.control = %q\nadmin.listen = \"\"\n", dir, filepath.Join(dir, "control.sock")))
}

// login opens a session of joe, whose password both servers know.
func (h *house) login(t *testing.T, from netip.Addr) *mtatest.Client {
	t.Helper()
	c := h.hello(t, from, "laptop")
	do(t, c, "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00joe\x00secret")), 235)
	return c
}

// accounts are what the servers call joe: Postfix names the realm too.
var accounts = map[string]string{postfix: "joe@mx.test", sendmail: "joe"}

// overLimit is the reply of a limit at RCPT, as a client sees it.
var overLimit = regexp.MustCompile(`^450 4\.7\.28 (<[a-z]+@example\.net>\.\.\. )?3 messages in 1 hour for one account; again after \d\d:\d\d(:\d\d)? UTC( on \d+ [A-Z][a-z]+)? \[[0-9a-z]{12}\]$`)

// TestThreeMessagesAtALimitOfThree: on one connection; what was given back does not
// count, and the fourth is told what the limit is and when to come again.
func TestThreeMessagesAtALimitOfThree(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openLimited(t, kind, outgoing(3, "1h"))
		c := h.login(t, bad4)
		for range 2 { // what does not come to its end
			do(t, c, "MAIL FROM:<joe@example.net>", 250)
			do(t, c, "RCPT TO:<jo@example.net>", 250)
			do(t, c, "RSET", 250)
			do(t, c, "MAIL FROM:<joe@example.net>", 250)
			do(t, c, "RCPT TO:<jo@example.net>", 250)
			do(t, c, "EHLO laptop", 250)
		}
		for i := range 3 {
			if d := send(t, c, "joe@example.net", "jo@example.net", "nemo@example.net", "al@example.net"); !d.Accepted() || d.Rcpts[1].Code != 550 {
				t.Fatalf("message %d: %v; the dialogue:\n%s", i+1, d, c.Transcript())
			}
		}
		d := send(t, c, "joe@example.net", "jo@example.net", "postmaster@example.net")
		for _, r := range d.Rcpts {
			if !overLimit.MatchString(r.String()) {
				t.Errorf("got %v", r)
			}
		}
		quit(t, c)
		// Without a login, and so without an account, nobody is held by it.
		good := h.hello(t, good4, "mx.good.example")
		if d := send(t, good, "a@good.example", "jo@example.net"); !d.Accepted() {
			t.Errorf("another one: %v", d)
		}
		quit(t, good)
		got := h.daemon.verdicts(t, 0, bad4, 8)
		checkLine(t, got[7], map[string]string{"account": accounts[kind], "action": "tempfail", "code": "450", "status": "4.7.28", "rcpts": "2", "findings": "limit:outgoing:0"})
		h.control(t, "accounts", "show", accounts[kind]).has(t, `(?m)^outgoing +3 +3 messages +1h +tempfail +20`)
		h.control(t, "limits").has(t, `(?m)^outgoing +account +3 messages +1h +- +tempfail +1 +0$`)
		h.control(t, "accounts", "raise", accounts[kind], "--limit", "4/1h").has(t, `4 in 1h for outgoing, for good`)
		c = h.login(t, bad6)
		if d := send(t, c, "joe@example.net", "jo@example.net"); !d.Accepted() {
			t.Errorf("raised, and still: %v", d)
		}
		if d := send(t, c, "joe@example.net", "jo@example.net"); d.Rcpts[0].Code != 450 {
			t.Errorf("beyond that: %v", d)
		}
		quit(t, c)
	})
}

// An output is what a command printed.
type output string

func (o output) has(t *testing.T, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(string(o)) {
		t.Errorf("no %s in:\n%s", pattern, o)
	}
}

// control asks the daemon by a command of its own program.
func (h *house) control(t *testing.T, args ...string) output {
	t.Helper()
	out, ok := h.ask(t, args...)
	if !ok {
		t.Errorf("%v failed", args)
	}
	return output(out)
}

// TestParallelSessionsAtTheEdge: eight sessions race at the edge of a limit, some
// drop what they began, and exactly the allowance is delivered.
func TestParallelSessionsAtTheEdge(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		const sessions, each, allowance = 8, 6, 21
		h := openLimited(t, kind, outgoing(allowance, "24h"))
		clients := make([]*mtatest.Client, sessions)
		for i := range clients {
			clients[i] = h.login(t, []netip.Addr{bad4, bad6, good4, good6}[i%4])
		}
		var taken, refused [sessions]int
		var errs [sessions]error
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				for n := range each {
					if (i+n)%4 == 0 { // RSET follows, or a new MAIL
						if _, errs[i] = c.Do("MAIL FROM:<joe@example.net>"); errs[i] != nil {
							return
						}
						if _, errs[i] = c.Do("RSET"); errs[i] != nil {
							return
						}
					}
					d, err := c.SendMail("joe@example.net", "jo@example.net")
					if errs[i] = err; err != nil {
						return
					}
					switch {
					case d.Accepted():
						taken[i]++
					case len(d.Rcpts) == 1 && strings.HasPrefix(d.Rcpts[0].String(), "450 4.7.28 "):
						refused[i]++
					default:
						errs[i] = fmt.Errorf("message %d: %v", n+1, d)
						return
					}
				}
			})
		}
		all.Wait()
		sum, told := 0, 0
		for i := range clients {
			if errs[i] != nil {
				t.Fatalf("session %d: %v; the dialogue:\n%s", i+1, errs[i], clients[i].Transcript())
			}
			sum, told = sum+taken[i], told+refused[i]
			quit(t, clients[i])
		}
		if sum != allowance || told != sessions*each-allowance {
			t.Errorf("%d went through and %d were refused, want %d of %d", sum, told, allowance, sessions*each)
		}
		h.daemon.messages(t, 0, bad4, taken[0]+taken[4])
	})
}

// TestTheRampSpeaksForNewAccounts: at a new site first seen is new; on install day
// it is not known, and the ramp only reports.
func TestTheRampSpeaksForNewAccounts(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		for _, tc := range []struct{ name, learn, code, finding, age string }{
			{"a new site", "0", "^450 4.7.28 .*2 messages in 24 hours for a new account; again after ", "limit:new accounts:0", `(?m)^age .* first seen here$`},
			{"install day", "30d", "^250 ", "limit:new accounts:monitor", `(?m)^age +unknown, .* limits by age only report on it$`},
		} {
			t.Run(tc.name, func(t *testing.T) {
				h := openLimited(t, kind, fmt.Sprintf("limit = [{ name = \"new accounts\", max = 2 }]\naccounts.learn = %q\n", tc.learn))
				c := h.login(t, bad4)
				var d mtatest.Delivery
				for range 3 {
					d = send(t, c, "joe@example.net", "jo@example.net")
				}
				quit(t, c)
				if !regexp.MustCompile(tc.code).MatchString(d.Rcpts[0].String()) {
					t.Errorf("the third: %v", d)
				}
				checkLine(t, h.daemon.verdicts(t, 0, bad4, 3)[2], map[string]string{"account": accounts[kind], "findings": tc.finding})
				h.control(t, "accounts", "show", accounts[kind]).has(t, tc.age)
			})
		}
	})
}

// TestLimitsOutliveTheDaemon: what was counted stands after a clean stop, and after
// a kill that came a second later; so does what a command raised.
func TestLimitsOutliveTheDaemon(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  syscall.Signal
	}{{"stopped", syscall.SIGTERM}, {"killed", syscall.SIGKILL}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := openLimited(t, postfix, outgoing(2, "24h"))
			c := h.login(t, bad4)
			send(t, c, "joe@example.net", "jo@example.net")
			h.control(t, "accounts", "raise", accounts[postfix], "--limit", "3/24h")
			send(t, c, "joe@example.net", "jo@example.net")
			quit(t, c)
			h.daemon.messages(t, 0, bad4, 2)
			if tc.end == syscall.SIGKILL {
				h.waitKept(t)
			}
			h.daemon.signal(t, tc.end)
			h.daemon.ended(t)
			h.daemon.start(t)
			c = h.login(t, bad4)
			third := send(t, c, "joe@example.net", "jo@example.net")
			fourth := send(t, c, "joe@example.net", "jo@example.net")
			quit(t, c)
			if !third.Accepted() || fourth.Rcpts[0].Code != 450 {
				t.Errorf("the third %v, the fourth %v; want the third through, and no more", third, fourth)
			}
		})
	}
}

// waitKept waits until all that was counted by now is on disk.
func (h *house) waitKept(t *testing.T) {
	t.Helper()
	daemon, by, ctx := admin.Dial(config.ControlSocket(h.daemon.configPath())), time.Now(), waiting(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		st, err := daemon.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if st.Store.LastWrite.After(by) {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not on disk: %+v", st.Store)
		}
	}
}

// TestBlockedAccountsOutliveTheDaemon: who is blocked is refused by a real server, on a
// session that is open too; the daemon is killed as soon as the command has answered,
// and the block stands; released, the account sends again.
func TestBlockedAccountsOutliveTheDaemon(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openLimited(t, kind, outgoing(100, "24h"))
		blocked := regexp.MustCompile(`^450 4\.7\.1 (<[a-z]+@example\.net>\.\.\. )?The account that [0-9a-f.:]+ has logged in to is blocked; ask the postmaster of this site, who can release it \[[0-9a-z]{12}\]$`)
		refused := func(c *mtatest.Client) {
			t.Helper()
			d := send(t, c, "joe@example.net", "jo@example.net")
			if !blocked.MatchString(d.Rcpts[0].String()) {
				t.Errorf("blocked: %v", d)
			}
		}
		c := h.login(t, bad4)
		if d := send(t, c, "joe@example.net", "jo@example.net"); !d.Accepted() {
			t.Fatalf("before: %v", d)
		}
		do(t, c, "MAIL FROM:<joe@example.net>", 250)
		do(t, c, "RCPT TO:<jo@example.net>", 250)
		do(t, c, "DATA", 354)
		h.control(t, "accounts", "block", accounts[kind], "--reason", "ticket 1").has(t, `is blocked until it is released`)
		if r := do(t, c, "Subject: on its way\r\n\r\nhello\r\n.", 450); !blocked.MatchString(r.String()) {
			t.Errorf("blocked while the text was under way: %v", r)
		}
		refused(c)
		if d := send(t, c, "joe@example.net", "postmaster@example.net"); !d.Accepted() {
			t.Errorf("to postmaster: %v", d)
		}
		quit(t, c)
		for _, pattern := range []string{"block", "release", "block"} { // the last word counts
			h.control(t, "accounts", pattern, accounts[kind])
		}
		h.daemon.signal(t, syscall.SIGKILL)
		h.daemon.ended(t)
		h.daemon.start(t)
		c = h.login(t, bad6)
		refused(c)
		h.control(t, "accounts", "blocked").has(t, regexp.QuoteMeta(accounts[kind])+` .* released +tempfail +uid 0`)
		h.control(t, "accounts", "show", accounts[kind]).has(t, `(?m)^outgoing +2 +100 messages`) // the first, and that to postmaster
		h.control(t, "accounts", "release", accounts[kind]).has(t, `may send again`)
		h.daemon.signal(t, syscall.SIGKILL)
		h.daemon.ended(t)
		h.daemon.start(t)
		if d := send(t, h.login(t, bad4), "joe@example.net", "jo@example.net"); !d.Accepted() {
			t.Errorf("released: %v", d)
		}
	})
}

// TestKilledUnderLoad: eight sessions send as fast as they can when the daemon is killed; what
// was on disk then is counted, so that beyond the allowance no more goes through than was
// accepted since the last writing.
func TestKilledUnderLoad(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		const sessions, before, allowance = 8, 80, 120
		// Without the limit on new accounts, which is the lower one.
		h := openLimited(t, kind, fmt.Sprintf("limit = [{ name = \"outgoing\", per = \"account\", max = %d, window = \"24h\" }, { name = \"new accounts\", action = \"off\" }]\n", allowance))
		c := h.login(t, bad4) // so that the account is known, and something is on disk
		send(t, c, "joe@example.net", "jo@example.net")
		quit(t, c)
		h.waitKept(t)
		enough, at := make(chan struct{}), make(chan time.Time, 2*allowance)
		var once sync.Once
		var taken atomic.Int64
		load := h.flood(t, sessions, func(when time.Time) {
			at <- when
			if taken.Add(1) >= before {
				once.Do(func() { close(enough) })
			}
		}, func(string) bool { return true })
		kept := h.lastKept(t, enough) // of a time before which all is on disk
		h.daemon.signal(t, syscall.SIGKILL)
		h.daemon.ended(t)
		load.Wait()
		close(at)
		unkept := 0
		for when := range at {
			if when.After(kept) {
				unkept++
			}
		}
		h.daemon.start(t)
		h.flood(t, sessions, func(time.Time) { taken.Add(1) }, func(last string) bool {
			if !strings.HasPrefix(last, "450 4.7.28 ") {
				t.Errorf("refused by another than the limit: %s", last)
			}
			return true
		}).Wait()
		got := int(taken.Load()) + 1
		t.Logf("%d went through at an allowance of %d; %d were accepted after the last writing that was seen", got, allowance, unkept)
		if most, least := allowance+unkept, allowance-sessions; got > most || got < least {
			t.Errorf("%d went through, want %d to %d", got, least, most)
		}
	})
}

// flood has sessions of joe send, and tells when each message was accepted. A session ends
// when done says so of an answer that is another.
func (h *house) flood(t *testing.T, sessions int, accepted func(time.Time), done func(answer string) bool) *sync.WaitGroup {
	t.Helper()
	all := new(sync.WaitGroup)
	for i := range sessions {
		c := h.login(t, []netip.Addr{bad4, bad6, good4, good6}[i%4])
		all.Go(func() {
			for {
				switch d, err := c.SendMail("joe@example.net", "jo@example.net"); {
				case err != nil:
					done(err.Error())
					return
				case d.Accepted():
					accepted(time.Now())
				case done(d.Last().String()):
					return
				}
			}
		})
	}
	return all
}

// lastKept asks the daemon how it keeps its state until enough is closed, and gives the
// latest time before which all is on disk.
func (h *house) lastKept(t *testing.T, enough <-chan struct{}) (kept time.Time) {
	t.Helper()
	daemon, ctx := admin.Dial(config.ControlSocket(h.daemon.configPath())), waiting(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-enough:
			return kept
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("too little went through to begin")
		}
		if st, err := daemon.Status(ctx); err == nil {
			kept = st.Store.LastWrite
		}
	}
}

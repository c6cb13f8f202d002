package engine

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/memory"
	"mailprofiled/profile"
)

const (
	fromGood = "<joe@good.example>"
	toUser   = "<user@here.example>"
)

func TestAnswers(t *testing.T) {
	tests := []struct {
		name             string
		client           string
		helo, from, rcpt string
		want             profile.Action
		status           string
	}{
		{"a good server is let through", "192.0.2.7", "mail.good.example", fromGood, toUser, profile.Continue, ""},
		{"a good server over IPv6 too", "2001:db8::7", "six.good.example", "<joe@good.example>", toUser, profile.Continue, ""},
		{"no reverse name: come back", "192.0.2.66", "helo.elsewhere.example", fromGood, toUser, profile.TempFail, "4.7.25"},
		{"our own name as HELO", "192.0.2.7", "mx.here.example", fromGood, toUser, profile.Reject, "5.7.1"},
		{"null MX as sender domain", "192.0.2.7", "mail.good.example", "<x@null.example>", toUser, profile.Reject, "5.7.27"},
		{"sender domain does not exist", "192.0.2.7", "mail.good.example", "<x@nowhere.example>", toUser, profile.Reject, "5.1.8"},
		{"sender domain cannot be looked up", "192.0.2.7", "mail.good.example", "<x@broken.example>", toUser, profile.Continue, ""},
		{"the null sender", "192.0.2.7", "mail.good.example", "<>", toUser, profile.Continue, ""},
		{"postmaster hears the worst client", "192.0.2.66", "mx.here.example", "<x@nowhere.example>", "<PostMaster@here.example>", profile.Continue, ""},
		{"loopback is exempt", "127.0.0.1", "localhost", "<x@nowhere.example>", toUser, profile.Continue, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, world(), nil)
			got := h.deliver(Client{Addr: netip.MustParseAddr(tt.client)}, tt.helo, tt.from, tt.rcpt)
			if got.Action != tt.want || got.Status != tt.status {
				t.Errorf("got %v %s (%s), want %v %s\n%s", got.Action, got.Status, got.Text, tt.want, tt.status, h.log)
			}
		})
	}
}

func TestConnectHeloAndMailDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.dead["*"] = true
		h := newHarness(t, f, nil)
		start := time.Now()
		v := h.Connect(good)
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v before RCPT", waited)
		}
		v.Close()
		synctest.Wait()
	})
}

func TestDeadDNSCostsTheBudgetOnceATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.dead["*"] = true
		h := newHarness(t, f, nil)
		v := h.Connect(good)
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		start := time.Now()
		if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue {
			t.Errorf("with DNS dead: %+v, want the mail to go on", a)
		}
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("the first recipient waited %v, want the budget", waited)
		}
		start = time.Now()
		v.Rcpt(Rcpt{To: "<second@here.example>"})
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the second recipient waited %v for the same unknowns", waited)
		}
		v.Close()
		synctest.Wait()
	})
}

func TestDNSTimeHidesBehindTheDialogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.delay = time.Second
		h := newHarness(t, f, nil)
		v := h.Connect(good)
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		time.Sleep(3 * time.Second) // the client thinks
		start := time.Now()
		v.Rcpt(Rcpt{To: toUser})
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for what was long back", waited)
		}
		v.Close()
	})
}

func TestColdVisitTakesThreeRoundTripsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.delay = 20 * time.Millisecond
		h := newHarness(t, f, nil)
		start := time.Now()
		h.deliver(good, "mail.good.example", fromGood, toUser)
		if waited := time.Since(start); waited > 60*time.Millisecond {
			t.Errorf("a cold visit took %v, want three round trips of 20ms at most", waited)
		}
	})
}

func TestEndedVisitLetsGoOfItsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.dead["*"] = true
		h := newHarness(t, f, nil)
		v := h.Connect(good)
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		synctest.Wait()
		v.Close()
		synctest.Wait()
		if f.canceled < 4 { // PTR, A and AAAA of the HELO, MX of the sender's domain ...
			t.Errorf("%d look-ups were let go of", f.canceled)
		}
	})
}

func TestNewMailLetsGoOfTheOldSendersLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.dead["slow.example MX"] = true
		h := newHarness(t, f, nil)
		v := h.Connect(good)
		v.Helo("mail.good.example")
		v.Mail(Mail{From: "<x@slow.example>"})
		synctest.Wait()
		v.Mail(Mail{From: fromGood})
		synctest.Wait()
		if f.canceled != 1 {
			t.Errorf("%d look-ups were let go of, want the one for slow.example", f.canceled)
		}
		v.Close()
	})
}

func TestLastHeloCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.dead["slow.example A"] = true
		h := newHarness(t, f, nil)
		v := h.Connect(good)
		defer v.Close()
		v.Helo("slow.example")
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		start := time.Now()
		if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue {
			t.Errorf("got %+v", a)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for the HELO before", waited)
		}
	})
}

func TestNextTransactionAsksAgainWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		f.dead["192.0.2.7 PTR"] = true
		h := newHarness(t, f, nil)
		v := h.Connect(good)
		defer v.Close()
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		v.Rcpt(Rcpt{To: toUser})
		v.Abort()
		time.Sleep(2 * time.Hour) // the question ends, unanswered
		f.mu.Lock()
		f.dead = map[string]bool{}
		f.mu.Unlock()
		v.Mail(Mail{From: fromGood})
		v.Rcpt(Rcpt{To: toUser})
		v.EndOfMessage("Q")
		if n := f.timesAsked("192.0.2.7 PTR"); n != 2 {
			t.Errorf("PTR was asked %d times, want 2", n)
		}
		last := h.lines("verdict")[1]
		if !strings.Contains(last, "ptr=mail.good.example") {
			t.Errorf("the second transaction does not know the PTR: %s", last)
		}
	})
}

func TestHonestRetryPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, world(), nil)
		try := func() Answer { return h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser) }
		if a := try(); a.Action != profile.TempFail {
			t.Fatalf("first visit: %+v, want tempfail", a)
		}
		time.Sleep(30 * time.Second)
		if a := try(); a.Action != profile.TempFail {
			t.Fatalf("too early: %+v, want tempfail", a)
		}
		time.Sleep(31 * time.Second)
		if a := try(); a.Action != profile.Continue {
			t.Fatalf("honest retry: %+v, want continue", a)
		}
		verdicts := h.lines("verdict")
		if last := verdicts[len(verdicts)-1]; !strings.Contains(last, "retry-passed:0") {
			t.Errorf("the log does not say why it passed: %s", last)
		}
	})
}

func TestWaitingWithinAVisitIsNotComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, world(), nil)
		v := h.Connect(nameless)
		defer v.Close()
		v.Helo("helo.elsewhere.example")
		v.Mail(Mail{From: fromGood})
		for range 3 {
			if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.TempFail {
				t.Fatalf("got %+v, want tempfail", a)
			}
			time.Sleep(time.Hour)
		}
		v.Mail(Mail{From: fromGood})
		v.Rcpt(Rcpt{To: "<new@here.example>"})
		if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue {
			t.Errorf("a recipient deferred before, behind a new one: %+v, want continue", a)
		}
	})
}

func TestUnreadableClientAddressIsSaid(t *testing.T) {
	h := newHarness(t, world(), nil)
	for range 3 {
		if a := h.deliver(Client{}, "localhost", fromGood, toUser); a.Action != profile.Continue {
			t.Errorf("got %+v, want continue: not knowing is not evidence", a)
		}
	}
	if n := strings.Count(h.log.String(), "cannot be read"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
}

func TestExplainAtMail(t *testing.T) {
	h := newHarness(t, world(), func(o *Options) { o.AnswerAtMail = true })
	helo, from := "mx.here.example", "joe@good.example"
	rec := h.Explain(Query{Client: good.Addr, Helo: &helo, From: &from, Rcpts: []string{"postmaster"}})
	if rec.Stage != "mail" || rec.Recipients[0].Action != "reject" {
		t.Errorf("stage %s, %+v, want what the daemon says at MAIL", rec.Stage, rec.Recipients[0])
	}
}

func TestHonestRetryPassesAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, world(), func(o *Options) {
			o.AnswerAtMail = true
			o.Retries = memory.NewRetries(memory.Windows{After: time.Minute, Within: time.Hour}) // keep = "0"
		})
		if a := h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser); a.Action != profile.TempFail {
			t.Fatalf("first visit: %+v", a)
		}
		time.Sleep(2 * time.Minute)
		if a := h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser); a.Action != profile.Continue {
			t.Errorf("passed at MAIL, and at RCPT: %+v", a)
		}
	})
}

func TestRetryNeverLiftsAReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, world(), nil)
		for range 3 {
			if a := h.deliver(nameless, "mx.here.example", fromGood, toUser); a.Action != profile.Reject {
				t.Fatalf("got %+v, want reject", a)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestMonitorLetsThroughLogsAndLearnsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, world(), func(o *Options) { o.Monitor = true })
		for range 2 {
			if a := h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser); a != (Answer{}) {
				t.Fatalf("monitor mode answered %+v", a)
			}
			time.Sleep(time.Hour)
		}
		for _, line := range h.lines("verdict") {
			if !strings.Contains(line, "action=tempfail code=450") || !strings.Contains(line, "mode=monitor") {
				t.Errorf("the log does not say what would have been said: %s", line)
			}
		}
	})
}

func TestAuthenticatedClientSkipsServerChecks(t *testing.T) {
	h := newHarness(t, world(), nil)
	v := h.Connect(Client{Addr: netip.MustParseAddr("198.51.100.9")})
	v.Helo("[10.0.0.5]")
	v.Mail(Mail{From: "<x@nowhere.example>", Account: "joe"})
	if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue {
		t.Errorf("got %+v", a)
	}
	v.EndOfMessage("Q")
	v.Close()
	if line := h.lines("verdict")[0]; !strings.Contains(line, "account=joe") || strings.Contains(line, "findings=") {
		t.Errorf("got %s", line)
	}
}

func TestAuthenticatedButNotExempt(t *testing.T) {
	h := newHarness(t, world(), func(o *Options) { o.Exempt.Authenticated = false })
	v := h.Connect(good)
	v.Helo("localhost")
	v.Mail(Mail{From: fromGood, Account: "joe"})
	if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Reject {
		t.Errorf("got %+v, want the server checks to hold", a)
	}
	v.Close()
}

func TestExemptNetworkAsksNothing(t *testing.T) {
	f := world()
	h := newHarness(t, f, func(o *Options) { o.Exempt.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	h.deliver(nameless, "mx.here.example", "<x@nowhere.example>", toUser)
	if len(f.asked) > 0 {
		t.Errorf("asked %v", f.asked)
	}
}

func TestAnswerAtMail(t *testing.T) {
	h := newHarness(t, world(), func(o *Options) { o.AnswerAtMail = true })
	v := h.Connect(good)
	v.Helo("mx.here.example")
	if a := v.Mail(Mail{From: fromGood}); a.Action != profile.Reject {
		t.Errorf("got %+v at MAIL, want reject", a)
	}
	v.Close()
	if line := h.lines("verdict")[0]; !strings.Contains(line, "stage=mail action=reject") {
		t.Errorf("got %s", line)
	}
}

func TestMailWithoutHelo(t *testing.T) {
	h := newHarness(t, world(), nil)
	v := h.Connect(good)
	v.Mail(Mail{From: fromGood})
	if a := v.Rcpt(Rcpt{To: toUser}); a.Code != 503 || a.Status != "5.5.1" {
		t.Errorf("got %+v, want 503 5.5.1", a)
	}
	v.Close()
}

func TestWhatTheMTASaysOfItselfIsUs(t *testing.T) {
	h := newHarness(t, world(), nil)
	c := good
	c.MTA = MTA{Name: "MTA.Elsewhere.example", IfAddr: netip.MustParseAddr("203.0.113.200")}
	for _, helo := range []string{"mta.elsewhere.example", "[203.0.113.200]"} {
		if a := h.deliver(c, helo, fromGood, toUser); a.Action != profile.Reject {
			t.Errorf("HELO %s: %+v, want reject: it is us", helo, a)
		}
	}
}

func TestPanicInALookupIsAFailedLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, key := range []string{"192.0.2.7 PTR", "mail.good.example AAAA", "good.example MX", "good.example AAAA"} {
			f := world()
			f.panics = key
			h := newHarness(t, f, nil)
			if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Continue {
				t.Errorf("%s panicked: %+v, want continue", key, a)
			}
			if len(h.lines("panic")) == 0 && !strings.Contains(h.log.String(), "msg=panic") {
				t.Errorf("%s panicked, and the log says nothing", key)
			}
		}
	})
}

func TestLogOneLineForEachDistinctAnswer(t *testing.T) {
	h := newHarness(t, world(), nil)
	v := h.Connect(nameless)
	v.Helo("helo.elsewhere.example")
	v.Mail(Mail{From: fromGood})
	first := v.Rcpt(Rcpt{To: "<a@here.example>"})
	v.Rcpt(Rcpt{To: "<b@here.example>"})
	v.Rcpt(Rcpt{To: "<unknown@here.example>", Refused: true, Status: "5.1.1"})
	v.Rcpt(Rcpt{To: "<postmaster>", QueueID: "4XyZ"})
	v.EndOfMessage("")
	v.Abort()
	v.Abort()
	v.Close()
	verdicts, messages := h.lines("verdict"), h.lines("message")
	if len(verdicts) != 2 || len(messages) != 1 {
		t.Fatalf("got %d verdict and %d message lines\n%s", len(verdicts), len(messages), h.log)
	}
	for i, want := range []string{"rcpts=2 rcpt=<a@here.example> stage=rcpt action=tempfail code=450", "rcpts=1 rcpt=<postmaster> stage=rcpt action=continue score="} {
		if !strings.Contains(verdicts[i], want) {
			t.Errorf("line %d: %s\nwant in it: %s", i, verdicts[i], want)
		}
	}
	if want := "msg=message id=" + first.ID + " client=192.0.2.66 queue=4XyZ rcpts=1"; messages[0] != want {
		t.Errorf("got %s\nwant %s", messages[0], want)
	}
}

func TestLogKeys(t *testing.T) {
	h := newHarness(t, world(), nil)
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	h.deliver(good, "mail.good.example", fromGood, toUser)
	key := regexp.MustCompile(`(?:^| )([a-z]+)=`)
	want := [][]string{
		{"msg", "id", "client", "helo", "from", "rcpts", "rcpt", "stage", "action", "code", "status", "score", "findings", "policy", "mode", "took"},
		{"msg", "id", "client", "ptr", "helo", "from", "rcpts", "rcpt", "stage", "action", "score", "findings", "policy", "mode", "took"},
	}
	for i, line := range h.lines("verdict") {
		var keys []string
		for _, m := range key.FindAllStringSubmatch(line, -1) {
			keys = append(keys, m[1])
		}
		if !slices.Equal(keys, want[i]) {
			t.Errorf("got  %v\nwant %v\n%s", keys, want[i], line)
		}
	}
}

func TestNoMailNoLine(t *testing.T) {
	h := newHarness(t, world(), nil)
	v := h.Connect(good)
	v.Helo("mail.good.example")
	v.Abort()
	v.EndOfMessage("Q")
	v.Close()
	if h.log.Len() > 0 {
		t.Errorf("got %s", h.log)
	}
}

func TestHostileTextStaysInItsLine(t *testing.T) {
	h := newHarness(t, world(), nil)
	evil := "a\r\nmsg=verdict id=forged \x00\x1b[2J\u202e" + strings.Repeat("x", 5000)
	h.deliver(good, evil, "<"+evil+"@good.example>", "<"+evil+"@here.example>")
	if n := strings.Count(h.log.String(), "\n"); n != 1 || h.log.Len() > 6000 {
		t.Errorf("%d lines of %d bytes", n, h.log.Len())
	}
}

func TestHelpURLCarriesTheID(t *testing.T) {
	h := newHarness(t, world(), func(o *Options) { o.HelpURL = "https://help.here.example/{id}" })
	a := h.deliver(good, "mx.here.example", fromGood, toUser)
	if a.Help != "https://help.here.example/"+a.ID || !regexp.MustCompile(`^[0-9a-z]{12}$`).MatchString(a.ID) {
		t.Errorf("got %q, id %q", a.Text, a.ID)
	}
}

func BenchmarkWarmVisit(b *testing.B) {
	f := world()
	f.caching = true
	h := newHarness(b, f, nil)
	h.deliver(good, "mail.good.example", fromGood, toUser)
	b.ReportAllocs()
	for b.Loop() {
		h.log.Reset()
		h.deliver(good, "mail.good.example", fromGood, toUser)
	}
}

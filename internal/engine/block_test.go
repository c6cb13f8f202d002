package engine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// newBlocked is an engine with a limit and blocks.
func newBlocked(t testing.TB, change func(*Options)) (*limited, *ratelimit.Blocks) {
	t.Helper()
	blocks := new(ratelimit.Blocks)
	l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, 100), func(o *Options) {
		o.Blocks = blocks
		if change != nil {
			change(o)
		}
	})
	return l, blocks
}

func mustBlock(t testing.TB, x *ratelimit.Blocks, b ratelimit.Block) {
	t.Helper()
	if _, err := x.Add(b, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestBlockedAccountsAreRefused: by the login in any case, at the client's next recipient,
// and it costs nothing of its limits; who has another login, or none, passes.
func TestBlockedAccountsAreRefused(t *testing.T) {
	l, blocks := newBlocked(t, nil)
	v := l.Connect(nameless)
	defer v.Close()
	if got := actions(sendOne(v, "Jo@Here.example", toUser)); got != "continue" {
		t.Fatalf("before: %s", got)
	}
	mustBlock(t, blocks, ratelimit.Block{Account: "jo@here.example", By: "uid 0", Owner: "al", Reason: "ticket 1"})
	all := sendOne(v, "Jo@Here.example", toUser, "<postmaster@here.example>", "<b@other.example>")
	if got := actions(all); got != "tempfail continue tempfail" {
		t.Fatalf("blocked: %s\n%s", got, l.log)
	}
	if a := all[0]; a.Code != 450 || a.Status != "4.7.1" || !strings.Contains(a.Text, "has logged in to is blocked") || !strings.Contains(a.Text, "postmaster") {
		t.Errorf("the reply is %+v", a)
	}
	if got := l.used(ratelimit.Subject{Account: "jo@here.example"}); got != 2 { // the one before, and that to postmaster
		t.Errorf("%d used", got)
	}
	lines := l.lines("verdict")
	if line := lines[1]; !strings.Contains(line, "action=tempfail code=450 status=4.7.1") || !strings.Contains(line, "findings=account-blocked:0") || !strings.Contains(line, "rcpts=2") {
		t.Errorf("the log says %s", line)
	}
	if line := lines[2]; !strings.Contains(line, "action=continue") || !strings.Contains(line, "findings=account-blocked:0") {
		t.Errorf("of the mail to postmaster the log says %s", line)
	}
	if got := actions(sendOne(v, "al@here.example", toUser)); got != "continue" {
		t.Errorf("another account: %s", got)
	}
	rec := l.Explain(Query{Client: nameless.Addr, Account: "JO@here.example", Rcpts: []string{"x@other.example"}})
	if r := rec.Recipients[0]; r.Action != "tempfail" || r.Status != "4.7.1" || len(rec.Findings) != 1 ||
		rec.Findings[0].ID != "account-blocked" || !strings.HasSuffix(rec.Findings[0].Detail, " by uid 0 (al): ticket 1") {
		t.Errorf("explained: %+v, %+v", rec.Findings, r)
	}
	if _, ok := blocks.Release("jo@here.example", "uid 0", time.Now()); !ok {
		t.Fatal("not released")
	}
	if got := actions(sendOne(v, "Jo@Here.example", toUser)); got != "continue" {
		t.Errorf("released: %s", got)
	}
}

// TestBlocksHoldAtOnce: in a transaction that is open, too; and so does a release, and the
// end of its time.
func TestBlocksHoldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, blocks := newBlocked(t, nil)
		v := l.Connect(nameless)
		defer v.Close()
		v.Mail(Mail{From: fromGood, Account: "jo"})
		check := func(step string, want profile.Action) {
			t.Helper()
			if a := v.Rcpt(Rcpt{To: toUser}); a.Action != want {
				t.Errorf("%s: %+v, want %v", step, a, want)
			}
		}
		check("before", profile.Continue)
		mustBlock(t, blocks, ratelimit.Block{Account: "jo"})
		check("blocked", profile.TempFail)
		mustBlock(t, blocks, ratelimit.Block{Account: "jo", Reject: true, Until: time.Now().Add(time.Hour)})
		check("changed", profile.Reject)
		blocks.Release("jo", "", time.Now())
		check("released", profile.Continue)
		mustBlock(t, blocks, ratelimit.Block{Account: "jo", Until: time.Now().Add(time.Hour)})
		check("blocked anew", profile.TempFail)
		time.Sleep(time.Hour)
		check("its time is over", profile.Continue)
	})
}

// TestBlocksAreOnlySaid: in monitor mode, and where [points] watches or is off.
func TestBlocksAreOnlySaid(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Options)
		said   string
	}{
		"monitor mode": {func(o *Options) { o.Monitor = true }, "action=tempfail code=450 status=4.7.1 score=0 findings=account-blocked:0"},
		"watched":      {func(o *Options) { o.Policy.Points["account-blocked"] = profile.Points{Rule: profile.Monitor} }, "action=continue score=0 findings=account-blocked:monitor"},
		"off":          {func(o *Options) { o.Policy.Points["account-blocked"] = profile.Points{Rule: profile.Off} }, "action=continue score=0 policy"},
	} {
		t.Run(name, func(t *testing.T) {
			l, blocks := newBlocked(t, tt.change)
			mustBlock(t, blocks, ratelimit.Block{Account: "jo"})
			v := l.Connect(nameless)
			defer v.Close()
			if got := actions(sendOne(v, "jo", toUser)); got != "continue" {
				t.Errorf("got %s", got)
			}
			if line := l.lines("verdict")[0]; !strings.Contains(line, tt.said) {
				t.Errorf("no %q in %s", tt.said, line)
			}
		})
	}
}

// TestBlocksAtMail: where it is answered at MAIL, that is where a blocked account is told.
func TestBlocksAtMail(t *testing.T) {
	l, blocks := newBlocked(t, func(o *Options) { o.AnswerAtMail = true })
	mustBlock(t, blocks, ratelimit.Block{Account: "jo", Reject: true})
	v := l.Connect(nameless)
	defer v.Close()
	if a := v.Mail(Mail{From: fromGood, Account: "jo"}); a.Code != 550 || a.Status != "5.7.1" || !strings.Contains(a.Text, "blocked") {
		t.Errorf("at MAIL: %+v", a)
	}
	if a := v.Mail(Mail{From: fromGood, Account: "al"}); a.Action != profile.Continue {
		t.Errorf("another account: %+v", a)
	}
}

// TestBlocksHoldWhereOnlyLimitsDo: beyond the last place for a session, and after a panic.
func TestBlocksHoldWhereOnlyLimitsDo(t *testing.T) {
	l, blocks := newBlocked(t, nil)
	mustBlock(t, blocks, ratelimit.Block{Account: "jo"})
	v := l.ConnectLimited(nameless, nil)
	defer v.Close()
	if got := actions(sendOne(v, "jo", toUser, "<abuse@here.example>")); got != "tempfail continue" {
		t.Errorf("got %s\n%s", got, l.log)
	}
	if got := actions(sendOne(v, "al", toUser)); got != "continue" {
		t.Errorf("another account: %s", got)
	}
}

// TestBlocksWithoutExemption: where who logs in is judged like a stranger, the block speaks
// all the same, before the score.
func TestBlocksWithoutExemption(t *testing.T) {
	l, blocks := newBlocked(t, func(o *Options) { o.Exempt.Authenticated = false })
	mustBlock(t, blocks, ratelimit.Block{Account: "jo"})
	v := l.Connect(nameless)
	defer v.Close()
	v.Helo("localhost")
	all := sendOne(v, "jo", toUser)
	if a := all[0]; a.Code != 450 || a.Status != "4.7.1" || !strings.Contains(a.Text, "blocked") {
		t.Errorf("got %+v\n%s", a, l.log)
	}
}

// TestBlocksHoldAtTheEnd: a message is not taken whose account was blocked since its recipients
// went on, whatever else was let through by then; nothing of it is counted, and the log has one line more.
func TestBlocksHoldAtTheEnd(t *testing.T) {
	block := func(t *testing.T, x *ratelimit.Blocks) { mustBlock(t, x, ratelimit.Block{Account: "jo"}) }
	for name, tt := range map[string]struct {
		change func(*Options)
		rcpts  []string
		block  func(*testing.T, *ratelimit.Blocks)
		want   string
	}{
		"for now":             {nil, []string{toUser, "<b@other.example>"}, block, "450 4.7.1"},
		"for good":            {nil, []string{toUser}, func(t *testing.T, x *ratelimit.Blocks) { mustBlock(t, x, ratelimit.Block{Account: "jo", Reject: true}) }, "550 5.7.1"},
		"one of them is open": {nil, []string{"<abuse@here.example>", toUser}, block, "450 4.7.1"},
		"all are open":        {nil, []string{"<postmaster@here.example>", "<abuse@here.example>"}, block, ""},
		"one is exempt":       {func(o *Options) { o.Exempt.Recipients = []string{"user@here.example"} }, []string{toUser}, block, ""},
		"released meanwhile": {nil, []string{toUser}, func(t *testing.T, x *ratelimit.Blocks) {
			block(t, x)
			x.Release("jo", "", time.Now())
		}, ""},
		"another account": {nil, []string{toUser}, func(t *testing.T, x *ratelimit.Blocks) { mustBlock(t, x, ratelimit.Block{Account: "al"}) }, ""},
		"monitor mode":    {func(o *Options) { o.Monitor = true }, []string{toUser}, block, ""},
		"watched":         {func(o *Options) { o.Policy.Points["account-blocked"] = profile.Points{Rule: profile.Monitor} }, []string{toUser}, block, ""},
		"at MAIL":         {func(o *Options) { o.AnswerAtMail = true }, []string{toUser}, block, "450 4.7.1"},
	} {
		t.Run(name, func(t *testing.T) {
			l, blocks := newBlocked(t, tt.change)
			v := l.Connect(nameless)
			defer v.Close()
			v.Mail(Mail{From: fromGood, Account: "jo"})
			for _, to := range tt.rcpts {
				if a := v.Rcpt(Rcpt{To: to}); a.Action != profile.Continue {
					t.Fatalf("%s: %+v", to, a)
				}
			}
			tt.block(t, blocks)
			a, got := v.EndOfMessage("Q1"), ""
			if a.Action != profile.Continue {
				got = fmt.Sprintf("%d %s", a.Code, a.Status)
			}
			if got != tt.want {
				t.Fatalf("%+v, want %q\n%s", a, tt.want, l.log)
			}
			taken := 1
			if tt.want != "" {
				taken = 0
				if line := l.lines("verdict")[1]; !strings.Contains(line, "stage=eom") || !strings.Contains(line, fmt.Sprintf("rcpts=%d ", len(tt.rcpts))) || !strings.Contains(line, "findings=account-blocked:0") {
					t.Errorf("the log says %s", line)
				}
			}
			if n := l.used(ratelimit.Subject{Account: "jo"}); n != taken {
				t.Errorf("%d messages count, want %d", n, taken)
			}
			if n := len(l.lines("message")); n != taken {
				t.Errorf("%d messages are said to be taken, want %d", n, taken)
			}
			v.Abort() // as Postfix does
			v.Abort()
			if got := actions(sendOne(v, "el", toUser)); got != "continue" {
				t.Errorf("the next account: %s", got)
			}
		})
	}
}

// TestBlocksHoldAtTheEndAfterAPanic: who is blocked does not profit of a session that broke.
func TestBlocksHoldAtTheEndAfterAPanic(t *testing.T) {
	l, blocks := newBlocked(t, nil)
	broken := l.Connect(nameless)
	broken.Mail(Mail{From: fromGood, Account: "jo"})
	broken.Rcpt(Rcpt{To: toUser})
	v := l.ConnectLimited(nameless, broken)
	broken.Close()
	defer v.Close()
	mustBlock(t, blocks, ratelimit.Block{Account: "jo"})
	if a := v.EndOfMessage("Q1"); a.Code != 450 || !strings.Contains(a.Text, "blocked") {
		t.Errorf("%+v\n%s", a, l.log)
	}
	if n := l.used(ratelimit.Subject{Account: "jo"}); n != 0 {
		t.Errorf("%d messages count", n)
	}
}

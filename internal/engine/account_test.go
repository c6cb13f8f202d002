package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/ratelimit"
)

// TestLoginsOfOneAccount: they are counted, blocked and aged as one; the log shows the login.
func TestLoginsOfOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocks := new(ratelimit.Blocks)
		w := new(watcher)
		l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, 2), func(o *Options) {
			o.Blocks, o.Limits.Watch = blocks, w
			o.AccountKey = func(login string) string { return strings.TrimSuffix(strings.ToLower(login), "@mx.test") }
		})
		l.accounts.Age("joe@mx.test", time.Time{}, time.Now()) // counted by its login, before
		time.Sleep(24 * time.Hour)
		v := l.Connect(nameless)
		defer v.Close()
		var got []string
		for _, login := range []string{"joe", "Joe@MX.test", "joe@mx.test", "joe@other.test"} {
			got = append(got, actions(sendOne(v, login, toUser)))
		}
		if all := strings.Join(got, ", "); all != "continue, continue, tempfail, continue" {
			t.Fatalf("got %s\n%s", all, l.log)
		}
		if used := l.used(ratelimit.Subject{Account: "joe"}); used != 2 {
			t.Errorf("%d used", used)
		}
		if age := l.accounts.Peek("joe", time.Now()); age.AtLeast < 24*time.Hour {
			t.Errorf("under its name it looks new: %+v", age)
		}
		if line := l.lines("verdict")[1]; !strings.Contains(line, " account=Joe@MX.test ") {
			t.Errorf("the log says %s", line)
		}
		if len(w.told) != 1 || !strings.HasPrefix(w.told[0], "joe it") {
			t.Errorf("told %q", w.told)
		}
		mustBlock(t, blocks, ratelimit.Block{Account: "joe"})
		if a := sendOne(v, "joe@MX.TEST", toUser)[0]; a.Status != "4.7.1" {
			t.Errorf("blocked: %+v", a)
		}
		rec := l.Explain(Query{Client: nameless.Addr, Account: "joe@mx.test", Rcpts: []string{"a@here.example"}})
		if rec.Recipients[0].Status != "4.7.1" || rec.Account != "joe@mx.test" {
			t.Errorf("explained: %+v", rec)
		}
	})
}

// TestADirectoryThatFailsMakesNobodyNew: an account of years whose first mail comes while the
// directory is away is of unknown age, and that mail is not remembered as its first.
func TestADirectoryThatFailsMakesNobodyNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		down := true
		l := newLimited(t, []ratelimit.Limit{ratelimit.Ramp(ratelimit.Step{Until: 30 * day, Max: 1})}, func(o *Options) {
			o.Limits.Born = func(_ context.Context, account string) Birth {
				switch {
				case down:
					return Birth{Failed: true}
				case account == "customer":
					return Birth{Created: time.Now().Add(-1000 * day)}
				}
				return Birth{}
			}
		})
		time.Sleep(day)
		l.accounts.Age("seen", time.Time{}, time.Now())
		time.Sleep(day)
		v := l.Connect(nameless)
		defer v.Close()
		check := func(step, account, want string) {
			t.Helper()
			sendOne(v, account, toUser)
			if got := actions(sendOne(v, account, toUser)); got != want {
				t.Errorf("%s, %s: %s, want %s\n%s", step, account, got, want, l.log)
			}
		}
		check("away", "customer", "continue")
		check("away", "newcomer", "continue")
		check("away", "seen", "tempfail") // since when it is here is known without the directory
		if n := l.accounts.Stats().Keys; n != 1 {
			t.Errorf("%d accounts are known, want the one of before", n)
		}
		down = false
		check("back", "customer", "continue")
		check("back", "newcomer", "tempfail")
	})
}

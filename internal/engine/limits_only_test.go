package engine

import (
	"strings"
	"testing"

	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// TestLimitsTakeOver: after a panic what a mail has reserved is neither lost nor
// doubled, and the session does not go past limits.
func TestLimitsTakeOver(t *testing.T) {
	account := ratelimit.Subject{Account: "jo"}
	for _, tt := range []struct {
		name  string
		end   func(*Visit)
		ended int
	}{{"and ends its mail", eom, 2}, {"and drops it", abort, 0}, {"and is lost", func(*Visit) {}, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Recipients, 3), nil)
			broken := l.Connect(good)
			broken.Helo("mail.good.example")
			broken.Mail(Mail{From: fromGood, Account: "jo"})
			oneRcpt(broken)
			v := l.ConnectLimited(good, broken)
			broken.Close()
			if got := l.used(account); got != 1 {
				t.Errorf("%d used behind the panic, want 1", got)
			}
			v.Helo("mail.good.example")
			oneRcpt(v)
			tt.end(v)
			v.Close()
			if got := l.used(account); got != tt.ended {
				t.Errorf("%d used at the end, want %d\n%s", got, tt.ended, l.log)
			}
		})
	}
}

// TestLimitsAlone: a visit of limits alone is refused by them and by nothing else.
func TestLimitsAlone(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerClient, ratelimit.Messages, 2), nil)
	v := l.ConnectLimited(nameless, nil) // its score refuses it otherwise
	defer v.Close()
	var said []string
	for range 3 {
		v.Mail(Mail{From: fromGood})
		a := v.Rcpt(Rcpt{To: toUser})
		said = append(said, a.Action.String()+" "+a.Status)
		if a.Action == profile.Continue {
			v.EndOfMessage("Q1")
		} else {
			v.Abort()
		}
	}
	if got := strings.Join(said, ", "); got != "continue , continue , tempfail 4.7.28" {
		t.Errorf("answers %s\n%s", got, l.log)
	}
	if lines := l.lines("verdict"); len(lines) != 1 || !strings.Contains(lines[0], "findings=limit:it:0") {
		t.Errorf("the log has %q, want one verdict", lines)
	}
	f := l.o.Resolver.(*fakeDNS)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) > 0 {
		t.Errorf("asked: %v", f.asked)
	}
}

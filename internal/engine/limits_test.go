package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// A limited is an engine with limits, and what they count in.
type limited struct {
	harness
	rules    *ratelimit.Rules
	table    *ratelimit.Table
	accounts *ratelimit.Accounts
}

// newLimited makes one, in state since now. change may be nil.
func newLimited(t testing.TB, limits []ratelimit.Limit, change func(*Options)) *limited {
	t.Helper()
	now := time.Now()
	rules, err := ratelimit.NewRules(limits, ratelimit.Secret{1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &limited{
		rules: rules, table: ratelimit.NewTable(ratelimit.Options{}, now),
		accounts: ratelimit.NewAccounts(ratelimit.AccountOptions{}, ratelimit.Secret{1}, now),
	}
	l.harness = newHarness(t, world(), func(o *Options) {
		o.Limits = Limits{Rules: rules, Store: l.table, Accounts: l.accounts}
		o.Exempt.Networks = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		if change != nil {
			change(o)
		}
	})
	return l
}

// used is how much of the one limit a subject has used, pending included.
func (l *limited) used(s ratelimit.Subject) int {
	s.Listener = RoleMX
	all := l.rules.Standing(l.table, &s, time.Now())
	if len(all) != 1 {
		return -1
	}
	return all[0].Used
}

func perOf(per ratelimit.Per, count ratelimit.Count, most int) []ratelimit.Limit {
	return []ratelimit.Limit{{Name: "it", Per: per, Count: count, Max: most, Window: time.Hour, Action: ratelimit.TempFail}}
}

// Steps of a visit.
var (
	loginMail = func(v *Visit) { v.Mail(Mail{From: fromGood, Account: "Jo@Here.example"}) }
	oneRcpt   = func(v *Visit) { v.Rcpt(Rcpt{To: toUser}) }
	mtaSaysNo = func(v *Visit) { v.Rcpt(Rcpt{To: "<nobody@here.example>", Refused: true}) }
	eom       = func(v *Visit) { v.EndOfMessage("Q1") }
	abort     = func(v *Visit) { v.Abort() }
)

// TestLimitsSettleOnce holds what MTAs send, in their orders, to what counts then.
func TestLimitsSettleOnce(t *testing.T) {
	account := ratelimit.Subject{Account: "jo@here.example"}
	for _, tt := range []struct {
		name        string
		count       ratelimit.Count
		steps       []func(*Visit)
		open, ended int // used before the visit ends, and after
	}{
		{"MAIL alone reserves nothing", ratelimit.Messages, []func(*Visit){loginMail}, 0, 0},
		{"the first recipient reserves; a lost connection gives back", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt}, 1, 0},
		{"end of message commits", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt, eom}, 1, 1},
		{"a message is one, however many recipients it has", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt, oneRcpt, oneRcpt, eom}, 1, 1},
		{"recipients are each one", ratelimit.Recipients, []func(*Visit){loginMail, oneRcpt, oneRcpt, oneRcpt, eom}, 3, 3},
		{"Postfix sends ABORT after each message, often twice", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt, eom, abort, abort}, 1, 1},
		{"RSET gives back, once", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt, eom, abort, abort, loginMail, oneRcpt, abort, abort}, 1, 1},
		{"a new MAIL gives back", ratelimit.Recipients, []func(*Visit){loginMail, oneRcpt, oneRcpt, loginMail}, 0, 0},
		{"end of message without MAIL is nothing", ratelimit.Messages, []func(*Visit){eom, abort}, 0, 0},
		{"a second end of message is nothing", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt, eom, eom}, 1, 1},
		{"what the MTA refuses is not counted", ratelimit.Recipients, []func(*Visit){loginMail, mtaSaysNo, oneRcpt, mtaSaysNo, eom}, 1, 1},
		{"nor a mail of which it refuses all", ratelimit.Messages, []func(*Visit){loginMail, mtaSaysNo, abort}, 0, 0},
		{"each of several messages counts", ratelimit.Messages, []func(*Visit){loginMail, oneRcpt, eom, loginMail, oneRcpt, eom, abort, loginMail, oneRcpt}, 3, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimited(t, perOf(ratelimit.PerAccount, tt.count, 100), nil)
			v := l.Connect(good)
			v.Helo("mail.good.example")
			for _, step := range tt.steps {
				step(v)
			}
			if got := l.used(account); got != tt.open {
				t.Errorf("%d used while the visit is open, want %d", got, tt.open)
			}
			v.Close()
			v.Close()
			if got := l.used(account); got != tt.ended {
				t.Errorf("%d used behind it, want %d", got, tt.ended)
			}
		})
	}
}

// TestLimitsCountWhom: limits are for everyone (law 4); what is not known is not
// counted by.
func TestLimitsCountWhom(t *testing.T) {
	addr := func(s string) Client { return Client{Addr: netip.MustParseAddr(s)} }
	for _, tt := range []struct {
		name   string
		per    ratelimit.Per
		client Client
		mail   Mail
		rcpt   string
		of     ratelimit.Subject
		want   int
	}{
		{"a stranger that is refused for its score is not counted", ratelimit.PerClient, nameless, Mail{From: fromGood}, toUser,
			ratelimit.Subject{Client: nameless.Addr}, 0},
		{"its mail to postmaster is", ratelimit.PerClient, nameless, Mail{From: fromGood}, "<postmaster@here.example>",
			ratelimit.Subject{Client: nameless.Addr}, 1},
		{"a good stranger", ratelimit.PerClient, good, Mail{From: fromGood}, toUser, ratelimit.Subject{Client: good.Addr}, 1},
		{"an exempt network", ratelimit.PerClient, addr("203.0.113.5"), Mail{From: fromGood}, toUser,
			ratelimit.Subject{Client: netip.MustParseAddr("203.0.113.5")}, 1},
		{"loopback", ratelimit.PerClient, addr("127.0.0.1"), Mail{From: fromGood}, toUser, ratelimit.Subject{Client: netip.MustParseAddr("127.0.0.1")}, 1},
		{"who has logged in, by the login in lower case", ratelimit.PerAccount, nameless, Mail{From: fromGood, Account: "JO"}, toUser, ratelimit.Subject{Account: "jo"}, 1},
		{"who has not has no account", ratelimit.PerAccount, good, Mail{From: fromGood}, toUser, ratelimit.Subject{Account: "jo"}, 0},
		{"a unix socket has no address", ratelimit.PerClient, Client{Local: true}, Mail{From: fromGood}, toUser, ratelimit.Subject{}, -1},
		{"but a recipient", ratelimit.PerRecipient, Client{Local: true}, Mail{From: fromGood}, "<User@Here.example>", ratelimit.Subject{Rcpt: "user@here.example"}, 1},
		{"the null sender has none", ratelimit.PerSender, good, Mail{From: "<>", Account: "jo"}, toUser, ratelimit.Subject{Account: "jo"}, -1},
		{"a sender that nothing proves is not counted by", ratelimit.PerSender, good, Mail{From: fromGood}, toUser,
			ratelimit.Subject{Sender: "joe@good.example", SenderProven: true}, 0},
		{"that of who has logged in is", ratelimit.PerSender, nameless, Mail{From: fromGood, Account: "jo"}, toUser,
			ratelimit.Subject{Account: "jo", Sender: "joe@good.example"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimited(t, perOf(tt.per, ratelimit.Messages, 100), nil)
			v := l.Connect(tt.client)
			defer v.Close()
			v.Helo("mail.good.example")
			v.Mail(tt.mail)
			v.Rcpt(Rcpt{To: tt.rcpt})
			v.EndOfMessage("Q1")
			if got := l.used(tt.of); got != tt.want {
				t.Errorf("%d used, want %d\n%s", got, tt.want, l.log)
			}
		})
	}
}

// TestSpellingsAreOneAddress: however a mailbox is written, it is counted as one,
// as a recipient and as a sender.
func TestSpellingsAreOneAddress(t *testing.T) {
	spellings := []string{
		"<jo@bücher.example>", "<Jo@XN--BCHER-KVA.example>", `<"jo"@bücher.example>`, `<j\o@bücher.example>`,
		"<@relay.example,@other.example:jo@bücher.example>", "<jo@bücher.example.>", " <jo@bücher.example> ", "< jo@bücher.example >",
		"jo@bücher.example", "<jo @ bücher.example>", "<jo@BÜCHER.example>",
	}
	for _, per := range []ratelimit.Per{ratelimit.PerRecipient, ratelimit.PerRecipientDomain, ratelimit.PerSender, ratelimit.PerSenderDomain} {
		l := newLimited(t, perOf(per, ratelimit.Messages, 100), nil)
		v := l.Connect(nameless)
		for _, spelt := range spellings {
			v.Mail(Mail{From: spelt, Account: "jo"})
			v.Rcpt(Rcpt{To: spelt})
			v.EndOfMessage("Q1")
		}
		v.Close()
		of := ratelimit.Subject{Account: "jo", Sender: "jo@xn--bcher-kva.example", Rcpt: "jo@xn--bcher-kva.example"}
		if got := l.used(of); got != len(spellings) {
			t.Errorf("per %v: %d spellings counted as %d of one\n%s", per, len(spellings), got, l.log)
		}
	}
}

// TestSPFProvesASender: a sender that SPF speaks for is counted by.
func TestSPFProvesASender(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerSenderDomain, ratelimit.Messages, 100), nil)
	f := l.o.Resolver.(*fakeDNS)
	f.records["good.example TXT"] = []string{"v=spf1 ip4:192.0.2.7 -all"}
	l.deliver(good, "mail.good.example", fromGood, toUser)
	if got := l.used(ratelimit.Subject{Sender: "x@good.example", SenderProven: true}); got != 1 {
		t.Errorf("%d used, want 1\n%s", got, l.log)
	}
}

// sendOne delivers one message over an open visit.
func sendOne(v *Visit, account string, rcpts ...string) []Answer {
	all := []Answer{v.Mail(Mail{From: fromGood, Account: account})}
	if all[0].Action != profile.Continue {
		return all
	}
	all, taken := all[:0], false
	for _, to := range rcpts {
		a := v.Rcpt(Rcpt{To: to})
		all, taken = append(all, a), taken || a.Action == profile.Continue
	}
	if taken {
		v.EndOfMessage("Q1")
	}
	v.Abort() // as Postfix does
	v.Abort()
	return all
}

func actions(all []Answer) string {
	var words []string
	for _, a := range all {
		words = append(words, a.Action.String())
	}
	return strings.Join(words, " ")
}

// TestOverTheLimit: three messages on one connection at a limit of three, the fourth
// is refused, the limit said and when to come again; and then it goes on.
func TestOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, 3), nil)
		v := l.Connect(nameless)
		defer v.Close()
		v.Helo("laptop")
		for range 3 {
			if got := actions(sendOne(v, "jo", toUser)); got != "continue" {
				t.Fatalf("within the limit: %s\n%s", got, l.log)
			}
			time.Sleep(time.Minute)
		}
		all := sendOne(v, "jo", toUser, "<postmaster@here.example>", "<b@here.example>")
		if got := actions(all); got != "tempfail tempfail tempfail" {
			t.Fatalf("over it: %s, want each refused, postmaster too: the client has logged in", got)
		}
		a := all[0]
		if a.Code != 450 || a.Status != "4.7.28" || !strings.HasPrefix(a.Text, "3 messages in 1 hour for one account; again after ") || !strings.HasSuffix(a.Text, " UTC") {
			t.Errorf("the reply is %d %s %q", a.Code, a.Status, a.Text)
		}
		if line := l.lines("verdict")[3]; !strings.Contains(line, "rcpts=3") || !strings.Contains(line, "findings=limit:it:0") {
			t.Errorf("the log says %s", line)
		}
		time.Sleep(time.Hour) // since the first message, and a sub-bucket
		if got := actions(sendOne(v, "jo", toUser)); got != "continue" {
			t.Errorf("a window later: %s", got)
		}
	})
}

// TestHeldOpenIsNotTwice: transactions that are held open and ended a window later
// do not double the allowance.
func TestHeldOpenIsNotTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, 100), nil)
		var open []*Visit
		for range 100 {
			v := l.Connect(nameless)
			v.Mail(Mail{From: fromGood, Account: "jo"})
			v.Rcpt(Rcpt{To: toUser})
			open = append(open, v)
		}
		try := func() string {
			v := l.Connect(nameless)
			defer v.Close()
			return actions(sendOne(v, "jo", toUser))
		}
		if got := try(); got != "tempfail" {
			t.Errorf("beside 100 in DATA: %s", got)
		}
		time.Sleep(61 * time.Minute)
		for _, v := range open {
			v.EndOfMessage("Q1")
			v.Close()
		}
		if got := try(); got != "tempfail" {
			t.Errorf("behind 100 that ended now: %s", got)
		}
	})
}

// TestRacingVisitsTakeTheAllowance: at the edge of a limit as many get through as
// there is room for, and no more.
func TestRacingVisitsTakeTheAllowance(t *testing.T) {
	const most, visits, each = 13, 8, 5
	l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, most), nil)
	var taken [visits]int
	var all sync.WaitGroup
	for i := range visits {
		all.Go(func() {
			v := l.Connect(nameless)
			defer v.Close()
			for n := range each {
				if (i+n)%3 == 0 { // one that does not come to its end holds nothing
					v.Mail(Mail{From: fromGood, Account: "jo"})
					v.Abort()
				}
				if actions(sendOne(v, "jo", toUser)) == "continue" {
					taken[i]++
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range taken {
		sum += n
	}
	if sum != most || l.used(ratelimit.Subject{Account: "jo"}) != most {
		t.Errorf("%d went through, want %d", sum, most)
	}
}

// TestPostmasterIsOpenToStrangers: a limit per client does not shut it for them
// (law 3), and shuts everything else.
func TestPostmasterIsOpenToStrangers(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerClient, ratelimit.Messages, 1), nil)
	v := l.Connect(good)
	defer v.Close()
	v.Helo("mail.good.example")
	sendOne(v, "", toUser)
	got := actions(sendOne(v, "", toUser, "<Postmaster>", "<abuse@here.example>", "<b@here.example>"))
	if got != "tempfail continue continue tempfail" {
		t.Errorf("got %s\n%s", got, l.log)
	}
}

// TestTheOperatorsDenyIsNotCounted: what is refused for another reason does not count.
func TestTheOperatorsDenyIsNotCounted(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Recipients, 100), func(o *Options) { o.Local = rules(t, deny("rcpt:b@here.example")) })
	v := l.Connect(nameless)
	defer v.Close()
	got := sendOne(v, "jo", toUser, "<b@here.example>", toUser)
	if actions(got) != "continue reject continue" || l.used(ratelimit.Subject{Account: "jo"}) != 2 {
		t.Errorf("%s, and %d used, want 2", actions(got), l.used(ratelimit.Subject{Account: "jo"}))
	}
}

func TestMonitorModeCountsAndRefusesNothing(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, 2), func(o *Options) { o.Monitor = true })
	v := l.Connect(nameless)
	defer v.Close()
	for range 5 {
		if got := actions(sendOne(v, "jo", toUser)); got != "continue" {
			t.Errorf("got %s", got)
		}
	}
	if got := l.used(ratelimit.Subject{Account: "jo"}); got != 5 {
		t.Errorf("%d used, want 5", got)
	}
	sendOne(v, "jo", toUser, "<b@here.example>")
	if line := l.lines("verdict")[5]; !strings.Contains(line, "rcpts=2") {
		t.Errorf("each recipient would have been refused, but: %s", line)
	}
	if line := l.lines("verdict")[4]; !strings.Contains(line, "action=tempfail code=450 status=4.7.28") || !strings.Contains(line, "limit:it") {
		t.Errorf("the log does not tell what would have been said: %s", line)
	}
}

func TestLimitsAnswerAtMail(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Messages, 1), func(o *Options) { o.AnswerAtMail = true })
	v := l.Connect(nameless)
	defer v.Close()
	v.Mail(Mail{From: fromGood, Account: "jo"})
	if got := l.used(ratelimit.Subject{Account: "jo"}); got != 1 {
		t.Errorf("%d reserved at MAIL, want 1", got)
	}
	v.Abort()
	if got := actions(sendOne(v, "jo", toUser, toUser)); got != "continue continue" {
		t.Fatalf("within the limit: %s", got)
	}
	a := v.Mail(Mail{From: fromGood, Account: "jo"})
	if a.Action != profile.TempFail || a.Status != "4.7.28" || !strings.Contains(a.Text, "again after") {
		t.Errorf("at MAIL: %+v", a)
	}
	if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.TempFail {
		t.Errorf("at a RCPT that no MTA would send then: %+v", a)
	}
}

// TestExplainLooks: it tells of the limit, reserves nothing even for a moment, and
// sees nobody for the first time.
func TestExplainLooks(t *testing.T) {
	l := newLimited(t, perOf(ratelimit.PerAccount, ratelimit.Recipients, 3), nil)
	v := l.Connect(nameless)
	sendOne(v, "jo", toUser)
	v.Close()
	from := "joe@good.example"
	q := Query{Client: nameless.Addr, From: &from, Account: "jo", Rcpts: []string{"a@here.example", "b@here.example", "c@here.example"}}
	for range 2 {
		var got []string
		rec := l.Explain(q)
		for _, r := range rec.Recipients {
			got = append(got, r.Action)
		}
		if want := []string{"continue", "continue", "tempfail"}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		last := rec.Recipients[2]
		if last.Status != "4.7.28" || len(last.Findings) != 1 || last.Findings[0].ID != "limit:it" || last.Findings[0].Detail == "" {
			t.Errorf("the third: %+v", last)
		}
	}
	if got := l.used(ratelimit.Subject{Account: "jo"}); got != 1 {
		t.Errorf("%d used, want the 1 of before", got)
	}
	q.Account = "al"
	l.Explain(q)
	if n := l.accounts.Stats().Keys; n != 1 {
		t.Errorf("%d accounts are known, want 1", n)
	}
}

// TestTheRamp: it speaks for an account that is new, and only reports on one whose
// age is not known.
func TestTheRamp(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name  string
		learn time.Duration
		born  time.Duration // ago; 0: the file does not say
		want  string
		said  string
	}{
		{"first seen is new at a new site", 0, 0, "tempfail", "limit:new accounts:0"},
		{"first seen on install day is not known", 30 * day, 0, "continue", "limit:new accounts:monitor"},
		{"the file says that it is new", 30 * day, day, "tempfail", "limit:new accounts:0"},
		{"the file says that it is old", 0, 400 * day, "continue", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimited(t, []ratelimit.Limit{ratelimit.Ramp(ratelimit.Step{Until: 30 * day, Max: 2})}, func(o *Options) {
					if tt.born > 0 {
						o.Limits.Born = func(context.Context, string) Birth { return Birth{Created: time.Now().Add(-tt.born)} }
					}
				})
				l.accounts.SetLearn(tt.learn)
				v := l.Connect(nameless)
				defer v.Close()
				var last []Answer
				for range 3 {
					last = sendOne(v, "new@here.example", toUser)
				}
				if got := actions(last); got != tt.want {
					t.Errorf("got %s, want %s\n%s", got, tt.want, l.log)
				}
				line := l.lines("verdict")[2]
				if said := strings.Contains(line, "limit:"); said != (tt.said != "") || !strings.Contains(line, tt.said) {
					t.Errorf("want findings %q in %s", tt.said, line)
				}
			})
		})
	}
}

// TestLimitsOfADoor: when.listener is the role of the door.
func TestLimitsOfADoor(t *testing.T) {
	limit := perOf(ratelimit.PerAccount, ratelimit.Messages, 1)
	limit[0].When.Listener = RoleSubmission
	for _, tt := range []struct {
		door *Door
		want string
	}{
		{nil, "continue"},
		{&Door{Name: "unix:/a", Role: RoleMX}, "continue"},
		{&Door{Name: "unix:/b", Role: RoleSubmission}, "tempfail"},
	} {
		l := newLimited(t, limit, nil)
		v := l.Connect(Client{Addr: nameless.Addr, Door: tt.door})
		sendOne(v, "jo", toUser)
		if got := actions(sendOne(v, "jo", toUser)); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.door, got, tt.want)
		}
		v.Close()
	}
}

// A watcher notes what it is told.
type watcher struct{ told, near []string }

func (w *watcher) Near(account string, u memory.Use, _ time.Time) {
	w.near = append(w.near, fmt.Sprint(account, " ", u.Used, "/", u.Max, " ", u.Limit))
}

func (w *watcher) Limited(account, limit string, refused bool, _ time.Time) {
	w.told = append(w.told, fmt.Sprint(account, " ", limit, " ", refused))
}

// TestLimitsAreWatched: of each limit that a mail meets once, however many
// recipients it has; of strangers and of explained visits nothing.
func TestLimitsAreWatched(t *testing.T) {
	limits := perOf(ratelimit.PerAccount, ratelimit.Messages, 1)
	limits = append(limits, ratelimit.Limit{Name: "told", Per: ratelimit.PerClient, Max: 1, Window: time.Hour, Action: ratelimit.Report})
	for _, monitor := range []bool{false, true} {
		var w watcher
		l := newLimited(t, limits, func(o *Options) { o.Limits.Watch, o.Monitor = &w, monitor })
		v := l.Connect(good)
		v.Helo("mail.good.example")
		sendOne(v, "jo", toUser)
		sendOne(v, "jo", toUser, toUser, toUser)
		sendOne(v, "", toUser)
		l.Explain(Query{Client: good.Addr, Account: "jo"})
		v.Close()
		if want := []string{fmt.Sprint("jo it ", !monitor), "jo told false"}; !slices.Equal(w.told, want) {
			t.Errorf("monitor %v: told %q, want %q", monitor, w.told, want)
		}
	}
}

// TestWhoIsNearALimitIsTold: at the end of each mail from four fifths on, and when one
// does not fit; of the limit that is fullest, and not of what is given back, explained,
// or counted by more than the account.
func TestWhoIsNearALimitIsTold(t *testing.T) {
	limits := perOf(ratelimit.PerAccount, ratelimit.Messages, 5)
	limits = append(limits, ratelimit.Limit{Name: "rcpts", Per: ratelimit.PerAccount, Count: ratelimit.Recipients, Max: 20, Window: time.Hour, Action: ratelimit.Report},
		ratelimit.Limit{Name: "pair", Per: ratelimit.PerAccount | ratelimit.PerClient, Max: 1, Window: time.Hour, Action: ratelimit.Report})
	for _, monitor := range []bool{false, true} {
		var w watcher
		l := newLimited(t, limits, func(o *Options) { o.Limits.Watch, o.Monitor = &w, monitor })
		v := l.Connect(good)
		v.Helo("mail.good.example")
		for range 3 {
			sendOne(v, "jo", toUser)
		}
		loginMail(v)
		oneRcpt(v)
		abort(v)
		l.Explain(Query{Client: good.Addr, Account: "jo"})
		if len(w.near) > 0 {
			t.Errorf("told too early: %q", w.near)
		}
		many := make([]string, 15)
		for i := range many {
			many[i] = fmt.Sprintf("<u%d@here.example>", i)
		}
		sendOne(v, "jo", many...) // 4 of 5, and 18 of 20
		sendOne(v, "jo", toUser)
		sendOne(v, "", toUser)
		sendOne(v, "jo", toUser)
		v.Close()
		want := []string{"jo 18/20 rcpts", "jo 5/5 it", "jo 5/5 it", "jo 5/5 it"} // the last is refused at MAIL, and so at RCPT
		if monitor {
			want[3] = "jo 6/5 it" // all goes on, and counts
		}
		if !slices.Equal(w.near, want) {
			t.Errorf("monitor %v: told %q, want %q", monitor, w.near, want)
		}
	}
}

func TestWindowText(t *testing.T) {
	for text, want := range map[string]string{"1s": "1s", "10s": "10s", "1m": "1m", "24h": "24h", "1h30m": "1h30m", "10h20m30s": "10h20m30s", "744h": "744h", "20m": "20m"} {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := windowText(d); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// BenchmarkLimits is the share of the limits in a transaction: one message with one
// recipient of who has logged in, with the built-in limit, with four, and without.
func BenchmarkLimits(b *testing.B) {
	four := []ratelimit.Limit{ratelimit.Ramp()}
	for i, per := range []ratelimit.Per{ratelimit.PerAccount, ratelimit.PerClient, ratelimit.PerAccount | ratelimit.PerRecipientDomain} {
		four = append(four, ratelimit.Limit{Name: fmt.Sprint(i), Per: per, Count: ratelimit.Recipients, Max: 1e9, Window: time.Hour, Action: ratelimit.TempFail})
	}
	for _, bm := range []struct {
		name   string
		limits []ratelimit.Limit
	}{{"none", nil}, {"ramp", four[:1]}, {"four", four}} {
		b.Run(bm.name, func(b *testing.B) {
			l := newLimited(b, bm.limits, func(o *Options) {
				if bm.limits == nil {
					o.Limits = Limits{}
				}
			})
			l.o.Logger = slog.New(slog.DiscardHandler)
			accounts := make([]string, 4096)
			for i := range accounts {
				accounts[i] = fmt.Sprintf("user%d@here.example", i)
			}
			v := l.Connect(nameless)
			defer v.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				v.Mail(Mail{From: fromGood, Account: accounts[i%len(accounts)]})
				v.Rcpt(Rcpt{To: toUser})
				v.EndOfMessage("Q1")
			}
		})
	}
}

package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/hijack"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// An alarm notes what it is told, and blocks as the daemon's does.
type alarm struct {
	mu     sync.Mutex
	stolen []HijackEvent
	blocks *ratelimit.Blocks
}

func (a *alarm) Stolen(ev *HijackEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stolen = append(a.stolen, *ev)
}

func (a *alarm) Block(ev *HijackEvent) {
	_, _ = a.blocks.Add(ratelimit.Block{Account: ev.Account, Auto: true, Reason: ev.Signs}, ev.At)
}

// A robbed is an engine that watches accounts, and need not learn what is usual.
type robbed struct {
	harness
	watch *hijack.Watch
	alarm *alarm
	list  *listHarness
}

// newRobbed makes one. change may be nil.
func newRobbed(t testing.TB, change func(*Options), lists ...dnsbl.List) *robbed {
	t.Helper()
	settings := hijack.DefaultSettings()
	settings.Learn = 0
	w := &robbed{
		watch: hijack.New(hijack.Options{Settings: settings}, time.Now()),
		alarm: &alarm{blocks: new(ratelimit.Blocks)},
	}
	h := withLists(t, func(o *Options) {
		o.Blocks, o.Hijack = w.alarm.blocks, Hijack{Watch: w.watch, Alarm: w.alarm}
		o.Exempt.Networks = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		if change != nil {
			change(o)
		}
	}, lists...)
	w.harness, w.list = h.harness, &h
	return w
}

// bot is a client of a network of its own.
func bot(i int) Client {
	return Client{Addr: netip.AddrFrom4([4]byte{byte(11 + i), byte(7 * i), 1, 1})}
}

// from sends a mail of an account by a client.
func (w *robbed) from(c Client, account, sender string, rcpts ...string) []Answer {
	v := w.Connect(c)
	defer v.Close()
	v.Mail(Mail{From: sender, Account: account})
	var all []Answer
	for _, to := range rcpts {
		all = append(all, v.Rcpt(Rcpt{To: to}))
	}
	if slices.ContainsFunc(all, func(a Answer) bool { return a.Action == profile.Continue }) {
		v.EndOfMessage("Q1")
	}
	return all
}

// rob lets a thief send by so many machines and in as many names, and gives the last answer.
func (w *robbed) rob(account string, machines int) Answer {
	var last Answer
	for i := range machines {
		last = w.from(bot(i), account, fmt.Sprintf("<x@d%c%c.example>", 'a'+i, 'k'-i%9), "<a@other.example>")[0]
	}
	return last
}

// TestAStolenAccountIsReported once, by default, and its mail goes on.
func TestAStolenAccountIsReported(t *testing.T) {
	w := newRobbed(t, nil)
	if a := w.rob("Jo@Here.example", 40); a.Action != profile.Continue {
		t.Errorf("%+v", a)
	}
	if n := len(w.alarm.stolen); n != 1 {
		t.Fatalf("told %d times", n)
	}
	ev := w.alarm.stolen[0]
	if ev.Account != "jo@here.example" || ev.Shown != "Jo@Here.example" || ev.Score != 10 || ev.Signs != "networks:5,senders:5" || ev.ID == "" || !ev.Client.IsValid() || ev.Action != HijackReport || ev.Monitor {
		t.Errorf("%+v", ev)
	}
	lines := w.lines("hijack")
	if len(lines) != 1 {
		t.Fatalf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, want := range []string{"id=" + ev.ID, " client=" + ev.Client.String(), " account=Jo@Here.example", " action=report", " score=10", " signs=networks:5,senders:5", ` detail="`, "senders in 24h", " mode=enforce"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("no %q in %s", want, lines[0])
		}
	}
	verdicts := w.lines("verdict")
	if last := verdicts[len(verdicts)-1]; !strings.Contains(last, "action=continue score=0 findings=account-hijack:monitor") {
		t.Errorf("the last verdict is %s", last)
	}
	if strings.Contains(verdicts[0], "account-hijack") {
		t.Errorf("the first verdict is %s", verdicts[0])
	}
	if a := w.from(bot(1), "al@here.example", fromGood, toUser)[0]; a.Action != profile.Continue {
		t.Errorf("another account: %+v", a)
	}
	if last := w.lines("verdict"); strings.Contains(last[len(last)-1], "account-hijack") {
		t.Error("another account has the finding")
	}
}

// TestAStolenAccountIsDeferred while there are signs; postmaster hears it, and a release
// by the desk ends it.
func TestAStolenAccountIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRobbed(t, func(o *Options) { o.Hijack.Action = HijackTempfail })
		if a := w.rob("jo", 40); a.Action != profile.TempFail || a.Code != 450 || a.Status != "4.7.1" || !strings.Contains(a.Text, "somebody else had its password") {
			t.Errorf("%+v", a)
		}
		if got := actions(w.from(bot(3), "jo", fromGood, toUser, "<postmaster@here.example>", "<abuse@here.example>")); got != "tempfail continue continue" {
			t.Errorf("got %s", got)
		}
		time.Sleep(25 * time.Hour)
		if got := actions(w.from(bot(3), "jo", fromGood, toUser)); got != "continue" {
			t.Errorf("a day later: %s", got)
		}
		w.rob("jo", 40)
		w.watch.Release(w.watch.Account("jo"), time.Now())
		if got := actions(w.from(bot(3), "jo", fromGood, toUser)); got != "continue" {
			t.Errorf("released: %s", got)
		}
	})
}

// TestAStolenAccountIsBlocked at once, until somebody releases it: then what there was is
// forgotten, and what comes afterwards is not.
func TestAStolenAccountIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRobbed(t, func(o *Options) { o.Hijack.Action = HijackBlock })
		if a := w.rob("jo", 40); a.Action != profile.TempFail || !strings.Contains(a.Text, "is blocked") {
			t.Errorf("%+v", a)
		}
		b := w.alarm.blocks.Find("jo", time.Now())
		if b == nil || !b.Auto || b.Reason == "" {
			t.Fatalf("%+v", b)
		}
		verdicts := w.lines("verdict")
		if last := verdicts[len(verdicts)-1]; !strings.Contains(last, "findings=account-blocked:0,account-hijack:monitor") {
			t.Errorf("the log says %s", last)
		}
		time.Sleep(48 * time.Hour)
		if got := actions(w.from(bot(3), "jo", fromGood, toUser)); got != "tempfail" {
			t.Errorf("two days later: %s", got)
		}
		w.rob("jo", 40) // it is tried still, and nobody is told again of what is blocked
		w.alarm.blocks.Release("jo", "uid 0", time.Now())
		time.Sleep(time.Second)
		told := len(w.alarm.stolen)
		for range 3 {
			if got := actions(w.from(bot(3), "jo", fromGood, toUser)); got != "continue" {
				t.Errorf("released: %s", got)
			}
		}
		if len(w.alarm.stolen) != told {
			t.Error("told again of what was looked at")
		}
		if a := w.rob("jo", 40); a.Action != profile.TempFail || len(w.alarm.stolen) != told+1 {
			t.Errorf("stolen again: %+v, told %d times", a, len(w.alarm.stolen)-told)
		}
	})
}

// TestNothingIsDone in monitor mode, where [points] watches, for exempt accounts, and
// where it is off.
func TestNothingIsDone(t *testing.T) {
	points := func(r profile.Rule) func(*Options) {
		return func(o *Options) {
			o.Hijack.Action, o.Policy.Points["account-hijack"] = HijackBlock, profile.Points{Rule: r}
		}
	}
	for name, tt := range map[string]struct {
		change func(*Options)
		told   int
		said   string // in the last verdict
	}{
		"monitor mode":   {func(o *Options) { o.Hijack.Action, o.Monitor = HijackBlock, true }, 1, "account-hijack:monitor"},
		"the same defer": {func(o *Options) { o.Hijack.Action, o.Monitor = HijackTempfail, true }, 1, "action=tempfail code=450 status=4.7.1 score=0 findings=account-hijack:0"},
		"watched":        {points(profile.Monitor), 1, "action=continue score=0 findings=account-hijack:monitor"},
		"off":            {points(profile.Off), 0, "action=continue score=0 policy"},
		"exempt": {func(o *Options) {
			o.Hijack.Action, o.Hijack.Exempt = HijackBlock, func(account string) bool { return account == "jo" }
		}, 0, "action=continue score=0 policy"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRobbed(t, tt.change)
			if a := w.rob("JO", 40); a.Action != profile.Continue {
				t.Errorf("%+v", a)
			}
			if len(w.alarm.stolen) != tt.told || tt.told == 1 && !w.alarm.stolen[0].Monitor {
				t.Errorf("told %+v", w.alarm.stolen)
			}
			if w.alarm.blocks.Len() > 0 {
				t.Error("blocked")
			}
			lines := w.lines("verdict")
			if last := lines[len(lines)-1]; !strings.Contains(last, tt.said) {
				t.Errorf("no %q in %s", tt.said, last)
			}
		})
	}
}

// TestWhoIsNoEvidence: strangers without a login, replays, and where our own servers are.
func TestWhoIsNoEvidence(t *testing.T) {
	w := newRobbed(t, nil)
	for i := range 40 {
		w.from(bot(i), "", fmt.Sprintf("<x@d%d.example>", i), toUser)
	}
	r := w.Begin(Given{Client: bot(1), Account: "jo", From: fromGood, Rcpts: []string{toUser}})
	r.Judge()
	if n := w.watch.Stats(time.Now()).Accounts; n != 0 {
		t.Errorf("%d accounts are watched", n)
	}
	for i, addr := range []string{"203.0.113.9", "192.0.2.99", "127.0.0.1"} { // exempt, ours, loopback
		w.from(Client{Addr: netip.MustParseAddr(addr)}, "jo", fmt.Sprintf("<x@d%d.example>", i), toUser)
	}
	w.from(Client{Local: true}, "jo", "<>", toUser)
	s := w.watch.Look(w.watch.Account("jo"), new(hijack.Evidence), time.Now())
	if got := s.Words(hijack.Networks) + s.Words(hijack.Senders) + s.Words(hijack.Jump); got != "0 networks in 24h3 senders in 24h4 recipients in 24h, usually 0 a day (spread 0, most 0)" {
		t.Errorf("got %q", got)
	}
}

// TestUnknownRecipientsAreNoted, by the directory's word and by the MTA's; who is refused
// for a limit is not.
func TestUnknownRecipientsAreNoted(t *testing.T) {
	w := newRobbed(t, nil)
	v := w.Connect(bot(1))
	v.Mail(Mail{From: fromGood, Account: "jo"})
	for i := range 30 {
		v.Rcpt(Rcpt{To: fmt.Sprintf("<no%d@here.example>", i), Refused: true, Status: "5.1.1"})
		v.Rcpt(Rcpt{To: "<full@here.example>", Refused: true, Status: "5.2.2"})
	}
	v.Close()
	s := w.watch.Look(w.watch.Account("jo"), new(hijack.Evidence), time.Now())
	if got := s.Signs(); got != "unknown:5" || s.Words(hijack.Unknown) != "30 of 30 recipients unknown in 24h" {
		t.Errorf("got %s, %s", got, s.Words(hijack.Unknown))
	}
}

// TestAuthLists: asked of who has logged in, at MAIL and of public addresses alone; they weigh
// in this finding only, and nobody waits for them.
func TestAuthLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRobbed(t, nil, newList(t, "authbl", 50, dnsbl.Auth))
		w.list.zones.delay = 3 * time.Second
		w.list.zones.set("1.1.0.11.authbl.test", "127.0.0.2")
		v := w.Connect(bot(0))
		began := time.Now()
		v.Mail(Mail{From: fromGood, Account: "jo"})
		if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue || time.Since(began) > 0 {
			t.Errorf("%+v after %s", a, time.Since(began))
		}
		v.EndOfMessage("Q1")
		v.Close()
		if s := w.watch.Look(w.watch.Account("jo"), new(hijack.Evidence), time.Now()); s.Any() {
			t.Errorf("before it has answered: %s", s.Detail())
		}
		w.Close() // the answer is awaited, when nobody is there any more
		s := w.watch.Look(w.watch.Account("jo"), new(hijack.Evidence), time.Now())
		if s.Signs() != "listed:5" {
			t.Errorf("signs are %q", s.Signs())
		}
		if got := w.list.zones.questions(); len(got) != 1 || w.list.findings() != "" {
			t.Errorf("asked %v, found %q", got, w.list.findings())
		}
		for _, c := range []Client{{Addr: netip.MustParseAddr("10.1.2.3")}, {Addr: netip.MustParseAddr("192.0.2.99")}, {Addr: netip.MustParseAddr("203.0.113.9")}, {Local: true}} {
			w.from(c, "jo", fromGood, toUser)
		}
		w.from(bot(5), "", "<joe@good.example>", toUser) // a stranger
		time.Sleep(time.Minute)
		if got := w.list.zones.questions(); len(got) != 0 {
			t.Errorf("asked %v", got)
		}
		w.list.watch.mad["authbl"] = true // a list that went mad says nothing
		w.list.zones.set("1.1.7.12.authbl.test", "127.0.0.2")
		v = w.Connect(bot(1))
		v.Mail(Mail{From: fromGood, Account: "al"})
		v.Rcpt(Rcpt{To: toUser})
		v.EndOfMessage("Q1")
		v.Close()
		w.Close()
		if s := w.watch.Look(w.watch.Account("al"), new(hijack.Evidence), time.Now()); s.Any() {
			t.Errorf("by a list that went mad: %s", s.Detail())
		}
		w.list.watch.mad["authbl"] = false
		rec := w.Explain(Query{Client: bot(1).Addr, Account: "kim"})
		if !slices.ContainsFunc(rec.Lookups, func(l RecordLookup) bool { return strings.HasPrefix(l.Question, "1.1.7.12.authbl") }) {
			t.Errorf("explain asked %+v", rec.Lookups)
		}
	})
}

// TestExplainNotesNothing of an account, and tells what a mail would be.
func TestExplainNotesNothing(t *testing.T) {
	w := newRobbed(t, func(o *Options) { o.Hijack.Action = HijackTempfail })
	w.rob("jo", 40)
	told := len(w.alarm.stolen)
	for i := range 30 {
		w.Explain(Query{Client: bot(i).Addr, Account: "al"})
	}
	from := "x@elsewhere.example"
	rec := w.Explain(Query{Client: bot(1).Addr, Account: "jo", From: &from, Rcpts: []string{"a@other.example"}})
	if rec.Recipients[0].Action != "tempfail" || len(rec.Findings) != 1 || rec.Findings[0].ID != "account-hijack" || !strings.Contains(rec.Findings[0].Detail, "networks in 24h") {
		t.Errorf("%+v", rec)
	}
	if n := w.watch.Stats(time.Now()).Accounts; n != 1 || len(w.alarm.stolen) != told {
		t.Errorf("%d accounts, told %d times", n, len(w.alarm.stolen)-told)
	}
}

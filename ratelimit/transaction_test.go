package ratelimit

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// script runs words of a connection's dialogue and gives, for each MAIL and RCPT,
// "+" or "-": it went on, or was refused.
//
//	mail, rcpt:ADDRESS, open:ADDRESS (within reach), drop, end, abort, hour (passes)
func script(tx *Transaction, s Subject, now *time.Time, words string) string {
	ctx := context.Background()
	answers := ""
	say := func(d Decision) {
		if d.Refused() {
			answers += "-"
		} else {
			answers += "+"
		}
	}
	for word := range strings.FieldsSeq(words) {
		name, rcpt, _ := strings.Cut(word, ":")
		s.Rcpt, s.Open = rcpt, name == "open"
		switch name {
		case "mail":
			say(tx.Mail(ctx, &s, *now))
		case "rcpt", "open":
			say(tx.Rcpt(ctx, &s, *now))
		case "drop":
			tx.Drop(ctx, *now)
		case "end":
			tx.Commit(ctx, *now)
		case "abort":
			tx.Release(ctx, *now)
		case "hour":
			*now = now.Add(time.Hour + time.Hour/subs)
		}
	}
	return answers
}

func TestWhatCounts(t *testing.T) {
	messages := perAccount(2, time.Hour)
	recipients := Limit{Name: "rcpts", Per: PerAccount, Count: Recipients, Max: 3, Window: time.Hour, Action: TempFail}
	domain := Limit{Name: "domain", Per: PerRecipientDomain, Max: 2, Window: time.Hour, Action: TempFail}
	client := Limit{Name: "client", Per: PerClient, Max: 1, Window: time.Hour, Action: TempFail}
	report := Limit{Name: "report", Per: PerAccount, Max: 1, Window: time.Hour, Action: Report}
	joe := Subject{Account: "joe", Client: netip.MustParseAddr("192.0.2.1")}
	stranger := Subject{Client: joe.Client}
	tests := []struct {
		name   string
		limits []Limit
		s      Subject
		words  string
		want   string // of each mail, rcpt and open
		used   uint32 // in the end, of the first limit
	}{
		{"two messages, and no third", []Limit{messages}, joe, "mail end mail end mail", "++-", 2},
		{"an hour later all is well again", []Limit{messages}, joe, "mail end mail end mail hour mail end mail end", "++-++", 2},
		{"an unfinished mail is given back", []Limit{messages}, joe, "mail abort mail abort mail abort", "+++", 0},
		{"ABORT after the end takes nothing away, twice", []Limit{messages}, joe, "mail end abort abort mail end abort abort mail", "++-", 2},
		{"ABORT before it, twice, gives back once", []Limit{messages}, joe, "mail end mail abort abort mail end mail", "+++-", 2},
		{"a new MAIL gives back the old one's", []Limit{messages}, joe, "mail mail mail mail end", "++++", 1},
		{"a second end of message is none", []Limit{messages}, joe, "mail end end end", "+", 1},
		{"refused mail does not count", []Limit{messages}, joe, "mail end mail end mail mail mail hour mail end mail end", "++---++", 2},
		{"its recipients are refused with it", []Limit{messages}, joe, "mail end mail end mail rcpt:a@x.org rcpt:b@x.org", "++---", 2},
		{"recipients are counted one by one", []Limit{recipients}, joe, "mail rcpt:a@x.org rcpt:b@x.org rcpt:c@x.org rcpt:d@x.org end", "++++-", 3},
		{"over several mails", []Limit{recipients}, joe, "mail rcpt:a@x.org rcpt:b@x.org end mail rcpt:a@x.org rcpt:b@x.org end", "+++" + "++-", 3},
		{"one refused for another reason is given back", []Limit{recipients}, joe, "mail rcpt:a@x.org drop rcpt:b@x.org drop drop rcpt:c@x.org end", "++++", 1},
		{"a refused one leaves nothing to drop", []Limit{recipients}, joe, "mail rcpt:a@x.org rcpt:b@x.org rcpt:c@x.org rcpt:d@x.org drop end", "++++-", 3},
		{"nor does the end of the mail, or of another", []Limit{recipients}, joe, "mail rcpt:a@x.org end drop mail rcpt:a@x.org abort drop mail drop", "+++++", 1},
		{"all are given back with the mail", []Limit{recipients}, joe, "mail rcpt:a@x.org rcpt:b@x.org abort", "+++", 0},
		{"a message to a domain is one, whoever gets it there", []Limit{domain}, joe, "mail rcpt:a@x.org rcpt:b@x.org rcpt:c@X.ORG end", "++++", 1},
		{"two messages to a domain, others go on", []Limit{domain}, joe,
			"mail rcpt:a@x.org end mail rcpt:a@x.org end mail rcpt:a@x.org rcpt:a@y.org end", "++" + "++" + "+-+", 2},
		{"what stays within reach is not refused to a stranger", []Limit{client}, stranger,
			"mail end mail rcpt:a@x.org open:postmaster rcpt:b@x.org", "+" + "--+-", 1},
		{"but to an account", []Limit{client}, joe, "mail end mail open:postmaster", "+--", 1},
		{"what only reports counts all", []Limit{report}, joe, "mail end mail end mail end", "+++", 3},
		{"what is refused elsewhere does not count there", []Limit{report, client}, joe, "mail end mail end mail end", "+--", 1},
	}
	for _, test := range tests {
		table := NewTable(Options{}, noon)
		rules := newRules(t, test.limits...)
		now := noon
		if got := script(Begin(rules, table), test.s, &now, test.words); got != test.want {
			t.Errorf("%s: %s: %s, want %s", test.name, test.words, got, test.want)
		}
		test.s.Rcpt = "a@x.org"
		c := rules.Charges(rules.Charges(nil, &test.s, AtMail, now), &test.s, AtRcpt, now)
		table.Look(c, now)
		if c[0].Used != test.used {
			t.Errorf("%s: %s: %d are counted, want %d", test.name, test.words, c[0].Used, test.used)
		}
	}
}

// TestHeldOpenInData: a hundred mails held open and ended together, one window
// later, are a hundred then.
func TestHeldOpenInData(t *testing.T) {
	rules, table, now := newRules(t, perAccount(100, time.Hour)), NewTable(Options{}, noon), noon
	joe := Subject{Account: "joe"}
	open := make([]*Transaction, 100)
	for i := range open {
		open[i] = Begin(rules, table)
		if script(open[i], joe, &now, "mail rcpt:a@x.org") != "++" {
			t.Fatalf("mail %d is refused", i)
		}
	}
	one := Begin(rules, table)
	if script(one, joe, &now, "mail hour mail hour mail") != "---" {
		t.Error("there is room while a hundred are held open")
	}
	for _, tx := range open {
		script(tx, joe, &now, "end")
	}
	if script(one, joe, &now, "mail") != "-" {
		t.Error("there is room after all have ended")
	}
	almost := now.Add(time.Hour - time.Millisecond)
	if script(one, joe, &almost, "mail") != "-" {
		t.Error("there is room before their hour is over")
	}
	if script(one, joe, &now, "hour mail") != "+" {
		t.Error("there is no room an hour later")
	}
}

func TestMonitor(t *testing.T) {
	rules, table, now := newRules(t, perAccount(1, time.Hour)), NewTable(Options{}, noon), noon
	tx := Begin(rules, table)
	tx.Monitor = true
	if got := script(tx, Subject{Account: "joe"}, &now, "mail rcpt:a@x.org end mail rcpt:a@x.org end mail end"); got != "++-+-" {
		t.Errorf("%s would have been said", got)
	}
	c := rules.Charges(nil, &Subject{Account: "joe"}, AtMail, now)
	if table.Look(c, now); c[0].Used != 3 {
		t.Errorf("%d are counted, want all 3", c[0].Used)
	}
}

// A brokenStore does not answer.
type brokenStore struct{}

var errBroken = errors.New("broken")

func (brokenStore) Take(context.Context, []Charge, time.Time) (bool, error) { return false, errBroken }

func (brokenStore) Settle(context.Context, []Charge, Outcome, time.Time) error { return errBroken }

func TestABrokenStoreRefusesNothing(t *testing.T) {
	tx := Begin(newRules(t, perAccount(1, time.Hour)), brokenStore{})
	for range 3 {
		d := tx.Mail(context.Background(), &Subject{Account: "joe"}, noon)
		if d.Refused() || !errors.Is(d.Err, errBroken) {
			t.Errorf("%+v", d)
		}
		if err := tx.Commit(context.Background(), noon); err != nil {
			t.Errorf("what was not reserved is settled: %v", err)
		}
	}
}

func TestTheTightestSpeaks(t *testing.T) {
	limit := func(name string, max int, window time.Duration, a Action) Limit {
		return Limit{Name: name, Per: PerAccount, Max: max, Window: window, Action: a}
	}
	tests := []struct {
		name   string
		limits []Limit
		want   string
		others int
	}{
		{"the one that lasts longest", []Limit{limit("hour", 1, time.Hour, TempFail), limit("day", 1, day, TempFail)}, "day", 1},
		{"a rejecting one before it", []Limit{limit("hour", 1, time.Hour, Reject), limit("day", 1, day, TempFail)}, "hour", 1},
		{"one that refuses before one that reports", []Limit{limit("hour", 1, time.Hour, TempFail), limit("day", 1, day, Report)}, "hour", 1},
		{"of equals the first", []Limit{limit("a", 1, time.Hour, TempFail), limit("b", 1, time.Hour, TempFail)}, "a", 1},
		{"one that has room is silent", []Limit{limit("a", 1, time.Hour, TempFail), limit("b", 2, day, Reject)}, "a", 0},
		{"those that only report refuse nothing", []Limit{limit("a", 1, time.Hour, Report)}, "", 1},
	}
	for _, test := range tests {
		tx := Begin(newRules(t, test.limits...), NewTable(Options{}, noon))
		s := Subject{Account: "joe"}
		send(tx, &s, noon)
		d := tx.Mail(context.Background(), &s, noon)
		if d.Limit != test.want || len(d.Others) != test.others || (d.Text == "") != (test.want == "") {
			t.Errorf("%s: %+v, want %q and %d others", test.name, d, test.want, test.others)
		}
	}
}

func TestUnknownAgeIsNotNew(t *testing.T) {
	tx := Begin(newRules(t, Ramp()), NewTable(Options{}, noon))
	s := Subject{Account: "joe", Age: atLeast(day)}
	for i := range 150 {
		d := tx.Mail(context.Background(), &s, noon)
		if d.Refused() || (len(d.Others) > 0) != (i >= 100) {
			t.Fatalf("message %d: %+v", i+1, d)
		}
		tx.Commit(context.Background(), noon)
	}
}

func TestSentences(t *testing.T) {
	at := time.Date(2026, 11, 26, 14, 19, 30, 1, time.UTC)
	per := func(p Per) Limit { return Limit{Per: p, Window: time.Hour} }
	tests := []struct {
		name  string
		limit Limit
		max   int
		again time.Duration // 0: unknown
		want  string
	}{
		{"the ramp", Ramp(), 100, time.Hour, "100 messages in 24 hours for a new account; again after 15:20 UTC"},
		{"one", per(PerAccount), 1, time.Hour, "1 message in 1 hour for one account; again after 15:20 UTC"},
		{"soon, to the second", per(PerClient), 5, time.Minute, "5 messages in 1 hour from one address; again after 14:20:31 UTC"},
		{"tomorrow", Limit{Per: PerNetwork, Count: Recipients, Window: 7 * day}, 5, 11 * time.Hour, "5 recipients in 7 days from one network; again after 01:20 UTC on 27 November"},
		{"minutes", Limit{Per: PerRecipient, Window: 90 * time.Minute}, 5, time.Hour, "5 messages in 90 minutes to one recipient; again after 15:20 UTC"},
		{"seconds", Limit{Per: PerSender, Window: 90 * time.Second}, 5, 0, "5 messages in 90 seconds from one sender; again later"},
		{"a combination", Limit{Per: PerAccount | PerRecipientDomain, Window: day}, 5, time.Hour, "5 messages in 24 hours for one account to one domain; again after 15:20 UTC"},
		{"a sender's domain", per(PerSenderDomain), 5, 0, "5 messages in 1 hour from one sender domain; again later"},
	}
	for _, test := range tests {
		o := Over{Max: test.max}
		if test.again > 0 {
			o.Again = at.Add(test.again)
		}
		r := rule{Limit: test.limit}
		if got := r.sentence(&o, at); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestTheSentenceHasNothingOfTheClient gives text that would do harm in a reply.
func TestTheSentenceHasNothingOfTheClient(t *testing.T) {
	evil := "evil%s\r\n250 OK@\x00evil.example"
	s := Subject{Account: evil, Plan: evil, Domain: evil, Sender: evil, SenderProven: true, Rcpt: evil, Listener: evil, History: evil,
		Client: netip.MustParseAddr("192.0.2.1")}
	for per := Per(1); per < perEnd; per++ {
		tx := Begin(newRules(t, Limit{Name: "x", Per: per, Max: 1, Window: time.Hour, Action: TempFail}), NewTable(Options{}, noon))
		send(tx, &s, noon)
		d := tx.Mail(context.Background(), &s, noon)
		if !d.Refused() {
			d = tx.Rcpt(context.Background(), &s, noon)
		}
		if !d.Refused() || strings.Contains(d.Text, "evil") || strings.ContainsFunc(d.Text, func(r rune) bool { return r < ' ' || r > '~' || r == '%' }) {
			t.Errorf("per %v: %q", per, d.Text)
		}
		if len(d.Text) > 200 {
			t.Errorf("per %v: %d octets leave no room in a reply", per, len(d.Text))
		}
	}
}

package ratelimit

import (
	"net/netip"
	"testing"
	"time"
)

const day = 24 * time.Hour

func known(d time.Duration) Age   { return Age{AtLeast: d, Known: true} }
func atLeast(d time.Duration) Age { return Age{AtLeast: d} }

func TestWhenALimitApplies(t *testing.T) {
	joe := Subject{Account: "joe@example.org"}
	with := func(change func(*Subject)) Subject { s := joe; change(&s); return s }
	aged := func(a Age) Subject { return with(func(s *Subject) { s.Age = a }) }
	tests := []struct {
		name string
		when When
		s    Subject
		want truth
	}{
		{"no condition", When{}, Subject{}, yes},
		{"authenticated, and is", When{Authenticated: Yes}, joe, yes},
		{"authenticated, and is not", When{Authenticated: Yes}, Subject{}, no},
		{"not authenticated, and is", When{Authenticated: No}, joe, no},
		{"not authenticated, and is not", When{Authenticated: No}, Subject{}, yes},
		{"its listener", When{Listener: "submission"}, Subject{Listener: "submission"}, yes},
		{"another listener", When{Listener: "submission"}, Subject{Listener: "mx"}, no},
		{"the domain of the login", When{Domains: []string{"example.com", "example.org"}}, joe, yes},
		{"another domain", When{Domains: []string{"example.com"}}, joe, no},
		{"the domain that was told", When{Domains: []string{"example.com"}}, with(func(s *Subject) { s.Domain = "example.com" }), yes},
		{"a login without a domain", When{Domains: []string{"joe"}}, Subject{Account: "joe"}, no},
		{"its plan", When{Plans: []string{"free"}}, with(func(s *Subject) { s.Plan = "free" }), yes},
		{"another plan", When{Plans: []string{"free"}}, with(func(s *Subject) { s.Plan = "gold" }), no},
		{"an unknown plan", When{Plans: []string{"free"}}, joe, unknown},
		{"a plan without an account", When{Plans: []string{"free"}}, Subject{}, no},
		{"its history", When{History: []string{"history-bad"}}, Subject{History: "history-bad"}, yes},
		{"another history", When{History: []string{"history-bad"}}, Subject{History: "first-seen"}, no},
		{"an unknown history", When{History: []string{"history-bad"}}, Subject{}, unknown},
		{"younger, known to be", When{YoungerThan: 30 * day}, aged(known(29 * day)), yes},
		{"younger, at the very age", When{YoungerThan: 30 * day}, aged(known(30 * day)), no},
		{"younger, first seen lately", When{YoungerThan: 30 * day}, aged(atLeast(29 * day)), unknown},
		{"younger, but seen for longer", When{YoungerThan: 30 * day}, aged(atLeast(30 * day)), no},
		{"younger, without an account", When{YoungerThan: 30 * day}, Subject{Age: known(0)}, no},
		{"older, known to be", When{OlderThan: day}, aged(known(day)), yes},
		{"older, known not to be", When{OlderThan: day}, aged(known(day - 1)), no},
		{"older, seen for longer", When{OlderThan: day}, aged(atLeast(day)), yes},
		{"older, first seen lately", When{OlderThan: day}, aged(atLeast(0)), unknown},
		{"one condition unknown, another false", When{Plans: []string{"free"}, Listener: "mx"}, joe, no},
	}
	for _, test := range tests {
		if got := test.when.holds(&test.s); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestTheRampByAge(t *testing.T) {
	rules := newRules(t, Ramp(Step{3 * day, 25}, Step{10 * day, 100}, Step{30 * day, 1000}))
	tests := []struct {
		name string
		age  Age
		max  uint32 // 0: it does not apply
		firm bool
	}{
		{"new today", known(0), 25, true},
		{"at the end of a step", known(3*day - 1), 25, true},
		{"at the start of the next", known(3 * day), 100, true},
		{"on the last step", known(29 * day), 1000, true},
		{"beyond the last", known(30 * day), 0, false},
		{"unknown: only told of, by the last step", atLeast(0), 1000, false},
		{"unknown, but seen for long", atLeast(30 * day), 0, false},
	}
	for _, test := range tests {
		got := rules.Charges(nil, &Subject{Account: "joe", Age: test.age}, AtMail, noon)
		switch {
		case test.max == 0 && len(got) > 0:
			t.Errorf("%s: %+v, want none", test.name, got)
		case test.max > 0 && (len(got) != 1 || got[0].Max != test.max || got[0].Report == test.firm):
			t.Errorf("%s: %+v, want max %d, refusing %v", test.name, got, test.max, test.firm)
		}
	}
}

// TestWhoSharesACounter counts the different counters that several mails take of.
func TestWhoSharesACounter(t *testing.T) {
	client := func(addrs ...string) (all []Subject) {
		for _, a := range addrs {
			all = append(all, Subject{Client: netip.MustParseAddr(a)})
		}
		return all
	}
	rcpt := func(addrs ...string) (all []Subject) {
		for _, a := range addrs {
			all = append(all, Subject{Rcpt: a})
		}
		return all
	}
	sender := func(account string, proven bool, addrs ...string) (all []Subject) {
		for _, a := range addrs {
			all = append(all, Subject{Account: account, SenderProven: proven, Sender: a})
		}
		return all
	}
	tests := []struct {
		name  string
		limit Limit
		of    []Subject
		want  int // counters, of the mails that have one
		none  int // mails that have none
	}{
		{"one login, by AccountKey", Limit{Per: PerAccount}, []Subject{{Account: AccountKey("Joe@Example.org")}, {Account: "joe@example.org"}}, 1, 0},
		{"no login", Limit{Per: PerAccount}, []Subject{{}}, 0, 1},
		{"an address, mapped and not", Limit{Per: PerClient}, client("192.0.2.1", "::ffff:192.0.2.1"), 1, 0},
		{"an address with a zone", Limit{Per: PerClient}, client("fe80::1", "fe80::1%eth0"), 1, 0},
		{"two addresses", Limit{Per: PerClient}, client("192.0.2.1", "192.0.2.2"), 2, 0},
		{"a Unix socket", Limit{Per: PerClient}, []Subject{{}}, 0, 1},
		{"a /24", Limit{Per: PerNetwork}, client("192.0.2.1", "192.0.2.255", "192.0.3.0"), 2, 0},
		{"a /64", Limit{Per: PerNetwork}, client("2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"), 2, 0},
		{"a /16", Limit{Per: PerNetwork, Net4: 16}, client("192.0.2.1", "192.0.3.0", "192.1.0.0"), 2, 0},
		{"a /56", Limit{Per: PerNetwork, Net6: 56}, client("2001:db8::1", "2001:db8:0:ff::1", "2001:db8:0:100::1"), 2, 0},
		{"a recipient in any case", Limit{Per: PerRecipient}, rcpt("A@example.org", "a@EXAMPLE.org", "b@example.org"), 2, 0},
		{"a recipient's domain", Limit{Per: PerRecipientDomain}, rcpt("a@example.org", "b@Example.ORG", "b@example.org.", "b@example.com"), 2, 0},
		{"bare postmaster has no domain", Limit{Per: PerRecipientDomain}, rcpt("postmaster"), 0, 1},
		{"a sender of an account", Limit{Per: PerSender}, sender("joe", false, "a@example.org", "A@example.org"), 1, 0},
		{"a sender that SPF passed", Limit{Per: PerSenderDomain}, sender("", true, "a@example.org", "b@example.org"), 1, 0},
		{"a sender that anybody may have written", Limit{Per: PerSender}, sender("", false, "a@example.org"), 0, 1},
		{"the null sender", Limit{Per: PerSender}, sender("joe", true, ""), 0, 1},
		{"an account and a domain", Limit{Per: PerAccount | PerRecipientDomain}, []Subject{
			{Account: "joe", Rcpt: "a@example.org"}, {Account: "joe", Rcpt: "b@example.org"}, {Account: "ann", Rcpt: "b@example.org"}, {Rcpt: "b@example.org"},
		}, 2, 1},
		{"parts that run into each other", Limit{Per: PerAccount | PerRecipient}, []Subject{
			{Account: "joea", Rcpt: "@b"}, {Account: "joe", Rcpt: "a@b"},
		}, 2, 0},
	}
	for _, test := range tests {
		l := test.limit
		l.Name, l.Max, l.Window = "x", 1, time.Hour
		rules := newRules(t, l)
		ids, none := map[uint64]bool{}, 0
		for i := range test.of {
			charges := rules.Charges(rules.Charges(nil, &test.of[i], AtMail, noon), &test.of[i], AtRcpt, noon)
			if len(charges) == 0 {
				none++
			}
			for _, c := range charges {
				ids[c.ID] = true
			}
		}
		if len(ids) != test.want || none != test.none {
			t.Errorf("%s: %d counters, and %d mails without, want %d and %d", test.name, len(ids), none, test.want, test.none)
		}
	}
}

// TestWhichLimitsGoOnAfterAReload compares the counters of two configurations.
func TestWhichLimitsGoOnAfterAReload(t *testing.T) {
	before := perAccount(100, time.Hour)
	tests := []struct {
		name   string
		change func(*Limit)
		same   bool
	}{
		{"another maximum", func(l *Limit) { l.Max = 7 }, true},
		{"another action", func(l *Limit) { l.Action = Reject }, true},
		{"another condition", func(l *Limit) { l.When.Listener = "" }, true},
		{"another name", func(l *Limit) { l.Name = "new" }, false},
		{"another window", func(l *Limit) { l.Window = time.Minute }, false},
		{"another count", func(l *Limit) { l.Count = Recipients }, false},
	}
	s := Subject{Account: "joe", Rcpt: "a@b"}
	id := func(l Limit) uint64 {
		r := newRules(t, l)
		return r.Charges(r.Charges(nil, &s, AtMail, noon), &s, AtRcpt, noon)[0].ID
	}
	for _, test := range tests {
		after := before
		test.change(&after)
		if got := id(before) == id(after); got != test.same {
			t.Errorf("%s: goes on %v, want %v", test.name, got, test.same)
		}
	}
}

func TestExceptions(t *testing.T) {
	var x Exceptions
	limits := []Limit{
		{Name: "day", Per: PerAccount, Max: 100, Window: day, Action: TempFail},
		{Name: "hour", Per: PerAccount, Max: 10, Window: time.Hour, Action: TempFail},
		{Name: "client", Per: PerClient, Max: 5, Window: time.Hour, Action: TempFail},
	}
	rules, err := NewRules(limits, secret, &x)
	if err != nil {
		t.Fatal(err)
	}
	type maxes [3]uint32 // 0 where it is exempt
	tests := []struct {
		name string
		all  []Exception
		want maxes
	}{
		{"none", nil, maxes{100, 10, 5}},
		{"of the account, for all limits per account", []Exception{{Account: "joe@example.org", Max: 500}}, maxes{500, 500, 5}},
		{"of the account, for a window", []Exception{{Account: "joe@example.org", Max: 500, Window: day}}, maxes{500, 10, 5}},
		{"of the account, for one limit", []Exception{{Account: "joe@example.org", Max: 500, Limit: "client"}}, maxes{100, 10, 500}},
		{"of another account", []Exception{{Account: "ann@example.org", Max: 500}}, maxes{100, 10, 5}},
		{"of the domain", []Exception{{Domain: "example.org", Max: 50}}, maxes{100, 50, 5}},
		{"of the plan, exempt", []Exception{{Plan: "gold", Max: 0}}, maxes{0, 0, 5}},
		{"the most generous of several", []Exception{{Account: "joe@example.org", Max: 50}, {Domain: "example.org", Max: 70}}, maxes{100, 70, 5}},
		{"over at the very time", []Exception{{Account: "joe@example.org", Max: 500, Expires: noon}}, maxes{100, 10, 5}},
		{"a moment before", []Exception{{Account: "joe@example.org", Max: 500, Expires: noon.Add(1)}}, maxes{500, 500, 5}},
		{"it never lowers", []Exception{{Account: "joe@example.org", Max: 1}}, maxes{100, 10, 5}},
	}
	s := Subject{Account: "joe@example.org", Plan: "gold", Client: netip.MustParseAddr("192.0.2.1")}
	for _, test := range tests {
		if err := x.Set(test.all); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		var got maxes
		for _, c := range rules.Charges(nil, &s, AtMail, noon) {
			got[c.limit] = c.Max
		}
		if got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestWrongExceptionsAreLeftOut(t *testing.T) {
	var x Exceptions
	err := x.Set([]Exception{
		{Max: 1}, {Account: "joe", Plan: "gold"}, {Account: "Joe"}, {Domain: "Example.org"}, {Account: "joe", Max: -1},
		{Account: "joe", Window: -1}, {Account: "joe", Max: 5},
	})
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 6 {
		t.Errorf("%v, want six errors", err)
	}
	if all := x.All(); len(all) != 1 || all[0].Max != 5 {
		t.Errorf("%+v are in force", all)
	}
}

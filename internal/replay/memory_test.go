package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailprofiled/profile"
)

const (
	goodHost   = "mail.good.example[192.0.2.7]"
	strayHost  = "unknown[198.51.100.9]"
	acceptedOf = "%[1]s mx postfix/smtpd[11]: connect from %[2]s\n" +
		"%[1]s mx postfix/smtpd[11]: %[3]X: client=%[2]s\n" +
		"%[1]s mx postfix/qmgr[12]: %[3]X: from=<jo@good.example>, size=1, nrcpt=1 (queue active)\n" +
		"%[1]s mx postfix/lmtp[13]: %[3]X: to=<a@here.example>, relay=x, delay=1, status=sent (ok)\n" +
		"%[1]s mx postfix/qmgr[12]: %[3]X: removed\n"
	refusedOf = "%[1]s mx postfix/smtpd[11]: connect from %[2]s\n" +
		"%[1]s mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from %[2]s: 550 5.1.1 <u%[3]d@here.example>: Recipient address rejected: User unknown in local recipient table; " +
		"from=<x@spam.example> to=<u%[3]d@here.example> proto=ESMTP helo=<spam.example>\n" +
		"%[1]s mx postfix/smtpd[11]: disconnect from %[2]s\n"
)

// daily is a log with one visit a day.
func daily(form, host string, days int) string {
	var b strings.Builder
	for i := range days {
		fmt.Fprintf(&b, form, began.AddDate(0, 0, i).Format(time.RFC3339), host, 0xABCDE0+i)
	}
	return b.String()
}

// later is a visit of the ninth day.
func later(host string) string {
	return fmt.Sprintf(acceptedOf, began.AddDate(0, 0, 9).Format(time.RFC3339), host, 0xFFFFF)
}

// findingsOf are the ids of what was found, visit by visit.
func findingsOf(t testing.TB, text string, policy *Policy) (all [][]string) {
	t.Helper()
	visits, _, _ := readAll(t, text, Auto)
	run := NewRun(Options{}, policy, nil)
	for _, v := range visits {
		precision := v.Precision
		if precision != NoTime && !policy.Clock.inOrder(v) {
			precision = NoTime
		}
		s := started{visit: v, precision: precision}
		run.start(&s)
		r := run.judge(policy, &s, 0)
		var ids []string
		for _, f := range r.Findings() {
			ids = append(ids, f.ID)
		}
		all = append(all, ids)
	}
	return all
}

// What is remembered of servers goes by the time of the log.
func TestMemoryGoesByTheInputsTime(t *testing.T) {
	watch := func(p *profile.Policy) {
		p.Points["history-good"], p.Points["history-bad"] = profile.Points{Value: -3}, profile.Points{Value: 3}
	}
	last := func(all [][]string) []string { return all[len(all)-1] }
	for _, tt := range []struct {
		name, text, finding string
		want                bool
	}{
		{"taken for six weeks", daily(acceptedOf, goodHost, 42), "history-good", true},
		{"taken for three weeks", daily(acceptedOf, goodHost, 21), "history-good", false},
		{"never taken", daily(refusedOf, goodHost, 42), "history-good", false},
		{"wrote to many who do not exist", daily(refusedOf, strayHost, 42), "history-bad", true},
		{"to few of them", daily(refusedOf, strayHost, 6), "history-bad", false},
		{"a stranger of later", daily(acceptedOf, goodHost, 9) + later(strayHost), "first-seen", true},
		{"a stranger of the first week", daily(acceptedOf, goodHost, 5), "first-seen", false},
	} {
		all := findingsOf(t, tt.text, testPolicy(t, "standard", began, watch))
		got := last(all)
		if tt.finding == "first-seen" {
			got = slices.Concat(all...)
		}
		if slices.Contains(got, tt.finding) != tt.want {
			t.Errorf("%s: found %v, want %s: %v", tt.name, got, tt.finding, tt.want)
		}
	}
}

// With dates alone, or none, nothing is remembered: who came first is not known.
func TestMemoryWantsTheTimeOfDay(t *testing.T) {
	for _, form := range []string{time.DateOnly, ""} {
		var b strings.Builder
		b.WriteString("date,client_ip,ptr,ptr_state,fcrdns,mail_from_domain,rcpt\n")
		for i := range 60 {
			date := ""
			if form != "" {
				date = began.AddDate(0, 0, i).Format(form)
			}
			fmt.Fprintf(&b, "%s,192.0.2.7,mail.good.example,named,yes,jo@good.example,a@here.example\n", date)
		}
		for _, ids := range findingsOf(t, b.String(), testPolicy(t, "strict", began, nil)) {
			if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "history-") || id == "first-seen" }) {
				t.Fatalf("date %q: %v", form, ids)
			}
		}
	}
}

// Names that are known to lead elsewhere are counted, and no others.
func TestManyHelosAreRemembered(t *testing.T) {
	for _, tt := range []struct {
		forward string
		want    bool
	}{{"mismatch", true}, {"match", false}, {"", false}} {
		var b strings.Builder
		b.WriteString("date,client_ip,helo,helo_fwd\n")
		for i := range 40 {
			fmt.Fprintf(&b, "%s,192.0.2.7,mail.d%d.example,%s\n", began.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), i, tt.forward)
		}
		all := findingsOf(t, b.String(), testPolicy(t, "standard", began, func(p *profile.Policy) { p.Points["helo-many"] = profile.Points{Value: 2} }))
		if got := slices.Contains(all[len(all)-1], "helo-many"); got != tt.want {
			t.Errorf("helo_fwd %q: %v, want helo-many: %v", tt.forward, all[len(all)-1], tt.want)
		}
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/internal/admin"
	"mailprofiled/ratelimit"
)

func TestGrantsThatAreAskedFor(t *testing.T) {
	now := time.Date(2026, 11, 24, 23, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		asked admin.Grant
		want  ratelimit.Exception
		wrong string
	}{
		{"an account in any case", admin.Grant{Account: "Jo@Example.net", Window: 86400, Max: 5}, ratelimit.Exception{Account: "jo@example.net", Window: 24 * time.Hour, Max: 5}, ""},
		{"a domain with its @", admin.Grant{Domain: "@Example.net", Max: 5}, ratelimit.Exception{Domain: "example.net", Max: 5}, ""},
		{"today is not over", admin.Grant{Plan: "pro", Max: 5, Until: "2026-11-24"}, ratelimit.Exception{Plan: "pro", Max: 5, Expires: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}, ""},
		{"yesterday is", admin.Grant{Plan: "pro", Max: 5, Until: "2026-11-23"}, ratelimit.Exception{}, "is over"},
		{"no date", admin.Grant{Plan: "pro", Until: "31.12."}, ratelimit.Exception{}, "write it as 2026-12-24"},
		{"for nobody", admin.Grant{Max: 5}, ratelimit.Exception{}, "one account, plan or domain"},
		{"for two", admin.Grant{Account: "jo", Plan: "pro"}, ratelimit.Exception{}, "one account, plan or domain"},
		{"below nothing", admin.Grant{Account: "jo", Max: -1}, ratelimit.Exception{}, "max is -1"},
		{"too long a window", admin.Grant{Account: "jo", Max: 1, Window: 1 << 60}, ratelimit.Exception{}, "1s to 31d"},
		{"a login with a line break", admin.Grant{Account: "jo\nal"}, ratelimit.Exception{}, "no login"},
		{"a login with a space behind it", admin.Grant{Account: "jo "}, ratelimit.Exception{}, "no login"},
		{"a login without end", admin.Grant{Account: strings.Repeat("x", 400)}, ratelimit.Exception{}, "octets"},
		{"a reason of two lines", admin.Grant{Account: "jo", Reason: "a\nb"}, ratelimit.Exception{}, "reason"},
	} {
		got, err := (&generation{key: ratelimit.AccountKey}).grantOf(tt.asked, now)
		switch {
		case tt.wrong == "" && (err != nil || *got != tt.want):
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("%s: %v, want %q in it", tt.name, err, tt.wrong)
		}
	}
}

func TestRaisedLimits(t *testing.T) {
	ramp := ratelimit.Ramp(ratelimit.Step{Until: time.Hour, Max: 25}, ratelimit.Step{Until: 2 * time.Hour, Max: 1000})
	client := ratelimit.Limit{Name: "client", Per: ratelimit.PerClient, Max: 5, Window: time.Hour}
	all := []ratelimit.Limit{ramp, client}
	for _, tt := range []struct {
		name  string
		e     ratelimit.Exception
		want  string
		wrong bool
	}{
		{"the lowest step counts", ratelimit.Exception{Max: 100}, "new accounts", false},
		{"not above it", ratelimit.Exception{Max: 25}, "nothing would change: new accounts lets 25 through", true},
		{"another window", ratelimit.Exception{Max: 100, Window: time.Hour}, "no limit per account has a window of 1h; there are: new accounts (24h)", true},
		{"by name, per whatever", ratelimit.Exception{Limit: "client", Max: 9}, "client", false},
		{"exempt", ratelimit.Exception{}, "new accounts", false},
	} {
		names, err := raised(&tt.e, all)
		got := strings.Join(names, ", ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want || (err != nil) != tt.wrong {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if _, err := raised(&ratelimit.Exception{Max: 9}, all[1:]); err == nil || err.Error() != "no limit per account is in force" {
		t.Errorf("none per account: %v", err)
	}
}

func TestParseAllowance(t *testing.T) {
	for text, want := range map[string][2]int64{"500/24h": {500, 86400}, "500": {500, 0}, " 5 / 30d": {5, 30 * 86400}, "1/1s": {1, 1}} {
		if most, seconds, err := parseAllowance(text); err != nil || int64(most) != want[0] || seconds != want[1] {
			t.Errorf("%s: %d, %d, %v", text, most, seconds, err)
		}
	}
	for _, text := range []string{"", "/24h", "x/24h", "0/24h", "-5/24h", "5/", "5/24", "5/0.5s", "5/32d", "99999999999/1h", "5/1.5s"} {
		if most, seconds, err := parseAllowance(text); err == nil {
			t.Errorf("%q is %d in %d s", text, most, seconds)
		}
	}
}

// TestPrintAccount shows what a postmaster sees of a customer who calls.
func TestPrintAccount(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	a := &admin.Account{
		Account: "jo@example.net", Now: now, Plan: "pro",
		Age: admin.Age{State: admin.AgeUnknown, Since: now.Add(-50 * time.Hour), Learnt: now.AddDate(0, 0, 28)},
		Limits: []admin.AccountLimit{
			{Limit: "new accounts", Count: "messages", Window: "24h", State: admin.LimitCounts, Action: "report", Max: 100, Used: 100, Again: now.Add(time.Hour)},
			{Limit: "free plan", Window: "1h", State: admin.LimitNotForIt},
			{Limit: "outgoing", Window: "1h", State: admin.LimitExempt},
			{Limit: "one domain", Window: "1h", Per: "account+recipient_domain", State: admin.LimitElsewhere},
		},
		Exceptions: []admin.AccountException{
			{Plan: "pro", Limit: "outgoing", By: "file", Owner: "al", Reason: "contract"},
			{Account: "jo@example.net", Window: "24h", Max: 500, Expires: now.AddDate(0, 0, -1), Expired: true, By: "command"},
		},
	}
	var out bytes.Buffer
	printAccount(a, &out)
	want := `account  jo@example.net
blocked  no
age      unknown, 2d02h at least: first seen here 2026-11-22 10:00 UTC, before 2026-12-22 12:00 UTC, when all accounts were new to this daemon; limits by age only report on it
plan     pro

LIMIT         USED  MAX           WINDOW  ACTION                        AGAIN
new accounts  100   100 messages  24h     report                        2026-11-24 13:00:00 UTC
free plan     -     -             1h      not for it                    -
outgoing      -     -             1h      exempt                        -
one domain    -     -             1h      per account+recipient_domain  -

exceptions:
  plan pro        exempt      outgoing         for good            by file     al  contract
  jo@example.net  500 in 24h  all per account  EXPIRED 2026-11-23  by command  -   -
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPrintTop(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	printTop(&admin.Top{Accounts: []admin.TopAccount{{Account: "jo\x1b[2J", Refused: 7, Reported: 2, Less: 3, Last: now, Limits: []string{"new accounts", "outgoing"}}}}, pictures{}, &out)
	want := "ACCOUNT         REFUSED  REPORTED  LESS  LAST                  LIMITS\n\"jo\\x1b[2J\"     7        2         3     2026-11-24 12:00 UTC  new accounts, outgoing\n"
	if strings.Join(strings.Fields(out.String()), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s", out.String())
	}
}

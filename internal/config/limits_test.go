package config

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailprofiled/ratelimit"
)

const someLimits = `
[[limit]]
name = "new accounts"
steps = [{ until = "3d", max = 25 }, { until = "14d", max = 100 }]
action = "reject"

[[limit]]
name = "networks"
per = "network"
count = "recipients"
max = 1000
window = "1h"
when = { authenticated = false, listener = "mx" }
action = "report"
ipv4_prefix = 20
ipv6_prefix = 48

[[limit]]
name = "free to one domain"
per = "recipient_domain+account"
max = 50
window = "1d"
[limit.when]
domain = ["Example.NET", "münchen.example"]
plan = "free"
account_older_than = "14d"
account_younger_than = "1w52w"

[[limit]]
name = "later"
action = "off"

[accounts]
learn = "0"
file = "/etc/mailprofiled//accounts.txt"

[[accounts.exception]]
account = "Jo@Example.NET"
limit = "new accounts"
window = "24h"
max = 500
expires = 2037-01-31
owner = "jo"
reason = "ticket \"4711\""

[[accounts.exception]]
plan = "pro"
max = 0
`

func TestLimits(t *testing.T) {
	text := monitor + strings.Replace(someLimits, "1w52w", "90d", 1)
	c, r := Parse("m.toml", []byte(text))
	if c == nil || r.String() != "" {
		t.Fatal(r)
	}
	want := []ratelimit.Limit{
		{
			Name: "new accounts", Per: ratelimit.PerAccount, Max: 100, Window: day, Action: ratelimit.Reject,
			Steps: []ratelimit.Step{{Until: 3 * day, Max: 25}, {Until: 14 * day, Max: 100}},
		},
		{
			Name: "networks", Per: ratelimit.PerNetwork, Count: ratelimit.Recipients, Max: 1000, Window: hour, Action: ratelimit.Report,
			When: ratelimit.When{Authenticated: ratelimit.No, Listener: "mx"}, Net4: 20, Net6: 48,
		},
		{
			Name: "free to one domain", Per: ratelimit.PerAccount | ratelimit.PerRecipientDomain, Max: 50, Window: day, Action: ratelimit.TempFail,
			When: ratelimit.When{Domains: []string{"example.net", "xn--mnchen-3ya.example"}, Plans: []string{"free"}, OlderThan: 14 * day, YoungerThan: 90 * day},
		},
	}
	if diff := cmp.Diff(want, c.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	accounts := Accounts{Strip: []string{},
		File: "/etc/mailprofiled/accounts.txt",
		Exceptions: []ratelimit.Exception{
			{
				Account: "jo@example.net", Limit: "new accounts", Window: day, Max: 500,
				Expires: time.Date(2037, 2, 1, 0, 0, 0, 0, time.UTC), Owner: "jo", Reason: `ticket "4711"`,
			},
			{Plan: "pro"},
		},
	}
	if diff := cmp.Diff(accounts, c.Accounts, cmpopts.IgnoreUnexported(Accounts{})); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	var exceptions ratelimit.Exceptions
	if err := exceptions.Set(c.Accounts.Exceptions); err != nil {
		t.Error(err)
	}
	if _, err := ratelimit.NewRules(c.Limits, ratelimit.Secret{}, &exceptions); err != nil {
		t.Error(err)
	}
	if file := c.AccountsFile(); file.Path != "/etc/mailprofiled/accounts.txt" || file.At != (Origin{"m.toml", strings.Count(text[:strings.Index(text, "file =")], "\n") + 1}) || !reflect.DeepEqual(r.Accounts, file) {
		t.Errorf("the file of accounts is %v, told as %v", file, r.Accounts)
	}
}

func TestTheBuiltInLimit(t *testing.T) {
	ramp := ratelimit.Ramp()
	changed := func(change func(*ratelimit.Limit)) []ratelimit.Limit {
		l := ratelimit.Ramp()
		change(&l)
		return []ratelimit.Limit{l}
	}
	for _, tc := range []struct {
		name, text string
		want       []ratelimit.Limit
	}{
		{"is in force by itself", "", []ratelimit.Limit{ramp}},
		{"stands before others", "[[limit]]\nname = \"a\"\nper = \"client\"\nmax = 1\nwindow = \"1s\"\n", []ratelimit.Limit{
			ramp, {Name: "a", Per: ratelimit.PerClient, Max: 1, Window: time.Second, Action: ratelimit.TempFail},
		}},
		{"keeps what is not said", "[[limit]]\nname = \"new accounts\"\nmax = 500\n", changed(func(l *ratelimit.Limit) { l.Max = 500 })},
		{"keeps its age beside another condition", "[[limit]]\nname = \"new accounts\"\nwhen = { domain = \"a.example\" }\n", changed(func(l *ratelimit.Limit) { l.When.Domains = []string{"a.example"} })},
		{"has a longer age", "[[limit]]\nname = \"new accounts\"\nwhen.account_younger_than = \"60d\"\n", changed(func(l *ratelimit.Limit) { l.When.YoungerThan = 60 * day })},
		{"becomes a ramp", "[[limit]]\nname = \"new accounts\"\nsteps = [{ until = \"1d\", max = 5 }, { until = \"60d\", max = 7 }]\n",
			[]ratelimit.Limit{ratelimit.Ramp(ratelimit.Step{Until: day, Max: 5}, ratelimit.Step{Until: 60 * day, Max: 7})}},
		{"only reports", "[[limit]]\nname = \"new accounts\"\naction = \"report\"\n", changed(func(l *ratelimit.Limit) { l.Action = ratelimit.Report })},
		{"is off", "[[limit]]\nname = \"new accounts\"\naction = \"off\"\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, r := Parse("m.toml", []byte(monitor+tc.text))
			if c == nil || r.String() != "" {
				t.Fatal(r)
			}
			if diff := cmp.Diff(tc.want, c.Limits); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			samePrinted(t, c)
		})
	}
	if diff := cmp.Diff(BuiltInLimits(), Default().Limits); diff != "" {
		t.Errorf("the default (-want +got):\n%s", diff)
	}
}

func TestLimitsOfAllFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"m.toml":        monitor + "[[limit]]\nname = \"a\"\nper = \"client\"\nmax = 10\nwindow = \"1h\"\n",
		"conf.d/a.toml": "\n[[limit]]\nname = \"new accounts\"\nmax = 50\n[[accounts.exception]]\naccount = \"jo\"\nlimit = \"a\"\nmax = 20\n",
		"conf.d/b.toml": "accounts.exception = [{ domain = \"b.example\", max = 90 }]\n",
	})
	c, r := Load(dir + "/m.toml")
	if c == nil || r.String() != "" {
		t.Fatal(r)
	}
	if len(c.Limits) != 2 || c.Limits[0].Name != "a" || c.Limits[1].Max != 50 || len(c.Accounts.Exceptions) != 2 || c.Accounts.Exceptions[1].Domain != "b.example" {
		t.Errorf("%v %v", c.Limits, c.Accounts.Exceptions)
	}
	var b bytes.Buffer
	if err := c.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[[limit]]  # m.toml:2\n", "[[limit]]  # conf.d/a.toml:2\n", "[[accounts.exception]]  # conf.d/a.toml:5\n", "[[accounts.exception]]  # conf.d/b.toml:1\n"} {
		if !strings.Contains(strings.ReplaceAll(b.String(), dir+"/", ""), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
}

func TestLimitsPrinted(t *testing.T) {
	c := mustParse(t, monitor+strings.Replace(someLimits, "1w52w", "90d", 1))
	samePrinted(t, c)
	var b bytes.Buffer
	if err := c.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	want := `
[accounts]
learn = "0s"  # m.toml:35
file = "/etc/mailprofiled/accounts.txt"  # m.toml:36

[[limit]]  # m.toml:3
name = "new accounts"
per = "account"
count = "messages"
steps = [{ until = "3d", max = 25 }, { until = "14d", max = 100 }]
window = "24h"
action = "reject"

[[limit]]  # m.toml:8
name = "networks"
per = "network"
count = "recipients"
max = 1000
window = "1h"
when = { authenticated = false, listener = "mx" }
action = "report"
ipv4_prefix = 20
ipv6_prefix = 48

[[limit]]  # m.toml:19
name = "free to one domain"
per = "account+recipient_domain"
count = "messages"
max = 50
window = "24h"
when = { domain = ["example.net", "xn--mnchen-3ya.example"], plan = ["free"], account_younger_than = "90d", account_older_than = "14d" }
action = "tempfail"

[[limit]]  # m.toml:30
name = "later"
action = "off"

[[accounts.exception]]  # m.toml:38
account = "jo@example.net"
limit = "new accounts"
window = "24h"
max = 500
expires = 2037-01-31
owner = "jo"
reason = "ticket \"4711\""

[[accounts.exception]]  # m.toml:47
plan = "pro"
max = 0
`
	if diff := cmp.Diff(want, b.String()[max(0, b.Len()-len(want)):]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Reset()
	if err := mustParse(t, monitor).Print(&b, false); err != nil {
		t.Fatal(err)
	}
	builtIn := "\n[[limit]]  # built in\nname = \"new accounts\"\nper = \"account\"\ncount = \"messages\"\nmax = 100\nwindow = \"24h\"\n" +
		"when = { account_younger_than = \"30d\" }\naction = \"tempfail\"\n"
	if !strings.HasSuffix(b.String(), builtIn) {
		t.Errorf("the built-in limit is not at the end of\n%s", &b)
	}
}

func TestPolicyIDCoversLimits(t *testing.T) {
	limit := func(text string) string {
		return monitor + "[accounts]\nfile = \"/a\"\n[[limit]]\nname = \"a\"\nper = \"network\"\nmax = 10\nwindow = \"1h\"\n" + text
	}
	const exception = "[[accounts.exception]]\naccount = \"jo\"\nmax = 500\n"
	base := mustParse(t, limit(exception))
	for name, text := range map[string]string{
		"another owner":           limit("[[accounts.exception]]\naccount = \"JO\"\nowner = \"al\"\nreason = \"x\"\nmax = 500\n"),
		"another path":            strings.Replace(limit(exception), "/a", "/b", 1),
		"the defaults said aloud": limit("count = \"messages\"\naction = \"tempfail\"\nipv4_prefix = 24\nipv6_prefix = 64\n" + exception),
		"the built-in one aloud":  limit("[[limit]]\nname = \"new accounts\"\nmax = 100\n" + exception),
		"one that is off":         limit("[[limit]]\nname = \"b\"\naction = \"off\"\n" + exception),
		"another order":           monitor + exception + "[[limit]]\nname = \"new accounts\"\n" + strings.TrimPrefix(limit(""), monitor),
	} {
		if c := mustParse(t, text); c.PolicyID() != base.PolicyID() {
			t.Errorf("%s makes another policy:\n%s", name, text)
		}
	}
	seen := map[string]string{base.PolicyID(): "the base"}
	for name, text := range map[string]string{
		"no limit":               monitor + exception,
		"no exception":           limit(""),
		"another name":           strings.Replace(limit(exception), "\"a\"", "\"b\"", 1),
		"another per":            strings.Replace(limit(exception), "network", "client", 1),
		"another count":          limit("count = \"recipients\"\n" + exception),
		"another max":            strings.Replace(limit(exception), "10", "11", 1),
		"another window":         strings.Replace(limit(exception), "1h", "2h", 1),
		"another action":         limit("action = \"reject\"\n" + exception),
		"another width":          limit("ipv4_prefix = 23\n" + exception),
		"another width of IPv6":  limit("ipv6_prefix = 48\n" + exception),
		"authenticated":          limit("when = { authenticated = true }\n" + exception),
		"not authenticated":      limit("when = { authenticated = false }\n" + exception),
		"a listener":             limit("when = { listener = \"mx\" }\n" + exception),
		"a domain":               limit("when = { domain = \"a.example\" }\n" + exception),
		"a plan":                 limit("when = { plan = \"a\" }\n" + exception),
		"young accounts":         limit("when = { account_younger_than = \"1d\" }\n" + exception),
		"old accounts":           limit("when = { account_older_than = \"1d\" }\n" + exception),
		"steps":                  limit("steps = [{ until = \"1d\", max = 1 }]\n" + exception),
		"the built-in one off":   limit("[[limit]]\nname = \"new accounts\"\naction = \"off\"\n" + exception),
		"the built-in one wider": limit("[[limit]]\nname = \"new accounts\"\nmax = 101\n" + exception),
		"another account":        limit(strings.Replace(exception, "jo", "al", 1)),
		"a plan's exception":     limit(strings.Replace(exception, "account =", "plan =", 1)),
		"another exception":      limit(exception + "window = \"24h\"\n"),
		"of one limit":           limit(exception + "limit = \"a\"\n"),
		"exempt":                 limit(strings.Replace(exception, "500", "0", 1)),
		"with an end":            limit(exception + "expires = 2037-01-31\n"),
		"no learning":            "accounts.learn = \"0\"\n" + strings.Replace(limit(exception), "[accounts]\nfile", "accounts.file", 1),
	} {
		c := mustParse(t, text)
		if other, ok := seen[c.PolicyID()]; ok {
			t.Errorf("%s and %s share %s", name, other, c.PolicyID())
		}
		seen[c.PolicyID()] = name
	}
	if mustParse(t, strings.Replace(limit(exception), "/a", "/b", 1)).SettingsID() == base.SettingsID() {
		t.Error("another file of accounts leaves the settings the same")
	}
}

func TestExceptionsExpire(t *testing.T) {
	c := mustParse(t, monitor+"[[accounts.exception]]\naccount = \"jo\"\nmax = 500\nexpires = 2026-11-25\n[[accounts.exception]]\naccount = \"al\"\nmax = 500\n")
	if said := c.ExpiredExceptions(time.Date(2026, 11, 25, 23, 59, 59, 0, time.UTC)); len(said) > 0 {
		t.Errorf("on its last day: %v", said)
	}
	want := "m.toml:2: warning: the exception has expired on 2026-11-25; remove it, or give it a new date"
	if got := lines(c.ExpiredExceptions(time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// A name that is taken here is one to ratelimit, and the other way round but for the length.
func TestNamesOfLimits(t *testing.T) {
	names := []string{"a", "A-Z_0.9 x", strings.Repeat("x", 60), "", " a", "a ", "a\tb", "ä", "a/b", "a@b", "a[b", "a`b", "a{b", "a:b", "a\x00", "a;b"}
	for _, name := range names {
		_, ok := limitName(name, spot{report: &Report{}, src: &source{index: indexOf("")}})
		limit := ratelimit.Ramp()
		limit.Name = name
		if err := limit.Check(); ok != (err == nil) {
			t.Errorf("%q is taken: %v; by ratelimit: %v", name, ok, err)
		}
	}
}

func TestPerTakesAllWords(t *testing.T) {
	s := spot{report: &Report{}, src: &source{index: indexOf("")}}
	v, ok := perKind().parse(strings.Join(perWords(), "+"), s)
	if !ok || len(perWords()) != 7 || v.(ratelimit.Per).String() != "account+client+network+recipient+recipient_domain+sender+sender_domain" {
		t.Errorf("%v of %v: %s", v, perWords(), s.report)
	}
}

// What is said to be shadowed refuses only what the other limit refuses, too.
func TestShadowedLimitsChangeNothing(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	shadowed := 0
	for seed := range uint64(20000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		tight, loose := someLimit(rng, "tight"), someLimit(rng, "loose")
		if tight.Check() != nil || loose.Check() != nil || !shadows(&tight, &loose) {
			continue
		}
		shadowed++
		rules, err := ratelimit.NewRules([]ratelimit.Limit{loose, tight}, ratelimit.Secret{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		at, table := now, ratelimit.NewTable(ratelimit.Options{}, now)
		for range 60 {
			tx := ratelimit.Begin(rules, table)
			s := someSubject(rng)
			said := []ratelimit.Decision{tx.Mail(context.Background(), &s, at)}
			for range rng.IntN(3) {
				s.Rcpt = []string{"a@x.example", "b@x.example", "a@y.example"}[rng.IntN(3)]
				said = append(said, tx.Rcpt(context.Background(), &s, at))
			}
			for _, d := range said {
				also := slices.ContainsFunc(d.Others, func(o ratelimit.Over) bool { return o.Limit == "tight" && o.Action >= d.Action })
				if d.Refused() && d.Limit == "loose" && !also {
					t.Fatalf("seed %d: %+v speaks without %+v to %+v", seed, loose, tight, s)
				}
			}
			if err := tx.Commit(context.Background(), at); err != nil {
				t.Fatal(err)
			}
			if err := tx.Release(context.Background(), at); err != nil {
				t.Fatal(err)
			}
			at = at.Add(time.Duration(rng.Int64N(int64(loose.Window / 8))))
		}
	}
	if shadowed < 100 {
		t.Errorf("only %d pairs, of which one is shadowed", shadowed)
	}
}

func someLimit(rng *rand.Rand, name string) ratelimit.Limit {
	pick := func(n int) int { return rng.IntN(n) }
	l := ratelimit.Limit{
		Name: name, Per: ratelimit.Per(1 << pick(7)), Count: ratelimit.Count(pick(2)), Max: 1 + pick(4),
		Window: []time.Duration{time.Minute, time.Hour}[pick(2)], Action: ratelimit.Action(pick(3)),
	}
	if pick(2) == 0 {
		l.Per |= ratelimit.Per(1 << pick(7))
	}
	w := &l.When
	w.Authenticated = ratelimit.Must(pick(9) / 6)
	if pick(6) == 0 {
		w.Listener = "mx"
	}
	if pick(6) == 0 {
		w.Domains = []string{"x.example", "y.example"}[:1+pick(2)]
	}
	if pick(6) == 0 {
		w.Plans = []string{"free", "pro"}[:1+pick(2)]
	}
	if pick(6) == 0 {
		w.YoungerThan = time.Duration(1+pick(3)) * day
	}
	if pick(6) == 0 {
		w.OlderThan = time.Duration(1+pick(3)) * day
	}
	for i := range pick(9) / 7 * (1 + pick(2)) {
		l.Steps = append(l.Steps, ratelimit.Step{Until: time.Duration(i+1+pick(2)) * day, Max: 1 + pick(3)})
	}
	if pick(4) == 0 {
		l.Net4 = 16 + 8*pick(3)
	}
	return l
}

func someSubject(rng *rand.Rand) ratelimit.Subject {
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	return ratelimit.Subject{
		Account: pick("", "jo@x.example", "al@y.example", "sam"), Plan: pick("", "free", "pro"),
		Age:    ratelimit.Age{AtLeast: time.Duration(rng.IntN(5)) * day, Known: rng.IntN(2) == 0},
		Client: netip.MustParseAddr(pick("192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::1")), Listener: pick("mx", "submission"),
		Sender: pick("", "s@x.example", "t@x.example"), SenderProven: rng.IntN(2) == 0,
	}
}

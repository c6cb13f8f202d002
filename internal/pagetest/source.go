// Package pagetest has daemons to look at that are none: one at work, one that has
// just started, and one whose every text strangers wrote with ill intent. Tests of
// the page look at them, in Go and in a browser.
package pagetest

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/trend"
)

// Noon is the time of all of them.
var Noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A Source is what a page is told. It is page.Source; its fields are the answers.
type Source struct {
	S       *admin.Status
	Trouble []string
	L       *admin.Limits
	Top     *admin.Top
	Near    *admin.NearAccounts
	Known   map[string]*admin.Account
	Servers map[string][]admin.ServerCounts // by kind
	B       *admin.BlockedAccounts
	H       *admin.Suspects
	T       *trend.Trend
	Visits  []*engine.Record // newest first
}

// Status tells S.
func (s *Source) Status() *admin.Status { return s.S }

// Attention tells Trouble.
func (s *Source) Attention(*admin.Status) []string { return s.Trouble }

// Limits tells L.
func (s *Source) Limits() *admin.Limits { return s.L }

// TopAccounts tells Top.
func (s *Source) TopAccounts(n int) *admin.Top {
	return &admin.Top{All: s.Top.All, Accounts: s.Top.Accounts[:min(n, len(s.Top.Accounts))]}
}

// NearAccounts tells Near.
func (s *Source) NearAccounts(n int) *admin.NearAccounts {
	near := *s.Near
	near.Accounts = near.Accounts[:min(n, len(near.Accounts))]
	return &near
}

// Account tells of one that is Known.
func (s *Source) Account(name string) (*admin.Account, error) {
	if a := s.Known[name]; a != nil {
		return a, nil
	}
	return &admin.Account{Account: name, Age: admin.Age{State: admin.AgeUnseen}}, nil
}

// TopServers tells Servers.
func (s *Source) TopServers(kind, _ string, n int) ([]admin.ServerCounts, error) {
	all, ok := s.Servers[kind]
	if !ok && s.Servers != nil {
		return nil, fmt.Errorf("%q is no kind", kind)
	}
	return all[:min(n, len(all))], nil
}

// Server tells of one of Servers.
func (s *Source) Server(name string) (*admin.Server, error) {
	for _, all := range s.Servers {
		for _, c := range all {
			if c.Server == name {
				return &admin.Server{Asked: name, Now: Noon, History: "neutral", Counts: []admin.ServerCounts{c}}, nil
			}
		}
	}
	return nil, fmt.Errorf("%+q is neither an address nor a domain", name)
}

// Blocked tells B.
func (s *Source) Blocked() *admin.BlockedAccounts { return s.B }

// Suspects tells H.
func (s *Source) Suspects(n int) *admin.Suspects {
	return &admin.Suspects{Total: s.H.Total, Accounts: s.H.Accounts[:min(n, len(s.H.Accounts))]}
}

// Trend tells what T has at Noon.
func (s *Source) Trend(span trend.Span) *trend.Series { return s.T.Look(span, Noon) }

// Why finds Visits by how their id begins, and by their client.
func (s *Source) Why(_ context.Context, q admin.WhyQuery) (*admin.Why, error) {
	out := &admin.Why{Visits: []*engine.Record{}, Notes: []string{}}
	for _, v := range s.Visits {
		if strings.HasPrefix(v.ID, q.ID) && (q.Client == "" || q.Client == v.Client) && len(out.Visits) < q.Most {
			out.Visits = append(out.Visits, v)
		}
	}
	if len(out.Visits) == 0 {
		out.Notes = append(out.Notes, "no record of such a visit on this machine")
	}
	return out, nil
}

// Tail gives a line of each of Visits, and ends.
func (s *Source) Tail() (*logging.Watcher, error) {
	tap := new(logging.Tap)
	w, err := tap.Watch()
	if err != nil {
		return nil, err
	}
	defer w.End()
	logger := slog.New(tap.Over(logging.Discard().Handler(), "verdict"))
	for _, v := range s.Visits {
		for _, r := range v.Recipients {
			line := []any{"id", v.ID, "client", v.Client, "helo", v.Helo, "from", v.From, "rcpt", r.Rcpt, "action", r.Action}
			if r.Code != 0 { // the log leaves out what is not there
				line = append(line, "code", r.Code)
			}
			logger.Info("verdict", append(line, "findings", v.Findings[0].ID)...)
		}
	}
	return w, nil
}

// Empty is a daemon that has just started, with four lines of configuration.
func Empty() *Source {
	s := &admin.Status{
		Version: "0.1.0", Commit: "abc", PID: 42, Started: Noon.Add(-20 * time.Second), Now: Noon, State: admin.Serving,
		Mode: "monitor", Policy: "standard@1-3f9a2c1b",
		Config: admin.Config{Path: "/etc/mailprofiled/mailprofiled.toml", Files: []string{"/etc/mailprofiled/mailprofiled.toml"}, Loaded: Noon.Add(-20 * time.Second), Refused: []string{}},
		Listen: []string{"unix:/run/mailprofiled/milter.sock"}, Sessions: admin.Sessions{Limit: 4000},
		Hijack:   admin.HijackStatus{Action: "report", Learning: true, Learnt: Noon.AddDate(0, 0, 14)},
		Verdicts: map[string]uint64{"continue": 0, "tempfail": 0, "reject": 0}, Findings: map[string]uint64{},
		Store: admin.Store{Path: "/var/lib/mailprofiled", Kept: true, Bytes: 4096},
		Lists: []admin.DNSList{}, Local: []admin.LocalRule{}, Geo: []admin.Database{},
	}
	s.Resolver(resolver.Stats{Servers: []resolver.ServerStats{{Addr: netip.MustParseAddrPort("127.0.0.1:53"), Up: true}}})
	return &Source{S: s, L: &admin.Limits{Now: Noon, Mode: "monitor", Limits: []admin.Limit{}}, Top: &admin.Top{All: true}, Near: &admin.NearAccounts{Now: Noon, Share: 0.8, All: true},
		B: &admin.BlockedAccounts{Now: Noon, Mode: "monitor", Accounts: []admin.BlockedAccount{}}, H: &admin.Suspects{}, T: trend.New()}
}

// Full is a daemon at work, in which all there is to show is there.
func Full() *Source {
	src := Empty()
	s := src.S
	s.Started, s.Mode, s.Hijack.Learning = Noon.Add(-76*time.Hour), "enforce", false
	s.Config.Loaded = Noon.Add(-90 * time.Minute)
	s.MTA = &admin.MTA{Name: "mx1.example.net", Daemon: "MTA", LastCommand: Noon.Add(-2 * time.Second), Negotiated: Noon.Add(-time.Minute)}
	s.Sessions = admin.Sessions{Open: 37, Limit: 4000, Total: 1284031}
	s.Verdicts = map[string]uint64{"continue": 884211, "tempfail": 91233, "reject": 308220}
	s.Findings = map[string]uint64{
		"rdns-missing": 120345, "dnsbl:spamcop": 98213, "relation": 701230, "rdns-generic": 80112, "rdns-dynamic": 61002, "helo-generic": 50111,
		"spf-fail": 40111, "helo-not-client": 39000, "from-unrelated": 35511, "helo-unresolvable": 21000, "dnsbl:psbl": 18003, "limit:new accounts": 312, "rcpt-unknown": 8111, "helo-bot": 7,
	}
	s.Store = admin.Store{Path: "/var/lib/mailprofiled", Kept: true, Bytes: 48 << 20, Accounts: 182044, Counters: 9120, LastWrite: Noon}
	s.Lists = []admin.DNSList{
		{List: "spamcop", State: "up", Since: Noon.Add(-76 * time.Hour), Asked: 401233, Hits: 98213, Unknown: 31, Share: 0.2448, P50MS: 3.1, P99MS: 41.7, Visits: 98213, Alone: 31022, Harsher: 20114,
			Overlap: []admin.DNSListOverlap{{List: "psbl", Visits: 51022}, {List: "dronebl", Visits: 4311}}},
		{List: "psbl", State: "up", Since: Noon.Add(-76 * time.Hour), Asked: 400120, Hits: 61002, Unknown: 902, Share: 0.1528, P50MS: 8.0, P99MS: 190.2, Visits: 61002, Alone: 4111, Harsher: 0,
			Overlap: []admin.DNSListOverlap{{List: "spamcop", Visits: 51022}}},
		{List: "dronebl", State: "refused", Reason: "it answers 127.255.255.254: asked through a public resolver", Remedy: "use a resolver of your own", Since: Noon.Add(-11 * time.Minute), Asked: 1201, Unknown: 1201},
	}
	s.Shared = &admin.Shared{At: "redis://10.0.0.5:6379/0", Machine: "mx1", Up: true, Since: Noon.Add(-time.Hour), Machines: []admin.SharedMachine{{Name: "mx1"}, {Name: "mx2"}, {Name: "mx3"}}}
	s.Directory = admin.Directory{Sources: []admin.DirectorySource{{Source: "ldap", Up: true, Asked: 91022}, {Source: "file", Up: true, Addresses: 8112}}}
	s.Geo = []admin.Database{{Kind: "country", File: "/var/lib/GeoIP/GeoLite2-Country.mmdb", Built: Noon.AddDate(0, 0, -9)}}
	s.Retry = admin.Retry{Deferred: 812, Callers: 655, Passed: 40112, Asked: 51200, Returned: 9120, GaveUp: 41102, LongestS: 4011,
		Reasons: []admin.RetryReason{{Finding: "rdns-missing", Deferred: 31022, Returned: 2011}, {Finding: "rdns-generic", Deferred: 14011, Returned: 6120}}}
	s.Local = []admin.LocalRule{
		{Where: "mailprofiled.toml:31", Action: "allow", Owner: "jo", Hits: 4120, Last: Noon.Add(-time.Minute), Expires: Noon.AddDate(0, 0, 12), State: "active"},
		{Where: "mailprofiled.toml:38", Action: "deny", Owner: "", Hits: 90231, Last: Noon.Add(-time.Second), State: "active",
			Files: []admin.LocalFile{{File: "/etc/mailprofiled/deny.txt", Entries: 4120, Bad: 2, Expired: 11, Hits: 90231, Loaded: Noon.Add(-time.Hour), Tracked: true, Unused: 311}}},
		{Where: "conf.d/50-old.toml:3", Action: "points", Owner: "al", State: "unused"},
		{Where: "conf.d/50-old.toml:9", Action: "allow", Owner: "al", State: "expired", Hits: 12, Expires: Noon.AddDate(0, 0, -3), Last: Noon.AddDate(0, 0, -4)},
	}
	s.Candidate = &admin.Candidate{
		Path: "/etc/mailprofiled/candidate.toml", Policy: "strict@1-00ff00ff", Since: Noon.Add(-50 * time.Hour), Judged: 82011, Differ: 1204,
		Answers: []admin.CandidateAnswer{{Action: "continue", Candidate: "continue", Count: 60000}, {Action: "continue", Candidate: "tempfail", Count: 1100}, {Action: "tempfail", Candidate: "reject", Count: 104}},
		Senders: []admin.CandidateSender{
			{Name: "small-office.example", Answers: 311, Changes: []admin.Count{{Name: "continue -> tempfail", Times: 311}}, Why: []admin.Count{{Name: "+rdns-missing", Times: 311}}, Client: "198.51.100.9", Helo: "mail.small-office.example"},
			{Name: "203.0.113.0/24", Answers: 104, Changes: []admin.Count{{Name: "tempfail -> reject", Times: 104}}, Why: []admin.Count{{Name: "+helo-generic", Times: 100}, {Name: "-relation", Times: 4}}, Client: "203.0.113.45"},
		},
		Unlisted: 12, Skipped: 3,
	}
	src.Trouble = []string{"the last reload, 4m10s ago, was refused: 1 mistake. Mend it, then: mailprofiled reload", `  /etc/mailprofiled/mailprofiled.toml:14: unknown key "dns.budgt"; did you mean "budget"?`}
	s.Config.Refused = src.Trouble[1:]
	src.L = &admin.Limits{Now: Noon, Mode: "enforce", ByAge: true, Learnt: Noon.Add(9 * 24 * time.Hour), Limits: []admin.Limit{
		{Name: "new accounts", Per: "account", Count: "messages", Max: 100, Window: "24h", Steps: []admin.LimitStep{{Until: "7d", Max: 50}, {Until: "30d", Max: 200}}, When: "logged in", Action: "tempfail", Refused: 312, Reported: 90},
		{Name: "outgoing", Per: "account", Count: "recipients", Max: 5000, Window: "24h", When: "logged in", Action: "tempfail", Refused: 4},
		{Name: "bulk in", Per: "network", Count: "recipients", Max: 20000, Window: "1h", Action: "report", Reported: 8},
	}}
	src.Top = &admin.Top{All: true, Accounts: []admin.TopAccount{
		{Account: "newsletter@harbour.example", Refused: 211, Reported: 3, Limits: []string{"new accounts"}, Last: Noon.Add(-3 * time.Minute)},
		{Account: "joe@example.net", Refused: 12, Limits: []string{"outgoing"}, Last: Noon.Add(-5 * time.Hour)},
		{Account: "gone@example.net", Reported: 2, Limits: []string{"new accounts", "outgoing"}, Last: Noon.Add(-50 * time.Hour)},
	}}
	src.Near.Accounts = []admin.NearAccount{
		{Account: "newsletter@harbour.example", Limit: "new accounts", Count: "messages", Window: "24h", Max: 50, Used: 50, AsOf: Noon, Again: Noon.Add(4*time.Hour + 12*time.Minute), Refilled: Noon.Add(23 * time.Hour)},
		{Account: "joe@example.net", Limit: "outgoing", Count: "recipients", Window: "24h", Max: 5000, Used: 4480, AsOf: Noon, Refilled: Noon.Add(19*time.Hour + 4*time.Minute)},
		{Account: "h:mfzwizltoq5gk3ti", Limit: "outgoing", Count: "recipients", Window: "24h", Max: 5000, Used: 4100, AsOf: Noon.Add(-3 * time.Hour), Refilled: Noon.Add(21 * time.Hour)},
	}
	src.Known = map[string]*admin.Account{
		"newsletter@harbour.example": {Age: admin.Age{State: admin.AgeKnown}, Limits: []admin.AccountLimit{
			{Limit: "outgoing", State: admin.LimitCounts, Count: "recipients", Window: "24h", Max: 5000, Used: 311},
			{Limit: "new accounts", State: admin.LimitCounts, Count: "messages", Window: "24h", Max: 50, Used: 50, Again: Noon.Add(4*time.Hour + 12*time.Minute)}}},
		"joe@example.net": {Age: admin.Age{State: admin.AgeKnown}, Limits: []admin.AccountLimit{{Limit: "outgoing", State: admin.LimitCounts, Count: "recipients", Window: "24h", Max: 5000, Used: 4480}}},
	}
	src.B.Accounts = []admin.BlockedAccount{
		{Account: "win@harbour.example", Blocked: true, Since: Noon.Add(-3 * time.Hour), Action: "tempfail", Auto: true, By: "daemon", Reason: "21 countries in an hour"},
		{Account: "joe@example.net", Blocked: true, Since: Noon.Add(-30 * time.Hour), Until: Noon.Add(42 * time.Hour), Action: "reject", By: "uid 0", Owner: "jo", Reason: "ticket 4711"},
	}
	src.H = &admin.Suspects{Total: 3, Accounts: []admin.SuspectAccount{
		{Account: "win@harbour.example", At: Noon.Add(-3 * time.Hour), Client: "203.0.113.99", Score: 10, Signs: "networks:5,jump:5", Detail: "21 networks today, 3 on a usual day", Action: "block"},
		{Account: "h:mfzwizltoq5gk3ti", At: Noon.Add(-30 * time.Hour), Client: "2001:db8::99", Score: 8.5, Signs: "countries:8.5", Action: "tempfail", Monitor: true},
	}}
	src.T = aWeek(s.Findings)
	row := func(name, kind string, refused float64, first, last time.Duration) admin.ServerCounts {
		return admin.ServerCounts{Server: name, Kind: kind, First: Noon.Add(-first), Last: Noon.Add(-last), Visits: refused, Refused: refused, Taken: refused / 90}
	}
	src.Servers = map[string][]admin.ServerCounts{
		"network":  {row("203.0.113.0/24", "network", 81221, 60*time.Hour, 2*time.Second), row("198.51.100.0/24", "network", 4121.4, 71*time.Hour, time.Minute), row("2001:db8:11:2200::/64", "network", 311, 9*time.Hour, time.Hour)},
		"operator": {row("cheap-vps.example", "operator", 52011, 70*time.Hour, 9*time.Second), row("pool.homenet.example", "operator", 20111, 70*time.Hour, 20*time.Second)},
		"address":  {row("203.0.113.45", "address", 9123, 33*time.Hour, 2*time.Second), row("2001:db8:ffff:1234:5678:9abc:def0:1234", "address", 88.5, 2*time.Hour, 3*time.Minute)},
	}
	src.Visits = visits()
	return src
}

// aWeek is of mail that has its tides, and a storm of junk last night.
func aWeek(findings map[string]uint64) *trend.Trend {
	t, counters := trend.New(), map[string]uint64{}
	step := 5 * time.Minute
	for at := Noon.Add(-7 * 24 * time.Hour); at.Before(Noon); at = at.Add(step) {
		hours, ago := float64(at.Unix())/3600, Noon.Sub(at)
		if ago <= time.Hour {
			step = time.Minute
		}
		times := step.Minutes()
		tide := func(shift float64) float64 { return 1 + 0.7*math.Sin(2*math.Pi*(hours-9+shift)/24) }
		gust := 1 + 0.25*math.Sin(hours*9.7)*math.Sin(hours*3.1)
		junk := gust
		if ago > 9*time.Hour && ago < 11*time.Hour {
			junk *= 4
		}
		counters["continue"] += uint64(80 * tide(0) * gust * times)
		counters["tempfail"] += uint64(8 * junk * times)
		counters["reject"] += uint64((28*junk + 4*tide(0)) * times)
		for id, n := range findings {
			strange := float64(len(id) % 5)
			with := tide(strange) * gust
			if strange > 2 {
				with = junk
			}
			counters[id] += uint64(float64(n%(1<<30)) / 10000 * with * times)
		}
		t.Note(at, counters)
	}
	return t
}

// Evil are texts that strangers write: markup, control bytes, bytes that are no
// UTF-8, writing from right to left that does not end, what is very long and what
// has no place to break.
var Evil = []string{
	`<script>document.title="owned"</script><img src=x onerror=alert(1)>`,
	`"><svg onload=alert(1)>` + "\x00\x1b[31mred\x07\r\nX-Injected: yes",
	"\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
	strings.Repeat("a", 1000) + ".example",
	"\xff\xfe\xc3(" + `{{.S}} javascript:alert(1) &lt;b&gt;`,
}

// clip cuts to what a trend takes for a name.
func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), 200)], "?") }

// Hostile is Full with every text from Evil, in turn.
func Hostile() *Source {
	src, n := Full(), 0
	evil := func() string { n++; return Evil[n%len(Evil)] }
	s := src.S
	s.MTA.Name, s.MTA.Daemon = evil(), evil()
	s.Config.Path, s.Policy, s.Version = evil(), evil(), evil()
	s.Store.Kept, s.Store.Error = false, evil()
	s.Shared.Up, s.Shared.Error = false, evil()
	s.Directory.Sources[0].Up, s.Directory.Sources[0].Trouble = false, evil()
	s.Geo[0].Trouble = evil()
	s.Findings = map[string]uint64{}
	for range Evil {
		s.Findings["dnsbl:"+clip(evil())] = 1<<30 - 1
	}
	src.T = aWeek(s.Findings)
	for i := range src.B.Accounts {
		b := &src.B.Accounts[i]
		b.Account, b.By, b.Owner, b.Reason, b.Auto = evil(), evil(), evil(), evil(), false
	}
	for i := range src.H.Accounts {
		a := &src.H.Accounts[i]
		a.Account, a.Client, a.Signs, a.Detail = evil(), evil(), evil(), evil()
	}
	for i := range s.Lists {
		l := &s.Lists[i]
		l.List, l.Reason, l.Remedy, l.State = evil(), evil(), evil(), "silent"
		for j := range l.Overlap {
			l.Overlap[j].List = evil()
		}
	}
	for i := range s.Retry.Reasons {
		s.Retry.Reasons[i].Finding = evil()
	}
	for i := range s.Local {
		r := &s.Local[i]
		r.Where, r.Owner, r.State, r.Hits = evil(), evil(), "unused", 0
		for j := range r.Files {
			r.Files[j].File, r.Files[j].Trouble = evil(), evil()
		}
	}
	s.Candidate.Path, s.Candidate.Policy = evil(), evil()
	for i := range s.Candidate.Senders {
		x := &s.Candidate.Senders[i]
		x.Name, x.Client, x.PTR, x.Helo = evil(), evil(), evil(), evil()
		x.Changes[0].Name, x.Why[0].Name = evil(), evil()
	}
	src.Trouble = slices.Clone(Evil)
	for i := range src.L.Limits {
		src.L.Limits[i].Name, src.L.Limits[i].When = evil(), evil()
	}
	for i := range src.Near.Accounts {
		a := &src.Near.Accounts[i]
		a.Account, a.Limit, a.Used = evil(), evil(), 1<<40
	}
	for i := range src.Top.Accounts {
		a := &src.Top.Accounts[i]
		a.Account, a.Limits = evil(), slices.Clone(Evil)
	}
	for _, v := range src.Visits {
		v.Client, v.PTR, v.Helo, v.From, v.Account, v.Queue, v.Listener, v.Policy = evil(), evil(), evil(), evil(), evil(), evil(), evil(), evil()
		for i := range v.Findings {
			v.Findings[i].ID, v.Findings[i].Detail, v.Findings[i].Where = evil(), evil(), evil()
		}
		for i := range v.Lookups {
			v.Lookups[i].Question, v.Lookups[i].Type, v.Lookups[i].Answer = evil(), evil(), slices.Clone(Evil)
		}
		for i := range v.Recipients {
			r := &v.Recipients[i]
			r.Rcpt, r.Status, r.Text, r.Reply, r.Directory = evil(), evil(), evil(), evil(), slices.Clone(Evil)
		}
		for i := range v.ListsAway {
			v.ListsAway[i].List, v.ListsAway[i].Reason = evil(), evil()
		}
	}
	for _, rows := range src.Servers {
		for i := range rows {
			rows[i].Server = evil()
		}
	}
	return src
}

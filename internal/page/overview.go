package page

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/trend"
)

// An overview is what the first page shows: the daemon's own words, and what is
// made of them for the eye.
type overview struct {
	Host  string
	Every int  // seconds after which it reloads; 0 for not by itself
	Guard bool // who reads has logged in
	Acts  bool // and may act

	S         *admin.Status
	Attention []string
	Tiles     []tile
	Charts    []chart
	Judged    bool // there is something in them
	Findings  []findingRow
	Others    int // findings beyond
	Blocked   *admin.BlockedAccounts
	Suspects  *admin.Suspects
	Limits    *admin.Limits
	Accounts  accounts
	Near      *admin.NearAccounts
	Servers   []ranking
	Local     localRules
	Retry     retries
}

// How many rows of each a page takes.
const (
	maxFindings = 12
	maxAccounts = 15
	maxServers  = 8
	maxLocal    = 20
	maxBlocked  = 20
	maxSuspects = 10
)

// A part is a count, and its share of something.
type part struct {
	Name  string // its class in the picture
	Label string // for people
	Count uint64
	Share float64 // 0 to 1
	Of    bool    // the share is told
}

func (p *Page) overview(b *bytes.Buffer) error      { return render(b, "overview.html", p.look(0)) }
func (p *Page) overviewEvery(b *bytes.Buffer) error { return render(b, "overview.html", p.look(30)) }

// LookAt names the tiles that are not well.
func (o *overview) LookAt() string {
	var names []string
	for _, t := range o.Tiles {
		if t.State == "poor" || t.State == "bad" {
			names = append(names, t.Name)
		}
	}
	return strings.Join(names, ", ")
}

// look gathers all of it.
func (p *Page) look(every int) *overview {
	s, access := p.Source.Status(), p.Access()
	o := &overview{
		Host: p.Host, Every: every, Guard: access.Token != "", Acts: p.acts(access), S: s,
		Attention: p.Source.Attention(s), Tiles: tiles(s), Limits: p.Source.Limits(),
	}
	hour, day, week := p.Source.Trend(trend.Hour), p.Source.Trend(trend.Day), p.Source.Trend(trend.Week)
	for _, series := range []*trend.Series{hour, day, week} {
		c := chartOf(series, p.Now())
		o.Charts, o.Judged = append(o.Charts, c), o.Judged || c.Total > 0
	}
	o.Findings, o.Others = findingRows(hour, day, week)
	o.Blocked, o.Suspects = p.Source.Blocked(), p.Source.Suspects(maxSuspects)
	o.Accounts, o.Near = p.accounts(maxAccounts), p.Source.NearAccounts(maxAccounts)
	o.Servers = p.rankings()
	o.Local = localOf(s)
	o.Retry = retriesOf(s)
	return o
}

// accounts are those that met limits.
type accounts struct {
	All  bool // nobody who met one is missing
	Rows []admin.TopAccount
	More bool
}

// accounts asks for them.
func (p *Page) accounts(n int) accounts {
	top := p.Source.TopAccounts(n + 1)
	return accounts{All: top.All, More: len(top.Accounts) > n, Rows: top.Accounts[:min(n, len(top.Accounts))]}
}

// A ranking is who was refused most, of one kind.
type ranking struct {
	Kind, Title string
	Rows        []admin.ServerCounts
}

// rankings are those of all kinds.
func (p *Page) rankings() []ranking {
	all := []ranking{{Kind: "network", Title: "Networks"}, {Kind: "operator", Title: "Operators"}, {Kind: "address", Title: "Addresses"}}
	for i := range all {
		rows, err := p.servers.get(p.Source, all[i].Kind, "refused", p.Now())
		if err == nil { // the words are ours, and known
			all[i].Rows = rows[:min(len(rows), maxServers)]
		}
	}
	return all
}

// serverRanks keeps rankings for serversFor, and has one made at a time.
type serverRanks struct {
	mu  sync.Mutex
	all map[[2]string]ranked
}

type ranked struct {
	at   time.Time
	rows []admin.ServerCounts
}

// get gives the first of a kind, at most rowsMost.
func (sr *serverRanks) get(from Source, kind, by string, now time.Time) ([]admin.ServerCounts, error) {
	kind, by = cmp.Or(kind, "address"), cmp.Or(by, "refused")
	sr.mu.Lock()
	defer sr.mu.Unlock()
	key := [2]string{kind, by}
	if r, ok := sr.all[key]; ok && now.Sub(r.at).Abs() < serversFor {
		return r.rows, nil
	}
	rows, err := from.TopServers(kind, by, rowsMost)
	if err != nil { // no such words: there are few that are kept
		return nil, err
	}
	if sr.all == nil {
		sr.all = map[[2]string]ranked{}
	}
	sr.all[key] = ranked{now, rows}
	return rows, nil
}

// BlockedRows are the first that are blocked.
func (o *overview) BlockedRows() []admin.BlockedAccount {
	return o.Blocked.Accounts[:min(len(o.Blocked.Accounts), maxBlocked)]
}

// BlockedMore is how many there are besides.
func (o *overview) BlockedMore() int { return max(0, len(o.Blocked.Accounts)-maxBlocked) }

// Refused reports whether anybody was.
func (o *overview) Refused() bool {
	return slices.ContainsFunc(o.Servers, func(r ranking) bool { return len(r.Rows) > 0 })
}

// soon is how near the end of a rule is told.
const soon = 30 * 24 * time.Hour

// localRules are the operator's own rules: those that want a look, and how many
// there are.
type localRules struct {
	Rules int
	Look  []localRule
	More  int
	Files []admin.LocalFile // each once
}

// A localRule is a rule that wants a look, and why.
type localRule struct {
	admin.LocalRule
	Why string
}

func localOf(s *admin.Status) localRules {
	out := localRules{Rules: len(s.Local)}
	seen := map[string]bool{}
	for _, r := range s.Local {
		for _, f := range r.Files {
			if !seen[f.File] {
				out.Files = append(out.Files, f)
			}
			seen[f.File] = true
		}
		why := whyLook(&r, s.Now)
		switch {
		case why == "":
		case len(out.Look) < maxLocal:
			out.Look = append(out.Look, localRule{r, why})
		default:
			out.More++
		}
	}
	return out
}

// whyLook says why an operator may want to look at a rule; "" for no reason.
func whyLook(r *admin.LocalRule, now time.Time) string {
	switch {
	case r.State == "expired":
		return "it has expired: remove it, or give it another date"
	case !r.Expires.IsZero() && r.Expires.Sub(now) < soon:
		return "it expires in " + age(r.Expires.Sub(now))
	case r.State == "unused":
		return "it was never used since the start"
	}
	return ""
}

// retries are who was asked to come back for their score, and did.
type retries struct {
	admin.Retry
	Came    float64 // share of those of whom it is known
	Reasons []admin.RetryReason
}

func retriesOf(s *admin.Status) retries {
	r := retries{Retry: s.Retry, Reasons: slices.Clone(s.Retry.Reasons)}
	if n := r.Returned + r.GaveUp; n > 0 {
		r.Came = float64(r.Returned) / float64(n)
	}
	slices.SortFunc(r.Reasons, func(a, b admin.RetryReason) int {
		return cmp.Or(cmp.Compare(b.Deferred, a.Deferred), cmp.Compare(a.Finding, b.Finding))
	})
	r.Reasons = r.Reasons[:min(len(r.Reasons), maxFindings)]
	return r
}

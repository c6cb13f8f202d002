package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// An accountDesk answers for the accounts of a daemon. It is admin.Accounts.
type accountDesk struct{ d *daemon }

// The longest texts of an exception that is made by command.
const (
	maxWhom = 320 // an address with its longest parts (RFC 5321 section 4.5.3.1)
	maxNote = 200
)

// keyOf gives the account that a login is counted as.
func (g *generation) keyOf(login string) (string, error) {
	if err := checkLogin(login); err != nil {
		return "", err
	}
	return g.key(login), nil
}

// checkLogin says what keeps a text from being a login.
func checkLogin(name string) error {
	switch {
	case name == "":
		return errors.New("no account is named")
	case len(name) > maxWhom:
		return fmt.Errorf("the account has more than %d octets", maxWhom)
	case strings.ContainsFunc(name, unicode.IsControl) || strings.TrimSpace(name) != name:
		return fmt.Errorf("%+q is no login: there is a space around it or a control character in it", name)
	}
	return nil
}

// Account tells how an account stands.
func (a accountDesk) Account(name string) (*admin.Account, error) {
	g := a.d.enter()
	defer g.leave()
	key, err := g.keyOf(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s, age := a.subject(g, key, now)
	account := &admin.Account{Account: key, Names: namesOf(g, key), Now: now, Age: age, Plan: s.Plan, Limits: a.standing(g, s, now), Exceptions: []admin.AccountException{}, Block: a.lastBlock(key, now), Hijack: a.hijack(g, key, now)}
	written, made := a.d.counted.Grants.Lists()
	for _, list := range []struct {
		all []ratelimit.Exception
		by  string
	}{{written, "file"}, {made, "command"}} {
		for i := range list.all {
			if e := &list.all[i]; isFor(e, s) {
				account.Exceptions = append(account.Exceptions, exceptionOf(e, list.by, now))
			}
		}
	}
	return account, nil
}

// mostNames is how many other names of an account are shown.
const mostNames = 20

// namesOf gives the other logins of an account, by the file of accounts.
func namesOf(g *generation, key string) []string {
	names := []string{}
	if g.accounts != nil {
		names = append(names, g.accounts.List().Others(key, mostNames)...)
	}
	return names
}

// subject is an account as limits see it, and its age for people. Nothing is noted.
func (a accountDesk) subject(g *generation, key string, now time.Time) (*ratelimit.Subject, admin.Age) {
	s := &ratelimit.Subject{Account: key}
	var created time.Time
	if g.limits.Born != nil {
		ctx, cancel := context.WithTimeout(context.Background(), g.cfg.DNS.Budget)
		born := g.limits.Born(ctx, key)
		created, s.Plan = born.Created, born.Plan
		cancel()
	}
	if !created.IsZero() && created.Before(now) {
		s.Age = ratelimit.Age{AtLeast: now.Sub(created), Known: true}
		return s, admin.Age{State: admin.AgeKnown, By: "file", Since: created, Days: days(now.Sub(created))}
	}
	accounts := a.d.counted.Accounts
	_, learnt := accounts.Began(now)
	first, seen := accounts.FirstSeen(key, now)
	if !seen {
		s.Age.Known = !now.Before(learnt) // its first mail would make it new
		return s, admin.Age{State: admin.AgeUnseen}
	}
	s.Age = accounts.Peek(key, now)
	age := admin.Age{State: admin.AgeKnown, By: "seen", Since: first, Days: days(s.Age.AtLeast)}
	if !s.Age.Known {
		age.State, age.Learnt = admin.AgeUnknown, learnt
	}
	return s, age
}

func days(d time.Duration) float64 { return float64(d/time.Minute) / (24 * 60) }

// standing tells of each limit that counts by account how much of it is used.
func (a accountDesk) standing(g *generation, s *ratelimit.Subject, now time.Time) []admin.AccountLimit {
	rows := []admin.AccountLimit{}
	if g.limits.Rules == nil {
		return rows
	}
	used := map[string]ratelimit.Over{}
	for _, role := range []string{engine.RoleSubmission, engine.RoleMX} {
		at := *s
		at.Listener = role
		for _, o := range g.limits.Rules.Standing(a.d.counted.Desk(), &at, now) {
			used[o.Limit] = o
		}
	}
	limits := g.limits.Rules.Limits()
	for i := range limits {
		l := &limits[i]
		if l.Per&ratelimit.PerAccount == 0 {
			continue
		}
		row := admin.AccountLimit{Limit: l.Name, Per: l.Per.String(), Count: l.Count.String(), Window: spanText(l.Window), Action: l.Action.String(), State: admin.LimitNotForIt}
		o, counts := used[l.Name]
		switch {
		case counts:
			row.State, row.Action, row.Max, row.Used, row.Again = admin.LimitCounts, o.Action.String(), o.Max, o.Used, o.Again
		case l.Per != ratelimit.PerAccount:
			row.State = admin.LimitElsewhere
		case a.exempt(l, s, now):
			row.State = admin.LimitExempt
		}
		rows = append(rows, row)
	}
	return rows
}

// exempt reports whether an exception exempts an account from a limit.
func (a accountDesk) exempt(l *ratelimit.Limit, s *ratelimit.Subject, now time.Time) bool {
	return slices.ContainsFunc(a.d.counted.Exceptions.All(), func(e ratelimit.Exception) bool {
		return e.Max == 0 && isFor(&e, s) && isOf(&e, l) && !expired(&e, now)
	})
}

// isFor reports whether an exception is for an account.
func isFor(e *ratelimit.Exception, s *ratelimit.Subject) bool {
	domain := s.Account[strings.LastIndexByte(s.Account, '@')+1:]
	return e.Account == s.Account || e.Plan != "" && e.Plan == s.Plan || e.Domain != "" && len(domain) < len(s.Account) && e.Domain == domain
}

// isOf reports whether an exception is of a limit.
func isOf(e *ratelimit.Exception, l *ratelimit.Limit) bool {
	return (e.Limit == l.Name || e.Limit == "" && l.Per&ratelimit.PerAccount != 0) && (e.Window == 0 || e.Window == l.Window)
}

func expired(e *ratelimit.Exception, now time.Time) bool {
	return !e.Expires.IsZero() && !now.Before(e.Expires)
}

func exceptionOf(e *ratelimit.Exception, by string, now time.Time) admin.AccountException {
	x := admin.AccountException{
		Account: e.Account, Plan: e.Plan, Domain: e.Domain, Limit: e.Limit, Max: e.Max,
		Expires: e.Expires, Expired: expired(e, now), Owner: e.Owner, Reason: e.Reason, By: by,
	}
	if e.Window > 0 {
		x.Window = spanText(e.Window)
	}
	return x
}

// Exceptions lists all of them.
func (a accountDesk) Exceptions() []admin.AccountException {
	now := time.Now()
	written, made := a.d.counted.Grants.Lists()
	all := []admin.AccountException{}
	for i := range written {
		all = append(all, exceptionOf(&written[i], "file", now))
	}
	for i := range made {
		all = append(all, exceptionOf(&made[i], "command", now))
	}
	return all
}

// Top names the accounts that met limits most often.
func (a accountDesk) Top(n int) *admin.Top {
	g := a.d.enter()
	defer g.leave()
	t := &admin.Top{All: true, Accounts: []admin.TopAccount{}}
	busiest, ok := g.limits.Watch.(*memory.Busiest)
	if !ok {
		return t
	}
	top, all := busiest.Top(n)
	t.All = all
	for _, b := range top {
		t.Accounts = append(t.Accounts, admin.TopAccount(b))
	}
	return t
}

// nearTime bounds how long it is looked how accounts stand: a directory may be asked of
// their age and plan.
const nearTime = 500 * time.Millisecond

// Near names the accounts that are near a limit, by how they stand now.
func (a accountDesk) Near(n int) *admin.NearAccounts {
	g := a.d.enter()
	defer g.leave()
	now := time.Now()
	out := &admin.NearAccounts{Now: now, Share: memory.NearShare, All: true, Accounts: []admin.NearAccount{}}
	busiest, ok := g.limits.Watch.(*memory.Busiest)
	if !ok {
		return out
	}
	noted, all := busiest.Nearest(math.MaxInt, now)
	out.All = all
	for i := range noted {
		near := &noted[i]
		row := admin.NearAccount{
			Account: near.Account, Limit: near.Limit, Count: near.Count, Window: spanText(near.Window),
			Max: near.Max, Used: near.Used, AsOf: near.Last, Refilled: near.Last.Add(near.Window),
		}
		if g.hash == nil && time.Since(now) < nearTime {
			s, _ := a.subject(g, near.Account, now)
			standing := a.standing(g, s, now)
			at := slices.IndexFunc(standing, func(l admin.AccountLimit) bool {
				return l.Limit == row.Limit && l.Window == row.Window && l.State == admin.LimitCounts
			})
			if at < 0 || float64(standing[at].Used) < memory.NearShare*float64(standing[at].Max) {
				continue // raised since, or some of it has come back
			}
			row.Max, row.Used, row.Again, row.AsOf = standing[at].Max, standing[at].Used, standing[at].Again, now
		}
		out.Accounts = append(out.Accounts, row)
	}
	slices.SortStableFunc(out.Accounts, func(a, b admin.NearAccount) int {
		return cmp.Compare(b.Used*a.Max, a.Used*b.Max)
	})
	out.Accounts = out.Accounts[:min(n, len(out.Accounts))]
	return out
}

// Raise makes an exception.
func (a accountDesk) Raise(by string, asked admin.Grant) (*admin.Changed, error) {
	g := a.d.enter()
	defer g.leave()
	now := time.Now()
	e, err := g.grantOf(asked, now)
	if err != nil {
		return nil, err
	}
	names, err := raised(e, g.cfg.Limits)
	if err != nil {
		return nil, err
	}
	if err := a.d.counted.Grants.Add(*e, now); err != nil {
		return nil, err
	}
	changed := &admin.Changed{Exceptions: []admin.AccountException{exceptionOf(e, "command", now)}, Limits: names}
	if e.Account != "" {
		_, age := a.subject(g, e.Account, now)
		changed.Unseen = age.State == admin.AgeUnseen
	}
	what := "limits raised by command"
	if e.Max == 0 {
		what = "exempted from limits by command"
	}
	a.log(g, what, by, e, "limits", strings.Join(names, ","), "max", e.Max, "window", windowOrAny(e.Window), "expires", dateOrNever(e.Expires), "owner", e.Owner, "reason", e.Reason)
	_, changed.Unkept = a.d.keep(context.Background())
	return changed, nil
}

// grantOf is the exception that is asked for.
func (in *generation) grantOf(g admin.Grant, now time.Time) (*ratelimit.Exception, error) {
	e := &ratelimit.Exception{
		Plan: g.Plan, Domain: strings.ToLower(strings.TrimPrefix(g.Domain, "@")), Limit: g.Limit, Window: time.Duration(g.Window) * time.Second,
		Max: g.Max, Owner: g.Owner, Reason: g.Reason,
	}
	if g.Account != "" {
		var err error
		if e.Account, err = in.keyOf(g.Account); err != nil {
			return nil, err
		}
	}
	if g.Window < 0 || g.Window > int64(ratelimit.MaxWindow/time.Second) {
		return nil, errors.New("a window is 1s to 31d")
	}
	for what, text := range map[string]string{"plan": e.Plan, "domain": e.Domain, "owner": e.Owner, "reason": e.Reason} {
		if len(text) > maxNote || strings.ContainsFunc(text, unicode.IsControl) {
			return nil, fmt.Errorf("the %s is longer than %d octets, or more than one line", what, maxNote)
		}
	}
	if g.Until != "" {
		last, err := time.Parse(time.DateOnly, g.Until)
		if err != nil {
			return nil, fmt.Errorf("%+q is no date; write it as %s", g.Until, now.UTC().AddDate(0, 1, 0).Format(time.DateOnly))
		}
		if e.Expires = last.AddDate(0, 0, 1); !now.Before(e.Expires) {
			return nil, fmt.Errorf("%s is over, in UTC; name a later day", g.Until)
		}
	}
	return e, e.Check()
}

// raised names the limits that an exception changes. One that would change nothing
// is a mistake.
func raised(e *ratelimit.Exception, limits []ratelimit.Limit) ([]string, error) {
	var names, there, higher []string
	for i := range limits {
		l := &limits[i]
		if l.Per&ratelimit.PerAccount != 0 {
			there = append(there, fmt.Sprintf("%s (%s)", l.Name, spanText(l.Window)))
		}
		switch {
		case !isOf(e, l):
		case e.Max > 0 && lowest(l) >= e.Max:
			higher = append(higher, fmt.Sprintf("%s lets %d through", l.Name, lowest(l)))
		default:
			names = append(names, l.Name)
		}
	}
	switch {
	case len(names) > 0:
		return names, nil
	case len(higher) > 0:
		return nil, fmt.Errorf("nothing would change: %s", strings.Join(higher, ", "))
	case len(there) == 0:
		return nil, errors.New("no limit per account is in force")
	case e.Limit != "":
		return nil, fmt.Errorf("no limit %q with that window is in force; there are: %s", e.Limit, strings.Join(there, ", "))
	}
	return nil, fmt.Errorf("no limit per account has a window of %s; there are: %s", spanText(e.Window), strings.Join(there, ", "))
}

// lowest is the lowest maximum of a limit.
func lowest(l *ratelimit.Limit) int {
	least := l.Max
	for i, s := range l.Steps {
		if i == 0 || s.Max < least {
			least = s.Max
		}
	}
	return least
}

// Unraise takes exceptions back that were made by command.
func (a accountDesk) Unraise(by string, asked admin.Grant) (*admin.Changed, error) {
	g := a.d.enter()
	defer g.leave()
	now := time.Now()
	whom, err := g.grantOf(admin.Grant{Account: asked.Account, Plan: asked.Plan, Domain: asked.Domain}, now)
	if err != nil {
		return nil, err
	}
	changed := &admin.Changed{Exceptions: []admin.AccountException{}, Limits: []string{}}
	for _, e := range a.d.counted.Grants.Remove(*whom) {
		changed.Exceptions = append(changed.Exceptions, exceptionOf(&e, "command", now))
		a.log(g, "exception taken back by command", by, &e, "limit", e.Limit, "max", e.Max, "window", windowOrAny(e.Window))
	}
	written, _ := a.d.counted.Grants.Lists()
	for _, e := range written {
		if e.Account == whom.Account && e.Plan == whom.Plan && e.Domain == whom.Domain {
			changed.Written++
		}
	}
	if len(changed.Exceptions) == 0 && changed.Written == 0 {
		return nil, errors.New("there is no exception for it")
	}
	_, changed.Unkept = a.d.keep(context.Background())
	return changed, nil
}

// Reset forgets what an account has used.
func (a accountDesk) Reset(by, name string) (*admin.Changed, error) {
	g := a.d.enter()
	defer g.leave()
	key, err := g.keyOf(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s, age := a.subject(g, key, now)
	changed := &admin.Changed{Exceptions: []admin.AccountException{}, Limits: []string{}, Unseen: age.State == admin.AgeUnseen}
	for _, l := range a.standing(g, s, now) {
		if l.State == admin.LimitCounts {
			changed.Limits = append(changed.Limits, l.Limit)
		}
	}
	changed.Counters = len(changed.Limits)
	for _, role := range []string{engine.RoleSubmission, engine.RoleMX} {
		if s.Listener = role; g.limits.Rules != nil {
			g.limits.Rules.Reset(a.d.counted.Desk(), s, now)
		}
	}
	changed.Suspected = a.d.counted.Hijack.Release(a.d.counted.Hijack.Account(key), now)
	rest := []any{"limits", strings.Join(changed.Limits, ",")}
	if changed.Suspected {
		rest = append(rest, "signs", "forgotten")
	}
	a.log(g, "counters reset by command", by, &ratelimit.Exception{Account: key}, rest...)
	_, changed.Unkept = a.d.keep(context.Background())
	return changed, nil
}

// log writes the line that tells of a change.
func (a accountDesk) log(g *generation, msg, by string, whom *ratelimit.Exception, rest ...any) {
	account := whom.Account
	if account != "" && g.hash != nil {
		account = g.hash.Token(profile.Mailbox(account))
	}
	var attrs []any
	for _, kv := range [][2]string{{"by", by}, {"account", account}, {"plan", whom.Plan}, {"domain", whom.Domain}} {
		if kv[1] != "" {
			attrs = append(attrs, kv[0], kv[1])
		}
	}
	a.d.logger.Info(msg, append(attrs, rest...)...)
}

func windowOrAny(d time.Duration) string {
	if d == 0 {
		return "any"
	}
	return spanText(d)
}

func dateOrNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

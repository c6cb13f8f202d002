package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// An Exception is for one account, or for all of a plan or domain: just one of
// the three is given. It raises the maximum of limits for their mail, or exempts
// them.
type Exception struct {
	Account string // by AccountKey
	Plan    string
	Domain  string // of the account, in lower case

	// Which limits: one by its name, or "" for all that are per account. If
	// Window is given, of those the ones with this window.
	Limit  string
	Window time.Duration

	// Max takes the place of a maximum that is lower. 0 exempts: the mail is then
	// not even counted, and what it sent does not stand against it afterwards.
	Max int

	Expires time.Time // from then on it is void; zero: never
	Owner   string    // who is to be asked
	Reason  string    // why, such as a ticket
}

// Check gives what keeps the exception from being used, joined; nil if nothing does.
func (e *Exception) Check() error {
	var all []error
	given := 0
	for _, s := range []string{e.Account, e.Plan, e.Domain} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		all = append(all, errors.New("not for one account, plan or domain; give just one of the three"))
	}
	if e.Account != AccountKey(e.Account) || e.Domain != strings.ToLower(e.Domain) {
		all = append(all, errors.New("account or domain is not in lower case; write it so"))
	}
	if e.Max < 0 || e.Max > MaxMax {
		all = append(all, fmt.Errorf("max is %d; use 1 to %d, or 0 to exempt", e.Max, MaxMax))
	}
	if e.Window < 0 {
		all = append(all, errors.New("window is negative; leave it out for any"))
	}
	return errors.Join(all...)
}

// holds reports whether the exception is for this limit, now.
func (e *Exception) holds(l *rule, now time.Time) bool {
	return (e.Expires.IsZero() || now.Before(e.Expires)) &&
		(e.Limit == l.Name || e.Limit == "" && l.Per.has(PerAccount)) &&
		(e.Window == 0 || e.Window == l.Window)
}

// Exceptions are those that are in force. They are safe for concurrent use, and
// live longer than Rules. The zero Exceptions has none.
type Exceptions struct {
	sets atomic.Pointer[exceptionSets]
}

type exceptionSets struct {
	all []Exception
	by  [3]map[string][]*Exception // account, domain, plan
}

// Set puts these in the place of all that were there. Those that Check finds
// wrong are left out, and their errors returned, joined.
func (x *Exceptions) Set(all []Exception) error {
	sets := &exceptionSets{by: [3]map[string][]*Exception{{}, {}, {}}}
	var wrong []error
	for i := range all {
		e := all[i]
		if err := e.Check(); err != nil {
			wrong = append(wrong, fmt.Errorf("exception %d: %w", i+1, err))
			continue
		}
		sets.all = append(sets.all, e)
		for kind, name := range []string{e.Account, e.Domain, e.Plan} {
			if name != "" {
				sets.by[kind][name] = append(sets.by[kind][name], &e)
			}
		}
	}
	x.sets.Store(sets)
	return errors.Join(wrong...)
}

// All gives the exceptions that were set and are right, expired ones too.
func (x *Exceptions) All() []Exception {
	if sets := x.sets.Load(); sets != nil {
		return append([]Exception(nil), sets.all...)
	}
	return nil
}

// most gives the maximum of a limit for the subject's account, where most is
// that of the limit; false exempts. The most generous exception counts.
func (x *Exceptions) most(l *rule, s *Subject, most int, now time.Time) (int, bool) {
	sets := x.sets.Load()
	if sets == nil || len(sets.all) == 0 {
		return most, true
	}
	for kind, name := range [3]string{s.Account, s.domain(), s.Plan} {
		if len(sets.by[kind]) == 0 {
			continue
		}
		for _, e := range sets.by[kind][name] {
			if !e.holds(l, now) {
				continue
			}
			if e.Max == 0 {
				return 0, false
			}
			most = max(most, e.Max)
		}
	}
	return most, true
}

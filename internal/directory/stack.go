package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// An Immediate is a Source that answers out of memory: its Lookup neither waits nor
// fails. It is asked each time, with no Guard before it.
type Immediate interface {
	Source
	// Immediately is never called: it tells such a Source from others.
	Immediately()
}

// A Route is one source for some domains.
type Route struct {
	Domains  []string // lower-case A-labels; none: those that no other route names
	Kind     string   // "mta", "file", "sql", ...: for those who look
	Name     string   // what is asked: the files, the query: likewise, and without secrets
	File     Immediate
	Guard    *Guard // where File is nil; without both the route asks nobody
	Tempfail bool   // what is to be done where the source fails: ask the client to come back, or let it go on
}

// Options are what a Stack works by.
type Options struct {
	Ours       []string          // domains that are final here: of others nothing is asked
	Aliases    map[string]string // a domain, and the one in whose place it stands
	Delimiters string            // of plus-addresses: "+", "+-"; "" for none
	Routes     []Route           // those of one domain are asked in their order
}

// An Answer is an Entry, and how it came about.
type Answer struct {
	Entry
	By       string // the kind of the source whose word it is; "" for none
	Name     string // that of its Route
	Cached   bool   // nobody was asked
	Stale    bool   // the source fails, and this is what it last said
	Tempfail bool   // with Failed: the client is to come back
}

// A Stack answers for recipients: it chooses the sources of a domain and walks what
// they are to be asked. It is safe for concurrent use, and does not change.
type Stack struct {
	delimiters string
	routes     []Route
	domains    map[string]*place // those of which anything is set
	others     *place            // all the rest
	home       string            // the domain of logins without one
}

// A place is what there is to know of a domain.
type place struct {
	target string // the domain in whose place it stands; "" for none
	routes []*Route
	asks   bool // somebody is asked about its recipients
}

// NewStack makes a Stack. It takes over one use of each Guard.
func NewStack(o Options) *Stack {
	s := &Stack{delimiters: o.Delimiters, routes: o.Routes, domains: make(map[string]*place), others: &place{}}
	if len(o.Ours) > 0 {
		s.home = o.Ours[0]
	}
	own := make(map[string][]*Route)
	for i := range s.routes {
		r := &s.routes[i]
		if len(r.Domains) == 0 {
			s.others.routes = append(s.others.routes, r)
		}
		for _, domain := range r.Domains {
			own[domain] = append(own[domain], r)
		}
	}
	for domain, routes := range own {
		s.domains[domain] = &place{routes: routes}
	}
	for _, domain := range o.Ours {
		p := &place{target: o.Aliases[domain], routes: s.others.routes}
		if routes, ok := own[cmp.Or(p.target, domain)]; ok {
			p.routes = routes
		}
		p.asks = slices.ContainsFunc(p.routes, func(r *Route) bool { return r.File != nil || r.Guard != nil })
		s.domains[domain] = p
	}
	return s
}

// Guard gives the guard of this stack with that id to one more user, nil for none: a
// new stack goes on with what an old one remembers.
func (s *Stack) Guard(id string) *Guard {
	if s == nil {
		return nil
	}
	for i := range s.routes {
		if g := s.routes[i].Guard; g != nil && g.id == id {
			g.share()
			return g
		}
	}
	return nil
}

// Share gives the same stack to one more user, who closes it too.
func (s *Stack) Share() *Stack {
	for _, r := range s.Routes() {
		if r.Guard != nil {
			r.Guard.share()
		}
	}
	return s
}

// Close lets go of the guards.
func (s *Stack) Close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for i := range s.routes {
		if g := s.routes[i].Guard; g != nil {
			errs = append(errs, g.Close())
		}
	}
	return errors.Join(errs...)
}

// Routes gives the routes, which are not to be changed.
func (s *Stack) Routes() []Route {
	if s == nil {
		return nil
	}
	return s.routes
}

// at gives what is known of a domain.
func (s *Stack) at(domain string) *place {
	if p, ok := s.domains[domain]; ok {
		return p
	}
	return s.others
}

// Asks reports whether any source is asked about recipients at a domain.
func (s *Stack) Asks(domain string) bool { return s != nil && s.at(domain).asks }

// Heeds reports whether it counts what the MTA refuses itself at a domain: wherever a
// source is named, be it the MTA.
func (s *Stack) Heeds(domain string) bool { return s != nil && len(s.at(domain).routes) > 0 }

// Now answers where nobody has to be waited for.
func (s *Stack) Now(a Address) (Answer, bool) {
	if s == nil {
		return Answer{}, true
	}
	p := s.at(a.Domain)
	if !p.asks {
		return Answer{}, true
	}
	return s.walk(p, a, func(g *Guard, a Address) (Entry, bool, bool) {
		e, ok := g.Cached(a)
		return e, false, ok
	})
}

// Lookup answers for a recipient. It waits as long as ctx; where that ends, the
// answer is Failed. At a domain that is not ours, or that no source is there for, it
// is Unknown.
func (s *Stack) Lookup(ctx context.Context, a Address) Answer {
	if s == nil {
		return Answer{}
	}
	p := s.at(a.Domain)
	if !p.asks {
		return Answer{}
	}
	answer, _ := s.walk(p, a, func(g *Guard, a Address) (Entry, bool, bool) {
		e, stale := g.Lookup(ctx, a)
		return e, stale, true
	})
	return answer
}

// An asker asks a guard; ok is false where it would have to wait.
type asker func(g *Guard, a Address) (e Entry, stale, ok bool)

// walk asks the sources of a domain. One that knows the recipient is enough; that
// there is none they have to say all together, and one that failed or does not speak
// for the address leaves it open.
func (s *Stack) walk(p *place, a Address, ask asker) (Answer, bool) {
	if p.target != "" {
		a.Domain = p.target
	}
	best := Answer{Cached: true}
	cached := true
	for _, r := range p.routes {
		if r.File == nil && r.Guard == nil {
			continue // the MTA itself
		}
		answer, ok := s.askRoute(r, a, ask)
		if !ok {
			return Answer{}, false
		}
		cached = cached && answer.Cached
		if answer.Result == Yes {
			answer.Cached = cached
			return answer, true
		}
		if best.By == "" || weightOf(answer.Result) > weightOf(best.Result) || answer.Result == Failed && answer.Tempfail {
			best = answer
		}
	}
	best.Cached = cached
	if best.Result == No && isForwarded(a.Local) {
		best.Entry = Entry{Err: errForwarded}
	}
	return best, true
}

var errForwarded = errors.New("the address of a bounce to forwarded mail (SRS) stands in no list: who made it knows")

// weightOf is the order in which the answers of several sources go before each other,
// where none is Yes.
func weightOf(r Result) int {
	switch r {
	case Failed:
		return 2
	case Unknown:
		return 1
	}
	return 0
}

// variants are what a source is asked for a recipient: the zero Address is none.
func (s *Stack) variants(a Address) [4]Address {
	all := [4]Address{0: a, 3: {Domain: a.Domain}}
	local := a.Local
	if user, ok := withoutTag(local); ok {
		local = user
		all[1] = Address{Local: local, Domain: a.Domain}
	}
	if base, ok := withoutExtension(local, s.delimiters); ok {
		all[2] = Address{Local: base, Domain: a.Domain}
	}
	return all
}

// askRoute asks one source for the address, for the one without its tag and without its
// extension, and for the domain's catch-all.
func (s *Stack) askRoute(r *Route, a Address, ask asker) (Answer, bool) {
	answer := Answer{By: r.Kind, Name: r.Name, Cached: true, Tempfail: r.Tempfail, Entry: Entry{Result: No}}
	var inDoubt Entry // a No that is not believed, if its Result is Failed
	variants := s.variants(a)
	for i, variant := range variants {
		if variant.Domain == "" {
			continue
		}
		var e Entry
		stale, now, ok := false, true, true
		if r.File != nil {
			e = r.File.Lookup(context.Background(), variant)
		} else if e, now = r.Guard.Cached(variant); !now {
			if e, stale, ok = ask(r.Guard, variant); !ok {
				return Answer{}, false
			}
		}
		answer.Cached = answer.Cached && now
		switch {
		case e.Result == Failed && isDoubted(e.Err): // a No so far
			inDoubt = e
		case e.Result == Failed:
			answer.Entry = e
			if known, ok := r.last(variants[i+1:]); ok {
				answer.Entry, answer.Stale = known, true
			}
			return answer, true
		case e.Result == Yes:
			answer.Entry, answer.Stale = e, stale
			return answer, true
		case e.Result == Unknown:
			answer.Entry = e
		}
	}
	if inDoubt.Result == Failed && answer.Result == No {
		answer.Entry = inDoubt
	}
	return answer, true
}

// last gives what was last known of any of some addresses, where the source fails: who
// was known as jo@ is still, when mail comes for jo+lists@.
func (r *Route) last(variants []Address) (Entry, bool) {
	for _, variant := range variants {
		if variant.Domain == "" || r.Guard == nil {
			continue
		}
		if e, ok := r.Guard.Last(variant); ok {
			return e, true
		}
	}
	return Entry{}, false
}

// Account tells since when an account is there and on which plan, by its login: an
// address, or a name at the first of our domains. What is not known is zero; failed says
// that somebody who may know could not be asked.
func (s *Stack) Account(ctx context.Context, login string) (created time.Time, plan string, failed bool) {
	if s == nil {
		return time.Time{}, "", false
	}
	a := Address{Local: login, Domain: s.home}
	if at := strings.LastIndexByte(login, '@'); at >= 0 {
		a.Local, a.Domain = login[:at], strings.ToLower(login[at+1:])
	}
	if a.Local == "" || a.Domain == "" {
		return time.Time{}, "", false
	}
	e := s.Lookup(ctx, a)
	if e.Result != Yes {
		return time.Time{}, "", e.Result == Failed
	}
	return e.Created, e.Plan, false
}

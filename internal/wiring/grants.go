package wiring

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"mailprofiled/ratelimit"
)

// The bounds of exceptions that are made by command.
const (
	maxGrants  = 10_000
	grantStays = 90 * 24 * time.Hour // in the list, after it has expired
)

// Grants are the exceptions that were made by command. They hold beside those of
// the configuration. A Grants is safe for concurrent use.
type Grants struct {
	to *ratelimit.Exceptions

	mu      sync.Mutex
	written []ratelimit.Exception // by the configuration
	made    []ratelimit.Exception // by command, in their order
	changed bool                  // since Changed
}

// NewGrants returns Grants that have exceptions follow them.
func NewGrants(to *ratelimit.Exceptions) *Grants { return &Grants{to: to} }

// SetWritten puts the exceptions of a configuration, which are right, in the place
// of those of the one before. Names of accounts are read by key from now on, those that
// were given by command too; nil leaves them.
func (g *Grants) SetWritten(written []ratelimit.Exception, key func(login string) string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var moved bool
	g.written, _ = rekeyed(written, key)
	if g.made, moved = rekeyed(g.made, key); moved {
		g.changed = true
	}
	g.put()
}

// Add makes an exception; one for the same account, plan or domain, limit and window
// gives way to it. It has passed ratelimit.Exception.Check when there is no error.
func (g *Grants) Add(e ratelimit.Exception, now time.Time) error {
	if err := e.Check(); err != nil {
		return err
	}
	if e.Expires.Year() > 9999 { // RFC 3339, as it is kept
		return errors.New("it expires after the year 9999; leave the date out")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	made := slices.DeleteFunc(slices.Clone(g.made), func(o ratelimit.Exception) bool {
		return sameFor(&o, &e) && o.Limit == e.Limit && o.Window == e.Window ||
			!o.Expires.IsZero() && now.Sub(o.Expires) > grantStays
	})
	if len(made) >= maxGrants {
		return fmt.Errorf("%d exceptions are there by command, and no more fit; write lasting ones into the configuration", len(made))
	}
	g.made = append(made, e)
	g.change()
	return nil
}

// Remove takes back the exceptions for the account, plan or domain of a pattern, and
// gives those that there were.
func (g *Grants) Remove(pattern ratelimit.Exception) []ratelimit.Exception {
	g.mu.Lock()
	defer g.mu.Unlock()
	var gone, stay []ratelimit.Exception
	for _, e := range g.made {
		if sameFor(&e, &pattern) {
			gone = append(gone, e)
		} else {
			stay = append(stay, e)
		}
	}
	if len(gone) > 0 {
		g.made = stay
		g.change()
	}
	return gone
}

// Lists gives the exceptions of the configuration and those that were made by
// command, expired ones too. They are not to be changed.
func (g *Grants) Lists() (written, made []ratelimit.Exception) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.written, g.made
}

func sameFor(a, b *ratelimit.Exception) bool {
	return a.Account == b.Account && a.Plan == b.Plan && a.Domain == b.Domain
}

func (g *Grants) change() {
	g.changed = true
	g.put()
}

// put has them hold. All are right: those of the configuration were checked when it
// was read, the others when they were made.
func (g *Grants) put() { _ = g.to.Set(slices.Concat(g.written, g.made)) }

// rekeyed gives exceptions for the accounts that key gives of their names, and whether any
// has another name now.
func rekeyed(all []ratelimit.Exception, key func(login string) string) (with []ratelimit.Exception, moved bool) {
	if key == nil {
		return all, false
	}
	with = slices.Clone(all)
	for i := range with {
		e := &with[i]
		if e.Account == "" {
			continue
		}
		if name := key(e.Account); name != e.Account {
			e.Account, moved = name, true
		}
	}
	return with, moved
}

// A grantRow is an exception as it is kept.
type grantRow struct {
	Account string    `json:"account,omitempty"`
	Plan    string    `json:"plan,omitempty"`
	Domain  string    `json:"domain,omitempty"`
	Limit   string    `json:"limit,omitempty"`
	Seconds int64     `json:"window_s,omitempty"`
	Max     int       `json:"max"`
	Expires time.Time `json:"expires,omitzero"`
	Owner   string    `json:"owner,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// Changed appends one record with all that were made by command if they have changed
// since the last call. With All, Load and Len it makes a Grants a space of the store.
func (g *Grants) Changed(dst []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.changed {
		return dst
	}
	g.changed = false
	return append(dst, g.record()...)
}

// All yields the one record with all that were made by command.
func (g *Grants) All() iter.Seq[[]byte] {
	g.mu.Lock()
	record := g.record()
	g.mu.Unlock()
	return func(yield func([]byte) bool) { yield(record) }
}

func (g *Grants) record() []byte {
	rows := make([]grantRow, 0, len(g.made))
	for _, e := range g.made {
		rows = append(rows, grantRow{
			Account: e.Account, Plan: e.Plan, Domain: e.Domain, Limit: e.Limit, Seconds: int64(e.Window / time.Second),
			Max: e.Max, Expires: e.Expires, Owner: e.Owner, Reason: e.Reason,
		})
	}
	text, err := json.Marshal(rows)
	if err != nil {
		panic("exceptions cannot be written: " + err.Error()) // text, numbers and times of four-digit years always can
	}
	return text
}

// Load takes in a record, which replaces what there is. Of one with an error nothing
// is taken, but for what is wrong in single rows: those are left out.
func (g *Grants) Load(record []byte) error {
	var rows []grantRow
	if err := json.Unmarshal(record, &rows); err != nil {
		return fmt.Errorf("exceptions made by command: %w", err)
	}
	var wrong []error
	made := make([]ratelimit.Exception, 0, min(len(rows), maxGrants))
	for _, r := range rows {
		e := ratelimit.Exception{
			Account: r.Account, Plan: r.Plan, Domain: r.Domain, Limit: r.Limit, Window: time.Duration(r.Seconds) * time.Second,
			Max: r.Max, Expires: r.Expires, Owner: r.Owner, Reason: r.Reason,
		}
		err := e.Check()
		if err == nil && len(made) == maxGrants {
			err = errors.New("too many")
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		made = append(made, e)
	}
	if len(made) == 0 && len(wrong) > 0 {
		return fmt.Errorf("exceptions made by command: %w", errors.Join(wrong...))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made = made
	g.put()
	return nil
}

// Len is how many were made by command.
func (g *Grants) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.made)
}

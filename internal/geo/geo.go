// Package geo tells which country and which network (autonomous system) an
// address belongs to, from databases in the MaxMind DB format, version 2.0
// (https://maxmind.github.io/MaxMind-DB/), of whichever vendor.
//
// What a country means for the verdict is for its callers. It starts no goroutine
// and reads no clock: the owner calls Set.Refresh now and then, which looks at the
// files and takes in those that changed.
//
// A database is read into memory as a whole, not mapped: an operator who copies a
// new one over it cuts it short for a moment, and a page behind the end of a mapped
// file kills the process. All its records are read then and there, so that a
// look-up is a walk down a tree that was found sound, and makes no garbage.
package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Kind is what a database is asked for.
type Kind uint8

// The kinds, by their words in the configuration.
const (
	Country Kind = iota // "country"
	ASN                 // "asn"
)

// String gives the word of the configuration.
func (k Kind) String() string {
	switch k {
	case Country:
		return "country"
	case ASN:
		return "asn"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// A Source is a database that the configuration names.
type Source struct {
	Kind Kind
	Path string
}

// OldAfter is the age from which a database is told to be old: by then a good part
// of the networks that changed hands are wrong in it.
const OldAfter = 180 * 24 * time.Hour

// ErrDamaged is a look-up that failed for the database's sake. The answer is not
// known then, which is no evidence of anything.
var ErrDamaged = errors.New("the database is damaged")

// A Network is an autonomous system (RFC 1930). The zero Network is none.
type Network struct {
	Number uint32
	Name   string // who runs it, as the database has it: one printable line
}

// A Set holds the databases of one configuration, at most one of a kind. All
// methods are safe for concurrent use, and none but Refresh waits for a file. A
// nil Set has none.
type Set struct{ all [2]*followed }

// Load reads the databases. What old, which may be nil, has in memory and is the
// same on disk is taken over. Without sources the Set is nil. Where a problem is no
// warning a database cannot be used, and there is no Set.
func Load(sources []Source, now time.Time, old *Set) (*Set, []Problem) {
	if len(sources) == 0 {
		return nil, nil
	}
	set, problems, usable := &Set{}, []Problem(nil), true
	for _, src := range sources {
		f, said := open(src, now, old)
		problems = append(problems, said...)
		if f == nil {
			usable = false
			continue
		}
		set.all[src.Kind] = f
	}
	if !usable {
		return nil, problems
	}
	return set, problems
}

// Country gives the two letters (ISO 3166, "DE") of the country that an address is
// in, or, where the database does not say, that it is registered in: "" for none.
// The error is ErrDamaged.
func (s *Set) Country(a netip.Addr) (string, error) {
	db := s.database(Country)
	if db == nil {
		return "", nil
	}
	at, ok, err := db.find(a)
	if !ok {
		return "", err
	}
	return db.countries[at], nil
}

// Network gives the network that announces an address. The error is ErrDamaged.
func (s *Set) Network(a netip.Addr) (Network, error) {
	db := s.database(ASN)
	if db == nil {
		return Network{}, nil
	}
	at, ok, err := db.find(a)
	if !ok {
		return Network{}, err
	}
	return db.networks[at], nil
}

// database gives the version in use; nil for none.
func (s *Set) database(k Kind) *database {
	if s == nil || s.all[k] == nil {
		return nil
	}
	return s.all[k].db.Load()
}

// A Status tells of one database in use.
type Status struct {
	Source
	Type    string    // as it calls itself: "GeoLite2-Country"
	Built   time.Time // by its maker
	Loaded  time.Time
	Entries int    // distinct records that say something
	Trouble string // why the version on disk is not the one in use; "" if it is
}

// Status tells of the databases, countries first.
func (s *Set) Status() []Status {
	var all []Status
	if s == nil {
		return nil
	}
	for _, f := range s.all {
		if f == nil {
			continue
		}
		db := f.db.Load()
		st := Status{Source: f.Source, Type: db.kind, Built: db.built, Loaded: db.loaded, Entries: db.entries()}
		if said := f.trouble.Load(); said != nil {
			st.Trouble = *said
		}
		all = append(all, st)
	}
	return all
}

// A Problem is something that the operator should put right.
type Problem struct {
	Source
	What    string // one printable line; begins with the path
	Remedy  string
	Warning bool // the database is used all the same
}

// A Change is a new version of a database that was taken in.
type Change struct {
	Status
	Before time.Time // when the version before was built
}

// Refresh looks at the files and takes in those that changed, as local.Set does:
// not before they were left alone for two seconds, since half a file can look like
// a whole one. A version that cannot be used changes nothing and is told once.
func (s *Set) Refresh(now time.Time) ([]Change, []Problem) {
	var changes []Change
	var problems []Problem
	if s == nil {
		return nil, nil
	}
	for _, f := range s.all {
		if f == nil {
			continue
		}
		before := f.db.Load().built
		taken, said := f.refresh(now)
		problems = append(problems, said...)
		if taken {
			db := f.db.Load()
			changes = append(changes, Change{
				Status: Status{Source: f.Source, Type: db.kind, Built: db.built, Loaded: db.loaded, Entries: db.entries()}, Before: before,
			})
		}
	}
	return changes, problems
}

package dnsbl

import (
	"fmt"
	"slices"
	"strings"
)

// A Stage says what a list is asked about, and when. A list is asked only at the
// stages where its operator's data means something.
type Stage uint8

// The stages.
const (
	Connect Stage = iota // the client's address
	PTR                  // a name that its PTR record gives
	Helo                 // the name in HELO
	Mail                 // the domain of the sender
	Bounce               // the client's address, when the sender is null
	Auth                 // the address of a client that has logged in
	stages               // how many there are
)

var stageNames = [stages]string{"connect", "ptr", "helo", "mail", "bounce", "auth"}

// String is the stage as `at` in a configuration names it.
func (s Stage) String() string {
	if s < stages {
		return stageNames[s]
	}
	return "none"
}

// ofName reports whether the subject at this stage is a name, and not an address.
func (s Stage) ofName() bool { return s == PTR || s == Helo || s == Mail }

// Stages is a set of stages.
type Stages uint8

// StagesOf makes a set.
func StagesOf(all ...Stage) (set Stages) {
	for _, s := range all {
		set |= 1 << s
	}
	return set
}

// Has reports whether s is in the set.
func (set Stages) Has(s Stage) bool { return s < stages && set>>s&1 != 0 }

// Names gives the names of the stages in their order, as ParseStages reads them.
func (set Stages) Names() []string {
	names := []string{}
	for s := range stages {
		if set.Has(s) {
			names = append(names, s.String())
		}
	}
	return names
}

// String joins the names of the stages by a comma.
func (set Stages) String() string { return strings.Join(set.Names(), ",") }

// ParseStages reads the names of stages.
func ParseStages(names []string) (set Stages, err error) {
	for _, name := range names {
		i := slices.Index(stageNames[:], name)
		if i < 0 {
			return 0, fmt.Errorf("%q is no stage; use %s", name, quoted(stageNames[:]))
		}
		set |= StagesOf(Stage(i))
	}
	return set, nil
}

// Asks is a set of the kinds of subject that a list may be asked about. Its bits
// are IP4, IP6 and Domain.
type Asks uint8

// What may be asked.
const (
	IP4 Asks = 1 << iota
	IP6
	Domain
)

var askNames = [...]string{"ip4", "ip6", "domain"}

// ParseAsks reads the names of what may be asked: ip4, ip6 and domain.
func ParseAsks(names []string) (set Asks, err error) {
	for _, name := range names {
		i := slices.Index(askNames[:], name)
		if i < 0 {
			return 0, fmt.Errorf("%q is nothing to ask a list about; use %s", name, quoted(askNames[:]))
		}
		set |= 1 << i
	}
	return set, nil
}

func quoted(names []string) string {
	return `"` + strings.Join(names, `", "`) + `"`
}

// Names gives the names of the kinds, as ParseAsks reads them.
func (a Asks) Names() []string {
	names := []string{}
	for i, name := range askNames {
		if a&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Has reports whether kind is in the set.
func (a Asks) Has(kind Asks) bool { return a&kind != 0 }

// A Status says how a list is, by the catalogue.
type Status string

// The states of a list in the catalogue.
const (
	Live    Status = "live"
	Unsure  Status = "unsure"  // sources disagree
	Charged Status = "charged" // useless without an account
	Dead    Status = "dead"
)

// A Default says whether the catalogue advises to use a list.
type Default string

// The advice of the catalogue.
const (
	Recommended Default = "recommended"
	Off         Default = "off"
	Never       Default = "never" // to be refused in a configuration
)

// A NameForm says which part of a host name a domain list wants to be asked about.
type NameForm uint8

// The forms.
const (
	Whole      NameForm = iota // the name as it is: the list covers names below a listed one itself
	Registered                 // the registered domain only: public suffix and one label more
)

// A List is one DNS list: what it may be asked and what its answers mean. It is
// read-only once made, and it never prints its key.
type List struct {
	ID       string // as operators name it: "spamhaus-zen"
	Zone     string // suffix of the question; "{key}" stands for the key; empty where there is no public one
	Group    string // who runs it: of one group only the heaviest list counts
	Family   string // block, allow or mixed
	Covers   string // what it holds, for people
	Asks     Asks   // what it may be asked about
	Stages   Stages // where that means something
	Codes    []Code // what it answers, see Code
	Form     NameForm
	Access   string   // open, open-limited, key, ...: what it takes to be answered
	KeyForm  string   // the zone with "{key}" where a key is optional; else empty
	Limits   string   // of free use, for people
	Listed   []string // test entries that must be listed: addresses or names, none known if empty (RFC 5782 section 5)
	Unlisted []string // test entries that must not be
	Delist   string   // URL where a sender gets help, or empty
	Status   Status
	AsOf     string // date of the newest evidence; of a dead list the day of its end
	Default  Default
	Instead  string // id of the list to use instead of this one, or empty
	Notes    string // for people
	Text     bool   // its TXT record may stand in a reply
	Own      bool   // of the operator's configuration, or changed by it

	key   *string  // behind a pointer, so that no way to print a List shows it
	order []uint16 // of Codes, by precedence
	place int      // in its Set
}

// String is the list's id. It never holds a key.
func (l *List) String() string { return l.ID }

// GoString is String: a List may hold a key.
func (l *List) GoString() string { return l.ID }

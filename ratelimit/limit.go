package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Per says whose mail is counted together: one of the constants, or several
// joined by |, such as PerAccount|PerRecipientDomain. Each value of it, or each
// combination of values, has a counter of its own.
type Per uint8

// What a limit is per.
const (
	PerAccount         Per = 1 << iota // the login of SMTP AUTH
	PerClient                          // the client's address
	PerNetwork                         // its network, see Limit.Net4 and Net6
	PerRecipient                       // the recipient's address
	PerRecipientDomain                 // the recipient's domain
	PerSender                          // the envelope sender, if authenticated or proven (Subject.SenderProven)
	PerSenderDomain                    // its domain, likewise

	perEnd
)

// perWords are the words of the configuration, in the order of the constants.
var perWords = [...]string{"account", "client", "network", "recipient", "recipient_domain", "sender", "sender_domain"}

// ParsePer reads the words of the configuration: one, or several joined by "+".
func ParsePer(text string) (Per, error) {
	var p Per
	for word := range strings.SplitSeq(text, "+") {
		bit := Per(0)
		for i, w := range perWords {
			if word == w {
				bit = 1 << i
			}
		}
		if bit == 0 {
			return 0, fmt.Errorf("per %q: not one of %s", word, strings.Join(perWords[:], ", "))
		}
		p |= bit
	}
	return p, nil
}

// String gives the words of the configuration.
func (p Per) String() string {
	var words []string
	for i, w := range perWords {
		if p&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, "+")
}

func (p Per) has(bits Per) bool { return p&bits != 0 }

// A Count is what a limit counts.
type Count uint8

// The things counted.
const (
	Messages   Count = iota // a mail is one, however many recipients it has
	Recipients              // each accepted RCPT is one
)

// String gives the word of the configuration.
func (c Count) String() string {
	if c == Recipients {
		return "recipients"
	}
	return "messages"
}

// An Action is what is done with mail over a limit.
type Action uint8

// The actions, the harsher the higher.
const (
	Report   Action = iota // it goes on, and is told of
	TempFail               // 4yz: come back later
	Reject                 // 5yz
)

// String gives the word of the configuration.
func (a Action) String() string {
	switch a {
	case TempFail:
		return "tempfail"
	case Reject:
		return "reject"
	}
	return "report"
}

// A Must is a condition on a thing that is always known. The zero Must asks nothing.
type Must uint8

// The conditions.
const (
	Either Must = iota
	Yes
	No
)

// A When is what must hold for a limit to apply. The zero When always holds. Where
// a fact is unknown (the age of an account, a plan, a history), the limit counts
// and reports, but does not refuse: unknown is never evidence.
type When struct {
	Authenticated Must
	Listener      string        // Subject.Listener
	Domains       []string      // one of them is the account's domain, in lower case
	Plans         []string      // one of them is the account's plan
	History       []string      // one of them is Subject.History
	YoungerThan   time.Duration // the account's age is below it; 0 does not ask
	OlderThan     time.Duration // the account's age is this or more; 0 does not ask
}

// The ranges of a Limit.
const (
	MinWindow = time.Second
	MaxWindow = 31 * 24 * time.Hour
	MaxMax    = 1_000_000_000
)

// A Step is a maximum for accounts below an age.
type Step struct {
	Until time.Duration // the account's age, exclusive
	Max   int
}

// A Limit is one [[limit]] of the configuration.
type Limit struct {
	// Name tells limits apart, in what is said and in what is counted: two have
	// not the same, and a new name or window begins at nothing counted. Letters,
	// digits, space, '-', '_' and '.', at most 64.
	Name   string
	Per    Per
	Count  Count
	Max    int           // from 1 to MaxMax
	Window time.Duration // MinWindow to MaxWindow, in whole seconds
	When   When
	Action Action

	// Steps, in order of Until, are a ramp: the first whose Until is above the
	// account's age gives the maximum in place of Max, and beyond the last the
	// limit does not apply. All of them have one counter. Where the age is
	// unknown the last one's maximum is reported by.
	Steps []Step

	Net4, Net6 int // width of PerNetwork; 0 is /24 and /64
}

// Ramp is the built-in limit on new accounts: 100 messages in any 24 hours
// during the first 30 days, or by the steps given.
func Ramp(steps ...Step) Limit {
	l := Limit{Name: "new accounts", Per: PerAccount, Max: 100, Window: 24 * time.Hour, Action: TempFail, Steps: steps}
	if len(steps) == 0 {
		l.When.YoungerThan = 30 * 24 * time.Hour
	} else {
		l.Max = steps[len(steps)-1].Max
	}
	return l
}

// Check gives all that keeps the limit from being used, joined; nil if nothing
// does. Each is "what; remedy" for the operator.
func (l *Limit) Check() error {
	var all []error
	bad := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	bad(!goodName(l.Name), "name %q; use 1 to 64 letters, digits, spaces, '-', '_' and '.'", l.Name)
	bad(l.Per == 0 || l.Per >= perEnd, "per is not given; use one of %s", strings.Join(perWords[:], ", "))
	bad(l.Count > Recipients, "count is neither messages nor recipients; use one of them")
	bad(l.Action > Reject, "action is not known; use tempfail, reject or report")
	bad(l.Max < 1 || l.Max > MaxMax, "max is %d; use 1 to %d", l.Max, MaxMax)
	bad(l.Window < MinWindow || l.Window > MaxWindow || l.Window%time.Second != 0,
		"window is %v; use whole seconds from 1s to 31d", l.Window)
	bad(l.Net4 < 0 || l.Net4 > 32 || l.Net6 < 0 || l.Net6 > 128, "network widths are /%d and /%d; use up to /32 and /128", l.Net4, l.Net6)
	bad(l.When.YoungerThan < 0 || l.When.OlderThan < 0, "an age is negative; use 0 or more")
	age := time.Duration(0)
	for _, s := range l.Steps {
		bad(s.Until <= age, "step until %v does not come after %v; order the steps by age", s.Until, age)
		bad(s.Max < 1 || s.Max > MaxMax, "max of a step is %d; use 1 to %d", s.Max, MaxMax)
		age = s.Until
	}
	return errors.Join(append(all, l.never()...)...)
}

// never gives the reasons why the limit could not apply to any mail.
func (l *Limit) never() []error {
	var all []error
	w := &l.When
	if w.Authenticated == No && (l.Per.has(PerAccount) || w.account() || len(l.Steps) > 0) {
		all = append(all, errors.New("can never hold: mail without AUTH has no account; drop authenticated = false"))
	}
	if w.YoungerThan > 0 && w.OlderThan >= w.YoungerThan {
		all = append(all, errors.New("can never hold: no account is both younger and older; let the two ages overlap"))
	}
	return all
}

// account reports whether the condition asks for something of the account.
func (w *When) account() bool {
	return w.YoungerThan > 0 || w.OlderThan > 0 || len(w.Domains) > 0 || len(w.Plans) > 0
}

// Warn gives what the operator should know of a limit that is not wrong; "" for
// nothing.
func (l *Limit) Warn() string {
	stranger := l.Action != Report && l.When.Authenticated != Yes && !l.When.account() && len(l.Steps) == 0
	if stranger && l.Per.has(PerRecipient|PerRecipientDomain) && !l.Per.has(PerAccount|PerClient|PerNetwork|PerSender|PerSenderDomain) {
		return fmt.Sprintf("per %v: a stranger could shut a mailbox by writing to it often; combine it with client or network, or only report", l.Per)
	}
	return ""
}

func goodName(name string) bool {
	if name == "" || len(name) > 64 || strings.TrimSpace(name) != name {
		return false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune(" -_.", rune(c)) {
			return false
		}
	}
	return true
}

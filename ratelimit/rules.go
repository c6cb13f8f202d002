package ratelimit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxLimits is how many limits there may be.
const maxLimits = 1000

// Rules are limits made ready for use. They do not change, and are safe for
// concurrent use. What is counted is in the Store: new Rules go on from there,
// for each limit whose name, per, count, window and network widths are the same.
type Rules struct {
	limits     []rule
	kinds      []keyKind
	secret     Secret
	exceptions *Exceptions
}

// A rule is a Limit with what is worked out once.
type rule struct {
	Limit
	salt   uint32
	kind   uint8 // index of Rules.kinds
	atRcpt bool  // counted at RCPT, otherwise at MAIL
}

// NewRules returns the rules for these limits, or all that is wrong with them:
// "limit NAME: what; remedy", joined. The secret is to be the one of before, or
// all counters begin anew. Exceptions may be nil, for none.
func NewRules(limits []Limit, secret Secret, exceptions *Exceptions) (*Rules, error) {
	r := &Rules{secret: secret, exceptions: exceptions}
	var all []error
	for i := range limits {
		l := &limits[i]
		if err := l.Check(); err != nil {
			all = append(all, fmt.Errorf("limit %q: %w", l.Name, err))
		}
		if slices.ContainsFunc(limits[:i], func(o Limit) bool { return o.Name == l.Name }) {
			all = append(all, fmt.Errorf("limit %q is there twice; give one of them another name", l.Name))
		}
	}
	if len(limits) > maxLimits {
		all = append(all, fmt.Errorf("%d limits; use at most %d", len(limits), maxLimits))
	}
	if len(all) > 0 {
		return nil, errors.Join(all...)
	}
	for _, l := range limits {
		if err := r.add(l); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Rules) add(l Limit) error {
	if l.Net4 == 0 {
		l.Net4 = 24
	}
	if l.Net6 == 0 {
		l.Net6 = 64
	}
	kind := keyKind{per: l.Per}
	if l.Per.has(PerNetwork) {
		kind.net4, kind.net6 = l.Net4, l.Net6
	}
	i := slices.Index(r.kinds, kind)
	if i < 0 {
		if i = len(r.kinds); i == 64 {
			return errors.New("limits are per more than 64 different things; give some of them the same per and widths")
		}
		r.kinds = append(r.kinds, kind)
	}
	l.Steps, l.When.Domains = slices.Clone(l.Steps), slices.Clone(l.When.Domains)
	l.When.Plans, l.When.History = slices.Clone(l.When.Plans), slices.Clone(l.When.History)
	id := append([]byte("limit\x00"+l.Name), 0, byte(l.Count))
	id = binary.AppendUvarint(id, uint64(l.Window/time.Second))
	salt := uint32(r.secret.sum(id))
	if slices.ContainsFunc(r.limits, func(o rule) bool { return o.kind == uint8(i) && o.salt == salt }) {
		return fmt.Errorf("limit %q would share its counters with another; give it another name", l.Name) // one in 2^32
	}
	r.limits = append(r.limits, rule{
		Limit: l, salt: salt, kind: uint8(i),
		atRcpt: l.Count == Recipients || l.Per.has(PerRecipient|PerRecipientDomain),
	})
	return nil
}

// Limits gives the limits, in order.
func (r *Rules) Limits() []Limit {
	all := make([]Limit, len(r.limits))
	for i := range r.limits {
		all[i] = r.limits[i].Limit
	}
	return all
}

// A Stage is where in a transaction a limit counts.
type Stage uint8

// The stages.
const (
	AtMail Stage = iota // messages
	AtRcpt              // recipients, and whatever is per recipient or their domain
)

// Charges appends what the subject's mail takes at this stage, one Charge for each
// limit that applies. It may be given to Table.Look and Table.Reset; a
// Transaction asks for itself.
func (r *Rules) Charges(dst []Charge, s *Subject, stage Stage, now time.Time) []Charge {
	k := keyer{secret: &r.secret}
	for i := range r.limits {
		l := &r.limits[i]
		if l.atRcpt != (stage == AtRcpt) {
			continue
		}
		applies := l.When.holds(s)
		if applies == no {
			continue
		}
		most, steps := l.most(s.Age)
		if applies = min(applies, steps); applies == no {
			continue
		}
		hash, ok := k.id(s, r.kinds, l.kind)
		if !ok {
			continue
		}
		if r.exceptions != nil && s.Account != "" {
			if most, ok = r.exceptions.most(l, s, most, now); !ok {
				continue
			}
		}
		firm := l.Action != Report && applies == yes && !(s.Open && s.Account == "")
		dst = append(dst, Charge{
			ID: counterID(hash, l.salt), Window: l.Window, Max: uint32(most), Amount: 1,
			Report: !firm, firm: firm, limit: uint16(i),
		})
	}
	return dst
}

// most gives the maximum for an account of this age, and whether the ramp, if it
// is one, applies.
func (l *rule) most(age Age) (int, truth) {
	if len(l.Steps) == 0 {
		return l.Max, yes
	}
	last := l.Steps[len(l.Steps)-1]
	if !age.Known {
		if age.AtLeast >= last.Until {
			return 0, no
		}
		return last.Max, unknown
	}
	for _, s := range l.Steps {
		if age.AtLeast < s.Until {
			return s.Max, yes
		}
	}
	return 0, no
}

// A truth is the answer to a condition. Of several, the lowest counts.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(is bool) truth {
	if is {
		return yes
	}
	return no
}

// holds reports whether the condition holds of a subject.
func (w *When) holds(s *Subject) truth {
	if w.Authenticated != Either && (w.Authenticated == Yes) != (s.Account != "") ||
		w.Listener != "" && w.Listener != s.Listener ||
		w.account() && s.Account == "" ||
		len(w.Domains) > 0 && !slices.Contains(w.Domains, s.domain()) {
		return no
	}
	return min(among(w.Plans, s.Plan), among(w.History, s.History), w.age(s.Age))
}

// among reports whether a fact is one of those asked for; "" is not known.
func among(asked []string, fact string) truth {
	switch {
	case len(asked) == 0:
		return yes
	case fact == "":
		return unknown
	}
	return truthOf(slices.Contains(asked, fact))
}

// age reports whether an account is of the age asked for. One that is known to be
// old enough for the answer has it, even if its age is not known.
func (w *When) age(a Age) truth {
	answer := yes
	if w.YoungerThan > 0 {
		switch {
		case a.AtLeast >= w.YoungerThan:
			return no
		case !a.Known:
			answer = unknown
		}
	}
	if w.OlderThan > 0 && a.AtLeast < w.OlderThan {
		if a.Known {
			return no
		}
		answer = unknown
	}
	return answer
}

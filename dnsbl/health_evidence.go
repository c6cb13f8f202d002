package dnsbl

import (
	"fmt"
	"net/netip"
	"time"
)

// An evidence is what an answer says against the list that gave it.
type evidence struct {
	shows          Condition // Untested: nothing against it
	reason, remedy string
	doubtful       bool      // it may as well be the doing of a resolver that makes answers up
	expires        time.Time // when the answer does, if others like it may look like listings
}

// evidenceOf judges an answer to a visit.
func evidenceOf(a *Answer) evidence {
	switch a.Reason {
	case Outside:
		return outsideEvidence(a.Matches)
	case Refusal:
		for _, m := range a.Matches {
			if m.Code != nil && m.Code.Kind == Error && !misread(a.List, m.Code) {
				return refusedEvidence(a.List, m)
			}
		}
	}
	return evidence{}
}

func suspectEvidence(matches []Match) evidence {
	for _, m := range matches {
		if m.Code != nil && m.Code.Suspect {
			return evidence{shows: Suspended, reason: "answered " + m.Addr.String() + ": " + m.Code.Meaning, remedy: remedyPoison}
		}
	}
	return evidence{}
}

func refusedEvidence(l *List, m Match) evidence {
	return evidence{shows: Refused, reason: refusalReason(m.Addr, m.Code), remedy: refusalRemedy(l, m.Code)}
}

func outsideEvidence(matches []Match) evidence {
	for _, m := range matches {
		if addr := m.Addr.Unmap(); !addr.Is4() || !addr.IsLoopback() {
			return evidence{shows: Suspended, doubtful: true, remedy: remedyOutside,
				reason: fmt.Sprintf("answered %s, which is not in 127.0.0.0/8", addr)}
		}
	}
	return evidence{}
}

// A probe is one question of a test.
type probe struct {
	name   string // holds the key, where there is one: never shown
	entry  string // what is asked about, as it may be shown
	listed bool   // must be listed
}

// judge says what the answer to a probe shows. An answer that is as it must be
// shows nothing; that a test entry is not listed is for the whole test to judge.
func (p *probe) judge(l *List, addrs []netip.Addr) evidence {
	_, why, matches := l.read(nil, addrs)
	switch why {
	case Outside:
		return outsideEvidence(matches)
	case Refusal:
		for _, m := range matches {
			// Test entries need not answer with a code that means a listing, so
			// "anything else" is no refusal here.
			if m.Code != nil && m.Code.Kind == Error && m.Code.reach.form != other {
				return refusedEvidence(l, m)
			}
		}
	}
	switch {
	case p.listed || len(matches) == 0:
		return evidence{}
	case why == Suspect: // it says itself what is wrong
		return suspectEvidence(matches)
	}
	return evidence{shows: ListsAll, doubtful: true, reason: fmt.Sprintf("lists %s, which cannot be listed: %s", p.entry, matches[0].Addr), remedy: remedyAll}
}

// probes are the questions of one test, the most telling one first: a random
// name that no cache can know the answer of.
func (l *List) probes() []probe {
	var all []probe
	add := func(entry string, listed bool) {
		if name, ok := l.testQuestion(entry); ok {
			all = append(all, probe{name, entry, listed})
		}
	}
	for _, entry := range l.randomEntries() {
		add(entry, false)
	}
	for _, entry := range l.Unlisted {
		add(entry, false)
	}
	for _, entry := range l.Listed {
		add(entry, true)
	}
	return all
}

// longEnough is a time in which any list answers: a visit whose budget ended
// sooner does not speak against it.
const longEnough = time.Second

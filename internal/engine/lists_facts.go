package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// This file turns what DNS lists say into profile's facts, and into rows of explain.

// A listHit is one list's answer that profile is to know of.
type listHit struct {
	profile.ListHit
	list    *dnsbl.List
	subject dnsbl.Subject
	heard   time.Time // when it came, or later

	state   dnsbl.State // of the answer, for whoever reads it by other codes
	matches []dnsbl.Match
	stale   bool
}

// accuses reports whether a hit speaks against the client, whatever [points] makes
// of that.
func (h *listHit) accuses() bool { return !h.Possible && h.Points >= 0 }

func (h listHit) sameList(other listHit) bool { return h.list.ID == other.list.ID }

// appendHits appends what lists say of a subject, as far as it may matter.
func appendHits(hits []listHit, sub dnsbl.Subject, answers []dnsbl.Answer) []listHit {
	for i := range answers {
		a := &answers[i]
		if (a.State == dnsbl.Unknown || a.Stale) && a.List.Lift() < 0 {
			possible := profile.ListHit{ID: "dnswl:" + a.List.ID, Group: a.List.Group, Points: a.List.Lift(), Possible: true}
			hits = append(hits, listHit{possible, a.List, sub, a.Heard, a.State, a.Matches, a.Stale})
		}
		if a.State != dnsbl.Hit {
			continue
		}
		h := profile.ListHit{Group: a.List.Group, Points: a.Points(), Stale: a.Stale, URL: a.List.Delist}
		switch {
		case h.Points < 0:
			h.ID = "dnswl:" + a.List.ID
		case h.Points == 0 && !slices.ContainsFunc(a.Matches, listed):
			continue // a remark of the list
		case sub.Name != "":
			h.ID = "rhsbl:" + a.List.ID
		default:
			h.ID = "dnsbl:" + a.List.ID
		}
		h.Detail, h.Text = worded(sub, a)
		hits = append(hits, listHit{h, a.List, sub, a.Heard, a.State, a.Matches, a.Stale})
	}
	return hits
}

func listed(m dnsbl.Match) bool { return m.Code != nil && m.Code.Kind == dnsbl.Listed }

// worded words an answer for the operator, and its heaviest code for the client.
func worded(sub dnsbl.Subject, a *dnsbl.Answer) (detail, meaning string) {
	var b strings.Builder
	if sub.Name != "" {
		b.WriteString(sub.Name + ": ")
	}
	heaviest := -1.0
	var last netip.Addr
	for i, m := range a.Matches {
		if m.Addr != last { // of one address, each bit matches
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(m.Addr.String())
			last = m.Addr
		}
		if m.Code == nil {
			continue
		}
		if m.Code.Meaning != "" {
			b.WriteString(" (" + m.Code.Meaning + ")")
		}
		if weight := max(m.Code.Points, -m.Code.Points); weight > heaviest {
			heaviest, meaning = weight, m.Code.Meaning
		}
	}
	return b.String(), meaning
}

// listHits are the hits of all lists: those that may speak for the client first, as
// profile looks at a bounded number of them, and else in the order of the lists,
// which breaks ties of who speaks. The visit's mu is held.
func (v *Visit) listHits() []listHit {
	var all []listHit
	for _, a := range v.outLists() {
		if a == nil {
			continue
		}
		for _, h := range a.value {
			if !h.Possible || !slices.ContainsFunc(all, func(o listHit) bool { return o.Possible && o.sameList(h) }) {
				all = append(all, h)
			}
		}
	}
	for _, h := range v.lists.lost {
		if !v.e.counts(h.list.ID) && !slices.ContainsFunc(all, h.sameList) {
			all = append(all, h)
		}
	}
	if len(all) > 1 {
		slices.SortStableFunc(all, func(a, b listHit) int {
			if a.accuses() != b.accuses() {
				return cmp.Compare(a.Points, b.Points)
			}
			return cmp.Compare(v.e.places[a.list.ID], v.e.places[b.list.ID])
		})
	}
	return all
}

// listFacts are hits as profile judges them.
func listFacts(hits []listHit) []profile.ListHit {
	if len(hits) == 0 {
		return nil
	}
	facts := make([]profile.ListHit, len(hits))
	for i := range hits {
		facts[i] = hits[i].ListHit
	}
	return facts
}

// lists notes the questions about a subject, with {key} where a key stands in them;
// not those that are still out, nor those that lists which are away were not asked.
func (t *trace) lists(set *dnsbl.Set, sub dnsbl.Subject, answers []dnsbl.Answer, now time.Time) {
	if t == nil {
		return
	}
	at := atConnect
	switch sub.Stage {
	case dnsbl.Helo:
		at = atHelo
	case dnsbl.Mail, dnsbl.Bounce, dnsbl.Auth:
		at = atMail
	}
	for i := range answers {
		a := &answers[i]
		if a.Reason == dnsbl.Pending || a.Reason == dnsbl.Away {
			continue // not asked
		}
		t.add(at, RecordLookup{
			Question: set.Question(sub, a.List), Type: "A", Answer: listAnswerText(a),
			Source: source(a.Cached), MS: inMS(a.Took), AgeS: listAge(a, now), Stale: a.Stale,
		})
	}
}

// listAge is how old an answer out of the cache is, in seconds.
func listAge(a *dnsbl.Answer, now time.Time) float64 {
	if !a.Cached || a.Heard.IsZero() || now.Before(a.Heard) {
		return 0
	}
	return inSeconds(now.Sub(a.Heard))
}

func listAnswerText(a *dnsbl.Answer) []string {
	texts := make([]string, 0, len(a.Matches))
	for _, m := range a.Matches {
		if text := m.Addr.String(); !slices.Contains(texts, text) { // of one address, each bit matches
			texts = append(texts, text)
		}
	}
	switch {
	case len(texts) > 0:
		return texts
	case a.State == dnsbl.Unknown:
		return []string{"unknown: " + a.Reason}
	}
	return []string{"none"}
}

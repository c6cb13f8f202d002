package dnsbl

import (
	"net/netip"
	"time"
)

// A Standing is what is known of one list in use. Figures are since it came into
// use; no key is in here.
type Standing struct {
	List      string // id
	Condition Condition
	Counts    bool   // Condition is Up: its answers count
	Reason    string // why Condition is what it is; "" while Untested
	Remedy    string // what an operator may do about it; "" if nothing
	Since     time.Time
	Tested    time.Time // when the last test ended; zero before the first
	NextTest  time.Time // zero before the first is planned
	Missed    time.Time // of an allow list that gives no answer: until then nothing is refused that it could have lifted; else zero

	Asked    uint64        // questions on the wire, tests aside
	Hits     uint64        // of these: listed, or spoken for
	Unknown  uint64        // of these: without a usable answer
	P50, P99 time.Duration // of the questions, at most a fifth too high; 0 before the first

	Undeclared uint64     // answers with an address within 127.0.0.0/8 that no code of the list declares
	Strange    netip.Addr // the last such address; the zero Addr before the first

	Visits  uint64    // judged visits that it hit, also those answered from the cache
	Alone   uint64    // of these: hit by no other list
	Overlap []Overlap // the others that hit together with it, in the order of use; those with none left out
	Harsher uint64    // verdicts that were harsher because of it
	Softer  uint64    // verdicts that were softer because of it
}

// Share is the share of hits among the questions that were answered, 0 to 1.
func (s *Standing) Share() float64 {
	if s.Asked <= s.Unknown {
		return 0
	}
	return float64(s.Hits) / float64(s.Asked-s.Unknown)
}

// An Overlap counts the visits that another list hit too.
type Overlap struct {
	List   string // id of the other one
	Visits uint64
}

// Snapshot gives the lists in the order of use. While the resolver makes answers
// up, all are Suspended and the reason says so.
func (h *Health) Snapshot() []Standing {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.roster.Load()
	all, now := make([]Standing, len(t.all)), time.Now()
	for i, w := range t.all {
		m := &w.state
		if h.resolver.state != Up {
			m = &h.resolver
		}
		all[i] = Standing{List: w.id, Condition: m.state, Counts: w.counts.Load(), Reason: m.reason, Remedy: m.remedy,
			Since: m.since, Tested: w.tested, NextTest: w.next}
		if to := now.Add(time.Duration(w.missedTo.Load() - h.at(now))); Absence(w.absence.Load())&Missed != 0 && w.list.Load().Lift() < 0 && now.Before(to) {
			all[i].Missed = to
		}
		if m.state == Untested && m.remedy != "" && h.outage() {
			all[i].Remedy = remedyOutage
		}
		w.figures.fill(&all[i])
		t.overlap.fill(&all[i], i, t.all)
	}
	return all
}

func (f *figures) fill(s *Standing) {
	s.Asked, s.Hits, s.Unknown = f.asked.Load(), f.hits.Load(), f.unknown.Load()
	s.P50, s.P99 = f.took.percentiles()
	s.Undeclared = f.strange.n.Load()
	if last := f.strange.last.Load(); last != nil {
		s.Strange = *last
	}
	s.Harsher, s.Softer = f.harsher.Load(), f.softer.Load()
}

func (o *overlap) fill(s *Standing, i int, all []*watched) {
	s.Visits, s.Alone = o.cell(i, i).Load(), o.alone[i].Load()
	for j := range all {
		if n := o.cell(i, j).Load(); j != i && n > 0 {
			s.Overlap = append(s.Overlap, Overlap{all[j].id, n})
		}
	}
}

package dnsbl

import (
	"math/bits"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// figures count what one list said, and what it was good for. All are since the
// list came into use; they are safe for concurrent use.
type figures struct {
	asked   atomic.Uint64 // questions on the wire, tests aside
	hits    atomic.Uint64 // of these: listed, or spoken for
	unknown atomic.Uint64 // of these: no answer that could be used
	took    latency
	harsher atomic.Uint64
	softer  atomic.Uint64
	strange strange
}

// saw counts a question.
func (f *figures) saw(a *Answer) {
	f.asked.Add(1)
	switch {
	case a.State == Unknown:
		f.unknown.Add(1)
	case a.State == Hit && slices.ContainsFunc(a.Matches, speaks):
		f.hits.Add(1)
	}
	f.took.add(a.Took)
}

// speaks reports whether a match says something for or against the subject, and is not
// a mere remark.
func speaks(m Match) bool { return m.Code != nil && (m.Code.Kind == Listed || m.Code.Kind == Allow) }

// strange counts answers within 127.0.0.0/8 that no code of a list declares: they weigh
// nothing, and somebody should see what they mean.
type strange struct {
	n      atomic.Uint64
	last   atomic.Pointer[netip.Addr]
	toldAt atomic.Pointer[time.Time] // when the log was told; nil: never
	told   atomic.Uint64             // how many there were then
}

// tellStrange is how far apart lines about the undeclared answers of one list are.
const tellStrange = time.Hour

// undeclared gives an address of an answer that no code declares, if there is one.
func (a *Answer) undeclared() (netip.Addr, bool) {
	for _, m := range a.Matches {
		if m.Code == nil && m.Addr.IsLoopback() {
			return m.Addr, true
		}
	}
	return netip.Addr{}, false
}

// saw counts an answer. It is true when the log is to be told, of so many since it was.
func (s *strange) saw(addr netip.Addr, now time.Time) (since uint64, tell bool) {
	n := s.n.Add(1)
	s.last.Store(&addr)
	last := s.toldAt.Load()
	if last != nil && now.Sub(*last) < tellStrange {
		return 0, false
	}
	if told := now; !s.toldAt.CompareAndSwap(last, &told) {
		return 0, false
	}
	return n - s.told.Swap(n), true
}

// A latency is a histogram of how long questions took. Its steps are a quarter
// of a power of two: a percentile is at most a fifth too high.
type latency struct {
	counts [latencySteps]atomic.Uint64
}

// The histogram begins at 64 us and ends beyond 16 s; what is outside counts as the end.
const (
	latencyFirst = 6 // the power of two, in microseconds, below which all is one step
	latencyLast  = 24
	latencySteps = (latencyLast-latencyFirst)*4 + 1
)

func (l *latency) add(took time.Duration) { l.counts[latencyStep(took)].Add(1) }

// latencyStep is the step that a duration falls in.
func latencyStep(took time.Duration) int {
	us := uint64(max(took, 0) / time.Microsecond)
	power := bits.Len64(us) - 1
	if power < latencyFirst {
		return 0
	}
	quarter := int(us >> (power - 2) & 3)
	return min((power-latencyFirst)*4+quarter+1, latencySteps-1)
}

// latencyEnd is the upper bound of a step.
func latencyEnd(step int) time.Duration {
	if step == 0 {
		return 1 << latencyFirst * time.Microsecond
	}
	power, quarter := latencyFirst+(step-1)/4, (step-1)%4
	return time.Duration(uint64(5+quarter)<<(power-2)) * time.Microsecond
}

// percentiles gives the durations below which half and 99 of 100 questions
// stayed, as the upper bound of their step; 0 before the first question.
func (l *latency) percentiles() (p50, p99 time.Duration) {
	var counts [latencySteps]uint64
	var total uint64
	for i := range l.counts {
		counts[i] = l.counts[i].Load()
		total += counts[i]
	}
	if total == 0 {
		return 0, 0
	}
	var below uint64
	for i, n := range counts {
		below += n
		if p50 == 0 && below*2 >= total {
			p50 = latencyEnd(i)
		}
		if below*100 >= total*99 {
			return p50, latencyEnd(i)
		}
	}
	return p50, p99
}

// An overlap counts, for each two of the lists in use, the visits that both hit.
// On the diagonal are the visits that one list hit at all; alone counts those
// that no other one hit.
type overlap struct {
	n     int
	both  []atomic.Uint64 // n rows of n, only on and right of the diagonal
	alone []atomic.Uint64
}

func newOverlap(n int) *overlap {
	return &overlap{n: n, both: make([]atomic.Uint64, n*n), alone: make([]atomic.Uint64, n)}
}

// cell is the counter of two lists, in any order.
func (o *overlap) cell(i, j int) *atomic.Uint64 {
	return &o.both[min(i, j)*o.n+max(i, j)]
}

// hit counts a visit that these lists hit, each named once.
func (o *overlap) hit(lists []uint8) {
	for k, i := range lists {
		for _, j := range lists[k:] {
			o.cell(int(i), int(j)).Add(1)
		}
	}
	if len(lists) == 1 {
		o.alone[lists[0]].Add(1)
	}
}

// take adds what another overlap counted of list j there to list i here, and of
// the pairs that it makes with lists taken before, whose places are in from.
func (o *overlap) take(old *overlap, from []int) {
	for i, oldI := range from {
		if oldI < 0 {
			continue
		}
		o.alone[i].Store(old.alone[oldI].Load())
		for j := i; j < len(from); j++ {
			if from[j] >= 0 {
				o.cell(i, j).Store(old.cell(oldI, from[j]).Load())
			}
		}
	}
}

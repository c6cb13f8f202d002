package profile

import (
	"math"
	"strconv"
	"strings"
)

// A ListHit is what one DNS list says of the client or of a name that it uses
// (RFC 5782): a declared code of kind "listed", or for dnswl "allow". What a list
// answers besides makes no hit.
type ListHit struct {
	ID     string  // "dnsbl:LIST" of the address, "rhsbl:LIST" of a name, "dnswl:LIST" of an allow code
	Group  string  // whose lists count once together: the operator; "" for a list that stands alone
	Points float64 // the list's total: above 0, and below 0 of dnswl; anything else weighs nothing, also where [points] gives another total
	Detail string  // for the operator: codes, and the name that was asked
	Text   string  // the meaning, for the reply; any text, without keys and client data
	URL    string  // where the sender gets help; "" for nowhere
	Stale  bool    // by an answer past its expiry: may lift or defer, not refuse
	// Possible: the list is up, and an answer that failed, or that is past its
	// expiry, could have brought as much for the client as these points (of dnswl
	// alone). It is no finding, but holds back a reject that it could lift (law 2).
	Possible bool
}

// maxLists is how many hits of lists are looked at; a mark counts them in an octet.
const maxLists = 64

// kind is the finding of a hit, kinds for none of ours.
func (h *ListHit) kind() kind {
	for _, k := range [...]kind{dnsbl, rhsbl, dnswl} {
		if len(h.ID) > listPrefix && h.ID[:listPrefix] == table[k].id[:listPrefix] {
			return k
		}
	}
	return kinds
}

// listPrefix is the length of "dnsbl:", which those of the others share.
const listPrefix = len("dnsbl:")

// list is the id of the list.
func (h *ListHit) list() string { return h.ID[listPrefix:] }

// listed are the hits of a visit as they count.
type listed struct {
	hits    []ListHit
	kinds   [maxLists]kind
	judged  [maxLists]bool    // makes a finding: not off, and not only possible
	weights [maxLists]float64 // of those; 0 for what does not count
	chances [maxLists]float64 // of the possible ones, likewise
}

// judgeLists makes the findings of DNS lists. Of a group only the heaviest list
// counts, of those against the client and of those for it: one source of data may
// stand behind several.
func (j *Judgement) judgeLists(hits []ListHit) {
	if len(hits) == 0 {
		return
	}
	l := listed{hits: hits[:min(len(hits), maxLists)]}
	j.lists = l.hits
	for i := range l.hits {
		j.weighListed(&l, i)
	}
	for i := range l.hits {
		switch {
		case l.judged[i] && l.heaviest(i, (*listed).sameList) == i:
			j.sayListed(&l, i)
		case l.chances[i] < 0:
			j.mayBeListed(&l, i)
		}
		if l.weights[i] != 0 {
			j.countListed(&l, i)
		}
	}
}

// weighListed gives a hit the operator's points for that list, else its own total.
func (j *Judgement) weighListed(l *listed, i int) {
	h := &l.hits[i]
	k := h.kind()
	l.kinds[i] = k
	if k == kinds || h.Possible && k != dnswl {
		return
	}
	points, set := j.policy.Points[h.ID]
	l.judged[i] = !h.Possible && points.Rule != Off
	if points.Rule != Counted {
		return
	}
	weight := j.policy.weight(k, h.Points)
	if set && weight != 0 { // an answer that has no say gets none by its list
		weight = j.policy.weight(k, points.Value)
	}
	if h.Possible {
		l.chances[i] = weight
	} else {
		l.weights[i] = weight
	}
}

// heaviest gives the judged hit that counts among those that are alike: of equal
// ones that on a fresh answer, then the first. It returns -1 for none.
func (l *listed) heaviest(i int, alike func(l *listed, a, b int) bool) int {
	best := -1
	for o := range l.hits {
		if l.judged[o] && alike(l, i, o) && (best < 0 || l.heavier(o, best)) {
			best = o
		}
	}
	return best
}

func (l *listed) heavier(a, b int) bool {
	x, y := math.Abs(l.weights[a]), math.Abs(l.weights[b])
	return x > y || x == y && l.hits[b].Stale && !l.hits[a].Stale
}

// sameList reports whether a list speaks twice: of several names, it may.
func (l *listed) sameList(a, b int) bool { return l.hits[a].ID == l.hits[b].ID }

// sameSource reports whether two hits count once together.
func (l *listed) sameSource(a, b int) bool {
	x, y := &l.hits[a], &l.hits[b]
	return (l.kinds[a] == dnswl) == (l.kinds[b] == dnswl) && (x.ID == y.ID || x.Group != "" && x.Group == y.Group)
}

// freshSource is sameSource of what may support a reject.
func (l *listed) freshSource(a, b int) bool { return !l.hits[b].Stale && l.sameSource(a, b) }

// sayListed makes the finding of a list.
func (j *Judgement) sayListed(l *listed, i int) {
	h := &l.hits[i]
	f := Finding{ID: h.ID, Detail: h.Detail, Points: l.weights[i], Stale: h.Stale}
	switch j.policy.Points[h.ID].Rule {
	case Monitor:
		f.Monitor = true
	case AtLeastTempfail:
		f.Tempfail = true
	}
	more := -1
	for o := range l.hits {
		if l.judged[o] && l.sameList(i, o) {
			more++
		}
	}
	if more > 0 {
		f.Detail += " (and " + strconv.Itoa(more) + " more)"
	}
	if by := l.heaviest(i, (*listed).sameSource); f.Points != 0 && by != i {
		f.Points = 0
		f.Detail += "; counts in " + l.hits[by].ID + ", of the same source"
	}
	j.add(f, mark{kind: l.kinds[i]})
}

// countListed adds a hit to the score if it is the one of its source that counts.
// Where that rests on an old answer, another may count towards a reject.
func (j *Judgement) countListed(l *listed, i int) {
	m := mark{kind: l.kinds[i], hit: uint8(i)}
	if l.heaviest(i, (*listed).sameSource) == i {
		m.points = l.weights[i]
	}
	if m.kind == dnswl {
		m.firm = m.points
	} else if l.heaviest(i, (*listed).freshSource) == i {
		m.firm = l.weights[i]
	}
	if m.counts() {
		j.marks = append(j.marks, m)
	}
}

// mayBeListed notes by how much an answer that is out could make a source lift more.
func (j *Judgement) mayBeListed(l *listed, i int) {
	for o := range l.hits {
		if l.sameSource(i, o) && (l.chances[o] < l.chances[i] || l.chances[o] == l.chances[i] && o < i) {
			return // that one could as well
		}
	}
	points := l.chances[i]
	if by := l.heaviest(i, (*listed).sameSource); by >= 0 {
		points -= l.weights[by]
	}
	if points < 0 {
		j.possible = append(j.possible, mark{kind: dnswl, points: points, firm: points})
	}
}

// shareOf is what one list came to of all that the allow lists took: they go in
// their order.
func (j *Judgement) shareOf(id string, took float64) float64 {
	for _, m := range j.marks {
		if m.kind != dnswl {
			continue
		}
		points := min(took, -m.points)
		if j.lists[m.hit].ID == id {
			return points
		}
		took -= points
	}
	return 0
}

// firmOf is what a list's finding adds to a reject.
func (j *Judgement) firmOf(id string) float64 {
	for _, m := range j.marks {
		if m.kind.ofList() && j.lists[m.hit].ID == id {
			return m.firm
		}
	}
	return 0
}

// ofList reports whether a kind is that of lists which speak against a client.
func (k kind) ofList() bool { return k == dnsbl || k == rhsbl }

// listText is the sentence for a list's finding: the meaning of its answer and the
// way out stand behind the one of the policy. The way out goes before the meaning
// where both are too long for a reply.
func (j *Judgement) listText(sentence, id string) string {
	hit := &ListHit{ID: id}
	for i := range j.lists {
		if h := &j.lists[i]; h.ID == id && !h.Possible && (hit.Points == 0 || h.Points > hit.Points) {
			hit = h
		}
	}
	text := strings.ReplaceAll(sentence, "{list}", clean(hit.list()))
	end, meaning := "", clean(hit.Text)
	if url := clean(hit.URL); url != "" && !strings.Contains(url, " ") && len(text)+len("; see ")+len(url) <= maxText {
		end = "; see " + url
	}
	const around, least = len(" ()"), 8
	if room := maxText - len(text) - len(end) - around; len(meaning) > room {
		meaning = strings.TrimSpace(meaning[:max(room-len("..."), 0)]) + "..."
		if room < least {
			meaning = ""
		}
	}
	if meaning != "" {
		text += " (" + meaning + ")"
	}
	return text + end
}

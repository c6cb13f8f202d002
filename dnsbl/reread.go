package dnsbl

import (
	"net/netip"
	"slices"
)

// Other are lists as somebody else reads their answers, by id: with other codes or
// points. It is not changed once made.
type Other struct {
	lists map[string]*List
	place map[string]int
}

// NewOther makes them. Of lists with one id the first counts.
func NewOther(lists []List) *Other {
	o := &Other{lists: map[string]*List{}, place: map[string]int{}}
	lists = slices.Clone(lists)
	for i := range lists {
		l := &lists[i]
		if o.lists[l.ID] == nil {
			l.compile()
			o.lists[l.ID], o.place[l.ID] = l, i
		}
	}
	return o
}

// Place is that of a list in their order, and whether it is one of them.
func (o *Other) Place(id string) (int, bool) {
	if o == nil {
		return 0, false
	}
	i, ok := o.place[id]
	return i, ok
}

// Reread gives an answer as they read it; false where the list is none of them. Of an
// Unknown without addresses nothing but its list changes.
func (o *Other) Reread(a Answer) (Answer, bool) {
	if o == nil || o.lists[a.List.ID] == nil {
		return a, false
	}
	a.List = o.lists[a.List.ID]
	if len(a.Matches) == 0 {
		return a, true
	}
	var addrs []netip.Addr
	for _, m := range a.Matches {
		if !slices.Contains(addrs, m.Addr) { // of one address, each bit matches
			addrs = append(addrs, m.Addr)
		}
	}
	a.State, a.Reason, a.Matches = a.List.read(nil, addrs)
	return a, true
}

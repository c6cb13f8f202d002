package local

import (
	"hash/maphash"
	"net/netip"
	"slices"
)

// inline is what stands in the rules themselves. Rules may overlap as they like,
// and all that match are wanted, so these are tables of many values.
type inline struct {
	nets  map[netip.Prefix][]ref
	bits4 []int // the prefix lengths in nets
	bits6 []int
	names names // line is an index of refs
	refs  []ref
}

// A ref is one matcher of a rule.
type ref struct{ rule, match int }

func (n *inline) add(e entry, at ref) {
	if !e.net.IsValid() {
		n.names.add(e.name, e.kind, uint32(len(n.refs)))
		n.refs = append(n.refs, at)
		return
	}
	if n.nets == nil {
		n.nets = map[netip.Prefix][]ref{}
	}
	n.nets[e.net] = append(n.nets[e.net], at)
	bits := &n.bits6
	if e.net.Addr().Is4() {
		bits = &n.bits4
	}
	if !slices.Contains(*bits, e.net.Bits()) {
		*bits = append(*bits, e.net.Bits())
	}
}

func (n *inline) build(seed maphash.Seed) {
	slices.Sort(n.bits4)
	slices.Sort(n.bits6)
	n.names.build(seed, nil)
}

// bits gives the prefix lengths that an address can be found with.
func (n *inline) bits(a netip.Addr) []int {
	if a.Is4() {
		return n.bits4
	}
	return n.bits6
}

package local

import (
	"hash/maphash"
	"net/netip"
)

// inline is what stands in the rules themselves. Rules may overlap as they like,
// and all that match are wanted, so what is found has many values.
type inline struct {
	nets  map[netip.Prefix][]ref
	v4    nets[addr4] // the smallest network that holds an address; line is an index of held
	v6    nets6
	held  [][]ref // of that network and of those it lies in, the largest first
	names names   // line is an index of refs
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
}

func (n *inline) build(seed maphash.Seed) {
	n.names.build(seed, nil)
	var span4 []span[addr4]
	var span6 []span[addr6]
	n.held = make([][]ref, 1, len(n.nets)+1) // a line is never 0
	for p := range n.nets {
		line, rank := uint32(len(n.held)), uint32(p.Bits())
		if p.Addr().Is4() {
			first, last := range4(p)
			span4 = append(span4, span[addr4]{first, last, line, rank})
		} else {
			first, last := range6(p)
			span6 = append(span6, span[addr6]{first, last, line, rank})
		}
		n.held = append(n.held, n.around(p))
	}
	n.v4, n.v6 = newNets(span4), newNets6(span6)
}

// around gives what stands for a network and for those it lies in.
func (n *inline) around(p netip.Prefix) (all []ref) {
	for size := range p.Bits() + 1 {
		all = append(all, n.nets[netip.PrefixFrom(p.Addr(), size).Masked()]...)
	}
	return all
}

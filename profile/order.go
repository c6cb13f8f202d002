package profile

import (
	"cmp"
	"slices"
)

// Shown returns the name by which log and records show the client: the first
// confirmed one, else the first, else "".
func (r *RDNS) Shown() string {
	for _, name := range r.Names {
		if name.Forward == Confirmed {
			return name.Name
		}
	}
	if len(r.Names) > 0 {
		return r.Names[0].Name
	}
	return ""
}

// HeaviestFirst returns the findings of a visit and of one recipient together,
// most points first, equal ones in the order given. A lift of the visit that
// the recipient restates (see Verdict) stands once, with what it came to. It may
// return visit itself.
func HeaviestFirst(visit, own []Finding) []Finding {
	if len(own) == 0 {
		return visit
	}
	all := slices.Clone(visit)
	for _, f := range own {
		at := slices.IndexFunc(all, func(v Finding) bool { return v.ID == f.ID })
		if at < 0 {
			all = append(all, f)
			continue
		}
		all[at].Points = round(all[at].Points + f.Points)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(b.Points, a.Points) })
	return all
}

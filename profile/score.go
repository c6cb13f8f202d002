package profile

import "math"

// maxMarks is room for the marks of one verdict: every kind once, and a recipient's
// own. Many lists may need more.
const maxMarks = int(kinds) + maxOwn

// taken is what each of the lifters came to, of the visit and of the recipient.
type taken [2][len(lifters)]float64

// sum is the score of the visit's marks and one recipient's own: the points
// against the client, less what the lifts take off.
//
// A lift takes points only from the findings that its row lifts. If there are
// others, what it has left over does not spill onto them; if there are none,
// its points count in full, and the score may fall below zero. The lifts go in
// the order of lifters, wherever they come from.
//
// As evidence, only what may support a reject is added: no stale points
// and none of the never column, and the lifts that a failed question could have
// brought count as if they had come (law 2).
func (j *Judgement) sum(own []mark, t addend, took *taken) float64 {
	if len(j.marks)+len(own) == 0 {
		return 0 // a trusted client, or one of whom nothing counts: no lift makes that more
	}
	var room [maxMarks]mark
	against := room[:0]
	total, lifts := 0.0, scope(0)
	from := [3][]mark{j.marks, own, nil}
	for _, marks := range from {
		for _, m := range marks {
			m.points = m.in(t)
			switch {
			case m.points < 0:
				lifts |= 1 << m.kind
			case m.points > 0:
				against = append(against, m)
				total += m.points
			}
		}
	}
	if t == asEvidence {
		from[2] = j.possible
	} else if lifts == 0 {
		return round(total)
	}
	for i, k := range lifters {
		for who, marks := range from {
			for _, m := range marks {
				m.points = m.in(t)
				if m.kind != k || m.points >= 0 {
					continue
				}
				points := lift(against, m)
				total -= points
				if took != nil {
					took[who][i] += points // allow lists may be several
				}
			}
		}
	}
	return round(total)
}

// lift returns what a lift takes off the points in against, and takes them.
func lift(against []mark, l mark) float64 {
	covers := table[l.kind].lifts
	within, others := 0.0, false
	for _, m := range against {
		if covers.has(m.kind) {
			within += m.points
		} else {
			others = true
		}
	}
	take := -l.points
	if others || math.IsInf(take, 1) {
		take = min(take, within)
	}
	left := take
	for i := range against {
		if covers.has(against[i].kind) {
			points := min(left, against[i].points)
			against[i].points -= points
			left -= points
		}
	}
	return take
}

// tellLifts lets each lift show the points that it came to, so that a score is
// always the sum of the points that are shown.
func (j *Judgement) tellLifts(findings []Finding, said []kind, took *[len(lifters)]float64) {
	for i, k := range said {
		at := liftPlace(k)
		if at < 0 || findings[i].Points >= 0 {
			continue
		}
		points := took[at]
		if k == dnswl {
			points = j.shareOf(findings[i].ID, took[at])
		}
		findings[i].Points = round(0 - points)
	}
}

// liftPlace is the place of a kind among the lifters, -1 when it is none.
func liftPlace(k kind) int {
	for i := range lifters {
		if lifters[i] == k {
			return i
		}
	}
	return -1
}

// round takes the noise of binary fractions off a sum, so that 0.1 and 0.2
// reach a threshold of 0.3. It never returns a negative zero.
func round(x float64) float64 {
	const unit = 1e9
	if math.Abs(x) > 1<<52/unit {
		return x // no fraction of that size is left in it
	}
	return math.Round(x*unit)/unit + 0
}

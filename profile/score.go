package profile

import "math"

// maxMarks bounds the marks of one verdict: every kind once, twice over.
const maxMarks = 2 * int(kinds)

// sum is the score of the visit's marks and one recipient's own: the points
// against the client, less what the lifts take off.
//
// A lift takes points only from the findings that its row lifts. If there are
// others, what it has left over does not spill onto them; if there are none,
// its points count in full, and the score may fall below zero.
//
// With evidence set, only what may support a reject is added: no stale points
// and none of the never column, and the lifts that a failed question could have
// brought count as if they had come (law 2).
func (j *Judgement) sum(own []mark, evidence bool) float64 {
	var room [maxMarks]mark
	against := room[:0]
	total := 0.0
	for _, marks := range [2][]mark{j.marks, own} {
		for _, m := range marks {
			if m.points <= 0 || evidence && (m.stale || table[m.kind].alone == AloneNever) {
				continue
			}
			against = append(against, m)
			total += m.points
		}
	}
	for _, m := range j.marks {
		if m.points < 0 {
			total -= lift(against, m)
		}
	}
	if evidence {
		for _, m := range j.possible {
			total -= lift(against, m)
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
	if others {
		take = min(take, within)
	}
	left := take
	for i := range against {
		if covers.has(against[i].kind) {
			taken := min(left, against[i].points)
			against[i].points -= taken
			left -= taken
		}
	}
	return take
}

// tellLifts lets each lift show the points that it came to, so that a score is
// always the sum of the points that are shown.
func (j *Judgement) tellLifts() {
	var room [maxMarks]mark
	against := room[:0]
	for _, m := range j.marks {
		if m.points > 0 {
			against = append(against, m)
		}
	}
	for i, k := range j.said {
		if table[k].lifts != 0 && j.Findings[i].Points < 0 {
			took := lift(against, mark{kind: k, points: j.Findings[i].Points})
			j.Findings[i].Points = round(0 - took)
		}
	}
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

package profile

import "strconv"

// judgeHistory judges what is remembered of the server.
func (j *Judgement) judgeHistory(h *History) {
	if h.Helos > 0 {
		j.say(heloMany, strconv.Itoa(h.Helos)+" HELO domains that do not lead to it within two days", false)
	}
	switch {
	case h.Bad != "":
		j.say(historyBad, h.Bad, false)
	case h.Good != "":
		j.say(historyGood, h.Good, false)
	}
	if h.New {
		j.say(firstSeen, "", false)
	}
}

// newness reports whether a score is at or over the reject threshold only because the
// server is new: then it is asked to come back, for who is refused for being new could
// not become known.
func (j *Judgement) newness(own []mark) bool {
	for i := range j.marks {
		if j.marks[i].kind == firstSeen {
			return j.sum(own, asKnown, nil) < j.policy.RejectScore
		}
	}
	return false
}

// known reports whether who is deferred for the score needs no question: a good history
// or an allow list speaks for the server, and nothing that neither may outweigh speaks
// against it: no list, trap or bad history, no rule of the operator's own.
func (j *Judgement) known(own []mark) bool {
	const hard = scope(1<<dnsbl | 1<<rhsbl | 1<<rcptTrap | 1<<historyBad | 1<<localPoints)
	speaks := false
	for _, marks := range [2][]mark{j.marks, own} {
		for i := range marks {
			m := &marks[i]
			switch {
			case m.points > 0 && hard.has(m.kind):
				return false
			case m.points < 0 && (m.kind == historyGood || m.kind == dnswl):
				speaks = true
			}
		}
	}
	return speaks
}

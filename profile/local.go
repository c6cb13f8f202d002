package profile

import (
	"math"
	"strconv"
)

// A word is what the operator's own rules come to.
type word uint8

const (
	silent   word = iota
	denied        // refused, whoever it is and whomever it is for
	deferred      // the same, but for answers that are too old to refuse by
	allowed       // server checks and retries are lifted
)

// A weighed finding is one as it counts.
type weighed struct {
	Finding
	mark
}

// Denied reports whether a rule of the operator's own refuses the visit, whoever
// the recipients are. Then it need not wait for them: Decide(nil, false) gives
// the answer at MAIL. For that, a Session will do that holds what is known by
// then, and the hits.
func (j *Judgement) Denied() bool { return j.word == denied }

// judgeLocal makes the findings of rules about anything but the recipient.
func (j *Judgement) judgeLocal(hits []LocalHit) {
	if len(hits) == 0 {
		return
	}
	var findings []weighed
	findings, j.word = j.wordOf(hits, nil)
	for _, f := range findings {
		j.add(f.Finding, f.mark)
	}
	for i := range hits {
		j.mayMatch(&hits[i])
	}
}

// wordOf appends what the operator's rules come to: deny before allow before
// points, and the first that counts silences the others. Only deny is for
// everyone, the others lift and weigh what strangers are judged by (law 4).
func (j *Judgement) wordOf(hits []LocalHit, findings []weighed) ([]weighed, word) {
	actions := [...]LocalAction{LocalDeny, LocalAllow, LocalPoints}
	last := len(actions)
	if j.trust != Stranger || j.word == allowed {
		last = 1
	}
	for i, action := range actions[:last] {
		f, ok := j.weighLocal(hits, action)
		if !ok {
			continue
		}
		findings = append(findings, f)
		word := [...]word{denied, allowed, silent}[i]
		if word == denied && f.Finding.Stale {
			word = deferred
		}
		if word != silent && !f.Monitor {
			return findings, word
		}
	}
	return findings, silent
}

// weighLocal makes one finding of all hits that ask for the same.
func (j *Judgement) weighLocal(hits []LocalHit, action LocalAction) (weighed, bool) {
	n, firms, detail, points, firm := 0, 0, "", 0.0, 0.0
	for i := range hits {
		h := &hits[i]
		if h.Action != action || h.Possible {
			continue
		}
		if n++; n == 1 {
			detail = h.Detail
		}
		points += h.weight()
		if !h.Stale {
			firms++
		}
		if !h.Stale || h.weight() < 0 {
			firm += h.weight()
		}
	}
	if n == 0 {
		return weighed{}, false
	}
	if n > 1 {
		detail += " (and " + strconv.Itoa(n-1) + " more)"
	}
	// One firm deny is enough; points are firm only together.
	f, m, ok := j.weigh(action.kind(), detail, firms == 0 || firms < n && action == LocalPoints)
	f.Tempfail = false
	switch {
	case !ok || f.Monitor:
	case action == LocalAllow:
		f.Points, m = math.Inf(-1), liftAll
	case action == LocalPoints:
		f.Points, m.points, m.firm = points, points, firm
	default:
		f.Points, m.points, m.firm = 0, 0, 0
	}
	return weighed{f, m}, ok
}

// liftAll takes off all there is to lift, and not more.
var liftAll = mark{kind: localAllow, points: math.Inf(-1), firm: math.Inf(-1)}

// kind is the finding of an action.
func (a LocalAction) kind() kind {
	switch a {
	case LocalDeny:
		return localDeny
	case LocalAllow:
		return localAllow
	}
	return localPoints
}

// weight is what a rule adds to the score.
func (h *LocalHit) weight() float64 {
	if h.Action != LocalPoints || math.IsNaN(h.Points) || math.IsInf(h.Points, 0) {
		return 0
	}
	return h.Points
}

// mayMatch notes a rule that could have lifted the visit, had a question not failed.
func (j *Judgement) mayMatch(h *LocalHit) {
	if !h.Possible || j.trust != Stranger || j.policy.Points[table[h.Action.kind()].id].Rule != Counted {
		return
	}
	switch points := h.weight(); {
	case h.Action == LocalAllow:
		j.possible = append(j.possible, liftAll)
	case points < 0:
		j.possible = append(j.possible, newMark(localPoints, points, false))
	}
}

package profile

import (
	"math"
	"strconv"
)

// A word is what the operator's own rules come to.
type word uint8

const (
	silent  word = iota
	denied       // refused, whoever it is and whomever it is for
	allowed      // server checks and retries are lifted
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
		if word := [...]word{denied, allowed, silent}[i]; word != silent && !f.Monitor {
			return findings, word
		}
	}
	return findings, silent
}

// weighLocal makes one finding of all hits that ask for the same.
func (j *Judgement) weighLocal(hits []LocalHit, action LocalAction) (weighed, bool) {
	n, detail, points := 0, "", 0.0
	for i := range hits {
		h := &hits[i]
		if h.Action != action || h.Possible {
			continue
		}
		if n++; n == 1 {
			detail = h.Detail
		}
		points += h.weight()
	}
	if n == 0 {
		return weighed{}, false
	}
	if n > 1 {
		detail += " (and " + strconv.Itoa(n-1) + " more)"
	}
	k, points := localKind(action, points)
	f, m, ok := j.weigh(k, detail, false)
	f.Tempfail = false
	if ok && !f.Monitor {
		f.Points, m.points = points, points
	}
	return weighed{f, m}, ok
}

// localKind gives the finding of an action, and its points. Allow takes off all
// there is to lift, and not more.
func localKind(action LocalAction, points float64) (kind, float64) {
	switch action {
	case LocalDeny:
		return localDeny, 0
	case LocalAllow:
		return localAllow, math.Inf(-1)
	}
	return localPoints, points
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
	k, points := localKind(h.Action, h.weight())
	if h.Possible && points < 0 && j.trust == Stranger && j.policy.Points[table[k].id].Rule == Counted {
		j.possible = append(j.possible, mark{kind: k, points: points})
	}
}

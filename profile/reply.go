package profile

import (
	"strings"
)

// maxText keeps a reply of code, status, sentence and id within 240 octets:
// "550 5.7.25 " before it and " [0123456789ab]" behind it.
const maxText = 240 - len("550 5.7.25 ") - len(" [0123456789ab]")

// noReason is said where the points come from findings that have no reply.
const noReason = "Mail from {client} is not taken by the policy of this site; ask its postmaster"

// speak gives a verdict the code, status and sentence of the heaviest finding
// that has a reply of the action's class.
func (j *Judgement) speak(v *Verdict, own []kind) {
	if v.Action == Continue {
		return
	}
	k, id := j.speaker(v, own)
	j.speakAs(v, k, id)
}

// speakAs lets one kind of finding speak; kinds stands for none. id says which
// list it is, of their kinds.
func (j *Judgement) speakAs(v *Verdict, k kind, id string) {
	r := row{code: 550, status: "5.7.1"}
	text := noReason
	if k != kinds {
		r = table[k]
		v.Speaker = r.id
		if t := clean(j.policy.Texts[r.id]); t != "" {
			text = t
		}
	}
	v.Code, v.Status = r.code, r.status
	if v.Action == TempFail && r.code >= 500 {
		v.Code, v.Status = 450, "4"+r.status[1:] // RFC 3463 section 2: subject and detail hold for each class
	}
	text = strings.ReplaceAll(text, "{client}", j.clientText())
	if k.ofList() {
		v.Speaker = id
		text = j.listText(text, id)
	}
	v.Text = clip(text)
}

// speaker chooses the finding that speaks: the most points, then table order.
// What has "tempfail" in place of points speaks where the score asks for nothing.
// Lists of both kinds stand in one row: of them the first speaks. It returns kinds
// if there is none.
func (j *Judgement) speaker(v *Verdict, own []kind) (best kind, id string) {
	forScore := v.Score >= j.policy.TempfailScore || v.Action == Reject
	best, points := kinds, 0.0
	consider := func(f *Finding, k kind) {
		if table[k].code == 0 || f.Monitor || v.Action == Reject && !supportsReject(f, k) {
			return
		}
		weight := f.Points
		if v.Action == Reject && k.ofList() {
			weight = j.firmOf(f.ID)
		}
		if forScore && weight <= 0 || !forScore && !f.Tempfail {
			return
		}
		if best == kinds || weight > points || weight == points && k < best && !(k.ofList() && best.ofList()) {
			best, id, points = k, f.ID, weight
		}
	}
	for i, k := range j.said {
		consider(&j.Findings[i], k)
	}
	for i, k := range own {
		consider(&v.Findings[i], k)
	}
	return best, id
}

// supportsReject reports whether a finding may be the reason of a 5yz reply.
func supportsReject(f *Finding, k kind) bool {
	return table[k].code >= 500 && table[k].alone != AloneNever && !f.Stale
}

func (j *Judgement) clientText() string {
	if !j.client.IsValid() {
		return "unknown"
	}
	return j.client.String()
}

// clean makes a sentence one line of printable US-ASCII. A milter does it once
// more for whatever it is given; here it keeps Verdict's promise.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		case r > 0x7f:
			return '?'
		}
		return r
	}, s))
}

func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.TrimSpace(s)
}

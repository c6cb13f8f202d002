package profile

// Decide answers for one recipient of the visit, or, where r is nil, for all of
// them at MAIL. retryPassed says that the server came back honestly after an
// earlier deferral: a tempfail for the score becomes continue. So it does for a server
// with a good history, or on an allow list: it is known to come back.
//
// The operator's local-deny comes first and refuses whoever it is and whomever
// it is for. Then comes what is known of the recipient: a client that is after
// addresses gets the same answer for all of them, whether they exist or not; else
// an unknown user is refused, and one whose directory failed is asked to come back.
// Limits, which are for everyone too, come next, and then the account that is blocked or seems stolen: its
// owner can still write to those who hear from everybody. A score at or over the reject threshold refuses only if it stays
// there on firm evidence alone (laws 1 and 2, the never column, stale answers);
// else the answer is a tempfail, marked Capped.
func (j *Judgement) Decide(r *Recipient, retryPassed bool) Verdict {
	v := Verdict{Score: j.Score}
	o := j.judgeRecipient(r, &v)
	switch {
	case j.word == denied || o.word == denied:
		v.Action = Reject
		j.speakAs(&v, localDeny, "")
		return v
	case j.word == deferred || o.word == deferred:
		v.Action, v.Capped = TempFail, true
		j.speakAs(&v, localDeny, "")
		return v
	case o.mailbox != kinds:
		v.Action = TempFail
		if o.mailbox == rcptUnknown {
			v.Action = Reject
		}
		j.speakAs(&v, o.mailbox, "")
		return v
	case o.limit != nil:
		j.speakLimit(&v, o.limit)
		return v
	case j.block != nil && (r == nil || !r.Exempt && !AlwaysOpen(r.Raw, j.us)):
		j.speakBlock(&v)
		return v
	case j.hijacked && (r == nil || !r.Exempt && !AlwaysOpen(r.Raw, j.us)):
		v.Action = TempFail
		j.speakAs(&v, accountHijack, "")
		return v
	case j.trust != Stranger || j.word == allowed || o.word == allowed:
		return v
	case r != nil && (r.Exempt || AlwaysOpen(r.Raw, j.us)):
		return v
	}
	p := j.policy
	switch {
	case v.Score >= p.RejectScore && o.evidence >= p.RejectScore:
		v.Action = Reject
	case v.Score >= p.RejectScore && !j.newness(o.marks):
		v.Action, v.Capped = TempFail, true
	case v.Score >= p.TempfailScore:
		if v.Action = TempFail; j.asksTempfail(v.Findings) {
			break
		}
		if j.known(o.marks) {
			v.Action = Continue
			return v
		}
		v.ForScore = j.Score >= p.TempfailScore
	case j.asksTempfail(v.Findings):
		v.Action = TempFail
	}
	if v.ForScore && retryPassed && j.passRetry(&v) {
		v.Action, v.ForScore = Continue, false
		return v
	}
	j.speak(&v, o.said)
	return v
}

// maxOwn is how many findings of its own one recipient can have:
// bounce-many-rcpts, rcpt-unknown or -error, rcpt-harvest, and local-deny, -allow
// and -points, where the first two are monitored.
const maxOwn = 6

// own is what is said of one recipient alone.
type own struct {
	said     []kind // the kinds of the first of Verdict.Findings
	marks    []mark
	word     word    // the operator's, by rules about the recipient
	evidence float64 // the score that may support a reject
	limit    *LimitHit
	mailbox  kind // of rcpt-harvest, -unknown and -error the one that answers; kinds for none
}

// judgeRecipient makes the recipient's own findings and adds them to the score.
func (j *Judgement) judgeRecipient(r *Recipient, v *Verdict) own {
	o := own{evidence: j.evidence, mailbox: kinds}
	if r == nil {
		return o
	}
	var findings []weighed
	if r.Number >= 2 && j.null && j.trust == Stranger {
		if f, m, ok := j.weigh(bounceManyRcpts, "", false); ok {
			findings = append(findings, weighed{f, m})
		}
	}
	findings, o.mailbox = j.judgeMailbox(r, findings)
	if len(r.Local) > 0 {
		findings, o.word = j.wordOf(r.Local, findings)
	}
	for i := range findings {
		v.Findings = append(v.Findings, findings[i].Finding)
		o.said = append(o.said, findings[i].kind)
		if findings[i].counts() {
			o.marks = append(o.marks, findings[i].mark)
		}
	}
	if len(o.marks) > 0 {
		var took taken
		v.Score = j.sum(o.marks, asSaid, &took)
		o.evidence = j.sum(o.marks, asEvidence, nil)
		j.tellLifts(v.Findings, o.said, &took[1])
		j.restateLifts(v, &took[0])
	}
	if len(r.Limits) > 0 {
		o.limit = j.judgeLimits(r.Limits, v)
	}
	return o
}

// restateLifts shows what a lift of the visit comes to beside the recipient's
// own findings, where that is another thing: it may have points left over which
// it may not spend on these, or it lifts them too. So the score stays the sum of
// the visit's findings and the recipient's.
func (j *Judgement) restateLifts(v *Verdict, took *[len(lifters)]float64) {
	for i, k := range j.said {
		at := liftPlace(k)
		if at < 0 || j.Findings[i].Points > 0 {
			continue
		}
		points, id := took[at], j.Findings[i].ID
		if k == dnswl {
			points = j.shareOf(id, points)
		}
		change := round(0 - points - j.Findings[i].Points)
		switch {
		case change > 0:
			v.Findings = append(v.Findings, Finding{ID: id, Points: change, Detail: "does not lift what is the recipient's own"})
		case change < 0:
			v.Findings = append(v.Findings, Finding{ID: id, Points: change, Detail: "lifts what is the recipient's own, too"})
		}
	}
}

// asksTempfail reports whether a finding has "tempfail" in place of points.
func (j *Judgement) asksTempfail(own []Finding) bool {
	for _, findings := range [2][]Finding{j.Findings, own} {
		for i := range findings {
			if findings[i].Tempfail {
				return true
			}
		}
	}
	return false
}

// passRetry lets a deferred visit pass, if the policy judges honest retries,
// and says so.
func (j *Judgement) passRetry(v *Verdict) bool {
	finding, _, ok := j.weigh(retryPassed, "", false)
	if !ok {
		return false
	}
	finding.Points, finding.Tempfail = 0, false
	v.Findings = append(v.Findings, finding)
	return !finding.Monitor
}

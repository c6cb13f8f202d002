package profile

import "net/netip"

// A Judgement is what the facts prove of a visit. Findings and Score stand at
// the top of a record; Decide answers for each recipient. It is read-only.
type Judgement struct {
	Findings []Finding // heaviest first, ties in table order
	Score    float64   // the sum of their points
	Identity Identity

	policy *Policy
	client netip.Addr
	us     *Us
	lists  []ListHit // that are looked at
	trust  Trust
	null   bool   // the sender is known to be <>
	word   word   // the operator's, by rules about anything but the recipient
	block  *Block // of the account, where it counts; nil for none

	hijacked bool // the account seems stolen, and that counts

	marks    []mark  // what counts of Findings
	possible []mark  // lifts that an answer which failed could have brought (law 2)
	evidence float64 // the score that may support a reject
	said     []kind  // the kinds of Findings, in the same order

	findingRoom [4]Finding // for a visit with little to say
	markRoom    [4]mark
	saidRoom    [8]kind
}

// A mark is one finding as it counts: with the points of the policy, before
// lifts are cut to what they may lift.
type mark struct {
	kind   kind
	hit    uint8 // which of Judgement.lists, of their kinds
	points float64
	firm   float64 // what of them may support a reject: nothing of stale answers, and all that lifts
}

// An addend says what of marks is added up.
type addend uint8

const (
	asSaid     addend = iota // all points
	asEvidence               // those that may support a reject
	asKnown                  // all but those of being new
)

// in gives the points of a mark that a addend adds up.
func (m *mark) in(t addend) float64 {
	switch {
	case t == asEvidence:
		return m.firm
	case t == asKnown && m.kind == firstSeen:
		return 0
	}
	return m.points
}

// newMark is a mark of one finding.
func newMark(k kind, points float64, stale bool) mark {
	m := mark{kind: k, points: points, firm: points}
	if stale && points > 0 || table[k].alone == AloneNever || k == firstSeen {
		m.firm = 0
	}
	return m
}

// Judge judges a visit by what is known of it. A finding is made only if it
// holds under every answer that the unknown facts could have had. Of exempt and
// authenticated clients only local-deny, account-blocked and account-hijack are made (law
// 4); their Identity is told all the same.
func Judge(s *Session, p *Policy) *Judgement {
	client := s.Client.Unmap().WithZone("") // a zone is text of the peer's choosing
	j := &Judgement{
		policy: p, client: client, trust: s.Trust, us: s.Us,
		null: s.Sender.Given == Shown && s.Sender.Null,
	}
	j.Findings, j.marks, j.said = j.findingRoom[:0], j.markRoom[:0], j.saidRoom[:0]
	f := facts{Session: s, Client: client}
	f.readHelo()
	j.Identity = f.identity()
	if s.Trust == Stranger {
		j.judgeRDNS(&f)
		j.judgeHelo(&f)
		j.judgeSender(&f)
		j.judgeSPF(&f)
		j.judgePairs(&f)
		j.judgeRelation(&f)
		j.judgeHistory(&s.History)
		j.judgeLists(s.Lists)
		j.judgeTrap(s.Trap)
	}
	j.judgeLocal(s.Local)
	j.judgeBlock(s.Blocked)
	j.judgeHijack(s.Hijack)
	j.settle()
	return j
}

// facts are a session and what is worked out of it once.
type facts struct {
	*Session
	Client  netip.Addr // the session's, in its plain form
	helo    heloName
	natures [maxPTR]Nature // of RDNS.Names, where known
	read    [maxPTR]bool
}

// maxPTR is how many PTR names are looked at (RFC 8601 section 2.7.3 lets a
// receiver stop there); a session holds no more.
const maxPTR = 10

// names are the client's PTR names, none unless they are known.
func (f *facts) names() []PTR {
	if f.RDNS.Outcome != Found {
		return nil
	}
	return f.RDNS.Names[:min(len(f.RDNS.Names), maxPTR)]
}

// nature classifies the i-th PTR name, once.
func (f *facts) nature(i int) Nature {
	if name := &f.RDNS.Names[i]; name.read {
		return name.nature
	}
	if !f.read[i] {
		f.natures[i], f.read[i] = Classify(f.RDNS.Names[i].Name, f.Client), true
	}
	return f.natures[i]
}

// say makes a finding of the visit, and reports whether it was: what is off is
// not judged.
func (j *Judgement) say(k kind, detail string, stale bool) bool {
	finding, m, ok := j.weigh(k, detail, stale)
	if !ok {
		return false
	}
	j.add(finding, m)
	return true
}

func (j *Judgement) add(finding Finding, m mark) {
	j.Findings = append(j.Findings, finding)
	j.said = append(j.said, m.kind)
	if m.counts() {
		j.marks = append(j.marks, m)
	}
}

// mayLift notes that an answer which failed could have brought a lift.
func (j *Judgement) mayLift(k kind) {
	if points := j.policy.points(k); points < 0 {
		j.possible = append(j.possible, newMark(k, points, false))
	}
}

func (m *mark) counts() bool { return m.points != 0 || m.firm != 0 }

// weigh gives a finding its points by the policy.
func (j *Judgement) weigh(k kind, detail string, stale bool) (Finding, mark, bool) {
	id := table[k].id
	points := j.policy.Points[id]
	finding := Finding{ID: id, Detail: detail, Stale: stale}
	m := mark{kind: k}
	switch points.Rule {
	case Off:
		return finding, m, false
	case Monitor:
		finding.Monitor = true
	case AtLeastTempfail:
		finding.Tempfail = true
	default:
		m = newMark(k, j.policy.weight(k, points.Value), stale)
		finding.Points = m.points
	}
	return finding, m, true
}

// settle adds up, gives each lift the points that it came to, and puts the
// heaviest first.
func (j *Judgement) settle() {
	var took taken
	j.Score = j.sum(nil, asSaid, &took)
	j.evidence = j.sum(nil, asEvidence, nil)
	j.tellLifts(j.Findings, j.said, &took[0])
	for i := 1; i < len(j.Findings); i++ { // stable, and the list is short
		for k := i; k > 0 && j.Findings[k].Points > j.Findings[k-1].Points; k-- {
			j.Findings[k], j.Findings[k-1] = j.Findings[k-1], j.Findings[k]
			j.said[k], j.said[k-1] = j.said[k-1], j.said[k]
		}
	}
}

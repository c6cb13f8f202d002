package profile

import (
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"
)

const lawRounds = 5_000

// A law is held against a world, a session of it with holes, and a policy.
type law func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy)

// laws runs a law over random worlds, sessions and policies. The seed is new in
// each run and logged.
func laws(t *testing.T, holds law) {
	t.Parallel()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	texts := randomTexts(rng, 1000)
	for range lawRounds {
		w := newWorld(rng)
		holds(t, rng, w, masked(rng, w.session(), Failed, Failed, NotAsked), randomPolicy(rng, texts))
		if t.Failed() {
			return
		}
	}
}

// lawRecipients are judged in every visit: at MAIL, one recipient, another, and
// some of whom the operator has rules.
var lawRecipients = []*Recipient{
	nil, {Raw: "<joe@us.example>", Number: 1}, {Raw: "<ann@us.example>", Number: 2},
	{Raw: "<bob@us.example>", Number: 3, Local: []LocalHit{{Action: LocalPoints, Points: 4}}},
	{Raw: "<eve@us.example>", Number: 4, Local: []LocalHit{{Action: LocalPoints, Points: -4}}},
	{Raw: "<sue@us.example>", Number: 5, Local: []LocalHit{{Action: LocalAllow}, {Action: LocalPoints, Points: 2}}},
	{Raw: "<tom@us.example>", Number: 6, Local: []LocalHit{{Action: LocalDeny}, {Action: LocalAllow}}},
}

// Law 1: replacing any answer that speaks against the client by unknown never
// makes the action harsher.
func TestUnknownIsNeverEvidence(t *testing.T) { laws(t, unknownIsNeverEvidence) }

func unknownIsNeverEvidence(t *testing.T, _ *rand.Rand, _ *world, s Session, p *Policy) {
	before := Judge(&s, p)
	for _, q := range questions(&s) {
		if !q.adverse {
			continue
		}
		for _, to := range []Outcome{Failed, NotAsked} {
			less := lost(s, q, to)
			after := Judge(&less, p)
			for _, r := range lawRecipients {
				had, got := before.Decide(r, false), after.Decide(r, false)
				if got.Action > had.Action {
					t.Fatalf("without %s: %v, with it %v\n%s\nfindings before %+v\nafter %+v\n%+v", q.name, got.Action, had.Action, show(s), before.Findings, after.Findings, p)
				}
			}
		}
	}
}

// Whatever is proven of a session with holes holds in the world behind it.
func TestFindingsHoldUnderEveryAnswer(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, _ Session, p *Policy) {
		full := w.session()
		s := masked(rng, full, Failed, NotAsked)
		for id := range p.Points { // all judged, so that none takes another's place
			p.Points[id] = Points{Value: p.Points[id].Value}
		}
		known := Judge(&full, p)
		for _, f := range Judge(&s, p).Findings {
			if strings.HasSuffix(f.ID, "-error") || f.ID == "relation" || strings.HasPrefix(f.ID, "local-") {
				continue
			}
			same := func(k Finding) bool {
				return k.ID == f.ID || strings.HasPrefix(k.ID, "rdns-") && k.ID[5:] != "unconfirmed" && (f.ID == "rdns-generic" || f.ID == "rdns-dynamic")
			}
			if !slices.ContainsFunc(known.Findings, same) {
				t.Fatalf("%s is proven of %s\nbut not of %s", f.ID, show(s), show(full))
			}
		}
	})
}

// What is known of the identity holds in the world behind it.
func TestIdentityHoldsUnderEveryAnswer(t *testing.T) {
	answers := map[string]int{}
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, _ Session, p *Policy) {
		full := w.session()
		s := masked(rng, full, Failed, NotAsked)
		known, got := Judge(&full, p).Identity, Judge(&s, p).Identity
		if got.Answer != "unknown" && got.Answer != known.Answer {
			t.Fatalf("%+v is said of %s\nand %+v of %s", got, show(s), known, show(full))
		}
		if (got.By != "") != (got.Answer == "yes") {
			t.Fatalf("%+v", got)
		}
		answers[got.Answer]++
	})
	for _, answer := range []string{"yes", "no", "unknown"} {
		if answers[answer] < lawRounds/100 {
			t.Errorf("%d of %d are %s: hardly tested", answers[answer], lawRounds, answer)
		}
	}
}

// Law 2: a reject stands whatever the failed questions would have answered,
// unless it is the operator's own.
func TestNoRejectOnHalfTheFacts(t *testing.T) {
	rejects := 0
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		rejects += noRejectOnHalfTheFacts(t, rng, w, s, p)
	})
	if rejects == 0 {
		t.Error("no session was refused: nothing was tested")
	}
}

func noRejectOnHalfTheFacts(t *testing.T, rng *rand.Rand, w *world, _ Session, p *Policy) (rejects int) {
	full := w.session()
	s := masked(rng, full, Failed)
	half, whole := Judge(&s, p), Judge(&full, p)
	if half.Denied() && !whole.Denied() {
		t.Fatalf("denied %s\nnot %s", show(s), show(full))
	}
	for _, r := range lawRecipients {
		v, known := half.Decide(r, false), whole.Decide(r, false)
		if v.Action != Reject || whole.Denied() || wordFor(r, p) == denied {
			continue // or refused by the operator, whatever the score
		}
		rejects++
		if known.Score < p.RejectScore || wordFor(r, p) == allowed || whole.word == allowed {
			t.Fatalf("refused %s\nyet all the answers give %v of %v: %s\n%+v\n%+v", show(s), known.Score, p.RejectScore, show(full), r, p)
		}
	}
	return rejects
}

// wordFor is what the operator's rules about a recipient come to.
func wordFor(r *Recipient, p *Policy) word {
	if r == nil {
		return silent
	}
	_, word := (&Judgement{policy: p}).wordOf(r.Local, nil)
	return word
}

// Law 3: the way to help stays open, but for the operator's own word.
func TestWayToHelpStaysOpen(t *testing.T) { laws(t, wayToHelpStaysOpen) }

func wayToHelpStaysOpen(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
	if rng.Intn(4) == 0 {
		s.Blocked = &Block{Reject: true}
	}
	if rng.Intn(4) == 0 {
		s.Hijack = &Hijack{Tempfail: true}
	}
	j := Judge(&s, p)
	open := func(what string, r Recipient) {
		v := j.Decide(&r, rng.Intn(2) == 0)
		want := Continue
		if j.Denied() {
			want = Reject
		}
		if v.Action != want || want == Continue && (v.Code != 0 || v.Text != "") {
			t.Fatalf("%s %s got %+v for %s", what, r.Raw, v, show(s))
		}
		r.Local = []LocalHit{{Action: LocalDeny}}
		if v := j.Decide(&r, false); (v.Action == Reject) != (j.Denied() || wordFor(&r, p) == denied) {
			t.Fatalf("%s %s, denied, got %+v", what, r.Raw, v)
		}
	}
	for _, raw := range []string{"<postmaster>", "<PostMaster@US.example>", "<abuse@mx.us.example>", `<"postmaster"@us.example.>`, "<@a.example,@b.example:abuse@us.example>"} {
		open("open", Recipient{Raw: raw, Number: 2})
	}
	open("exempt", Recipient{Raw: "<joe@us.example>", Number: 2, Exempt: true})
}

// Law 4: server checks are for strangers. The operator's deny is for everyone.
func TestServerChecksAreForStrangers(t *testing.T) {
	denials := 0
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		denials += serverChecksAreForStrangers(t, rng, w, s, p)
	})
	if denials == 0 {
		t.Error("nobody was denied: nothing was tested")
	}
}

func serverChecksAreForStrangers(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) (denials int) {
	s.Trust = pick(rng, []Trust{Exempt, Authenticated})
	if rng.Intn(4) == 0 {
		s.Blocked = &Block{}
	}
	if rng.Intn(4) == 0 {
		s.Hijack = &Hijack{Tempfail: rng.Intn(2) == 0}
	}
	j := Judge(&s, p)
	for _, r := range lawRecipients {
		v := j.Decide(r, false)
		for _, f := range append(slices.Clone(j.Findings), v.Findings...) {
			if f.ID != "local-deny" && f.ID != "account-blocked" && f.ID != "account-hijack" || f.Points != 0 {
				t.Fatalf("trust %d: %+v", s.Trust, f)
			}
		}
		want := Continue
		if s.Blocked != nil && p.Points["account-blocked"].Rule != Off && p.Points["account-blocked"].Rule != Monitor {
			want = TempFail
		}
		if s.Hijack != nil && s.Hijack.Tempfail && p.Points["account-hijack"].Rule != Off && p.Points["account-hijack"].Rule != Monitor {
			want = TempFail
		}
		if j.Denied() || wordFor(r, p) == denied {
			want = Reject
			denials++
		}
		if v.Action != want || v.Score != 0 {
			t.Fatalf("trust %d: %+v, want %v", s.Trust, v, want)
		}
	}
	return denials
}

// The operator's word goes before all that is judged: deny refuses with its own
// reply, and allow lets a stranger pass that nothing denies.
func TestOperatorsWordComesFirst(t *testing.T) { laws(t, operatorsWordComesFirst) }

func operatorsWordComesFirst(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
	for _, id := range []string{"local-deny", "local-allow"} {
		p.Points[id] = Points{}
	}
	has := func(hits []LocalHit, a LocalAction) bool {
		return slices.ContainsFunc(hits, func(h LocalHit) bool { return h.Action == a && !h.Possible })
	}
	j := Judge(&s, p)
	if j.Denied() != has(s.Local, LocalDeny) {
		t.Fatalf("denied %v by %+v", j.Denied(), s.Local)
	}
	for _, r := range lawRecipients {
		var hits []LocalHit
		if hits = append(hits, s.Local...); r != nil {
			hits = append(hits, r.Local...)
		}
		switch v := j.Decide(r, rng.Intn(2) == 0); {
		case has(hits, LocalDeny):
			if v.Action != Reject || v.Code != 550 || v.Status != "5.7.1" || v.Capped || v.ForScore {
				t.Fatalf("denied by %+v: %+v", hits, v)
			}
		case has(hits, LocalAllow):
			if v.Action != Continue || v.Score > 1e-6 {
				t.Fatalf("allowed by %+v: %+v, %+v", hits, v, j.Findings)
			}
		}
	}
}

func sumOf(findings []Finding) float64 {
	sum := 0.0
	for _, f := range findings {
		sum += f.Points
	}
	return sum
}

// Score is the sum of points: of the visit's, and for a recipient of its own too.
func TestScoreIsTheSumOfPoints(t *testing.T) { laws(t, scoreIsTheSumOfPoints) }

func scoreIsTheSumOfPoints(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
	j := Judge(&s, p)
	if sum := sumOf(j.Findings); math.Abs(sum-j.Score) > 1e-6 {
		t.Fatalf("score %v, points %v: %+v", j.Score, sum, j.Findings)
	}
	if !slices.IsSortedFunc(j.Findings, func(a, b Finding) int { return int(math.Copysign(1, b.Points-a.Points)) * sign(b.Points-a.Points) }) {
		t.Fatalf("not heaviest first: %+v", j.Findings)
	}
	for _, r := range lawRecipients {
		v := j.Decide(r, rng.Intn(2) == 0)
		if sum := j.Score + sumOf(v.Findings); math.Abs(sum-v.Score) > 1e-6 {
			t.Fatalf("score %v, points %v: %+v and %+v", v.Score, sum, j.Findings, v.Findings)
		}
		if sum := sumOf(HeaviestFirst(j.Findings, v.Findings)); math.Abs(sum-v.Score) > 1e-6 {
			t.Fatalf("score %v, points in the log %v", v.Score, sum)
		}
	}
}

func sign(x float64) int {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// A lift weighs against what its row names, and nothing else.
func TestLiftsKeepToTheirRow(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		j := Judge(&s, p)
		for _, r := range lawRecipients {
			v := j.Decide(r, false)
			others, wide := 0.0, false
			for _, f := range HeaviestFirst(j.Findings, v.Findings) {
				k := kindOf(f.ID)
				if f.Points > 0 && !table[relation].lifts.has(k) {
					others += f.Points
				}
				wide = wide || f.ID == "local-allow" || k == dnswl || f.ID == "local-points" && f.Points <= 0
			}
			if wide { // the operator's lift reaches everything, and a list's nearly so
				continue
			}
			if others > 0 && v.Score < others-1e-6 {
				t.Fatalf("score %v is below the %v that relation does not lift: %+v %+v", v.Score, others, j.Findings, v.Findings)
			}
		}
	})
}

func kindOf(id string) kind {
	if k := (&ListHit{ID: id}).kind(); k != kinds {
		return k
	}
	for k := range kinds {
		if table[k].id == id {
			return k
		}
	}
	panic(id)
}

// A stale answer supports no more of a reject than one that failed.
func TestStaleAnswersRefuseNoMoreThanFailedOnes(t *testing.T) {
	rejects := 0
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, _ Session, p *Policy) {
		s := w.session()
		old, gone := s, s
		old.Local, gone.Local = slices.Clone(s.Local), slices.Clone(s.Local)
		old.Lists, gone.Lists = staleLists(rng, s.Lists)
		if rng.Intn(2) == 0 {
			old.RDNS.Stale, gone.RDNS = true, RDNS{Outcome: Failed}
			for i := range old.Local {
				old.Local[i].Stale, gone.Local[i].Possible = true, true
			}
		}
		if host, ok := HeloHost(s.Helo.Name); ok && host != "" && s.Helo.Given == Shown && rng.Intn(2) == 0 {
			old.Helo.Host.Stale, gone.Helo.Host, gone.Helo.MX = true, noHost(Failed), Failed
		}
		if s.Sender.Domain != "" && rng.Intn(2) == 0 {
			old.Sender.Stale, old.Sender.Host.Stale = true, true
			gone.Sender.MX, gone.Sender.NullMX, gone.Sender.Exchanges, gone.Sender.Host = Failed, false, nil, noHost(Failed)
		}
		if s.SPF.Outcome.Known() && rng.Intn(2) == 0 {
			old.SPF.Stale, gone.SPF.Outcome = true, SPFTempError
		}
		had, without := Judge(&old, p), Judge(&gone, p)
		for _, r := range lawRecipients {
			if had.Decide(r, false).Action == Reject {
				rejects++
				if v := without.Decide(r, false); v.Action != Reject {
					t.Fatalf("refused on stale answers: %s\nnot refused without them: %s\n%+v\n%+v", show(old), show(gone), v, p)
				}
			}
		}
	})
	if rejects == 0 {
		t.Error("no session was refused: nothing was tested")
	}
}

// staleLists lets some answers of lists be old, and in the second result fail.
func staleLists(rng *rand.Rand, hits []ListHit) (old, gone []ListHit) {
	for _, h := range hits {
		if rng.Intn(2) == 0 {
			old, gone = append(old, h), append(gone, h)
			continue
		}
		h.Stale = true
		old = append(old, h)
		if h.Stale = false; h.kind() == dnswl {
			h.Possible = true
			gone = append(gone, h)
		}
	}
	return old, gone
}

// The never column: the reject threshold is met without these points, and
// without those of stale answers.
func TestNeverColumnAndStaleAnswersSupportNoReject(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		s.RDNS.Stale, s.Helo.Host.Stale, s.Sender.Stale, s.SPF.Stale = rng.Intn(2) == 0, rng.Intn(2) == 0, rng.Intn(2) == 0, rng.Intn(2) == 0
		j := Judge(&s, p)
		v := j.Decide(nil, false)
		if v.Action != Reject || j.Denied() {
			return
		}
		firm, kept := 0.0, 0
		for _, f := range j.Findings {
			if f.Points > 0 && !f.Stale && table[kindOf(f.ID)].alone != AloneNever {
				firm += f.Points
				kept++
			}
		}
		if firm < p.RejectScore-1e-6 {
			t.Fatalf("refused on %v firm points of %v: %+v", firm, p.RejectScore, j.Findings)
		}
	})
}

// A reply is one clean line within the limit, of the action's class, whatever
// the operator wrote, and nothing on continue.
func TestRepliesAreClean(t *testing.T) { laws(t, repliesAreClean) }

func repliesAreClean(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
	v := Judge(&s, p).Decide(pick(rng, lawRecipients), rng.Intn(2) == 0)
	if v.Action == Continue {
		if v.Code != 0 || v.Status != "" || v.Text != "" {
			t.Fatalf("continue with %+v", v)
		}
		return
	}
	checkReply(t, v)
}

func checkReply(t *testing.T, v Verdict) {
	t.Helper()
	class := byte('5')
	if v.Action == TempFail {
		class = '4'
	}
	if v.Code/100 != int(class-'0') || v.Status == "" || v.Status[0] != class {
		t.Fatalf("%v with %d %s", v.Action, v.Code, v.Status)
	}
	if v.Text == "" || len("550 "+v.Status+" "+v.Text+" [0123456789ab]") > 240 {
		t.Fatalf("%d octets of text: %q", len(v.Text), v.Text)
	}
	for i := 0; i < len(v.Text); i++ {
		if c := v.Text[i]; c < ' ' || c > '~' {
			t.Fatalf("octet %#x in %q", c, v.Text)
		}
	}
}

// More points on a true finding never make the answer milder.
func TestMorePointsAreNeverMilder(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		j := Judge(&s, p)
		if len(j.Findings) == 0 {
			return
		}
		had := j.Decide(nil, false)
		f := pick(rng, j.Findings)
		if f.Points <= 0 {
			return
		}
		points, set := p.Points[f.ID]
		if !set {
			points.Value = f.Points // of a list
		}
		points.Value += 1 + float64(rng.Intn(50))/10
		p.Points[f.ID] = points
		if got := Judge(&s, p).Decide(nil, false); got.Action < had.Action {
			t.Fatalf("more points for %s: %v after %v\n%s\n%+v", f.ID, got.Action, had.Action, show(s), j.Findings)
		}
	})
}

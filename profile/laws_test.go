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

// laws runs a law over random worlds, sessions and policies. The seed is new in
// each run and logged.
func laws(t *testing.T, law func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy)) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	for range lawRounds {
		w := newWorld(rng)
		law(t, rng, w, masked(rng, w.session(), Failed, Failed, NotAsked), randomPolicy(rng))
		if t.Failed() {
			return
		}
	}
}

// lawRecipients are judged in every visit: at MAIL, one recipient, another.
var lawRecipients = []*Recipient{nil, {Raw: "<joe@us.example>", Number: 1}, {Raw: "<ann@us.example>", Number: 2}}

// Law 1: replacing any answer that speaks against the client by unknown never
// makes the action harsher.
func TestUnknownIsNeverEvidence(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
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
	})
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
			if strings.HasSuffix(f.ID, "-error") || f.ID == "relation" {
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

// Law 2: a reject stands whatever the failed questions would have answered.
func TestNoRejectOnHalfTheFacts(t *testing.T) {
	rejects := 0
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, _ Session, p *Policy) {
		full := w.session()
		s := masked(rng, full, Failed)
		v := Judge(&s, p).Decide(nil, false)
		if v.Action != Reject {
			return
		}
		rejects++
		if score := Judge(&full, p).Score; score < p.RejectScore {
			t.Fatalf("refused %s\nyet all the answers give %v of %v: %s\n%+v", show(s), score, p.RejectScore, show(full), p)
		}
	})
	if rejects == 0 {
		t.Error("no session was refused: nothing was tested")
	}
}

// Law 3: the way to help stays open.
func TestWayToHelpStaysOpen(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		j := Judge(&s, p)
		for _, raw := range []string{"<postmaster>", "<PostMaster@US.example>", "<abuse@mx.us.example>", `<"postmaster"@us.example.>`, "<@a.example,@b.example:abuse@us.example>"} {
			if v := j.Decide(&Recipient{Raw: raw, Number: 2}, false); v.Action != Continue || v.Code != 0 || v.Text != "" {
				t.Fatalf("%s got %+v for %s", raw, v, show(s))
			}
		}
		if v := j.Decide(&Recipient{Raw: "<joe@us.example>", Number: 2, Exempt: true}, false); v.Action != Continue {
			t.Fatalf("an exempt recipient got %+v", v)
		}
	})
}

// Law 4: server checks are for strangers.
func TestServerChecksAreForStrangers(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		s.Trust = pick(rng, []Trust{Exempt, Authenticated})
		j := Judge(&s, p)
		for _, r := range lawRecipients {
			if v := j.Decide(r, false); len(j.Findings)+len(v.Findings) > 0 || v.Action != Continue || v.Score != 0 {
				t.Fatalf("trust %d: %+v, %+v", s.Trust, j.Findings, v)
			}
		}
	})
}

func sumOf(findings []Finding) float64 {
	sum := 0.0
	for _, f := range findings {
		sum += f.Points
	}
	return sum
}

// Score is the sum of points: of the visit's, and for a recipient of its own too.
func TestScoreIsTheSumOfPoints(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
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
	})
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
			others := 0.0
			for _, f := range HeaviestFirst(j.Findings, v.Findings) {
				if k := kindOf(f.ID); f.Points > 0 && !table[relation].lifts.has(k) {
					others += f.Points
				}
			}
			if others > 0 && v.Score < others-1e-6 {
				t.Fatalf("score %v is below the %v that relation does not lift: %+v %+v", v.Score, others, j.Findings, v.Findings)
			}
		}
	})
}

func kindOf(id string) kind {
	for k := range kinds {
		if table[k].id == id {
			return k
		}
	}
	panic(id)
}

// The never column: the reject threshold is met without these points, and
// without those of stale answers.
func TestNeverColumnAndStaleAnswersSupportNoReject(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		s.RDNS.Stale, s.Helo.Host.Stale, s.Sender.Stale = rng.Intn(2) == 0, rng.Intn(2) == 0, rng.Intn(2) == 0
		j := Judge(&s, p)
		v := j.Decide(nil, false)
		if v.Action != Reject {
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
func TestRepliesAreClean(t *testing.T) {
	laws(t, func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		v := Judge(&s, p).Decide(pick(rng, lawRecipients), rng.Intn(2) == 0)
		if v.Action == Continue {
			if v.Code != 0 || v.Status != "" || v.Text != "" {
				t.Fatalf("continue with %+v", v)
			}
			return
		}
		checkReply(t, v)
	})
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
		points := p.Points[f.ID]
		points.Value += 1 + float64(rng.Intn(50))/10
		p.Points[f.ID] = points
		if got := Judge(&s, p).Decide(nil, false); got.Action < had.Action {
			t.Fatalf("more points for %s: %v after %v\n%s\n%+v", f.ID, got.Action, had.Action, show(s), j.Findings)
		}
	})
}

package candidate

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/compare"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noDNS is a resolver for which no name exists.
type noDNS struct{}

func (noDNS) Cached(string, uint16) (resolver.Answer, bool) {
	return resolver.Answer{Outcome: resolver.NoName}, true
}
func (noDNS) Lookup(context.Context, string, uint16) resolver.Answer {
	return resolver.Answer{Outcome: resolver.NoName}
}
func (noDNS) CachedReverse(netip.Addr) (resolver.Reverse, bool) {
	return resolver.Reverse{Outcome: resolver.NoName}, true
}
func (noDNS) Reverse(context.Context, netip.Addr, func(resolver.Reverse)) resolver.Reverse {
	return resolver.Reverse{Outcome: resolver.NoName}
}

func engineOf(t *testing.T, baseline string, second engine.Second) *engine.Engine {
	t.Helper()
	policy, err := profile.Baseline(baseline)
	if err != nil {
		t.Fatal(err)
	}
	policy.TempfailScore, policy.RejectScore = 5, 10
	points := 6.0
	if baseline == "strict" {
		points = 12
	}
	for id := range policy.Points {
		policy.Points[id] = profile.Points{}
	}
	policy.Points["rdns-missing"] = profile.Points{Value: points}
	return engine.New(engine.Options{Policy: policy, Resolver: noDNS{}, Budget: time.Second, Logger: logging.Discard(), Second: second})
}

// A trial of the tests: standard speaks, strict is tried.
type trial struct {
	*Trial
	policy *Policy
	speaks *engine.Engine
	told   []*Difference
}

func newTrial(t *testing.T) *trial {
	x := new(trial)
	x.Trial = NewTrial(logging.Discard(), func(d *Difference) { x.told = append(x.told, d) })
	x.policy = &Policy{Engine: engineOf(t, "strict", nil), File: "strict.toml", ID: "strict@1-1", Speaker: "standard@1-1"}
	x.speaks = engineOf(t, "standard", x.For(x.policy))
	x.Use(x.policy, time.Now())
	return x
}

func (x *trial) visit(client string) {
	v := x.speaks.Connect(engine.Client{Addr: netip.MustParseAddr(client)})
	defer v.Close()
	v.Helo("mail.nowhere.example")
	v.Mail(engine.Mail{From: "<>"})
	v.Rcpt(engine.Rcpt{To: "<jo@here.example>"})
	v.EndOfMessage("Q")
}

// run has all that waits judged.
func (x *trial) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); x.Run(ctx) }()
	synctest.Wait()
	cancel()
	<-done
}

func TestWhereItDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t)
		for range 3 {
			x.visit("192.0.2.7")
		}
		x.visit("198.51.100.1")
		x.run()
		f := x.Figures(10)
		if f.Answers != 4 || f.Differ != 4 || f.Moves[compare.Move{From: profile.TempFail, To: profile.Reject}] != 4 || f.Skipped != 0 {
			t.Errorf("%+v", f)
		}
		if len(f.Senders) != 2 || f.Senders[0].Name != "192.0.2.0/24" || f.Senders[0].Visits != 3 || f.Senders[0].Why["+rdns-missing"] != 3 {
			t.Errorf("%+v", f.Senders)
		}
		if len(x.told) != 4 || len(x.told[0].Of.ID()) != 12 {
			t.Errorf("told %+v", x.told)
		}
	})
}

// TestMailWaitsForNothing: while nobody judges, more than there is room for is counted and
// left, and no visit waits.
func TestMailWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t)
		began := time.Now()
		for range maxWaiting + 10 {
			x.visit("192.0.2.7")
		}
		if time.Since(began) != 0 || x.Figures(1).Skipped != 10 {
			t.Errorf("%v, %+v", time.Since(began), x.Figures(1))
		}
		x.run()
		if f := x.Figures(1); f.Answers != maxWaiting {
			t.Errorf("%+v", f)
		}
	})
}

// TestAPanicHarmsNobody: it is counted, and the next transaction is judged.
func TestAPanicHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t)
		n := 0
		x.judge = func(e *engine.Engine, j *engine.Judged) []engine.Twice {
			if n++; n%2 == 1 {
				panic("a bug of ours")
			}
			return e.Rejudge(j)
		}
		for range 4 {
			x.visit("192.0.2.7")
		}
		x.run()
		if f := x.Figures(1); f.Panics != 2 || f.Answers != 2 {
			t.Errorf("%+v", f)
		}
	})
}

// TestFiguresAreOfOnePair: another policy begins anew, the same goes on, and what comes
// late from before is not mixed in.
func TestFiguresAreOfOnePair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t)
		x.visit("192.0.2.7")
		x.run()
		same := *x.policy
		x.Use(&same, time.Now().Add(time.Hour))
		if f := x.Figures(1); f.Answers != 1 || !f.Since.Equal(time.Now()) {
			t.Errorf("the same pair: %+v", f)
		}
		x.visit("192.0.2.7")
		other := *x.policy
		other.ID = "strict@1-2"
		x.Use(&other, time.Now().Add(time.Hour))
		x.run()
		if f := x.Figures(1); f.Answers != 0 || len(f.Senders) != 0 || !f.Since.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("another: %+v", f)
		}
		x.Use(nil, time.Now())
		if f := x.Figures(1); f.Answers != 0 {
			t.Errorf("none: %+v", f)
		}
	})
}

// TestLinesAreBounded: a burst, and then one each so often, that says how many it stands
// for.
func TestLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t)
		var out bytes.Buffer
		lines := NewLines(logging.New(&out, logging.Options{NoStamp: true}))
		x.watch = func(d *Difference) { lines.Note(d, time.Now()) }
		for range 10 * lineBurst {
			x.visit("192.0.2.7")
		}
		x.run()
		if n := strings.Count(out.String(), "msg=candidate "); n != lineBurst {
			t.Errorf("%d lines of %d differences", n, 10*lineBurst)
		}
		first, _, _ := strings.Cut(out.String(), "\n")
		for _, want := range []string{"id=", "client=192.0.2.7", "action=tempfail", "score=6", "candidate_action=reject", "candidate_code=550", "candidate_status=5.7.25",
			"candidate_score=12", "candidate_findings=rdns-missing:12", "change=+rdns-missing", "policy=standard@1-1", "candidate=strict@1-1"} {
			if !strings.Contains(first, want) {
				t.Errorf("%s is not in %s", want, first)
			}
		}
		time.Sleep(lineEvery)
		out.Reset()
		x.visit("192.0.2.7")
		x.visit("192.0.2.7")
		x.run()
		if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), " more=180\n") {
			t.Errorf("%s", out.String())
		}
	})
}

package replay

import (
	"testing"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
)

// testPoints are the points of the tests: those of the baselines may change.
var testPoints = map[string]float64{
	"rdns-missing": 6, "rdns-unconfirmed": 3, "rdns-generic": 2, "rdns-dynamic": 5, "helo-localhost": 10, "helo-literal-mismatch": 10,
	"helo-not-fqdn": 3, "helo-not-client": 0.5, "helo-unrelated": 0.5, "helo-generic": 1.5, "from-syntax": 1, "spf-fail": 4, "spf-softfail": 1, "relation": -8,
}

// testPolicy is a policy of a baseline whose clock stands at start; change, which
// may be nil, changes it.
func testPolicy(t testing.TB, baseline string, start time.Time, change func(*profile.Policy)) *Policy {
	t.Helper()
	policy, err := profile.Baseline(baseline)
	if err != nil {
		t.Fatal(err)
	}
	policy.TempfailScore, policy.RejectScore = 5, 10
	factor := map[string]float64{"standard": 1, "cautious": 0.75, "strict": 1.5}[baseline]
	for id := range policy.Points {
		points := testPoints[id]
		if points > 0 {
			points *= factor
		}
		policy.Points[id] = profile.Points{Value: points}
	}
	if change != nil {
		change(policy)
	}
	p := &Policy{File: baseline + ".toml", ID: policy.Baseline + "-test", Mode: "enforce", Clock: NewClock(start)}
	o := engine.Options{Policy: policy, PolicyID: p.ID, Budget: 5 * time.Second, Logger: logging.Discard(), Now: p.Clock.Now}
	o.Us = profile.Us{Names: []string{"mx.here.example"}, Domains: []string{"here.example"}}
	o.Exempt.Authenticated = true
	p.Engines[NoTime], p.Engines[Day] = engine.New(o), engine.New(o)
	o.Retries = memory.NewRetries(memory.Windows{After: time.Minute, Within: 24 * time.Hour, Keep: time.Hour})
	o.Memory = memory.NewServers(memory.Options{Settings: memory.DefaultSettings()}, start)
	p.Engines[Moment] = engine.New(o)
	return p
}

var began = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

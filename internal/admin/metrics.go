package admin

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// Labels are closed sets: no name or address is ever one.
var (
	actions = [...]string{profile.Continue: "continue", profile.TempFail: "tempfail", profile.Reject: "reject"}
	stages  = [...]string{engine.StageConnect, engine.StageHelo, engine.StageMail, engine.StageRcpt, engine.StageEOM}
	modes   = [...]string{"monitor", "enforce"}
)

// waitBounds are the buckets of a wait, in seconds: from an answer out of the
// cache to the end of an MTA's patience.
var waitBounds = []float64{.0001, .0005, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// otherFinding counts findings that no table of ours knows.
const otherFinding = "other"

// Metrics are the counters of a daemon, for Prometheus. It is the engine's
// Observer, and safe for concurrent use. Verdict and Wait neither allocate nor
// block.
type Metrics struct {
	registry *prometheus.Registry
	verdicts [len(actions)][len(stages)][len(modes)]atomic.Uint64
	findings map[string]*atomic.Uint64 // all that are judged and have no name behind them, and otherFinding; not changed once made
	kinds    map[string]bool           // of those with a name behind them: dnsbl; likewise
	named    sync.Map                  // id to *atomic.Uint64 of the latter, as they come
	names    atomic.Int64              // how many
	waits    [len(stages)]prometheus.Observer
	reloads  struct{ ok, failed atomic.Uint64 }
	limits   limitCounts
}

var _ engine.Observer = (*Metrics)(nil)

// NewMetrics makes metrics that know every finding of this version; what they do
// not count themselves they take from the status at each scrape.
func NewMetrics(status func() *Status) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		findings: map[string]*atomic.Uint64{otherFinding: new(atomic.Uint64)},
		kinds:    make(map[string]bool),
	}
	for _, info := range profile.Findings() {
		if kind, _, named := strings.Cut(info.ID, ":"); named {
			m.kinds[kind] = true
		} else {
			m.findings[info.ID] = new(atomic.Uint64)
		}
	}
	waits := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "stage_seconds", Help: "How long the MTA waited for a reply, by stage.", Buckets: waitBounds,
	}, []string{"stage"})
	for i, stage := range stages {
		m.waits[i] = waits.WithLabelValues(stage)
	}
	m.registry.MustRegister(
		waits, tally{m}, snapshot{status},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

const prefix = "mailprofiled_"

// Verdict counts a verdict and its findings.
func (m *Metrics) Verdict(action profile.Action, stage, mode string, visit, own []profile.Finding) {
	if i := stageIndex(stage); i >= 0 && int(action) < len(actions) {
		m.verdicts[action][i][modeIndex(mode)].Add(1)
	}
	m.count(visit)
	m.count(own)
	m.limits.note(action, mode, own)
}

func (m *Metrics) count(findings []profile.Finding) {
	for i := range findings {
		m.counterOf(findings[i].ID).Add(1)
	}
}

// maxNamed bounds the findings that end in a name of the operator's: as many lists
// and limits as a configuration may have in use, and those of before a few reloads.
const maxNamed = 1024

// counterOf gives the counter of a finding. One that ends in a name of the
// operator's ("dnsbl:ID") has its own from its first time on; the names are those of
// the configuration, never a client's.
func (m *Metrics) counterOf(id string) *atomic.Uint64 {
	if n := m.findings[id]; n != nil {
		return n
	}
	if n, ok := m.named.Load(id); ok {
		return n.(*atomic.Uint64)
	}
	kind, _, ok := strings.Cut(id, ":")
	if !ok || !m.kinds[kind] {
		return m.findings[otherFinding]
	}
	if m.names.Add(1) > maxNamed {
		m.names.Add(-1)
		return m.findings[otherFinding]
	}
	n, there := m.named.LoadOrStore(id, new(atomic.Uint64))
	if there { // by another one, meanwhile
		m.names.Add(-1)
	}
	return n.(*atomic.Uint64)
}

// Wait counts a wait.
func (m *Metrics) Wait(stage string, took time.Duration) {
	if i := stageIndex(stage); i >= 0 {
		m.waits[i].Observe(took.Seconds())
	}
}

// Reloaded counts a reload.
func (m *Metrics) Reloaded(ok bool) {
	if ok {
		m.reloads.ok.Add(1)
	} else {
		m.reloads.failed.Add(1)
	}
}

// Verdicts gives the verdicts so far by action.
func (m *Metrics) Verdicts() map[string]uint64 {
	sums := make(map[string]uint64, len(actions))
	for action, name := range actions {
		for stage := range stages {
			for mode := range modes {
				sums[name] += m.verdicts[action][stage][mode].Load()
			}
		}
	}
	return sums
}

// Findings gives the findings so far, without those that were not found.
func (m *Metrics) Findings() map[string]uint64 {
	found := make(map[string]uint64)
	m.eachFinding(func(id string, n uint64) {
		if n > 0 {
			found[id] = n
		}
	})
	return found
}

func (m *Metrics) eachFinding(tell func(id string, n uint64)) {
	for id, n := range m.findings {
		tell(id, n.Load())
	}
	m.named.Range(func(id, n any) bool {
		tell(id.(string), n.(*atomic.Uint64).Load())
		return true
	})
}

// stageIndex gives the place of a stage, -1 for one that is none.
func stageIndex(stage string) int {
	for i, name := range stages {
		if name == stage {
			return i
		}
	}
	return -1
}

func modeIndex(mode string) int {
	if mode == modes[0] {
		return 0
	}
	return 1
}

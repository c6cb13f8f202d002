package admin

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mailprofiled/profile"
)

// Limits tell which limits are in force, and how often each has spoken since the
// daemon's start.
type Limits struct {
	Now    time.Time `json:"now"`
	Mode   string    `json:"mode"`  // monitor: all of them only report
	Began  time.Time `json:"began"` // the state: nothing is known of before
	Limits []Limit   `json:"limits"`
	Shared *Shared   `json:"shared"` // null: each machine counts for itself
	Room   LimitRoom `json:"room"`

	// ByAge: some of them ask for the age of accounts. Those first seen before
	// Learnt are of unknown age: they are only reported on, until they have been
	// here as long as a limit asks.
	ByAge  bool      `json:"by_age"`
	Learnt time.Time `json:"learnt"`
}

// A Limit is one limit, and what became of it.
type Limit struct {
	Name   string      `json:"name"`
	Per    string      `json:"per"`
	Count  string      `json:"count"`
	Max    int         `json:"max"`
	Window string      `json:"window"` // "24h"
	Steps  []LimitStep `json:"steps"`  // of a ramp, in place of max
	When   string      `json:"when"`   // in words; "" for all mail
	Action string      `json:"action"` // tempfail, reject, report; off, monitor: [points] has it so

	Refused  uint64 `json:"refused"`  // answers, as limit_refusals_total
	Reported uint64 `json:"reported"` // answers that it was only told of in
}

// A LimitStep is the maximum for accounts below an age.
type LimitStep struct {
	Until string `json:"until"`
	Max   int    `json:"max"`
}

// Limits asks which limits are in force.
func (c *Client) Limits(ctx context.Context) (*Limits, error) {
	l := new(Limits)
	return l, c.ask(ctx, http.MethodGet, "/v1/limits", nil, l, http.StatusOK)
}

var (
	limitRefusals = desc("limit_refusals_total", "Answers other than continue because a limit was reached.", "limit")
	limitReports  = desc("limit_reports_total", "Answers in which a limit that was reached was only told of.", "limit")
)

// limitCounts are what limits said, by their names: those of the configuration, so
// that they are few.
type limitCounts struct {
	all   sync.Map     // name to *limitCount
	names atomic.Int64 // how many
}

type limitCount struct{ refused, reported atomic.Uint64 }

// of gives the counts of a limit; nil where there are too many.
func (l *limitCounts) of(name string) *limitCount {
	if n, ok := l.all.Load(name); ok {
		return n.(*limitCount)
	}
	if l.names.Add(1) > maxNamed {
		l.names.Add(-1)
		return nil
	}
	n, there := l.all.LoadOrStore(name, new(limitCount))
	if there {
		l.names.Add(-1)
	}
	return n.(*limitCount)
}

// note counts the limits in an answer. In monitor mode nothing is refused.
func (l *limitCounts) note(action profile.Action, mode string, own []profile.Finding) {
	for i := range own {
		name, ok := strings.CutPrefix(own[i].ID, "limit:")
		if !ok {
			continue
		}
		n := l.of(name)
		switch {
		case n == nil:
		case action != profile.Continue && !own[i].Monitor && modeIndex(mode) != 0:
			n.refused.Add(1)
		default:
			n.reported.Add(1)
		}
	}
}

func (l *limitCounts) collect(to chan<- prometheus.Metric) {
	l.all.Range(func(name, n any) bool {
		to <- counter(limitRefusals, n.(*limitCount).refused.Load(), name.(string))
		to <- counter(limitReports, n.(*limitCount).reported.Load(), name.(string))
		return true
	})
}

// KnowLimits has limits stand among the metrics before they speak.
func (m *Metrics) KnowLimits(names []string) {
	for _, name := range names {
		m.limits.of(name)
	}
}

// Limit tells how often a limit has spoken, and how often it was only told of.
func (m *Metrics) Limit(name string) (refused, reported uint64) {
	if n := m.limits.of(name); n != nil {
		return n.refused.Load(), n.reported.Load()
	}
	return 0, 0
}

// Package candidate tries a policy on the mail of now: it judges each visit that was
// answered once more, by a second policy and the same facts, and keeps count of where
// the two differ, and whom that concerns. It never speaks.
//
// The mail does not wait for it. A transaction is handed over when it has ended and
// been answered; one goroutine judges them in turn, and when it does not keep up, or a
// judgement panics, that is counted and nothing else happens. How a visit is judged once
// more is engine's (Rejudge), how differences are counted is compare's.
package candidate

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/internal/compare"
	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// The bounds: of transactions that wait to be judged once more, of senders that are
// counted apart, and of log lines: so many at once, and then one each so often.
const (
	maxWaiting = 512
	maxSenders = 5000
	lineBurst  = 20
	lineEvery  = 2 * time.Second
)

// A Policy is the one that is tried, beside the one that speaks.
type Policy struct {
	Engine  *engine.Engine // of the candidate, for Rejudge
	File    string
	ID      string // "strict@1-3f9a2c1b"
	Speaker string // the ID of the policy that speaks
}

func (p *Policy) pair() string { return p.ID + " " + p.Speaker }

// A Difference is an answer that the candidate would have given otherwise.
type Difference struct {
	Of     *engine.Judged
	By     *Policy
	Answer engine.Twice
}

// A Trial judges by candidates as long as a daemon lives. It is safe for concurrent use.
type Trial struct {
	watch   func(*Difference)
	queue   chan job
	skipped atomic.Uint64
	panics  atomic.Uint64
	log     *slog.Logger
	judge   func(*engine.Engine, *engine.Judged) []engine.Twice // of tests; else Rejudge

	mu      sync.Mutex
	pair    string // whose figures these are
	since   time.Time
	answers uint64
	moves   [compare.Actions][compare.Actions]uint64
	changes *compare.Changes
}

type job struct {
	of *engine.Judged
	by *Policy
}

// NewTrial returns a Trial that judges nothing before Run. watch, which may be nil, is
// told of each difference, by one goroutine.
func NewTrial(logger *slog.Logger, watch func(*Difference)) *Trial {
	return &Trial{watch: watch, log: logger, queue: make(chan job, maxWaiting), judge: (*engine.Engine).Rejudge}
}

// Run judges until ctx ends. What waits then is left.
func (t *Trial) Run(ctx context.Context) {
	for {
		select {
		case j := <-t.queue:
			t.try(&j)
		case <-ctx.Done():
			return
		}
	}
}

// Use begins to count for a policy. Figures of another pair of policies are dropped; nil
// is no candidate.
func (t *Trial) Use(p *Policy, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair := ""
	if p != nil {
		pair = p.pair()
	}
	if pair == t.pair {
		return
	}
	t.pair, t.since, t.answers = pair, now, 0
	t.moves = [compare.Actions][compare.Actions]uint64{}
	t.changes = compare.NewChanges(maxSenders, true)
}

// For is the Second of the engine that speaks beside p.
func (t *Trial) For(p *Policy) engine.Second { return second{t, p} }

type second struct {
	t *Trial
	p *Policy
}

// Take implements engine.Second.
func (s second) Take(j *engine.Judged) {
	select {
	case s.t.queue <- job{j, s.p}:
	default:
		s.t.skipped.Add(1)
	}
}

// try judges one transaction. A panic is ours, and of no mail's concern.
func (t *Trial) try(j *job) {
	defer func() {
		if p := recover(); p != nil {
			if t.panics.Add(1) == 1 {
				t.log.Error("panic", "in", "candidate", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
		}
	}()
	for _, twice := range t.judge(j.by.Engine, j.of) {
		if !t.count(j, &twice) {
			continue
		}
		if t.watch != nil {
			t.watch(&Difference{j.of, j.by, twice})
		}
	}
}

// count counts an answer, and reports whether the candidate gives another.
func (t *Trial) count(j *job, twice *engine.Twice) bool {
	from, to := twice.Said.Verdict.Action, twice.Other.Verdict.Action
	var got, other compare.Answer
	if from != to {
		got, other = answerOf(&twice.Said), answerOf(&twice.Other)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.by.pair() != t.pair {
		return false // of a session from before a reload
	}
	t.answers++
	t.moves[from][to]++
	if from == to {
		return false
	}
	seen := compare.Example{Client: j.of.Client().Addr, PTR: j.of.PTR(), Helo: j.of.Helo()}
	return t.changes.Add("", compare.SenderName(seen.Client, j.of.Confirmed()), seen, got, other)
}

func answerOf(r *engine.Replayed) compare.Answer {
	return compare.Answer{Action: r.Verdict.Action, Findings: r.Findings(), Speaker: r.Verdict.Speaker}
}

// Figures are what was found since Use had another pair of policies.
type Figures struct {
	Since    time.Time
	Answers  uint64 // judged twice
	Differ   uint64 // of those
	Moves    map[compare.Move]uint64
	Senders  []compare.Sender // most concerned first; copies
	Known    int              // senders that are counted apart
	Unlisted int              // differing answers of senders that are not

	Skipped uint64 // transactions that were not judged twice for want of time, since the start
	Panics  uint64 // since the start
}

// Figures gives them, with at most n senders.
func (t *Trial) Figures(n int) Figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := Figures{Since: t.since, Answers: t.answers, Moves: map[compare.Move]uint64{}, Skipped: t.skipped.Load(), Panics: t.panics.Load()}
	for from := range profile.Action(compare.Actions) {
		for to := range profile.Action(compare.Actions) {
			n := t.moves[from][to]
			f.Moves[compare.Move{From: from, To: to}] = n
			if from != to {
				f.Differ += n
			}
		}
	}
	if t.changes == nil {
		return f
	}
	f.Known, f.Unlisted = len(t.changes.Senders), t.changes.Unlisted
	for _, s := range t.changes.Largest(n) {
		f.Senders = append(f.Senders, s.Copy())
	}
	return f
}

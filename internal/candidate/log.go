package candidate

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/compare"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
)

// A Lines logs differences, a bounded number of them. It is safe for concurrent use.
type Lines struct {
	log *slog.Logger

	mu   sync.Mutex
	left float64 // lines
	last time.Time
	more int // differences without a line
}

// NewLines returns Lines to logger.
func NewLines(logger *slog.Logger) *Lines { return &Lines{log: logger, left: lineBurst} }

// Note logs a difference: one line, unless there were too many of late. The line of
// msg=verdict with the same id has sender, recipient and the rest.
func (l *Lines) Note(d *Difference, now time.Time) {
	more, ok := l.take(now)
	if !ok {
		return
	}
	said, other := &d.Answer.Said, &d.Answer.Other
	var args []any
	add := func(key, value string) {
		if value != "" {
			args = append(args, key, logging.Clip(value))
		}
	}
	add("id", d.Of.ID())
	if addr := d.Of.Client().Addr; addr.IsValid() {
		add("client", addr.String())
	}
	add("ptr", d.Of.PTR())
	args = append(args, "action", said.Verdict.Action.String(), "score", said.Verdict.Score)
	args = append(args, "candidate_action", other.Verdict.Action.String())
	if other.Verdict.Code != 0 {
		args = append(args, "candidate_code", other.Verdict.Code, "candidate_status", other.Verdict.Status)
	}
	args = append(args, "candidate_score", other.Verdict.Score)
	add("candidate_findings", other.FindingsText())
	add("change", change(said, other))
	args = append(args, "policy", d.By.Speaker, "candidate", d.By.ID)
	if more > 0 {
		args = append(args, "more", more)
	}
	l.log.Info("candidate", args...)
}

// take reports whether there may be a line now, and how many had none since the last.
func (l *Lines) take(now time.Time) (more int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.After(l.last) {
		l.left = min(lineBurst, l.left+float64(now.Sub(l.last))/float64(lineEvery))
	}
	l.last = now
	if l.left < 1 {
		l.more++
		return 0, false
	}
	l.left--
	more, l.more = l.more, 0
	return more, true
}

// change is what the candidate weighs otherwise: "+rdns-missing,-relation".
func change(said, other *engine.Replayed) string {
	var all []string
	a, b := answerOf(said), answerOf(other)
	compare.EachChange(&a, &b, func(id string) { all = append(all, id) })
	return strings.Join(all, ",")
}

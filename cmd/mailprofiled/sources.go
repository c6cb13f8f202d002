package main

import (
	"strings"
	"time"

	"mailprofiled/internal/directory"
)

// A source is what the log was told of one that is asked over a network.
type source struct {
	failed, asked uint64    // questions, when it was told last
	at            time.Time // of that; zero: never
	alone         time.Time // it has been left alone since then; zero: it is asked
}

// failuresEvery is how often failures of one source are told.
const failuresEvery = time.Minute

// logSources tells of questions to sources of the directory that failed, at once and then
// once a minute with their number, when one is left alone, and when it answers again. It
// is called with the turn.
func (d *daemon) logSources(g *generation, now time.Time) {
	seen := make(map[*directory.Guard]*source)
	for _, r := range g.directory.Routes() {
		if r.Guard == nil || seen[r.Guard] != nil {
			continue
		}
		s := d.sources[r.Guard]
		if s == nil {
			s = new(source)
		}
		seen[r.Guard] = s
		d.logSource(&r, s, now)
	}
	d.sources = seen
}

func (d *daemon) logSource(r *directory.Route, s *source, now time.Time) {
	h := r.Guard.Health()
	about := []any{"source", r.Name}
	if len(r.Domains) > 0 {
		about = append(about, "domains", strings.Join(r.Domains[:min(len(r.Domains), 3)], " "))
	}
	told := append(about, "failed", h.Failed-s.failed, "asked", h.Asked-s.asked)
	switch {
	case h.Up && !s.alone.IsZero():
		d.logger.Info("a source of the directory answers again", append(told, "after", now.Sub(s.alone).Round(time.Second).String())...)
		s.alone = time.Time{}
	case !h.Up && s.alone.IsZero():
		d.logger.Warn("a source of the directory is left alone, as it fails", append(told, "reason", h.Failure)...)
		s.alone = h.Since
	case h.Failed > s.failed && now.Sub(s.at) >= failuresEvery:
		d.logger.Warn("questions to the directory failed", append(told, "reason", h.Failure)...)
	default:
		return
	}
	s.failed, s.asked, s.at = h.Failed, h.Asked, now
}

package milter

import (
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// settings are what of a Config may change while the server runs.
type settings struct {
	idle, data, drain time.Duration
	max               int           // sessions judged at once
	failure           engine.Answer // what OnFailure says
}

// Apply takes over IdleTimeout, DataTimeout, Drain, MaxSessions and OnFailure of
// a Config; all else stays as it was. Sessions that are open keep what they began
// with, and none is closed because there may be fewer now.
func (s *Server) Apply(cfg Config) {
	cfg = cfg.withDefaults()
	set := &settings{idle: cfg.IdleTimeout, data: cfg.DataTimeout, drain: cfg.Drain, max: cfg.MaxSessions}
	if cfg.OnFailure != profile.Continue {
		set.failure = engine.Answer{Action: profile.TempFail, Code: failureCode, Status: failureStatus, Text: failureSentence}
	}
	s.sessions.setMax(cfg.MaxSessions)
	s.settings.Store(set)
}

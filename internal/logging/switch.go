package logging

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// A Switch is a handler behind which another can be put while loggers are in
// use: format and level may change under what lives longer than a configuration.
// It is safe for concurrent use.
type Switch struct{ to atomic.Pointer[slog.Handler] }

// NewSwitch returns a Switch to the handler of a logger.
func NewSwitch(l *slog.Logger) *Switch {
	s := new(Switch)
	s.Set(l)
	return s
}

// Set leads to the handler of another logger from now on.
func (s *Switch) Set(l *slog.Logger) {
	h := l.Handler()
	s.to.Store(&h)
}

// Enabled asks the present handler.
func (s *Switch) Enabled(ctx context.Context, level slog.Level) bool {
	return (*s.to.Load()).Enabled(ctx, level)
}

// Handle hands the record to the present handler.
func (s *Switch) Handle(ctx context.Context, r slog.Record) error {
	return (*s.to.Load()).Handle(ctx, r)
}

// WithAttrs gives a handler that stays with the present one.
func (s *Switch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return (*s.to.Load()).WithAttrs(attrs)
}

// WithGroup gives a handler that stays with the present one.
func (s *Switch) WithGroup(name string) slog.Handler { return (*s.to.Load()).WithGroup(name) }

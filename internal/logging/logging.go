// Package logging writes the log lines of a mail system that must not wait for
// its log: lines go through a bounded buffer, and what cannot be written is
// counted and dropped.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
)

// Options are the settings of [log] in the configuration.
type Options struct {
	JSON    bool
	Level   slog.Level
	NoStamp bool // leave time and level out: the journal has its own
}

// UnderJournald reports whether f is the stream to the journal, which stamps each
// line itself. The variable is inherited, so the file's own device and inode must
// be those it names (systemd.exec(5), JOURNAL_STREAM).
func UnderJournald(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// New returns a logger that writes to w, one line a record: logfmt, or JSON.
// Hostile text in values is escaped by the handlers of log/slog: no value can
// begin a line or a key of its own.
func New(w io.Writer, o Options) *slog.Logger {
	opts := &slog.HandlerOptions{Level: o.Level}
	if o.NoStamp {
		opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		}
	}
	var h slog.Handler
	if o.JSON {
		h = slog.NewJSONHandler(ASCII(w), opts)
	} else {
		h = slog.NewTextHandler(w, opts)
	}
	return slog.New(h)
}

// maxValue is how many bytes of one value of hostile text a log line keeps.
const maxValue = 320 // the longest address of RFC 5321: 64 + 1 + 255

// Clip cuts hostile text for a log line, and marks the cut.
func Clip(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return s[:maxValue] + "..."
}

// Discard is a logger that writes nothing.
func Discard() *slog.Logger { return slog.New(discard{}) }

type discard struct{}

func (discard) Enabled(context.Context, slog.Level) bool  { return false }
func (discard) Handle(context.Context, slog.Record) error { return nil }
func (d discard) WithAttrs([]slog.Attr) slog.Handler      { return d }
func (d discard) WithGroup(string) slog.Handler           { return d }

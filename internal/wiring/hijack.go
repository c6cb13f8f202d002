package wiring

import (
	"iter"
	"log/slog"
	"time"
	"unicode/utf8"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/hijack"
	"mailprofiled/internal/memory"
	"mailprofiled/ratelimit"
)

var hijackActions = map[string]engine.HijackAction{
	config.HijackReport: engine.HijackReport, config.HijackTempfail: engine.HijackTempfail, config.HijackBlock: engine.HijackBlock,
}

// newHijack makes the watch of accounts by the configuration. What the operator may
// change without a restart comes with Counters.Apply.
func newHijack(cfg *config.Config, track bool, key memory.Secret, now time.Time) *hijack.Watch {
	return hijack.New(hijack.Options{Settings: cfg.Hijack.Settings(), Bytes: cfg.Hijack.Bytes, Track: track, Secret: hijack.Secret(key)}, now)
}

// Hijacks tells stolen accounts by the configuration. alarm may be nil.
func (c *Counters) Hijacks(cfg *config.Config, alarm engine.HijackAlarm) engine.Hijack {
	return engine.Hijack{Watch: c.Hijack, Action: hijackActions[cfg.Hijack.Action], Exempt: cfg.Hijack.Exempts, Alarm: alarm}
}

// A hijackSpace lets the store keep what accounts are used to.
type hijackSpace struct{ w *hijack.Watch }

func (s hijackSpace) Changed(dst []byte) []byte { return s.w.ExportChanged(dst) }
func (s hijackSpace) All() iter.Seq[[]byte]     { return s.w.ExportAll() }
func (s hijackSpace) Len() int                  { return s.w.Stats(time.Now()).Accounts }
func (s hijackSpace) Load(record []byte) error  { return s.w.Import(record, time.Now()) }

// Lost has it learnt anew what is usual: who is missing would look like one who never sent.
func (s hijackSpace) Lost() { s.w.Relearn(time.Now()) }

// An Alarm does what is to be done about stolen accounts. It is engine.HijackAlarm.
type Alarm struct {
	Blocks *ratelimit.Blocks
	Logger *slog.Logger
	Counts *hijack.Events
	Tell   func(*engine.HijackEvent) // must not wait; nil: nobody is told
}

// HijackBy is who has blocked an account that seems stolen, for people.
const HijackBy = "account-hijack"

// maxReason is the longest reason of a block, in octets.
const maxReason = 200

// Block implements engine.HijackAlarm.
func (a *Alarm) Block(ev *engine.HijackEvent) {
	reason := ev.Detail
	if len(reason) > maxReason {
		cut := maxReason
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	_, err := a.Blocks.Add(ratelimit.Block{Account: ev.Account, Auto: true, By: HijackBy, Reason: reason}, ev.At)
	if err != nil {
		a.Logger.Error("an account that seems stolen could not be blocked", "account", ev.Shown, "error", err.Error())
	}
}

// Stolen implements engine.HijackAlarm.
func (a *Alarm) Stolen(ev *engine.HijackEvent) {
	a.Counts.Note(hijack.Event{Account: ev.Shown, At: ev.At, Client: ev.Client, Score: ev.Score, Signs: ev.Signs, Detail: ev.Detail, Action: ev.Action.String(), Monitor: ev.Monitor})
	if a.Tell != nil {
		a.Tell(ev)
	}
}

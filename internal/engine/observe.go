package engine

import (
	"time"

	"mailprofiled/profile"
)

// The stages, as log and metrics name them. An answer is spoken at MAIL or RCPT.
const (
	StageConnect = "connect"
	StageHelo    = "helo"
	StageMail    = "mail"
	StageRcpt    = "rcpt"
	StageEOM     = "eom"
)

// An Observer counts what an Engine does. It is called from many goroutines, on
// the way to a reply: it must be quick, and keep nothing of what it is given.
type Observer interface {
	// Verdict is told of each distinct answer of a transaction when it is first
	// spoken: once for each line msg=verdict of the log. mode is "monitor" or
	// "enforce"; the findings are the visit's and the recipient's own.
	Verdict(action profile.Action, stage, mode string, visit, own []profile.Finding)
	// Wait is told how long the MTA, and so its client, waited for a reply.
	Wait(stage string, took time.Duration)
}

// observed tells the Observer, if there is one, of a verdict.
func (v *Visit) observed(verdict *profile.Verdict, stage string) {
	if v.e.o.Observer == nil || v.quiet {
		return
	}
	var visit []profile.Finding
	if j := v.tx.judgement; j != nil {
		visit = j.Findings
	}
	v.e.o.Observer.Verdict(verdict.Action, stage, v.e.mode(), visit, verdict.Findings)
}

// clock begins a wait. It is the zero Time where nobody wants to know.
func (v *Visit) clock() time.Time {
	if v.e.o.Observer == nil || v.quiet {
		return time.Time{}
	}
	return v.e.o.Now()
}

// waited ends a wait.
func (v *Visit) waited(stage string, began time.Time) {
	if !began.IsZero() {
		v.e.o.Observer.Wait(stage, v.e.o.Now().Sub(began))
	}
}

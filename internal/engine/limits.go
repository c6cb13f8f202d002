package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// This file counts each visit's mail in the limits. What is refused for another
// reason is not counted; what goes on is reserved, and counts from its end.

// Limits are what mail is counted by; the zero Limits have none.
type Limits struct {
	Rules    *ratelimit.Rules
	Store    ratelimit.Store
	Accounts *ratelimit.Accounts                             // since when each is known
	Born     func(ctx context.Context, account string) Birth // what the operator's file and directory say; nil for neither
	Watch    LimitWatch                                      // nil: nobody
	Now      func() time.Time                                // nil: time.Now, of the process: limits must not follow a clock that steps
}

// A Birth is what is said of an account.
type Birth struct {
	Created time.Time // zero: nothing
	Plan    string    // "": nothing
	Failed  bool      // somebody who may know more could not be asked
}

func (l *Limits) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

// A LimitWatch learns which accounts meet limits. It is called from many goroutines,
// on the way to a reply.
type LimitWatch interface {
	// Limited is told once a transaction of each limit that an account's mail does
	// not fit in, and whether it is refused for it. account is as log lines show it.
	Limited(account, limit string, refused bool, now time.Time)

	// Near is told of the limit of which an account has used most, with the mail that
	// has come to its end or does not fit, when that is memory.NearShare or more.
	Near(account string, use memory.Use, now time.Time)
}

// startLimits gives the visit its place to count.
func (v *Visit) startLimits() {
	if v.limits == nil && v.e.o.Limits.Rules != nil {
		v.limits = ratelimit.Begin(v.e.o.Limits.Rules, v.countIn())
		v.limits.Monitor = v.e.o.Monitor
	}
}

// countIn is where the visit counts. One that is only explained looks, where it can:
// what it reserved even for a moment, a mail might miss.
func (v *Visit) countIn() ratelimit.Store {
	if table, ok := v.e.o.Limits.Store.(looker); ok && v.trace != nil {
		return &onlooker{table: table, held: make(map[uint64]uint32)}
	}
	return v.e.o.Limits.Store
}

// countRcpt counts a recipient that nothing else refuses, and its mail with the
// first of them, and gives the limits that it does not fit in.
func (v *Visit) countRcpt(rcpt *profile.Recipient) []profile.LimitHit {
	v.startLimits()
	if v.limits == nil {
		return nil
	}
	tx, now := v.tx, v.e.o.Limits.now()
	if tx.counted == nil {
		tx.counted = v.limitSubject(now)
		d := v.limits.Mail(context.Background(), tx.counted, now)
		tx.overMail = limitHits(&d)
		v.tellFull(&d, now)
		v.limitTrouble(d.Err)
		if rcpt == nil {
			return tx.overMail
		}
	}
	if rcpt == nil {
		return nil
	}
	tx.counted.Rcpt, tx.counted.Open = profile.Mailbox(rcpt.Raw), profile.AlwaysOpen(rcpt.Raw, v.us)
	d := v.limits.Rcpt(context.Background(), tx.counted, now)
	v.tellFull(&d, now)
	v.limitTrouble(d.Err)
	return append(v.overMail(), limitHits(&d)...)
}

// overMail gives the limits that the mail itself does not fit in and that a
// recipient does not meet by itself: what is only told of, once; and in monitor
// mode, where it goes on, what would refuse each of its recipients.
func (v *Visit) overMail() []profile.LimitHit {
	tx := v.tx
	over := tx.overMail
	if !slices.ContainsFunc(over, func(h profile.LimitHit) bool { return !h.Report }) {
		tx.overMail = nil
		return over
	}
	if !v.e.o.Monitor || tx.counted.Open && tx.counted.Account == "" {
		return nil
	}
	return slices.Clone(over)
}

// limitSubject is the mail as the limits see it.
func (v *Visit) limitSubject(now time.Time) *ratelimit.Subject {
	tx := v.tx
	s := &ratelimit.Subject{Account: tx.account, History: tx.standing}
	if !v.client.Local {
		s.Client = v.client.Addr
	}
	s.Listener = RoleMX
	if v.client.Door != nil {
		s.Listener = v.client.Door.Role
	}
	if s.Account != "" {
		v.limitAge(s, now)
	}
	if tx.path.Given == profile.Shown && !tx.path.Null && (v.given == nil || !v.given.DomainOnly) {
		s.Sender = profile.Mailbox(tx.path.Raw)
		s.SenderProven = tx.session.SPF.Outcome == profile.SPFPass
	}
	return s
}

func (v *Visit) limitAge(s *ratelimit.Subject, now time.Time) {
	var born Birth
	l := &v.e.o.Limits
	if l.Born != nil {
		patience := v.e.o.Budget / 2
		if !v.tx.deadline.IsZero() { // the reply may have waited for other answers already
			patience = min(patience, v.tx.deadline.Sub(v.e.o.Now()))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		born = l.Born(ctx, s.Account)
		cancel()
	}
	created := born.Created
	s.Plan = born.Plan
	login := ratelimit.AccountKey(v.tx.mail.Account)
	switch {
	case l.Accounts == nil:
	case v.trace != nil || created.IsZero() && born.Failed: // it may be there for years
		s.Age = l.Accounts.Peek(s.Account, now)
		if login != s.Account {
			if age := l.Accounts.Peek(login, now); age.AtLeast > s.Age.AtLeast {
				s.Age = age
			}
		}
	default:
		if login != s.Account { // what was counted by it before must not look new
			l.Accounts.Same(s.Account, login)
		}
		s.Age = l.Accounts.Age(s.Account, created, now)
	}
}

// limitHits are the limits of a decision as profile judges them.
func limitHits(d *ratelimit.Decision) []profile.LimitHit {
	if !d.Refused() && len(d.Others) == 0 {
		return nil
	}
	var hits []profile.LimitHit
	if d.Refused() {
		hits = append(hits, limitHit(&d.Over, d.Text))
	}
	for i := range d.Others {
		hits = append(hits, limitHit(&d.Others[i], ""))
	}
	return hits
}

func limitHit(o *ratelimit.Over, text string) profile.LimitHit {
	detail := fmt.Sprintf("%d of %d %s in %s used", o.Used, o.Max, o.Count, windowText(o.Window))
	if o.Part < o.Max {
		detail += fmt.Sprintf(", held to its part of %d: not all machines can be asked", o.Part)
	}
	if !o.Again.IsZero() {
		detail += ", again after " + o.Again.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return profile.LimitHit{Name: o.Limit, Report: o.Action == ratelimit.Report, Reject: o.Action == ratelimit.Reject, Text: text, Detail: detail}
}

// windowText writes a window of whole seconds without what is nothing: 24h, 1h30m.
func windowText(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// limitTrouble tells of a store that could not count: then nothing is refused for it.
func (v *Visit) limitTrouble(err error) {
	if err != nil {
		v.e.o.Logger.Warn("a mail was not counted in the limits", "error", err.Error())
	}
}

// commitLimits counts the mail that has come to its end.
func (v *Visit) commitLimits() {
	if v.limits != nil {
		if o, ok := v.limits.Fullest(); ok {
			v.tellNear(&o, v.e.o.Limits.now())
		}
		v.limitTrouble(v.limits.Commit(context.Background(), v.e.o.Limits.now()))
	}
}

// releaseLimits gives back what an unfinished mail holds; after commitLimits, nothing.
func (v *Visit) releaseLimits() {
	if v.limits != nil {
		v.limitTrouble(v.limits.Release(context.Background(), v.e.o.Limits.now()))
	}
}

// limited lets the limits have their word about a recipient that nothing else
// refuses; nil is the mail, at MAIL.
func (v *Visit) limited(verdict profile.Verdict, rcpt *profile.Recipient) profile.Verdict {
	if verdict.Action != profile.Continue || v.e.o.Limits.Rules == nil {
		return verdict
	}
	hits := v.countRcpt(rcpt)
	if len(hits) == 0 {
		return verdict
	}
	var with profile.Recipient
	if rcpt != nil {
		with = *rcpt
	}
	with.Limits = hits
	verdict = v.tx.judgement.Decide(&with, v.tx.passed)
	v.tellLimits(&verdict)
	return verdict
}

// tellFull tells who watches of the first limit of an account alone that its mail does
// not fit in.
func (v *Visit) tellFull(d *ratelimit.Decision, now time.Time) {
	if d.Refused() && d.Per == ratelimit.PerAccount {
		v.tellNear(&d.Over, now)
		return
	}
	for i := range d.Others {
		if d.Others[i].Per == ratelimit.PerAccount {
			v.tellNear(&d.Others[i], now)
			return
		}
	}
}

// tellNear tells who watches of an account that has used much of a limit.
func (v *Visit) tellNear(o *ratelimit.Over, now time.Time) {
	watch := v.e.o.Limits.Watch
	if watch == nil || v.quiet || v.tx.counted == nil || float64(o.Used) < memory.NearShare*float64(o.Max) {
		return
	}
	watch.Near(v.e.shownAddress(v.tx.counted.Account), memory.Use{Limit: o.Limit, Count: o.Count.String(), Window: o.Window, Max: o.Max, Used: o.Used}, now)
}

// tellLimits tells who watches of the limits that stand in a verdict.
func (v *Visit) tellLimits(verdict *profile.Verdict) {
	watch, account := v.e.o.Limits.Watch, v.tx.counted.Account
	if watch == nil || v.quiet || account == "" {
		return
	}
	refused := verdict.Action != profile.Continue && !v.e.o.Monitor
	for i := range verdict.Findings {
		f := &verdict.Findings[i]
		name, ok := strings.CutPrefix(f.ID, "limit:")
		if ok && !slices.Contains(v.tx.toldOf, name) {
			v.tx.toldOf = append(v.tx.toldOf, name)
			watch.Limited(v.e.shownAddress(account), name, refused && !f.Monitor, v.e.o.Limits.now())
		}
	}
}

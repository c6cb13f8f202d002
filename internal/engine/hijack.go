package engine

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/hijack"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// This file tells accounts that somebody else has got hold of. What is learnt of an
// account is learnt from who has logged in by it, and from nobody else.

// A HijackAction says what becomes of mail of an account that seems stolen.
type HijackAction uint8

// The actions.
const (
	HijackReport   HijackAction = iota // it is told, and the mail goes on
	HijackTempfail                     // it is to come back, as long as there are signs
	HijackBlock                        // the account is blocked, until somebody releases it
)

// String gives the word of configuration and log.
func (a HijackAction) String() string {
	return [...]string{"report", "tempfail", "block"}[a]
}

// Hijack is how stolen accounts are told; the zero Hijack tells none.
type Hijack struct {
	Watch  *hijack.Watch // nil: nobody is watched
	Action HijackAction
	Exempt func(account string) bool // whom nobody suspects: an account or a login, in lower case; nil: all are
	Alarm  HijackAlarm               // nil: nobody
	Now    func() time.Time          // nil: time.Now
}

func (h *Hijack) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

// A HijackAlarm is told of accounts that seem stolen. It is called from many goroutines, on
// the way to a reply: it must not wait for anything.
type HijackAlarm interface {
	// Stolen is told once of each event.
	Stolen(*HijackEvent)
	// Block has an account blocked from now on, of which that is known.
	Block(*HijackEvent)
}

// A HijackEvent is that an account seems stolen: from the mail on by which that is
// so, until it is released, or has been quiet for a day.
type HijackEvent struct {
	ID      string // of the transaction
	At      time.Time
	Client  netip.Addr
	Account string // by Options.AccountKey
	Shown   string // the same as log lines show it
	Action  HijackAction
	Monitor bool // nothing is done, whatever the action is
	Score   float64
	Signs   string // "networks:5,jump:5"
	Detail  string // the same in words
}

// A suspect is an account as the transaction has it watched.
type suspect struct {
	asked    bool // the rest is known
	key      hijack.Key
	evidence hijack.Evidence
	lists    *asked[[]listHit] // of explain, asked about the client; nil: none is
}

// suspect gives the account of the transaction, if that is one to be watched.
func (v *Visit) suspect() (*suspect, bool) {
	h, tx := &v.e.o.Hijack, v.tx
	s := &tx.suspect
	if s.asked {
		return s, s.key != 0
	}
	s.asked = true
	account := tx.account
	if h.Watch == nil || account == "" || v.given != nil || v.e.o.Policy.Points["account-hijack"].Rule == profile.Off ||
		h.Exempt != nil && (h.Exempt(account) || h.Exempt(ratelimit.AccountKey(tx.mail.Account))) {
		return s, false
	}
	s.key = h.Watch.Account(account)
	if v.tellsWhere() {
		s.evidence.Client = v.client.Addr
		s.evidence.Country, _ = v.e.o.Places.Country(v.client.Addr) // with an error it is not known
		network, _ := v.e.o.Places.Network(v.client.Addr)
		s.evidence.ASN = network.Number
	}
	if tx.path.Given == profile.Shown && !tx.path.Null {
		s.evidence.Sender = memory.SenderKey(tx.path.Raw)
	}
	return s, true
}

// tellsWhere reports whether the client's address says where the owner of an account is:
// that of our own webmail, and of a relay whom we trust, does not.
func (v *Visit) tellsWhere() bool { return v.trust != profile.Exempt && !v.isOurs() }

// askAuthLists asks the lists of addresses that guess passwords about a client that has
// logged in. Nobody waits for them: a customer's mail is not held up for what would
// not be held against it alone. They are asked beyond the mail's end, so that a slow list is
// heard at all: what it says counts from the account's next recipient on, and not before it
// was confirmed.
func (v *Visit) askAuthLists() {
	lists := v.e.o.Lists
	if !v.e.authLists {
		return
	}
	s, ok := v.suspect()
	if !ok || !v.tellsWhere() {
		return
	}
	sub := dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Auth}
	if v.trace != nil {
		s.lists = start(v, nil, func(ctx context.Context, set func([]listHit)) {
			answers := lists.Ask(ctx, sub, nil)
			v.trace.lists(lists, sub, answers, v.e.o.Now())
			v.notes.addLists(ctx, sub, answers)
			set(v.e.confirmed(ctx, accusers(sub, answers)))
		})
		return
	}
	if answers, complete := lists.Known(sub, nil); complete && len(accusers(sub, answers)) == 0 {
		return
	}
	e, key, notes := v.e, s.key, v.notes
	e.beside(func(ctx context.Context) {
		answers := lists.Ask(ctx, sub, nil)
		notes.addLists(ctx, sub, answers)
		if len(e.confirmed(ctx, accusers(sub, answers))) > 0 {
			e.o.Hijack.Watch.Listed(key, e.o.Hijack.now())
		}
	})
}

// confirmed leaves of hits those whose lists have not just gone mad.
func (e *Engine) confirmed(ctx context.Context, hits []listHit) []listHit {
	if e.o.ListWatch == nil {
		return hits
	}
	return slices.DeleteFunc(hits, func(h listHit) bool {
		return !e.o.ListWatch.ConfirmSince(ctx, h.list.ID, confirmationOf(&h).kind, h.heard)
	})
}

// maxBeside is how much an engine does beside visits at once; what comes beyond that is
// left out.
const maxBeside = 256

// beside does what no visit waits for, within the budget. See Engine.Close.
func (e *Engine) beside(do func(context.Context)) {
	select {
	case e.besides <- struct{}{}:
	default:
		return
	}
	e.work.Go(func() {
		defer func() { <-e.besides }()
		defer e.contain("look-up")
		ctx, cancel := context.WithTimeout(context.Background(), e.o.Budget)
		defer cancel()
		do(ctx)
	})
}

// Close waits for what is done beside visits, which are over: at most the budget.
func (e *Engine) Close() { e.work.Wait() }

// accusers are the hits that speak against a client for sure.
func accusers(sub dnsbl.Subject, answers []dnsbl.Answer) (hits []listHit) {
	for _, h := range appendHits(nil, sub, answers) {
		if !h.Possible && !h.Stale && h.Points > 0 {
			hits = append(hits, h)
		}
	}
	return hits
}

// asksAuthLists reports whether any list is asked about who has logged in.
func asksAuthLists(set *dnsbl.Set) bool {
	if set == nil {
		return false
	}
	for _, l := range set.Lists() {
		if l.Stages.Has(dnsbl.Auth) {
			return true
		}
	}
	return false
}

// watchAccount has the account watched by one more recipient, or by the mail alone where
// there is none yet, and judges anew where it seems stolen by that.
func (v *Visit) watchAccount(rcpt *profile.Recipient) {
	s, ok := v.suspect()
	if !ok {
		return
	}
	e := s.evidence
	e.Pending = v.tx.accepted
	switch {
	case rcpt == nil:
	case rcpt.Mailbox == profile.MailboxNone:
		e.Unknown = 1
	default:
		e.Pending++
	}
	found := v.noteEvidence(s, &e)
	if !found.Over || v.tx.session.Hijack != nil {
		return
	}
	v.tx.session.Hijack = &profile.Hijack{Tempfail: v.e.o.Hijack.Action == HijackTempfail, Detail: found.Detail()}
	v.reckon()
}

// watchUnknown notes a recipient that the MTA says does not exist.
func (v *Visit) watchUnknown() {
	if s, ok := v.suspect(); ok {
		e := s.evidence
		e.Unknown, e.Pending = 1, v.tx.accepted
		v.noteEvidence(s, &e)
	}
}

// watchSent notes a message that came to its end.
func (v *Visit) watchSent() {
	if s, ok := v.suspect(); ok && !v.quiet {
		v.e.o.Hijack.Watch.Sent(s.key, v.tx.accepted, v.e.o.Hijack.now())
	}
}

// noteEvidence notes what was seen of an account, and has done what is to be done where
// it seems stolen by that. For a visit that is only explained it looks.
func (v *Visit) noteEvidence(s *suspect, e *hijack.Evidence) hijack.Suspicion {
	h, now := &v.e.o.Hijack, v.e.o.Hijack.now()
	if v.quiet {
		return h.Watch.Look(s.key, e, now)
	}
	found := h.Watch.Note(s.key, e, now)
	if !found.Over {
		return found
	}
	account := v.tx.account
	if cleared := v.e.o.Blocks.Cleared(account, now); !cleared.IsZero() && !found.Since.After(cleared) {
		// Somebody has looked at what there was until then, and let it go on.
		h.Watch.Release(s.key, now)
		if found = h.Watch.Note(s.key, e, now); !found.Over {
			return found
		}
	}
	block := h.Action == HijackBlock && !v.e.o.Monitor && v.e.o.Policy.Points["account-hijack"].Rule != profile.Monitor && v.blockNow() == nil
	if !found.Began && !block {
		return found
	}
	ev := &HijackEvent{
		ID: v.tx.id, At: now, Client: v.client.Addr, Account: account, Shown: v.e.shownAddress(v.tx.mail.Account), Action: h.Action,
		Monitor: v.e.o.Monitor || v.e.o.Policy.Points["account-hijack"].Rule == profile.Monitor,
		Score:   found.Score, Signs: found.Signs(), Detail: found.Detail(),
	}
	if block && h.Alarm != nil {
		h.Alarm.Block(ev)
	}
	if found.Began {
		v.logHijack(ev)
		if h.Alarm != nil {
			h.Alarm.Stolen(ev)
		}
	}
	return found
}

// logHijack writes the one line of an event.
func (v *Visit) logHijack(ev *HijackEvent) {
	var room [9]slog.Attr
	attrs := append(room[:0], slog.String(keyID, ev.ID))
	attrs = v.appendClient(attrs)
	attrs = append(attrs,
		slog.String(keyAccount, logging.Clip(ev.Shown)), slog.String(keyAction, ev.Action.String()), slog.Float64(keyScore, ev.Score),
		slog.String(keySigns, ev.Signs), slog.String(keyDetail, ev.Detail), slog.String(keyMode, v.e.mode()))
	v.e.line("hijack", attrs)
}

// awaitAuthLists waits for the lists of addresses that guess passwords: explain tells what
// they say.
func (v *Visit) awaitAuthLists(deadline time.Time) {
	if v.tx.suspect.lists == nil {
		return
	}
	timer := time.NewTimer(deadline.Sub(v.e.o.Now()))
	defer timer.Stop()
	select {
	case <-v.tx.suspect.lists.done:
	case <-timer.C:
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tx.suspect.evidence.Listed = len(v.tx.suspect.lists.value) > 0
}

package engine

import (
	"cmp"
	"context"
	"time"

	"mailprofiled/internal/directory"
	"mailprofiled/internal/harvest"
	"mailprofiled/profile"
)

// This file asks whether a recipient exists, and has those watched who try names
// that do not.

// Recipients is how it is known who exists here; the zero Recipients know nothing.
type Recipients struct {
	Directory *directory.Stack // nil: nobody is asked, nor counted
	Harvest   *harvest.Watch   // nil: nobody is counted
	Traps     *directory.File  // addresses that never existed; nil for none
	AtMail    bool             // who is after addresses is answered at MAIL, so that names the MTA refuses itself cannot be told from others
}

// A mailbox is a recipient that the directory is asked about.
type mailbox struct {
	address directory.Address
	answer  *asked[directory.Answer]
	took    time.Duration // once it has been asked
}

// askMailbox starts the question whether a recipient exists; nil where there is none:
// nobody speaks for its domain, or it is one that always exists (law 3).
func (v *Visit) askMailbox(rcpt *profile.Recipient, deadline time.Time) *mailbox {
	d := v.e.o.Recipients.Directory
	if rcpt == nil || d == nil || rcpt.Exempt || profile.AlwaysOpen(rcpt.Raw, v.us) {
		return nil
	}
	m := new(mailbox)
	m.address.Local, m.address.Domain = profile.SplitMailbox(rcpt.Raw)
	if m.address.Local == "" || !d.Asks(m.address.Domain) {
		return nil
	}
	if answer, ok := d.Now(m.address); ok {
		m.answer = known(answer)
		v.trace.mailbox(m.address, answer, 0)
		return m
	}
	pending := directory.Answer{Entry: directory.Fail(directory.ErrLate)}
	m.answer = start(v, pending, func(ctx context.Context, set func(directory.Answer)) {
		began := v.e.o.Now()
		ctx, cancel := context.WithTimeout(ctx, deadline.Sub(began))
		defer cancel()
		answer := d.Lookup(ctx, m.address)
		m.took = v.e.o.Now().Sub(began)
		v.trace.mailbox(m.address, answer, m.took)
		set(answer)
	})
	return m
}

// maxReasons is of how many recipients of one explanation the files are read again.
const maxReasons = 20

// whyMailbox tells on what the answer about a recipient rests: source, line or question.
func (v *Visit) whyMailbox(rcpt *profile.Recipient, m *mailbox) []string {
	known := &v.e.o.Recipients
	if rcpt == nil || known.Directory == nil || rcpt.Number > maxReasons {
		return nil
	}
	var all []string
	switch local, domain := profile.SplitMailbox(rcpt.Raw); {
	case rcpt.Exempt:
		return []string{"exempt.recipients names it: nobody is asked"}
	case profile.AlwaysOpen(rcpt.Raw, v.us):
		return []string{"it always exists: nobody is asked"}
	case m != nil:
		all = known.Directory.Why(m.address, v.e.o.Now())
	case local != "":
		all = known.Directory.Why(directory.Address{Local: local, Domain: domain}, v.e.o.Now())
	}
	if known.trap(rcpt.Raw) {
		all = append(all, "it is a trap: who writes to it is marked")
	}
	return all
}

// trap reports whether an address is one of the operator's that never existed.
func (r *Recipients) trap(raw string) bool {
	local, domain := profile.SplitMailbox(raw)
	return r.Traps != nil && r.Traps.Lookup(context.Background(), directory.Address{Local: local, Domain: domain}).Result == directory.Yes
}

// takeMailbox waits for the answer, at most as long as it was given, notes it with
// the recipient, and has the client counted by it.
func (v *Visit) takeMailbox(rcpt *profile.Recipient, m *mailbox) {
	if rcpt == nil || v.e.o.Recipients.Directory == nil {
		return
	}
	if m != nil {
		if m.answer.done != nil {
			<-m.answer.done
		}
		v.mu.Lock()
		answer := m.answer.value
		v.mu.Unlock()
		rcpt.Mailbox, rcpt.By = mailboxOf(&answer)
	}
	v.watchRcpt(rcpt.Raw, rcpt.Mailbox)
	if w := v.e.o.Recipients.Harvest; w != nil && v.tx.trust == profile.Stranger {
		rcpt.Harvest, _ = w.Fishing(v.client.Addr, v.e.o.Now())
	}
}

// mailboxOf is the answer as profile judges it, and whose word it is.
func mailboxOf(a *directory.Answer) (profile.MailboxState, string) {
	switch a.Result {
	case directory.Yes:
		return profile.MailboxThere, ""
	case directory.No:
		return profile.MailboxNone, "says " + cmp.Or(a.Name, a.By)
	case directory.Failed:
		detail := a.By
		if a.Err != nil {
			detail += ": " + a.Err.Error()
		}
		if a.Tempfail {
			return profile.MailboxDown, detail
		}
		return profile.MailboxError, detail
	}
	return profile.MailboxNotAsked, ""
}

// refusedByMTA notes a recipient that the MTA refuses itself. Only these two codes say
// that there is no such user; all others are about something else.
func (v *Visit) refusedByMTA(r Rcpt) {
	if r.Status == "5.1.1" || r.Status == "5.1.10" { // RFC 3463 section 3.2, RFC 7505 section 4.1
		v.watchRcpt(r.To, profile.MailboxNone)
		v.watchUnknown()
	}
}

// watchRcpt has a recipient of a stranger's counted. Where the MTA itself is watched it is
// one that exists, unless that refuses it; where others are asked, if they say so: names
// of which nobody knows must not make those that do not exist look few.
func (v *Visit) watchRcpt(raw string, box profile.MailboxState) {
	known := &v.e.o.Recipients
	if known.Harvest == nil || v.trace != nil || v.tx.trust != profile.Stranger || profile.AlwaysOpen(raw, v.us) {
		return
	}
	local, domain := profile.SplitMailbox(raw)
	if local == "" || !known.Directory.Heeds(domain) {
		return
	}
	now := v.e.o.Now()
	// A bounce has one recipient (RFC 5321 section 4.5.5), whom somebody has forged: not
	// the server. Who writes to more of them by one bounce tries names.
	if v.tx.path.Null && v.tx.tried < 2 {
		if box == profile.MailboxNone {
			known.Harvest.Bounced()
		}
		return
	}
	if known.trap(raw) && !v.spared() {
		known.Harvest.Trap(v.client.Addr, now)
		v.NoteTrap()
	}
	switch box {
	case profile.MailboxNone:
		if !v.spared() {
			known.Harvest.Unknown(v.client.Addr, profile.Mailbox(raw), now)
		}
	case profile.MailboxNotAsked:
		if !known.Directory.Asks(domain) {
			known.Harvest.Known(v.client.Addr, profile.Mailbox(raw), now)
		}
	case profile.MailboxThere:
		known.Harvest.Known(v.client.Addr, profile.Mailbox(raw), now)
	}
}

// spared reports whether somebody speaks for the client, by what is known now.
func (v *Visit) spared() bool {
	if v.tx.judgement != nil {
		return v.tx.judgement.Spared()
	}
	session := v.facts()
	session.Local = v.localHits(&session, v.e.o.Local.Peek)
	return profile.Judge(&session, v.e.o.Policy).Spared()
}

// trapped says, for the operator, that the client wrote to a trap lately.
func (v *Visit) trapped() string {
	w := v.e.o.Recipients.Harvest
	if w == nil || v.tx.trust != profile.Stranger {
		return ""
	}
	if last, ok := w.Trapped(v.client.Addr, v.e.o.Now()); ok {
		return "last at " + last.UTC().Format(time.RFC3339)
	}
	return ""
}

// harvestAtMail answers a client that is after addresses at MAIL, where that is asked
// for. In monitor mode its recipients tell the same.
func (v *Visit) harvestAtMail() (Answer, bool) {
	known := &v.e.o.Recipients
	if !known.AtMail || known.Harvest == nil || v.e.o.Monitor || v.tx.trust != profile.Stranger {
		return Answer{}, false
	}
	begun := v.e.o.Now()
	sign, fishing := known.Harvest.Fishing(v.client.Addr, begun)
	if !fishing {
		return Answer{}, false
	}
	v.judge(begun.Add(v.e.o.Budget)) // somebody may speak for it
	verdict := v.tx.judgement.Decide(&profile.Recipient{Harvest: sign}, false)
	if verdict.Speaker != "rcpt-harvest" {
		return Answer{}, false
	}
	v.tx.took = max(v.tx.took, v.e.o.Now().Sub(begun))
	place, first := v.tx.note(&verdict, nil, StageMail)
	if first {
		v.observed(&verdict, StageMail)
	}
	v.keep(place, &verdict, nil, nil)
	return v.reply(verdict), true
}

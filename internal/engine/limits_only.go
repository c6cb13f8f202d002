package engine

import "mailprofiled/profile"

// This file is the way of the clients that nothing else is asked about, because there
// was no place for their session, or it has panicked: limits, and what is blocked, hold for
// them too.

// ConnectLimited opens a visit that is judged by limits alone: nothing is looked up
// for it, and nothing remembered of it. broken, which may be nil, is the visit before
// it, which panicked: its transaction and what it has reserved pass over. The caller
// closes both.
func (e *Engine) ConnectLimited(c Client, broken *Visit) *Visit {
	c.Addr = c.Addr.Unmap().WithZone("")
	v := newVisit(e, c)
	v.limitsOnly, v.trust = true, profile.Exempt
	if broken == nil {
		return v
	}
	v.limits, broken.limits = broken.limits, nil
	if old := broken.tx; old != nil {
		v.tx = v.newTransaction(old.mail)
		v.tx.id, v.tx.began, v.tx.queueID = old.id, old.began, old.queueID
		v.tx.rcpts, v.tx.accepted, v.tx.shut = old.rcpts, old.accepted, old.shut
		v.tx.counted, v.tx.overMail, v.tx.toldOf = old.counted, old.overMail, old.toldOf
	}
	return v
}

// judgeLimits judges by nothing.
func (v *Visit) judgeLimits() {
	v.tx.session = profile.Session{Client: v.client.Addr, Trust: v.tx.trust, Us: v.us}
	v.reckon()
}

// answerLimits lets limits answer about a recipient, or about the mail where rcpt is nil.
func (v *Visit) answerLimits(rcpt *profile.Recipient, stage string) Answer {
	tx, start := v.tx, v.e.o.Now()
	if tx.judgement == nil {
		v.judgeLimits()
	}
	v.heedBlock()
	verdict := v.limited(tx.judgement.Decide(rcpt, false), rcpt)
	tx.took = max(tx.took, v.e.o.Now().Sub(start))
	if len(verdict.Findings) > 0 {
		place, first := tx.note(&verdict, rcpt, stage)
		if first {
			v.observed(&verdict, stage)
		}
		v.keep(place, &verdict, rcpt, nil)
	}
	if v.e.o.Monitor {
		return Answer{}
	}
	return v.reply(verdict)
}

package engine

import (
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
)

// maxNoted is how many deferred recipients of one transaction are noted for an
// honest retry: as many as any server may send at once (RFC 5321 section
// 4.5.3.1.8).
const maxNoted = 100

// decide asks profile, and lets a deferred visit pass that has come back
// honestly. In monitor mode nobody was deferred, so nothing is learned.
func (v *Visit) decide(rcpt *profile.Recipient) profile.Verdict {
	tx := v.tx
	verdict := tx.judgement.Decide(rcpt, false)
	if !verdict.ForScore || v.e.o.Monitor || v.e.o.Retries == nil || v.given != nil && v.given.Anew {
		return verdict
	}
	to := ""
	if rcpt != nil {
		to = rcpt.Raw
	}
	now := tx.began // the visit's own time: waiting within it is not coming back
	if tx.passed || v.e.o.Retries.Passes(v.caller(), tx.mail.From, to, now) {
		tx.passed = true // all of the visit, however short it is remembered
		return tx.judgement.Decide(rcpt, true)
	}
	if tx.deferred < maxNoted {
		tx.deferred++
		v.e.o.Retries.Deferred(v.caller(), tx.mail.From, to, accusing(tx.judgement.Findings), now)
	}
	return verdict
}

// wouldPass reports whether a recipient deferred for the score would pass now as
// an honest retry. It looks, and changes nothing.
func (v *Visit) wouldPass(rcpt string) bool {
	return !v.e.o.Monitor && v.e.o.Retries != nil && v.e.o.Retries.WouldPass(v.caller(), v.tx.mail.From, rcpt, v.e.o.Now())
}

// caller is who has to come back, by what was known when the transaction was judged.
func (v *Visit) caller() *memory.Caller {
	tx := v.tx
	if !tx.called {
		s := &tx.session
		domain := ""
		if s.SPF.Outcome == profile.SPFPass {
			domain = s.SPF.Domain
		}
		tx.caller, tx.called = v.e.o.Retries.Caller(v.client.Addr, tx.operator, domain), true
	}
	return &tx.caller
}

// accusing gives the ids of findings that ask for a deferral.
func accusing(findings []profile.Finding) []string {
	var ids []string
	for i := range findings {
		if findings[i].Points > 0 {
			ids = append(ids, findings[i].ID)
		}
	}
	return ids
}

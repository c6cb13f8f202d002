package engine

import (
	"strings"

	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// This file has mail of blocked accounts refused.

// blockNow gives the block that holds for the account of the transaction now; nil for none.
func (v *Visit) blockNow() *ratelimit.Block {
	return v.e.o.Blocks.Find(v.tx.account, v.e.o.Now())
}

// heedBlock judges anew where the account was blocked or released since the transaction
// was judged: both hold at once.
func (v *Visit) heedBlock() {
	if b := v.blockNow(); b != v.tx.block {
		v.tx.block = b
		v.tx.session.Blocked = blockFact(b)
		v.reckon()
	}
}

// noteShut keeps the first recipient that goes on and would not if the account were blocked.
func (v *Visit) noteShut(to string) {
	if tx := v.tx; tx.account != "" && tx.shut == "" && !v.e.exempt[profile.Mailbox(to)] && !profile.AlwaysOpen(to, v.us) {
		tx.shut = to
	}
}

// blockedAtEnd answers for a message whose account was blocked since its recipients went on:
// the text of a large one takes its time, and who has it stopped means now. It is false where
// the message goes on.
func (v *Visit) blockedAtEnd() (Answer, bool) {
	tx := v.tx
	if tx.shut == "" || v.e.o.Monitor || v.blockNow() == nil {
		return Answer{}, false
	}
	if tx.judgement == nil { // a visit before it has panicked
		v.judgeLimits()
	}
	v.heedBlock()
	rcpt := profile.Recipient{Raw: tx.shut, Number: tx.rcpts}
	verdict := tx.judgement.Decide(&rcpt, tx.passed)
	if verdict.Speaker != "account-blocked" { // it is only watched
		return Answer{}, false
	}
	place, first := tx.note(&verdict, &rcpt, StageEOM)
	tx.verdicts[place].rcpts += tx.accepted - 1
	if first {
		v.observed(&verdict, StageEOM)
	}
	v.keep(place, &verdict, nil, nil)
	tx.keepInstead(place)
	return v.reply(verdict), true
}

// keepInstead has the record say of all that went on what was said at the end.
func (tx *transaction) keepInstead(place int) {
	for i := range tx.keeping.rcpts {
		if k := &tx.keeping.rcpts[i]; tx.verdicts[k.place].verdict.Action == profile.Continue {
			k.place = place
		}
	}
}

// blockFact is a block as profile judges it.
func blockFact(b *ratelimit.Block) *profile.Block {
	if b == nil {
		return nil
	}
	text := "since " + b.Since.UTC().Format("2006-01-02 15:04 UTC")
	if !b.Until.IsZero() {
		text += " until " + b.Until.UTC().Format("2006-01-02 15:04 UTC")
	}
	if b.By != "" {
		text += " by " + b.By
	}
	if b.Owner != "" {
		text += " (" + b.Owner + ")"
	}
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return &profile.Block{Reject: b.Reject, Detail: strings.TrimSpace(text)}
}

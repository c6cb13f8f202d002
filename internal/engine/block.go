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

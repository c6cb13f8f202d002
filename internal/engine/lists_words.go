package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// ownWords lets the list that speaks say its own words, where the operator wants
// that: they are asked for only now, until the deadline.
func (v *Visit) ownWords(verdict profile.Verdict, rcpt *profile.Recipient, deadline time.Time) profile.Verdict {
	tx := v.tx
	speaks := -1
	for i, h := range tx.listHits {
		if h.accuses() && h.ID == verdict.Speaker && (speaks < 0 || h.Points > tx.listHits[speaks].Points) {
			speaks = i
		}
	}
	if speaks < 0 || tx.worded || !tx.listHits[speaks].list.Text || v.e.o.Monitor && v.trace == nil {
		return verdict
	}
	tx.worded = true // once in a transaction: the others say the same
	ctx, cancel := context.WithTimeout(context.Background(), deadline.Sub(v.e.o.Now()))
	defer cancel()
	text := v.e.o.Lists.Text(ctx, tx.listHits[speaks].subject, tx.listHits[speaks].list.ID, v.clientNames()...)
	if text == "" {
		return verdict
	}
	tx.listHits[speaks].Text = text
	tx.session.Lists = listFacts(tx.listHits)
	v.reckon()
	return tx.judgement.Decide(rcpt, tx.passed)
}

// listsAway are the lists that a client is judged without: a stranger by none that are for
// those alone who log in, and these by no other.
func (e *Engine) listsAway(trust profile.Trust) []RecordListAway {
	away := []RecordListAway{}
	if e.o.Lists == nil || e.o.ListWatch == nil || trust == profile.Exempt {
		return away
	}
	of := e.o.Lists.Lists()
	for _, s := range e.o.ListWatch.Snapshot() {
		i := slices.IndexFunc(of, func(l dnsbl.List) bool { return l.ID == s.List })
		if s.Counts || i < 0 {
			continue
		}
		if at := of[i].Stages; trust == profile.Stranger && at != dnsbl.StagesOf(dnsbl.Auth) || trust == profile.Authenticated && at.Has(dnsbl.Auth) {
			away = append(away, RecordListAway{s.List, s.Condition.String(), s.Reason, s.Remedy, s.Since, s.Missed})
		}
	}
	return away
}

// clientNames are the names that the client goes by, which a list's words must not
// bring into a reply: of what is the client's only the address stands there.
func (v *Visit) clientNames() []string {
	s := &v.tx.session
	names := []string{s.Helo.Name, s.Sender.Local + "@" + s.Sender.Domain, s.Sender.Domain}
	for _, ptr := range s.RDNS.Names {
		names = append(names, ptr.Name)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !strings.Contains(strings.Trim(name, "."), ".") || name == s.Client.String()
	})
}

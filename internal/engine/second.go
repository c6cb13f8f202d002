package engine

import (
	"cmp"
	"slices"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// This file has another policy judge what has been answered, by the same facts.

// A Second is given what was judged, to have it judged by another policy.
type Second interface {
	// Take is called at the end of a transaction, on the way of the mail and from many
	// goroutines: it must not wait.
	Take(*Judged)
}

// A Judged is a transaction that was answered, with the facts that it was judged by.
// It does not change any more.
type Judged struct {
	e      *Engine
	client Client
	tx     *transaction
	said   []saying
}

// maxSayings bounds the recipients of one transaction that are judged once more.
const maxSayings = 100

// A saying is an answer before limits had their word.
type saying struct {
	rcpt    *profile.Recipient // nil: to the mail
	verdict profile.Verdict
}

// noteForSecond keeps an answer, where somebody else is to judge as well.
func (v *Visit) noteForSecond(rcpt *profile.Recipient, verdict *profile.Verdict) {
	if v.e.o.Second == nil || v.quiet || len(v.tx.said) == maxSayings || rcpt == nil && verdict.Action == profile.Continue {
		return // of a mail that goes on its recipients say more
	}
	s := saying{verdict: *verdict}
	if rcpt != nil {
		kept := *rcpt
		s.rcpt = &kept
	}
	v.tx.said = append(v.tx.said, s)
}

// tellSecond hands the transaction over, at its end.
func (v *Visit) tellSecond() {
	if v.e.o.Second == nil || len(v.tx.said) == 0 {
		return
	}
	v.e.o.Second.Take(&Judged{v.e, v.client, v.tx, v.tx.said})
}

// ID is that of the transaction.
func (j *Judged) ID() string { return j.tx.id }

// Client is who came.
func (j *Judged) Client() Client { return j.client }

// PTR and Helo are the names of the client, as log lines show them.
func (j *Judged) PTR() string  { return j.e.shownName(j.tx.session.RDNS.Shown()) }
func (j *Judged) Helo() string { return j.e.shownName(j.tx.session.Helo.Name) }

// Confirmed is a PTR name that leads back to the client, "" for none.
func (j *Judged) Confirmed() string {
	for _, name := range j.tx.session.RDNS.Names {
		if name.Forward == profile.Confirmed {
			return name.Name
		}
	}
	return ""
}

// Twice is an answer by both policies. Where several recipients of a transaction had
// answers with the same two actions, it is that of the first.
type Twice struct{ Said, Other Replayed }

// Rejudge judges by the policy of e what another engine has answered. It asks nobody and
// changes nothing: facts are those of the answer, limits are left out on both sides, and
// who came back honestly is known by what the other engine, and Options.Retries, tell.
func (e *Engine) Rejudge(j *Judged) []Twice {
	v := newVisit(e, j.client)
	v.quiet = true
	v.tx = v.newTransaction(j.tx.mail)
	tx := v.tx
	tx.operator = j.tx.operator
	tx.session = j.tx.session
	s := &tx.session
	s.Trust, s.Us, s.Lists = tx.trust, v.us, nil
	if tx.trust == profile.Stranger {
		tx.listHits = e.reread(j.tx.listHits)
		s.Lists = listFacts(tx.listHits)
	} else {
		s.Trap, s.History = "", profile.History{}
	}
	s.Local = v.localHits(s, e.o.Local.Peek)
	v.reckon()
	var all []Twice
	for i := range j.said {
		said := &j.said[i]
		other := v.rejudge(said, j.tx)
		if slices.ContainsFunc(all, func(t Twice) bool {
			return t.Said.Verdict.Action == said.verdict.Action && t.Other.Verdict.Action == other.Action
		}) {
			continue
		}
		all = append(all, Twice{
			Said:  Replayed{said.verdict, j.tx.judgement.Findings},
			Other: Replayed{other, tx.judgement.Findings},
		})
	}
	return all
}

// rejudge answers what was answered.
func (v *Visit) rejudge(said *saying, by *transaction) profile.Verdict {
	var rcpt *profile.Recipient
	if said.rcpt != nil {
		same := *said.rcpt
		same.Exempt, same.Local, same.Limits = v.e.exempt[profile.Mailbox(same.Raw)], v.localRcpt(same.Raw), nil
		if v.tx.trust != profile.Stranger {
			same.Harvest = ""
		}
		rcpt = &same
	}
	verdict := v.tx.judgement.Decide(rcpt, false)
	if verdict.ForScore && (by.passed || v.e.o.Retries != nil && v.e.o.Retries.Remembers(v.caller(), by.began)) {
		return v.tx.judgement.Decide(rcpt, true)
	}
	return verdict
}

// reread gives the hits of lists as the lists of e read them, in their order. Lists that
// e does not have say nothing.
func (e *Engine) reread(heard []listHit) []listHit {
	var all []listHit
	for i := range heard {
		h := &heard[i]
		same := func(o listHit) bool { return o.sameList(*h) && o.subject == h.subject }
		if slices.ContainsFunc(heard[:i], same) { // an old answer for the client is there twice
			continue
		}
		if a, ok := e.o.Reread.Reread(h.answer()); ok {
			all = appendHits(all, h.subject, []dnsbl.Answer{a})
		}
	}
	place := func(h *listHit) int {
		i, _ := e.o.Reread.Place(h.list.ID)
		return i
	}
	slices.SortStableFunc(all, func(a, b listHit) int {
		if a.accuses() != b.accuses() {
			return cmp.Compare(a.Points, b.Points)
		}
		return cmp.Compare(place(&a), place(&b))
	})
	return all
}

// answer is what the list said.
func (h *listHit) answer() dnsbl.Answer {
	return dnsbl.Answer{List: h.list, State: h.state, Matches: h.matches, Stale: h.stale, Heard: h.heard}
}

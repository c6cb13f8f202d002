package engine

import (
	"net/netip"
	"strings"
	"time"

	"mailprofiled/profile"
)

// A Query is a visit to be explained. What is nil is not known.
type Query struct {
	Client  netip.Addr `json:"client"`
	PTR     *string    `json:"ptr,omitempty"`  // taken as given and confirmed; "" for no PTR; nil: DNS is asked
	Helo    *string    `json:"helo,omitempty"` // "" for MAIL without HELO
	From    *string    `json:"from,omitempty"` // "" or "<>" for the null sender
	Rcpts   []string   `json:"rcpts,omitempty"`
	Account string     `json:"account,omitempty"`

	Listener string `json:"listener,omitempty"` // the place where the MTA came in; whoever asks the Engine gives its Door too
	Door     *Door  `json:"-"`                  // nil: one without settings of its own
}

// Explain judges one visit now and returns all that was asked and found. It
// counts nothing and logs nothing.
func (e *Engine) Explain(q Query) *Record {
	began := e.o.Now()
	v := newVisit(e, Client{Addr: q.Client.Unmap().WithZone(""), Door: q.Door})
	v.trace, v.quiet = new(trace), true
	defer v.Close()
	v.explainConnect(q.PTR)
	if q.Helo != nil {
		v.explainHelo(*q.Helo)
	}
	v.explainMail(q)
	deadline := e.o.Now().Add(e.o.Budget)
	v.judge(deadline)
	v.confirmLists(nil, deadline)
	v.awaitAuthLists(deadline)
	rec := &Record{
		ID: v.tx.id, Client: v.client.Addr.String(), Account: q.Account,
		Stage: v.stage(), Mode: e.mode(), Policy: e.o.PolicyID,
	}
	if q.Door != nil {
		rec.Listener, rec.Role = q.Door.Name, q.Door.Role
	}
	rcpts := q.Rcpts
	if len(rcpts) == 0 {
		rcpts = []string{""}
	}
	for i, rcpt := range rcpts {
		rec.Recipients = append(rec.Recipients, v.explainRcpt(rcpt, i+1, deadline))
	}
	v.fill(rec)
	rec.TookMS = inMS(e.o.Now().Sub(began))
	return rec
}

func (v *Visit) explainConnect(ptr *string) {
	switch {
	case v.trust != profile.Stranger:
	case ptr == nil:
		v.askReverse()
	case *ptr == "":
		v.rdns = known(profile.RDNS{Outcome: profile.NoName})
		v.trace.given(v.client.Addr, "none")
	default:
		name := strings.ToLower(strings.TrimSuffix(*ptr, "."))
		v.rdns = known(profile.RDNS{Outcome: profile.Found, Names: []profile.PTR{{Name: name, Forward: profile.Confirmed}}})
		v.trace.given(v.client.Addr, name)
	}
}

func (v *Visit) explainHelo(name string) {
	if name == "" {
		v.helo = known(profile.Helo{Given: profile.Withheld})
		return
	}
	v.Helo(name)
}

func (v *Visit) explainMail(q Query) {
	mail := Mail{Account: q.Account}
	if q.From != nil {
		mail.From = bracketed(*q.From)
	}
	v.tx = v.newTransaction(mail)
	v.askAuthLists()
	if v.tx.trust != profile.Stranger {
		return
	}
	if q.From != nil {
		v.askSender()
		v.askSPF()
	}
	v.askMailLists()
}

func (v *Visit) explainRcpt(rcpt string, number int, deadline time.Time) RecordRecipient {
	raw := rcpt
	if raw != "" {
		raw = bracketed(raw)
	}
	r := v.recipient(raw, number)
	rcptOf := &r
	if v.stage() == StageMail { // then no recipient is asked about
		rcptOf, raw = nil, ""
	}
	box := v.askMailbox(rcptOf, deadline)
	v.takeMailbox(rcptOf, box)
	v.confirmLists(rcptOf, deadline)
	v.watchAccount(rcptOf)
	verdict := v.tx.judgement.Decide(rcptOf, false)
	if verdict.ForScore && v.wouldPass(raw) {
		verdict = v.tx.judgement.Decide(rcptOf, true)
	}
	verdict = v.ownWords(verdict, rcptOf, deadline)
	verdict = v.limited(verdict, rcptOf) // reserved, and given back when the visit is closed
	return RecordRecipient{
		Rcpt: rcpt, Action: verdict.Action.String(), Code: verdict.Code, Status: verdict.Status, By: speaker(&verdict),
		Text: v.reply(verdict).helpful(), Score: verdict.Score, Findings: recordFindings(verdict.Findings),
		Directory: v.whyMailbox(rcptOf, box),
	}
}

// stage is where the visit is answered: at MAIL if a rule of the operator's own
// refuses it, or if that is asked for and there is something to say.
func (v *Visit) stage() string {
	if v.tx.judgement.Denied() || v.e.answersAtMail(v.client.Door) && v.tx.judgement.Decide(nil, false).Action != profile.Continue {
		return StageMail
	}
	return StageRcpt
}

// helpful is the text of an answer with the link that the reply would carry.
func (a Answer) helpful() string {
	if a.Help != "" {
		return a.Text + "; see " + a.Help
	}
	return a.Text
}

// bracketed gives an address typed by an operator the form in which an MTA sends it.
func bracketed(addr string) string {
	if strings.HasPrefix(addr, "<") {
		return addr
	}
	return "<" + addr + ">"
}

func (v *Visit) fill(rec *Record) {
	s := v.tx.session
	rec.PTR, rec.Helo, rec.From = s.RDNS.Shown(), s.Helo.Name, v.tx.mail.From
	rec.Score = v.tx.judgement.Score
	rec.Findings = recordFindings(v.tx.judgement.Findings)
	rec.Identity = RecordIdentity(v.tx.judgement.Identity)
	rec.Lookups = v.trace.all()
	rec.ListsAway = v.e.listsAway(v.tx.trust)
}

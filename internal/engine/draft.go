package engine

import (
	"strconv"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/logging"
	"mailprofiled/profile"
)

// A Draft is what a record is made of: the facts of a transaction that has ended, as they
// were. It is not changed any more, and may be written out by another goroutine.
type Draft struct {
	e      *Engine
	tx     *transaction
	client Client
	us     *profile.Us
}

// Keys are what a record is found by. Each has one form, whatever the spelling; where addresses
// are hashed, a token stands for each, and for the sender's domain too.
type Keys struct {
	Client string // ""; of local submission
	Sender string // "" for the null sender
	Domain string // of the sender
	Rcpts  []string
	Queue  string
}

// The bounds of a Record: what a client and its DNS say must not crowd out the others.
const (
	maxLookups     = 160
	maxLookupBytes = 24 << 10 // of questions and answers
	maxAnswers     = 12       // of one question
	maxRcptBytes   = 32 << 10 // of recipients and what was found of each
)

// Record writes the draft out. reply makes the line of an answer, as the MTA is given it.
func (d *Draft) Record(reply func(Answer) string) (*Record, *Keys) {
	e, tx, s := d.e, d.tx, &d.tx.session
	hide := d.veil()
	rec := &Record{
		ID: tx.id, PTR: e.shownName(s.RDNS.Shown()), Helo: logging.Clip(e.shownName(s.Helo.Name)),
		From: logging.Clip(e.shownAddress(tx.mail.From)), Account: logging.Clip(e.shownAddress(tx.mail.Account)),
		Mode: e.mode(), Policy: e.o.PolicyID, TookMS: inMS(tx.took), Findings: []RecordFinding{}, Recipients: []RecordRecipient{},
		When: tx.began.UTC().Truncate(time.Millisecond), Queue: logging.Clip(tx.queueID), Taken: tx.deed.ended,
	}
	if d.client.Addr.IsValid() {
		rec.Client = d.client.Addr.String()
	}
	if door := d.client.Door; door != nil {
		rec.Listener, rec.Role = door.Name, door.Role
	}
	if len(tx.verdicts) > 0 {
		rec.Stage = tx.verdicts[0].stage
	}
	if j := tx.judgement; j != nil {
		rec.Score, rec.Findings, rec.Identity = j.Score, hide.findings(j.Findings), RecordIdentity(j.Identity)
	}
	d.recipients(rec, hide, reply)
	rec.ListsAway = e.listsAway(tx.trust) // as of now, which is moments later: to look at them is no work for a mail's way
	rec.Lookups, rec.LookupsMore = bounded(d.lookups(), hide)
	return rec, d.keys(rec)
}

// recipients fills in the answers, recipient by recipient; one row for the mail where none was judged.
func (d *Draft) recipients(rec *Record, hide *veil, reply func(Answer) string) {
	tx := d.tx
	rcpts := tx.keeping.rcpts
	if len(rcpts) == 0 && len(tx.verdicts) > 0 {
		rcpts = []keptRcpt{{place: 0}}
	}
	rec.RecipientsMore = tx.keeping.more
	bytes := 0
	for i := range rcpts {
		k := &rcpts[i]
		s := &tx.verdicts[k.place]
		a := d.e.answer(tx.id, &s.verdict)
		row := RecordRecipient{
			Rcpt: logging.Clip(d.shownRcpt(k)), Action: s.verdict.Action.String(), Code: s.verdict.Code, Status: s.verdict.Status, By: speaker(&s.verdict),
			Text: a.helpful(), Score: s.verdict.Score, Findings: hide.findings(s.verdict.Findings),
		}
		if a.Action != profile.Continue && !d.e.o.Monitor {
			row.Reply = reply(a)
		}
		bytes += len(row.Rcpt) + len(row.Text) + len(row.Reply) + 100
		for _, f := range row.Findings {
			bytes += len(f.Detail) + 60
		}
		if bytes > maxRcptBytes {
			rec.RecipientsMore += len(rcpts) - i
			break
		}
		rec.Recipients = append(rec.Recipients, row)
	}
}

// shownRcpt is a recipient as the record has it: one that does not exist is never shown.
func (d *Draft) shownRcpt(k *keptRcpt) string {
	return d.e.shownRcpt(&spoken{rcpt: k.raw, nobody: k.nobody})
}

// lookups gives what was asked, in the order of explain.
func (d *Draft) lookups() []RecordLookup {
	tx, now := d.tx, d.tx.began
	t, seen := new(trace), tx.keeping.seen
	if seen.reverse != nil {
		t.reverse(d.client.Addr, *seen.reverse)
	}
	for i := range seen.dns {
		t.answer(seen.dns[i].at, seen.dns[i].name, seen.dns[i].qtype, seen.dns[i].answer)
	}
	if seen.spf != nil {
		t.spf(*seen.spf)
	}
	for i := range seen.lists {
		t.lists(d.e.o.Lists, seen.lists[i].subject, []dnsbl.Answer{seen.lists[i].answer}, now)
	}
	ours := func(what, answer string) {
		t.add(atConnect, RecordLookup{Question: d.client.Addr.String(), Type: what, Answer: []string{answer}, Source: "daemon"})
	}
	if seen.standing != "" {
		ours("HISTORY", seen.standing)
	}
	if b := &seen.belonging; b.askedCountry {
		ours("COUNTRY", orNone(b.country))
	}
	if b := &seen.belonging; b.askedNetwork {
		answer := "none"
		if b.network.Number != 0 {
			answer = strings.TrimSpace("AS" + strconv.FormatUint(uint64(b.network.Number), 10) + " " + b.network.Name)
		}
		ours("ASN", answer)
	}
	for i := range tx.keeping.rcpts {
		if box := tx.keeping.rcpts[i].box; box != nil {
			t.mailbox(box.address, box.answer.value, box.took)
		}
	}
	return t.all()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// bounded hides what is to be hidden in look-ups and cuts what is too much. It gives how many
// were left out.
func bounded(all []RecordLookup, hide *veil) (kept []RecordLookup, more int) {
	kept = []RecordLookup{}
	bytes := 0
	for i, l := range all {
		l.Question = logging.Clip(hide.in(l.Question))
		answers := l.Answer[:min(len(l.Answer), maxAnswers)]
		l.Answer = make([]string, len(answers), len(answers)+1)
		for j, a := range answers {
			l.Answer[j] = logging.Clip(hide.in(a))
			bytes += len(l.Answer[j])
		}
		if n := len(all[i].Answer) - len(answers); n > 0 {
			l.Answer = append(l.Answer, strconv.Itoa(n)+" more")
		}
		if bytes += len(l.Question) + 60; bytes > maxLookupBytes || len(kept) == maxLookups {
			return kept, len(all) - i
		}
		kept = append(kept, l)
	}
	return kept, 0
}

// keys gives what the record is found by.
func (d *Draft) keys(rec *Record) *Keys {
	k := &Keys{Client: rec.Client, Queue: d.tx.queueID, Domain: d.e.KeyOfDomain(d.tx.path.Domain)}
	if raw := d.tx.mail.From; raw != "" && raw != "<>" {
		k.Sender = d.e.keyOf(raw, d.e.o.Hash)
	}
	for i := range d.tx.keeping.rcpts {
		r := &d.tx.keeping.rcpts[i]
		hash := d.e.o.Hash
		if r.nobody && d.e.o.HashUnknown != nil {
			hash = d.e.o.HashUnknown
		}
		k.Rcpts = append(k.Rcpts, d.e.keyOf(r.raw, hash))
	}
	return k
}

// keyOf is the one form of an address.
func (e *Engine) keyOf(raw string, hash *logging.Hasher) string {
	address := profile.Mailbox(raw)
	if hash != nil {
		return hash.Token(address)
	}
	return address
}

// KeysOfAddress gives the forms in which an address may stand among Keys: itself, or the
// tokens for it.
func (e *Engine) KeysOfAddress(address string) []string {
	keys := []string{e.keyOf(address, nil)}
	for _, hash := range []*logging.Hasher{e.o.Hash, e.o.HashUnknown} {
		if hash != nil {
			keys = append(keys, e.keyOf(address, hash))
		}
	}
	return append(keys, strings.ToLower(address)) // a token out of the log
}

// KeyOfDomain is the form in which a sender's domain stands among Keys.
func (e *Engine) KeyOfDomain(domain string) string {
	if domain == "" || e.o.Hash == nil {
		return domain
	}
	return e.o.Hash.Token(domain)
}

package engine

import (
	"context"
	"math/rand/v2"
	"sync"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/spf"
	"mailprofiled/profile"
)

// This file gathers, on a mail's way, what a record of its answers is made of later.
//
// An answer is plain, and recorded only as one of a sample, when it lets go on what
// nothing asks to hold up. What went out to DNS is noted as it comes back, where it costs
// nothing beside the question. What came out of a cache is not noted: when an answer turns out to be
// worth a record, it is read there once more and held to what was judged by (keep_again.go).

// A Recorder takes what records are made of. It is called from many goroutines, at the
// end of a transaction: it must not wait.
type Recorder interface{ Record(*Draft) }

// maxKept is how many recipients of a transaction stand in its record.
const maxKept = 100

// keeping is what a transaction gathers for its record.
type keeping struct {
	sampled bool
	seen    *sight // nil until there is something to record
	rcpts   []keptRcpt
	more    int         // recipients beyond maxKept
	inTime  int         // of the visit's notes of DNS: those that were there when it was judged
	room    [2]keptRcpt // of rcpts: most mail has no more
}

// A keptRcpt is one recipient, and what it was answered.
type keptRcpt struct {
	raw    string
	box    *mailbox // what the directory says; nil: it was not asked
	place  int      // among transaction.verdicts
	nobody bool     // it is known not to exist
}

// startKeeping decides whether a plain transaction is recorded.
func (v *Visit) startKeeping(tx *transaction) {
	if v.recorded() && v.e.o.Sample > 0 {
		tx.keeping.sampled = rand.Float64() < v.e.o.Sample
	}
}

func (v *Visit) recorded() bool { return v.e.o.Recorder != nil && !v.quiet }

// keep notes the answer to a recipient, or to the mail where rcpt is nil. With the first
// that is worth a record, what it was judged by is seen to.
func (v *Visit) keep(place int, verdict *profile.Verdict, rcpt *profile.Recipient, box *mailbox) {
	if !v.recorded() || place < 0 {
		return
	}
	k := &v.tx.keeping
	if rcpt != nil {
		if k.rcpts == nil {
			k.rcpts = k.room[:0]
		}
		if len(k.rcpts) < maxKept {
			k.rcpts = append(k.rcpts, keptRcpt{rcpt.Raw, box, place, rcpt.Mailbox == profile.MailboxNone})
		} else {
			k.more++
		}
	}
	if k.seen == nil && (k.sampled || !v.plain(verdict)) {
		k.seen = v.lookAgain()
	}
}

// plain reports whether an answer is one of those that nobody asks about: the visit goes
// on, and its score asked for nothing else.
func (v *Visit) plain(verdict *profile.Verdict) bool {
	return verdict.Action == profile.Continue && verdict.Score < v.e.o.Policy.TempfailScore && !v.tx.passed
}

// record hands the transaction over at its end, if it is to be recorded.
func (v *Visit) record() {
	tx := v.tx
	if tx.keeping.seen == nil {
		return
	}
	v.e.o.Recorder.Record(&Draft{e: v.e, tx: tx, client: v.client, us: v.us})
}

// maxNotes bounds what is noted of a visit.
const maxNotes = 256

// notes are the answers that a visit had from outside, as they came. A nil *notes takes
// nothing. The methods that add are called from the goroutines of look-ups; what comes when
// nobody waits any more is left out.
type notes struct {
	mu      sync.Mutex
	dns     []noted
	reverse *resolver.Reverse
	spf     *spf.Result
	lists   []notedList
}

// A noted is one question to DNS.
type noted struct {
	at     stage
	name   string
	qtype  uint16
	answer resolver.Answer
}

// A notedList is what one list said of a subject.
type notedList struct {
	subject dnsbl.Subject
	answer  dnsbl.Answer
}

// startNotes is called before the first question of a visit goes out.
func (v *Visit) startNotes() {
	if v.notes == nil && v.recorded() {
		v.notes = new(notes)
	}
}

// count is how many answers of DNS there are.
func (n *notes) count() int {
	if n == nil {
		return 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dns)
}

func (n *notes) add(ctx context.Context, at stage, name string, qtype uint16, a resolver.Answer) {
	if n == nil || ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.dns { // asked again: the last answer is the one that counts
		if o := &n.dns[i]; o.name == name && o.qtype == qtype {
			o.answer, o.at = a, min(o.at, at)
			return
		}
	}
	if len(n.dns) < maxNotes {
		n.dns = append(n.dns, noted{at, name, qtype, a})
	}
}

func (n *notes) setReverse(ctx context.Context, r resolver.Reverse) {
	if n == nil || ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	own := r // which alone is on the heap, where there is somebody to keep it
	n.reverse = &own
}

func (n *notes) setSPF(ctx context.Context, r spf.Result) {
	if n == nil || ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	own := r
	n.spf = &own
}

// addLists notes those of a partial result that are new.
func (n *notes) addLists(ctx context.Context, sub dnsbl.Subject, answers []dnsbl.Answer) {
	if n == nil || ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range answers {
		if a := &answers[i]; a.Reason != dnsbl.Pending && !n.hasList(sub, a.List) && len(n.lists) < maxNotes {
			n.lists = append(n.lists, notedList{sub, *a})
		}
	}
}

func (n *notes) hasList(sub dnsbl.Subject, l *dnsbl.List) bool {
	for i := range n.lists {
		if o := &n.lists[i]; o.answer.List == l && o.subject == sub {
			return true
		}
	}
	return false
}

// forgetMail lets go of what was noted of the transaction before.
func (n *notes) forgetMail() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	kept := n.dns[:0]
	for _, o := range n.dns {
		if o.at < atMail {
			kept = append(kept, o)
		}
	}
	n.dns, n.spf = kept, nil
	lists := n.lists[:0]
	for _, o := range n.lists {
		if o.subject.Stage != dnsbl.Mail && o.subject.Stage != dnsbl.Bounce {
			lists = append(lists, o)
		}
	}
	n.lists = lists
}

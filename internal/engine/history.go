package engine

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/memory"
	"mailprofiled/profile"
)

// A ServerMemory remembers how servers behaved; *memory.Servers is one. It is called from
// many goroutines, on the way to a reply: it must not wait for anything.
type ServerMemory interface {
	Subject(client netip.Addr, operator string) memory.Subject
	Standing(*memory.Subject, time.Time) memory.Standing
	Note(*memory.Subject, *memory.Event, time.Time)
}

// A deed is what a transaction shows of the server, for its memory.
type deed struct {
	subject memory.Subject
	known   bool // subject is
	good    bool // its history is

	behaved int  // recipients that go on, and against whom nothing speaks
	through bool // one went on in truth: it was not only said so
	ended   bool // the message was taken
	refused int
	unknown int
	trapped int
}

// remembers reports whether the visit is one that servers are remembered by.
func (v *Visit) remembers() bool {
	return v.e.o.Memory != nil && v.tx.trust == profile.Stranger && v.client.Addr.IsValid()
}

// history asks the memory about the client and its operator.
func (v *Visit) history() (h profile.History) {
	tx := v.tx
	if !v.remembers() {
		return h
	}
	tx.deed.subject, tx.deed.known = v.e.o.Memory.Subject(v.client.Addr, tx.operator), true
	st := v.e.o.Memory.Standing(&tx.deed.subject, v.e.o.Now())
	tx.deed.good = st.Good != ""
	tx.standing = st.Word()
	return profile.History{Good: st.Good, Bad: st.Bad, New: st.New, Helos: st.Helos}
}

// noteAnswer notes the answer to a recipient. Who is open to everybody, and what is
// refused by a limit, says nothing of the server.
func (v *Visit) noteAnswer(rcpt *profile.Recipient, verdict *profile.Verdict) {
	d := &v.tx.deed
	if rcpt == nil || rcpt.Exempt || profile.AlwaysOpen(rcpt.Raw, v.us) {
		return
	}
	for i := range verdict.Findings {
		if f := &verdict.Findings[i]; f.ID == "rcpt-unknown" && !v.tx.path.Null {
			d.unknown++
			return
		}
	}
	switch verdict.Action {
	case profile.Continue:
		d.behaved++
	case profile.Reject:
		if verdict.Score >= v.e.o.Policy.RejectScore {
			d.refused++
		}
	}
	d.through = d.through || verdict.Action == profile.Continue || v.e.o.Monitor
}

// noteRefused notes a recipient that the MTA refuses itself: one who does not exist
// (RFC 3463 section 3.2), and nothing else, speaks against the server. A bounce for a
// sender that was made up says nothing of who returns it.
func (v *Visit) noteRefused(r *Rcpt) {
	if (r.Status == "5.1.1" || r.Status == "5.1.10") && !v.tx.path.Null {
		v.tx.deed.unknown++
	}
}

// NoteTrap notes a recipient who is a trap: an address that never was anybody's.
func (v *Visit) NoteTrap() {
	if v.tx != nil {
		v.tx.deed.trapped++
	}
}

// remember tells the memory what the transaction has shown, at its end.
func (v *Visit) remember() {
	tx := v.tx
	if v.quiet && v.given == nil || !v.remembers() {
		return
	}
	d := &tx.deed
	if !d.known { // it was not judged
		v.facts()
	}
	e := memory.Event{
		Visit: v.transactions == 1, Refused: d.refused, Unknown: d.unknown, Trapped: d.trapped,
		Deferred: tx.deferred > 0, Returned: tx.called && tx.caller.CameBack(),
		Helo: v.strayHelo(), From: tx.session.Sender.Domain,
	}
	if d.ended {
		e.Taken, e.Met = d.behaved, d.through
	}
	e.Listed = v.listedForGood()
	now := v.e.o.Now()
	v.e.o.Memory.Note(&d.subject, &e, now)
	if v.e.o.Recent != nil {
		v.e.o.Recent.Note(tx.id, &d.subject)
	}
}

// listedForGood reports whether a list that counts has something against the address which
// is beyond doubt by now. What is not is noted when it comes to be so: a list that went mad
// must not leave its marks on servers that it never should have had. In replay, lists are
// tested once and before, and that has to do.
func (v *Visit) listedForGood() bool {
	tx := v.tx
	if tx.judgement == nil {
		return false
	}
	var once sync.Once
	subject, now, servers := tx.deed.subject, v.e.o.Now, v.e.o.Memory
	note := func() {
		once.Do(func() { servers.Note(&subject, &memory.Event{Listed: true}, now()) })
	}
	for i := range tx.judgement.Findings {
		f := &tx.judgement.Findings[i]
		id, ok := strings.CutPrefix(f.ID, "dnsbl:")
		if !ok || f.Points <= 0 {
			continue
		}
		if v.e.o.ListWatch == nil || v.given != nil || v.e.o.ListWatch.AfterTest(id, tx.heardOf(id), note) {
			once.Do(func() {}) // those that wait have nothing to add
			return true
		}
	}
	return false
}

// heardOf is when the last hit of a list came.
func (tx *transaction) heardOf(id string) (last time.Time) {
	for i := range tx.listHits {
		if h := &tx.listHits[i]; h.list.ID == id && h.accuses() && h.heard.After(last) {
			last = h.heard
		}
	}
	return last
}

// strayHelo is the registered domain of a HELO name that is known to lead elsewhere, "" for
// others: a server may have many names if they are its own. Where the answer about the
// client's kind of address is missing or old, nothing is known.
func (v *Visit) strayHelo() string {
	s := &v.tx.session
	h := &s.Helo.Host
	ofKind := h.AAAA
	if v.client.Addr.Is4() {
		ofKind = h.A
	}
	if s.Helo.Given != profile.Shown || !ofKind.Known() || h.Stale {
		return ""
	}
	name, ok := profile.HeloHost(s.Helo.Name)
	if !ok {
		return ""
	}
	for _, addr := range h.Addrs {
		if addr.Unmap() == v.client.Addr {
			return ""
		}
	}
	if domain := profile.OrgDomain(name); domain != v.tx.operator {
		return domain
	}
	return ""
}

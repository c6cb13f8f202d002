package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// This file asks the DNS lists about the client and the names that it goes by, and
// turns what they say into profile's facts.

// PastCache lets the lists ask a resolver past its cache: they keep what they were
// answered in a smaller form of their own.
type PastCache struct{ Resolver *resolver.Resolver }

// A asks for the addresses of a name.
func (p PastCache) A(ctx context.Context, name string) dnsbl.Reply {
	return replyOf(p.Resolver.Fresh(ctx, name, dns.TypeA))
}

// TXT asks for its texts.
func (p PastCache) TXT(ctx context.Context, name string) dnsbl.Reply {
	return replyOf(p.Resolver.Fresh(ctx, name, dns.TypeTXT))
}

func replyOf(a resolver.Answer) dnsbl.Reply {
	r := dnsbl.Reply{Addrs: a.Addrs, Texts: a.Texts, Reason: a.Reason, Stale: a.Stale, Expires: a.Expires, Took: a.Took}
	switch a.Outcome {
	case resolver.Found:
		r.Outcome = dnsbl.Found
	case resolver.NoData, resolver.NoName:
		r.Outcome = dnsbl.None
	}
	return r
}

// A ListWatch learns from visits how well the lists are; dnsbl.Health is one. It is
// called from many goroutines, on the way to a reply.
type ListWatch interface {
	Judged(dnsbl.VisitSeen)
	// Confirm reports whether a list that hit still does not list what it cannot list.
	Confirm(ctx context.Context, id string, kind dnsbl.Asks) bool
	// Swayed is told of a verdict that would have been milder, or else harsher, had
	// that list been silent.
	Swayed(id string, harsher bool)
}

// A listHit is one list's answer that profile is to know of.
type listHit struct {
	profile.ListHit
	list    *dnsbl.List
	subject dnsbl.Subject
}

// clientLists are the questions to the lists about a visit, by what they are about.
type clientLists struct {
	connect, ptr, helo *asked[[]listHit]
}

// asksAtOnce reports whether the lists are asked as soon as there is something to
// ask. Who comes to a submission door is about to log in, and then is no stranger:
// there they wait for MAIL.
func (v *Visit) asksAtOnce() bool {
	return v.client.Door == nil || v.client.Door.Role != RoleSubmission
}

// askLists starts the questions of all lists about subjects.
func (v *Visit) askLists(subjects ...dnsbl.Subject) *asked[[]listHit] {
	pending, complete := v.knownLists(subjects)
	if complete {
		return known(pending)
	}
	return start(v, pending, func(ctx context.Context, set func([]listHit)) {
		set(v.lookupLists(ctx, subjects))
	})
}

// knownLists reads what the cache holds, and reports whether that is all. What is
// missing stands in the hits as unknown.
func (v *Visit) knownLists(subjects []dnsbl.Subject) (hits []listHit, complete bool) {
	var room [24]dnsbl.Answer
	complete = true
	for _, sub := range subjects {
		answers, all := v.e.o.Lists.Known(sub, room[:0])
		complete = complete && (all && v.trace == nil || len(answers) == 0)
		hits = appendHits(hits, sub, answers)
	}
	return hits, complete
}

// lookupLists asks the lists about all subjects together.
func (v *Visit) lookupLists(ctx context.Context, subjects []dnsbl.Subject) []listHit {
	answers := make([][]dnsbl.Answer, len(subjects))
	asks := make([]func(), len(subjects))
	for i, sub := range subjects {
		asks[i] = func() { answers[i] = v.e.o.Lists.Ask(ctx, sub, nil) }
	}
	together(asks...)
	var hits []listHit
	for i, sub := range subjects {
		v.trace.lists(v.e.o.Lists, sub, answers[i])
		hits = appendHits(hits, sub, answers[i])
	}
	return hits
}

// appendHits appends what lists say of a subject, as far as it may matter.
func appendHits(hits []listHit, sub dnsbl.Subject, answers []dnsbl.Answer) []listHit {
	for i := range answers {
		a := &answers[i]
		h := profile.ListHit{Group: a.List.Group, Points: a.Points(), Stale: a.Stale}
		if (a.State == dnsbl.Unknown || a.Stale) && a.List.Lift() < 0 {
			possible := profile.ListHit{ID: "dnswl:" + a.List.ID, Group: h.Group, Points: a.List.Lift(), Possible: true}
			hits = append(hits, listHit{possible, a.List, sub})
		}
		switch {
		case a.State != dnsbl.Hit || h.Points == 0:
			continue
		case h.Points < 0:
			h.ID = "dnswl:" + a.List.ID
		case sub.Name != "":
			h.ID = "rhsbl:" + a.List.ID
		default:
			h.ID = "dnsbl:" + a.List.ID
		}
		h.Detail, h.Text = told(sub, a)
		h.URL = a.List.Delist
		hits = append(hits, listHit{h, a.List, sub})
	}
	return hits
}

// told words an answer for the operator, and its heaviest code for the client.
func told(sub dnsbl.Subject, a *dnsbl.Answer) (detail, meaning string) {
	var b strings.Builder
	if sub.Name != "" {
		b.WriteString(sub.Name + ": ")
	}
	var heaviest *dnsbl.Code
	for i, m := range a.Matches {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.Addr.String())
		if m.Code == nil {
			continue
		}
		b.WriteString(" (" + m.Code.Meaning + ")")
		if heaviest == nil || abs(m.Code.Points) > abs(heaviest.Points) {
			heaviest = m.Code
		}
	}
	if heaviest != nil {
		meaning = heaviest.Meaning
	}
	return b.String(), meaning
}

func abs(x float64) float64 { return max(x, -x) }

// askClientLists starts the questions about the client's address and its PTR names.
func (v *Visit) askClientLists() {
	if v.e.o.Lists == nil {
		return
	}
	v.lists.connect = v.askLists(dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Connect})
	v.askPTRLists()
}

// askPTRLists starts the questions about the confirmed names of the client, when
// these are known.
func (v *Visit) askPTRLists() {
	reverse := v.rdns
	if over(reverse.done) {
		v.lists.ptr = v.askLists(v.ptrSubjects(&reverse.value)...)
		return
	}
	// Until the names are known, a list of names might say anything good of them.
	pending, _ := v.knownLists([]dnsbl.Subject{{Name: unknownName, Stage: dnsbl.PTR}})
	v.lists.ptr = start(v, pending, func(ctx context.Context, set func([]listHit)) {
		select {
		case <-reverse.done:
		case <-ctx.Done():
			return
		}
		v.mu.Lock()
		rdns := reverse.value
		v.mu.Unlock()
		if subjects := v.ptrSubjects(&rdns); len(subjects) > 0 {
			set(v.lookupLists(ctx, subjects))
		} else {
			set(nil)
		}
	})
}

// unknownName stands for a name that is not known: nobody has it (RFC 6761 section
// 6.4), so nothing is known of it.
const unknownName = "unknown.invalid"

// maxListNames bounds the PTR names that lists are asked about: each is a question
// to each list.
const maxListNames = 3

func (v *Visit) ptrSubjects(r *profile.RDNS) (subjects []dnsbl.Subject) {
	for _, name := range r.Names {
		if name.Forward == profile.Confirmed && len(subjects) < maxListNames {
			subjects = append(subjects, dnsbl.Subject{Name: name.Name, Stage: dnsbl.PTR})
		}
	}
	return subjects
}

// askHeloLists starts the questions about the HELO name.
func (v *Visit) askHeloLists(name string) {
	if v.lists.helo != nil {
		v.lists.helo.letGo()
		v.lists.helo = nil
	}
	if v.e.o.Lists == nil || v.trust != profile.Stranger {
		return
	}
	if host, ok := profile.HeloHost(name); ok {
		v.lists.helo = v.askLists(dnsbl.Subject{Name: host, Stage: dnsbl.Helo})
	}
}

// askMailLists starts the questions about the sender's domain, for a null sender
// those of the address that mean something then, and those of the visit that have
// not been asked, or not lately.
func (v *Visit) askMailLists() {
	if v.e.o.Lists == nil {
		return
	}
	again := v.transactions > 1 // what was asked may have expired, or failed
	if v.lists.connect == nil || again && over(v.lists.connect.done) && over(v.lists.ptr.done) {
		v.askClientLists()
	}
	if v.lists.helo == nil || again && over(v.lists.helo.done) {
		v.askHeloLists(v.heloName())
	}
	switch path := &v.tx.path; {
	case path.Given != profile.Shown:
	case path.Null:
		v.tx.lists = v.askLists(dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Bounce})
	case path.Domain != "":
		v.tx.lists = v.askLists(dnsbl.Subject{Name: path.Domain, Stage: dnsbl.Mail})
	}
}

// outLists gives what is asked of the lists; elements may be nil.
func (v *Visit) outLists() [4]*asked[[]listHit] {
	return [...]*asked[[]listHit]{v.lists.connect, v.lists.ptr, v.lists.helo, v.tx.lists}
}

// listFacts are hits as profile judges them.
func listFacts(hits []listHit) []profile.ListHit {
	if len(hits) == 0 {
		return nil
	}
	facts := make([]profile.ListHit, len(hits))
	for i := range hits {
		facts[i] = hits[i].ListHit
	}
	return facts
}

// listHits are the hits of all lists in their order, which breaks ties of who
// speaks. The visit's mu is held.
func (v *Visit) listHits() []listHit {
	var all []listHit
	for _, a := range v.outLists() {
		if a != nil {
			all = append(all, a.value...)
		}
	}
	if len(all) > 1 {
		lists := v.e.o.Lists.Lists()
		place := func(h listHit) int {
			return slices.IndexFunc(lists, func(l dnsbl.List) bool { return l.ID == h.list.ID })
		}
		slices.SortStableFunc(all, func(a, b listHit) int { return place(a) - place(b) })
	}
	return all
}

// lists notes the questions about a subject, with {key} where a key stands in them.
func (t *trace) lists(set *dnsbl.Set, sub dnsbl.Subject, answers []dnsbl.Answer) {
	if t == nil {
		return
	}
	at := atConnect
	switch sub.Stage {
	case dnsbl.Helo:
		at = atHelo
	case dnsbl.Mail, dnsbl.Bounce:
		at = atMail
	}
	for i := range answers {
		a := &answers[i]
		t.add(at, RecordLookup{
			Question: set.Question(sub, a.List), Type: "A", Answer: listAnswerText(a),
			Source: source(a.Cached), MS: inMS(a.Took), Stale: a.Stale,
		})
	}
}

func listAnswerText(a *dnsbl.Answer) []string {
	texts := make([]string, 0, len(a.Matches))
	for _, m := range a.Matches {
		texts = append(texts, m.Addr.String())
	}
	switch {
	case a.State == dnsbl.Unknown && len(texts) == 0:
		return []string{"unknown: " + a.Reason}
	case len(texts) == 0:
		return []string{"none"}
	}
	return texts
}

// confirmLists asks, where lists alone make the answer harsher, whether these have
// not just gone mad: a client without a fault of its own shall not be the one by
// whom that is found out. What cannot be confirmed in time is unknown.
func (v *Visit) confirmLists(deadline time.Time) {
	tx, watch := v.tx, v.e.o.ListWatch
	if watch == nil || !slices.ContainsFunc(tx.listHits, accuses) {
		return
	}
	without := tx.session
	without.Lists = listFacts(slices.DeleteFunc(slices.Clone(tx.listHits), accuses))
	verdict := tx.judgement.Decide(nil, false)
	if profile.Judge(&without, v.e.o.Policy).Decide(nil, false).Action >= verdict.Action {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline.Sub(v.e.o.Now()))
	defer cancel()
	confirmed := make([]bool, len(tx.listHits))
	var asks []func()
	for i, h := range tx.listHits {
		if accuses(h) {
			asks = append(asks, func() { confirmed[i] = watch.Confirm(ctx, h.list.ID, kindOf(h.subject)) })
		}
	}
	together(asks...)
	hits := tx.listHits[:0:0]
	for i, h := range tx.listHits {
		if !accuses(h) || confirmed[i] {
			hits = append(hits, h)
		}
	}
	if len(hits) < len(tx.listHits) {
		tx.listHits = hits
		tx.session.Lists = listFacts(hits)
		tx.judgement = profile.Judge(&tx.session, v.e.o.Policy)
	}
}

// accuses reports whether a hit speaks against the client.
func accuses(h listHit) bool { return !h.Possible && h.Points > 0 }

func kindOf(sub dnsbl.Subject) dnsbl.Asks {
	switch {
	case sub.Name != "":
		return dnsbl.Domain
	case sub.Addr.Unmap().Is4():
		return dnsbl.IP4
	}
	return dnsbl.IP6
}

// watchLists tells the health of the lists of a judged visit.
func (v *Visit) watchLists(hits []listHit) {
	if v.e.o.ListWatch == nil || v.trace != nil || v.lists.connect == nil {
		return
	}
	seen := dnsbl.VisitSeen{Client: v.client.Addr, Clean: true, Hit: hitLists(hits)}
	for _, f := range v.tx.judgement.Findings {
		switch {
		case strings.HasPrefix(f.ID, "dnswl:") || f.ID == "local-allow":
			seen.Trusted = true
		case f.Points > 0 && !strings.HasPrefix(f.ID, "dnsbl:") && !strings.HasPrefix(f.ID, "rhsbl:"):
			seen.Clean = false
		}
	}
	v.e.o.ListWatch.Judged(seen)
}

// hitLists are the ids of the lists that hit, each once.
func hitLists(hits []listHit) []string {
	var ids []string
	for _, h := range hits {
		if !h.Possible && !slices.Contains(ids, h.list.ID) {
			ids = append(ids, h.list.ID)
		}
	}
	return ids
}

// swayed tells, list by list, whether a verdict would have been another one had
// that list been silent.
func (v *Visit) swayed(rcpt *profile.Recipient, verdict *profile.Verdict) {
	if v.e.o.ListWatch == nil || v.trace != nil || len(v.tx.session.Lists) == 0 {
		return
	}
	for _, id := range hitLists(v.tx.listHits) {
		without := v.tx.session
		without.Lists = nil
		for _, h := range v.tx.listHits {
			if h.list.ID != id {
				without.Lists = append(without.Lists, h.ListHit)
			}
		}
		other := profile.Judge(&without, v.e.o.Policy).Decide(rcpt, v.tx.passed)
		if other.Action != verdict.Action {
			v.e.o.ListWatch.Swayed(id, verdict.Action > other.Action)
		}
	}
}

// sampleEvery is one in how many trusted visits whose address the lists are asked
// about for the lists' own sake (law 4).
const sampleEvery = 16

// sampleLists asks the lists about a trusted client now and then: one that lists
// those has gone mad. Nobody waits for it, and it judges nothing.
func (v *Visit) sampleLists() {
	e := v.e
	if e.o.Lists == nil || e.o.ListWatch == nil || v.trace != nil || !v.client.Addr.IsValid() || e.trusted.Add(1)%sampleEvery != 1 {
		return
	}
	sub := dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Connect}
	if _, complete := v.knownLists([]dnsbl.Subject{sub}); complete {
		return // known to it, or nothing to ask
	}
	start(v, nil, func(ctx context.Context, _ func([]listHit)) {
		hits := v.lookupLists(ctx, []dnsbl.Subject{sub})
		if ctx.Err() == nil {
			e.o.ListWatch.Judged(dnsbl.VisitSeen{Client: sub.Addr, Hit: hitLists(hits), Trusted: true})
		}
	})
}

// ownWords lets the list that speaks say its own words, where the operator wants
// that: they are asked for only now, until the deadline.
func (v *Visit) ownWords(verdict profile.Verdict, rcpt *profile.Recipient, deadline time.Time) profile.Verdict {
	tx := v.tx
	i := slices.IndexFunc(tx.listHits, func(h listHit) bool { return h.ID == verdict.Speaker && h.list.Text && !h.Possible })
	if i < 0 || tx.worded {
		return verdict
	}
	tx.worded = true // once in a transaction: the others say the same
	ctx, cancel := context.WithTimeout(context.Background(), deadline.Sub(v.e.o.Now()))
	defer cancel()
	text := v.e.o.Lists.Text(ctx, tx.listHits[i].subject, tx.listHits[i].list.ID)
	if text == "" {
		return verdict
	}
	tx.session.Lists = slices.Clone(tx.session.Lists)
	tx.session.Lists[i].Text = text
	tx.judgement = profile.Judge(&tx.session, v.e.o.Policy)
	return tx.judgement.Decide(rcpt, tx.passed)
}

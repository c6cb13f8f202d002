package spf

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
)

// What one check may ask. A record that obeys RFC 7208 section 4.6.4 stays below:
// its own question, 10 terms, and 10 addresses for each.
const (
	mostTerms     = 10 // terms asked ahead; the library counts those it evaluates
	mostHosts     = 10 // of an mx or ptr
	mostQuestions = 1 + mostTerms*(1+mostHosts)
)

type rrtype uint8

const (
	typeTXT rrtype = iota
	typeMX
	typeA
	typeAAAA
	typePTR
)

var typeNames = [...]string{"TXT", "MX", "A", "AAAA", "PTR"}

// A question is asked once in a check, whoever needs the answer.
type question struct {
	rrtype rrtype
	name   string // as a Resolver is asked; "" of PTR, which is about the client
}

// An inquiry is a question and, once done is closed, its answer.
type inquiry struct {
	question
	done   chan struct{}
	answer Answer
	policy policy // of TXT
	used   bool   // the evaluation has looked at it; its goroutine alone touches this
}

// A policy is what the TXT records of a name say.
type policy struct {
	records int
	record  *record // when there is one, and no error
	err     error   // of its syntax
}

// An asker asks what a check needs, and ahead of need what the records that come
// in lead to. What it starts ends with stop.
type asker struct {
	subject  *subject
	resolver Resolver
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	serial   bool // ask nothing ahead

	mu        sync.Mutex
	inquiries map[question]*inquiry
	order     []*inquiry
	ahead     int // terms asked ahead
	panicked  any
}

func newAsker(ctx context.Context, r Resolver, s *subject) *asker {
	a := &asker{subject: s, resolver: r, inquiries: map[question]*inquiry{}}
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a
}

// stop ends what is still out. A panic of a resolver asked ahead goes on here,
// where the caller of the check can contain it.
func (a *asker) stop() {
	a.cancel()
	a.work.Wait()
	if a.panicked != nil {
		panic(a.panicked)
	}
}

// ask gives the answer to q. It waits.
func (a *asker) ask(q question) *inquiry {
	in, started := a.begin(q)
	if started {
		a.settle(in, false)
	}
	<-in.done
	return in
}

// begin finds the inquiry of q or opens it; who opens it must settle it.
func (a *asker) begin(q question) (in *inquiry, opened bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if in := a.inquiries[q]; in != nil {
		return in, false
	}
	in = &inquiry{question: q, done: make(chan struct{})}
	if len(a.order) >= mostQuestions {
		in.answer = Answer{Reason: "too many questions"}
		close(in.done)
		return in, false
	}
	a.inquiries[q] = in
	a.order = append(a.order, in)
	return in, true
}

// askAhead starts q without waiting for it.
func (a *asker) askAhead(q question) {
	in, started := a.begin(q)
	if !started {
		return
	}
	a.work.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				a.mu.Lock()
				a.panicked = p
				a.mu.Unlock()
			}
		}()
		a.settle(in, true)
	})
}

// settle asks the resolver, and ahead for what the answer leads to.
func (a *asker) settle(in *inquiry, ahead bool) {
	defer close(in.done)
	in.answer = a.resolve(in.question)
	if in.answer.Status != Found {
		return
	}
	switch in.rrtype {
	case typeTXT:
		in.policy = policyOf(in.name, in.answer.Texts)
		if in.policy.record != nil {
			a.followTerms(in.policy.record, in.name, ahead)
		}
	case typeMX, typePTR:
		a.followHosts(in.answer.Names, ahead)
	}
}

func (a *asker) resolve(q question) Answer {
	switch q.rrtype {
	case typeTXT:
		return a.resolver.TXT(a.ctx, q.name)
	case typeMX:
		return a.resolver.MX(a.ctx, q.name)
	case typePTR:
		return a.resolver.PTR(a.ctx, a.subject.client)
	}
	return a.resolver.Addrs(a.ctx, q.name, q.rrtype == typeAAAA)
}

func policyOf(name string, texts []string) policy {
	records := selected(texts)
	p := policy{records: len(records)}
	if len(records) == 1 {
		p.record, p.err = parse(records[0])
		if p.err != nil {
			p.err = fmt.Errorf("the record of %s: %w", name, p.err)
		}
	}
	return p
}

// followTerms asks ahead for the terms of a record. If the evaluation itself
// waits for this record (not ahead), it asks for the first term at once, and
// nothing is won by doing so here.
func (a *asker) followTerms(r *record, domain string, ahead bool) {
	if a.serial {
		return
	}
	for i, q := range a.subject.leads(r, domain) {
		if !a.room(q) {
			return
		}
		if q != unforeseen && (i > 0 || ahead) {
			a.askAhead(q)
		}
	}
}

// room takes one of the terms that may be asked for ahead, unless it is asked
// for already. It is false when there is none left.
func (a *asker) room(q question) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.inquiries[q] != nil:
		return true
	case a.ahead >= mostTerms:
		return false
	}
	a.ahead++
	return true
}

// followHosts asks ahead for the addresses of exchangers, or of the client's names.
func (a *asker) followHosts(hosts []string, ahead bool) {
	if a.serial || len(hosts) > mostHosts {
		return
	}
	for i, host := range hosts {
		if name, ok := asked(host); ok && (i > 0 || ahead) {
			a.askAhead(question{a.subject.addrType(), name})
		}
	}
}

// addrType is of the addresses that can be the client's.
func (s *subject) addrType() rrtype {
	if s.client.Is4() {
		return typeA
	}
	return typeAAAA
}

// unforeseen stands for a question that depends on macros.
var unforeseen question

// leads lists the questions of r's terms in their order, up to the term that
// surely decides.
func (s *subject) leads(r *record, domain string) (qs []question) {
	for _, t := range r.terms {
		switch t.kind {
		case kindAll:
			return qs
		case kindIP:
			if t.network.Contains(s.client) {
				return qs
			}
		case kindPTR:
			qs = append(qs, question{rrtype: typePTR})
		default:
			qs = append(qs, s.question(s.asks(t.kind), t.spec, domain))
		}
	}
	if r.redirect != "" {
		qs = append(qs, s.question(typeTXT, r.redirect, domain))
	}
	return qs
}

// asks is the type of question of a mechanism.
func (s *subject) asks(k kind) rrtype {
	switch k {
	case kindInclude:
		return typeTXT
	case kindMX:
		return typeMX
	case kindExists:
		return typeA // whatever the client has: RFC 7208 section 5.7
	}
	return s.addrType()
}

func (s *subject) question(t rrtype, spec, domain string) question {
	if spec == "" {
		return question{t, domain}
	}
	target, ok := s.foresee(spec, domain)
	if !ok {
		return unforeseen
	}
	name, ok := asked(target)
	if !ok {
		return unforeseen
	}
	return question{t, name}
}

// lookup is an inquiry for the reader of a result.
func (in *inquiry) lookup(client netip.Addr) Lookup {
	l := Lookup{Type: typeNames[in.rrtype], Name: in.name, Answer: in.answer, Used: in.used}
	if in.rrtype == typePTR {
		l.Name = client.String()
	}
	return l
}

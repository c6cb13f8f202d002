package spf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	library "blitiri.com.ar/go/spf"
)

// What is handed to the library is not quite what the client and the domain
// wrote. Each stand-in is a control character, which neither can write.
const (
	existsMark = "\x1d" // before a target of exists, which asks for A whatever the client has
	never      = "\x1e" // for an @, at the first of which the library splits, and for control characters: no name has them
	slash      = "\x1f" // in a domain-spec: the library takes any for a mask
)

// masked makes what a client sent safe to be put into a macro.
func masked(s string) string {
	if !strings.ContainsFunc(s, unsafe) {
		return s
	}
	b := []byte(s)
	for i, c := range b { // octets, for it need not be UTF-8
		if unsafe(rune(c)) {
			b[i] = never[0]
		}
	}
	return string(b)
}

func unsafe(r rune) bool { return r == '@' || r < ' ' || r == 0x7f }

// An evaluation gives the library what it asks for, and takes note of it.
type evaluation struct {
	*asker
	doubt    Outcome  // what a result against the client comes to in the end; NotAsked: the result itself
	doubtful string   // why
	trouble  string   // the question that failed last
	trail    []string // the terms that decided, the innermost first
	plusAll  bool     // a record that was read has "+all", of which the library tells "all"
	ptrNames []string
	by       letters
}

// check evaluates the record of s.domain.
func (s *subject) check(ctx context.Context, r Resolver) Result {
	return newAsker(ctx, r, s).evaluate()
}

func (a *asker) evaluate() Result {
	defer a.stop()
	e := &evaluation{asker: a}
	got, err := library.CheckHostWithSender(net.IP(a.subject.client.AsSlice()), a.subject.helo, a.subject.local+"@"+a.subject.domain,
		library.WithContext(a.ctx), library.WithResolver(e), library.WithTraceFunc(e.trace))
	a.cancel()
	a.work.Wait()
	return e.result(got, err)
}

var results = map[library.Result]Outcome{
	library.None: None, library.Neutral: Neutral, library.Pass: Pass, library.Fail: Fail,
	library.SoftFail: SoftFail, library.TempError: TempError, library.PermError: PermError,
}

// result words what the library found.
func (e *evaluation) result(got library.Result, err error) Result {
	s := e.subject
	r := Result{Outcome: results[got], Identity: s.identity, Domain: s.domain, by: e.by, ByLocal: e.by.local()}
	switch r.Outcome {
	case Fail, SoftFail, PermError:
		if e.doubt != NotAsked {
			r.Outcome, r.Reason = e.doubt, e.doubtful
		}
	}
	switch r.Outcome {
	case NotAsked: // a result that RFC 7208 does not have
		r.Outcome, r.Reason = TempError, "evaluation: "+clip(fmt.Sprint(err))
	case None:
		r.Reason = "no SPF record"
	case TempError:
		if r.Reason == "" {
			r.Reason = e.trouble
		}
	case PermError:
		r.Reason = clip(explain(err))
	default:
		r.Mechanism = clip(strings.Join(e.trail, ", "))
		if len(e.trail) == 0 && r.Reason == "" {
			r.Reason = "no term matched"
		}
	}
	root := e.inquiries[question{typeTXT, s.domain}]
	r.Never = r.Outcome == Fail && root != nil && root.policy.record != nil && root.policy.record.never
	e.account(&r)
	return r
}

// explain words an error of the library for an operator.
func explain(err error) string {
	switch {
	case err == nil:
		return "no reason given"
	case errors.Is(err, library.ErrLookupLimitReached):
		return "more than 10 terms that ask the DNS"
	case errors.Is(err, library.ErrVoidLookupLimitReached):
		return "more than 2 terms that find nothing in the DNS"
	case errors.Is(err, library.ErrMultipleRecords):
		return "several SPF records"
	case errors.Is(err, library.ErrTooManyMXRecords):
		return "more than 10 mail exchangers"
	case errors.Is(err, library.ErrNoResult):
		return "leads to a domain without an SPF record"
	}
	return err.Error()
}

// account adds up the answers that the result rests on.
func (e *evaluation) account(r *Result) {
	first := true
	for _, in := range e.order {
		if in.used || in.answer.Status != Failed { // others were called off
			r.Lookups = append(r.Lookups, in.lookup(e.subject.client))
		}
		if !in.used {
			continue
		}
		r.Stale = r.Stale || in.answer.Stale
		if first || in.answer.Expires.Before(r.expires) {
			r.expires, first = in.answer.Expires, false
		}
	}
}

// use asks q for the evaluation.
func (e *evaluation) use(q question) *inquiry {
	in := e.ask(q)
	in.used = true
	return in
}

var errNotFound = &net.DNSError{Err: "not found", IsNotFound: true}

// temporary is the error of a failed question: the only ones that the library
// takes for trouble of the DNS.
func (e *evaluation) temporary(in *inquiry, reason string) error {
	l := in.lookup(e.subject.client)
	e.trouble = clip(l.Type + " " + l.Name + ": " + reason)
	return &net.DNSError{Err: reason, Name: l.Name, IsTemporary: true}
}

// unsure: from here on, a result against the client could be wrong, and comes to
// instead.
func (e *evaluation) unsure(instead Outcome, why string) {
	if e.doubt != TempError {
		e.doubt, e.doubtful = instead, why
	}
}

// LookupTXT gives the library the one record of a name, if it has one, as far as
// it can concern the client.
func (e *evaluation) LookupTXT(_ context.Context, target string) ([]string, error) {
	name, ok := asked(restored(target))
	if !ok {
		return nil, errNotFound
	}
	in := e.use(question{typeTXT, name})
	switch p := in.policy; {
	case in.answer.Status == Failed:
		return nil, e.temporary(in, in.answer.Reason)
	case in.answer.Status == NoName:
		return nil, errNotFound
	case in.answer.Status == NoData:
		return nil, nil
	case p.err != nil:
		return nil, p.err
	case p.records > 1:
		return nil, library.ErrMultipleRecords
	case p.record != nil:
		return []string{e.compile(p.record, name)}, nil
	case in.answer.Partial: // the record may be among the rest
		return nil, e.temporary(in, "more records than are read")
	}
	return nil, nil
}

// compile writes the record of a domain for the library: without the networks
// that do not have the client, and without what stands behind the term that
// surely decides.
func (e *evaluation) compile(r *record, domain string) string {
	e.by |= r.letters
	if r.letters&odd != 0 {
		e.unsure(Neutral, "the record of "+clip(domain)+" has a macro of a kind that is not expanded")
	}
	written := func(spec string) string {
		if r.letters.has('p') {
			spec = e.withClientName(spec, domain)
		}
		return strings.ReplaceAll(spec, "/", slash)
	}
	b := []byte("v=spf1")
	for _, t := range r.terms {
		if t.kind == kindIP && !t.network.Contains(e.subject.client) {
			continue
		}
		name := t.name
		if t.qualifier == "+" {
			name = plussed(name)
			e.plusAll = e.plusAll || t.kind == kindAll
		}
		b = append(append(append(b, ' '), t.qualifier...), name...)
		switch {
		case t.kind == kindAll:
			return string(b)
		case t.kind == kindIP:
			return string(append(append(b, ':'), t.network.String()...))
		case t.kind == kindExists:
			b = append(append(append(b, ':'), existsMark...), written(t.spec)...)
		case t.spec != "":
			b = append(append(append(b, ':'), written(t.spec)...), t.cidr...)
		default:
			b = append(b, t.cidr...)
		}
	}
	if r.redirect != "" {
		b = append(append(b, " redirect="...), written(r.redirect)...)
	}
	return string(b)
}

func restored(target string) string { return strings.ReplaceAll(target, slash, "/") }

// LookupMX gives the library mail exchangers.
func (e *evaluation) LookupMX(_ context.Context, target string) ([]*net.MX, error) {
	name, ok := asked(restored(target))
	if !ok {
		return nil, errNotFound
	}
	in := e.use(question{typeMX, name})
	if err := e.ended(in); err != nil {
		return nil, err
	}
	mxs := make([]*net.MX, len(in.answer.Names))
	for i, host := range in.answer.Names {
		mxs[i] = &net.MX{Host: host}
	}
	return mxs, nil
}

// LookupIPAddr gives the library those addresses of a name that can matter:
// RFC 7208 section 5 has A asked for clients of IPv4, else AAAA.
func (e *evaluation) LookupIPAddr(_ context.Context, target string) ([]net.IPAddr, error) {
	q := question{rrtype: e.subject.addrType()}
	target, exists := strings.CutPrefix(target, existsMark)
	if exists {
		q.rrtype = typeA
	}
	ok := false
	if q.name, ok = asked(restored(target)); !ok {
		return nil, errNotFound
	}
	in := e.use(q)
	if in.answer.Status == Failed && slices.Contains(e.ptrNames, target) {
		e.failedPTR(in)
	}
	if err := e.ended(in); err != nil {
		return nil, err
	}
	if in.answer.Partial && !exists && !slices.Contains(in.answer.Addrs, e.subject.client) {
		e.unsure(TempError, typeNames[q.rrtype]+" "+clip(q.name)+": more addresses than are read")
	}
	addrs := make([]net.IPAddr, len(in.answer.Addrs))
	for i, addr := range in.answer.Addrs {
		addrs[i].IP = addr.AsSlice()
	}
	return addrs, nil
}

// ended is the error of an answer without records; none for one that is just empty.
func (e *evaluation) ended(in *inquiry) error {
	switch in.answer.Status {
	case Failed:
		return e.temporary(in, in.answer.Reason)
	case NoName:
		return errNotFound
	}
	return nil
}

// trace follows the library's own account of what it does, to name the term that
// decided: it names one when it is done with it, and the includes around it
// directly after. Results do not depend on it.
func (e *evaluation) trace(format string, args ...any) {
	switch format {
	case "all: %v":
		e.trail = append(e.trail[:0], e.qualified("all", args[0]))
	case "%q %v, %v":
		if term, ok := args[0].(string); ok {
			e.trail = append(e.trail, e.qualified(strings.ReplaceAll(restored(term), existsMark, ""), args[1]))
		}
	case "%q: %v, %v": // redirect, a modifier
		if term, ok := args[0].(string); ok {
			e.trail = append(e.trail, restored(term))
		}
	default:
		e.trail = e.trail[:0]
	}
}

var qualifiers = map[any]string{library.Fail: "-", library.SoftFail: "~", library.Neutral: "?"}

// qualified gives a term back the qualifier that the library has taken off: it
// tells what came of the term instead.
func (e *evaluation) qualified(term string, result any) string {
	switch plain := unplussed(term); {
	case plain != term, term == "all" && result == library.Pass && e.plusAll:
		return "+" + plain
	}
	return qualifiers[result] + term
}

// plussed writes the name of a mechanism with "+" in front so that it is known
// again: in capitals, which mean nothing to the library (RFC 7208 section 4.6.1).
func plussed(name string) string { return strings.ToUpper(name) }

// unplussed undoes plussed; it leaves other terms as they are.
func unplussed(term string) string {
	name := term
	if end := strings.IndexAny(term, ":/"); end >= 0 {
		name = term[:end]
	}
	return strings.ToLower(name) + term[len(name):]
}

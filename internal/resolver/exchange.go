package resolver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	typeNS       = dns.TypeNS
	rcodeRefused = dns.RcodeRefused

	maxRounds = 2  // how often one server is asked the same within a question
	maxTries  = 16 // of all servers, rounds, and repeats by TCP or without EDNS0
)

// rcode of a message that has a header.
func rcode(msg []byte) int { return int(msg[3] & 15) }

// truncated reports whether a message says that it was cut.
func truncated(msg []byte) bool { return msg[2]&2 != 0 }

// A try is one query to one server.
type try struct {
	server *server
	owner  owner
	edns   bool
	tcp    bool
	missed bool // it was given up once, though an answer is still welcome
	sent   time.Time
	stop   func()  // lets go of its socket; no reply comes after it that anyone needs
	direct *direct // its socket, if that is its own, and somebody must read there

	// How it ended, set before its owner takes it: with a message that answers
	// the question under its id, or with an error.
	msg []byte
	err error
}

// An owner takes a try that has ended, at most once, from any goroutine. If it
// was read from a socket of its own, next may be one that its reader is to read.
type owner interface{ take(*try) (next *try) }

// An asking is one question going round the servers. It has no goroutine of its
// own: whoever has news - the one who starts it, a reader with a reply, its
// timer, the last waiter who leaves - takes it a step further. So a question
// costs no more changes of goroutine than the network makes necessary: none, if
// one who waits for it reads the reply.
type asking struct {
	r *Resolver
	f *flight

	mu       sync.Mutex // of all below
	over     bool       // the flight has landed
	timer    *time.Timer
	deadline time.Time
	ttl      uint32 // of the CNAMEs behind us
	hops     int    // their number

	q      *question
	order  []*server
	turn   int       // of the rounds through order
	failed []*server // they answered, and it was of no use: not to be asked again
	tries  []*try
	out    int    // tries that have not ended yet
	reason string // the most telling so far

	attended bool // who takes it a step further now can wait at a socket
	unread   *try // and is to do it there
}

// exchange starts the question of f.
func (r *Resolver) exchange(f *flight) {
	a := &f.asking
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.guard()
	if a.over {
		return
	}
	a.ttl, a.deadline, a.attended = noTTL, f.started.Add(r.cfg.Timeout), f.attended
	a.question(f.key.question())
	a.goOn()
}

// question begins to ask for name. a.mu is held, here and below.
func (a *asking) question(name string) {
	q, err := newQuestion(name, a.f.key.qtype)
	if err != nil {
		a.finish(data{outcome: Failed, reason: BadAnswer}, 0)
		return
	}
	a.stop()
	a.q, a.order, a.reason = q, a.r.servers.order(), NoServer
	a.turn, a.failed, a.tries, a.out = 0, nil, nil, 0
	a.next()
}

// take is how a try of ours ended.
func (a *asking) take(t *try) (next *try) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { next, a.unread = a.unread, nil }()
	defer a.guard()
	if a.over || !slices.Contains(a.tries, t) { // it is of a question before this one
		return nil
	}
	a.out--
	a.attended = t.direct != nil
	a.judge(t)
	a.goOn()
	return nil
}

// attend reads the replies to a, where that is left to who waits for it. It
// returns when nothing is to be read any more, or when ctx ends.
func (a *asking) attend(ctx context.Context) {
	a.mu.Lock()
	t := a.unread
	a.unread = nil
	a.mu.Unlock()
	for t != nil {
		next, ok := t.direct.read(ctx, t)
		if !ok {
			a.handOver(t)
			return
		}
		t = next
	}
}

// handOver has t read by a goroutine of ours, as its reader had to go.
func (a *asking) handOver(t *try) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || t.direct.ended.Load() {
		t.server.giveBack(t.direct.conn, false)
		return
	}
	_ = t.direct.conn.SetReadDeadline(time.Time{}) // on an open socket; reading says if not
	a.r.work.Go(func() { readOn(t) })              // the flight is out, so Close waits
}

// expire is what happens when a pause is over.
func (a *asking) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.guard()
	if a.over {
		return
	}
	a.attended = false
	a.giveUp()
	if !time.Now().Before(a.deadline) {
		a.finish(data{outcome: Failed, reason: Timeout}, 0)
		return
	}
	a.next()
	a.goOn()
}

// end is the end for a reason that no server gave.
func (a *asking) end(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finish(data{outcome: Failed, reason: reason}, 0)
}

// guard makes a bug of ours in the reading of hostile bytes a failed question.
// What was raised is told only if the runtime worded it: another's words may
// hold the name, and with it a key.
func (a *asking) guard() {
	if p := recover(); p != nil {
		what := fmt.Sprintf("a %T", p)
		if err, ok := p.(runtime.Error); ok {
			what = err.Error()
		}
		a.r.cfg.Logger.Error("dns question panicked", "panic", what, "stack", string(debug.Stack()))
		a.finish(data{outcome: Failed, reason: BadAnswer}, 0)
	}
}

// finish lands the flight, unless it has.
func (a *asking) finish(d data, ttl uint32) {
	if a.over {
		return
	}
	a.over = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.stop()
	a.r.land(a.f, d, ttl)
}

func (a *asking) stop() {
	for _, t := range a.tries {
		t.stop()
	}
}

// goOn waits for what comes next, if anything can.
func (a *asking) goOn() {
	switch {
	case a.over:
	case a.out == 0:
		a.finish(data{outcome: Failed, reason: a.reason}, 0)
	case a.timer == nil:
		a.timer = time.AfterFunc(a.pause(), a.expire)
	default:
		a.timer.Reset(a.pause())
	}
}

// pause is how long to wait before another server is asked, or all is over.
func (a *asking) pause() time.Duration {
	left := time.Until(a.deadline)
	if a.turn >= maxRounds*len(a.order) {
		return left
	}
	return min(left, a.r.cfg.Try)
}

// next asks the next server in turn; those it cannot send to are passed over.
func (a *asking) next() {
	for a.turn < maxRounds*len(a.order) {
		s := a.order[a.turn%len(a.order)]
		a.turn++
		if !slices.Contains(a.failed, s) && a.try(&try{server: s, edns: s.edns(), owner: a}) {
			return
		}
	}
}

// try sends t. It is false when that was not possible, and t's server has failed.
func (a *asking) try(t *try) bool {
	if len(a.tries) == maxTries {
		return false
	}
	attended := a.attended && a.unread == nil
	switch err := a.r.send(t, a.q, a.deadline, attended); {
	case errors.Is(err, errUnreachable):
		a.unreachable(t)
		return false
	case err != nil: // ours: no socket to be had
		a.failed = append(a.failed, t.server)
		return false
	}
	if attended && t.direct != nil {
		a.unread = t
	}
	a.tries = append(a.tries, t)
	a.out++
	return true
}

// giveUp notes that the last server asked did not answer in its time.
func (a *asking) giveUp() {
	a.f.trouble.Store(true)
	if t := a.tries[len(a.tries)-1]; !t.missed {
		t.missed = true
		t.server.failures.Add(1)
		a.telling(Timeout)
		a.r.missed(t.server)
	}
}

// judge reads how t ended. If it is of no use it asks on.
func (a *asking) judge(t *try) {
	if t.err != nil {
		a.broken(t)
		return
	}
	code := rcode(t.msg)
	if code == dns.RcodeRefused {
		a.r.missed(t.server)
	} else {
		a.r.answered(t.server, time.Since(t.sent))
	}
	switch code {
	case dns.RcodeSuccess, dns.RcodeNameError:
		a.read(t)
	case dns.RcodeServerFailure:
		a.fail(t, ServFail)
	case dns.RcodeRefused:
		a.fail(t, Refused)
	case dns.RcodeFormatError, dns.RcodeNotImplemented:
		// RFC 6891 section 7: perhaps it does not know EDNS0.
		if !t.edns || !a.try(&try{server: t.server, tcp: t.tcp, owner: a}) {
			a.fail(t, BadAnswer)
		}
	default:
		a.fail(t, BadAnswer)
	}
}

// read parses a message that has an answer to give.
func (a *asking) read(t *try) {
	if truncated(t.msg) && !t.tcp {
		// RFC 7766 section 5; what the cut message holds is not used.
		if !a.try(&try{server: t.server, tcp: true, edns: t.edns, owner: a}) {
			a.fail(t, BadAnswer)
		}
		return
	}
	p, err := parseAnswer(t.msg, a.q.records(), a.q.name, a.q.qtype, a.hops)
	if err != nil || truncated(t.msg) {
		a.fail(t, BadAnswer)
		return
	}
	if !t.edns && t.server.edns() {
		t.server.setPlain()
	}
	a.ttl = min(a.ttl, p.ttl)
	a.hops += p.hops
	if p.alias == "" {
		a.finish(p.data, a.ttl)
		return
	}
	a.question(p.alias) // the chain leads out of the answer
}

// broken deals with a try that ended without a message.
func (a *asking) broken(t *try) {
	switch {
	case errors.Is(t.err, errUnreachable) && !t.tcp:
		a.unreachable(t)
		a.next()
	case errors.Is(t.err, context.DeadlineExceeded) || errors.Is(t.err, os.ErrDeadlineExceeded):
		a.fail(t, Timeout)
	default: // UDP was answered and TCP was not: the server lives, and is of no use here
		a.fail(t, BadAnswer)
	}
}

// unreachable notes that nothing listens where t was sent.
func (a *asking) unreachable(t *try) {
	a.f.trouble.Store(true)
	t.server.failures.Add(1)
	a.failed = append(a.failed, t.server)
	a.r.gone(t.server)
}

// fail notes that the server of t answered to no avail, and asks the next.
func (a *asking) fail(t *try, reason string) {
	if serversFault(reason) {
		a.f.trouble.Store(true)
	}
	t.server.failures.Add(1)
	a.failed = append(a.failed, t.server)
	a.telling(reason)
	a.next()
}

// telling keeps the reason that says most of why a question failed.
func (a *asking) telling(reason string) {
	order := []string{NoServer, BadAnswer, Refused, Timeout, ServFail}
	if slices.Index(order, reason) > slices.Index(order, a.reason) {
		a.reason = reason
	}
}

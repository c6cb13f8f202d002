package resolver

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	typeNS       = dns.TypeNS
	rcodeRefused = dns.RcodeRefused

	maxRounds = 2 // how often one server is asked the same within a question
)

// tries is how many queries one question may cost: each server in each round,
// and once more by TCP and without EDNS0.
func tries(servers int) int { return min((maxRounds+2)*servers, 16) }

// rcode of a message that has a header.
func rcode(msg []byte) int { return int(msg[3] & 15) }

// truncated reports whether a message says that it was cut.
func truncated(msg []byte) bool { return msg[2]&2 != 0 }

// A try is one query to one server.
type try struct {
	server *server
	edns   bool
	tcp    bool
	missed bool // it was given up once, though an answer is still welcome
	sent   time.Time
	stop   func() // lets go of its socket; no reply comes after it that anyone needs

	// How it ended, set before it is sent to the asker: with a message that
	// answers the question under its id, or with an error.
	msg []byte
	err error
}

// exchange asks the question of f and follows CNAMEs that lead out of an answer.
func (r *Resolver) exchange(f *flight) (data, uint32) {
	deadline := f.started.Add(r.cfg.Timeout)
	name, ttl, hops := f.key.question(), uint32(noTTL), 0
	for {
		q, err := newQuestion(name, f.key.qtype)
		if err != nil {
			return data{outcome: Failed, reason: BadAnswer}, 0
		}
		a := asking{r: r, f: f, q: q, hops: hops, deadline: deadline}
		p, reason := a.run()
		if reason != "" {
			return data{outcome: Failed, reason: reason}, 0
		}
		ttl = min(ttl, p.ttl)
		if p.alias == "" {
			return p.data, ttl
		}
		hops += p.hops
		name = p.alias
	}
}

// asking is one question going round the servers.
type asking struct {
	r        *Resolver
	f        *flight
	q        *question
	hops     int // CNAMEs behind us
	deadline time.Time

	order   []*server
	turn    int       // of the rounds through order
	failed  []*server // they answered, and it was of no use: not to be asked again
	tries   []*try
	most    int // tries at most
	out     int // tries without a reply yet
	replies chan *try
	reason  string // the most telling so far
}

// run gives what the first useful answer says, or the reason why there is none.
func (a *asking) run() (parsed, string) {
	a.order = a.r.servers.order()
	a.most = tries(len(a.order))
	a.replies = make(chan *try, a.most) // a reply never waits for us
	a.reason = NoServer
	defer a.stop()
	a.next()
	timer := time.NewTimer(a.pause())
	defer timer.Stop()
	for a.out > 0 {
		select {
		case t := <-a.replies:
			a.out--
			if p, ok := a.judge(t); ok {
				return p, ""
			}
		case <-timer.C:
			a.giveUp()
			if !time.Now().Before(a.deadline) {
				return parsed{}, Timeout
			}
			a.next()
		case <-a.f.left:
			return parsed{}, Budget
		case <-a.r.closing:
			return parsed{}, NoServer
		}
		timer.Reset(a.pause())
	}
	return parsed{}, a.reason
}

func (a *asking) stop() {
	for _, t := range a.tries {
		t.stop()
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
		if !slices.Contains(a.failed, s) && a.try(&try{server: s, edns: s.edns()}) {
			return
		}
	}
}

// try sends t. It is false when that was not possible, and t's server has failed.
func (a *asking) try(t *try) bool {
	if len(a.tries) == a.most {
		return false
	}
	switch err := a.r.send(t, a.q, a.deadline, a.replies); {
	case errors.Is(err, errUnreachable):
		a.unreachable(t)
		return false
	case err != nil: // ours: no socket to be had
		a.failed = append(a.failed, t.server)
		return false
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
func (a *asking) judge(t *try) (parsed, bool) {
	if t.err != nil {
		a.broken(t)
		return parsed{}, false
	}
	code := rcode(t.msg)
	if code == dns.RcodeRefused {
		a.r.missed(t.server)
	} else {
		a.r.answered(t.server, time.Since(t.sent))
	}
	switch code {
	case dns.RcodeSuccess, dns.RcodeNameError:
		return a.read(t)
	case dns.RcodeServerFailure:
		a.fail(t, ServFail)
	case dns.RcodeRefused:
		a.fail(t, Refused)
	case dns.RcodeFormatError, dns.RcodeNotImplemented:
		// RFC 6891 section 7: perhaps it does not know EDNS0.
		if !t.edns || !a.try(&try{server: t.server, tcp: t.tcp}) {
			a.fail(t, BadAnswer)
		}
	default:
		a.fail(t, BadAnswer)
	}
	return parsed{}, false
}

// read parses a message that has an answer to give.
func (a *asking) read(t *try) (parsed, bool) {
	msg := t.msg
	if truncated(msg) && !t.tcp {
		// RFC 7766 section 5; what the cut message holds is not used.
		if !a.try(&try{server: t.server, tcp: true, edns: t.edns}) {
			a.fail(t, BadAnswer)
		}
		return parsed{}, false
	}
	p, err := parseAnswer(msg, a.q.records(), a.q.name, a.q.qtype, a.hops)
	if err != nil || truncated(msg) {
		a.fail(t, BadAnswer)
		return parsed{}, false
	}
	if !t.edns && t.server.edns() {
		t.server.setPlain()
	}
	return p, true
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

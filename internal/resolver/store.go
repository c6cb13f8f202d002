package resolver

import (
	"time"
)

// How long answers are kept, whatever their TTL says (facts: lists and mail
// hosts change within minutes, and a TTL of 0 would ask for every recipient).
const (
	minTTL  = 60      // seconds, of answers found and not found
	maxTTL  = 60 * 60 // seconds, likewise
	failTTL = 5       // seconds, of failures (RFC 2308 section 7.1 allows 5 minutes; ours must not outlive the trouble)
	maxLate = 60 * 60 // seconds past its expiry in which an answer may be served stale (RFC 8767)
)

// clock is the resolver's time: seconds since it was made.
func (r *Resolver) clock() uint32 { return uint32(r.now().Sub(r.start) / time.Second) }

// expiry is when an answer of this TTL, given now, is to be asked again.
func (r *Resolver) expiry(k key, d data, ttl uint32) uint32 {
	switch {
	case d.outcome == Failed:
		return r.clock() + failTTL
	case k.fresh: // its caller has bounds of its own
		return r.clock() + max(ttl, 1)
	}
	return r.clock() + min(max(ttl, minTTL), maxTTL)
}

// find gives the last good answer of kind k among parts, and the last failure,
// if there are.
func find(parts string, k kind) (good, fail part) {
	for {
		p, rest, ok := nextPart(parts)
		if !ok {
			return good, fail
		}
		if parts = rest; p.kind != k {
			continue
		}
		if p.outcome == Failed {
			fail = p
		} else {
			good = p
		}
	}
}

// recall gives the answer to k that holds now: a fresh one, or what follows
// from a question that failed just now - a stale answer, or the failure.
func (r *Resolver) recall(k key) (held, bool) {
	if k.fresh {
		return held{}, false
	}
	parts, ok := r.cache.get(k.subject)
	if !ok {
		return held{}, false
	}
	return r.recallIn(parts, k.kind())
}

// recallIn is recall from the parts of the record.
func (r *Resolver) recallIn(parts string, kind kind) (held, bool) {
	now := r.clock()
	good, fail := find(parts, kind)
	if now < good.expiry {
		return r.hold(good, false)
	}
	if now < fail.expiry {
		if down(fail) && now < good.expiry+maxLate && good.kind != 0 {
			return r.hold(good, true)
		}
		return r.hold(fail, false)
	}
	return held{}, false
}

// stale gives an answer to k that is past its expiry but may still be served.
func (r *Resolver) stale(k key) (held, bool) {
	if k.fresh {
		return held{}, false
	}
	parts, _ := r.cache.get(k.subject)
	good, _ := find(parts, k.kind())
	if good.kind == 0 || r.clock() >= good.expiry+maxLate {
		return held{}, false
	}
	return r.hold(good, r.clock() >= good.expiry)
}

// hold unpacks p into an answer.
func (r *Resolver) hold(p part, stale bool) (held, bool) {
	d, ok := unpack(p)
	a := d.answer()
	a.Cached, a.Stale, a.Age = true, stale, p.ageOf(r.clock())
	return held{answer: a, expiry: p.expiry}, ok
}

func (d data) answer() Answer {
	return Answer{
		Outcome: d.outcome, Reason: d.reason, Partial: d.partial,
		Addrs: d.addrs, MX: d.mx, Names: d.names, Texts: d.texts,
	}
}

// down reports whether a failure is the servers' and not the answer's own: only
// then may an old answer stand in.
func down(fail part) bool {
	d, ok := unpack(fail)
	return ok && serversFault(d.reason)
}

func serversFault(reason string) bool {
	switch reason {
	case Timeout, ServFail, Refused, NoServer:
		return true
	}
	return false
}

// store keeps what a question gave, beside what else is known of its subject.
func (r *Resolver) store(k key, d data, expiry uint32) {
	if k.fresh {
		return
	}
	p, now := pack(k.kind(), d, expiry), r.clock()
	p.life = lifeOf(now, expiry)
	r.cache.update(k.subject, func(b []byte, parts string) []byte {
		return appendPart(keep(b, parts, p, now), p)
	})
}

// keep appends those of parts to b that p does not replace and that may still
// be of use.
func keep(b []byte, parts string, p part, now uint32) []byte {
	good, _ := find(parts, kindPTR)
	renamed := p.kind == kindPTR && p.outcome != Failed && good.payload != p.payload
	for {
		old, rest, ok := nextPart(parts)
		switch {
		case !ok:
			return b
		case old.kind == p.kind && (p.outcome != Failed || old.outcome == Failed):
		case old.kind == kindForward && renamed: // its place belongs to another name now
		case old.outcome == Failed && now >= old.expiry:
		case now >= old.expiry+maxLate:
		default:
			b = append(b, parts[:len(parts)-len(rest)]...)
		}
		parts = rest
	}
}

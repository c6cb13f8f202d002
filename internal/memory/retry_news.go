package memory

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// This file lets several machines know alike who was asked to come back, and who did.
// Each tells what is new to it, and takes in what others tell: to hear a thing twice, or
// late, does no harm. All have the same Secret.

// newsVersion begins each record. Then come the names of findings, as in a record of
// ExportChanged, and entries: kind, id, what there is of it, until when it passes, and if
// it waits since when, the bits of findings, and the mails that are new with their first
// times.
const newsVersion = 1

// What there is of an entry.
const (
	newsForgotten = 1 << 0
	newsShadow    = 1 << 1
	newsWaits     = 1 << 2
)

// newsSince is how old what was read from disk may be to be told once more: it may have
// been kept, and not told, when the process ended.
const newsSince = time.Minute

// SetSecret has names hashed with another secret from now on. What is known under names
// and mails of another one is not found again; addresses are.
func (r *Retries) SetSecret(secret Secret) { r.secret.Store(&secret) }

// Share begins to keep what is to be told to other machines.
func (r *Retries) Share(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news, r.forgot = map[Key]struct{}{}, map[Key]struct{}{}
	for k, w := range r.waiting {
		for i := range w.list {
			d := &w.list[i]
			if d.told = w.foreign || now.Sub(d.first) > newsSince; !d.told {
				r.news[k] = struct{}{}
			}
		}
	}
	for _, k := range r.passed.Keys() {
		if until, _ := r.passed.Peek(k); until.Sub(now) > r.win.Keep-newsSince {
			r.news[k] = struct{}{}
		}
	}
}

// News appends to dst one record of what is new here since the last call, nothing if
// nothing is. It is not much longer than most octets: there may be more.
func (r *Retries) News(dst []byte, most int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.news) == 0 {
		return dst
	}
	begin := len(dst)
	dst = append(dst, newsVersion)
	dst = r.appendNames(dst)
	empty := len(dst)
	for k := range r.news {
		if len(dst)-begin >= most {
			break
		}
		dst = r.appendNews(dst, k)
		delete(r.news, k)
		delete(r.forgot, k)
	}
	if len(dst) == empty {
		return dst[:begin]
	}
	return dst
}

func (r *Retries) appendNews(b []byte, k Key) []byte {
	flags := byte(0)
	if _, ok := r.forgot[k]; ok {
		flags |= newsForgotten
	}
	until, passes := r.passed.Peek(k)
	var fresh []*deferral
	w := r.waiting[k]
	if w != nil {
		for i := range w.list {
			if !w.list[i].told {
				fresh = append(fresh, &w.list[i])
			}
		}
		if w.shadow {
			flags |= newsShadow
		}
	}
	if len(fresh) > 0 {
		flags |= newsWaits
	}
	if flags&(newsForgotten|newsWaits) == 0 && !passes {
		return b
	}
	b = append(append(append(b, byte(k.kind)), k.id[:]...), flags)
	b = appendTime(b, until)
	if len(fresh) == 0 {
		return b
	}
	b = binary.LittleEndian.AppendUint64(appendTime(b, w.since), w.why)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(fresh)))
	for _, d := range fresh {
		b = appendTime(binary.LittleEndian.AppendUint64(b, d.mail), d.first)
		d.told = true
	}
	return b
}

// A retryNews is one entry of news.
type retryNews struct {
	retryEntry
	forgotten bool
}

// Hear takes in what another machine tells. Of a record that gives an error nothing is
// taken.
func (r *Retries) Hear(record []byte, now time.Time) error {
	if len(record) < 2 {
		return ErrDamaged
	}
	if record[0] != newsVersion {
		return ErrVersion
	}
	in := reader{data: record[1:]}
	names := in.names()
	var all []retryNews
	for len(in.data) > 0 && !in.bad {
		all = append(all, in.retryNews())
	}
	if in.bad || len(names) > maxReasons {
		return ErrDamaged
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	bits := r.bits(names)
	for i := range all {
		r.hear(&all[i], bits, now)
	}
	for r.open > maxDeferred || len(r.waiting) > maxWaiting {
		r.forgetFirst()
	}
	return nil
}

func (r *reader) retryNews() (e retryNews) {
	e.key.kind = Kind(r.byte())
	copy(e.key.id[:], r.take(len(e.key.id)))
	r.bad = r.bad || e.key.kind < Address || e.key.kind > SPFDomain
	flags := r.byte()
	e.forgotten = flags&newsForgotten != 0
	e.until, e.passes = r.time()
	if flags&newsWaits == 0 {
		return e
	}
	w := &waiter{shadow: flags&newsShadow != 0, foreign: true}
	w.since, _ = r.time()
	w.why = r.uint64()
	w.list = r.deferrals()
	e.waiter = w
	return e
}

// hear takes in one entry.
func (r *Retries) hear(e *retryNews, bits []int, now time.Time) {
	k := e.key
	if e.forgotten {
		r.drop(k)
		r.passed.Remove(k)
	}
	if e.passes && now.Before(e.until) {
		if w := r.waiting[k]; w != nil { // it came back, to that machine
			if !w.shadow && !w.foreign {
				r.stats.returned(w, now)
			}
			r.drop(k)
		}
		if until, ok := r.passed.Peek(k); !ok || until.Before(e.until) {
			r.pass(k, e.until)
		}
	}
	if w := e.waiter; w != nil {
		if until, ok := r.passed.Peek(k); !ok || !now.Before(until) {
			r.hearWaiter(k, w, bits, now)
		}
	}
	r.keep(k)
}

func (r *Retries) drop(k Key) {
	if w := r.waiting[k]; w != nil {
		r.leave(k, w)
	}
}

// hearWaiter adds mails that another machine has deferred to those of a waiter.
func (r *Retries) hearWaiter(k Key, heard *waiter, bits []int, now time.Time) {
	w := r.waiting[k]
	switch {
	case w == nil:
		w = &waiter{since: earlier(heard.since, now), queued: now, why: reasons(heard.why, bits), shadow: heard.shadow, foreign: true}
		r.enter(k, w)
		r.queue = append(r.queue, turn{k, now})
	case w.shadow && !heard.shadow:
		r.leave(k, w)
		w.shadow, w.foreign, w.since, w.why = false, true, earlier(heard.since, now), reasons(heard.why, bits)
		r.enter(k, w)
	}
	for _, d := range heard.list {
		d.first, d.told = earlier(d.first, now), true
		if now.Sub(d.first) > r.win.Within {
			continue
		}
		if i := w.find(d.mail); i >= 0 {
			w.list[i].first = earlier(w.list[i].first, d.first)
			continue
		}
		if len(w.list) == maxPerKey {
			w.list = slices.Delete(w.list, 0, 1)
			r.count(w, -1)
		}
		w.list = append(w.list, d)
		r.count(w, 1)
	}
	slices.SortStableFunc(w.list, func(a, b deferral) int { return cmp.Compare(a.first.UnixNano(), b.first.UnixNano()) })
	if len(w.list) == 0 {
		r.drop(k)
	}
}

package memory

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Windows are the times of an honest retry. All are positive, and After < Within.
type Windows struct {
	After  time.Duration // a visit sooner than this after the first deferral waits on
	Within time.Duration // a visit later than this is a stranger again
	Keep   time.Duration // how long who came back passes
}

// inTime reports whether a visit so long after the first deferral is an honest retry.
func (w Windows) inTime(waited time.Duration) bool { return waited >= w.After && waited <= w.Within }

// The bounds of a Retries: some 60 MB when all are reached. What one sender may fill is
// bounded too, so that no client makes others be forgotten.
const (
	maxWaiting  = 100_000 // who waits
	maxDeferred = 200_000 // mails of all of them
	maxPerKey   = 500
	maxPassed   = 100_000
)

// A Caller is who may be asked to come back, by what survives a pool of its addresses:
// the operator that its reverse DNS confirms, else the domain whose SPF record names
// it, else its network (RFC 6647 section 4.1). One operator waits once, whatever
// addresses it has; an address with a provider's default name speaks for its network
// alone.
type Caller struct {
	own  Key
	home Key // the address
	net  Key
	back bool
}

// CameBack reports whether a visit has passed that was deferred before: not only for
// the sake of an earlier one.
func (c *Caller) CameBack() bool { return c.back }

// Caller gives the keys of a client. operator and spf are in lower case, "" for none.
func (r *Retries) Caller(client netip.Addr, operator, spf string) Caller {
	c := Caller{own: r.NameKey(Operator, operator), home: AddressKey(client), net: NetKey(client)}
	if !c.own.Valid() {
		c.own = r.NameKey(SPFDomain, spf)
	}
	if !c.own.Valid() {
		c.own = c.net
	}
	return c
}

// NameKey is the key of an operator or an SPF domain, as Callers have it.
func (r *Retries) NameKey(kind Kind, name string) Key { return r.secret.Load().NameKey(kind, name) }

// Kind says by what the caller is known.
func (c *Caller) Kind() Kind { return c.own.kind }

// Retries remembers who was asked to come back, and who did. It is safe for concurrent
// use, and bounded: who waits longest goes first, and who came back and was not seen
// for longest.
type Retries struct {
	secret atomic.Pointer[Secret]
	track  bool

	mu        sync.Mutex
	news      map[Key]struct{} // what other machines are to be told of; nil: nobody listens
	forgot    map[Key]struct{} // of news: by command
	win       Windows
	waiting   map[Key]*waiter
	open      int                            // deferrals of all of them
	shadows   int                            // of open, the ones that wait under a better key too
	shadowed  int                            // of waiting, those
	queue     []turn                         // of those who wait, the longest first
	passed    *simplelru.LRU[Key, time.Time] // until when they pass
	addresses int                            // of passed: they stand beside their callers
	changed   map[Key]struct{}
	stats     retryCounts
}

// A waiter has mails that were deferred, in the order of their first time.
type waiter struct {
	list   []deferral
	since  time.Time
	queued time.Time // its turn in the queue
	why    uint64    // findings of the first deferral, see retryCounts
	shadow bool      // the same mails wait under a better key, and are counted there

	foreign bool // another machine has asked it to come back, and counts it
}

type deferral struct {
	mail  uint64
	first time.Time
	told  bool // other machines know of it
}

// A turn is when a waiter is to be looked at.
type turn struct {
	key Key
	at  time.Time
}

func (w *waiter) find(mail uint64) int {
	return slices.IndexFunc(w.list, func(x deferral) bool { return x.mail == mail })
}

// NewRetries returns an empty Retries that ends with the process.
func NewRetries(w Windows) *Retries {
	var secret Secret
	rand.Read(secret[:]) // it never fails
	return newRetries(w, secret, false)
}

// NewKeptRetries returns an empty Retries that keeps a list of what changed, for
// ExportChanged.
func NewKeptRetries(w Windows, secret Secret) *Retries { return newRetries(w, secret, true) }

func newRetries(w Windows, secret Secret, track bool) *Retries {
	r := &Retries{win: w, track: track, waiting: map[Key]*waiter{}, changed: map[Key]struct{}{}}
	r.secret.Store(&secret)
	// The size is a positive constant, the only thing NewLRU can refuse.
	r.passed, _ = simplelru.NewLRU(maxPassed, func(k Key, _ time.Time) {
		if k.kind == Address {
			r.addresses--
		}
	})
	return r
}

// Passes reports whether a visit that would be deferred for its score has come back
// honestly: sender and recipient were deferred for the same caller between After and
// Within ago, or the caller has come back before and is still remembered. The sender is
// taken without its per-message tags (see SenderKey); both may be in any case. An
// honest retry is remembered for Keep.
func (r *Retries) Passes(c *Caller, sender, rcpt string, now time.Time) bool {
	mail := r.mail(sender, rcpt)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	if r.remembered(c, now) {
		return true
	}
	k, w := r.waits(c, mail, now)
	if w == nil {
		return false
	}
	r.cameBack(c, k, w, mail, now)
	c.back = true
	return true
}

// WouldPass is Passes without a trace: nothing is remembered for it, nor used up.
func (r *Retries) WouldPass(c *Caller, sender, rcpt string, now time.Time) bool {
	mail := r.mail(sender, rcpt)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.remembered(c, now) {
		return true
	}
	_, w := r.waits(c, mail, now)
	return w != nil
}

// Remembers reports whether the caller has come back before and is still remembered.
// It leaves no trace, not even that it was asked.
func (r *Retries) Remembers(c *Caller, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range [...]Key{c.own, c.home} {
		if until, ok := r.passed.Peek(k); ok && now.Before(until) {
			return true
		}
	}
	return false
}

// remembered reports whether the caller has come back before. The address is known
// beside it: its name may be out of reach at the next visit.
func (r *Retries) remembered(c *Caller, now time.Time) bool {
	for _, k := range [...]Key{c.own, c.home} {
		if until, ok := r.passed.Peek(k); ok && now.Before(until) {
			r.passed.Get(k) // it is in use
			return true
		}
	}
	return false
}

// waits gives under which key of the caller the mail waits long enough, and not too
// long. Who had no other name at first was noted under the network.
func (r *Retries) waits(c *Caller, mail uint64, now time.Time) (Key, *waiter) {
	for _, k := range [...]Key{c.own, c.net} {
		w := r.waiting[k]
		if w == nil {
			continue
		}
		if i := w.find(mail); i >= 0 && r.win.inTime(now.Sub(w.list[i].first)) {
			return k, w
		}
	}
	return Key{}, nil
}

// cameBack remembers that the mail which waits under k has come back.
func (r *Retries) cameBack(c *Caller, k Key, w *waiter, mail uint64, now time.Time) {
	counts := w
	if own := r.waiting[c.own]; own != nil {
		counts = own
	}
	if !counts.shadow && !counts.foreign {
		r.stats.returned(counts, now)
	}
	r.remove(c.own)
	if w.shadow {
		r.take(k, w, w.find(mail))
	} else {
		r.remove(k)
	}
	if r.win.Keep > 0 {
		for _, k := range [...]Key{c.own, c.home} {
			r.pass(k, now.Add(r.win.Keep))
			r.touch(k)
		}
	}
}

// pass has a key pass until a time.
func (r *Retries) pass(k Key, until time.Time) {
	if k.kind == Address && !r.passed.Contains(k) {
		r.addresses++
	}
	r.passed.Add(k, until)
}

// Deferred notes that the visit was asked to come back, for the findings with these
// ids. A deferral still open is neither reset nor extended by it; one older than Within
// begins anew.
func (r *Retries) Deferred(c *Caller, sender, rcpt string, findings []string, now time.Time) {
	mail := r.mail(sender, rcpt)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	why := r.stats.mask(findings)
	r.note(c.own, mail, why, false, now)
	if c.net != c.own && c.net.Valid() {
		r.note(c.net, mail, why, true, now)
	}
	for r.open > maxDeferred || len(r.waiting) > maxWaiting {
		r.forgetFirst()
	}
}

func (r *Retries) note(k Key, mail uint64, why uint64, shadow bool, now time.Time) {
	w := r.waiting[k]
	if w == nil {
		w = &waiter{since: now, queued: now, why: why, shadow: shadow}
		r.enter(k, w)
		r.queue = append(r.queue, turn{k, now})
		if !shadow {
			r.stats.deferred(why)
		}
	}
	if w.shadow && !shadow { // it is somebody's best key now
		r.leave(k, w)
		w.shadow, w.foreign, w.since, w.why = false, false, now, why
		r.enter(k, w)
		r.stats.deferred(why)
	}
	if i := w.find(mail); i >= 0 {
		if now.Sub(w.list[i].first) <= r.win.Within {
			return
		}
		w.list = slices.Delete(w.list, i, i+1)
		r.count(w, -1)
	}
	if len(w.list) == maxPerKey {
		w.list = slices.Delete(w.list, 0, 1)
		r.count(w, -1)
	}
	w.list = append(w.list, deferral{mail: mail, first: now})
	r.count(w, 1)
	r.touch(k)
}

// count counts deferrals of a waiter, or takes them off the count.
func (r *Retries) count(w *waiter, n int) {
	r.open += n
	if w.shadow {
		r.shadows += n
	}
}

// enter and leave count a waiter as one who waits, and its deferrals.
func (r *Retries) enter(k Key, w *waiter) {
	r.waiting[k] = w
	r.count(w, len(w.list))
	if w.shadow {
		r.shadowed++
	}
}

func (r *Retries) leave(k Key, w *waiter) {
	delete(r.waiting, k)
	r.count(w, -len(w.list))
	if w.shadow {
		r.shadowed--
	}
}

// take takes one deferral of a waiter away.
func (r *Retries) take(k Key, w *waiter, i int) {
	if i < 0 {
		return
	}
	w.list = slices.Delete(w.list, i, i+1)
	r.count(w, -1)
	r.touch(k)
	if len(w.list) == 0 {
		r.remove(k)
	}
}

// remove forgets a waiter. Its turn stays in the queue, and finds nobody.
func (r *Retries) remove(k Key) {
	if w := r.waiting[k]; w != nil {
		r.leave(k, w)
		r.touch(k)
	}
}

// expire looks at those whose turn has come: who has not come back within the time has
// given up.
func (r *Retries) expire(now time.Time) {
	for len(r.queue) > 0 && now.Sub(r.queue[0].at) > r.win.Within {
		t := r.queue[0]
		r.queue = r.queue[1:]
		w := r.waiting[t.key]
		if w == nil || !w.queued.Equal(t.at) {
			continue
		}
		w.list = slices.DeleteFunc(w.list, func(d deferral) bool {
			old := now.Sub(d.first) > r.win.Within
			if old {
				r.count(w, -1)
			}
			return old
		})
		if len(w.list) > 0 {
			w.queued = now // no earlier: the queue is in order
			r.queue = append(r.queue, turn{t.key, now})
			continue
		}
		if !w.shadow && !w.foreign {
			r.stats.GaveUp++
		}
		r.remove(t.key)
	}
}

// forgetFirst makes room.
func (r *Retries) forgetFirst() {
	for len(r.queue) > 0 {
		t := r.queue[0]
		r.queue = r.queue[1:]
		if w := r.waiting[t.key]; w != nil && w.queued.Equal(t.at) {
			r.stats.Forgotten++
			r.remove(t.key)
			return
		}
	}
}

// touch notes that what is known of a key has changed.
func (r *Retries) touch(k Key) {
	r.keep(k)
	if r.news != nil {
		r.news[k] = struct{}{}
	}
}

// keep notes that alone for what is kept on disk.
func (r *Retries) keep(k Key) {
	if r.track {
		r.changed[k] = struct{}{}
	}
}

// SetWindows changes the times for what comes from now on, and for deferrals that
// are open. Who came back already is remembered as long as was promised.
func (r *Retries) SetWindows(w Windows) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.win = w
}

// Forget forgets that a caller came back, or waits, by its keys, and says how many of
// them were known.
func (r *Retries) Forget(keys ...Key) (known int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if r.waiting[k] != nil || r.passed.Contains(k) {
			known++
		}
		if r.news != nil { // they may know more of it than this machine does
			r.news[k], r.forgot[k] = struct{}{}, struct{}{}
		}
		r.remove(k)
		if r.passed.Remove(k) {
			r.touch(k)
		}
	}
	return known
}

// Until says until when a key passes, the zero Time where it does not.
func (r *Retries) Until(k Key, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.passed.Peek(k); ok && now.Before(until) {
		return until
	}
	return time.Time{}
}

// mail makes one number of sender and recipient.
func (r *Retries) mail(sender, rcpt string) uint64 {
	var room [512]byte
	b := append(append(room[:0], r.secret.Load()[:]...), 'M')
	b = append(append(b, SenderKey(sender)...), 0) // no address has a NUL: the two parts cannot run into each other
	sum := sha256.Sum256(append(b, foldAddress(rcpt)...))
	return binary.LittleEndian.Uint64(sum[:])
}

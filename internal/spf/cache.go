package spf

import (
	"context"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	defaultResults = 32 << 10        // of some 400 octets each
	keepTrouble    = 5 * time.Second // a TempError: enough for the recipients of one message
)

// A Checker checks and remembers: a second check of the same client and domain,
// while the answers that the first one rests on hold, asks nothing and takes a
// microsecond. It is safe for concurrent use.
type Checker struct {
	resolver Resolver
	results  *lru.Cache[key, kept]
	now      func() time.Time
}

// NewChecker makes a checker that asks r and remembers at most so many results;
// 0: 32,768, which is about 13 MB.
func NewChecker(r Resolver, results int) *Checker {
	if results <= 0 {
		results = defaultResults
	}
	cache, err := lru.New[key, kept](results)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Checker{resolver: r, results: cache, now: time.Now}
}

// Check is the function Check, with the checker's resolver, and from its memory
// when it can.
func (c *Checker) Check(ctx context.Context, q Query) Result {
	s, early := newSubject(q)
	if s.domain == "" {
		return early
	}
	if r, ok := c.recall(&s, c.now()); ok {
		return r
	}
	r := s.check(ctx, c.resolver)
	if ctx.Err() == nil { // else the trouble may be the caller's haste alone
		c.keep(&s, r)
	}
	return r
}

// Cached is Check without asking: it is false when a question would be needed.
func (c *Checker) Cached(q Query, now time.Time) (Result, bool) {
	s, early := newSubject(q)
	if s.domain == "" {
		return early, true
	}
	return c.recall(&s, now)
}

// Len is the number of results that are remembered.
func (c *Checker) Len() int { return c.results.Len() }

// A key is what a result depends on: the local part and the HELO name only where
// the record's macros say so.
type key struct {
	client          [16]byte
	domain          string
	local, helo     string
	byLocal, byHelo bool
}

// kept is a result in the memory; under a key without what it also depends on,
// it only says so.
type kept struct {
	mechanism, reason string
	expires           int64 // Unix time, nanoseconds
	checked           int64 // likewise
	outcome           Outcome
	never, stale      bool
	by                letters
}

func (c *Checker) recall(s *subject, now time.Time) (Result, bool) {
	k := s.key(0)
	v, ok := c.results.Get(k)
	if ok && v.outcome == NotAsked {
		k = s.key(v.by)
		v, ok = c.results.Get(k)
	}
	if !ok || now.UnixNano() >= v.expires {
		return Result{}, false
	}
	return Result{
		Outcome: v.outcome, Never: v.never, Identity: s.identity, Domain: s.domain,
		Mechanism: v.mechanism, Reason: v.reason, Stale: v.stale,
		Cached: true, Age: max(0, now.Sub(time.Unix(0, v.checked))), ByLocal: v.by.local(),
	}, true
}

func (c *Checker) keep(s *subject, r Result) {
	now := c.now()
	expires := r.expires
	if soon := now.Add(keepTrouble); r.Outcome == TempError && expires.After(soon) {
		expires = soon
	}
	if !expires.After(now) {
		return
	}
	plain := s.key(0)
	plain.domain = strings.Clone(plain.domain) // not the whole sender's
	v := kept{
		mechanism: r.Mechanism, reason: r.Reason, expires: expires.UnixNano(), checked: now.UnixNano(),
		outcome: r.Outcome, never: r.Never, stale: r.Stale, by: r.by,
	}
	full := s.key(r.by)
	if full.byLocal || full.byHelo {
		c.results.Add(plain, kept{by: r.by})
		full.domain, full.local, full.helo = plain.domain, strings.Clone(full.local), strings.Clone(full.helo)
		c.results.Add(full, v)
		return
	}
	c.results.Add(plain, v)
}

// key is of a result that depends on the macro letters by (RFC 7208 section 7.2).
func (s *subject) key(by letters) key {
	k := key{client: s.client.As16(), domain: s.domain}
	if by.local() {
		k.local, k.byLocal = s.local, true
	}
	if by.has('h') {
		k.helo, k.byHelo = s.helo, true
	}
	return k
}

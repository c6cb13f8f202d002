// Package resolver asks DNS questions about strangers and remembers the answers.
//
// It is a stub resolver: it sends each question to one of a few recursive
// servers (RFC 1034 section 5.3.1), over UDP with EDNS0 and over TCP when an
// answer was cut, follows CNAMEs, and keeps what it got for as long as its TTL
// says, within bounds. It decides nothing about mail. What it promises its
// callers is to tell the ends of a question apart: found, no such data, no such
// name, and failed - our own trouble, which must never look like a fact about
// the name.
//
// Answers are written by strangers. Only records of the CNAME chain that starts
// at the asked name are used, the number of everything kept is bounded, and
// names come out as printable ASCII.
package resolver

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// An Outcome says how a question ended. The zero Outcome is NotAsked.
type Outcome uint8

// The outcomes. Only Failed is about us and not about the name.
const (
	NotAsked Outcome = iota // no question: an address or a type this package has no question for
	Found                   // there are such records
	NoData                  // the name exists, without such records
	NoName                  // NXDOMAIN, or a name that cannot exist
	Failed                  // no usable answer; Reason says why
)

// The reasons of Failed.
const (
	Timeout   = "timeout"    // no server answered in time
	ServFail  = "servfail"   // SERVFAIL
	Refused   = "refused"    // REFUSED
	BadAnswer = "bad-answer" // nonsense, a CNAME loop, an unexpected rcode, or more than can be kept
	Budget    = "budget"     // the caller's context ended first, or too many questions are out
	NoServer  = "no-server"  // no server configured, none reachable, or the resolver is closed
)

// reasons gives each reason its place in packed records: append only.
var reasons = [...]string{Timeout, ServFail, Refused, BadAnswer, Budget, NoServer}

func reasonCode(reason string) byte {
	for i, r := range reasons {
		if r == reason {
			return byte(i)
		}
	}
	return 3 // BadAnswer
}

func reasonName(code byte) string {
	if int(code) < len(reasons) {
		return reasons[code]
	}
	return BadAnswer
}

// An Answer is what a question gave. It is shared with the cache and with others
// who asked the same: read-only.
type Answer struct {
	Outcome Outcome
	Reason  string       // when Failed
	Addrs   []netip.Addr // of A and AAAA; at most 256
	MX      []MX         // the most preferred first; at most 20
	Names   []string     // of PTR, in the order of the answer; at most 10
	Texts   []string     // of TXT, the strings of a record joined, raw octets; at most 64 records and 16 KiB
	Partial bool         // there was more than is kept: what is not here may still be there
	Stale   bool         // past its expiry, by at most an hour; the servers do not answer
	Cached  bool         // nothing was asked for it
	Took    time.Duration
	Age     time.Duration // how long ago it was asked, in whole seconds; 0 where it was asked for this
	Expires time.Time     // when to ask again; set by Lookup, Fresh and Cached, zero where nothing was asked
}

// An MX is one mail exchanger (RFC 5321 section 5).
type MX struct {
	Preference uint16
	Host       string // "" for the root: "0 ." alone says that there is no mail (RFC 7505)
}

// Config says whom to ask and how much to remember. Zero values have defaults.
type Config struct {
	Servers    []netip.AddrPort // in order of preference; none: every question fails with NoServer
	CacheBytes int64            // bound of the cache; 256 MiB
	Logger     *slog.Logger     // a server going down and coming back; nil: silent

	// Timeout is the longest a question may take, all servers and CNAMEs
	// together; 4 s, to end before a reply's budget of 5 s does.
	Timeout time.Duration
	// Try is how long one server is waited for before the next is asked as
	// well, or the same one again; 1 s. A late answer still counts.
	Try time.Duration
	// MaxInFlight bounds the different questions that are out at one time; one
	// more fails with Budget at once. 4096.
	MaxInFlight int
}

func (c Config) withDefaults() Config {
	if c.CacheBytes <= 0 {
		c.CacheBytes = 256 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Timeout <= 0 {
		c.Timeout = 4 * time.Second
	}
	if c.Try <= 0 {
		c.Try = time.Second
	}
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = 4096
	}
	return c
}

// A Resolver asks and remembers. It is safe for concurrent use.
type Resolver struct {
	cfg     Config
	start   time.Time
	now     func() time.Time // of the cache; the wire has its own clock
	cache   *cache
	servers *servers
	flights flights
	counts  counts
	ask     func(*flight) // starts a flight: exchange, or a test's own world
	closing chan struct{}
	closed  sync.Once
	work    sync.WaitGroup // flights, readers of sockets, probes

	probeFirst time.Duration // the first pause before a server that is down is probed
	probeWait  time.Duration // how long the answer to a probe may take
}

// New makes a resolver. Close must be called on it.
func New(cfg Config) *Resolver {
	cfg = cfg.withDefaults()
	r := &Resolver{
		cfg:     cfg,
		now:     time.Now,
		cache:   newCache(cfg.CacheBytes),
		closing: make(chan struct{}),

		probeFirst: probeFirst,
		probeWait:  cfg.Try,
	}
	r.start = r.now()
	r.flights.init(cfg.MaxInFlight)
	r.servers = newServers(cfg.Servers)
	r.ask = r.exchange
	return r
}

// Close ends what is in flight with NoServer and waits for the resolver's
// goroutines. Later questions are answered from the cache, or fail. A second
// call does nothing.
func (r *Resolver) Close() {
	r.closed.Do(func() { close(r.closing) })
	for _, f := range r.flights.close() {
		f.asking.end(NoServer)
	}
	r.servers.close()
	r.work.Wait()
}

// Lookup answers one question of type A, AAAA, MX, TXT or PTR (the codes of
// miekg/dns) from the cache or from the servers. It waits at most until ctx
// ends, which is Failed with Budget, or until Config.Timeout has passed.
// A name that cannot stand in the DNS, or is the root, is NoName unasked.
// A PTR question for a whole address is the one that Reverse asks.
func (r *Resolver) Lookup(ctx context.Context, name string, qtype uint16) Answer {
	k, early := newKey(name, qtype)
	if early != NotAsked || k.kind() == 0 {
		return Answer{Outcome: early}
	}
	return r.dated(r.lookup(ctx, k))
}

// Cached is Lookup without asking: it is false when a question would be needed.
// A failure of the last few seconds counts as an answer.
func (r *Resolver) Cached(name string, qtype uint16) (Answer, bool) {
	k, early := newKey(name, qtype)
	if early != NotAsked || k.kind() == 0 {
		return Answer{Outcome: early}, true
	}
	h, ok := r.recall(k)
	if !ok {
		return Answer{}, false
	}
	r.counts.hit(h.answer.Stale)
	return r.dated(h), true
}

// Fresh is Lookup past the cache, which it neither reads nor writes: for callers
// that keep answers in a form of their own. Identical questions of Fresh that
// are out at one time are asked once. Expires is what the answer's TTL says,
// within the bounds of the cache, for a failure a few seconds hence; an answer
// past its expiry is never given, so an outage is Failed. A name may hold a
// secret: none of the resolver's log lines, counters and errors has a name.
func (r *Resolver) Fresh(ctx context.Context, name string, qtype uint16) Answer {
	k, early := newKey(name, qtype)
	if early != NotAsked || k.kind() == 0 {
		return Answer{Outcome: early}
	}
	if ctx.Err() != nil {
		return failed(Budget).answer
	}
	k.fresh = true
	h, f := r.join(k, true)
	if f != nil {
		h = r.await(ctx, f)
	}
	return r.dated(h)
}

// dated is what is held, with its expiry on the clock of the world.
func (r *Resolver) dated(h held) Answer {
	if h.expiry > 0 {
		h.answer.Expires = r.start.Add(time.Duration(h.expiry) * time.Second)
	}
	return h.answer
}

// A key is a question: a type, about a name or, for PTR, about an address.
type key struct {
	subject
	qtype uint16
	fresh bool // the answer does not come from the cache, nor goes there
}

// newKey makes the key of a question. An outcome other than NotAsked answers it.
func newKey(name string, qtype uint16) (key, Outcome) {
	name, ok := canonical(name)
	if !ok {
		return key{}, NoName
	}
	if qtype == dns.TypePTR {
		if addr, ok := reverseAddr(name); ok {
			return key{subject: subject{addr: addr}, qtype: qtype}, NotAsked
		}
	}
	return key{subject: subject{name: name}, qtype: qtype}, NotAsked
}

// question is the name to ask the servers for.
func (k key) question() string {
	if k.addr.IsValid() {
		return reverseName(k.addr)
	}
	return k.name
}

// kind is where the answer stands in a record; 0 for a type that is not asked.
func (k key) kind() kind {
	switch k.qtype {
	case dns.TypeA:
		return kindA
	case dns.TypeAAAA:
		return kindAAAA
	case dns.TypeMX:
		return kindMX
	case dns.TypeTXT:
		return kindTXT
	case dns.TypePTR:
		return kindPTR
	}
	return 0
}

// A held answer is one that the cache has, or now has.
type held struct {
	answer Answer
	expiry uint32 // on the resolver's clock
}

// lookup recalls the answer or asks for it.
func (r *Resolver) lookup(ctx context.Context, k key) held {
	h, f := r.begin(ctx, k, true)
	if f == nil {
		return h
	}
	return r.await(ctx, f)
}

// begin gives the answer that needs no waiting, or the flight to wait for. Its
// caller must await the flight or leave it; if attended, await it at once.
func (r *Resolver) begin(ctx context.Context, k key, attended bool) (held, *flight) {
	h, ok := r.recall(k)
	if ok {
		r.counts.hit(h.answer.Stale)
		return h, nil
	}
	if ctx.Err() != nil {
		return failed(Budget), nil
	}
	if r.servers.allDown() {
		if h, ok := r.stale(k); ok { // a probe tells when to ask again
			r.counts.hit(true)
			return h, nil
		}
	}
	return r.join(k, attended)
}

func failed(reason string) held {
	return held{answer: Answer{Outcome: Failed, Reason: reason}}
}

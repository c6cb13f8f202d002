// Package engine walks one visit from connect to end: it starts the look-ups at
// the stage that knows their subject, waits for them at the first recipient
// within one budget, asks profile for the judgement, and remembers who was
// asked to come back. The live daemon, explain, replay and the benchmarks all
// come to a verdict through it.
//
// What a finding means is profile's; how a question is asked is resolver's; how
// the MTA speaks is milter's.
package engine

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/geo"
	"mailprofiled/internal/local"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/spf"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// A Resolver answers DNS questions. It is called from many goroutines. Its
// methods return when ctx ends, with a failed answer.
type Resolver interface {
	// Cached answers without I/O, if it can.
	Cached(name string, qtype uint16) (resolver.Answer, bool)
	Lookup(ctx context.Context, name string, qtype uint16) resolver.Answer
	CachedReverse(client netip.Addr) (resolver.Reverse, bool)
	// Reverse tells partial, when not nil, what is known before the forward
	// look-ups are back; it calls it from its own call only.
	Reverse(ctx context.Context, client netip.Addr, partial func(resolver.Reverse)) resolver.Reverse
}

// Places tell where an address belongs. They are called from many goroutines and
// do not wait. With an error the answer is not known.
type Places interface {
	Country(netip.Addr) (string, error) // "DE"; "" for none
	Network(netip.Addr) (geo.Network, error)
}

// Options are what an Engine works by. All but Resolver, Policy and Logger may be zero.
type Options struct {
	Policy       *profile.Policy
	PolicyID     string // stands in the log
	Monitor      bool   // judge, log, and let everything through
	AnswerAtMail bool   // answer at MAIL instead of at RCPT
	HelpURL      string // goes into replies; {id} and {finding} are replaced
	Us           profile.Us
	Exempt       Exempt
	Local        *local.Set    // the operator's own rules; nil for none
	Places       Places        // for those rules; nil: no address belongs anywhere
	Budget       time.Duration // the longest wait for outside answers before one reply
	Resolver     Resolver
	Lists        *dnsbl.Set   // the DNS lists in use; nil for none
	ListWatch    ListWatch    // learns how well they are; nil: nobody
	SPF          *spf.Checker // by NewSPF(Resolver), for engines that follow one another; nil: one of its own
	Limits       Limits
	Blocks       *ratelimit.Blocks         // accounts that may not send; nil for none
	AccountKey   func(login string) string // the account that a login is counted as, in lower case; nil: ratelimit.AccountKey
	Hijack       Hijack                    // how stolen accounts are told
	Memory       ServerMemory              // how servers behaved; nil: nobody remembers
	Recent       *memory.Recent            // which server was behind an id; nil: nobody asks
	Recipients   Recipients
	Retries      *memory.Retries // nil: nobody is asked to come back, a tempfail stays one
	Second       Second          // is given what was judged; nil: nobody
	Reread       *dnsbl.Other    // how Rejudge reads what lists said; nil: they say nothing
	Logger       *slog.Logger
	Hash         *logging.Hasher  // of mail addresses in log lines; nil: they stand there as they are
	HashUnknown  *logging.Hasher  // of recipients that are known not to exist, whatever Hash is; nil: one by a key of the process's own
	Observer     Observer         // nil: nobody counts
	Recorder     Recorder         // nil: nothing is recorded
	Sample       float64          // the share of plain answers that are recorded too, 0 to 1
	Now          func() time.Time // nil: time.Now
}

// Exempt is who skips the server checks, besides loopback.
type Exempt struct {
	Networks      []netip.Prefix
	Authenticated bool
	Recipients    []string // addresses, in any case
}

// An Engine judges visits. It is safe for concurrent use.
type Engine struct {
	o         Options
	exempt    map[string]bool // recipients, folded
	places    map[string]int  // of DNS lists, by id
	authLists bool            // some list is asked about who has logged in
	nobody    string          // a name that nobody has (RFC 6761 section 6.4), or can find out

	trusted atomic.Uint64 // transactions of trusted clients, see sampleLists
	rooms   sync.Pool     // of *[listRoom]dnsbl.Answer
	besides chan struct{} // a token for each thing that is done beside visits
	work    sync.WaitGroup

	warned atomic.Int64 // when warnUnreadable last spoke, Unix seconds

	mu sync.Mutex
	us map[MTA]*profile.Us // by what the MTA said of itself: a handful of values
}

// maxMTAs bounds the map of MTAs; past it their words are put together anew
// for each session.
const maxMTAs = 256

// New returns an Engine.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SPF == nil {
		o.SPF = NewSPF(o.Resolver)
	}
	if o.HashUnknown == nil && o.Recipients.Directory != nil {
		var key [logging.KeySize]byte
		rand.Read(key[:]) // it never fails
		o.HashUnknown = logging.NewHasher(key)
	}
	if o.AccountKey == nil {
		o.AccountKey = ratelimit.AccountKey
	}
	if o.Places == nil {
		o.Places = (*geo.Set)(nil)
	}
	e := &Engine{o: o, exempt: make(map[string]bool), us: make(map[MTA]*profile.Us), nobody: newID() + ".invalid"}
	e.authLists, e.besides = asksAuthLists(o.Lists), make(chan struct{}, maxBeside)
	for _, rcpt := range o.Exempt.Recipients {
		e.exempt[profile.Mailbox(rcpt)] = true
	}
	if o.Lists != nil {
		e.places = make(map[string]int)
		for i, l := range o.Lists.Lists() {
			e.places[l.ID] = i
		}
	}
	return e
}

// Connect opens a visit and starts what can be asked about the address alone.
// It does not block. The caller closes the visit.
func (e *Engine) Connect(c Client) *Visit {
	c.Addr = c.Addr.Unmap().WithZone("")
	if !c.Local && !c.Addr.IsValid() {
		e.warnUnreadable()
	}
	v := newVisit(e, c)
	defer v.waited(StageConnect, v.clock())
	if v.trust == profile.Stranger {
		v.askReverse()
		if v.asksAtOnce() {
			v.askClientLists()
		}
	}
	return v
}

// warnUnreadable tells, once a minute at most, that an MTA describes clients in a
// way we cannot read: they pass unjudged, and nobody would notice.
func (e *Engine) warnUnreadable() {
	now := e.o.Now().Unix()
	last := e.warned.Load()
	if now-last >= 60 && e.warned.CompareAndSwap(last, now) {
		e.o.Logger.Warn("the MTA gave a client address that cannot be read: its mail is not judged")
	}
}

// trustOf says how a client stands to us before it has authenticated.
func (e *Engine) trustOf(c Client) profile.Trust {
	if c.Local || !c.Addr.IsValid() || c.Addr.IsLoopback() {
		return profile.Exempt
	}
	if contains(e.o.Exempt.Networks, c.Addr) || c.Door != nil && contains(c.Door.Networks, c.Addr) {
		return profile.Exempt
	}
	return profile.Stranger
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// answersAtMail says whether a client of that door is answered at MAIL.
func (e *Engine) answersAtMail(d *Door) bool {
	if d != nil {
		return d.AnswerAtMail
	}
	return e.o.AnswerAtMail
}

// usOf puts together what the configuration and the MTA say of who we are.
func (e *Engine) usOf(m MTA) *profile.Us {
	e.mu.Lock()
	defer e.mu.Unlock()
	if us, ok := e.us[m]; ok {
		return us
	}
	us := &profile.Us{
		Names:   slices.Clone(e.o.Us.Names),
		Domains: e.o.Us.Domains,
		Addrs:   slices.Clone(e.o.Us.Addrs),
	}
	// A name without a dot ("localhost", "mx") names no one in particular.
	if name := strings.ToLower(strings.TrimSuffix(m.Name, ".")); strings.Contains(name, ".") {
		us.Names = append(us.Names, name)
	}
	for _, addr := range []netip.Addr{m.IfAddr, m.DaemonAddr} {
		// An MTA that listens on every address, or on loopback, has told nothing.
		if addr = addr.Unmap().WithZone(""); addr.IsValid() && !addr.IsUnspecified() && !addr.IsLoopback() {
			us.Addrs = append(us.Addrs, addr)
		}
	}
	if len(e.us) < maxMTAs {
		e.us[m] = us
	}
	return us
}

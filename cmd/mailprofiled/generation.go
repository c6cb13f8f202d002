package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/candidate"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/spf"
	"mailprofiled/internal/wiring"
	"mailprofiled/milter"
)

// A generation is one configuration in force, and what works by it. A session
// keeps the one it began with; when the last has left, its resolver is closed,
// unless the next generation has taken that over.
type generation struct {
	rules
	cfg      *config.Config
	loaded   time.Time
	engine   *engine.Engine
	hash     *logging.Hasher // of mail addresses in the log; nil where they stand in clear
	resolver *sharedResolver
	lists    *dnsbl.Set // DNS lists; nil for none
	limits   engine.Limits
	second   *candidate.Policy         // that is tried; nil for none
	key      func(login string) string // the account that a login is counted as
	doors    map[string]*engine.Door   // by place: those of [[listener]]

	users atomic.Int64 // sessions, and one for being the current; 0: it is done with
	done  func()
}

// enter counts a user in. It is false when the generation is done with.
func (g *generation) enter() bool {
	for {
		n := g.users.Load()
		if n == 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave counts a user out.
func (g *generation) leave() {
	if g.users.Add(-1) == 0 {
		g.done()
	}
}

// enter gives the current generation to a user, who leaves it.
func (d *daemon) enter() *generation {
	for {
		if g := d.current.Load(); g.enter() {
			return g
		}
	}
}

// A sharedResolver serves generations that ask the same servers.
type sharedResolver struct {
	*resolver.Resolver
	spf     *spf.Checker // asks it, and remembers what it found
	servers []netip.AddrPort
	cache   int64 // bytes
	users   int   // generations; guarded by daemon.mu
}

// newGeneration makes one user's worth of a generation: that of being the current
// one. It takes over the resolver in use if it asks the same servers. own are the
// rules of cfg, hash is what stands in for addresses in its log.
func (d *daemon) newGeneration(cfg *config.Config, own rules, hash *logging.Hasher) (*generation, error) {
	servers, err := wiring.DNSServers(cfg)
	if err != nil {
		return nil, err
	}
	limits, err := d.counted.Limits(cfg, own.accounts, own.directory)
	if err != nil {
		return nil, err
	}
	r := d.resolver(servers, cfg.DNS.CacheBytes-wiring.ListCacheBytes(cfg))
	return d.generation(cfg, time.Now(), own, hash, limits, r), nil
}

// successor makes the generation after g, the current one, where nothing but the
// files of its rules has changed.
func (d *daemon) successor(g *generation) *generation {
	r := d.resolver(g.resolver.servers, g.resolver.cache)
	cfg, own := g.cfg, g.rules.again()
	if g.local != nil {
		cfg = cfg.WithLists(g.local.Digest())
	}
	own.tried = own.tried.with()
	return d.generation(cfg, g.loaded, own, g.hash, g.limits, r)
}

// generation puts one together. It has taken over one use of r.
func (d *daemon) generation(cfg *config.Config, loaded time.Time, own rules, hash *logging.Hasher, limits engine.Limits, r *sharedResolver) *generation {
	g := &generation{cfg: cfg, loaded: loaded, rules: own, hash: hash, limits: limits, key: wiring.AccountKeys(cfg, own.accounts), resolver: r, doors: d.doorsOf(cfg)}
	g.lists = wiring.NewLists(cfg, r.Resolver, d.health, d.listCache(cfg))
	g.done = func() { d.letGo(g, r) }
	parts := wiring.Parts{
		Resolver: r.Resolver, SPF: r.spf, Retries: d.counted.Retries, Memory: d.counted.Servers, Recent: d.counted.Recent, Local: own.local, Geo: own.geo,
		Lists: g.lists, Health: d.health, Limits: limits, Blocks: d.counted.Blocks, Hijack: d.hijacks(g), Accounts: own.accounts, Observer: d.metrics, Logger: slog.New(d.tap.Over(d.newLogger(cfg).Handler(), engine.VerdictMessage)), Hash: hash,
		Directory: own.directory, Traps: own.traps, Harvest: d.counted.Harvest, Unknown: d.unknownHash(cfg, hash),
	}
	if g.second = g.beside(parts); g.second != nil {
		parts.Second = d.trial.For(g.second)
	}
	parts.Recorder = wiring.Recorder{Log: d.records} // of what is spoken, not of a candidate's
	g.engine = wiring.NewEngine(cfg, parts)
	g.users.Store(1)
	return g
}

// resolver gives the resolver in use, or a new one, to one more user.
func (d *daemon) resolver(servers []netip.AddrPort, cache int64) *sharedResolver {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g := d.current.Load(); g != nil {
		if r := g.resolver; slices.Equal(r.servers, servers) && r.cache == cache {
			r.users++ // the current generation has it open
			return r
		}
	}
	r := wiring.NewResolver(servers, cache, d.logger)
	return &sharedResolver{Resolver: r, spf: engine.NewSPF(r), servers: servers, cache: cache, users: 1}
}

// begin puts a generation in force, and gives the one before, which its caller
// leaves; nil for the first.
func (d *daemon) begin(next *generation) *generation {
	wiring.WatchLists(next.cfg, next.resolver.Resolver, d.health)
	d.counted.Apply(next.cfg, next.key, time.Now())
	d.teller.Set(wiring.NotifySettings(next.cfg))
	first := d.current.Load() == nil
	d.logProblems(d.counted.Known.Begin(next.directory, namedAt(next.cfg, "directory.files"), first))
	d.tellLimits(next.cfg)
	d.trial.Use(next.second, time.Now())
	d.records.Set(next.cfg.Records.Keep, next.cfg.Records.Bytes)
	return d.current.Swap(next)
}

// listCache gives the cache in use of what DNS lists answer, or a new one where the
// configuration wants another size.
func (d *daemon) listCache(cfg *config.Config) *dnsbl.Cache {
	bytes := wiring.ListCacheBytes(cfg)
	d.mu.Lock()
	defer d.mu.Unlock()
	if bytes > 0 && (d.listed == nil || d.listedBytes != bytes) {
		d.listed, d.listedBytes = dnsbl.NewCache(bytes), bytes
	}
	return d.listed
}

// letGo closes the lists and the directory of a generation, and a resolver behind its
// last user.
func (d *daemon) letGo(g *generation, r *sharedResolver) {
	d.work.Go(func() { // all wait for what is in flight
		g.engine.Close()
		if g.lists != nil {
			g.lists.Close()
		}
		if err := g.directory.Close(); err != nil {
			d.logger.Warn("a source of the directory was not closed well", "error", err.Error())
		}
		d.mu.Lock()
		r.users--
		last := r.users == 0
		d.mu.Unlock()
		if last {
			r.Close()
		}
	})
}

// A session is a visit that holds its generation.
type session struct {
	*engine.Visit
	g *generation
}

// Close ends the visit, and lets go of the generation.
func (s *session) Close() {
	defer s.g.leave()
	s.Visit.Close()
}

// A doorHandler opens the sessions of the door at a place. It is a milter.Limiter.
type doorHandler struct {
	*daemon
	place string
}

var _ milter.Limiter = doorHandler{}

// handlerAt gives the handler of the door at a place.
func (d *daemon) handlerAt(place string) milter.Handler { return doorHandler{d, place} }

// Connect opens a session by the configuration in force.
func (h doorHandler) Connect(c engine.Client) milter.Session {
	return h.connect(h.place, c, (*engine.Engine).Connect)
}

// ConnectLimited opens one that judges by limits alone.
func (h doorHandler) ConnectLimited(c engine.Client, after milter.Session) milter.Session {
	var broken *engine.Visit
	if s, ok := after.(*session); ok {
		broken = s.Visit
	}
	return h.connect(h.place, c, func(e *engine.Engine, c engine.Client) *engine.Visit { return e.ConnectLimited(c, broken) })
}

// connect opens a session at the door at place by the configuration in force.
func (d *daemon) connect(place string, c engine.Client, open func(*engine.Engine, engine.Client) *engine.Visit) milter.Session {
	s := &session{g: d.enter()}
	c.Door = s.g.doors[place]
	defer func() {
		if s.Visit == nil { // it has panicked
			s.g.leave()
		}
	}()
	s.Visit = open(s.g.engine, c)
	return s
}

// explain judges one visit by the configuration in force, if that has the
// settings asked for.
func (d *daemon) explain(settings string, q engine.Query) (*engine.Record, error) {
	g := d.enter()
	defer g.leave()
	if own := g.cfg.SettingsID(); settings != "" && settings != own {
		return nil, fmt.Errorf("%w: policy %s, settings %s", admin.ErrOtherSettings, g.cfg.PolicyID(), own)
	}
	if q.Listener != "" {
		if q.Door = g.doors[q.Listener]; q.Door == nil {
			var err error
			if q.Door, err = wiring.DoorAt(g.cfg, q.Listener); err != nil {
				return nil, err
			}
		}
	}
	return g.engine.Explain(q), nil
}

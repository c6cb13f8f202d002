package main

import (
	"fmt"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/replay"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/wiring"
	"mailprofiled/ratelimit"
)

// A replayWorld is one configuration with what replay needs of it.
type replayWorld struct {
	cfg      *config.Config
	own      rules
	resolver *resolver.Resolver // nil: nobody is asked
	lists    *dnsbl.Set
	health   *dnsbl.Health
}

// worlds loads the configurations.
func (c *replayCommand) worlds() (worlds []*replayWorld, err error) {
	for _, path := range []string{c.config, c.against} {
		if path == "" {
			continue
		}
		w, err := c.world(path)
		if err != nil {
			return worlds, err
		}
		worlds = append(worlds, w)
	}
	return worlds, nil
}

func (c *replayCommand) world(path string) (*replayWorld, error) {
	cfg := load(path, c.stderr)
	if cfg == nil {
		return nil, fmt.Errorf("%s cannot be used", path)
	}
	own, cfg, problems, bad := loadRules(cfg, rules{})
	if bad.fatal() {
		return nil, fmt.Errorf("the %s cannot be used:\n%s", bad, strings.Join(texts(problems), "\n"))
	}
	for _, p := range problems {
		fmt.Fprintln(c.stderr, p)
	}
	w := &replayWorld{cfg: cfg, own: own}
	if !c.dns {
		return w, nil
	}
	servers, err := wiring.DNSServers(cfg)
	if err != nil {
		return nil, err
	}
	w.resolver = wiring.NewResolver(servers, cfg.DNS.CacheBytes, logging.Discard())
	if w.lists, w.health = testedLists(cfg, w.resolver); w.lists != nil {
		fmt.Fprintf(c.stderr, "note: %s: %s\n", path, standing(w.health.Snapshot()))
	}
	return w, nil
}

func (w *replayWorld) close() {
	w.own.close() // who exists today says little of mail of then: the directory is not asked
	if w.lists != nil {
		w.lists.Close()
	}
	if w.resolver != nil {
		w.resolver.Close()
	}
}

// policy makes the policy, with empty memory that begins at start.
func (w *replayWorld) policy(start time.Time) (*replay.Policy, error) {
	clock := replay.NewClock(start)
	p := &replay.Policy{File: w.cfg.Path, ID: w.cfg.PolicyID(), Mode: mode(w.cfg), Clock: clock, Doors: map[string]*engine.Door{}}
	for _, door := range wiring.Doors(w.cfg) {
		p.Doors[door.Role] = door
	}
	counters := wiring.NewCounters(w.cfg, nil, start)
	counters.Apply(w.cfg, wiring.AccountKeys(w.cfg, w.own.accounts), start)
	parts := wiring.Parts{
		Resolver: w.resolver, Local: w.own.local, Geo: w.own.geo, Accounts: w.own.accounts, Lists: w.lists, Health: w.health,
		Logger: logging.Discard(), Now: clock.Now,
	}
	p.Engines[replay.NoTime] = wiring.NewEngine(w.cfg, parts)
	for precision := replay.Day; precision <= replay.Moment; precision++ {
		limits, err := counters.LimitsWhere(w.cfg, w.own.accounts, nil, func(l *ratelimit.Limit) bool {
			return precision == replay.Moment || l.Window >= 24*time.Hour
		})
		if err != nil {
			return nil, err
		}
		limits.Now = clock.Now
		parts.Limits = limits
		if precision == replay.Moment {
			parts.Retries = memory.NewRetries(wiring.RetryWindows(w.cfg))
			parts.Memory = counters.Servers
		}
		p.Engines[precision] = wiring.NewEngine(w.cfg, parts)
	}
	return p, nil
}

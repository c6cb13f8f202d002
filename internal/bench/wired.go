package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/wiring"
	"mailprofiled/milter"
)

// A wired is the parts of the daemon, put together as it does it, in a process
// that tells of its allocations and can be profiled. CPU is measured of the
// shipped binary.
type wired struct {
	engine *engine.Engine
	stop   func()
}

func wire(path string, stderr io.Writer) (*wired, error) {
	cfg, report := config.Load(path)
	if cfg == nil {
		return nil, fmt.Errorf("configuration: %s", report)
	}
	set, cfg, problems, fatal := wiring.LoadLocal(cfg, nil)
	if fatal || len(problems) > 0 {
		return nil, fmt.Errorf("local rules: %v", problems)
	}
	servers, err := wiring.DNSServers(cfg)
	if err != nil {
		return nil, err
	}
	counted := wiring.NewCounters(cfg, nil, time.Now()) // what the store does beside it is measured of the shipped binary
	counted.Apply(cfg, wiring.AccountKeys(cfg, nil), time.Now())
	limits, err := counted.Limits(cfg, nil, nil)
	if err != nil {
		return nil, err
	}
	wiring.TuneMemory(cfg.DNS.CacheBytes)
	l, err := milter.Listen(cfg.Milter.Listen[0], cfg.Milter.SocketMode, cfg.Milter.SocketGroup)
	if err != nil {
		return nil, err
	}
	out := logging.NewWriter(stderr)
	logger := logging.New(out, logging.Options{JSON: cfg.Log.JSON, Level: cfg.Log.Level})
	listCache := wiring.ListCacheBytes(cfg)
	r := wiring.NewResolver(servers, cfg.DNS.CacheBytes-listCache, logger)
	health := dnsbl.NewHealth(dnsbl.HealthOptions{Logger: logger})
	lists := wiring.NewLists(cfg, r, health, dnsbl.NewCache(listCache))
	wiring.WatchLists(cfg, r, health)
	if err := testLists(health); err != nil {
		return nil, err
	}
	e := wiring.NewEngine(cfg, wiring.Parts{
		Resolver: r, Limits: limits, Retries: counted.Retries, Memory: counted.Servers, Recent: counted.Recent, Local: set, Logger: logger, Lists: lists, Health: health,
		Observer: admin.NewMetrics(func() *admin.Status { return new(admin.Status) }), // nobody scrapes
	})
	settings := wiring.MilterSettings(cfg)
	settings.Logger = logger
	settings.Handler = milter.HandlerFunc(func(c engine.Client) milter.Session { return e.Connect(c) })
	stop := serveUntil(milter.NewServer(settings), l)
	return &wired{engine: e, stop: func() {
		stop()
		if lists != nil {
			lists.Close()
		}
		r.Close()
		out.Close(drain)
	}}, nil
}

// testLists tests all lists once: those that do not count would cost nothing.
func testLists(health *dnsbl.Health) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	health.Test(ctx)
	for _, s := range health.Snapshot() {
		if !s.Counts {
			return fmt.Errorf("the list %s is %s: %s", s.List, s.Condition, s.Reason)
		}
	}
	return nil
}

func (w *wired) visit(from, to, at int) error { return visits(w.engine, from, to, at) }

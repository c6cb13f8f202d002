package main

import (
	"fmt"
	"io"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
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
	wiring.TuneMemory(cfg.DNS.CacheBytes)
	l, err := milter.Listen(cfg.Milter.Listen[0], cfg.Milter.SocketMode, cfg.Milter.SocketGroup)
	if err != nil {
		return nil, err
	}
	out := logging.NewWriter(stderr)
	logger := logging.New(out, logging.Options{JSON: cfg.Log.JSON, Level: cfg.Log.Level})
	r := wiring.NewResolver(servers, cfg.DNS.CacheBytes, logger)
	e := wiring.NewEngine(cfg, wiring.Parts{
		Resolver: r, Retries: memory.NewRetries(wiring.RetryWindows(cfg)), Local: set, Logger: logger,
		Observer: admin.NewMetrics(func() *admin.Status { return new(admin.Status) }), // nobody scrapes
	})
	settings := wiring.MilterSettings(cfg)
	settings.Logger = logger
	settings.Handler = milter.HandlerFunc(func(c engine.Client) milter.Session { return e.Connect(c) })
	stop := serveUntil(milter.NewServer(settings), l)
	return &wired{engine: e, stop: func() {
		stop()
		r.Close()
		out.Close(drain)
	}}, nil
}

func (w *wired) visit(from, to, at int) error { return visits(w.engine, from, to, at) }

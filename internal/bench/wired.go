package main

import (
	"fmt"
	"io"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/resolver"
	"mailprofiled/milter"
	"mailprofiled/profile"
)

// A wired is the daemon put together as cmd/mailprofiled does it, which cannot be
// imported, in a process that tells of its memory and can be profiled. CPU is
// measured of the shipped binary.
type wired struct {
	engine *engine.Engine
	stop   func()
}

func wire(path string, stderr io.Writer) (*wired, error) {
	cfg, report := config.Load(path)
	if cfg == nil {
		return nil, fmt.Errorf("configuration: %s", report)
	}
	out := logging.NewWriter(stderr)
	logger := logging.New(out, logging.Options{JSON: cfg.Log.JSON, Level: cfg.Log.Level})
	r := resolver.New(resolver.Config{Servers: cfg.DNS.Servers, CacheBytes: cfg.DNS.CacheBytes, Logger: logger})
	e := engine.New(engine.Options{
		Policy:   cfg.Policy,
		PolicyID: cfg.PolicyID(),
		Monitor:  cfg.Monitor,
		Us:       profile.Us{Names: cfg.Us.Names, Domains: cfg.Us.Domains, Addrs: cfg.Us.Addresses},
		Exempt: engine.Exempt{
			Networks: cfg.Exempt.Networks, Authenticated: cfg.Exempt.Authenticated, Recipients: cfg.Exempt.Recipients,
		},
		Budget:   cfg.DNS.Budget,
		Resolver: r,
		Retries:  memory.NewRetries(memory.Windows{After: cfg.Retry.After, Within: cfg.Retry.Within, Keep: cfg.Retry.Keep}),
		Logger:   logger,
	})
	l, err := milter.Listen(cfg.Milter.Listen[0], cfg.Milter.SocketMode, cfg.Milter.SocketGroup)
	if err != nil {
		r.Close()
		return nil, err
	}
	stop := serveUntil(milter.NewServer(milter.Config{
		Handler:     milter.HandlerFunc(func(c engine.Client) milter.Session { return e.Connect(c) }),
		Logger:      logger,
		IdleTimeout: cfg.Milter.IdleTimeout,
		DataTimeout: cfg.Milter.DataTimeout,
		MaxSessions: cfg.Milter.MaxSessions,
		OnFailure:   cfg.Milter.OnFailure,
		Drain:       drain,
	}), l)
	return &wired{engine: e, stop: func() {
		stop()
		r.Close()
		out.Close(drain)
	}}, nil
}

func (w *wired) visit(from, to, at int) error { return visits(w.engine, from, to, at) }

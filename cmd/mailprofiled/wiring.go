package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/local"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// load reads the configuration for a command that needs all of it, and tells
// what is wrong with it on stderr. It returns nil when the command cannot go on.
func load(path string, stderr io.Writer) *config.Config {
	cfg, report := config.Load(path)
	if text := report.String(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if cfg == nil {
		fmt.Fprintln(stderr, "mailprofiled: the configuration has mistakes, nothing was started")
	}
	return cfg
}

// dnsServers gives the servers to ask.
func dnsServers(cfg *config.Config) ([]netip.AddrPort, error) {
	if len(cfg.DNS.Servers) > 0 {
		return cfg.DNS.Servers, nil
	}
	servers, err := resolver.SystemServers(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("%w; name the servers in dns.servers", err)
	}
	return servers, nil
}

// newResolver returns a resolver for servers, with so many bytes of cache.
func newResolver(servers []netip.AddrPort, cache int64, logger *slog.Logger) *resolver.Resolver {
	return resolver.New(resolver.Config{Servers: servers, CacheBytes: cache, Logger: logger})
}

// newEngine returns an engine that works by the configuration.
func newEngine(cfg *config.Config, r *resolver.Resolver, retries *memory.Retries, set *local.Set, observer engine.Observer, logger *slog.Logger, hash *logging.Hasher) *engine.Engine {
	return engine.New(engine.Options{
		Policy:       cfg.Policy,
		PolicyID:     cfg.PolicyID(),
		Monitor:      cfg.Monitor,
		AnswerAtMail: cfg.Milter.AnswerAtMail,
		HelpURL:      cfg.HelpURL,
		Us:           profile.Us{Names: cfg.Us.Names, Domains: cfg.Us.Domains, Addrs: cfg.Us.Addresses},
		Exempt: engine.Exempt{
			Networks:      cfg.Exempt.Networks,
			Authenticated: cfg.Exempt.Authenticated,
			Recipients:    cfg.Exempt.Recipients,
		},
		Budget:   cfg.DNS.Budget,
		Resolver: r,
		Retries:  retries,
		Local:    set,
		Logger:   logger,
		Hash:     hash,
		Observer: observer,
	})
}

// doorsOf gives the doors that a configuration has settings of their own for. One
// that is open and that it names no more keeps those it had.
func (d *daemon) doorsOf(cfg *config.Config) map[string]*engine.Door {
	named := make(map[string]bool)
	for _, c := range cfg.Doors() {
		named[c.Listen] = true
	}
	doors := make(map[string]*engine.Door)
	if g := d.current.Load(); g != nil {
		for _, l := range d.doors.mta {
			if door := g.doors[l.place]; door != nil && !named[l.place] {
				doors[l.place] = door
			}
		}
	}
	for _, c := range cfg.Listeners {
		doors[c.Listen] = &engine.Door{Name: c.Listen, Role: c.Role, AnswerAtMail: c.AnswerAtMail, Networks: c.Networks}
	}
	return doors
}

func retryWindows(cfg *config.Config) memory.Windows {
	return memory.Windows{After: cfg.Retry.After, Within: cfg.Retry.Within, Keep: cfg.Retry.Keep}
}

// parseAddr reads an address typed by an operator: with or without brackets or
// the IPv6: tag of a mail log.
func parseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(trimAddr(s))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is no IP address", s)
	}
	return addr.Unmap().WithZone(""), nil
}

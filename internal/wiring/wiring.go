// Package wiring makes the parts of the daemon by a configuration: the one place
// where settings become the options of a room. The daemon, explain and the
// benchmarks are put together by it, so that what is measured is what is shipped.
//
// When something is made, taken over or closed is for the callers to decide.
package wiring

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/accounts"
	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/geo"
	"mailprofiled/internal/harvest"
	"mailprofiled/internal/local"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/spf"
	"mailprofiled/milter"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// ResolvConf is where the DNS servers of the machine stand.
const ResolvConf = "/etc/resolv.conf"

// Parts are what an engine works with and does not own: they live as long as
// their maker wants. All but Logger may be nil, and
// Resolver only where nothing is asked.
type Parts struct {
	Resolver *resolver.Resolver
	SPF      *spf.Checker      // by engine.NewSPF(Resolver); nil: one that lives as long as the engine
	Memory   *memory.Servers   // how servers behaved; nil: nobody remembers
	Recent   *memory.Recent    // which server was behind an id; may be nil
	Retries  *memory.Retries   // nil: nobody is asked to come back
	Local    *local.Set        // the operator's own rules, by LoadLocal
	Geo      *geo.Set          // databases for those, by LoadGeo
	Lists    *dnsbl.Set        // the DNS lists in use, by NewLists
	Health   *dnsbl.Health     // of those
	Limits   engine.Limits     // by Counters.Limits; the zero Limits for none
	Blocks   *ratelimit.Blocks // accounts that may not send; nil for none
	Hijack   engine.Hijack     // how stolen accounts are told, by Counters.Hijacks; the zero Hijack tells none
	Accounts *accounts.File    // of their names, by LoadAccounts
	Unknown  *logging.Hasher   // of recipients that do not exist, in the log; nil: by a key of the engine's own

	Second engine.Second // judges once more by a candidate; nil for none

	Directory *directory.Stack // who exists here, by LoadDirectory
	Traps     *directory.File  // by LoadTraps
	Harvest   *harvest.Watch   // who tries names that do not exist; nil: nobody is watched

	Observer engine.Observer
	Recorder engine.Recorder  // nil: nothing is recorded
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger
	Hash     *logging.Hasher // of mail addresses in the log; nil: they stand there in clear
}

// NewEngine returns an engine that works by the configuration.
func NewEngine(cfg *config.Config, p Parts) *engine.Engine {
	o := engine.Options{
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
		Budget:  cfg.DNS.Budget,
		SPF:     p.SPF,
		Retries: p.Retries,
		Recent:  p.Recent,
		Local:   p.Local,
		Places:  p.Geo,
		Lists:   p.Lists,
		Limits:  p.Limits,
		Blocks:  p.Blocks,
		Hijack:  p.Hijack,

		AccountKey: AccountKeys(cfg, p.Accounts),
		Logger:     p.Logger,
		Hash:       p.Hash,
		Observer:   p.Observer,
		Now:        p.Now,
		Recipients: engine.Recipients{
			Directory: p.Directory, Harvest: p.Harvest, Traps: p.Traps, AtMail: cfg.Directory.AtMail,
		},
		HashUnknown: p.Unknown,
	}
	o.Second = p.Second
	if cfg.Records.Keep > 0 {
		o.Recorder, o.Sample = p.Recorder, cfg.Records.Sample
	}
	if p.Resolver != nil {
		o.Resolver = p.Resolver
	}
	if p.Memory != nil {
		o.Memory = p.Memory
	}
	if p.Health != nil { // a nil pointer in an interface is no nil interface
		o.ListWatch = p.Health
	}
	return engine.New(o)
}

// DNSServers gives the servers to ask: those of the configuration, else of the machine.
// A machine that names none has one itself (resolv.conf(5)), or has no network yet.
func DNSServers(cfg *config.Config) ([]netip.AddrPort, error) {
	if len(cfg.DNS.Servers) > 0 {
		return cfg.DNS.Servers, nil
	}
	servers, err := resolver.SystemServers(ResolvConf)
	if errors.Is(err, fs.ErrNotExist) {
		return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; name the servers in dns.servers", err)
	}
	return servers, nil
}

// NewResolver returns a resolver for servers, with so many bytes of cache. The
// caller closes it.
func NewResolver(servers []netip.AddrPort, cache int64, logger *slog.Logger) *resolver.Resolver {
	return resolver.New(resolver.Config{Servers: servers, CacheBytes: cache, Logger: logger})
}

// Doors gives the doors that have settings of their own, by place: those of
// [[listener]].
func Doors(cfg *config.Config) map[string]*engine.Door {
	doors := make(map[string]*engine.Door, len(cfg.Listeners))
	for _, c := range cfg.Listeners {
		doors[c.Listen] = doorOf(c)
	}
	return doors
}

// DoorAt gives the door at a place of milter.listen or of a [[listener]]. The
// error names the places there are.
func DoorAt(cfg *config.Config, place string) (*engine.Door, error) {
	var places []string
	for _, c := range cfg.Doors() {
		if c.Listen == place {
			return doorOf(c), nil
		}
		places = append(places, c.Listen)
	}
	return nil, fmt.Errorf("there is no listener %q, only %s", place, strings.Join(places, ", "))
}

func doorOf(c config.Listener) *engine.Door {
	return &engine.Door{Name: c.Listen, Role: c.Role, AnswerAtMail: c.AnswerAtMail, Networks: c.Networks}
}

// RetryWindows are the times of the table of those asked to come back.
func RetryWindows(cfg *config.Config) memory.Windows {
	return memory.Windows{After: cfg.Retry.After, Within: cfg.Retry.Within, Keep: cfg.Retry.Keep}
}

// MilterSettings are those of the milter server that a reload may change.
func MilterSettings(cfg *config.Config) milter.Config {
	return milter.Config{
		IdleTimeout: cfg.Milter.IdleTimeout,
		DataTimeout: cfg.Milter.DataTimeout,
		MaxSessions: cfg.Milter.MaxSessions,
		OnFailure:   onFailure(cfg),
		Drain:       cfg.Milter.Drain,
	}
}

// onFailure is what our own failure answers: in monitor mode nothing of ours
// holds up a mail.
func onFailure(cfg *config.Config) profile.Action {
	if cfg.Monitor {
		return profile.Continue
	}
	return cfg.Milter.OnFailure
}

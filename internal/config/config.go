// Package config reads the operator's TOML file and the conf.d/*.toml beside it
// into plain Go values. It is strict: an unknown key, one set twice and a
// senseless value stop the start, and all of them are told at once, each with
// its file, line and remedy.
//
// One table, Keys, says what there is; what the settings mean is left to the
// rooms that take them. A Config is not changed once it is loaded, and may then
// be shared between goroutines.
package config

import (
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"time"

	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// A Config is the effective settings: those of the files over the defaults.
type Config struct {
	Path    string   // of the main file; "" when there is none
	Files   []string // all that were read, the main one first
	Monitor bool     // judge, log and count only

	Candidate string // absolute path of a second configuration, see LoadCandidate; "" for none

	Us        Us
	Milter    Milter
	Listeners []Listener // in place of Milter.Listen; nil where doors do not differ
	DNS       DNS
	Policy    *profile.Policy // baseline, thresholds and points
	HelpURL   string          // with {id} and {finding}; "" for none
	Retry     Retry
	Memory    Memory
	Records   Records
	Exempt    Exempt
	Lists     Lists
	Local     []LocalRule // in their order
	Geo       Geo
	Limits    []ratelimit.Limit // in force: those built in, then [[limit]] in their order
	Accounts  Accounts
	Hijack    Hijack
	Directory Directory
	State     State
	Log       Log
	Notify    Notify
	Admin     Admin
	Scoped    []ScopedToken // besides Admin.Token

	origins map[string]Origin // by dotted key
	lists   []byte            // see WithLists
	limits  []limitRow        // of which Limits are those in force
}

// Us is who we are, as far as the operator says.
type Us struct {
	Names     []string // lower case A-labels without a last dot
	Domains   []string // likewise; final here
	Addresses []netip.Addr
}

// Milter is the door to the MTA.
type Milter struct {
	Listen       []string // "unix:/path", "inet:host:port", "inet6:[address]:port"; at least one
	SocketMode   fs.FileMode
	SocketGroup  string // name or number; "" keeps our own
	IdleTimeout  time.Duration
	DataTimeout  time.Duration
	Drain        time.Duration
	MaxSessions  int
	OnFailure    profile.Action // Continue or TempFail
	AnswerAtMail bool           // answer at MAIL, not at RCPT
}

// DNS is where questions go.
type DNS struct {
	Servers    []netip.AddrPort // empty: those of /etc/resolv.conf
	Budget     time.Duration    // of all outside answers before one reply
	CacheBytes int64
}

// Retry says when a deferred visit has come back honestly.
type Retry struct {
	After, Within time.Duration // since the first deferral
	Keep          time.Duration // how long the network passes then; 0: that once only
}

// Exempt is who skips server checks, besides what is built in.
type Exempt struct {
	Networks      []netip.Prefix // masked; IPv4 never as IPv6
	Authenticated bool
	Recipients    []string // whole addresses in lower case, domains as A-labels
}

// Log says how and how much is logged.
type Log struct {
	JSON   bool // else logfmt
	Level  slog.Level
	Hashed bool // tokens for mail addresses
}

// An Origin is where a setting was made.
type Origin struct {
	File string
	Line int
}

// Default gives the settings of an empty file. The mode, which has no default
// and must be said, is monitor here.
func Default() *Config {
	c := &Config{Monitor: true, origins: map[string]Origin{}, Limits: BuiltInLimits()}
	for _, limit := range c.Limits {
		c.limits = append(c.limits, limitRow{limit: limit, whole: true})
	}
	// Defaults are checked like an operator's values; a test holds them free of problems.
	s := spot{report: &Report{}, src: &source{index: indexOf("")}}
	for _, k := range keysNow() {
		if k.Default == nil || k.Baseline {
			continue
		}
		s.name = k.Name
		if v, ok := k.Kind.parse(k.Default, s); ok {
			k.put(c, v)
		}
	}
	return c
}

// put stores a value where the key lives.
func (k *Key) put(c *Config, value any) {
	switch {
	case k.apply != nil:
		k.apply(c, value)
	case k.field != nil:
		reflect.ValueOf(k.field(c)).Elem().Set(reflect.ValueOf(value))
	}
}

// get gives the value that put stored.
func (k *Key) get(c *Config) any { return reflect.ValueOf(k.field(c)).Elem().Interface() }

// Load reads the file at path and the conf.d/*.toml beside it. The Config is nil
// when the Report has errors; the Report is never nil.
func Load(path string) (*Config, *Report) {
	report := &Report{}
	sources, sound := read(path, report)
	return build(path, sources, sound, true, report)
}

// Parse reads a configuration from memory, without conf.d. name stands for the
// file in the Report.
func Parse(name string, data []byte) (*Config, *Report) {
	report := &Report{}
	src := parse(name, 0, data, report)
	return build(name, []*source{src}, src != nil, false, report)
}

// build makes a Config of the sources, the main file first. Where one is not
// sound TOML, that is all there is to say. here says that it is meant for this
// machine, whose directories are looked at.
func build(path string, sources []*source, sound, here bool, report *Report) (*Config, *Report) {
	defer report.sort()
	if !sound {
		return nil, report
	}
	l := newLoader(tree(), report)
	l.partial, l.here = len(report.Errors) > 0, here
	for _, src := range sources {
		l.add(src)
	}
	c := l.apply()
	c.Path = path
	for _, src := range sources {
		c.Files = append(c.Files, src.name)
	}
	report.Geo = c.GeoFiles()
	report.Accounts = c.AccountsFile()
	report.Directory = c.Directory
	check(l, c, sources[0])
	if len(report.Errors) > 0 {
		return nil, report
	}
	return c, report
}

// apply lays the settings over the defaults. The baseline goes first: it brings
// the points that others change.
func (l *loader) apply() *Config {
	c := Default()
	for _, k := range keysNow() {
		if set, ok := l.settings[k.Name]; ok && set.value != nil {
			k.put(c, set.value)
			c.origins[k.Name] = set.spot.origin()
		}
	}
	c.Local = l.localRules()
	l.dnsLists(c)
	c.Listeners = l.listeners(c)
	c.Scoped = l.scopedTokens(&c.Admin)
	l.limits(c)
	l.exceptions(c)
	l.directories(c)
	l.takeTexts(c)
	c.Policy.Points = maps.Clone(c.Policy.Points)
	for id, set := range l.settings {
		if set.key.Name == "points.*" && set.value != nil {
			c.Policy.Points[set.spot.last] = set.value.(profile.Points)
			c.origins[id] = set.spot.origin()
		}
	}
	return c
}

func (s spot) origin() Origin { return Origin{File: s.src.name, Line: s.src.index.line(s.at)} }

package config

import (
	"path/filepath"
	"strings"
	"unicode"
)

// State is where the daemon keeps what outlives it.
type State struct {
	Path  string // an absolute directory, which need not be there
	Redis Redis  // where limits are shared with other machines
}

func stateKeys() []Key {
	return []Key{
		{
			Name: "state.path", Default: "/var/lib/mailprofiled",
			Kind:  textKind("path", "/var/lib/mailprofiled", statePath, formatText),
			Doc:   `The directory for what outlives the daemon: counters of limits, accounts, what is remembered of servers, records, and the key of tokens in the log (docs/state.md). Where it is not there, nothing is kept: all of it begins anew with each start, and that is said.`,
			field: func(c *Config) any { return &c.State.Path },
		},
		{
			Name: "state.redis", Default: "", Kind: redisKind(),
			Doc:   `A Redis or Valkey server in which several machines count limits together, and by which they tell each other of servers: "redis://host:6379/0", "rediss://user:password@host:6379/0" for TLS, "unix:/run/redis/redis.sock". The password, or all of it, may be "file:/path", whose one line it is; it is shown nowhere. While the server is away each machine counts its part of each limit. Empty: each counts for itself.`,
			field: func(c *Config) any { return &c.State.Redis },
		},
	}
}

func statePath(text string, s spot) (any, bool) {
	if text == "" {
		return s.bad(quote(text), "the path is missing", `write "/var/lib/mailprofiled"`)
	}
	return wholePath(text, s, "/var/lib")
}

// wholePath takes an absolute path. For another it proposes one below usual.
func wholePath(text string, s spot, usual string) (any, bool) {
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return s.bad(quote(text), "a control character in the path", "remove it")
	case !filepath.IsAbs(text):
		return s.bad(quote(text), "a relative path: it would depend on where the daemon is started",
			"write the whole path: "+quote(filepath.Join(usual, text)))
	}
	return filepath.Clean(text), true
}

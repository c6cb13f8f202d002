package wiring

import (
	"mailprofiled/dnsbl"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/resolver"
)

// NewLists makes the DNS lists of the configuration, asked by way of r; nil where
// none is in use. What was answered is kept in cache, which may outlive them, and
// health says which of them count, once it watches them (WatchLists). The caller
// closes the Set before r.
func NewLists(cfg *config.Config, r *resolver.Resolver, health *dnsbl.Health, cache *dnsbl.Cache) *dnsbl.Set {
	lists := cfg.Lists.WithKeys()
	if len(lists) == 0 {
		return nil
	}
	return dnsbl.NewSet(lists, engine.PastCache{Resolver: r}, health, dnsbl.Options{Own: cfg.Us.Addresses, Cache: cache})
}

// WatchLists has health watch the lists of the configuration from now on, by way of r.
func WatchLists(cfg *config.Config, r *resolver.Resolver, health *dnsbl.Health) {
	health.Use(cfg.Lists.WithKeys(), engine.PastCache{Resolver: r}, cfg.Lists.TestEvery)
}

// ListCacheBytes is the part of dns.cache_size for what DNS lists answer; the
// resolver has the rest.
func ListCacheBytes(cfg *config.Config) int64 {
	if len(cfg.Lists.All) == 0 {
		return 0
	}
	return cfg.DNS.CacheBytes / 3
}

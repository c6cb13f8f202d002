package wiring

import (
	"crypto/rand"
	"fmt"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/ratelimit"
)

// Counters are what mail is counted in. They outlive configurations.
type Counters struct {
	Table      *ratelimit.Table
	Accounts   *ratelimit.Accounts
	Exceptions *ratelimit.Exceptions

	secret ratelimit.Secret
}

// NewCounters makes counters that hold nothing, by the machine's key. Without one,
// nil, they are by a key of their own, and cannot be found again by another process.
func NewCounters(cfg *config.Config, key *logging.Hasher, now time.Time) *Counters {
	c := &Counters{Exceptions: new(ratelimit.Exceptions)}
	if key != nil {
		c.secret = key.Derive("limits")
	} else {
		rand.Read(c.secret[:]) // it never fails
	}
	c.Table = ratelimit.NewTable(ratelimit.Options{Track: true}, now)
	c.Accounts = ratelimit.NewAccounts(ratelimit.AccountOptions{Learn: cfg.Accounts.Learn, Track: true}, c.secret, now)
	return c
}

// Apply has the counters go by the configuration from now on, as far as they
// outlive engines. The configuration is right in what it says of them.
func (c *Counters) Apply(cfg *config.Config) {
	c.Accounts.SetLearn(cfg.Accounts.Learn)
	_ = c.Exceptions.Set(cfg.Accounts.Exceptions) // its errors are those that config has told of
}

// Limits are those of the configuration, counted in c.
func (c *Counters) Limits(cfg *config.Config) (engine.Limits, error) {
	if len(cfg.Limits) == 0 {
		return engine.Limits{}, nil
	}
	rules, err := ratelimit.NewRules(cfg.Limits, c.secret, c.Exceptions)
	if err != nil {
		return engine.Limits{}, fmt.Errorf("the limits cannot be used: %w", err)
	}
	return engine.Limits{Rules: rules, Store: c.Table, Accounts: c.Accounts}, nil
}

package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/systemd"
	"mailprofiled/internal/wiring"
)

// reload reads the configuration again and takes it over under running sessions.
// One with mistakes changes nothing. One reload comes after the other; ctx bounds
// the wait for one's turn only.
func (d *daemon) reload(ctx context.Context) *admin.Reload {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return d.outcome([]string{d.first.Path + ":1: not read again: too many reloads at once; try again"}, nil)
	}
	if d.stopping.Load() {
		return d.outcome([]string{d.first.Path + ":1: not read again: the daemon is stopping; start it anew"}, nil)
	}
	d.notify(systemd.Reloading())
	mistakes, warnings := d.swap()
	d.metrics.Reloaded(len(mistakes) == 0)
	d.remember(mistakes)
	d.logReload(mistakes, warnings)
	if !d.stopping.Load() {
		d.notify(systemd.Ready, d.statusLine())
	}
	return d.outcome(mistakes, warnings)
}

// swap loads the configuration and puts it in force. It gives what is wrong with
// it, and what is odd, as check prints them.
func (d *daemon) swap() (mistakes, warnings []string) {
	cfg, report := config.Load(d.first.Path)
	warnings = texts(report.Warnings)
	if cfg == nil {
		mistakes, warnings = apart(rulesBeside(report, d.current.Load().rules), warnings)
		return append(texts(report.Errors), mistakes...), warnings
	}
	own, cfg, problems, bad := loadRules(cfg, d.current.Load().rules)
	if bad.fatal() {
		return apart(problems, warnings)
	}
	warnings = append(warnings, texts(problems)...)
	own.tried, problems = loadCandidate(cfg, own)
	warnings = append(warnings, candidateTexts(problems)...)
	hash, problem := addressHash(cfg, d.first.State.Path)
	if problem != nil {
		own.close()
		return []string{problem.String()}, warnings
	}
	next, err := d.newGeneration(cfg, own, hash)
	if err != nil {
		own.close()
		return []string{wiring.ResolvConf + ":1: " + err.Error()}, warnings
	}
	d.logs.Set(d.newLogger(cfg))
	d.server.Apply(wiring.MilterSettings(cfg))
	old := d.begin(next)
	if old.resolver != next.resolver {
		wiring.TuneMemory(cfg.DNS.CacheBytes)
	}
	old.leave()
	return nil, append(warnings, texts(d.first.NeedRestart(cfg))...)
}

// apart puts the problems of rules that cannot be used to the mistakes and to
// the warnings there are.
func apart(problems []config.Problem, there []string) (mistakes, warnings []string) {
	warnings = there
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.String())
		} else {
			mistakes = append(mistakes, p.String())
		}
	}
	return mistakes, warnings
}

func texts(problems []config.Problem) []string {
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return lines
}

// remember keeps what was wrong with the last reload, for status.
func (d *daemon) remember(mistakes []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused, d.refusedAt = mistakes, time.Time{}
	if len(mistakes) > 0 {
		d.refusedAt = time.Now()
	}
}

func (d *daemon) logReload(mistakes, warnings []string) {
	cfg := d.current.Load().cfg
	for _, text := range mistakes {
		d.logger.Error("mistake in the configuration", "problem", text)
	}
	for _, text := range warnings {
		d.logger.Warn("odd in the configuration", "problem", text)
	}
	if len(mistakes) > 0 {
		d.logger.Error("reload refused, nothing was changed", "mistakes", len(mistakes), "policy", cfg.PolicyID())
		return
	}
	d.logger.Info("reloaded", "policy", cfg.PolicyID(), "mode", mode(cfg))
}

func (d *daemon) outcome(mistakes, warnings []string) *admin.Reload {
	cfg := d.current.Load().cfg
	return &admin.Reload{
		Config: cfg.Path, Policy: cfg.PolicyID(), Mode: mode(cfg),
		Errors: append([]string{}, mistakes...), Warnings: append([]string{}, warnings...),
	}
}

// obeyHangups has each SIGHUP reload from now on until ctx ends. Those that come
// while one is being obeyed are one.
func (d *daemon) obeyHangups(ctx context.Context, all *sync.WaitGroup) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	all.Go(func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				d.reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
}

package main

import (
	"fmt"
	"time"
)

// soakSettings stand in [dns] and behind it: small enough that every table is full
// long before the end, and deferred servers come back in time.
const soakSettings = `cache_size = "32MiB"

[retry]
after = "1s"
`

// looks is how often a soak looks at the daemon after the start.
const looks = 10

// A soak is the shipped daemon under many visits of all kinds.
type soak struct {
	*bench
	p     *process
	seen  []look
	given crowd // what the visits came to
}

// A look is what a daemon holds while nobody is there.
type look struct {
	visits     int
	live       float64 // bytes of heap that the last collection left
	inUse      float64 // bytes of heap
	resident   float64 // bytes
	goroutines float64
	fds        float64 // but for those to DNS
	dns        float64 // sockets to DNS: kept for the next question, up to a bound
	cache      float64 // bytes
	deferred   float64 // in the retry table
	passed     float64
}

// soaked measures what grows while very many visits come and go.
func (b *bench) soaked() error {
	p, err := b.daemonWith("soak", usualBudget, soakSettings)
	if err != nil {
		return err
	}
	defer p.kill()
	s := &soak{bench: b, p: p}
	b.print("\nSOAK: %d visits, %d at once: regular and new senders, nameless clients that come back or not, odd HELO names and senders, broken sessions",
		b.soaking, b.workers)
	b.print("%10s %9s %9s %9s %6s %6s %6s %9s %9s %9s", "visits", "live MiB", "heap MiB", "RSS MiB", "gorout", "fds", "DNS", "cache MiB", "deferred", "passed")
	start := time.Now()
	if err := s.run(); err != nil {
		return fmt.Errorf("%w\n%s", err, lastLines(p.log))
	}
	s.report(time.Since(start))
	return p.stop()
}

// run makes the visits. The first hundredth opens what is opened once.
func (s *soak) run() error {
	first := max(1, s.soaking/100)
	from := 0
	for i := range looks + 1 {
		to := max(first, s.soaking*i/looks)
		if err := s.visit(from, to); err != nil {
			return err
		}
		from = to
		l, err := s.look(to)
		if err != nil {
			return err
		}
		s.seen = append(s.seen, l)
		s.print("%10d %9.1f %9.1f %9.1f %6.0f %6.0f %6.0f %9.1f %9.0f %9.0f", l.visits, l.live/(1<<20), l.inUse/(1<<20), l.resident/(1<<20),
			l.goroutines, l.fds, l.dns, l.cache/(1<<20), l.deferred, l.passed)
	}
	return nil
}

// look waits until the daemon is done with all sessions, and looks. What belongs
// to a session takes a moment to end: goroutines and descriptors are looked at
// until they are as few as at the start, or it is clear that they stay.
func (s *soak) look(visits int) (look, error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		m, err := scrape(s.ctx, s.web(s.p.name))
		if err != nil {
			return look{}, err
		}
		dns, err := socketsTo(s.world.port())
		if err != nil {
			return look{}, err
		}
		l := look{
			visits: visits,
			live:   m["go_memstats_next_gc_bytes"] / (1 + m["go_gc_gogc_percent"]/100),
			inUse:  m["go_memstats_heap_inuse_bytes"], resident: m["process_resident_memory_bytes"],
			goroutines: m["go_goroutines"], fds: m["process_open_fds"] - float64(dns), dns: float64(dns),
			cache: m["mailprofiled_cache_bytes"], deferred: m["mailprofiled_retry_deferred"], passed: m["mailprofiled_retry_passed"],
		}
		if m["mailprofiled_sessions_open"] == 0 && !s.grown(l) {
			s.sound(m, l)
			return l, nil
		}
		select {
		case <-again.C:
		case <-late.C:
			s.check(false, "soak: after %d visits %.0f sessions, %.0f goroutines and %.0f descriptors stay open", visits, m["mailprofiled_sessions_open"], l.goroutines, l.fds)
			return l, nil
		case <-s.ctx.Done():
			return l, s.ctx.Err()
		}
	}
}

// grown reports whether there are more goroutines or descriptors than at the start.
func (s *soak) grown(l look) bool {
	return len(s.seen) > 0 && (l.goroutines > s.seen[0].goroutines || l.fds > s.seen[0].fds)
}

// The bounds of internal/memory and internal/resolver, and that of soakSettings.
const (
	mostDNS      = 256 + 4
	mostCache    = 32 << 20
	mostDeferred = 200_000
	mostPassed   = 50_000
)

// sound notes tables beyond their bounds, and what no visit may bring about.
func (s *soak) sound(m metrics, l look) {
	s.check(l.cache <= mostCache && l.dns <= mostDNS && l.deferred <= mostDeferred && l.passed <= mostPassed, "soak: a table is beyond its bound: %+v", l)
	for _, never := range []string{"mailprofiled_panics_total", "mailprofiled_log_lost_lines_total", "mailprofiled_sessions_refused_total"} {
		value, there := m[never]
		s.check(there && value == 0, "soak: %s is %g", never, value)
	}
}

// report tells what has grown in the second half.
func (s *soak) report(took time.Duration) {
	half, last := s.seen[looks/2], s.seen[looks]
	mib := func(from, to float64) string { return fmt.Sprintf("%+.1f MiB", (to-from)/(1<<20)) }
	s.print("growth in the second half: live heap %s, heap in use %s, resident %s, goroutines %+.0f, descriptors %+.0f   (goal: none)",
		mib(half.live, last.live), mib(half.inUse, last.inUse), mib(half.resident, last.resident), last.goroutines-half.goroutines, last.fds-half.fds)
	g := &s.given
	s.print("%d good senders, all of them continued: %v; %d others continued, %d deferred or refused; %d broken sessions; %.0f visits/s",
		g.good.Load(), g.stopped.Load() == 0, g.passed.Load(), g.refused.Load(), g.broken.Load(), float64(s.soaking)/took.Seconds())
	s.check(g.stopped.Load() == 0, "soak: %d good senders were not let through", g.stopped.Load())
}

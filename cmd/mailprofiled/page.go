package main

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"mailprofiled/internal/act"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/page"
	"mailprofiled/internal/trend"
)

// A pageDesk is what the page is told of a daemon. It has nothing that changes it.
type pageDesk struct{ d *daemon }

func (p pageDesk) Status() *admin.Status              { return p.d.status() }
func (p pageDesk) Attention(s *admin.Status) []string { return attention(s) }
func (p pageDesk) Limits() *admin.Limits              { return p.d.limits() }
func (p pageDesk) TopAccounts(n int) *admin.Top       { return accountDesk(p).Top(n) }

func (p pageDesk) NearAccounts(n int) *admin.NearAccounts { return accountDesk(p).Near(n) }

func (p pageDesk) Account(name string) (*admin.Account, error) { return accountDesk(p).Account(name) }

func (p pageDesk) TopServers(kind, by string, n int) ([]admin.ServerCounts, error) {
	return serverDesk(p).TopServers(kind, by, n)
}

func (p pageDesk) Server(name string) (*admin.Server, error) { return serverDesk(p).Server(name) }
func (p pageDesk) Blocked() *admin.BlockedAccounts           { return accountDesk(p).Blocked(false) }

func (p pageDesk) Suspects(n int) *admin.Suspects { return accountDesk(p).Suspects(n) }

func (p pageDesk) Why(ctx context.Context, q admin.WhyQuery) (*admin.Why, error) {
	return p.d.why(ctx, q)
}

func (p pageDesk) Tail() (*logging.Watcher, error) { return p.d.tap.Watch() }

func (p pageDesk) Trend(s trend.Span) *trend.Series { return p.d.trend(s) }

// trend tells what happened in a span, up to now.
func (d *daemon) trend(s trend.Span) *trend.Series {
	now := time.Now()
	d.noteTrend(now)
	return d.counted.Trend.Look(s, now)
}

// trendEvery is how often it is noted what was counted.
const trendEvery = 5 * time.Second

// followTrend notes verdicts and findings over time until ctx ends, and then the last
// of them for the store.
func (d *daemon) followTrend(ctx context.Context) {
	tick := time.NewTicker(trendEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			d.noteTrend(now)
		case <-ctx.Done():
			d.noteTrend(time.Now())
			d.counted.Trend.Flush()
			return
		}
	}
}

// noteTrend notes what was counted since the last time.
func (d *daemon) noteTrend(now time.Time) {
	counters := d.metrics.Findings()
	maps.Copy(counters, d.metrics.Verdicts())
	d.counted.Trend.Note(now, counters)
}

// newPage makes the page for a listener; nil where it must not be read: beyond
// loopback, without TLS. Only systemd can hand such a socket; the configuration is
// refused.
func (d *daemon) newPage(l net.Listener) http.Handler {
	socket := l.Addr().Network() == "unix"
	if !socket && !onLoopback(l.Addr()) {
		d.logger.Warn("the page is not served: the socket of systemd is beyond loopback, and nothing here speaks TLS", "listen", l.Addr().String())
		return nil
	}
	host, _ := os.Hostname() // only for the title
	actor := act.New(act.Options{
		Hand: actDesk{d, new(sync.Mutex)}, Host: host, Logger: d.logger,
		Token: func() string { return d.pageAccess().Token },
	})
	return page.New(page.Options{Source: pageDesk{d}, Access: d.pageAccess, Socket: socket, Host: host, Logger: d.logger, Acting: actor})
}

// pageAccess tells who may read the page, by the configuration in force.
func (d *daemon) pageAccess() page.Access {
	cfg := d.current.Load().cfg
	a := cfg.Admin
	access := page.Access{Token: a.Token.Reveal(), Hosts: a.Hosts, Actions: a.Actions}
	for _, s := range cfg.Scoped {
		access.Scopes = append(access.Scopes, page.Scope{Domain: s.Domain, Token: s.Token.Reveal()})
	}
	return access
}

func onLoopback(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

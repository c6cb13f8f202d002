package main

import (
	"net"
	"net/http"
	"net/netip"
	"os"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/page"
)

// A pageDesk is what the page is told of a daemon. It has nothing that changes it.
type pageDesk struct{ d *daemon }

func (p pageDesk) Status() *admin.Status              { return p.d.status() }
func (p pageDesk) Attention(s *admin.Status) []string { return attention(s) }
func (p pageDesk) Limits() *admin.Limits              { return p.d.limits() }
func (p pageDesk) TopAccounts(n int) *admin.Top       { return accountDesk(p).Top(n) }

func (p pageDesk) Account(name string) (*admin.Account, error) { return accountDesk(p).Account(name) }

func (p pageDesk) TopServers(kind, by string, n int) ([]admin.ServerCounts, error) {
	return serverDesk(p).TopServers(kind, by, n)
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
	return page.New(page.Options{Source: pageDesk{d}, Access: d.pageAccess, Socket: socket, Host: host, Logger: d.logger})
}

// pageAccess tells who may read the page, by the configuration in force.
func (d *daemon) pageAccess() page.Access {
	a := d.current.Load().cfg.Admin
	return page.Access{Token: a.Token.Reveal(), Hosts: a.Hosts}
}

func onLoopback(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"

	"mailprofiled/internal/config"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/wiring"
)

// systemServers reads the DNS servers of the machine, for whoever follows them.
func systemServers() ([]netip.AddrPort, error) { return resolver.SystemServers(wiring.ResolvConf) }

// tellNoServers warns where the machine does not say yet whom to ask, as at a boot
// before the network is up.
func (d *daemon) tellNoServers(cfg *config.Config) {
	if len(cfg.DNS.Servers) > 0 {
		return
	}
	if _, err := d.system(); errors.Is(err, fs.ErrNotExist) {
		d.logger.Warn("the machine names no DNS server yet: the one on this machine is asked", "file", wiring.ResolvConf,
			"remedy", "nothing, if it comes with the network: it is looked for; else name the servers in dns.servers")
	}
}

// refreshServers looks at the DNS servers of the machine, where the configuration
// names none. Other ones are asked when they have been there at two looks: the file may
// just be written. One that is gone or cannot be read changes nothing.
func (d *daemon) refreshServers(ctx context.Context) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return
	}
	g := d.current.Load() // nobody replaces it while we have the turn
	if len(g.cfg.DNS.Servers) > 0 {
		return
	}
	servers, err := d.system()
	last := d.serversSeen
	d.serversSeen = servers
	if err != nil || slices.Equal(servers, g.resolver.servers) || !slices.Equal(servers, last) {
		return
	}
	next := d.generation(g.cfg, g.loaded, g.rules.again(), g.hash, g.limits, d.resolver(servers, g.resolver.cache))
	before := g.resolver.servers
	d.begin(next)
	g.leave()
	d.logger.Info("DNS servers taken in", "file", wiring.ResolvConf, "servers", texted(servers), "before", texted(before))
}

func texted(servers []netip.AddrPort) []string {
	all := make([]string, 0, len(servers))
	for _, s := range servers {
		all = append(all, s.String())
	}
	return all
}

package resolver

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// SystemServers reads the name servers of a resolv.conf, in its order, each
// with port 53. A file that names none means the server on this host, as
// resolv.conf(5) says. Lines without an address are passed over, as the system's own
// resolver does; a file with such lines only is an error.
func SystemServers(resolvConf string) ([]netip.AddrPort, error) {
	conf, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("name servers: %w", err)
	}
	var servers []netip.AddrPort
	for _, s := range conf.Servers {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			continue
		}
		if at := netip.AddrPortFrom(addr.Unmap(), 53); !slices.Contains(servers, at) {
			servers = append(servers, at)
		}
	}
	switch {
	case len(servers) > 0:
		return servers, nil
	case len(conf.Servers) > 0:
		return nil, fmt.Errorf("name servers: %s: no address behind nameserver %q", resolvConf, conf.Servers[0])
	}
	return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}, nil
}

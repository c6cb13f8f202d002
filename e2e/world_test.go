//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// A world is DNS records in master-file form, as they are put together.
type world struct{ strings.Builder }

func (w *world) host(name string, addrs ...netip.Addr) {
	for _, a := range addrs {
		kind := "A"
		if a.Is6() {
			kind = "AAAA"
		}
		fmt.Fprintf(w, "%s. 300 IN %s %s\n", name, kind, a)
	}
}

func (w *world) ptr(a netip.Addr, name string) {
	fmt.Fprintf(w, "%s 300 IN PTR %s.\n", reverse(a), name)
}

// mx names a domain's exchange; "" is the null MX (RFC 7505).
func (w *world) mx(domain, exchange string) {
	preference := 10
	if exchange == "" {
		preference = 0
	}
	fmt.Fprintf(w, "%s. 300 IN MX %d %s.\n", domain, preference, exchange)
}

// good lays a server that is all a server should be: mx.DOMAIN.
func (w *world) good(a netip.Addr, domain string) {
	w.host("mx."+domain, a)
	w.ptr(a, "mx."+domain)
	w.mx(domain, "mx."+domain)
}

// domain lays a sender domain whose mail is taken elsewhere.
func (w *world) domain(domain string) {
	w.host("in."+domain, netip.MustParseAddr("198.51.100.250"), netip.MustParseAddr("2001:db8:ffff::250"))
	w.mx(domain, "in."+domain)
}

// reverse gives the name of an address's PTR record.
func reverse(a netip.Addr) string {
	name, err := dns.ReverseAddr(a.String())
	if err != nil {
		panic(err) // a netip.Addr always has one
	}
	return name
}

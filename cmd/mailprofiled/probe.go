package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/config"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/wiring"
)

// probeTime is how long one server has for both questions.
const probeTime = 8 * time.Second

// probeDNS asks each DNS server, and gives what is wrong as
// "file:line: what; remedy", by the line that names the server.
func probeDNS(ctx context.Context, cfg *config.Config) []string {
	servers := cfg.DNS.Servers
	var where func(netip.AddrPort) string // the line that names a server
	if len(servers) > 0 {
		at, _ := cfg.Origin("dns.servers")
		where = func(netip.AddrPort) string { return fmt.Sprintf("%s:%d", at.File, at.Line) }
	} else {
		var err error
		if servers, err = resolver.SystemServers(wiring.ResolvConf); err != nil {
			return []string{fmt.Sprintf("%s:1: %v; name the servers in dns.servers", wiring.ResolvConf, err)}
		}
		text, _ := os.ReadFile(wiring.ResolvConf)
		where = func(s netip.AddrPort) string {
			return fmt.Sprintf("%s:%d", wiring.ResolvConf, nameserverLine(string(text), s.Addr()))
		}
	}
	found := make([]string, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() { found[i] = probeServer(ctx, server) })
	}
	all.Wait()
	var problems []string
	for i, what := range found {
		if what != "" {
			problems = append(problems, fmt.Sprintf("%s: DNS server %s %s", where(servers[i]), servers[i], what))
		}
	}
	return problems
}

// nameserverLine finds the line of resolv.conf that names a server.
func nameserverLine(text string, server netip.Addr) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil && a.Unmap() == server {
			return n
		}
	}
	return 1
}

// probeServer gives what is wrong with a server and its remedy, "" when it is fine.
func probeServer(ctx context.Context, server netip.AddrPort) string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	r := resolver.New(resolver.Config{Servers: []netip.AddrPort{server}})
	defer r.Close()
	// Nothing exists under .invalid (RFC 6761 section 6.4). A server may know that
	// by itself; whether it can look up names is seen from one that it cannot know.
	made := r.Lookup(ctx, "mailprofiled-"+strings.ToLower(rand.Text()[:16])+".invalid", dns.TypeA)
	switch made.Outcome {
	case resolver.Failed:
		return fmt.Sprintf("gives no usable answer (%s); see that it runs and serves this machine", made.Reason)
	case resolver.Found, resolver.NoData:
		return "invents names that do not exist: missing ones could not be told from real ones; ask another server"
	}
	if asked := r.Lookup(ctx, "org", dns.TypeMX); asked.Outcome == resolver.Failed {
		return fmt.Sprintf("cannot look up names (%s); see that it reaches the Internet", asked.Reason)
	}
	return ""
}

package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
)

const (
	dnsWait  = 3 * time.Second // for one answer, unless Facts says otherwise
	dnsTries = 2

	// ednsSize is what our own resolver asks for, and largeSize what comes in fragments
	// on many paths.
	ednsSize  = 1232
	largeSize = 4096
)

// A how is how a question is asked.
type how struct{ tcp, unchecked, signed bool }

// ask asks a server; an error is that no answer came.
func (e *exam) ask(ctx context.Context, server netip.AddrPort, name string, qtype uint16, h how) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), qtype)
	q.SetEdns0(ednsSize, h.signed)
	q.CheckingDisabled = h.unchecked
	network := "udp"
	if h.tcp {
		network = "tcp"
	}
	var last error
	for range dnsTries {
		c := dns.Client{Net: network, Timeout: cmp.Or(e.DNSWait, dnsWait), UDPSize: largeSize}
		answer, _, err := c.ExchangeContext(ctx, q, server.String())
		if err == nil {
			return answer, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// dig is the beginning of a line that asks a server by hand.
func dig(server netip.AddrPort) string {
	if server.Port() == 53 {
		return "dig @" + server.Addr().String()
	}
	return fmt.Sprintf("dig @%s -p %d", server.Addr(), server.Port())
}

// dns looks at each DNS server.
func (e *exam) dns(ctx context.Context) {
	if e.ServersErr != nil {
		e.say(Error, "dns-answers", "", e.localResolver(), "%v", e.ServersErr)
		return
	}
	looks := make([]exam, len(e.Servers))
	var all sync.WaitGroup
	for i, server := range e.Servers {
		all.Go(func() {
			looks[i].Facts = e.Facts
			looks[i].server(ctx, server)
		})
	}
	all.Wait()
	for i := range looks {
		e.all, e.silent = append(e.all, looks[i].all...), append(e.silent, looks[i].silent...)
	}
	e.publicServers()
}

// mendServer is how to look at a server that does not answer, and what to do.
func (e *exam) mendServer(server netip.AddrPort) []string {
	look := dig(server) + " org SOA"
	if server.Addr().IsLoopback() {
		return []string{look, "systemctl status unbound named systemd-resolved    # whichever serves there"}
	}
	return append([]string{look}, e.localResolver()...)
}

// localResolver is how to get a resolver that lists answer.
func (e *exam) localResolver() []string {
	return []string{
		"apt install unbound    # a resolver of your own, that forwards to nobody",
		`dns.servers = ["127.0.0.1"]    # in ` + e.ConfigPath + "; then: mailprofiled reload",
	}
}

// publicServers looks whether lists are asked through somebody else's resolver.
func (e *exam) publicServers() {
	found := false
	say := func(about, owner, by string) {
		found = true
		e.say(Warning, "dns-public", about, e.localResolver(), "%s is a resolver for everybody (%s): DNS lists refuse its questions, and what it limits stays unknown", by, owner)
	}
	for _, s := range e.Servers {
		if owner := publicOwner(s.Addr()); owner != "" {
			say(s.String(), owner, s.Addr().String())
		}
	}
	for _, a := range e.Upstreams {
		if owner := publicOwner(a); owner != "" {
			say(a.String(), owner, a.String()+", which systemd-resolved asks,")
		}
	}
	if !found {
		e.ok("dns-public", "", "no DNS server is one for everybody, as far as addresses tell")
	}
}

// server looks at one.
func (e *exam) server(ctx context.Context, server netip.AddrPort) {
	at := server.String()
	plain, err := e.ask(ctx, server, "org", dns.TypeSOA, how{})
	if err != nil {
		e.silent = append(e.silent, server)
		severity := Warning
		if len(e.Servers) == 1 {
			severity = Error
		}
		e.say(severity, "dns-answers", at, e.mendServer(server), "does not answer: %v", err)
		return
	}
	if plain.Rcode == dns.RcodeServerFailure && e.unchecked(ctx, server, "org") {
		e.say(Error, "dns-validation", at, []string{"date -u", "unbound-anchor -v    # at unbound: a new trust anchor"},
			"rejects what is signed, and answers when told not to check: its clock or its trust anchor is wrong, and most names are unknown")
		return
	}
	if plain.Rcode != dns.RcodeSuccess {
		e.say(Error, "dns-answers", at, e.mendServer(server), "cannot look up names (%s): does it reach the Internet, and serve this machine?", dns.RcodeToString[plain.Rcode])
		return
	}
	e.ok("dns-answers", at, "looks up names")
	e.ok("dns-validation", at, "answers what is signed")
	e.invented(ctx, server)
	e.large(ctx, server)
}

// unchecked reports whether a name is answered without validation.
func (e *exam) unchecked(ctx context.Context, server netip.AddrPort, name string) bool {
	m, err := e.ask(ctx, server, name, dns.TypeSOA, how{unchecked: true})
	return err == nil && m.Rcode == dns.RcodeSuccess
}

// invented asks for names that are not there. A server may know by itself that nothing
// is below .invalid (RFC 6761 section 6.4), and invent names elsewhere.
func (e *exam) invented(ctx context.Context, server netip.AddrPort) {
	for _, zone := range []string{".invalid", ".org", ".com"} {
		m, err := e.ask(ctx, server, "mailprofiled-"+strings.ToLower(rand.Text()[:20])+zone, dns.TypeA, how{})
		if err == nil && m.Rcode == dns.RcodeSuccess {
			e.say(Error, "dns-nxdomain", server.String(), e.localResolver(), "invents answers for names that do not exist (below %s): a missing name cannot be told from a real one", zone)
			return
		}
	}
	e.ok("dns-nxdomain", server.String(), "says so of names that do not exist")
}

// large asks for what does not fit everywhere: over TCP, and the signed keys of the
// root, of some 1,100 octets.
func (e *exam) large(ctx context.Context, server netip.AddrPort) {
	at := server.String()
	remedy := []string{dig(server) + " +tcp org SOA    # must answer: open TCP port 53 on the way"}
	if _, err := e.ask(ctx, server, "org", dns.TypeSOA, how{tcp: true}); err != nil {
		e.say(Warning, "dns-large", at, remedy, "does not answer over TCP (%v): what does not fit into a packet, such as long SPF records, stays unknown", err)
		return
	}
	m, err := e.ask(ctx, server, ".", dns.TypeDNSKEY, how{signed: true, unchecked: true})
	if err == nil && m.Truncated {
		_, err = e.ask(ctx, server, ".", dns.TypeDNSKEY, how{signed: true, unchecked: true, tcp: true})
	}
	switch {
	case err != nil:
		e.say(Warning, "dns-large", at, []string{dig(server) + " +dnssec +bufsize=1232 . DNSKEY    # must answer"}, "answers small questions, and not large ones (%v): long SPF records stay unknown", err)
	default:
		e.ok("dns-large", at, "answers over TCP, and large answers come through")
	}
}

// lists looks whether DNS lists answer us.
func (e *exam) lists(ctx context.Context) {
	for _, l := range e.standings() {
		if l.up {
			e.ok("lists", l.id, "answers its test entries")
			continue
		}
		if l.untested {
			e.say(Note, "lists", l.id, []string{"mailprofiled lists    # in a minute"}, "was not tested yet, and does not count until then")
			continue
		}
		what, remedy := l.what, remedies(l.remedy)
		if e.stripped(ctx, l.id) {
			what += "; its entry has a text, and its address is taken away: the resolver keeps answers of 127.0.0.0/8 to itself"
			remedy = []string{
				"unbound: remove private-address: 127.0.0.0/8",
				"dnsmasq: remove stop-dns-rebind, or add rebind-domain-ok=/" + e.zone(l.id) + "/",
			}
		}
		e.say(Warning, "lists", l.id, remedy, "%s: it does not count", what)
	}
}

type standing struct {
	id, what, remedy string
	up, untested     bool // untested by a daemon that has just begun to
}

// standings are what the daemon says of its lists, or else what a test has found.
func (e *exam) standings() []standing {
	var all []standing
	if e.Status != nil {
		for i := range e.Status.Lists {
			l := &e.Status.Lists[i]
			all = append(all, standing{l.List, strings.TrimRight(l.State+": "+l.Reason, ": "), l.Remedy, l.State == "up", l.State == dnsbl.Untested.String() && l.Reason == ""})
		}
		return all
	}
	for i := range e.Lists {
		l := &e.Lists[i]
		all = append(all, standing{l.List, strings.TrimRight(l.Condition.String()+": "+l.Reason, ": "), l.Remedy, l.Counts, false})
	}
	return all
}

func (e *exam) zone(id string) string {
	for i := range e.InUse {
		if l := &e.InUse[i]; l.ID == id && !strings.Contains(l.Zone, "{") {
			return l.Zone
		}
	}
	return ""
}

// stripped reports whether the test entry of a list has a TXT record and no address:
// a resolver against rebinding takes just these away.
func (e *exam) stripped(ctx context.Context, id string) bool {
	zone, servers := e.zone(id), e.speaking()
	if zone == "" || len(servers) == 0 {
		return false
	}
	entry := "2.0.0.127." + zone // RFC 5782 section 5
	a, err := e.ask(ctx, servers[0], entry, dns.TypeA, how{})
	if err != nil || a.Rcode != dns.RcodeSuccess || len(a.Answer) > 0 {
		return false
	}
	text, err := e.ask(ctx, servers[0], entry, dns.TypeTXT, how{})
	return err == nil && len(text.Answer) > 0
}

// signatures gives the span in which the root's signatures hold.
func (e *exam) signatures(ctx context.Context) (from, until time.Time, err error) {
	err = errors.New("no server answers")
	for _, server := range e.speaking() {
		m, askErr := e.ask(ctx, server, ".", dns.TypeSOA, how{signed: true, unchecked: true})
		if askErr != nil {
			err = askErr
			continue
		}
		for _, rr := range m.Answer {
			if sig, ok := rr.(*dns.RRSIG); ok {
				return time.Unix(int64(sig.Inception), 0), time.Unix(int64(sig.Expiration), 0), nil
			}
		}
		err = fmt.Errorf("%s gives no signatures", server)
	}
	if err == nil {
		err = errors.New("there is no DNS server to ask")
	}
	return time.Time{}, time.Time{}, err
}

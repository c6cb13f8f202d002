package dnstest

import (
	"github.com/miekg/dns"
)

// maxChain bounds the CNAMEs followed for one question, so that a loop in the
// data is answered as a loop and not for ever.
const maxChain = 16

// answer builds the honest reply to q: the records, the CNAMEs that lead to
// them, and an SOA when there is nothing (RFC 2308 section 3).
func (s *Server) answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative, m.RecursionAvailable = true, true
	s.mu.Lock()
	defer s.mu.Unlock()

	name, qtype := dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype
	shown := q.Question[0].Name // the asker's own spelling: some mix cases on purpose
	for range maxChain {
		rrs, exists := s.at(name)
		if !exists {
			m.Rcode = dns.RcodeNameError
			m.Ns = []dns.RR{s.soa(name)}
			return m
		}
		if found := pick(rrs, qtype, shown); len(found) > 0 {
			m.Answer = append(m.Answer, found...)
			return m
		}
		alias := pick(rrs, dns.TypeCNAME, shown)
		if len(alias) == 0 {
			m.Ns = []dns.RR{s.soa(name)}
			return m
		}
		m.Answer = append(m.Answer, alias[0])
		shown = alias[0].(*dns.CNAME).Target
		name = dns.CanonicalName(shown)
	}
	return m
}

// at gives the records of name, and whether the name exists, which it also does
// when only names below it have records (RFC 8020), or a wildcard covers it.
func (s *Server) at(name string) (rrs []dns.RR, exists bool) {
	if rrs := s.records[name]; len(rrs) > 0 {
		return rrs, true
	}
	if s.nodes[name] > 0 {
		return nil, true
	}
	for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
		if rrs := s.records["*."+name[off:]]; len(rrs) > 0 {
			return rrs, true
		}
		if s.nodes[name[off:]] > 0 {
			break // RFC 4592 section 3.3.1: only the closest encloser's wildcard counts
		}
	}
	return nil, false
}

// pick copies the records of one type, under the name they were asked by.
func pick(rrs []dns.RR, qtype uint16, owner string) []dns.RR {
	var found []dns.RR
	for _, rr := range rrs {
		if rr.Header().Rrtype == qtype {
			c := dns.Copy(rr)
			c.Header().Name = owner
			found = append(found, c)
		}
	}
	return found
}

// soa is the nearest SOA above name, or an invented one for its top-level domain.
func (s *Server) soa(name string) dns.RR {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		for _, rr := range s.records[name[off:]] {
			if rr.Header().Rrtype == dns.TypeSOA {
				return rr
			}
		}
	}
	top := "."
	if labels := dns.Split(name); len(labels) > 0 {
		top = name[labels[len(labels)-1]:]
	}
	return &dns.SOA{
		Hdr:    dns.RR_Header{Name: top, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 300},
		Ns:     "ns.dnstest.invalid.",
		Mbox:   "hostmaster.dnstest.invalid.",
		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: 300,
	}
}

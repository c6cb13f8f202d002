package dnstest

import (
	"fmt"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// A Mode is a way to treat questions. The zero Mode answers them honestly.
type Mode uint8

// The modes of Misbehave.
const (
	OK        Mode = iota
	Timeout        // no answer at all
	ServFail       // SERVFAIL
	Refused        // REFUSED
	Truncate       // over UDP an empty answer with TC set; over TCP the honest one
	WrongID        // the honest answer under another id
	WrongName      // an answer to another question
	WrongType      // the right name, another type in the question section
	Spoof          // WrongID, WrongName and rubbish first, the honest answer after them
	Garbage        // bytes that are no DNS message
	Loop           // a CNAME chain that comes back to the asked name
	Chain          // an endless CNAME chain, one new name per question
	Huge           // as many records as fit 64 kB: a TXT of 64 kB, 100 PTR names, thousands of addresses
	Stray          // the honest answer among records of other names that nobody asked for
	Rewrite        // an address, RewrittenTo, for each name that does not exist
)

// Misbehave treats name and every name below it by m from now on; "." is every
// name. The mode of the longest name wins; OK makes it honest again.
func (s *Server) Misbehave(name string, m Mode) { s.MisbehaveType(name, dns.TypeNone, m) }

// MisbehaveType is Misbehave for one query type only. It goes before a mode
// that was set for all types of the same name.
func (s *Server) MisbehaveType(name string, qtype uint16, m Mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modes[modeKey{dns.CanonicalName(name), qtype}] = m
}

// mode finds how to treat a question. s.mu is held.
func (s *Server) mode(name string, qtype uint16) Mode {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		if m, ok := s.modeAt(name[off:], qtype); ok {
			return m
		}
	}
	m, _ := s.modeAt(".", qtype)
	return m
}

func (s *Server) modeAt(name string, qtype uint16) (Mode, bool) {
	if m, ok := s.modes[modeKey{name, qtype}]; ok {
		return m, true
	}
	m, ok := s.modes[modeKey{name, dns.TypeNone}]
	return m, ok
}

// misbehave writes the reply, or what mode makes of it.
func (s *Server) misbehave(w dns.ResponseWriter, q *dns.Msg, mode Mode) {
	switch mode {
	case Timeout:
	case ServFail:
		write(w, q, new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
	case Refused:
		write(w, q, new(dns.Msg).SetRcode(q, dns.RcodeRefused))
	case Truncate:
		m := s.reply(q)
		if m != nil && overUDP(w) {
			m.Answer, m.Truncated = nil, true
		}
		write(w, q, m)
	case WrongID, WrongName, WrongType:
		write(w, q, s.lie(q, mode))
	case Spoof:
		_, _ = w.Write([]byte("no DNS message"))
		for _, lie := range []Mode{WrongID, WrongName, WrongType} {
			write(w, q, s.lie(q, lie))
		}
		write(w, q, s.reply(q))
	case Garbage:
		_, _ = w.Write([]byte{0xde, 0xad, 0xbe, 0xef, 0xc0, 0x0c, 0xff, 0xff, 0, 0, 1})
	case Loop, Chain, Huge, Stray:
		write(w, q, s.odd(q, mode))
	case Rewrite:
		write(w, q, rewritten(q, s.reply(q)))
	default:
		write(w, q, s.reply(q))
	}
}

// lie is a reply whose header or question does not belong to q. Its addresses
// tell a test that a spoof was believed.
func (s *Server) lie(q *dns.Msg, mode Mode) *dns.Msg {
	m := s.answer(q)
	name := m.Question[0].Name
	switch mode {
	case WrongID:
		m.Id++
	case WrongName:
		name = "spoofed.invalid."
	case WrongType:
		m.Question[0].Qtype = dns.TypeHINFO
	}
	m.Question[0].Name = name
	m.Rcode, m.Ns = dns.RcodeSuccess, nil
	m.Answer = []dns.RR{rr("%s 300 IN A 203.0.113.66", name)}
	return m
}

// odd is a reply to the right question with strange records in it.
func (s *Server) odd(q *dns.Msg, mode Mode) *dns.Msg {
	name := q.Question[0].Name
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	switch mode {
	case Loop:
		m.Answer = []dns.RR{
			rr("%s 300 IN CNAME a.loop.%s", name, name),
			rr("a.loop.%s 300 IN CNAME %s", name, name),
		}
	case Chain:
		m.Answer = []dns.RR{rr("%s 300 IN CNAME %s", name, longer(name))}
	case Huge:
		m.Answer = huge(name, q.Question[0].Qtype)
	case Stray:
		m = s.answer(q)
		m.Answer = append([]dns.RR{
			rr("stray.invalid. 300 IN A 203.0.113.66"),
			rr("stray.invalid. 300 IN MX 1 mx.stray.invalid."),
		}, m.Answer...)
	}
	return m
}

// longer gives a name below name that was not asked before, and still fits.
func longer(name string) string {
	if len(name) > 200 {
		return name[dns.Split(name)[1]:]
	}
	return "c" + fmt.Sprint(len(name)) + "." + name
}

// huge fills an answer up to what one message holds.
func huge(name string, qtype uint16) []dns.RR {
	h := header(name, qtype)
	var rrs []dns.RR
	switch qtype {
	case dns.TypeTXT:
		strs := make([]string, 255)
		for i := range strs {
			strs[i] = strings.Repeat("x", 250)
		}
		rrs = append(rrs, &dns.TXT{Hdr: h, Txt: strs})
	case dns.TypePTR:
		for i := range 100 {
			rrs = append(rrs, &dns.PTR{Hdr: h, Ptr: fmt.Sprintf("host%d.huge.test.", i)})
		}
	case dns.TypeMX:
		for i := range 1500 {
			rrs = append(rrs, &dns.MX{Hdr: h, Preference: uint16(i), Mx: fmt.Sprintf("mx%d.huge.test.", i)})
		}
	case dns.TypeAAAA:
		for i := range 2000 {
			rrs = append(rrs, &dns.AAAA{Hdr: h, AAAA: net.IP{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}})
		}
	default:
		h.Rrtype = dns.TypeA
		for i := range 3500 {
			rrs = append(rrs, &dns.A{Hdr: h, A: net.IPv4(198, 18, byte(i>>8), byte(i))})
		}
	}
	return rrs
}

func header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: 300}
}

// rr parses one record of ours. Names in it come from a question that was
// unpacked, so it parses.
func rr(format string, args ...any) dns.RR {
	rr, err := dns.NewRR(fmt.Sprintf(format, args...))
	if err != nil {
		panic(fmt.Sprintf("dnstest: own record: %v", err))
	}
	return rr
}

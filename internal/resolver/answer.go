package resolver

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// What is kept of one answer. More than that is either hostile or of no use to
// a judgement; an answer that had more is marked partial, because "not among
// these" proves nothing then.
const (
	maxAddrs     = 256       // forward pools of large senders have a hundred and more
	maxMX        = 20        // the most preferred ones
	maxNames     = 10        // PTR names: as other mail software does (RFC 7208 section 4.6.4 stops at 10 too)
	maxTexts     = 64        // TXT records
	maxTextBytes = 16 << 10  // of all TXT records together
	maxChain     = 12        // CNAMEs on the way from the asked name to its records, over all answers
	maxWalk      = 1500      // records of one message that are looked at; 64 kB holds about 4,000
	noTTL        = 1<<32 - 1 // of negative answers that say nothing of how long they hold
)

// data is what a question gave, whoever asked and wherever it is kept.
type data struct {
	outcome Outcome
	reason  string // when Failed
	partial bool
	addrs   []netip.Addr
	mx      []MX
	names   []string
	texts   []string
}

// parsed is what one message says about a question.
type parsed struct {
	data
	ttl   uint32 // seconds, before clamping
	alias string // not "": the message only leads on to this name, data is not set
	hops  int    // CNAMEs followed in this message
}

// errNonsense marks a message that answers the question but breaks the protocol.
var errNonsense = errors.New("nonsense in a DNS answer")

// An rr is one resource record of a message; its data is msg[off:end].
type rr struct {
	owner    string // canonical
	at       int    // where it starts
	rrtype   uint16
	ttl      uint32
	off, end int
}

// parseAnswer reads msg, a whole NOERROR or NXDOMAIN reply to the question
// (name, qtype) that starts its records at octet off. Only records that belong
// to the CNAME chain from name count; hops says how long the chain is already.
func parseAnswer(msg []byte, off int, name string, qtype uint16, hops int) (parsed, error) {
	answers := int(binary.BigEndian.Uint16(msg[6:]))
	authority := int(binary.BigEndian.Uint16(msg[8:]))
	rrs, off, cut, err := section(msg, off, answers)
	if err != nil {
		return parsed{}, err
	}
	p := parsed{ttl: noTTL}
	end, err := p.follow(msg, rrs, name, qtype, hops)
	if err != nil {
		return parsed{}, err
	}
	found, err := p.collect(msg, rrs, end, qtype)
	if err != nil {
		return parsed{}, err
	}
	p.partial = p.partial || cut && found
	nxdomain := msg[3]&15 == dns.RcodeNameError
	switch {
	case found && nxdomain, cut && !found:
		return parsed{}, errNonsense
	case len(rrs) > 0 && p.hops == 0 && !slices.ContainsFunc(rrs, func(r rr) bool { return r.owner == name }):
		return parsed{}, errNonsense // records of others are no answer, and no "no data"
	case found:
		p.outcome = Found
		return p, nil
	}
	return p.nothing(msg, off, authority, end, nxdomain)
}

// section reads up to count records at off. It stops at maxWalk, then cut is true.
func section(msg []byte, off, count int) (rrs []rr, next int, cut bool, err error) {
	rrs = make([]rr, 0, min(count, 4))
	for range count {
		if len(rrs) == maxWalk {
			return rrs, off, true, nil
		}
		owner, at, err := ownerAt(msg, off, rrs)
		if err != nil || at+10 > len(msg) {
			return nil, 0, false, errNonsense
		}
		r := rr{owner: owner, at: off}
		r.rrtype = binary.BigEndian.Uint16(msg[at:])
		class := binary.BigEndian.Uint16(msg[at+2:])
		r.ttl = binary.BigEndian.Uint32(msg[at+4:])
		if r.ttl > 1<<31-1 {
			r.ttl = 0 // RFC 2181 section 8
		}
		r.off = at + 10
		r.end = r.off + int(binary.BigEndian.Uint16(msg[at+8:]))
		if r.end > len(msg) {
			return nil, 0, false, errNonsense
		}
		off = r.end
		if class == dns.ClassINET {
			rrs = append(rrs, r)
		}
	}
	return rrs, off, false, nil
}

// ownerAt reads the owner at off. Most owners are a pointer to where the one
// before them stands, and need not be unpacked again.
func ownerAt(msg []byte, off int, rrs []rr) (owner string, next int, err error) {
	if n := len(rrs); n > 0 && off+2 <= len(msg) && msg[off] >= 0xc0 {
		if last := rrs[n-1]; msg[last.at] == msg[off] && msg[last.at+1] == msg[off+1] {
			return last.owner, off + 2, nil
		}
	}
	owner, next, err = dns.UnpackDomainName(msg, off)
	return presented(owner), next, err
}

// follow walks the CNAMEs from name and returns where they end. A chain that
// comes back to itself runs into maxChain.
func (p *parsed) follow(msg []byte, rrs []rr, name string, qtype uint16, hops int) (string, error) {
	for {
		next := slices.IndexFunc(rrs, func(r rr) bool {
			return r.rrtype == dns.TypeCNAME && r.owner == name
		})
		has := slices.ContainsFunc(rrs, func(r rr) bool { return r.rrtype == qtype && r.owner == name })
		if next < 0 || has {
			return name, nil
		}
		target, err := nameIn(msg, rrs[next].off, rrs[next].end)
		if err != nil {
			return "", err
		}
		p.ttl = min(p.ttl, rrs[next].ttl)
		p.hops++
		name = target
		if hops+p.hops > maxChain || name == "" {
			return "", errNonsense
		}
	}
}

// collect takes the data of the records of owner and qtype.
func (p *parsed) collect(msg []byte, rrs []rr, owner string, qtype uint16) (found bool, err error) {
	textBytes := 0
	for _, r := range rrs {
		if r.rrtype != qtype || r.owner != owner {
			continue
		}
		p.ttl = min(p.ttl, r.ttl)
		switch qtype {
		case dns.TypeA, dns.TypeAAAA:
			err = p.addAddr(msg[r.off:r.end], qtype)
		case dns.TypeMX:
			err = p.addMX(msg, r)
		case dns.TypePTR:
			err = p.addName(msg, r)
		case dns.TypeTXT:
			err = p.addText(msg[r.off:r.end], &textBytes)
		}
		if err != nil {
			return false, err
		}
	}
	slices.SortStableFunc(p.mx, func(a, b MX) int { return int(a.Preference) - int(b.Preference) })
	if len(p.mx) > maxMX {
		p.mx, p.partial = p.mx[:maxMX:maxMX], true
	}
	if found = len(p.addrs)+len(p.mx)+len(p.names)+len(p.texts) > 0; !found && p.partial {
		return false, errNonsense // one TXT record of 64 kB: there is something, and it cannot be used
	}
	return found, nil
}

func (p *parsed) addAddr(rdata []byte, qtype uint16) error {
	want := 4
	if qtype == dns.TypeAAAA {
		want = 16
	}
	addr, ok := netip.AddrFromSlice(rdata)
	switch {
	case !ok || len(rdata) != want:
		return errNonsense
	case len(p.addrs) == maxAddrs:
		p.partial = true
	case !slices.Contains(p.addrs, addr):
		p.addrs = append(p.addrs, addr)
	}
	return nil
}

func (p *parsed) addMX(msg []byte, r rr) error {
	if r.end-r.off < 3 {
		return errNonsense
	}
	host, err := nameIn(msg, r.off+2, r.end)
	if err != nil {
		return err
	}
	p.mx = append(p.mx, MX{Preference: binary.BigEndian.Uint16(msg[r.off:]), Host: host})
	return nil
}

// addName takes a PTR name. The root is no name of a host, and left out.
func (p *parsed) addName(msg []byte, r rr) error {
	if len(p.names) == maxNames {
		p.partial = true
		return nil
	}
	name, err := nameIn(msg, r.off, r.end)
	if err != nil {
		return err
	}
	if name != "" && !slices.Contains(p.names, name) {
		p.names = append(p.names, name)
	}
	return nil
}

// addText joins the strings of one TXT record (RFC 7208 section 3.3). A record
// that does not fit is left out as a whole: half of one would say something else.
func (p *parsed) addText(rdata []byte, total *int) error {
	var text strings.Builder
	for len(rdata) > 0 {
		n := int(rdata[0])
		if n >= len(rdata) {
			return errNonsense
		}
		text.Write(rdata[1 : 1+n])
		rdata = rdata[1+n:]
	}
	if len(p.texts) == maxTexts || *total+text.Len() > maxTextBytes {
		p.partial = true
		return nil
	}
	*total += text.Len()
	p.texts = append(p.texts, text.String())
	return nil
}

// nothing tells the ends of a chain without records apart: no such name, no
// such data, or a way that leads on (RFC 2308 section 2).
func (p parsed) nothing(msg []byte, off, authority int, end string, nxdomain bool) (parsed, error) {
	rrs, _, _, err := section(msg, off, authority)
	if err != nil {
		return parsed{}, err
	}
	soa, ok := negativeTTL(msg, rrs, end)
	switch {
	case nxdomain:
		p.outcome = NoName // of the chain's end (RFC 6604 section 3)
	case ok:
		p.outcome = NoData
	case p.hops > 0:
		p.alias = end
		return p, nil
	case slices.ContainsFunc(rrs, func(r rr) bool { return r.rrtype == dns.TypeNS }):
		// A referral: the server does not resolve for us, so it did not answer.
		return parsed{}, errNonsense
	default:
		p.outcome = NoData
	}
	if !ok {
		soa = 0 // RFC 2308 section 5: without an SOA it should not be kept; the clamp decides
	}
	p.ttl = min(p.ttl, soa)
	return p, nil
}

// negativeTTL is how long a negative answer about name holds: the lesser of
// the SOA's minimum and its own TTL (RFC 2308 section 5). An SOA of a zone that
// name is not in says nothing.
func negativeTTL(msg []byte, rrs []rr, name string) (uint32, bool) {
	for _, r := range rrs {
		if r.rrtype != dns.TypeSOA || !within(name, r.owner) || r.end-r.off < 22 {
			continue
		}
		minimum := binary.BigEndian.Uint32(msg[r.end-4:])
		if minimum > 1<<31-1 {
			minimum = 0
		}
		return min(r.ttl, minimum), true
	}
	return 0, false
}

// within reports whether name is zone or below it.
func within(name, zone string) bool {
	if zone == "" || name == zone {
		return true
	}
	above, ok := strings.CutSuffix(name, zone)
	return ok && strings.HasSuffix(above, ".") && !strings.HasSuffix(above, `\.`)
}

// nameIn reads the name that fills msg from off to end.
func nameIn(msg []byte, off, end int) (string, error) {
	name, next, err := dns.UnpackDomainName(msg, off)
	if err != nil || next != end {
		return "", errNonsense
	}
	return presented(name), nil
}

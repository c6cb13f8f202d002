package resolver

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The cache holds one packed string per subject: a name, or a client address.
// It starts with the subject itself and goes on with parts, each with its own
// kind and expiry, in any order:
//
//	record  = subject part*
//	subject = 'n' length name | '4' 4 octets | '6' 16 octets
//	part    = tag expiry life length payload
//	tag     = 1 octet: bits 0-4 kind, bits 5-6 outcome - 1, bit 7 partial
//	expiry  = 4 octets, seconds since the resolver was made
//	life    = 2 octets, seconds from when it was asked to its expiry
//	length  = uvarint
//
// A part of a kind that a reader does not know is skipped by its length, so
// there is room for more kinds (a client's list answers) beside the present
// ones. What was not answered is a part of its own beside the last good answer
// of the same kind, which is then still there to be served stale.
type kind uint8

const (
	kindA       kind = 1 // payload: addresses of 4 octets
	kindAAAA    kind = 2 // addresses of 16 octets
	kindMX      kind = 3 // (preference of 2 octets, length, host)*, by preference
	kindTXT     kind = 4 // (length, text)*
	kindPTR     kind = 5 // (length, name)*
	kindForward kind = 6 // of a client address: which PTR name by its place, 1 octet; then its addresses
)

// A part is one answer in a record.
type part struct {
	kind    kind
	outcome Outcome // Found, NoData, NoName or Failed
	partial bool    // there was more than is kept
	expiry  uint32
	life    uint16
	payload string // of a Failed part: one octet, the place in reasons
}

// appendPart packs p behind b. The kind must be at most 31 and the outcome set.
func appendPart(b []byte, p part) []byte {
	tag := byte(p.kind)&31 | byte(p.outcome-Found)<<5
	if p.partial {
		tag |= 0x80
	}
	b = append(b, tag)
	b = binary.BigEndian.AppendUint32(b, p.expiry)
	b = binary.BigEndian.AppendUint16(b, p.life)
	return appendText(b, p.payload)
}

// nextPart unpacks the first part of parts. At the end, and at bytes that are
// no part, it says false.
func nextPart(parts string) (p part, rest string, ok bool) {
	if len(parts) < 8 {
		return part{}, "", false
	}
	p.kind = kind(parts[0] & 31)
	p.outcome = Found + Outcome(parts[0]>>5&3)
	p.partial = parts[0]&0x80 != 0
	p.expiry = be32(parts[1:])
	p.life = uint16(parts[5])<<8 | uint16(parts[6])
	p.payload, rest, ok = cutText(parts[7:])
	return p, rest, ok
}

// lifeOf is how long an answer holds that was asked then.
func lifeOf(asked, expiry uint32) uint16 {
	if asked >= expiry {
		return 0
	}
	return uint16(min(expiry-asked, 1<<16-1))
}

// ageOf is how long ago it was asked.
func (p *part) ageOf(now uint32) time.Duration {
	if asked := p.expiry - uint32(p.life); asked < now && uint32(p.life) <= p.expiry {
		return time.Duration(now-asked) * time.Second
	}
	return 0
}

// appendText packs s behind its length.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutText undoes appendText. What it returns shares the memory of s.
func cutText(s string) (text, rest string, ok bool) {
	var n uint64
	for i := 0; i < len(s) && i < 5; i++ { // lengths fit 32 bits
		n |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			s = s[i+1:]
			if n > uint64(len(s)) {
				return "", "", false
			}
			return s[:n], s[n:], true
		}
	}
	return "", "", false
}

func be32(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// A subject is what a record is about: a name, or else an address.
type subject struct {
	name string // canonical
	addr netip.Addr
}

// appendSubject packs s behind b.
func appendSubject(b []byte, s subject) []byte {
	switch {
	case !s.addr.IsValid():
		return appendText(append(b, 'n'), s.name)
	case s.addr.Is4():
		a := s.addr.As4()
		return append(append(b, '4'), a[:]...)
	default:
		a := s.addr.As16()
		return append(append(b, '6'), a[:]...)
	}
}

// partsOf gives the parts of record if it is about s. Records are found by a
// hash of their subject, so now and then it is about another one.
func partsOf(record string, s subject) (parts string, ok bool) {
	if record == "" {
		return "", false
	}
	head, rest := record[0], record[1:]
	switch {
	case head == 'n' && !s.addr.IsValid():
		name, rest, ok := cutText(rest)
		return rest, ok && name == s.name
	case head == '4' && s.addr.Is4() && len(rest) >= 4:
		return rest[4:], addr4(rest) == s.addr
	case head == '6' && s.addr.Is6() && len(rest) >= 16:
		return rest[16:], addr16(rest) == s.addr
	}
	return "", false
}

func addr4(s string) netip.Addr {
	return netip.AddrFrom4([4]byte([]byte(s[:4])))
}

func addr16(s string) netip.Addr {
	return netip.AddrFrom16([16]byte([]byte(s[:16])))
}

// pack makes a part of what a question gave.
func pack(k kind, d data, expiry uint32) part {
	p := part{kind: k, outcome: d.outcome, partial: d.partial, expiry: expiry}
	switch {
	case d.outcome == Failed:
		p.payload = string([]byte{reasonCode(d.reason)})
	case d.outcome == Found:
		p.payload = packRecords(k, d)
	}
	return p
}

func packRecords(k kind, d data) string {
	var b []byte
	switch k {
	case kindA, kindAAAA:
		b = appendAddrs(b, d.addrs)
	case kindMX:
		for _, mx := range d.mx {
			b = binary.BigEndian.AppendUint16(b, mx.Preference)
			b = appendText(b, mx.Host)
		}
	case kindTXT:
		b = appendTexts(b, d.texts)
	case kindPTR:
		b = appendTexts(b, d.names)
	}
	return string(b)
}

func appendAddrs(b []byte, addrs []netip.Addr) []byte {
	for _, a := range addrs {
		b = append(b, a.AsSlice()...)
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	for _, s := range texts {
		b = appendText(b, s)
	}
	return b
}

// unpack undoes pack. Strings in the result share the memory of the payload.
// It is false for a payload that pack did not make.
func unpack(p part) (d data, ok bool) {
	d = data{outcome: p.outcome, partial: p.partial}
	if p.outcome == Failed {
		if len(p.payload) != 1 {
			return data{}, false
		}
		d.reason = reasonName(p.payload[0])
		return d, true
	}
	if p.outcome != Found {
		return d, p.payload == ""
	}
	switch p.kind {
	case kindA:
		d.addrs, ok = cutAddrs(p.payload, 4)
	case kindAAAA:
		d.addrs, ok = cutAddrs(p.payload, 16)
	case kindMX:
		d.mx, ok = cutMX(p.payload)
	case kindTXT:
		d.texts, ok = cutTexts(p.payload)
	case kindPTR:
		d.names, ok = cutTexts(p.payload)
	}
	return d, ok
}

// cutAddrs unpacks addresses of size octets each.
func cutAddrs(s string, size int) ([]netip.Addr, bool) {
	if len(s) == 0 || len(s)%size != 0 {
		return nil, false
	}
	addrs := make([]netip.Addr, 0, len(s)/size)
	for ; s != ""; s = s[size:] {
		if size == 4 {
			addrs = append(addrs, addr4(s))
		} else {
			addrs = append(addrs, addr16(s))
		}
	}
	return addrs, true
}

func cutTexts(s string) ([]string, bool) {
	n := 0
	for rest := s; rest != ""; n++ {
		var ok bool
		if _, rest, ok = cutText(rest); !ok {
			return nil, false
		}
	}
	if n == 0 {
		return nil, false
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i], s, _ = cutText(s)
	}
	return texts, true
}

func cutMX(s string) ([]MX, bool) {
	var mxs []MX
	for s != "" {
		if len(s) < 3 {
			return nil, false
		}
		mx := MX{Preference: uint16(s[0])<<8 | uint16(s[1])}
		var ok bool
		if mx.Host, s, ok = cutText(s[2:]); !ok {
			return nil, false
		}
		mxs = append(mxs, mx)
	}
	return mxs, len(mxs) > 0
}

// A forward is where one PTR name of a client leads, as its record keeps it.
type forward struct {
	place   int // of the name among the PTR names
	outcome Outcome
	addrs   []netip.Addr // of the client's family; the client's own is among them if the answer had it
	expiry  uint32
	life    uint16
}

func packForward(f forward) part {
	b := appendAddrs([]byte{byte(f.place)}, f.addrs)
	return part{kind: kindForward, outcome: f.outcome, expiry: f.expiry, life: f.life, payload: string(b)}
}

// unpackForward undoes packForward in a record whose addresses have size octets.
func unpackForward(p part, size int) (f forward, ok bool) {
	if p.payload == "" || p.outcome == Failed {
		return forward{}, false
	}
	f = forward{place: int(p.payload[0]), outcome: p.outcome, expiry: p.expiry, life: p.life}
	if p.outcome != Found {
		return f, len(p.payload) == 1
	}
	f.addrs, ok = cutAddrs(p.payload[1:], size)
	return f, ok
}

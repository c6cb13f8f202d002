package resolver

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/miekg/dns"
)

const (
	headerBytes = 12

	// udpBytes is the size of a UDP answer that we ask for at most: what passes
	// every path without fragments (DNS flag day 2020).
	udpBytes = 1232
)

// A question as it goes over the wire.
type question struct {
	name  string // canonical
	qtype uint16
	wire  []byte // name, type, class; lower case
}

// newQuestion packs name, which is canonical.
func newQuestion(name string, qtype uint16) (*question, error) {
	wire := make([]byte, len(name)+6) // presentation form is never shorter than the octets
	end, err := dns.PackDomainName(dns.Fqdn(name), wire, 0, nil, false)
	if err != nil {
		return nil, err
	}
	wire = binary.BigEndian.AppendUint16(wire[:end], qtype)
	wire = binary.BigEndian.AppendUint16(wire, dns.ClassINET)
	return &question{name: name, qtype: qtype, wire: wire}, nil
}

// packet is the whole query under an id: recursion desired, with EDNS0 or without.
func (q *question) packet(id uint16, edns bool) []byte {
	b := make([]byte, 0, 2+headerBytes+len(q.wire)+11)
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0) // RD, one question
	b = append(b, q.wire...)
	if edns {
		b[headerBytes-1] = 1
		// RFC 6891 section 6.1.2: root name, OPT, our size, no flags, no options.
		b = append(b, 0, 0, byte(dns.TypeOPT), udpBytes>>8, udpBytes&255, 0, 0, 0, 0, 0, 0)
	}
	return b
}

// answeredBy reports whether msg is a reply to q under id. The server must
// repeat the question, in any case of its letters; only one that could not even
// read it may leave it out (RFC 6891 section 7).
func (q *question) answeredBy(msg []byte, id uint16) bool {
	if len(msg) < headerBytes || binary.BigEndian.Uint16(msg) != id {
		return false
	}
	const response, opcode = 0x80, 0x78
	if msg[2]&response == 0 || msg[2]&opcode != 0 {
		return false
	}
	switch binary.BigEndian.Uint16(msg[4:]) {
	case 0:
		return msg[3]&15 == dns.RcodeFormatError
	case 1:
		return q.echoedIn(msg[headerBytes:])
	}
	return false
}

// echoedIn reports whether b starts with the question.
func (q *question) echoedIn(b []byte) bool {
	if len(b) < len(q.wire) {
		return false
	}
	name := len(q.wire) - 4
	for i, want := range q.wire {
		got := b[i]
		// Octets of lengths are at most 63 and so never taken for letters.
		if i < name && 'A' <= got && got <= 'Z' {
			got += 'a' - 'A'
		}
		if got != want {
			return false
		}
	}
	return true
}

// records is where the records of a reply to q start.
func (q *question) records() int { return headerBytes + len(q.wire) }

// newID draws a random message id (RFC 5452 section 4.3).
func newID() uint16 {
	var b [2]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return binary.BigEndian.Uint16(b[:])
}

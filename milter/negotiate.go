package milter

import (
	"encoding/binary"

	"github.com/emersion/go-milter"
)

// askProtocol is what we ask the MTA to do, 0xf70: to keep header, body, DATA
// and unknown commands to itself, and to show us the recipients that it refuses.
// No answer is left out (NR_*): the library gives one to each command.
const askProtocol = milter.OptNoBody | milter.OptNoHeaders | milter.OptNoEOH | milter.OptNoUnknown |
	milter.OptNoData | milter.OptSkip | milter.OptRcptRej

// askActions is all we want to be allowed: to name the macros we need.
const askActions = milter.OptSetSymList

// askMacros names all that is used of each stage: a list replaces the MTA's own
// for that stage. Read-only.
var askMacros = map[milter.Stage][]string{
	milter.StageConnect:  {"j", "{daemon_name}", "{daemon_addr}", "{if_addr}"},
	milter.StageMailFrom: {"i", "{auth_authen}"},
	milter.StageRcptTo:   {"i", "{rcpt_mailer}", "{rcpt_host}"},
	milter.StageEOM:      {"i"},
}

// An offer is what the MTA says it can do.
type offer struct{ version, actions, protocol uint32 }

// offerSize is the length of an offer in a packet.
const offerSize = 12

// parseOffer reads the payload of the MTA's O packet.
func parseOffer(b []byte) (offer, error) {
	if len(b) < offerSize {
		return offer{}, refusal("negotiation packet is too short")
	}
	o := offer{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}
	if o.version == 0 {
		return offer{}, refusal("the MTA offers version 0 of the milter protocol")
	}
	return o, nil
}

// cut reduces our own O packet, length and code included, to what was offered:
// an MTA breaks off the whole connection over one bit it does not know.
func (o offer) cut(packet []byte) []byte {
	const head = 5
	if len(packet) < head+offerSize {
		return packet
	}
	p := append([]byte(nil), packet...)
	limit := func(at int, v uint32) uint32 {
		binary.BigEndian.PutUint32(p[at:], v)
		return v
	}
	limit(head, min(binary.BigEndian.Uint32(p[head:]), o.version))
	actions := limit(head+4, binary.BigEndian.Uint32(p[head+4:])&o.actions)
	limit(head+8, binary.BigEndian.Uint32(p[head+8:])&o.protocol)
	if milter.OptAction(actions)&milter.OptSetSymList == 0 {
		p = p[:head+offerSize] // no list where lists are unknown
		binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	}
	return p
}

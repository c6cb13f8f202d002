package milter

import (
	"encoding/binary"

	"github.com/emersion/go-milter"
)

// askProtocol is what we ask the MTA to do, 0xf70: to keep offerHeader, body, DATA
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

// An Offer is what one side of a negotiation can do, or wants to be done.
type Offer struct {
	Version  uint32 // of the milter protocol
	Actions  uint32 // SMFIF_*: what the filter may do
	Protocol uint32 // SMFIP_*: what the MTA may leave out, or do besides
}

// Lengths in a packet of negotiation: what stands before the offer, and the offer.
const (
	offerHead = lengthSize + 1
	offerSize = 12
)

// parseOffer reads the payload of the MTA's O packet.
func parseOffer(b []byte) (Offer, error) {
	if len(b) < offerSize {
		return Offer{}, refusal("negotiation packet is too short")
	}
	o := Offer{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}
	if o.Version == 0 {
		return Offer{}, refusal("the MTA offers version 0 of the milter protocol")
	}
	return o, nil
}

// cut reduces our own O packet, length and code included, to what was offered:
// an MTA breaks off the whole connection over one bit it does not know.
func (o Offer) cut(packet []byte) []byte {
	if len(packet) < offerHead+offerSize {
		return packet
	}
	p := append([]byte(nil), packet...)
	limit := func(at int, v uint32) uint32 {
		binary.BigEndian.PutUint32(p[at:], v)
		return v
	}
	limit(offerHead, min(binary.BigEndian.Uint32(p[offerHead:]), o.Version))
	actions := limit(offerHead+4, binary.BigEndian.Uint32(p[offerHead+4:])&o.Actions)
	limit(offerHead+8, binary.BigEndian.Uint32(p[offerHead+8:])&o.Protocol)
	if milter.OptAction(actions)&milter.OptSetSymList == 0 {
		p = p[:offerHead+offerSize] // no list where lists are unknown
		binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	}
	return p
}

package miltertest

import "net/netip"

// An MTA is the manner of one: what it offers, which macros it sends at which
// stage, and when it says abort. The values are those seen of Postfix 3.7 and
// Sendmail 8.17.
type MTA struct {
	Name  string
	Host  string // {j}
	Offer Offer
	// Macros are those sent by stage ('C' 'H' 'M' 'R' 'E') where the milter names none.
	Macros map[byte][]string

	DaemonName, DaemonAddr, IfName, IfAddr string // of the listener; "" is not sent

	sendmail bool
}

// An Offer is what one side of a negotiation can do, or wants.
type Offer struct{ Version, Actions, Protocol uint32 }

// Bits of an Offer that a Visit heeds.
const (
	setSymList = 0x100 // in Actions

	noBody    = 0x10
	noHeaders = 0x20
	noEOH     = 0x40
	noUnknown = 0x100
	noData    = 0x200
	rcptRej   = 0x800
)

// Postfix is the manner of Postfix.
func Postfix() MTA {
	return MTA{
		Name:  "postfix",
		Host:  "mx.example.net",
		Offer: Offer{6, 0x1ff, 0x1fffff},
		Macros: map[byte][]string{
			'C': {"j", "{daemon_name}", "{daemon_addr}", "v", "_"},
			'H': tlsMacros,
			'M': {"i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}", "{mail_host}", "{mail_mailer}"},
			'R': {"i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"},
			'E': {"i"},
		},
		DaemonName: "mx.example.net",
		DaemonAddr: "192.0.2.25",
	}
}

// Sendmail is the manner of Sendmail.
func Sendmail() MTA {
	return MTA{
		Name:  "sendmail",
		Host:  "mx.example.net",
		Offer: Offer{6, 0x1ff, 0x1fffff},
		Macros: map[byte][]string{
			'C': {"j", "_", "{daemon_name}", "{if_name}", "{if_addr}"},
			'H': tlsMacros,
			'M': {"i", "{auth_type}", "{auth_authen}", "{auth_ssf}", "{auth_author}", "{mail_mailer}", "{mail_host}", "{mail_addr}"},
			'R': {"{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}"},
			'E': {"{msg_id}"},
		},
		DaemonName: "MTA",
		DaemonAddr: "0.0.0.0",
		IfName:     "mx.example.net",
		IfAddr:     "192.0.2.25",
		sendmail:   true,
	}
}

var tlsMacros = []string{"{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"}

// A Peer is the SMTP client that the MTA has.
type Peer struct {
	Family byte       // '4', '6', 'L' or 'U'; 0 goes by Addr
	Addr   netip.Addr // of '4' and '6'
	Port   uint16
	Name   string // as the MTA found it; "" is unknown
	Raw    string // stands in the packet instead of Addr, if not ""
}

// family gives the letter in the connect packet.
func (p Peer) family() byte {
	switch {
	case p.Family != 0:
		return p.Family
	case p.Addr.Is4():
		return '4'
	}
	return '6'
}

// address gives the address as the MTA writes it in the connect packet: Sendmail
// puts a tag before an IPv6 address, and spells it out.
func (m MTA) address(p Peer) string {
	if p.Raw != "" {
		return p.Raw
	}
	if !m.sendmail || !p.Addr.Is6() {
		return p.Addr.String()
	}
	return "IPv6:" + spelled(p.Addr)
}

// spelled writes an IPv6 address without "::".
func spelled(a netip.Addr) string {
	b := a.As16()
	out := make([]byte, 0, 39)
	const digits = "0123456789abcdef"
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			out = append(out, ':')
		}
		group := []byte{digits[b[i]>>4], digits[b[i]&15], digits[b[i+1]>>4], digits[b[i+1]&15]}
		for len(group) > 1 && group[0] == '0' {
			group = group[1:]
		}
		out = append(out, group...)
	}
	return string(out)
}

// host gives the name in the connect packet.
func (m MTA) host(p Peer) string {
	switch {
	case p.Name != "":
		return p.Name
	case p.family() == 'L', p.family() == 'U':
		return "localhost"
	}
	return "[" + p.Addr.String() + "]"
}

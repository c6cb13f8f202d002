package miltertest

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// addMacros puts the macros of a stage into the buffer: those that the milter
// named, or the MTA's own, as far as they have a value.
func (v *Visit) addMacros(stage byte) {
	names, ok := v.Lists[stage]
	if !ok {
		names = v.MTA.Macros[stage]
	}
	at := len(v.out)
	v.begin('D', 0)
	v.out = append(v.out, stage)
	for _, n := range names {
		if value, ok := v.value(n); ok {
			v.out = append(append(v.out, n...), 0)
			v.out = append(append(v.out, value...), 0)
		}
	}
	binary.BigEndian.PutUint32(v.out[at:], uint32(len(v.out)-at-4))
}

// value gives a macro's value. Postfix leaves out an empty one; Sendmail sends
// the empty {rcpt_host} of a local recipient.
func (v *Visit) value(name string) (string, bool) {
	s := ""
	switch name {
	case "j":
		s = v.MTA.Host
	case "v":
		s = v.MTA.Name
	case "_":
		s = v.MTA.host(v.peer) + " [" + v.clientAddr() + "]"
	case "i":
		s = v.queueID
	case "{daemon_name}":
		s = v.MTA.DaemonName
	case "{daemon_addr}":
		s = v.MTA.DaemonAddr
	case "{if_name}":
		s = v.MTA.IfName
	case "{if_addr}":
		s = v.MTA.IfAddr
	case "{client_addr}":
		s = v.clientAddr()
	case "{client_name}", "{client_ptr}":
		s = v.peer.Name
		if s == "" && !v.MTA.sendmail {
			s = "unknown"
		} else if s == "" {
			s = v.MTA.host(v.peer)
		}
	case "{client_port}":
		s = strconv.Itoa(int(v.peer.Port))
	case "{client_resolve}":
		s = "OK"
		if v.peer.Name == "" {
			s = "FAIL"
		}
	case "{auth_authen}":
		s = v.account
	case "{auth_type}":
		if v.account != "" {
			s = "PLAIN"
		}
	case "{mail_addr}":
		s = strings.Trim(v.from, "<>")
	case "{mail_host}":
		s = v.from[strings.LastIndexByte(v.from, '@')+1:]
	case "{mail_mailer}":
		s = "smtp"
	case "{rcpt_addr}":
		s = v.rcptAddr
	case "{rcpt_host}":
		return v.rcptHost, v.MTA.sendmail || v.rcptHost != ""
	case "{rcpt_mailer}":
		s = v.mailer
	case "{msg_id}":
		s = "<" + v.queueID + "@client.example>"
	case "{tls_version}":
		if v.tls {
			s = "TLSv1.3"
		}
	case "{cipher}":
		if v.tls {
			s = "TLS_AES_256_GCM_SHA384"
		}
	case "{cipher_bits}":
		if v.tls {
			s = "256"
		}
	}
	return s, s != ""
}

// clientAddr is {client_addr}: both MTAs tag IPv6.
func (v *Visit) clientAddr() string {
	if v.peer.Addr.Is6() && !v.MTA.sendmail {
		return "IPv6:" + v.peer.Addr.String()
	}
	return v.MTA.address(v.peer)
}

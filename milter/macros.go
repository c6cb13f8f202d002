package milter

import (
	"bytes"
	"net/netip"
	"strings"
)

// keepMacros is how much of a macro buffer stays with a session; a larger one
// was an exception and is let go.
const keepMacros = 2 << 10

// macros holds what the MTA has defined for a stage until the command of that
// stage has been handled, and no longer: the library keeps one map for all, in
// which {rcpt_mailer} of a refused recipient would still be seen at the next.
type macros struct {
	stage [5][]byte // payload of the last D packet for C, H, M, R, E, without its first byte
}

// slot gives the place of a command's macros, or nil: nothing asks for those.
func (m *macros) slot(command byte) *[]byte {
	if i := strings.IndexByte("CHMRE", command); i >= 0 {
		return &m.stage[i]
	}
	return nil
}

// define keeps the payload of a D packet, replacing what its stage had.
func (m *macros) define(payload []byte) {
	if s := m.slot(payload[0]); s != nil {
		*s = append((*s)[:0], payload[1:]...)
	}
}

// drop forgets a stage.
func (m *macros) drop(command byte) {
	if s := m.slot(command); s != nil {
		*s = (*s)[:0]
		if cap(*s) > keepMacros {
			*s = nil
		}
	}
}

// get gives the value of a macro as defined for a stage, or "". Its name is
// given without braces; the MTA may write it with or without, as for libmilter.
func (m *macros) get(command byte, name string) string {
	s := m.slot(command)
	if s == nil {
		return ""
	}
	for rest := *s; len(rest) > 0; {
		var key, value []byte
		key, rest, _ = bytes.Cut(rest, nul)
		value, rest, _ = bytes.Cut(rest, nul)
		if n := len(key); n > 2 && key[0] == '{' && key[n-1] == '}' {
			key = key[1 : n-1]
		}
		if string(key) == name {
			return string(value)
		}
	}
	return ""
}

var nul = []byte{0}

// cString gives the bytes before the first NUL.
func cString(b []byte) []byte {
	s, _, _ := bytes.Cut(b, nul)
	return s
}

// parseAddr reads an address as MTAs write it: Sendmail puts "IPv6:" before
// those of that family, in the connect packet too. The zero Addr is: no address.
func parseAddr(s string) netip.Addr {
	if len(s) >= 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	const tag = "IPv6:"
	if len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		s = s[len(tag):]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

package local

import "net/netip"

// octets4 reads one to four octets of an IPv4 address from the beginning of a
// text; what follows is given back. Strict refuses leading zeros, which some
// programs take for octal. Octets not given are zero.
func octets4(text []byte, strict bool) (a addr4, count int, rest []byte, ok bool) {
	for {
		if strict && len(text) > 1 && text[0] == '0' && isDigit(text[1]) {
			return 0, 0, text, false
		}
		var o int
		if o, text, ok = smallNumber(text, 255); !ok {
			return 0, 0, text, false
		}
		count++
		a |= addr4(o) << (32 - 8*count)
		if count == 4 || len(text) == 0 || text[0] != '.' {
			return a, count, text, true
		}
		text = text[1:]
	}
}

// smallNumber reads a decimal number of at most most from the beginning of a text.
func smallNumber(text []byte, most int) (n int, rest []byte, ok bool) {
	i := 0
	for ; i < len(text) && isDigit(text[i]); i++ {
		if n = n*10 + int(text[i]-'0'); n > most {
			return 0, text, false
		}
	}
	return n, text[i:], i > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func ip4(a addr4) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}

package profile

import (
	"net/netip"
	"strings"
)

// A Kind says what a host name tells of the line or server behind it. Higher
// speaks more against it.
type Kind uint8

const (
	Plain   Kind = iota // a name that somebody chose
	Generic             // a provider's default name
	Dynamic             // a provider's default name of an access line
)

// String gives the word used in details.
func (k Kind) String() string { return [...]string{"plain", "generic", "dynamic"}[k] }

// A Nature is what Classify reads out of a name.
type Nature struct {
	Kind Kind
	Mail bool   // it has a mail word; this excuses a confirmed name, and no other
	Sign string // what gave it away: the word, or the sort of pattern
	Addr bool   // the whole of the client's address stands in it
}

// asConfirmed is the kind of a name that leads back to its address. Whoever
// owns the zone can write any PTR, mail words included, so an unconfirmed name
// gains nothing by them.
func (n Nature) asConfirmed() Kind {
	if n.Mail {
		return Plain
	}
	return n.Kind
}

// Classify reads a host name of a client: what stands left of the registered
// domain, or dynamic.com and dslreports.com would be hit. A name is generic if
// the client's address stands in it in some encoding, or an access word, or a
// pattern of provisioning systems; it is dynamic if an access word says so and
// no word says static or business. The zero client is in no name.
//
// The name is hostile text; any string is classified.
func Classify(name string, client netip.Addr) Nature {
	name = strings.TrimSuffix(lower(name), ".")
	left := leftOfDomain(name)
	if left == "" {
		return Nature{}
	}
	words := readWords(left)
	address := findAddress(left, client)
	if domain := name[len(left):]; !address.full && strings.Count(domain, "-") > 1 && countDigits(domain) > 2 {
		// Some providers number their registered names: the whole address may be
		// there only over both. A part of it there is a firm's name like any other.
		address = findAddress(name, client)
		address.part, address.three, address.coded = address.full, address.full, false
	}
	n := Nature{Mail: words.mail, Sign: words.accessWord(address.any()), Addr: address.full}
	if n.Sign == "" && !words.fixed && !words.unnamed {
		n.Sign = address.lineSign(left)
	}
	switch {
	case n.Sign != "" && !words.fixed:
		n.Kind = Dynamic
		return n
	case n.Sign == "":
		n.Sign = defaultSign(left, &words, address)
	}
	if n.Sign != "" {
		n.Kind = Generic
	}
	return n
}

// lower is strings.ToLower for ASCII; it does not allocate for what is lower
// case already.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// defaultSign looks for the marks of names that machines gave: the client's
// address, a word of the trade, a number alone, a MAC address.
func defaultSign(left string, words *wordMarks, address addressMarks) string {
	host, _, _ := strings.Cut(left, ".")
	switch {
	case address.full:
		return addressSign
	case address.coded:
		return "the end of the client's address"
	case address.three, address.part && (isDigit(left[0]) || words.ofLines()):
		return "a part of the client's address"
	case words.genericWord() != "":
		return words.genericWord()
	case isNumber(host):
		return "a number for a name"
	case isMAC(host):
		return "a MAC address"
	}
	return ""
}

func countDigits(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}

// isNumber reports whether a label is a long number, with at most a few letters
// before it: 263665, h2066373, vmi1736435, hwsrv-734989. One letter may follow, as lines of
// one subscriber are told apart: cc616634-a.
func isNumber(label string) bool {
	letters := 0
	for letters < len(label) && isLetter(label[letters]) {
		letters++
	}
	number := label[letters:]
	apart := len(number) > 0 && number[0] == '-'
	if apart {
		number = number[1:]
	}
	if n := len(number); n > 2 && number[n-2] == '-' && isLetter(number[n-1]) {
		number = number[:n-2]
	}
	digits := len(number)
	if countDigits(number) != digits {
		return false
	}
	return letters == 0 && digits >= 5 || letters <= 3 && digits >= 6 || apart && letters <= 6 && digits >= 6
}

// isMAC reports whether a label is a MAC address in hex: run together or in
// pairs, after at most one letter, or after cable modems' four digits more.
func isMAC(label string) bool {
	digits, letters, length := 0, 0, 0
	for i := 0; i < len(label); i++ {
		switch c := label[i]; {
		case isDigit(c):
			digits++
			length++
		case isHex(c):
			letters++
			length++
		case c == '-' || c == '_' || i == 0:
		default:
			return false
		}
	}
	return (length == 12 || length == 16) && digits >= 4 && letters >= 1
}

func isHex(c byte) bool { return isDigit(c) || c|0x20-'a' < 6 }

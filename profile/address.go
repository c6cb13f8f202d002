package profile

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// addressMarks are what is found of a client's address in a name.
type addressMarks struct {
	full     bool // all of it
	part     bool // two neighbouring octets, or half of an IPv6 address
	three    bool // IPv4, three of its octets in a row
	together bool // IPv4, zero padded and run together
	reversed bool // IPv4, last octet first
	glued    bool // IPv4, and one or two letters directly before it begin the name
	coded    bool // IPv4, its last two octets in a form that no number has by chance
	private  bool // IPv6, and its host made up the last half (RFC 8981)
}

func (a addressMarks) any() bool { return a.full || a.part }

// lineSign returns the pattern that says access line without a word; "" if there
// is none. Access providers name their lines so, by the thousand, below a
// sub-domain of theirs; on senders of real mail it is hardly seen. left is the
// name left of its registered domain.
func (a addressMarks) lineSign(left string) string {
	dots := strings.Count(left, ".")
	switch {
	case !a.full:
		return ""
	case a.glued && (a.together || dots > 0):
		return "a letter and the client's address"
	case a.private && dots > 0:
		return "a temporary IPv6 address"
	case a.reversed && dots > 3 && isDigit(left[0]) && !strings.Contains(left, "-"):
		return "the client's address as in a reverse zone"
	}
	return ""
}

// findAddress looks for the client's address in a lower-case name or local part.
func findAddress(s string, client netip.Addr) addressMarks {
	client = client.Unmap()
	switch {
	case !client.IsValid() || s == "":
		return addressMarks{}
	case client.Is4():
		return findIPv4(s, client.As4())
	}
	return findIPv6(s, client)
}

// findIPv4 goes through the runs of digits, in which octets stand one by one in
// decimal, in any separators, or run together; then it looks for hex.
func findIPv4(s string, octets [4]byte) addressMarks {
	var m addressMarks
	w := octetWalk{octets: octets, last: -1}
	hex, pairs := hexShape(s)
	for at := 0; at < len(s); {
		if !isDigit(s[at]) {
			at++
			continue
		}
		end := at + 1
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		w.read(s[at:end], &m)
		at = end
	}
	w.finish(&m)
	m.full = m.full || hex >= 8 && hasHex(s, octets) || pairs >= 4 && hasHexPairs(s, octets)
	m.glued = m.full && (isGlued(s, 1, octets) || isGlued(s, 2, octets))
	host, _, _ := strings.Cut(s, ".")
	m.coded = isCoded(host, octets)
	return m
}

// isCoded reports whether a label is up to four letters and then the last two octets of
// the address: in four hex digits (p8627 of 192.0.134.39), run together (e97070 of
// 192.0.97.70), or with an x between them. A number is so by chance in one of ten thousand
// names or less.
func isCoded(host string, o [4]byte) bool {
	var room [8]byte
	hex := appendHex(appendHex(room[:0], o[2]), o[3])
	if before, ok := strings.CutSuffix(host, string(hex)); ok && countDigits(string(hex)) > 0 && areLetters(before, 4) {
		return true
	}
	end := len(host)
	for end > 0 && isDigit(host[end-1]) {
		end--
	}
	if left, ok := strings.CutSuffix(host[:end], "x"); ok { // 220x184: letters of any number before it, as the x tells
		from := len(left)
		for from > 0 && isDigit(left[from-1]) {
			from--
		}
		third, okThird := octet(left[from:])
		fourth, okFourth := octet(host[end:])
		return okThird && okFourth && from < len(left) && end < len(host) && third == int(o[2]) && fourth == int(o[3]) && len(left)-from+len(host)-end >= 5
	}
	run := host[end:]
	if len(run) < 5 || !areLetters(host[:end], 4) {
		return false
	}
	third := strconv.AppendUint(room[:0], uint64(o[2]), 10)
	return run == string(plain(third, o[3:])) || run == string(padded(third, o[3:])) || run == string(padded(room[:0], o[2:]))
}

// areLetters reports whether s is one to most letters, and nothing else.
func areLetters(s string, most int) bool {
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= most
}

// isGlued reports whether a name that holds the address has it directly behind
// its first n letters, as lines are numbered: d192-0-2-7, n192000002007. Letters
// that mean a server or an address say no such thing.
func isGlued(s string, n int, octets [4]byte) bool {
	if len(s) <= n || !isLetter(s[0]) || !isLetter(s[n-1]) {
		return false
	}
	switch s[:n] {
	case "v", "ip", "vm", "vs", "sv", "ns", "ws", "dc":
		return false
	}
	number, s := cutNumber(s[n:])
	if len(number) == 12 {
		return true
	}
	if s == "" || isLetter(s[0]) {
		return false
	}
	following, _ := cutNumber(s[1:])
	return neighbours(number, following, octets)
}

// cutNumber cuts the digits off that a string begins with.
func cutNumber(s string) (number, rest string) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// neighbours reports whether two numbers are octets that stand side by side in
// the address, in either order.
func neighbours(a, b string, octets [4]byte) bool {
	x, okX := octet(a)
	y, okY := octet(b)
	if a == "" || b == "" || !okX || !okY {
		return false
	}
	for i := 0; i < 3; i++ {
		p, q := int(octets[i]), int(octets[i+1])
		if p == x && q == y || p == y && q == x {
			return true
		}
	}
	return false
}

// hexShape returns the length of the longest run of hex digits, and the most
// groups of two that stand in a row. Few names have room for an address.
func hexShape(s string) (longest, pairs int) {
	run, inRow := 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && isHex(s[i]) {
			run++
			longest = max(longest, run)
			continue
		}
		if run == 2 {
			inRow++
			pairs = max(pairs, inRow)
		} else {
			inRow = 0
		}
		if i < len(s) && isLetter(s[i]) && s[i] != 'x' {
			inRow = 0
		}
		run = 0
	}
	return longest, pairs
}

// octetWalk follows the numbers of a name.
type octetWalk struct {
	octets        [4]byte
	last          int  // the number before, -1 when it was none
	lastLen       int  // its digits
	ahead, behind int  // how many octets have followed each other, in order and reversed
	seen          byte // a bit for each octet that stood somewhere as a number
	pair          bool
}

// minPairDigits keeps two single digits, as in ns1-2, from being taken for two
// octets.
const minPairDigits = 3

func (w *octetWalk) read(run string, m *addressMarks) {
	v, ok := octet(run)
	if !ok {
		w.last = -1
		w.readLong(run, m)
		return
	}
	forward, backward := false, false
	for i, o := range w.octets {
		if int(o) != v {
			continue
		}
		w.seen |= 1 << i
		forward = forward || i > 0 && int(w.octets[i-1]) == w.last
		backward = backward || i < 3 && int(w.octets[i+1]) == w.last
	}
	w.ahead, w.behind = next(w.ahead, forward), next(w.behind, backward)
	w.pair = w.pair || (forward || backward) && len(run)+w.lastLen >= minPairDigits || max(w.ahead, w.behind) > 1
	m.three = m.three || max(w.ahead, w.behind) > 1
	m.reversed = m.reversed || w.behind == 3 && w.ahead < 3
	w.last, w.lastLen = v, len(run)
}

func next(n int, ok bool) int {
	if ok {
		return n + 1
	}
	return 0
}

// finish: all four octets, two of them side by side, are the whole address.
func (w *octetWalk) finish(m *addressMarks) {
	m.part = m.part || w.pair
	m.full = m.full || w.pair && w.seen == 0xf
}

// octet reads a run of digits as one octet, zero padded or not.
func octet(run string) (int, bool) {
	if len(run) > 3 {
		return 0, false
	}
	v := 0
	for i := 0; i < len(run); i++ {
		v = v*10 + int(run[i]-'0')
	}
	return v, v <= 255
}

// readLong reads octets run together, padded or not, in either order, and the
// address as one decimal number.
func (w *octetWalk) readLong(run string, m *addressMarks) {
	if len(run) < 5 || len(run) > 12 {
		return
	}
	o := w.octets
	var room [12]byte
	for _, order := range bothOrders(o) {
		switch {
		case len(run) == 12 && run == string(padded(room[:0], order[:])):
			m.full, m.together = true, true
		case len(run) >= 6 && run == string(plain(room[:0], order[:])):
			m.full = true
		case run == string(strconv.AppendUint(room[:0], uint64(binary.BigEndian.Uint32(order[:])), 10)):
			m.full = true
		}
		for i := 0; i < 3 && len(run) <= 6; i++ {
			pair := order[i : i+2]
			m.part = m.part || run == string(plain(room[:0], pair)) || run == string(padded(room[:0], pair))
		}
		for i := 0; i < 2 && len(run) >= 7 && len(run) <= 9; i++ {
			m.part = m.part || len(run) == 9 && run == string(padded(room[:0], order[i:i+3])) || run == string(plain(room[:0], order[i:i+3]))
		}
	}
}

func plain(to []byte, octets []byte) []byte {
	for _, o := range octets {
		to = strconv.AppendUint(to, uint64(o), 10)
	}
	return to
}

func padded(to []byte, octets []byte) []byte {
	for _, o := range octets {
		to = append(to, '0'+o/100, '0'+o/10%10, '0'+o%10)
	}
	return to
}

const hexDigits = "0123456789abcdef"

func appendHex(to []byte, b byte) []byte { return append(to, hexDigits[b>>4], hexDigits[b&0xf]) }

// hasHex looks for the eight hex digits of the octets, in either order.
func hasHex(s string, o [4]byte) bool {
	for _, order := range bothOrders(o) {
		var room [8]byte
		joined := room[:0]
		for _, b := range order {
			joined = appendHex(joined, b)
		}
		if strings.Contains(s, string(joined)) {
			return true
		}
	}
	return false
}

// hasHexPairs looks for the octets in hex one by one between separators.
func hasHexPairs(s string, o [4]byte) bool {
	for _, order := range bothOrders(o) {
		for _, sep := range []byte("-._x") {
			var room [11]byte
			separated := room[:0]
			for i, b := range order {
				if i > 0 {
					separated = append(separated, sep)
				}
				separated = appendHex(separated, b)
			}
			if strings.Contains(s, string(separated)) {
				return true
			}
		}
	}
	return false
}

func bothOrders(o [4]byte) [2][4]byte { return [2][4]byte{o, {o[3], o[2], o[1], o[0]}} }

// findIPv6 looks for the 32 nibbles in either order, and for the groups as they
// are written, padded, short or with :: for zeros, in other separators.
func findIPv6(s string, client netip.Addr) addressMarks {
	var m addressMarks
	b := client.As16()
	m.private = !chosenInterface(b)
	bare := bareHex(s)
	nibbles := make([]byte, 0, 32)
	for _, o := range b {
		nibbles = appendHex(nibbles, o)
	}
	m.full = strings.Contains(bare, string(nibbles))
	m.part = strings.Contains(bare, string(nibbles[:16])) || m.private && strings.Contains(bare, string(nibbles[16:]))
	if m.full {
		return m
	}
	for i, k := 0, 31; i < k; i, k = i+1, k-1 {
		nibbles[i], nibbles[k] = nibbles[k], nibbles[i]
	}
	m.full = strings.Contains(bare, string(nibbles)) || hasGroups(s, client)
	return m
}

// bareHex takes the separators out.
func bareHex(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '.', '_', ':', 'x':
			return -1
		}
		return r
	}, s)
}

// hasGroups looks for the groups without leading zeros, all eight of them or
// with :: for the longest run of zeros.
func hasGroups(s string, client netip.Addr) bool {
	b := client.As16()
	whole := make([]byte, 0, 40)
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			whole = append(whole, ':')
		}
		whole = strconv.AppendUint(whole, uint64(b[i])<<8|uint64(b[i+1]), 16)
	}
	short := client.String()
	for _, sep := range []string{"-", ".", "_", "x"} {
		if strings.Contains(s, strings.ReplaceAll(string(whole), ":", sep)) || strings.Contains(s, strings.ReplaceAll(short, ":", sep)) {
			return true
		}
	}
	return false
}

// chosenInterface reports whether the last half of an IPv6 address was not made
// up by the host for its privacy (RFC 8981): mostly zeros, or of a MAC address.
func chosenInterface(b [16]byte) bool {
	if b[11] == 0xff && b[12] == 0xfe { // RFC 4291 appendix A
		return true
	}
	zeros := 0
	for _, o := range b[8:] {
		if o == 0 {
			zeros++
		}
	}
	return zeros >= 3
}

package dnsbl

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Kind says what an answer code means.
type Kind uint8

// The kinds.
const (
	Listed Kind = iota // speaks against the subject
	Allow              // speaks for it
	Info               // is logged, weighs nothing
	Error              // the list refuses or misread us: no evidence at all
	kinds              // how many there are
)

var kindNames = [kinds]string{"listed", "allow", "info", "error"}

// String is the kind as `kind` in a configuration names it.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "none"
}

// ParseKind reads what String writes; empty is Listed.
func ParseKind(name string) (Kind, error) {
	if name == "" {
		return Listed, nil
	}
	if i := slices.Index(kindNames[:], name); i >= 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("%q is no kind of code; use %q, %q, %q or %q", name, Listed, Allow, Info, Error)
}

// A Code is one row of what a list may answer. It is made by NewCode.
type Code struct {
	Answer  string // as declared: "127.0.0.2", "127.0.1.0/24", "127.0.0.2-127.0.0.9", "127.0.*.2"
	Match   string // how: exact, cidr, range, pattern:..., bitmask:N (bits of the last octet), other
	Meaning string // for people
	Kind    Kind
	Points  float64 // not below 0 for Listed, not above 0 for Allow, else 0
	Suspect bool    // such an answer is a reason to suspend the list

	reach reach
}

// A form is a way to match, and its place in the order of precedence.
type form uint8

const (
	never   form = iota // a Code not made by NewCode
	exact               // one address
	span                // first to last address, the narrower one first
	pattern             // octets that must be so, the narrower one first
	mask                // bits of the last octet: all that match count
	other               // first to last address, where nothing else matches
)

// reach is which addresses a Code is about.
type reach struct {
	form        form
	first, last uint32 // of exact, span and other, inclusive; of pattern and mask what must be so
	fixed       uint32 // of pattern and mask: the bits of first that must be so
}

// NewCode makes a Code of what a list answers, within 127.0.0.0/8. An empty match
// is told from the answer: an address, a prefix, "first-last", or an address
// with "*" for any octet. Points that contradict the kind are an error.
func NewCode(answer, match, meaning string, kind Kind, points float64) (Code, error) {
	c := Code{Answer: answer, Match: match, Meaning: meaning, Kind: kind, Points: points}
	if c.Match == "" {
		c.Match = matchOf(answer)
	}
	var err error
	if c.reach, err = parseReach(c.Answer, c.Match); err != nil {
		return Code{}, err
	}
	switch {
	case math.IsNaN(points) || math.IsInf(points, 0):
		return Code{}, fmt.Errorf("%g is no number of points", points)
	case kind == Listed && points < 0:
		return Code{}, fmt.Errorf(`%g points speak for the client; use kind = "allow"`, points)
	case kind == Allow && points > 0:
		return Code{}, fmt.Errorf("%g points speak against the client; an allow code takes points below 0", points)
	case kind > Allow && points != 0:
		return Code{}, fmt.Errorf("a code of kind %q weighs nothing; leave its points out", kind)
	}
	return c, nil
}

func matchOf(answer string) string {
	switch {
	case strings.Contains(answer, "/"):
		return "cidr"
	case strings.Contains(answer, "-"):
		return "range"
	case strings.Contains(answer, "*"):
		return "pattern:" + answer
	}
	return "exact"
}

func parseReach(answer, match string) (reach, error) {
	how, arg, _ := strings.Cut(match, ":")
	switch how {
	case "exact":
		return parseSpan(exact, answer, answer)
	case "range":
		from, to, _ := strings.Cut(answer, "-")
		return parseSpan(span, from, to)
	case "cidr":
		return parsePrefix(span, answer)
	case "other":
		return parsePrefix(other, answer)
	case "pattern":
		return parsePattern(arg)
	case "bitmask":
		return parseMask(answer, arg)
	}
	return reach{}, fmt.Errorf("%q is no way to match an answer", match)
}

func parseSpan(f form, from, to string) (reach, error) {
	first, err := loopback(from)
	if err != nil {
		return reach{}, err
	}
	last, err := loopback(to)
	if err != nil {
		return reach{}, err
	}
	if last < first {
		return reach{}, fmt.Errorf("%s is after %s", from, to)
	}
	return reach{form: f, first: first, last: last}, nil
}

func parsePrefix(f form, answer string) (reach, error) {
	p, err := netip.ParsePrefix(answer)
	if err != nil {
		return reach{}, fmt.Errorf("%q is no prefix", answer)
	}
	if !p.Addr().Is4() || p != p.Masked() || p.Bits() < 8 || p.Addr().As4()[0] != 127 {
		return reach{}, fmt.Errorf("%s is no prefix within 127.0.0.0/8", answer)
	}
	first := number(p.Addr())
	return reach{form: f, first: first, last: first | (uint32(1)<<(32-p.Bits()) - 1)}, nil
}

func parsePattern(s string) (reach, error) {
	r := reach{form: pattern}
	octets := strings.Split(s, ".")
	if len(octets) != 4 || octets[0] != "127" {
		return reach{}, fmt.Errorf("%q is no pattern within 127.0.0.0/8", s)
	}
	for _, octet := range octets {
		r.first, r.fixed = r.first<<8, r.fixed<<8
		if octet == "*" {
			continue
		}
		n, err := strconv.ParseUint(octet, 10, 8)
		if err != nil {
			return reach{}, fmt.Errorf("%q is no pattern: %q is neither an octet nor *", s, octet)
		}
		r.first, r.fixed = r.first|uint32(n), r.fixed|0xff
	}
	return r, nil
}

func parseMask(answer, arg string) (reach, error) {
	n, err := strconv.ParseUint(arg, 10, 8)
	if err != nil || bits.OnesCount64(n) != 1 {
		return reach{}, fmt.Errorf("%q is no bit of an octet", arg)
	}
	base, err := loopback(answer)
	if err != nil {
		return reach{}, err
	}
	return reach{form: mask, first: base&^0xff | uint32(n), fixed: ^uint32(0xff) | uint32(n)}, nil
}

// loopback reads an address of 127.0.0.0/8: only there may a list answer (RFC
// 5782 section 2.1).
func loopback(s string) (uint32, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() || !addr.IsLoopback() {
		return 0, fmt.Errorf("%q is no address within 127.0.0.0/8", s)
	}
	return number(addr), nil
}

// number is an IPv4 address as a number.
func number(addr netip.Addr) uint32 {
	a := addr.As4()
	return binary.BigEndian.Uint32(a[:])
}

func (r reach) covers(n uint32) bool {
	switch r.form {
	case exact, span, other:
		return r.first <= n && n <= r.last
	case pattern, mask:
		return n&r.fixed == r.first
	}
	return false
}

// meets reports whether some address is of both. It is exact for codes that
// compare as equal.
func (c *Code) meets(d *Code) bool {
	a, b := c.reach, d.reach
	if a.form == pattern || a.form == mask {
		return a.first&b.fixed == b.first&a.fixed
	}
	return a.first <= b.last && b.first <= a.last
}

// compare orders codes by precedence: an error that is not the rest, and what says that
// the list may be lying, beat all, then the narrower beats the wider. Two different codes of a list that cover
// one address are never equal, but for bits, which all count.
func (c *Code) compare(d *Code) int {
	if by := cmp.Compare(c.rank(), d.rank()); by != 0 {
		return by
	}
	if by := cmp.Compare(c.reach.form, d.reach.form); by != 0 {
		return by
	}
	if c.reach.form == pattern {
		if by := cmp.Compare(bits.OnesCount32(d.reach.fixed), bits.OnesCount32(c.reach.fixed)); by != 0 {
			return by
		}
		return cmp.Compare(d.reach.fixed, c.reach.fixed) // the one fixed further to the left
	}
	return cmp.Compare(c.reach.last-c.reach.first, d.reach.last-d.reach.first)
}

func (c *Code) rank() int {
	if (c.Kind == Error || c.Suspect) && c.reach.form != other {
		return 0
	}
	return 1
}

// match appends what an answer means. n is an address of 127.0.0.0/8.
func (l *List) match(to []Match, n uint32) []Match {
	addr := addrOf(n)
	var masked bool
	for _, i := range l.order {
		c := &l.Codes[i]
		if masked && c.reach.form != mask {
			break
		}
		if !c.reach.covers(n) {
			continue
		}
		to = append(to, Match{addr, c})
		if c.reach.form != mask || c.Kind == Error {
			return to
		}
		masked = true
	}
	if !masked {
		to = append(to, Match{addr, nil})
	}
	return to
}

func addrOf(n uint32) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], n)
	return netip.AddrFrom4(a)
}

// read says what the addresses of an answer mean together, and appends each.
func (l *List) read(to []Match, addrs []netip.Addr) (State, string, []Match) {
	state, reason := Clear, ""
	worse := func(why string, over ...string) {
		if reason == "" || slices.Contains(over, reason) {
			state, reason = Unknown, why
		}
	}
	for _, addr := range addrs {
		addr = addr.Unmap()
		if !addr.Is4() || !addr.IsLoopback() {
			to = append(to, Match{addr, nil})
			worse(Outside, Refusal, Suspect)
			continue
		}
		from := len(to)
		to = l.match(to, number(addr))
		for _, m := range to[from:] {
			switch {
			case m.Code == nil:
			case m.Code.Kind == Error:
				worse(Refusal, Suspect)
			case m.Code.Suspect:
				worse(Suspect)
			case state == Clear:
				state = Hit
			}
		}
	}
	return state, reason, to
}

// Lists reports whether the list would speak against a client by this answer alone.
func (l *List) Lists(answer netip.Addr) bool {
	state, _, matches := l.read(nil, []netip.Addr{answer})
	return state == Hit && Weigh(matches) > 0
}

// Weigh adds up the points of what a list answered: the sum of its codes, but at
// most the heaviest plus 2, and likewise for codes that speak for the client. A
// code of kind Error beats all others: then nothing is known.
func Weigh(matches []Match) float64 {
	var sum, most, lift, least float64
	for _, m := range matches {
		if m.Code == nil {
			continue
		}
		switch p := m.Code.Points; m.Code.Kind {
		case Error:
			return 0
		case Listed:
			sum, most = sum+max(p, 0), max(most, p)
		case Allow:
			lift, least = lift+min(p, 0), min(least, p)
		}
	}
	return min(sum, most+heaped) + max(lift, least-heaped)
}

// heaped is what further codes of a list may add to its heaviest one.
const heaped = 2

// Lift is the most that the list can speak for a client: 0 for a list without
// allow codes, else below 0. An answer that is not there might have been that.
func (l *List) Lift() float64 {
	var least float64
	for i := range l.Codes {
		if c := &l.Codes[i]; c.Kind == Allow && c.Points < 0 {
			least = min(least, c.Points-heaped)
		}
	}
	return least
}

// compile readies a List whose Codes are set.
func (l *List) compile() {
	l.order = make([]uint16, len(l.Codes))
	for i := range l.order {
		l.order[i] = uint16(i)
	}
	slices.SortStableFunc(l.order, func(a, b uint16) int { return l.Codes[a].compare(&l.Codes[b]) })
}

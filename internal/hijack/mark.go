package hijack

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"
)

// SecretSize is the length of a Secret in bytes.
const SecretSize = 32

// A Secret keys the hashes of names. A process and the one after it need the same, or
// what was kept is not found again.
type Secret [SecretSize]byte

// A Key names an account. The zero Key is nobody's.
type Key uint64

// maxName is how much of a name is looked at: more than an address can have.
const maxName = 512

// Account gives the key of an account by its login, which is brought to one case by the
// caller. It is the zero Key for "".
func (w *Watch) Account(login string) Key {
	if login == "" {
		return 0
	}
	var room [SecretSize + maxName]byte
	b := append(append(room[:0], w.secret[:]...), login[:min(len(login), maxName)]...)
	sum := sha256.Sum256(b)
	return Key(binary.LittleEndian.Uint64(sum[:])) | 1 // never the zero one; it costs one bit of 64
}

// A Kind of thing that is counted by marks.
type kind uint8

// What marks are made of begins with one of these, so that a number of one kind and
// the same of another have nothing to do with each other.
const (
	ofASN kind = iota + 1
	ofIP4
	ofIP6
	ofCountry
	ofDomain
	ofLocal
)

// hash gives 64 bits for a thing, the same in each process that has the secret. It is FNV-1a
// behind a finish that spreads it over all bits: marks need no more, for what
// collides only counts less.
func (w *Watch) hash(k kind, text string) uint64 {
	h := w.seed ^ uint64(k)*0x9e3779b97f4a7c15
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return finish(h)
}

func (w *Watch) hashNumber(k kind, n uint64) uint64 {
	return finish(w.seed ^ uint64(k)*0x9e3779b97f4a7c15 ^ n*0x100000001b3)
}

// finish is the last step of MurmurHash3, which is in the public domain.
func finish(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// carrierNAT is the shared address space of providers (RFC 6598 section 7).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// tells reports whether an address says where in the world somebody is.
func tells(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !carrierNAT.Contains(addr)
}

// networkMark gives the bit of the network that a client is in: of its autonomous
// system where that is known, else of the /16 or, of IPv6, the /32. A phone changes
// its address by the hour, and its /24 with it, but not its operator; it is what
// registries hand to one of them that comes nearest where nobody tells. 0: it says nothing.
func (w *Watch) networkMark(addr netip.Addr, asn uint32) uint64 {
	addr = addr.Unmap()
	var h uint64
	switch {
	case !addr.IsValid() || !tells(addr):
		return 0
	case asn != 0:
		h = w.hashNumber(ofASN, uint64(asn))
	case addr.Is4():
		b := addr.As4()
		h = w.hashNumber(ofIP4, uint64(b[0])<<8|uint64(b[1]))
	default:
		b := addr.As16()
		h = w.hashNumber(ofIP6, uint64(binary.BigEndian.Uint32(b[:])))
	}
	return 1 << (h & 63)
}

func (w *Watch) countryMark(code string) uint32 {
	if code == "" {
		return 0
	}
	return 1 << (w.hash(ofCountry, code) & 31)
}

// perDomain is how many senders of one domain count at most. A company's relay, and a list with
// a sender of its own for each recipient, have many of one or two domains; who spams
// by other people's names takes those of many.
const perDomain = 4

// senderMark gives the bit of a sender: one of the few of its domain.
func (w *Watch) senderMark(sender string) uint32 {
	if sender == "" {
		return 0
	}
	local, domain := sender, ""
	if at := strings.LastIndexByte(sender, '@'); at >= 0 {
		local, domain = sender[:at], sender[at+1:]
	}
	const groups = 32 / perDomain
	of := w.hash(ofDomain, domain)
	return 1 << (of%groups*perDomain + finish(of^w.hash(ofLocal, local))%perDomain)
}

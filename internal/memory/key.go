package memory

import (
	"crypto/sha256"
	"net/netip"
)

// SecretSize is the length of a Secret in bytes.
const SecretSize = 32

// A Secret keys the hashes of names. A process and the one after it need the same, or
// what was kept under names is not found again.
type Secret [SecretSize]byte

// A Kind says what a Key is of.
type Kind uint8

// The kinds of keys. The numbers stand on disk.
const (
	Address   Kind = 1 // an IPv4 address
	Net       Kind = 2 // a /24 or /64: of IPv6 that is the server itself
	Operator  Kind = 3 // the registered domain of a confirmed PTR name that somebody chose
	SPFDomain Kind = 4 // a domain whose SPF record names the client
)

// String gives the word that operators see.
func (k Kind) String() string {
	switch k {
	case Address:
		return "address"
	case Net:
		return "network"
	case Operator:
		return "operator"
	case SPFDomain:
		return "spf"
	}
	return "none"
}

// A Key names a server, or those that one operator has. The zero Key is nobody's.
type Key struct {
	kind Kind
	id   [16]byte // an address in its 16 byte form, a network's first one, or a hash of a name
}

// Valid reports whether it is somebody's.
func (k Key) Valid() bool { return k.kind != 0 }

// Kind says what it is of.
func (k Key) Kind() Kind { return k.kind }

// Prefix gives the address or network that it is of, the zero Prefix for names.
func (k Key) Prefix() netip.Prefix {
	addr := netip.AddrFrom16(k.id).Unmap()
	switch {
	case k.kind == Address:
		return netip.PrefixFrom(addr, addr.BitLen())
	case k.kind == Net && addr.Is4():
		return netip.PrefixFrom(addr, 24)
	case k.kind == Net:
		return netip.PrefixFrom(addr, 64)
	}
	return netip.Prefix{}
}

// AddressKey is that of an IPv4 address; of IPv6 that of its /64, for whoever has one
// address of it has all. It is the zero Key for the zero Addr.
func AddressKey(client netip.Addr) Key {
	client = client.Unmap()
	switch {
	case !client.IsValid():
		return Key{}
	case client.Is4():
		return Key{Address, client.As16()}
	}
	return NetKey(client)
}

// NetKey is that of the network of an address. See Network.
func NetKey(client netip.Addr) Key {
	p := Network(client)
	if !p.IsValid() {
		return Key{}
	}
	return Key{Net, p.Addr().As16()}
}

// maxName is the longest name that DNS can hold (RFC 1035 section 2.3.4).
const maxName = 255

// NameKey is that of a name, in lower case; the zero Key for "".
func (s *Secret) NameKey(kind Kind, name string) (k Key) {
	if name == "" || len(name) > maxName {
		return k
	}
	k.kind = kind
	var room [SecretSize + 1 + maxName]byte
	b := append(append(room[:0], s[:]...), byte(kind))
	sum := sha256.Sum256(append(b, name...))
	copy(k.id[:], sum[:])
	return k
}

// Network returns the network one operator's sending machines share at the
// least: the /24 of an IPv4 address, the /64 of an IPv6 one (RFC 6647 section 4.1).
func Network(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := 64
	if client.Is4() {
		bits = 24
	}
	p, _ := client.Prefix(bits) // of the zero Addr: the zero Prefix
	return p
}

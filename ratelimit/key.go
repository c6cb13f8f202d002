package ratelimit

import (
	"net/netip"
	"strings"
)

// A keyKind is a way to make a key. Limits that are per the same share it, and
// its hash is made once for each mail.
type keyKind struct {
	per        Per
	net4, net6 int
}

// A keyer makes the hashes of one mail's keys.
type keyer struct {
	secret *Secret
	made   uint64 // by keyKind: a bit if it was made, or found not to be possible
	hash   [64]uint64
	ok     uint64 // a bit if it was possible
	buf    [512]byte
}

// id gives the hash of the subject's key of this kind, the i-th, and whether all
// that it takes is known.
func (k *keyer) id(s *Subject, kinds []keyKind, i uint8) (uint64, bool) {
	if bit := uint64(1) << i; k.made&bit == 0 {
		k.made |= bit
		if text, ok := kinds[i].key(k.buf[:0], s); ok {
			k.ok |= bit
			k.hash[i] = k.secret.sum(text)
		}
	}
	return k.hash[i], k.ok&(1<<i) != 0
}

// key appends what the kind is made of, each part with its own mark before it and
// a NUL behind, which no address has.
func (k keyKind) key(b []byte, s *Subject) ([]byte, bool) {
	b = append(b, byte(k.per))
	if k.per.has(PerAccount) {
		if s.Account == "" {
			return nil, false
		}
		b = append(appendLower(b, s.Account), 0)
	}
	if k.per.has(PerClient | PerNetwork) {
		if !s.Client.IsValid() {
			return nil, false
		}
		if k.per.has(PerClient) {
			b = appendNet(b, s.Client, 32, 128)
		}
		if k.per.has(PerNetwork) {
			b = appendNet(b, s.Client, k.net4, k.net6)
		}
	}
	if k.per.has(PerSender | PerSenderDomain) {
		if s.Sender == "" || s.Account == "" && !s.SenderProven {
			return nil, false
		}
		var ok bool
		if b, ok = appendAddress(b, s.Sender, k.per.has(PerSender), k.per.has(PerSenderDomain)); !ok {
			return nil, false
		}
	}
	if k.per.has(PerRecipient | PerRecipientDomain) {
		return appendAddress(b, s.Rcpt, k.per.has(PerRecipient), k.per.has(PerRecipientDomain))
	}
	return b, true
}

func appendNet(b []byte, addr netip.Addr, bits4, bits6 int) []byte {
	addr = addr.Unmap().WithZone("")
	bits := bits6
	if addr.Is4() {
		bits = bits4
	}
	p, _ := addr.Prefix(bits) // the widths have been checked
	a := p.Addr().As16()      // the mapped form: no IPv6 client has it
	return append(append(b, a[:]...), byte(bits))
}

// appendAddress appends an address, its domain or both, in lower case. An
// address without a domain has only itself.
func appendAddress(b []byte, address string, whole, domain bool) ([]byte, bool) {
	if address == "" {
		return nil, false
	}
	if whole {
		b = append(appendLower(b, address), 0)
	}
	if domain {
		d := strings.TrimSuffix(behindAt(address), ".")
		if d == "" {
			return nil, false
		}
		b = append(appendLower(b, d), 0)
	}
	return b, true
}

// appendLower folds ASCII only, as domains do: what else is in a local part stays.
func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

// counterID makes the ID of a limit's counter of a key's hash. Limits differ in
// the upper half only, so that counters of one key stand together in a Table and
// are decided on under one lock; the whole ID is as good as random.
func counterID(hash uint64, salt uint32) uint64 { return hash ^ uint64(salt)<<32 }

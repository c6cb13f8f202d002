package logging

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"hash"
	"sync"
)

// KeySize is the length of the key of a Hasher, in bytes.
const KeySize = 32

// tokenBytes is how much of the hash a token keeps. By 80 bits a million
// addresses share one with a chance of less than one in a trillion.
const tokenBytes = 10

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// A Hasher puts tokens in the place of mail addresses: the same for the same
// text, and telling nothing to those who have not got its key. It is safe for
// concurrent use.
type Hasher struct {
	states sync.Pool // of *hashState
}

// A hashState is what one token takes, kept from one to the next: the keyed
// states of HMAC cost as much as the hash of an address.
type hashState struct {
	mac  hash.Hash
	text []byte
	sum  [sha256.Size]byte
	out  [2 + tokenBytes*8/5]byte
}

// NewHasher returns a Hasher by the key.
func NewHasher(key [KeySize]byte) *Hasher {
	h := &Hasher{}
	h.states.New = func() any { return &hashState{mac: hmac.New(sha256.New, key[:])} }
	return h
}

// Token gives "h:" and 16 letters and digits, the first 80 bits of HMAC-SHA-256
// (RFC 2104) in the base32 of RFC 4648, in lower case. Who wants one token for an
// address however it is written brings it to one form before.
func (h *Hasher) Token(address string) string {
	s := h.states.Get().(*hashState)
	s.mac.Reset()
	s.text = append(s.text[:0], address...)
	s.mac.Write(s.text)
	s.mac.Sum(s.sum[:0])
	clear(s.text) // the pool is no place to keep an address
	if cap(s.text) > 4*maxValue {
		s.text = nil
	}
	copy(s.out[:], "h:")
	tokenText.Encode(s.out[2:], s.sum[:tokenBytes])
	token := string(s.out[:])
	h.states.Put(s)
	return token
}

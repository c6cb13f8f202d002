package logging

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func testKey() (key [KeySize]byte) {
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// asTheManual makes a token as the recipe in docs/operate.md does.
func asTheManual(key []byte, address string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(address))
	return "h:" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10]))
}

func TestToken(t *testing.T) {
	key := testKey()
	h, form := NewHasher(key), regexp.MustCompile(`^h:[a-z2-7]{16}$`)
	seen := map[string]string{}
	for _, address := range []string{"", "jo@example.net", "jo@example.org", "j@o", "\xff\x00", strings.Repeat("a", 100_000), strings.Repeat("a", 100_001)} {
		token := h.Token(address)
		if want := asTheManual(key[:], address); token != want || !form.MatchString(token) {
			t.Errorf("%.20q: %s, want %s", address, token, want)
		}
		if again := h.Token(address); again != token {
			t.Errorf("%.20q: %s, then %s", address, token, again)
		}
		if other, taken := seen[token]; taken {
			t.Errorf("%.20q and %.20q are both %s", address, other, token)
		}
		seen[token] = address
	}
	key[0] ^= 1
	if a, b := h.Token("jo@example.net"), NewHasher(key).Token("jo@example.net"); a == b {
		t.Errorf("%s by two keys", a)
	}
}

func TestTokenFromManyGoroutines(t *testing.T) {
	key := testKey()
	h := NewHasher(key)
	var all sync.WaitGroup
	for _, address := range []string{"a@example.net", "b@example.net", "c@example.net", "d@example.net"} {
		want := asTheManual(key[:], address)
		all.Go(func() {
			for range 2000 {
				if got := h.Token(address); got != want {
					t.Errorf("%s: %s, want %s", address, got, want)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkToken(b *testing.B) {
	b.ReportAllocs()
	h := NewHasher(testKey())
	for b.Loop() {
		h.Token("somebody.of.ours@mail.example.net")
	}
}

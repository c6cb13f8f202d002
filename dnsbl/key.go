package dnsbl

import (
	"errors"
	"strings"
)

// The errors of WithKey. None says the key.
var (
	ErrNoKeyTaken = errors.New("the list takes no key")
	ErrBadKey     = errors.New("the key is not made of letters, digits, hyphens and dots that a DNS name can hold")
)

// NeedsKey reports whether the list answers nobody without a key.
func (l *List) NeedsKey() bool { return strings.Contains(l.Zone, "{key}") }

// TakesKey reports whether the list knows keys.
func (l *List) TakesKey() bool { return l.NeedsKey() || l.KeyForm != "" }

// HasKey reports whether a key is set.
func (l *List) HasKey() bool { return l.key != nil }

// WithKey is the list, asked with a customer's key from now on. White space around
// the key is cut. The key is a secret: it stands in the names handed to an Asker and
// nowhere else.
func (l List) WithKey(key string) (List, error) {
	key = strings.TrimSpace(key)
	switch {
	case !l.TakesKey():
		return List{}, ErrNoKeyTaken
	case !validLabels(key):
		return List{}, ErrBadKey
	}
	l.key = &key
	if !l.Askable() {
		return List{}, ErrBadKey
	}
	return l, nil
}

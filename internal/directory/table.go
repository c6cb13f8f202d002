package directory

import (
	"hash/maphash"
	"math"
	"time"
)

// A word is what a table says of one key. Where two lines speak of one address the
// higher counts: one that says that it exists, before one that leaves it open, before
// one that denies it.
type word uint8

const (
	named  word = iota // of a domain: the table speaks for it
	denies             // no such recipient
	open               // says nothing of whether it exists
	grants             // it exists; of a domain: everybody does
)

// unread is what a mention has of a line that cannot be read: the table has open.
const unread word = 1 << 7

// wordBits is where a word stands in a place of a table, and the hash does not.
const wordBits = 3

// A table holds addresses as hashes under a seed of its own, 62 bits each: a million
// take 16 MB, and who can read the memory does not read addresses. By chance one
// question in 10^12 finds another's entry. A key is "local@domain", "local@" for a
// name at any domain, or "@domain" for the domain itself. It does not change once
// it is made, and is safe for concurrent use.
type table struct {
	seed    maphash.Seed
	places  []uint64 // hash and word; 0 is a free one; a power of two of them
	n       int
	users   int               // of n: keys of one address
	names   bool              // there are keys of names without a domain
	all     bool              // it speaks for all domains that it is asked about
	aliases map[uint64]string // of "@domain": the domain in whose place it stands

	watched map[uint64][]mention // of keys that somebody wants to know the lines of; nil but for File.Why

	created []uint32 // by place, Unix seconds; nil or 0: not said
	plan    []uint16 // by place, of plans, plus 1; nil or 0: not said
	plans   []string
}

func newTable() *table { return &table{seed: maphash.MakeSeed()} }

// maxKey is the longest address that is hashed without garbage: RFC 5321 section
// 4.5.3.1 allows 254.
const maxKey = 320

// hash is that of the key of a folded local part and a domain.
func (t *table) hash(local, domain string) uint64 {
	var room [maxKey]byte
	key := appendFold(room[:0], local)
	key = append(key, '@')
	key = append(key, domain...)
	return t.hashKey(key)
}

func (t *table) hashKey(key []byte) uint64 {
	return max(wordBits+1, maphash.Bytes(t.seed, key)&^wordBits)
}

// find gives the place of a key, -1 for none.
func (t *table) find(key uint64) int {
	if t.n == 0 {
		return -1
	}
	mask := uint64(len(t.places) - 1)
	for at := key >> 2 & mask; t.places[at] != 0; at = (at + 1) & mask {
		if t.places[at]&^wordBits == key {
			return int(at)
		}
	}
	return -1
}

// word is what stands at a place.
func (t *table) word(at int) word { return word(t.places[at] & wordBits) }

// free gives the place of a key, or the one where it would be.
func (t *table) free(key uint64) uint64 {
	mask := uint64(len(t.places) - 1)
	at := key >> 2 & mask
	for t.places[at] != 0 && t.places[at]&^wordBits != key {
		at = (at + 1) & mask
	}
	return at
}

// add enters what is said of a key, and gives its place.
func (t *table) add(key uint64, w word) int {
	if (t.n+1)*4 > len(t.places)*3 {
		t.grow()
	}
	at := t.free(key)
	if t.places[at] == 0 {
		t.n++
	} else {
		w = max(w, t.word(int(at)))
	}
	t.places[at] = key | uint64(w)
	return int(at)
}

func (t *table) grow() {
	old := *t
	size := max(64, 2*len(t.places))
	t.places = make([]uint64, size)
	if old.created != nil {
		t.created, t.plan = make([]uint32, size), make([]uint16, size)
	}
	for i, place := range old.places {
		if place == 0 {
			continue
		}
		at := t.free(place &^ wordBits)
		t.places[at] = place
		if old.created != nil {
			t.created[at], t.plan[at] = old.created[i], old.plan[i]
		}
	}
}

// maxPlans bounds the names of plans.
const maxPlans = 1000

// describe notes since when the entry at a place is there, and on which plan; false
// where there are too many plans.
func (t *table) describe(at int, created time.Time, plan string) bool {
	if t.created == nil {
		t.created, t.plan = make([]uint32, len(t.places)), make([]uint16, len(t.places))
	}
	if s := created.Unix(); !created.IsZero() && s > 0 && s <= math.MaxUint32 {
		t.created[at] = uint32(s)
	}
	if plan == "" {
		return true
	}
	for i, known := range t.plans {
		if known == plan {
			t.plan[at] = uint16(i + 1)
			return true
		}
	}
	if len(t.plans) == maxPlans {
		return false
	}
	t.plans = append(t.plans, plan)
	t.plan[at] = uint16(len(t.plans))
	return true
}

// aliasHops bounds domains that stand for each other: a circle ends there.
const aliasHops = 4

// lookup answers for an address, or for a catch-all where its Local is empty.
func (t *table) lookup(a Address) Entry {
	if a.Local == "" {
		return t.catchAll(a.Domain)
	}
	for range aliasHops {
		at := t.find(t.hash(a.Local, a.Domain))
		if at < 0 && t.names {
			at = t.find(t.hash(a.Local, ""))
		}
		if at >= 0 {
			return t.entry(at)
		}
		domain := t.find(t.hash("", a.Domain))
		if domain < 0 {
			break
		}
		to, ok := t.aliases[t.places[domain]&^wordBits]
		if !ok {
			return Entry{Result: No}
		}
		a.Domain = to
		if !t.speaksFor(to) {
			return Entry{Result: Yes} // for somebody elsewhere, who has to know
		}
	}
	if t.all {
		return Entry{Result: No}
	}
	return Entry{}
}

// catchAll says whether everybody exists at a domain.
func (t *table) catchAll(domain string) Entry {
	at := t.find(t.hash("", domain))
	if at < 0 {
		if t.all {
			return Entry{Result: No}
		}
		return Entry{}
	}
	if _, alias := t.aliases[t.places[at]&^wordBits]; alias {
		return Entry{Result: No} // each address has been asked about there
	}
	switch t.word(at) {
	case grants:
		return Entry{Result: Yes}
	case open:
		return Entry{}
	}
	return Entry{Result: No}
}

// speaksFor reports whether the table knows who exists at a domain.
func (t *table) speaksFor(domain string) bool { return t.all || t.find(t.hash("", domain)) >= 0 }

// entry is what stands at a place.
func (t *table) entry(at int) Entry {
	switch t.word(at) {
	case denies:
		return Entry{Result: No}
	case grants:
	default:
		return Entry{}
	}
	e := Entry{Result: Yes}
	if t.created != nil {
		if s := t.created[at]; s != 0 {
			e.Created = time.Unix(int64(s), 0).UTC()
		}
		if p := t.plan[at]; p != 0 {
			e.Plan = t.plans[p-1]
		}
	}
	return e
}

package accounts

import (
	"hash/maphash"
	"math"
	"time"
)

// The bounds of a file.
const (
	maxFile     = 256 << 20 // octets
	maxLine     = 1024
	maxAccounts = 8_000_000
	maxPlans    = 1000
	maxLogin    = 320 // the longest mail address, and a little more
	maxPlan     = 64
)

// An Account is what a file says of one.
type Account struct {
	Created time.Time // in UTC; zero: not said
	Plan    string    // "": not said
}

// A List is one version of a file. It does not change, and is safe for concurrent
// use. An account takes its name, and 16 to 22 octets.
type List struct {
	names   []byte   // one behind the other
	ends    []uint32 // of each in names
	created []uint32 // Unix seconds; 0 is not said
	plan    []uint16 // index of plans, plus 1; 0 is not said
	plans   []string
	of      []uint32 // whose other name it is: an index, plus 1; 0: it is an account. Empty: all are
	table   []uint32 // index of an account, plus 1, by its hash; a power of two
	seed    maphash.Seed
}

// Len gives how many names of accounts there are.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return len(l.ends)
}

// Find gives what the file says of an account, by one of its names, see Rules.Name. A nil
// List knows nobody.
func (l *List) Find(login string) (Account, bool) {
	if l.Len() == 0 {
		return Account{}, false
	}
	i := l.table[place(l, login)]
	if i == 0 {
		return Account{}, false
	}
	if len(l.of) > 0 && l.of[i-1] != 0 {
		i = l.of[i-1]
	}
	var a Account
	if at := l.created[i-1]; at != 0 {
		a.Created = time.Unix(int64(at), 0).UTC()
	}
	if p := l.plan[i-1]; p != 0 {
		a.Plan = l.plans[p-1]
	}
	return a, true
}

// place gives where in the table a login stands, or would.
func place(l *List, login string) int {
	mask := len(l.table) - 1
	at := int(maphash.String(l.seed, login)) & mask
	for {
		i := l.table[at]
		if i == 0 || string(l.name(i-1)) == login {
			return at
		}
		at = (at + 1) & mask
	}
}

func (l *List) name(i uint32) []byte {
	from := uint32(0)
	if i > 0 {
		from = l.ends[i-1]
	}
	return l.names[from:l.ends[i]]
}

// add enters an account; false when it is there already.
func (l *List) add(login string, created uint32, plan uint16) bool {
	if (l.Len()+1)*3 > len(l.table)*2 {
		l.grow()
	}
	at := place(l, login)
	if l.table[at] != 0 {
		return false
	}
	l.names = append(l.names, login...)
	l.ends = append(l.ends, uint32(len(l.names)))
	l.created = append(l.created, created)
	l.plan = append(l.plan, plan)
	l.table[at] = uint32(len(l.ends))
	return true
}

func (l *List) grow() {
	l.table = make([]uint32, max(64, 2*len(l.table)))
	mask := len(l.table) - 1
	for i := range uint32(len(l.ends)) {
		at := int(maphash.Bytes(l.seed, l.name(i))) & mask
		for l.table[at] != 0 {
			at = (at + 1) & mask
		}
		l.table[at] = i + 1
	}
}

// seconds gives a time as List.created has it; false for one that it cannot hold.
func seconds(t time.Time) (uint32, bool) {
	s := t.Unix()
	return uint32(s), s > 0 && s <= math.MaxUint32
}

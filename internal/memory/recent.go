package memory

import "sync"

// recentSize is how many transactions a Recent knows: some 6 MB.
const recentSize = 1 << 15

// A Recent knows which server was behind the id of a transaction, of the last ones. It
// is safe for concurrent use. The zero Recent knows none.
type Recent struct {
	mu   sync.Mutex
	at   map[string]int // place in ring, by id
	ring []recent
	next int
}

type recent struct {
	id      string
	subject Subject
}

// Note remembers the server of a transaction.
func (r *Recent) Note(id string, sub *Subject) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = make(map[string]int)
	}
	if len(r.ring) < recentSize {
		r.ring = append(r.ring, recent{})
	}
	place := &r.ring[r.next]
	if r.at[place.id] == r.next {
		delete(r.at, place.id)
	}
	*place = recent{id, *sub}
	r.at[id] = r.next
	r.next = (r.next + 1) % recentSize
}

// Find gives the server behind an id.
func (r *Recent) Find(id string) (Subject, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.at[id]
	if !ok {
		return Subject{}, false
	}
	return r.ring[i].subject, true
}

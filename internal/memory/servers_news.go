package memory

import (
	"time"
)

// This file lets several machines know servers alike: each tells what it saw of a server
// since it last told of it, and adds what others tell. All have the same Secret, and
// operators go by their names besides.

// serversNews begins each record. Entries are those of ExportChanged, but their counts
// are to be added.
const serversNews = 1

// maxNews bounds what waits to be told in a shard: some 20 MB for all. What is beyond it
// stays this machine's own.
const maxNews = 2048

// A serverNews is what was seen of a key.
type serverNews struct {
	forgotten bool // before that, by command
	cell      cell // without counts: nothing was
}

// tell keeps what do does to a cell, as of now, for other machines. The shard is locked.
func (s *shard) tell(k Key, now uint32, do func(*cell)) {
	n := s.newsOf(k)
	if n == nil {
		return
	}
	day := uint16(now / daySeconds)
	c := &n.cell
	switch {
	case c.first == 0:
		*c = cell{id: k.id, kind: k.kind, first: now, last: now, day: day}
	case c.day != day:
		c.day, c.today, c.helo, c.from = day, 0, sketch{}, sketch{}
	}
	c.last = max(c.last, now)
	do(c)
}

// tellForgotten has other machines forget a key too.
func (s *shard) tellForgotten(k Key) {
	if n := s.newsOf(k); n != nil {
		*n = serverNews{forgotten: true}
	}
}

func (s *shard) newsOf(k Key) *serverNews {
	n := s.news[k]
	if n == nil && len(s.news) < maxNews {
		if s.news == nil {
			s.news = make(map[Key]*serverNews)
		}
		n = new(serverNews)
		s.news[k] = n
	}
	return n
}

// Share begins to keep what is to be told to other machines.
func (s *Servers) Share() { s.shared.Store(true) }

// SetSecret has names hashed with another secret from now on, and moves operators, whose
// names are known, to their new places.
func (s *Servers) SetSecret(secret Secret, now time.Time) {
	s.secret.Store(&secret)
	var moved []entry
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		before := len(moved)
		for j := range sh.cells {
			c := &sh.cells[j]
			if name := sh.names[c.id]; c.kind == Operator && name != "" && secret.NameKey(Operator, name) != c.key() {
				moved = append(moved, entry{*c, name})
			}
		}
		for j := range moved[before:] {
			sh.forget(moved[before+j].cell.key())
		}
		sh.mu.Unlock()
	}
	at := seconds(now)
	for i := range moved {
		e := &moved[i]
		e.cell.id, e.cell.flags = secret.NameKey(Operator, e.name).id, e.cell.flags&met
		s.put(e, at)
		sh := s.shard(e.cell.key())
		sh.mu.Lock()
		if c := sh.find(e.cell.key()); c != nil {
			sh.touch(c)
		}
		sh.mu.Unlock()
	}
}

// forget drops a key, for what is kept on disk too. The shard is locked.
func (s *shard) forget(k Key) {
	i := s.at(k)
	if i < 0 {
		return
	}
	if s.track && s.cells[i].flags&onChanged == 0 {
		s.changed = append(s.changed, k)
	}
	s.drop(i)
}

// News appends to dst one record of what was seen since the last call, nothing if nothing
// was. It is not much longer than most octets: there may be more.
func (s *Servers) News(dst []byte, most int) []byte {
	begin := len(dst)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for k, n := range sh.news {
			if len(dst) == begin {
				dst = append(dst, serversNews)
			}
			if len(dst)-begin >= most {
				break
			}
			if n.forgotten {
				dst = appendForgotten(dst, k)
			}
			if n.cell.first != 0 {
				dst = sh.appendCell(dst, &n.cell)
			}
			delete(sh.news, k)
		}
		sh.mu.Unlock()
	}
	return dst
}

// Hear adds what another machine tells. Of a record that gives an error nothing is taken.
func (s *Servers) Hear(record []byte, now time.Time) error {
	if len(record) < 1 {
		return ErrDamaged
	}
	if record[0] != serversNews {
		return ErrVersion
	}
	at := seconds(now)
	for pass := range 2 { // the first only looks
		r := reader{data: record[1:]}
		for len(r.data) > 0 {
			e := r.entry(at)
			if r.bad {
				return ErrDamaged
			}
			if pass == 1 {
				s.hear(&e, at)
			}
		}
	}
	return nil
}

// hear adds one entry.
func (s *Servers) hear(e *entry, now uint32) {
	seen := &e.cell
	k := seen.key()
	if k.kind == Operator && e.name != "" {
		k = s.secret.Load().NameKey(Operator, e.name)
		seen.id = k.id
	}
	sh, h := s.shard(k), s.halving()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if seen.first == 0 {
		sh.forget(k)
		return
	}
	c := sh.find(k)
	if c == nil {
		c = sh.insert(k, seen.first, h)
		sh.name(k, e.name)
	}
	c.age(max(c.last, seen.last), h)
	c.first = min(c.first, seen.first)
	c.add(seen, h)
	sh.touch(c)
}

// days are the counts of days, by what is set of today where they count it.
var days = [...]struct {
	bit  uint8
	what count
}{{todaySeen, daysSeen}, {todayTaken, daysTaken}, {todayListed, daysListed}}

// add adds what was seen elsewhere, no later than c is of. A day on which both saw a
// server is one day; one that c is past is not counted, for it may have been.
func (c *cell) add(seen *cell, h halving) {
	faded := float32(1)
	if hours := c.last/hourSeconds - seen.last/hourSeconds; hours > 0 {
		faded = float32(h.factor(hours))
	}
	n := seen.n
	for _, d := range days {
		switch {
		case c.day != seen.day:
			n[d.what] = 0
		case seen.today&c.today&d.bit != 0:
			n[d.what] = max(0, n[d.what]-1)
		}
	}
	for i := range n {
		c.n[i] += n[i] * faded
	}
	c.flags |= seen.flags & met
	if c.day != seen.day {
		return
	}
	c.today |= seen.today
	c.helo[0] |= seen.helo[0]
	c.from[0] |= seen.from[0]
}

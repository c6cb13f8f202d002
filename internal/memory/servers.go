package memory

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// DefaultBytes is the memory that a Servers may take unless told otherwise: room for
// a million addresses with their networks and operators.
const DefaultBytes = 192 << 20

// cellCost is what one key takes in bytes at most: its cell, a part more that stands
// free, and of one in six the name.
const cellCost = 100*5/4 + 12

// Settings are what an operator may say of it. All but ManyHelos are positive.
type Settings struct {
	HalfLife  time.Duration // after which counts are half of what they were
	Learn     time.Duration // so long after the memory began nobody is said to be new
	GoodAfter time.Duration // the least presence of a good history
	ManyHelos int           // so many HELO names of one address within two days are many; 0: never
}

// DefaultSettings are those of an empty configuration.
func DefaultSettings() Settings {
	const day = 24 * time.Hour
	return Settings{HalfLife: 14 * day, Learn: 7 * day, GoodAfter: 30 * day, ManyHelos: 6}
}

// Options are those of a Servers.
type Options struct {
	Settings
	Bytes  int64 // the bound of its memory, 0 for DefaultBytes
	Track  bool  // keep a list of what changed, for ExportChanged
	Secret Secret
}

// A Servers remembers servers. It is safe for concurrent use, and bounded: when it is
// full, what is least useful is forgotten first.
type Servers struct {
	secret   atomic.Pointer[Secret]
	shared   atomic.Bool // other machines are to be told
	settings atomic.Pointer[Settings]
	began    atomic.Uint32 // seconds of Unix time
	scatter  scatter
	shards   [shards]shard
}

// NewServers returns one that knows nobody.
func NewServers(o Options, now time.Time) *Servers {
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	s := &Servers{scatter: newScatter()}
	s.secret.Store(&o.Secret)
	s.Set(o.Settings)
	s.began.Store(seconds(now))
	for i := range s.shards {
		s.shards[i].scatter = &s.scatter
		s.shards[i].limit = int(max(o.Bytes/cellCost/shards, 1))
		s.shards[i].track = o.Track
	}
	return s
}

// Set changes the settings for what comes from now on.
func (s *Servers) Set(o Settings) { s.settings.Store(&o) }

func (s *Servers) halving() halving { return newHalving(s.settings.Load().HalfLife) }

// shard gives the shard of a key, by the lowest bits.
func (s *Servers) shard(k Key) *shard { return &s.shards[s.scatter.of(k)%shards] }

// A Subject is a server as it is remembered: by its address, its network, and the
// operator that its reverse DNS confirms. Keys of what is not known are zero.
type Subject struct {
	Home     Key // the address, of IPv6 its /64
	Net      Key // the /24; zero for IPv6, where Home is the network
	Operator Key
	Name     string // of the operator
}

// Subject gives the keys of a server. operator is the registered domain of a
// confirmed PTR name that is no provider's default, in lower case; "" for none.
func (s *Servers) Subject(client netip.Addr, operator string) Subject {
	sub := Subject{Home: AddressKey(client), Operator: s.secret.Load().NameKey(Operator, operator)}
	if sub.Home.kind == Address {
		sub.Net = NetKey(client)
	}
	if sub.Operator.Valid() {
		sub.Name = operator
	}
	return sub
}

// keys gives all keys; those of what is not known are zero.
func (sub *Subject) keys() [3]Key { return [3]Key{sub.Home, sub.Net, sub.Operator} }

// An Event is what one transaction showed of a server.
type Event struct {
	Visit    bool // it is the first of its connection
	Taken    int  // recipients whose message was taken, and against whom nothing was said
	Met      bool // a message was taken, whatever was said (in monitor mode)
	Refused  int  // recipients refused for what the server is
	Unknown  int  // recipients of whom it is known that they do not exist
	Trapped  int  // recipients who are traps
	Listed   bool // a DNS list that counts had something against it
	Deferred bool // it was asked to come back
	Returned bool // it has come back honestly

	Helo string // registered domain of a HELO name that is known not to lead to it; "" for none
	From string // registered domain of the sender; "" for none
}

// marks are the bits of an event in sketches.
type marks struct{ helo, from uint32 }

// mark gives a name's bit. It is the same in each process that has the secret.
func (s *Servers) mark(name string) uint32 {
	if name == "" {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range s.secret.Load()[:4] {
		h = (h ^ uint32(c)) * 16777619
	}
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return 1 << (h * 2654435769 >> 27)
}

// Note remembers an event.
func (s *Servers) Note(sub *Subject, e *Event, now time.Time) {
	m := marks{helo: s.mark(e.Helo), from: s.mark(e.From)}
	s.change(sub, now, func(c *cell) { c.note(e, &m) })
}

// A Word is what an operator says of a server, or of what came from it.
type Word uint8

// The words.
const (
	Spam Word = iota
	Ham
)

// Report remembers an operator's word.
func (s *Servers) Report(sub *Subject, w Word, now time.Time) {
	what := spam
	if w == Ham {
		what = ham
	}
	s.change(sub, now, func(c *cell) { c.n[what]++ })
}

// change has a subject's cells changed, as of now.
func (s *Servers) change(sub *Subject, now time.Time, do func(*cell)) {
	at, h := seconds(now), s.halving()
	for _, k := range sub.keys() {
		if !k.Valid() {
			continue
		}
		sh := s.shard(k)
		sh.mu.Lock()
		c := sh.find(k)
		if c == nil {
			c = sh.insert(k, at, h)
			sh.name(k, sub.Name)
		}
		c.age(at, h)
		do(c)
		sh.touch(c)
		if s.shared.Load() {
			sh.tell(k, at, do)
		}
		sh.mu.Unlock()
	}
}

// name notes the name of an operator.
func (s *shard) name(k Key, name string) {
	if k.kind != Operator {
		return
	}
	if s.names == nil {
		s.names = make(map[[16]byte]string)
	}
	s.names[k.id] = name
}

// Counts gives what is remembered of a key; the zero Counts for nothing.
func (s *Servers) Counts(k Key, now time.Time) Counts {
	if !k.Valid() {
		return Counts{}
	}
	sh := s.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.find(k)
	if c == nil {
		return Counts{}
	}
	return c.counts(seconds(now), s.halving())
}

// Name gives the name of an operator who is remembered, "" for others.
func (s *Servers) Name(k Key) string {
	sh := s.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.names[k.id]
}

// Forget forgets keys, and says how many of them were known.
func (s *Servers) Forget(keys ...Key) (known int) {
	for _, k := range keys {
		if !k.Valid() {
			continue
		}
		sh := s.shard(k)
		sh.mu.Lock()
		if i := sh.at(k); i >= 0 {
			if sh.track && sh.cells[i].flags&onChanged == 0 {
				sh.changed = append(sh.changed, k)
			}
			sh.drop(i)
			known++
		}
		if s.shared.Load() {
			sh.tellForgotten(k)
		}
		sh.mu.Unlock()
	}
	return known
}

// Stats are of a Servers.
type Stats struct {
	Keys     int    // all that is remembered, with networks and operators
	Room     int    // for keys
	Evicted  uint64 // forgotten for want of room, since it was made
	Began    time.Time
	Learning bool // nobody is said to be new yet
}

// Stats gives the counts.
func (s *Servers) Stats(now time.Time) Stats {
	st := Stats{Began: time.Unix(int64(s.began.Load()), 0).UTC(), Learning: s.learning(now)}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		st.Keys += sh.used
		st.Room += sh.limit
		st.Evicted += sh.evicted
		sh.mu.Unlock()
	}
	return st
}

// learning reports whether the memory is too young to call anybody new.
func (s *Servers) learning(now time.Time) bool {
	return now.Sub(time.Unix(int64(s.began.Load()), 0)) < s.settings.Load().Learn
}

// Relearn has the memory begin to learn now: some of what it knew may be missing, and
// who is not remembered is not new for that.
func (s *Servers) Relearn(now time.Time) { s.began.Store(seconds(now)) }

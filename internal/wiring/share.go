package wiring

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"iter"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/shared"
	"mailprofiled/ratelimit"
)

// A Share is what counts limits together with other machines, and tells them of servers.
type Share struct {
	Store    *shared.Store
	Fallback *ratelimit.Fallback
	Board    *shared.Board
}

// What machines tell each other, how often, and for how long the store keeps it: of who
// was asked to come back at once, for who comes back may come to another machine.
const (
	topicRetries, topicServers, topicBlocks = "retries", "servers", "blocks"

	retriesEvery, retriesRecord, retriesKeep = 250 * time.Millisecond, 4 << 10, 30_000
	serversEvery, serversRecord, serversKeep = 5 * time.Second, 32 << 10, 2_000
	blocksEvery, blocksRecord, blocksKeep    = 250 * time.Millisecond, 16 << 10, 10_000
)

// heardRetries and heardServers are what is told, and taken in.
type (
	heardRetries struct{ *memory.Retries }
	heardServers struct{ *memory.Servers }
)

func (s heardRetries) Hear(record []byte) error { return s.Retries.Hear(record, time.Now()) }
func (s heardServers) Hear(record []byte) error { return s.Servers.Hear(record, time.Now()) }

// rekey has names of servers hashed by another key.
func (c *Counters) rekey(key memory.Secret) {
	c.Retries.SetSecret(key)
	c.Servers.SetSecret(key, time.Now())
}

// namesKey is the key of all machines as one of names.
func namesKey(key ratelimit.Secret) (k memory.Secret) {
	copy(k[:], key[:])
	return k
}

// Share has limits counted together with other machines from now on, and blocks hold on all
// of them, where the configuration says so. State has been read by then. rekeyed is called when the
// machines turn out to have another key than the limits that were made last: see
// Stale; blocked when another machine has blocked or released an account. Both must not
// wait. CloseShare ends it.
func (c *Counters) Share(cfg *config.Config, logger *slog.Logger, rekeyed func(), blocked func(*ratelimit.Block)) {
	r := cfg.State.Redis
	last := c.shareSpace.memory()
	if !r.Set() {
		if last.Known { // operators stand under the key of all machines
			c.rekey(c.names)
		}
		return
	}
	c.key.set(c.secret)
	if last.Known {
		c.key.set(last.Key)
		c.rekey(namesKey(last.Key))
	}
	now := time.Now()
	c.Retries.Share(now)
	c.Servers.Share()
	c.Blocks.Share()
	o := shared.Options{
		Network: r.Network, Address: r.Address, User: r.User, Password: r.Password.Reveal(), DB: r.DB,
		Machine: machineName(c.secret), Key: c.secret, Memory: last, Logger: logger,
		Adopt: func(key shared.Key) {
			c.key.set(key)
			c.rekey(namesKey(key))
			rekeyed()
		},
	}
	if r.TLS {
		host, _, _ := net.SplitHostPort(r.Address)
		o.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	s := &Share{Store: shared.New(o)}
	s.Fallback = ratelimit.NewFallback(s.Store, c.Table, s.Store.Peers())
	s.Board = shared.NewBoard(o, c.shareSpace.readTo(), func() bool { return s.Store.Memory().Known },
		shared.Topic{Name: topicRetries, Source: heardRetries{c.Retries}, Every: retriesEvery, Record: retriesRecord, Keep: retriesKeep},
		shared.Topic{Name: topicServers, Source: heardServers{c.Servers}, Every: serversEvery, Record: serversRecord, Keep: serversKeep},
		shared.Topic{Name: topicBlocks, Source: heardBlocks{c.Blocks, func(b *ratelimit.Block) {
			if !b.Released.IsZero() {
				c.Hijack.Release(c.Hijack.Account(b.Account), time.Now()) // as where it was released
			}
			blocked(b)
		}}, Every: blocksEvery, Record: blocksRecord, Keep: blocksKeep})
	c.share = s
	c.shareSpace.follow(s)
	s.Store.Start(s.Fallback)
	s.Board.Start()
}

// Shared gives what counts together with other machines; nil where nothing does.
func (c *Counters) Shared() *Share { return c.share }

// CloseShare tells the other machines that this one is gone, and ends what Share
// began. Mail that is counted afterwards is counted here.
func (c *Counters) CloseShare() {
	if c.share != nil {
		c.share.Board.Close()
		c.share.Store.Close()
	}
}

// Desk is where limits can be looked at and reset.
func (c *Counters) Desk() ratelimit.Desk {
	if c.share != nil {
		return c.share.Fallback
	}
	return c.Table
}

func (c *Counters) store() ratelimit.Store {
	if c.share != nil {
		return c.share.Fallback
	}
	return c.Table
}

// Stale reports whether the limits made last have another key than the machines do.
func (c *Counters) Stale() bool { return c.share != nil && c.key.stale() }

// A keyring holds the key of limits that machines share, and the one in use.
type keyring struct {
	mu         sync.Mutex
	key, inUse ratelimit.Secret
}

func (k *keyring) set(key ratelimit.Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key = key
}

func (k *keyring) use() ratelimit.Secret {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inUse = k.key
	return k.key
}

func (k *keyring) stale() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.key != k.inUse
}

// machineName is a name that no other machine has, nor another daemon on this one,
// and that is the same after a restart: that of the host, and something of the
// state's own.
func machineName(secret ratelimit.Secret) string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "mailprofiled"
	}
	host = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '-'
		}
		return r
	}, host)
	return host + "-" + hex.EncodeToString(secret[:4])
}

// A shareSpace lets the store keep what is known of the other machines.
type shareSpace struct {
	mu     sync.Mutex
	read   shared.Memory     // at the start
	places map[string]string // of the board, at the start
	share  *Share            // nil: nobody knows more
	kept   string            // what was written last
}

// A shareRecord is that as it is kept.
type shareRecord struct {
	Version  int      `json:"v"`
	Key      string   `json:"key"`
	Known    bool     `json:"known"`
	Life     string   `json:"life"`
	Machines []string `json:"machines"`

	Read map[string]string `json:"read,omitempty"` // of the board, by topic
}

func (s *shareSpace) memory() shared.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

// readTo is where the board was read to.
func (s *shareSpace) readTo() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places
}

func (s *shareSpace) follow(share *Share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.share = share
}

func (s *shareSpace) record() string {
	m, places := s.read, s.places
	if s.share != nil {
		m, places = s.share.Store.Memory(), s.share.Board.Read()
	}
	if !m.Known {
		return ""
	}
	text, err := json.Marshal(shareRecord{1, hex.EncodeToString(m.Key[:]), m.Known, m.Life, m.Machines, places})
	if err != nil {
		return "" // strings and a bool: it cannot be
	}
	return string(text)
}

// Changed implements store.Space.
func (s *shareSpace) Changed(dst []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.record()
	if text == s.kept {
		return dst
	}
	s.kept = text
	return append(dst, text...)
}

// All implements store.Space.
func (s *shareSpace) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s.mu.Lock()
		text := s.record()
		s.mu.Unlock()
		if text != "" {
			yield([]byte(text))
		}
	}
}

// Load implements store.Space.
func (s *shareSpace) Load(record []byte) error {
	var r shareRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return err
	}
	m := shared.Memory{Known: r.Known, Life: r.Life, Machines: r.Machines}
	raw, err := hex.DecodeString(r.Key)
	if err != nil || len(raw) != len(m.Key) || r.Version != 1 {
		return ratelimit.ErrDamaged
	}
	copy(m.Key[:], raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read, s.places, s.kept = m, r.Read, string(record)
	return nil
}

// Len implements store.Space.
func (s *shareSpace) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record() == "" {
		return 0
	}
	return 1
}

// Lost has all of this machine's counters brought anew, and who was asked to come back and
// who is blocked heard anew: some may be missing here, and none there.
func (s *shareSpace) Lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read.Life = ""
	s.places = maps.Clone(s.places)
	delete(s.places, topicRetries) // to hear these twice does no harm; counts would be doubled
	delete(s.places, topicBlocks)
}

// WaitShare waits until the other machines have been asked for once, at most so long:
// then limits begin with their key. Nobody waits where there are none.
func (c *Counters) WaitShare(most time.Duration) {
	if c.share == nil {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-c.share.Store.Asked():
	case <-timer.C:
	}
}

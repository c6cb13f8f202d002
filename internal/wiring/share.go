package wiring

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"iter"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/shared"
	"mailprofiled/ratelimit"
)

// A Share is what counts limits together with other machines.
type Share struct {
	Store    *shared.Store
	Fallback *ratelimit.Fallback
}

// Share has limits counted together with other machines from now on, where the
// configuration says so. State has been read by then. rekeyed is called when the
// machines turn out to have another key than the limits that were made last: see
// Stale. CloseShare ends it.
func (c *Counters) Share(cfg *config.Config, logger *slog.Logger, rekeyed func()) {
	r := cfg.State.Redis
	if !r.Set() {
		return
	}
	memory := c.shareSpace.memory()
	c.key.set(c.secret)
	if memory.Known {
		c.key.set(memory.Key)
	}
	o := shared.Options{
		Network: r.Network, Address: r.Address, User: r.User, Password: r.Password.Reveal(), DB: r.DB,
		Machine: machineName(c.secret), Key: c.secret, Memory: memory, Logger: logger,
		Adopt: func(key shared.Key) {
			c.key.set(key)
			rekeyed()
		},
	}
	if r.TLS {
		host, _, _ := net.SplitHostPort(r.Address)
		o.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	s := &Share{Store: shared.New(o)}
	s.Fallback = ratelimit.NewFallback(s.Store, c.Table, s.Store.Peers())
	c.share = s
	c.shareSpace.follow(s.Store)
	s.Store.Start(s.Fallback)
}

// Shared gives what counts together with other machines; nil where nothing does.
func (c *Counters) Shared() *Share { return c.share }

// CloseShare tells the other machines that this one is gone, and ends what Share
// began. Mail that is counted afterwards is counted here.
func (c *Counters) CloseShare() {
	if c.share != nil {
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
	mu    sync.Mutex
	read  shared.Memory // at the start
	store *shared.Store // nil: nobody knows more
	kept  string        // what was written last
}

// A shareRecord is that as it is kept.
type shareRecord struct {
	Version  int      `json:"v"`
	Key      string   `json:"key"`
	Known    bool     `json:"known"`
	Life     string   `json:"life"`
	Machines []string `json:"machines"`
}

func (s *shareSpace) memory() shared.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

func (s *shareSpace) follow(store *shared.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = store
}

func (s *shareSpace) record() string {
	m := s.read
	if s.store != nil {
		m = s.store.Memory()
	}
	if !m.Known {
		return ""
	}
	text, err := json.Marshal(shareRecord{1, hex.EncodeToString(m.Key[:]), m.Known, m.Life, m.Machines})
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
	s.read, s.kept = m, string(record)
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

// Lost has all of this machine's counters brought anew: some may be missing here, and
// none there.
func (s *shareSpace) Lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read.Life = ""
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

package shared

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mailprofiled/ratelimit"
)

// Of a Store's goroutine.
const (
	beatEvery   = time.Second
	silentAfter = 5 * time.Second // a machine that was not heard of for so long may count by itself
	firstRetry  = 200 * time.Millisecond
	lastRetry   = 5 * time.Second
)

// run joins the store whenever it is away.
func (s *Store) run(ctx context.Context, f *ratelimit.Fallback) {
	defer close(s.ended)
	wait := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := s.visit(ctx, f)
		f.Away()
		if ctx.Err() != nil {
			return
		}
		s.away(err)
		if time.Since(began) > lastRetry+connectTime {
			wait = firstRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait = min(2*wait, lastRetry)
	}
}

// visit joins, brings what is due, and stays as long as the server answers.
func (s *Store) visit(ctx context.Context, f *ratelimit.Fallback) error {
	l, err := connect(ctx, &s.o)
	if err != nil {
		return err
	}
	defer l.close()
	select {
	case <-s.lost: // of a link before
	default:
	}
	if err := s.join(ctx, l); err != nil {
		return err
	}
	if err := s.beat(ctx, l, "0", new(string)); err != nil {
		return err
	}
	s.mu.Lock()
	all := s.memory.Life != l.life
	s.memory.Life = ""
	s.mu.Unlock()
	put := func(ctx context.Context, rows []ratelimit.Row) error { return s.put(ctx, l, rows) }
	s.link.Store(l)
	defer s.link.Store(nil)
	if err := f.Return(ctx, all, put, time.Now); err != nil {
		return err
	}
	s.back(l)
	err = s.stay(ctx, l)
	f.Away()
	if ctx.Err() != nil && l.broken.CompareAndSwap(false, true) {
		s.leave(l)
		return err
	}
	l.hear(ctx)
	return err
}

// stay tells the server that this machine is there, until one of the two is not.
func (s *Store) stay(ctx context.Context, l *link) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	cursor := "0"
	for {
		select {
		case <-tick.C:
			if err := s.beat(ctx, l, cursor, &cursor); err != nil {
				return err
			}
			s.peers.Expire(time.Now())
		case err := <-s.lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// join gets an epoch, the key, and what others claim.
func (s *Store) join(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	run, warning, err := server(ctx, l)
	if err != nil {
		return err
	}
	err = l.listen(ctx, func(text string) {
		now := time.Now()
		if id, c, ok := readClaim(text, now); ok {
			s.peers.Claimed(id, c, now)
		}
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	key := s.o.Key
	if s.memory.Known {
		key = s.memory.Key
	}
	s.mu.Unlock()
	args := []string{s.o.Machine, hex.EncodeToString(key[:]), rand.Text()}
	for _, name := range s.peers.Names() {
		if name != s.o.Machine {
			args = append(args, name, "0")
		}
	}
	answer, err := s.scripts.join.Exec(ctx, l.client, []string{keyEpochs, keyClaims, keySeen, keyKey, keyLife, keyEpoch}, args).ToArray()
	if err != nil {
		return err
	}
	if len(answer) != 4 {
		return errAnswer
	}
	epoch, err := answer[0].AsInt64()
	text, err1 := answer[1].ToString()
	life, err2 := answer[2].ToString()
	claims, err3 := answer[3].AsStrSlice()
	if errors.Join(err, err1, err2, err3) != nil {
		return errAnswer
	}
	if err := s.adopt(text); err != nil {
		return err
	}
	now := time.Now()
	for _, text := range claims {
		if id, c, ok := readClaim(text, now); ok {
			s.peers.Claimed(id, c, now)
		}
	}
	// Another process of the server may have lost some of what the one before had.
	l.epoch, l.life = strconv.FormatInt(epoch, 10), life+" "+run
	s.mu.Lock()
	s.status.Warning = warning
	s.mu.Unlock()
	return nil
}

// adopt takes the key of the store.
func (s *Store) adopt(text string) error {
	var key Key
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(key) {
		return fmt.Errorf("%s holds no key of mailprofiled", keyKey)
	}
	copy(key[:], raw)
	s.mu.Lock()
	other := !s.memory.Known || s.memory.Key != key
	s.memory.Key, s.memory.Known = key, true
	s.mu.Unlock()
	if other && s.o.Adopt != nil {
		s.o.Adopt(key)
	}
	return nil
}

// server asks what the server is: the name of its process, "" if it does not say,
// and what is wrong with how it is set up.
func server(ctx context.Context, l *link) (run, warning string, err error) {
	text, err := l.client.Do(ctx, l.client.B().Info().Section("server", "memory", "replication").Build()).ToString()
	if err != nil {
		if refusal(err) == "NOPERM" {
			return "", "the user may not ask for INFO: all counters are brought whenever the server was away", nil
		}
		return "", "", err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" && info["maxmemory"] != "0" {
		warning = "the server drops keys when it is full, and limits would let too much through: set maxmemory-policy noeviction, not " + policy
	}
	if info["role"] == "slave" {
		return "", "", errReplica
	}
	return info["run_id"], warning, nil
}

// beat says that this machine is there, and learns who else is.
func (s *Store) beat(ctx context.Context, l *link, from string, next *string) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	keys := []string{"", "", keySeen}
	answer, err := array(s.exec(ctx, l, s.scripts.beat, keys, []string{s.o.Machine, l.epoch, from}))
	if err != nil {
		return err
	}
	if len(answer)%2 != 1 {
		return errAnswer
	}
	if *next, err = answer[0].ToString(); err != nil {
		return errAnswer
	}
	var names, silent []string
	var machines []Machine
	for i := 1; i < len(answer); i += 2 {
		name, err := answer[i].ToString()
		ms, err1 := answer[i+1].AsInt64()
		if errors.Join(err, err1) != nil {
			return errAnswer
		}
		m := Machine{name, time.Duration(ms) * time.Millisecond}
		names, machines = append(names, name), append(machines, m)
		if m.Away() && name != s.o.Machine {
			silent = append(silent, name)
		}
	}
	s.peers.Set(names)
	l.silentMu.Lock()
	l.silent = strings.Join(silent, " ")
	l.silentMu.Unlock()
	s.mu.Lock()
	s.status.Machines = machines
	s.mu.Unlock()
	return nil
}

// leave tells the others that this machine has gone, as its last word.
func (s *Store) leave(l *link) {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_ = obeyed(s.exec(ctx, l, s.scripts.leave, []string{"", "", keySeen}, []string{s.o.Machine, l.epoch})) // else they find out
}

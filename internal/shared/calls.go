package shared

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"mailprofiled/ratelimit"
)

// errStale says that this machine was taken for gone, or is there twice.
var errStale = errors.New("the store has been told that this machine is gone, or has begun anew")

// errAnswer says that an answer is none of ours.
var errAnswer = errors.New("an answer that cannot be read")

// Take implements ratelimit.Store.
func (s *Store) Take(ctx context.Context, charges []ratelimit.Charge, _ time.Time) (bool, error) {
	return s.decide(ctx, charges, "1")
}

// Look implements ratelimit.Shared.
func (s *Store) Look(ctx context.Context, charges []ratelimit.Charge) (bool, error) {
	return s.decide(ctx, charges, "0")
}

func (s *Store) decide(ctx context.Context, charges []ratelimit.Charge, reserve string) (bool, error) {
	l := s.asked(ctx)
	if l == nil {
		return false, ErrAway
	}
	machines, _ := s.peers.Count()
	keys, args := make([]string, 2, 2+len(charges)), make([]string, 5, 5+5*len(charges))
	args[0], args[1], args[2], args[3], args[4] = s.o.Machine, l.epoch, reserve, strconv.Itoa(machines), l.silence()
	for i := range charges {
		c := &charges[i]
		id := idText(c.ID)
		keys = append(keys, keyCounter+id)
		args = append(args, id, windowText(c.Window), number(c.Max), number(c.Amount), flag(c.Report))
	}
	answer, err := numbers(s.exec(ctx, l, s.scripts.take, keys, args), 1+4*len(charges))
	if err != nil {
		return false, s.failed(ctx, l, err)
	}
	for i := range charges {
		c, a := &charges[i], answer[1+4*i:]
		c.Used, c.Over, c.Wait = uint32(min(a[0], 1<<32-1)), a[1] == 1, time.Duration(a[2])*time.Millisecond
		c.SetPart(uint32(a[3]))
	}
	return answer[0] == 1, nil
}

// Settle implements ratelimit.Store.
func (s *Store) Settle(ctx context.Context, charges []ratelimit.Charge, outcome ratelimit.Outcome, _ time.Time) error {
	l := s.asked(ctx)
	if l == nil {
		return ErrAway
	}
	keys, args := make([]string, 2, 2+len(charges)), make([]string, 3, 3+2*len(charges))
	args[0], args[1], args[2] = s.o.Machine, l.epoch, flag(outcome == ratelimit.Keep)
	for i := range charges {
		c := &charges[i]
		keys = append(keys, keyCounter+idText(c.ID))
		args = append(args, windowText(c.Window), number(c.Amount))
	}
	return s.obeyed(ctx, l, s.exec(ctx, l, s.scripts.settle, keys, args))
}

// Reset implements ratelimit.Shared.
func (s *Store) Reset(ctx context.Context, charges []ratelimit.Charge) error {
	l := s.asked(ctx)
	if l == nil {
		return ErrAway
	}
	keys := make([]string, 2, 2+len(charges))
	for i := range charges {
		keys = append(keys, keyCounter+idText(charges[i].ID))
	}
	return s.obeyed(ctx, l, s.exec(ctx, l, s.scripts.reset, keys, []string{s.o.Machine, l.epoch}))
}

// put brings rows of this machine, on a link that is not in use yet.
func (s *Store) put(ctx context.Context, l *link, rows []ratelimit.Row) error {
	keys, args := make([]string, 2, 2+len(rows)), make([]string, 2, 2+6*len(rows))
	args[0], args[1] = s.o.Machine, l.epoch
	for i := range rows {
		r := &rows[i]
		var counts []byte
		for _, n := range r.Counts {
			counts = append(strconv.AppendUint(counts, uint64(n), 10), ' ')
		}
		keys = append(keys, keyCounter+idText(r.ID))
		args = append(args, windowText(r.Window), number(r.Pending), strconv.FormatInt(r.Phase.Milliseconds(), 10), number(r.Fresh), flag(r.Clear), string(counts))
	}
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	return obeyed(s.exec(ctx, l, s.scripts.put, keys, args))
}

func (s *Store) exec(ctx context.Context, l *link, script *rueidis.Lua, keys, args []string) rueidis.RedisResult {
	s.calls.Add(1)
	keys[0], keys[1] = keyEpochs, keyClaims
	return script.Exec(ctx, l.client, keys, args)
}

// obeyed gives what kept a script from saying OK; then the link is of no use any more.
func (s *Store) obeyed(ctx context.Context, l *link, r rueidis.RedisResult) error {
	if err := obeyed(r); err != nil {
		return s.failed(ctx, l, err)
	}
	return nil
}

// stale tells whether the answer is that this machine has nothing to say any more.
func stale(m *rueidis.RedisMessage) bool {
	text, err := m.ToString()
	return err == nil && text == "STALE"
}

// array gives the elements of an answer.
func array(r rueidis.RedisResult) ([]rueidis.RedisMessage, error) {
	m, err := r.ToMessage()
	switch {
	case err != nil:
		return nil, err
	case stale(&m):
		return nil, errStale
	}
	all, err := m.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	return all, nil
}

// numbers gives the n numbers of an answer, none of them below 0.
func numbers(r rueidis.RedisResult, n int) ([]int64, error) {
	all, err := array(r)
	if err != nil {
		return nil, err
	}
	if len(all) != n {
		return nil, errAnswer
	}
	answer := make([]int64, n)
	for i := range all {
		if answer[i], err = all[i].ToInt64(); err != nil || answer[i] < 0 {
			return nil, errAnswer
		}
	}
	return answer, nil
}

func obeyed(r rueidis.RedisResult) error {
	m, err := r.ToMessage()
	switch {
	case err != nil:
		return err
	case stale(&m):
		return errStale
	}
	if text, err := m.ToString(); err != nil || text != "OK" {
		return errAnswer
	}
	return nil
}

// asked gives the link to ask, nil when there is none.
func (s *Store) asked(ctx context.Context) *link {
	l := s.link.Load()
	if l != nil && l.broken.Load() {
		l.hear(ctx)
		return nil
	}
	return l
}

// failed gives up a link: after an answer that did not come, nobody waits for the next.
func (s *Store) failed(ctx context.Context, l *link, err error) error {
	s.errors.Add(1)
	if l.broken.CompareAndSwap(false, true) {
		select {
		case s.lost <- err:
		default:
		}
	}
	l.hear(ctx)
	return err
}

func (l *link) silence() string {
	l.silentMu.RLock()
	defer l.silentMu.RUnlock()
	return l.silent
}

func idText(id uint64) string           { return strconv.FormatUint(id, 16) }
func windowText(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
func number(n uint32) string            { return strconv.FormatUint(uint64(n), 10) }
func flag(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

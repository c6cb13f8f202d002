package shared

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// A Source is what machines tell each other of. It is called by one goroutine.
type Source interface {
	// News appends to dst one record of what is new here since the last call, nothing
	// if nothing is, of not many more than most octets.
	News(dst []byte, most int) []byte
	// Hear takes in what another machine tells: late perhaps, and perhaps twice.
	Hear(record []byte) error
}

// A Teller is a Source of which machines are to know all there is, and not only what comes:
// Again has all of it told anew, for the store has lost what it was told.
type Teller interface {
	Source
	Again()
}

// A Topic is one thing that machines tell each other of: a stream of records in the
// store.
type Topic struct {
	Name   string
	Source Source
	Every  time.Duration // how often news is asked for
	Record int           // octets of a record, about
	Keep   int64         // records that the store keeps, about: who is away for longer misses some
}

// A Board is where machines tell each other what each has learned. All of them know all
// by themselves; the store only hands it on, and mail never waits for it. While the store
// is away each machine goes on alone, and tells afterwards. It is safe for concurrent use.
type Board struct {
	o      Options
	ready  func() bool // there is a key
	topics []topic
	log    *slog.Logger

	mu     sync.Mutex
	read   map[string]string // by topic, the last record that was heard
	status BoardStatus

	told, heard, damaged atomic.Uint64
	cancel               context.CancelFunc
	ended                chan struct{}
}

type topic struct {
	Topic
	key    string
	due    time.Time
	unsaid []byte // a record that the store has not taken yet
	fresh  bool   // nothing of it was heard before: this machine's own are worth hearing
}

// A BoardStatus is how a Board is.
type BoardStatus struct {
	Up      bool
	Since   time.Time // of Up, or of being away
	Err     error     // why it is away; nil: it was not asked yet
	Told    uint64    // records, since the start
	Heard   uint64
	Damaged uint64 // of others, which could not be taken in
}

// Of a Board's goroutine.
const (
	boardEvery = 250 * time.Millisecond
	boardRead  = 64 // records at once
	boardMost  = 64 // records of a topic that are told in one turn
)

const (
	fieldMachine = "m"
	fieldRecord  = "r"
)

// NewBoard returns a Board that is away until Start. read is where each topic was read
// to by the process before; ready says whether names are hashed with the key of all
// machines.
func NewBoard(o Options, read map[string]string, ready func() bool, topics ...Topic) *Board {
	b := &Board{o: o, ready: ready, log: o.Logger, read: map[string]string{}, status: BoardStatus{Since: time.Now()}}
	for _, t := range topics {
		b.topics = append(b.topics, topic{Topic: t, key: prefixMemory + t.Name, fresh: read[t.Name] == ""})
		b.read[t.Name] = read[t.Name]
	}
	return b
}

// prefixMemory begins the names of streams. They share a hash tag, for they are read
// together.
const prefixMemory = "mailprofiled:{memory}:"

// Start begins to tell and to hear. Close ends it.
func (b *Board) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ended = cancel, make(chan struct{})
	go b.run(ctx)
}

// Close tells what is new, if it can within a moment, and ends.
func (b *Board) Close() {
	if b.cancel != nil {
		b.cancel()
		<-b.ended
	}
}

// Read is where each topic was read to, to be kept over a restart.
func (b *Board) Read() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.read)
}

// Status gives the status. It waits for nothing.
func (b *Board) Status() BoardStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.Told, s.Heard, s.Damaged = b.told.Load(), b.heard.Load(), b.damaged.Load()
	return s
}

// run visits the store whenever it is away.
func (b *Board) run(ctx context.Context) {
	defer close(b.ended)
	wait := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := b.visit(ctx)
		if ctx.Err() != nil {
			return
		}
		b.away(err)
		if time.Since(began) > lastRetry+connectTime {
			wait = firstRetry
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// pause lets time pass, unless ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// visit tells and hears as long as the store answers.
func (b *Board) visit(ctx context.Context) error {
	for !b.ready() {
		if !pause(ctx, boardEvery) {
			return ctx.Err()
		}
	}
	l := new(link)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(callTime, l.cut) })
	defer stop()
	defer l.close()
	dialed := time.AfterFunc(connectTime, l.cut)
	client, err := l.open(&b.o)
	l.client = client
	if !dialed.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return err
	}
	if err := b.places(ctx, l); err != nil {
		return err
	}
	for {
		more, err := b.turn(ctx, l)
		if err != nil {
			return err
		}
		if !more {
			b.back()
			if !pause(ctx, boardEvery) {
				return b.last(l)
			}
		}
	}
}

// last tells what is new when the machine stops.
func (b *Board) last(l *link) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	for i := range b.topics {
		b.topics[i].due = time.Time{}
	}
	return b.tell(ctx, l)
}

// turn tells what is due, and hears what others told. more is true where there is more
// to hear at once.
func (b *Board) turn(ctx context.Context, l *link) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	if err := b.tell(ctx, l); err != nil {
		return false, err
	}
	return b.hear(ctx, l)
}

func (b *Board) tell(ctx context.Context, l *link) error {
	now := time.Now()
	for i := range b.topics {
		t := &b.topics[i]
		if now.Before(t.due) {
			continue
		}
		t.due = now.Add(t.Every)
		for range boardMost {
			if len(t.unsaid) == 0 {
				t.unsaid = t.Source.News(nil, t.Record)
			}
			if len(t.unsaid) == 0 {
				break
			}
			add := l.client.B().Xadd().Key(t.key).Maxlen().Almost().Threshold(strconv.FormatInt(t.Keep, 10)).Id("*").
				FieldValue().FieldValue(fieldMachine, b.o.Machine).FieldValue(fieldRecord, rueidis.BinaryString(t.unsaid)).Build()
			if err := l.client.Do(ctx, add).Error(); err != nil {
				return err
			}
			t.unsaid = nil
			b.told.Add(1)
		}
	}
	return nil
}

// hear takes in what others told since the last time.
func (b *Board) hear(ctx context.Context, l *link) (more bool, err error) {
	keys, from := make([]string, len(b.topics)), make([]string, len(b.topics))
	b.mu.Lock()
	for i := range b.topics {
		keys[i], from[i] = b.topics[i].key, b.read[b.topics[i].Name]
		if from[i] == "" {
			from[i] = "0"
		}
	}
	b.mu.Unlock()
	streams, err := l.client.Do(ctx, l.client.B().Xread().Count(boardRead).Streams().Key(keys...).Id(from...).Build()).AsXRead()
	if err != nil && !rueidis.IsRedisNil(err) {
		return false, err
	}
	for i := range b.topics {
		t := &b.topics[i]
		records := streams[t.key]
		for _, r := range records {
			b.take(t, &r)
		}
		more = more || len(records) == boardRead
		if len(records) < boardRead {
			t.fresh = false
		}
	}
	return more, nil
}

func (b *Board) take(t *topic, r *rueidis.XRangeEntry) {
	if r.FieldValues[fieldMachine] != b.o.Machine || t.fresh {
		if err := t.Source.Hear([]byte(r.FieldValues[fieldRecord])); err != nil {
			if b.damaged.Add(1) == 1 {
				b.log.Warn("what another machine tells cannot be taken in", "of", t.Name, "machine", r.FieldValues[fieldMachine], "error", err.Error())
			}
		}
		b.heard.Add(1)
	}
	b.mu.Lock()
	b.read[t.Name] = r.ID
	b.mu.Unlock()
}

// places sees that each topic is read from a place that the store knows: one that has
// lost its streams begins them anew.
func (b *Board) places(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for i := range b.topics {
		t := &b.topics[i]
		last, err := l.client.Do(ctx, l.client.B().Xrevrange().Key(t.key).End("+").Start("-").Count(1).Build()).AsXRange()
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		if len(last) > 0 && !before(last[0].ID, b.place(t)) {
			continue
		}
		b.mu.Lock()
		b.read[t.Name] = ""
		b.mu.Unlock()
		if teller, ok := t.Source.(Teller); ok {
			teller.Again()
		}
	}
	return nil
}

func (b *Board) place(t *topic) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read[t.Name]
}

// before compares places in a stream: "ms-number".
func before(a, b string) bool {
	ams, an := place(a)
	bms, bn := place(b)
	return ams < bms || ams == bms && an < bn
}

func place(id string) (ms, n uint64) {
	first, second, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(first, 10, 64)
	n, _ = strconv.ParseUint(second, 10, 64)
	return ms, n
}

func (b *Board) back() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.status.Up {
		b.status.Up, b.status.Since, b.status.Err = true, time.Now(), nil
		b.log.Info("what is remembered of servers is shared", "at", b.o.Address)
	}
}

// away notes why the store is not asked. The store of limits tells of a server that is
// away; this one alone of what it alone may not do.
func (b *Board) away(err error) {
	if err == nil {
		err = ErrAway
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	told := !b.status.Up && b.status.Err != nil
	if b.status.Up || b.status.Err == nil {
		b.status.Up, b.status.Since = false, time.Now()
	}
	b.status.Err = err
	if !told && !errors.Is(err, context.Canceled) {
		b.log.Warn("what is remembered of servers is not shared: each machine goes on alone, and tells the others afterwards",
			"at", b.o.Address, "error", err.Error(), "remedy", remedyFor(err))
	}
}

// Package notify tells somebody outside of what happened: by a command of the
// operator's, and by a webhook. What is told, and when, is for others.
//
// Nobody who tells it something waits: it is queued, and where the queue is full it is
// dropped, counted and logged. A webhook that fails is tried again for some minutes; a
// command is not, for what it did before it failed is not known.
package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Settings are where messages go. The zero Settings are nowhere.
type Settings struct {
	Command []string // argv, without a shell; nil: none
	Webhook string   // URL of http or https, which may hold a secret; "": none
	Token   string   // sent as "Authorization: Bearer"; "": none
	Timeout time.Duration
}

// The bounds of a way.
const (
	queueSize = 256
	atOnce    = 4               // messages under way, for each way
	grace     = 2 * time.Second // what is under way at the end may take so long
)

// A Result says what became of a message on one way.
type Result uint8

// The results.
const (
	Sent    Result = iota
	Failed         // and is not tried again
	Dropped        // for want of room, or at the end of the daemon
	results
)

var resultNames = [results]string{"sent", "failed", "dropped"}

// String gives the word of metrics.
func (r Result) String() string { return resultNames[r] }

// A Sender sends messages. It is safe for concurrent use.
type Sender struct {
	logger   *slog.Logger
	settings atomic.Pointer[Settings]
	ways     [2]way
	hook     *webhook
	sleep    func(context.Context, time.Duration) bool // false when ctx ended; a test has another

	mu      sync.Mutex
	failed  time.Time // the last failure
	failure string
}

// A way is one by which messages go.
type way struct {
	name   string
	queue  chan message
	send   func(context.Context, *Settings, message) error
	is     func(*Settings) bool
	counts [results]atomic.Uint64
	full   atomic.Bool // and that was said
}

// A message is one to be sent.
type message struct {
	event string
	body  []byte // a JSON object
}

// New returns a Sender that sends nothing until Set and Run are called.
func New(logger *slog.Logger) *Sender {
	s := &Sender{logger: logger, hook: newWebhook(), sleep: wait}
	s.settings.Store(new(Settings))
	s.ways[0] = way{name: "command", send: runCommand, is: func(o *Settings) bool { return len(o.Command) > 0 }}
	s.ways[1] = way{name: "webhook", send: s.post, is: func(o *Settings) bool { return o.Webhook != "" }}
	for i := range s.ways {
		s.ways[i].queue = make(chan message, queueSize)
	}
	return s
}

// Set changes where messages go, those too that wait.
func (s *Sender) Set(o Settings) { s.settings.Store(&o) }

// Send has a message sent on each way there is. body becomes a JSON object; it does not
// wait, and keeps nothing of it.
func (s *Sender) Send(event string, body any) {
	o := s.settings.Load()
	text, err := json.Marshal(body)
	if err != nil {
		s.logger.Error("a notification cannot be written", "event", event, "error", err.Error())
		return
	}
	for i := range s.ways {
		w := &s.ways[i]
		if !w.is(o) {
			continue
		}
		select {
		case w.queue <- message{event, text}:
			w.full.Store(false)
		default:
			w.counts[Dropped].Add(1)
			if !w.full.Swap(true) { // one line, until there is room again
				s.logger.Error("notifications are dropped: too many wait", "by", w.name, "event", event, "waiting", queueSize)
			}
		}
	}
}

// Run sends what comes until ctx ends, and a moment longer what is under way; what waits
// then is dropped.
func (s *Sender) Run(ctx context.Context) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })
	defer stop()
	var all sync.WaitGroup
	for i := range s.ways {
		for range atOnce {
			all.Go(func() { s.work(ctx, life, &s.ways[i]) })
		}
	}
	all.Wait()
	s.hook.client.CloseIdleConnections()
	for i := range s.ways {
		s.drop(&s.ways[i])
	}
}

// work sends messages of one way after the other.
func (s *Sender) work(ctx, life context.Context, w *way) {
	for {
		select {
		case <-ctx.Done():
			return
		default:
		}
		select {
		case m := <-w.queue:
			s.deliver(ctx, life, w, m)
		case <-ctx.Done():
			return
		}
	}
}

// drop empties a queue that nobody sends from any more.
func (s *Sender) drop(w *way) {
	n := 0
	for {
		select {
		case <-w.queue:
			n++
			w.counts[Dropped].Add(1)
		default:
			if n > 0 {
				s.logger.Warn("notifications were not sent before the end", "by", w.name, "messages", n)
			}
			return
		}
	}
}

// pauses are those before a message is tried again.
var pauses = [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute}

// deliver sends one message, with tries as long as another may help.
func (s *Sender) deliver(ctx, life context.Context, w *way, m message) {
	for try := 0; ; try++ {
		o := s.settings.Load()
		if !w.is(o) { // it was taken away meanwhile
			w.counts[Dropped].Add(1)
			return
		}
		attempt, cancel := context.WithTimeout(life, o.Timeout)
		err := w.send(attempt, o, m)
		cancel()
		if err == nil {
			w.counts[Sent].Add(1)
			return
		}
		pause, again := s.again(err, try)
		if !again || !s.sleep(ctx, pause) {
			w.counts[Failed].Add(1)
			s.note(err)
			s.logger.Error("a notification was not sent", "by", w.name, "event", m.event, "tries", try+1, "error", err.Error())
			return
		}
	}
}

// again tells when a failed message is to be tried again.
func (s *Sender) again(err error, try int) (time.Duration, bool) {
	later, ok := err.(*laterError)
	if !ok || try >= len(pauses) {
		return 0, false
	}
	return max(pauses[try], min(later.after, pauses[len(pauses)-1])), true
}

func (s *Sender) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.failure = time.Now(), err.Error()
}

// wait lets time pass; false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A laterError is a failure that may be over when it is tried again.
type laterError struct {
	err   error
	after time.Duration // not before; 0: whenever
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// Stats are of one way.
type Stats struct {
	Way     string // command, webhook
	On      bool   // messages go by it
	Counts  [3]uint64
	Waiting int
}

// Stats gives the counts of all ways, and the last failure; the zero time for none.
func (s *Sender) Stats() (ways []Stats, failed time.Time, failure string) {
	o := s.settings.Load()
	for i := range s.ways {
		w := &s.ways[i]
		st := Stats{Way: w.name, On: w.is(o), Waiting: len(w.queue)}
		for r := range w.counts {
			st.Counts[r] = w.counts[r].Load()
		}
		ways = append(ways, st)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return ways, s.failed, s.failure
}

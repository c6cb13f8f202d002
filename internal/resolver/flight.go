package resolver

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A flight is one question on its way, and everyone who waits for it. It ends by
// itself within Config.Timeout, or when the last waiter has left it.
type flight struct {
	key     key
	started time.Time
	waiters int           // guarded by flights.mu
	done    chan struct{} // closed when the next two are set
	held    held
	ended   time.Time

	asking   asking
	attended bool        // who started it awaits it at once
	trouble  atomic.Bool // a server has failed it already
}

// flights are the questions that are out, each once.
type flights struct {
	mu     sync.Mutex
	out    map[key]*flight
	max    int
	closed bool
}

func (fs *flights) init(most int) {
	fs.out, fs.max = map[key]*flight{}, most
}

// close lets no new flight begin and gives those that are out.
func (fs *flights) close() []*flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.closed = true
	return slices.Collect(maps.Values(fs.out))
}

func (fs *flights) count() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.out)
}

// join gets on the flight of k, or starts it. Without a flight the answer is
// final. If attended, the caller must await the flight, and at once.
func (r *Resolver) join(k key, attended bool) (held, *flight) {
	h, f, fresh := r.board(k)
	if fresh {
		f.attended = attended
		r.ask(f)
	}
	return h, f
}

// board gets on the flight of k, or lists a fresh one that its caller must start.
func (r *Resolver) board(k key) (h held, f *flight, fresh bool) {
	fs := &r.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.out[k]; f != nil {
		f.waiters++
		return held{}, f, false
	}
	// A flight that landed since the caller looked is in the cache now.
	if h, ok := r.recall(k); ok {
		return h, nil, false
	}
	switch {
	case fs.closed:
		return failed(NoServer), nil, false
	case len(fs.out) >= fs.max:
		r.counts.turnedAway.Add(1)
		return failed(Budget), nil, false
	}
	f = &flight{key: k, started: time.Now(), waiters: 1, done: make(chan struct{})}
	f.asking.r, f.asking.f = r, f
	fs.out[k] = f
	r.work.Add(1) // until it has landed
	return held{}, f, true
}

// leave gets off f. With its last waiter the flight ends, and the next who has
// the same question starts a new one.
func (r *Resolver) leave(f *flight) {
	fs := &r.flights
	fs.mu.Lock()
	f.waiters--
	last := f.waiters == 0 && fs.out[f.key] == f
	if last {
		delete(fs.out, f.key)
	}
	fs.mu.Unlock()
	if last {
		f.asking.end(Budget)
	}
}

// await waits for f to land, at most until ctx ends.
func (r *Resolver) await(ctx context.Context, f *flight) held {
	began := time.Now()
	f.asking.attend(ctx)
	select {
	case <-f.done:
	case <-ctx.Done():
		select {
		case <-f.done: // both: the answer counts
		default:
			return r.abandon(f, began)
		}
	}
	h := f.held
	h.answer.Took = max(0, f.ended.Sub(began))
	return h
}

// abandon leaves f for a caller whose budget is spent. If the servers are in
// trouble, an old answer is still better than none.
func (r *Resolver) abandon(f *flight, began time.Time) held {
	r.leave(f)
	h := failed(Budget)
	if f.trouble.Load() {
		if old, ok := r.stale(f.key); ok {
			h = old
		}
	}
	h.answer.Took = time.Since(began)
	return h
}

// land keeps what f found out and tells its waiters. It is called once.
func (r *Resolver) land(f *flight, d data, ttl uint32) {
	defer r.work.Done()
	f.ended = time.Now()
	expiry := r.expiry(f.key, d, ttl)
	f.held = held{answer: d.answer(), expiry: expiry}
	if d.reason != Budget { // nobody waits, and nothing is known
		r.store(f.key, d, expiry)
		r.counts.asked(f.key.kind(), d.outcome, d.reason, f.ended.Sub(f.started))
	}
	if d.outcome == Failed && serversFault(d.reason) {
		if old, ok := r.stale(f.key); ok {
			f.held = old
			r.counts.stale.Add(1)
		}
	}
	// Off the list only after the answer is in the cache: who comes later finds
	// one or the other.
	r.flights.mu.Lock()
	if r.flights.out[f.key] == f {
		delete(r.flights.out, f.key)
	}
	r.flights.mu.Unlock()
	close(f.done)
}

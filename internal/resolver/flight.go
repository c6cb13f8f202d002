package resolver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A flight is one question on its way, and everyone who waits for it. It runs
// in a goroutine of its own and ends by itself within Config.Timeout, or when
// the last waiter has left it.
type flight struct {
	key     key
	started time.Time
	waiters int           // guarded by flights.mu
	left    chan struct{} // closed when no one waits any more
	done    chan struct{} // closed when the fields below are set

	held  held
	ended time.Time

	trouble atomic.Bool // a server has failed it already
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

// close lets no new flight begin. It is true the first time.
func (fs *flights) close() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	first := !fs.closed
	fs.closed = true
	return first
}

func (fs *flights) count() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.out)
}

// join gets on the flight of k, or starts it. Without a flight the answer is final.
func (r *Resolver) join(k key) (held, *flight) {
	fs := &r.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.out[k]; f != nil {
		f.waiters++
		return held{}, f
	}
	// A flight that landed since the caller looked is in the cache now.
	if h, ok := r.recall(k); ok {
		return h, nil
	}
	switch {
	case fs.closed:
		return failed(NoServer), nil
	case len(fs.out) >= fs.max:
		r.counts.turnedAway.Add(1)
		return failed(Budget), nil
	}
	f := &flight{key: k, started: time.Now(), waiters: 1, left: make(chan struct{}), done: make(chan struct{})}
	fs.out[k] = f
	r.work.Add(1)
	go r.fly(f)
	return held{}, f
}

// leave gets off f. With its last waiter the flight ends, and the next who has
// the same question starts a new one.
func (r *Resolver) leave(f *flight) {
	fs := &r.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiters--
	if f.waiters == 0 && fs.out[f.key] == f {
		delete(fs.out, f.key)
		close(f.left)
	}
}

// await waits for f to land, at most until ctx ends.
func (r *Resolver) await(ctx context.Context, f *flight) held {
	began := time.Now()
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

// fly asks the question of f, keeps the answer, and tells the waiters.
func (r *Resolver) fly(f *flight) {
	defer r.work.Done()
	d, ttl := r.askSafely(f)
	f.ended = time.Now()
	expiry := r.expiry(d, ttl)
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
	r.land(f)
}

// land takes f off the list, after its answer is in the cache: who comes later
// finds one or the other.
func (r *Resolver) land(f *flight) {
	fs := &r.flights
	fs.mu.Lock()
	if fs.out[f.key] == f {
		delete(fs.out, f.key)
	}
	fs.mu.Unlock()
	close(f.done)
}

// askSafely makes a bug of ours in the reading of hostile bytes a failed question.
func (r *Resolver) askSafely(f *flight) (d data, ttl uint32) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Logger.Error("dns question panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			d, ttl = data{outcome: Failed, reason: BadAnswer}, 0
		}
	}()
	return r.ask(f)
}

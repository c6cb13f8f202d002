package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// inTurn gives the senders from..to-1 one by one to whoever is free of at
// workers; worker makes what each of them does. It returns the first error.
func inTurn(from, to, at int, worker func() func(sender) error) error {
	next := atomic.Int64{}
	next.Store(int64(from))
	var failed sync.Once
	var first error
	var wg sync.WaitGroup
	for range at {
		do := worker()
		wg.Go(func() {
			for n := next.Add(1) - 1; n < int64(to); n = next.Add(1) - 1 {
				if err := do(sender(n)); err != nil {
					failed.Do(func() { first = fmt.Errorf("sender %d: %w", n, err) })
					next.Store(int64(to)) // no more of them
				}
			}
		})
	}
	wg.Wait()
	return first
}

// samples are how the transactions of one round went.
type samples struct {
	count     int
	continued int
	whole     []time.Duration
	waited    [stages][]time.Duration
	longest   time.Duration // answer of all
}

func (s *samples) add(d delivery) {
	s.count++
	if d.continued {
		s.continued++
	}
	s.whole = append(s.whole, d.whole)
	for stage, took := range d.waited {
		s.waited[stage] = append(s.waited[stage], took)
		s.longest = max(s.longest, took)
	}
}

// deliver delivers a mail of each sender from..to-1, modulo the number of
// clients, through the milter at socket, at of them at once.
func deliver(socket string, from, to, clients, at int) (samples, error) {
	return deliverAs(false, socket, from, to, clients, at)
}

// deliverAs is deliver of senders that log in, or not.
func deliverAs(login bool, socket string, from, to, clients, at int) (samples, error) {
	var all samples
	var mu sync.Mutex
	err := inTurn(from, to, at, func() func(sender) error {
		m := &mta{socket: socket, login: login}
		return func(n sender) error {
			d, err := m.deliver(n % sender(clients))
			if err != nil {
				return err
			}
			mu.Lock()
			all.add(d)
			mu.Unlock()
			return nil
		}
	})
	return all, err
}

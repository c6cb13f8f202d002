package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The loads of the readers part: who looks at the page while mail is judged.
var readings = []struct {
	name    string
	reload  int // read the page, a second apart
	greedy  int // read one of greedyPaths after the other, without a pause
	tails   int // watch verdicts
	asleep  int // of those: read nothing of what they are sent
	seekers int // search the records, a second apart
}{
	{name: "nobody"},
	{name: "three postmasters", reload: 3, tails: 3, seekers: 1},
	{name: "eight who watch", tails: 8, asleep: 2},
	{name: "sixteen greedy", greedy: 16},
	{name: "a crowd", greedy: 48, tails: 8, asleep: 4, seekers: 4},
}

// greedyPaths are what greedy readers ask for.
var greedyPaths = []string{"/", "/api/v1/status", "/api/v1/trend?span=7d", "/finding?id=relation", "/api/v1/servers?kind=network"}

// readers measures whether who looks at the page holds up mail.
func (b *bench) readers() error {
	p, err := b.daemon("readers", usualBudget)
	if err != nil {
		return err
	}
	defer p.kill()
	var given samples
	next := 0
	deliverSome := func(n int) (samples, error) {
		s, err := deliver(p.socket, next, next+n, b.clients, b.workers)
		next += n
		given.count += s.count
		given.continued += s.continued
		return s, err
	}
	if _, err := deliverSome(b.clients); err != nil { // the cache is warm, and there is something to see
		return err
	}
	b.print("\nREADERS: of the page, while %d clients in turn deliver at %d at once, %d rounds of %d transactions each", b.clients, b.workers, b.rounds, b.transactions)
	b.print("%-20s %12s %12s %12s %14s %12s %10s", "", "whole p50 ms", "whole p99 ms", "longest ms", "transactions/s", "read/s", "503/s")
	type figures struct{ p50, p99, longest, rate, read, away []float64 }
	all := make([]figures, len(readings))
	for range b.rounds {
		for i, load := range readings {
			c := newCrowdOfReaders(b.ctx, b.web("readers"))
			for range load.reload {
				c.repeat(time.Second, "/")
			}
			for range load.seekers {
				c.repeat(time.Second, "/why?client=192.0.2.1")
			}
			for n := range load.greedy {
				c.repeat(0, greedyPaths[n%len(greedyPaths)])
			}
			for n := range load.tails {
				c.watch(n < load.asleep)
			}
			began := time.Now()
			s, err := deliverSome(b.transactions)
			took := time.Since(began).Seconds()
			if load.greedy > 0 && err == nil { // a short run may be over before the daemon, which paces them, has got round to one
				b.check(c.awaitOne(), "readers: nobody of %s was served", load.name)
			}
			c.end()
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", load.name, err, lastLines(p.log))
			}
			f := &all[i]
			f.p50, f.p99 = append(f.p50, millis(quantile(s.whole, 0.5))), append(f.p99, millis(quantile(s.whole, 0.99)))
			f.longest, f.rate = append(f.longest, millis(s.longest)), append(f.rate, float64(s.count)/took)
			f.read, f.away = append(f.read, float64(c.read.Load())/took), append(f.away, float64(c.away.Load())/took)
		}
	}
	for i, load := range readings {
		f := &all[i]
		median := func(v []float64) string { return figure(spanOf(v).median) }
		b.print("%-20s %12s %12s %12s %14s %12s %10s", load.name, median(f.p50), median(f.p99), median(f.longest), median(f.rate), median(f.read), median(f.away))
	}
	for i := range readings[1:] {
		b.print("%s beside nobody: p50 %s, p99 %s, rate %s", readings[i+1].name, ratios(all[i+1].p50, all[0].p50), ratios(all[i+1].p99, all[0].p99), ratios(all[i+1].rate, all[0].rate))
	}
	return b.finish(p, given, min(b.clients, given.count))
}

// A crowdOfReaders reads the page at a unix socket until it ends.
type crowdOfReaders struct {
	ctx        context.Context
	stop       context.CancelFunc
	socket     string
	client     http.Client
	all        sync.WaitGroup
	read, away atomic.Int64  // answers; of which there was no place
	served     chan struct{} // has an entry from the first answer on
}

func newCrowdOfReaders(ctx context.Context, socket string) *crowdOfReaders {
	c := &crowdOfReaders{socket: socket, served: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(ctx)
	c.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	return c
}

// awaitOne reports whether one of them has been answered within a minute.
func (c *crowdOfReaders) awaitOne() bool {
	select {
	case <-c.served:
		return true
	case <-c.ctx.Done():
	case <-time.After(time.Minute):
	}
	return false
}

func (c *crowdOfReaders) end() {
	c.stop()
	c.all.Wait()
	c.client.CloseIdleConnections()
}

// repeat has one more reader ask for a path.
func (c *crowdOfReaders) repeat(pause time.Duration, path string) {
	c.all.Go(func() {
		for c.ctx.Err() == nil {
			req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, "http://localhost"+path, nil)
			if err != nil {
				return
			}
			resp, err := c.client.Do(req)
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusServiceUnavailable {
					c.away.Add(1)
				} else {
					c.read.Add(1)
					select {
					case c.served <- struct{}{}:
					default:
					}
				}
			}
			select {
			case <-c.ctx.Done():
			case <-time.After(pause):
			}
		}
	})
}

// watch has one more watch verdicts; one that is asleep reads nothing after the first
// line.
func (c *crowdOfReaders) watch(asleep bool) {
	conn, err := new(net.Dialer).DialContext(c.ctx, "unix", c.socket)
	if err != nil {
		return
	}
	c.all.Go(func() {
		defer conn.Close()
		stop := context.AfterFunc(c.ctx, func() { conn.Close() })
		defer stop()
		_, _ = io.WriteString(conn, "GET /api/v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
		r := bufio.NewReaderSize(conn, 4<<10)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if asleep && strings.HasPrefix(line, "HTTP/1.1 200") {
				<-c.ctx.Done()
			}
		}
	})
}

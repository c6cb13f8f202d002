package resolver

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// answerWith makes r's questions end at once with what world says.
func answerWith(r *Resolver, world func(*flight) (data, uint32)) {
	r.ask = func(f *flight) {
		a := &f.asking
		a.mu.Lock()
		defer a.mu.Unlock()
		defer a.guard()
		a.finish(world(f))
	}
}

// blocked makes r's questions wait until release is closed. Each that begins is
// sent to began.
func blocked(r *Resolver) (began chan *flight, release chan struct{}) {
	began, release = make(chan *flight, 100), make(chan struct{})
	r.ask = func(f *flight) {
		began <- f
		go func() {
			select {
			case <-f.done:
			case <-release:
				a := &f.asking
				a.mu.Lock()
				defer a.mu.Unlock()
				a.finish(data{outcome: Found, addrs: addrs("192.0.2.1")}, 300)
			}
		}()
	}
	return began, release
}

// joined returns once n wait for f.
func joined(r *Resolver, f *flight, n int) {
	for {
		r.flights.mu.Lock()
		waiters := f.waiters
		r.flights.mu.Unlock()
		if waiters == n {
			return
		}
		runtime.Gosched()
	}
}

func TestIdenticalQuestionsAreAskedOnce(t *testing.T) {
	r := newTest(t, Config{})
	began, release := blocked(r)
	const n = 20
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if a := r.Lookup(t.Context(), "Same.test", dns.TypeA); a.Outcome != Found || a.Cached {
				t.Errorf("got %+v", a)
			}
		})
	}
	f := <-began
	joined(r, f, n)
	close(release)
	wg.Wait()
	if len(began) != 0 {
		t.Error("asked more than once")
	}
	if a, ok := r.Cached("same.test", dns.TypeA); !ok || !a.Cached {
		t.Errorf("afterwards: %+v, %v", a, ok)
	}
}

func TestQuestionEndsWithItsLastWaiter(t *testing.T) {
	r := newTest(t, Config{})
	began, release := blocked(r)
	ask := func(ctx context.Context) <-chan Answer {
		c := make(chan Answer, 1)
		go func() { c <- r.Lookup(ctx, "a.test", dns.TypeA) }()
		return c
	}
	ctx1, cancel1 := context.WithCancel(t.Context())
	ctx2, cancel2 := context.WithCancel(t.Context())
	defer cancel2()
	one := ask(ctx1)
	f := <-began
	two := ask(ctx2)
	joined(r, f, 2)

	cancel1()
	if a := <-one; a.Outcome != Failed || a.Reason != Budget {
		t.Errorf("the one who left: %+v", a)
	}
	select {
	case <-f.done:
		t.Fatal("the question ended though one still waits")
	default:
	}
	cancel2()
	if a := <-two; a.Reason != Budget {
		t.Errorf("the last one: %+v", a)
	}
	<-f.done // it ends, though nobody answered it

	three := ask(t.Context())
	if f2 := <-began; f2 == f {
		t.Error("joined a question that had ended")
	}
	close(release)
	if a := <-three; a.Outcome != Found {
		t.Errorf("asked anew: %+v", a)
	}
}

func TestQuestionsInFlightAreBounded(t *testing.T) {
	r := newTest(t, Config{MaxInFlight: 3})
	began, release := blocked(r)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if a := r.Lookup(t.Context(), fmt.Sprintf("n%d.test", i), dns.TypeA); a.Outcome != Found {
				t.Errorf("within the bound: %+v", a)
			}
		})
	}
	for range 3 {
		<-began
	}
	if a := r.Lookup(t.Context(), "more.test", dns.TypeA); a.Outcome != Failed || a.Reason != Budget {
		t.Errorf("over the bound: %+v", a)
	}
	if st := r.Stats(); st.TurnedAway != 1 || st.InFlight != 3 {
		t.Errorf("turned away %d, in flight %d", st.TurnedAway, st.InFlight)
	}
	close(release)
	wg.Wait()
	if a := r.Lookup(t.Context(), "more.test", dns.TypeA); a.Outcome != Found {
		t.Errorf("with room again: %+v", a)
	}
}

func TestPanicIsAFailedQuestion(t *testing.T) {
	r := newTest(t, Config{})
	answerWith(r, func(*flight) (data, uint32) { panic("a bug") })
	if a := r.Lookup(t.Context(), "a.test", dns.TypeA); a.Outcome != Failed || a.Reason != BadAnswer {
		t.Errorf("got %+v", a)
	}
}

func TestStats(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	for range 2 {
		r.Lookup(t.Context(), "mx.good.test", dns.TypeA)
	}
	r.Cached("mx.good.test", dns.TypeA)
	r.Lookup(t.Context(), "nowhere.test", dns.TypeMX)
	st := r.Stats()
	if d := diff([]QueryCount{{"A", "found", 1}, {"MX", "none", 1}}, st.Queries); d != "" {
		t.Errorf("queries: -want +got\n%s", d)
	}
	var timed uint64
	for _, n := range st.Durations {
		timed += n
	}
	if st.Hits != 2 || st.Entries != 2 || st.Bytes < 2*entryBytes || timed != 2 || st.Total <= 0 {
		t.Errorf("got %+v", st)
	}
	if srv := st.Servers[0]; !srv.Up || srv.Queries != 2 || srv.RTT <= 0 || srv.Failures != 0 {
		t.Errorf("server %+v", srv)
	}
}

package page

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadersTakeATenthOfTheTime, however many ask without a pause, and one at a time.
func TestReadersTakeATenthOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(300*time.Millisecond, 100*time.Millisecond, 5*time.Second)
		ctx, stop := context.WithCancel(t.Context())
		var working, done, refused atomic.Int64
		for range 40 {
			go func() {
				for ctx.Err() == nil {
					if !p.begin(ctx) {
						refused.Add(1)
						continue
					}
					if working.Add(1) > 1 {
						t.Error("two work at once")
					}
					time.Sleep(20 * time.Millisecond)
					working.Add(-1)
					done.Add(1)
					p.end()
				}
			}()
		}
		time.Sleep(100 * time.Second)
		// 10.3 s of work at 20.3 ms each; one may be under way.
		if n := done.Load(); n < 505 || n > 510 {
			t.Errorf("%d were served", n)
		}
		if refused.Load() == 0 {
			t.Error("nobody was told that there is no room")
		}
		stop()
	})
}

// TestWhoComesNowAndThenWaitsForNobody: a page, its style and a search, a second apart.
func TestWhoComesNowAndThenWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(300*time.Millisecond, 100*time.Millisecond, 5*time.Second)
		for range 100 {
			for range 3 {
				began := time.Now()
				if !p.begin(t.Context()) || time.Since(began) > 0 {
					t.Fatalf("waited %v", time.Since(began))
				}
				time.Sleep(30 * time.Millisecond)
				p.end()
			}
			time.Sleep(time.Second)
		}
	})
}

// TestAside: what waits for a disk takes nobody's turn, and counts for nothing; what
// waits in a turn counts for so much at most.
func TestAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(300*time.Millisecond, 100*time.Millisecond, 5*time.Second)
		if !p.begin(t.Context()) {
			t.Fatal("no turn")
		}
		p.aside(func() {
			if !p.begin(t.Context()) {
				t.Error("no turn for another meanwhile")
			}
			time.Sleep(time.Minute) // it waits, in its turn
			p.end()
			if w := p.wait(); w > -time.Second {
				t.Errorf("a wait of a minute has to be paid for by %v", w)
			}
		})
		p.end()
		if !p.begin(t.Context()) {
			t.Fatal("the turn is lost")
		}
		began := time.Now()
		if p.begin(t.Context()) || time.Since(began) != 5*time.Second {
			t.Errorf("a second turn, or not after 5 s: %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if began := time.Now(); p.begin(ctx) || time.Since(began) != time.Second {
			t.Errorf("who has gone waited for %v", time.Since(began))
		}
		p.end()
	})
}

// TestAnAnswerIsSentAfterItsTurn: who reads slowly holds up nobody who reads.
func TestAnAnswerIsSentAfterItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Socket: true, Access: func() Access { return Access{} }})
		sleeper, waker := &slowWriter{wake: make(chan struct{})}, &slowWriter{wake: make(chan struct{})}
		close(waker.wake)
		get := func() *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, styleFile.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "localhost"
			return r
		}
		ended := make(chan struct{})
		go func() {
			p.ServeHTTP(sleeper, get())
			close(ended)
		}()
		synctest.Wait()
		p.ServeHTTP(waker, get())
		if waker.n == 0 || sleeper.n != 0 {
			t.Errorf("%d bytes beside one who sleeps, %d to him", waker.n, sleeper.n)
		}
		close(sleeper.wake)
		<-ended
	})
}

// A slowWriter takes nothing before it wakes.
type slowWriter struct {
	h    http.Header
	wake chan struct{}
	n    int
}

func (w *slowWriter) Header() http.Header {
	if w.h == nil {
		w.h = http.Header{}
	}
	return w.h
}
func (w *slowWriter) WriteHeader(int) {}
func (w *slowWriter) Write(b []byte) (int, error) {
	<-w.wake
	w.n += len(b)
	return len(b), nil
}

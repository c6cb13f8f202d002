package connpool

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake is a connection that remembers its end.
type fake struct{ closed atomic.Bool }

func (f *fake) Close() error { f.closed.Store(true); return nil }

// A dialler makes fakes, and can be made to fail.
type dialler struct {
	made atomic.Int32
	err  error
}

func (d *dialler) dial(context.Context) (*fake, error) {
	if d.err != nil {
		return nil, d.err
	}
	d.made.Add(1)
	return &fake{}, nil
}

func get(t *testing.T, p *Pool[*fake]) (*fake, bool) {
	t.Helper()
	c, reused, err := p.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c, reused
}

func TestTheLastUsedIsTakenFirst(t *testing.T) {
	d := &dialler{}
	p := New(3, time.Minute, d.dial)
	a, _ := get(t, p)
	b, _ := get(t, p)
	p.Put(a)
	p.Put(b)
	if c, reused := get(t, p); c != b || !reused {
		t.Errorf("got %p (reused %t), want the last used %p", c, reused, b)
	}
	p.Put(b)
	if err := p.Close(); err != nil || !a.closed.Load() || !b.closed.Load() {
		t.Errorf("after Close (%v): closed %t, %t", err, a.closed.Load(), b.closed.Load())
	}
	if _, _, err := p.Get(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Get of a closed pool: %v", err)
	}
}

func TestNoMoreThanSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1, time.Minute, (&dialler{}).dial)
		a, _ := get(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := p.Get(ctx); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "all connections were busy" {
			t.Errorf("second Get: %v", err)
		}
		time.AfterFunc(time.Second, func() { p.Drop(a) })
		b, reused, err := p.Get(t.Context())
		if err != nil || reused {
			t.Fatalf("Get while another drops its own: %v, reused %t", err, reused)
		}
		p.Drop(b)
		p.Close()
	})
}

func TestAFailedDialFreesItsSlot(t *testing.T) {
	d := &dialler{err: errors.New("refused")}
	p := New(1, time.Minute, d.dial)
	for range 3 {
		if _, _, err := p.Get(t.Context()); !errors.Is(err, d.err) {
			t.Fatal(err)
		}
	}
	d.err = nil
	a, _ := get(t, p)
	d.err = errors.New("refused again")
	if _, err := p.Renew(t.Context(), a); !errors.Is(err, d.err) || !a.closed.Load() {
		t.Fatalf("Renew: %v, closed %t", err, a.closed.Load())
	}
	d.err = nil
	b, _ := get(t, p)
	p.Put(b)
	p.Close()
}

func TestRenewClosesTheIdleToo(t *testing.T) {
	d := &dialler{}
	p := New(2, time.Minute, d.dial)
	a, _ := get(t, p)
	b, _ := get(t, p)
	p.Put(a)
	c, err := p.Renew(t.Context(), b)
	if err != nil || c == a || c == b || !a.closed.Load() || !b.closed.Load() {
		t.Errorf("Renew: %v; closed %t, %t", err, a.closed.Load(), b.closed.Load())
	}
	p.Put(c)
	p.Close()
}

func TestTheUnusedAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dialler{}
		p := New(2, time.Minute, d.dial)
		a, _ := get(t, p)
		b, _ := get(t, p)
		p.Put(a)
		time.Sleep(40 * time.Second)
		p.Put(b)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if !a.closed.Load() || b.closed.Load() {
			t.Errorf("after 70 s and 30 s: closed %t, %t; want true, false", a.closed.Load(), b.closed.Load())
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if !b.closed.Load() {
			t.Error("after 61 s: still open")
		}
		p.Close()
	})
}

func TestCloseWaitsForTheUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1, time.Minute, (&dialler{}).dial)
		a, _ := get(t, p)
		var closed atomic.Bool
		go func() { p.Close(); closed.Store(true) }()
		synctest.Wait()
		if closed.Load() {
			t.Fatal("Close did not wait")
		}
		p.Put(a)
		synctest.Wait()
		if !closed.Load() || !a.closed.Load() {
			t.Errorf("Close returned %t, connection closed %t", closed.Load(), a.closed.Load())
		}
	})
}

func TestLimitEndsAReadWithItsContext(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := Limit(ctx, ours)
	cancel()
	_, err := ours.Read(make([]byte, 1))
	var late net.Error
	if !errors.As(err, &late) || !late.Timeout() || done() {
		t.Errorf("Read: %v", err)
	}
}

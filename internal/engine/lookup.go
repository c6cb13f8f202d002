package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/miekg/dns"

	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// asked is a group of questions about one subject and what is known so far.
// value begins with every question that was asked as failed, and is overwritten
// by the answers, under the visit's mu.
type asked[T any] struct {
	value  T
	done   chan struct{}      // closed when nothing is out any more; nil when nothing was
	cancel context.CancelFunc // nil when nothing was asked
}

// known is a group with nothing to wait for.
func known[T any](value T) *asked[T] { return &asked[T]{value: value} }

func (a *asked[T]) letGo() {
	if a.cancel != nil {
		a.cancel()
	}
}

// start begins a group: ask runs on a goroutine of its own, and sets the value
// as answers come. A panic in it is a failed look-up, not the end of the daemon.
func start[T any](v *Visit, pending T, ask func(ctx context.Context, set func(T))) *asked[T] {
	if v.ctx == nil {
		v.ctx, v.cancel = context.WithCancel(context.Background())
	}
	v.startNotes()
	ctx, cancel := context.WithCancel(v.ctx)
	a := &asked[T]{value: pending, done: make(chan struct{}), cancel: cancel}
	set := func(value T) {
		v.mu.Lock()
		a.value = value
		v.mu.Unlock()
	}
	go func() {
		defer close(a.done)
		defer cancel()
		defer v.e.contain("look-up")
		ask(ctx, set)
	}()
	return a
}

// contain keeps a panic of ours from ending the daemon. To be deferred.
func (e *Engine) contain(what string) {
	if p := recover(); p != nil {
		e.o.Logger.Error("panic", "in", what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
}

// askReverse starts the questions about the client's address.
func (v *Visit) askReverse() {
	addr := v.client.Addr
	if v.trace == nil {
		if reverse, ok := v.e.o.Resolver.CachedReverse(addr); ok {
			v.rdns = known(rdnsOf(reverse))
			return
		}
	}
	v.rdns = start(v, profile.RDNS{Outcome: profile.Failed}, func(ctx context.Context, set func(profile.RDNS)) {
		reverse := v.e.o.Resolver.Reverse(ctx, addr, func(partial resolver.Reverse) { set(rdnsOf(partial)) })
		v.trace.reverse(addr, reverse)
		v.notes.setReverse(ctx, reverse)
		set(rdnsOf(reverse))
	})
}

// askAgain asks once more, for a new transaction, what had failed before: the
// answer may be there by now, and the resolver keeps failures for seconds only.
func (v *Visit) askAgain() {
	v.mu.Lock()
	rdns, helo := v.rdns, v.helo
	rdnsFailed := rdns.value.Outcome == profile.Failed || forwardFailed(rdns.value)
	heloFailed := failed(helo.value.Host.A, helo.value.Host.AAAA, helo.value.MX)
	v.mu.Unlock()
	if rdnsFailed && over(rdns.done) {
		v.askReverse()
	}
	if heloFailed && over(helo.done) {
		v.askHelo(profile.Helo{Given: helo.value.Given, Name: helo.value.Name})
	}
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return done == nil
	}
}

func failed(outcomes ...profile.Outcome) bool {
	for _, o := range outcomes {
		if o == profile.Failed {
			return true
		}
	}
	return false
}

func forwardFailed(r profile.RDNS) bool {
	for _, name := range r.Names {
		if name.Forward == profile.ForwardFailed {
			return true
		}
	}
	return false
}

// askHelo starts the questions about the HELO name: its addresses, and its MX
// only if it has none.
func (v *Visit) askHelo(helo profile.Helo) {
	v.helo.letGo()
	name, ok := profile.HeloHost(helo.Name)
	if !ok || helo.Given != profile.Shown || v.trust != profile.Stranger {
		v.helo = known(helo)
		return
	}
	if v.trace == nil {
		if host, ok := v.cachedHost(name); ok && !noAddress(host) {
			helo.Host = host
			v.helo = known(helo)
			return
		}
	}
	pending := helo
	pending.Host = failedHost
	v.helo = start(v, pending, func(ctx context.Context, set func(profile.Helo)) {
		helo.Host = v.host(ctx, atHelo, name)
		if noAddress(helo.Host) {
			helo.MX = profile.Failed
			set(helo)
			mx := v.lookup(ctx, atHelo, name, dns.TypeMX)
			helo.MX = outcomeOf(mx)
			helo.Host.Stale = helo.Host.Stale || mx.Stale
		}
		set(helo)
	})
}

// askSender starts the questions about the sender's domain.
func (v *Visit) askSender() {
	sender := v.tx.path
	if sender.Domain == "" {
		v.tx.sender = known(sender)
		return
	}
	if v.trace == nil && v.cachedSender(&sender) {
		v.tx.sender = known(sender)
		return
	}
	pending := sender
	pending.MX = profile.Failed
	pending.Host = failedHost
	v.tx.sender = start(v, pending, func(ctx context.Context, set func(profile.Sender)) {
		v.lookupSender(ctx, sender, set)
	})
}

// lookupSender asks MX and addresses of the domain together, then the addresses
// of its exchanges together: two round trips.
func (v *Visit) lookupSender(ctx context.Context, s profile.Sender, set func(profile.Sender)) {
	var mx resolver.Answer
	together(
		func() { mx = v.lookup(ctx, atMail, s.Domain, dns.TypeMX) },
		func() { s.Host = v.host(ctx, atMail, s.Domain) },
	)
	setMX(&s, mx)
	set(withFailedExchanges(s))
	if len(s.Exchanges) == 0 {
		return
	}
	var asks []func()
	for i := range s.Exchanges {
		if x := &s.Exchanges[i]; askable(x.Name) {
			asks = append(asks, func() { x.Host = v.host(ctx, atMail, x.Name) })
		}
	}
	together(asks...)
	set(s)
}

// withFailedExchanges is s while the addresses of its exchanges are still out.
func withFailedExchanges(s profile.Sender) profile.Sender {
	pending := make([]profile.Exchange, len(s.Exchanges))
	for i, x := range s.Exchanges {
		pending[i] = profile.Exchange{Name: x.Name, Host: failedHost}
	}
	s.Exchanges = pending
	return s
}

// host asks for both kinds of addresses of a name, together.
func (v *Visit) host(ctx context.Context, at stage, name string) profile.Host {
	var a, aaaa resolver.Answer
	together(
		func() { a = v.lookup(ctx, at, name, dns.TypeA) },
		func() { aaaa = v.lookup(ctx, at, name, dns.TypeAAAA) },
	)
	return hostOf(a, aaaa)
}

func (v *Visit) lookup(ctx context.Context, at stage, name string, qtype uint16) resolver.Answer {
	answer := v.e.o.Resolver.Lookup(ctx, name, qtype)
	v.trace.answer(at, name, qtype, answer)
	v.notes.add(ctx, at, name, qtype, answer)
	return answer
}

// together runs the functions at once and returns when all are done. A panic in
// one is raised here, where start contains it.
func together(fns ...func()) {
	var wg sync.WaitGroup
	var once sync.Once
	var raised any
	if len(fns) == 0 {
		return
	}
	for _, fn := range fns[1:] {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					once.Do(func() { raised = p })
				}
			}()
			fn()
		})
	}
	fns[0]()
	wg.Wait()
	if raised != nil {
		panic(raised)
	}
}

package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A source that answers may still be wrong about everybody: a replica that took over
// before it had its data, a table restored empty, a query that compares with the wrong
// column. Each of its answers is then a No, and each would refuse a real recipient. So
// a No is believed only beside a Yes: the source must just have known somebody at the
// domain, or must still know one whom it knew before, who is asked about as a witness.

const (
	// proven is how long a Yes stands for the soundness of a source.
	proven = time.Second
	// maxWitnesses are remembered of a domain, and as many of all domains together.
	maxWitnesses = 4
	// maxTestified is of how many domains it is remembered that somebody is known there.
	maxTestified = 20_000
)

// ErrThisAddress is what a failure is that is about one address: the source works, and
// others are asked about as before.
var ErrThisAddress = errors.New("about this address only")

// OnlyThis makes an error one of a single address.
func OnlyThis(err error) error { return &onlyThis{err} }

type onlyThis struct{ error }

func (*onlyThis) Is(target error) bool { return target == ErrThisAddress }
func (o *onlyThis) Unwrap() error      { return o.error }

// A testimony is what a source has shown to know of a domain.
type testimony struct {
	last  time.Time     // it said Yes to somebody there
	known []Address     // to whom, newest first
	gone  int           // to how many of them it has said No since
	busy  chan struct{} // closed when a witness has been asked; nil while none is
}

// forget notes that a is not known any more.
func (t *testimony) forget(a Address) {
	if at := slices.Index(t.known, a); at >= 0 {
		t.known = slices.Delete(t.known, at, at+1)
		t.gone++
	}
}

// testimonies are those of all domains; "" has the newest of each domain.
type testimonies = simplelru.LRU[string, *testimony]

func newTestimonies() *testimonies {
	all, _ := simplelru.NewLRU[string, *testimony](maxTestified, nil) // it refuses sizes below 1 only
	return all
}

// Named has it known that the source knew somebody at a domain, before this process began.
func (g *Guard) Named(domain string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.said.Contains(domain) {
		g.said.Add(domain, new(testimony))
	}
}

// OnNamed has named called for each domain at which the source knows somebody for the
// first time. It must not call the Guard.
func (g *Guard) OnNamed(named func(domain string)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.onNamed = named
}

// vouch notes that the source knows somebody.
func (g *Guard) vouch(a Address) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.onNamed != nil && !g.said.Contains(a.Domain) {
		g.onNamed(a.Domain)
	}
	now := g.now()
	for _, domain := range [...]string{a.Domain, ""} {
		t, ok := g.said.Get(domain)
		if !ok {
			t = new(testimony)
			g.said.Add(domain, t)
		}
		t.last, t.gone = now, 0
		t.known = slices.DeleteFunc(t.known, func(w Address) bool { return w == a || domain == "" && w.Domain == a.Domain })
		t.known = slices.Insert(t.known, 0, a)
		t.known = t.known[:min(len(t.known), maxWitnesses)]
	}
}

// A doubted error says why a No is not believed. It is about one address only: others,
// and the catch-all of its domain, are asked about as before.
type doubted struct{ error }

func (*doubted) Is(target error) bool { return target == ErrThisAddress }

func isDoubted(err error) bool {
	var d *doubted
	return errors.As(err, &d)
}

// believe gives a No if the source is sound, and else a failure with a doubted error.
func (g *Guard) believe(ctx context.Context, a Address, no Entry) Entry {
	sound, err := g.sound(ctx, a, a.Domain)
	if err == nil && !sound {
		if err = g.doubt(a.Domain); err == nil { // one alone was known, who may have left
			sound, err = g.sound(ctx, a, "")
			if err == nil && !sound {
				err = errKnowsNobody
			}
		}
	}
	if err != nil {
		return Fail(err)
	}
	return no
}

var errKnowsNobody = &doubted{errors.New("it says no, and has named nobody since the start, or knows none of them any more; is it empty?")}

// doubt says why a No is not believed at a domain where no witness spoke for it; nil
// where it is enough that the source is sound elsewhere.
func (g *Guard) doubt(domain string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch t, ok := g.said.Peek(domain); {
	case !ok:
		return &doubted{fmt.Errorf("it says no, and has not named anybody at %s so far, so that this is not believed", domain)}
	case t.gone > 1 && len(t.known) == 0:
		return &doubted{fmt.Errorf("it says no, and knows nobody any more whom it knew at %s; has it lost the domain?", domain)}
	}
	return nil
}

// sound reports whether the source knows somebody at a domain, "" for any. Who waits
// for the same waits for one question.
func (g *Guard) sound(ctx context.Context, a Address, domain string) (bool, error) {
	for {
		g.mu.Lock()
		t, ok := g.said.Get(domain)
		if !ok {
			g.mu.Unlock()
			return false, nil
		}
		if since := g.now().Sub(t.last); !t.last.IsZero() && since >= 0 && since < proven {
			g.mu.Unlock()
			return true, nil
		}
		if busy := t.busy; busy != nil {
			g.mu.Unlock()
			select {
			case <-busy:
				continue
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		t.forget(a)
		witnesses := slices.DeleteFunc(slices.Clone(t.known), func(w Address) bool { return domain == "" && w.Domain == a.Domain })
		t.busy = make(chan struct{})
		g.mu.Unlock()
		return g.callWitnesses(ctx, t, witnesses)
	}
}

// callWitnesses asks about those whom the source knew, until it knows one.
func (g *Guard) callWitnesses(ctx context.Context, t *testimony, witnesses []Address) (sound bool, err error) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		close(t.busy)
		t.busy = nil
	}()
	for _, w := range witnesses {
		e := g.question(ctx, w)
		switch {
		case e.Result == Yes:
			g.vouch(w)
			return true, nil
		case e.Result == Failed && !errors.Is(e.Err, ErrThisAddress): // of a full mailbox, say, nothing is learned
			return false, e.Err
		case e.Result == No:
			g.mu.Lock()
			t.forget(w)
			g.mu.Unlock()
		}
	}
	return false, nil
}

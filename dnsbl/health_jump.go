package dnsbl

import (
	"fmt"
	"time"
)

// leap notes that the share of a list's hits jumped: it is tested now.
func (h *Health) leap(t *roster, w *watched) {
	if w.leaps.Swap(true) {
		return
	}
	h.mu.Lock()
	h.testSoon(w, time.Now())
	h.mu.Unlock()
	h.secondSign(t, w)
}

// secondSign suspends a list whose share jumped among clients with no other
// fault if it jumped among trusted ones too. What was usual among them must be
// known: to lists of access lines their people are strangers like any other.
func (h *Health) secondSign(t *roster, w *watched) {
	h.settle(w, func(now time.Time) (Change, bool) {
		clean, trusted := t.clean.n.Load(), t.trusted.n.Load()
		if w.state.state != Up || !w.clean.known || !w.trusted.known ||
			trusted < trustedSeen || w.trusted.hits.n.Load() < trustedHits ||
			!w.trusted.jumped(trusted, trustedLeast, trustedMore) {
			return Change{}, false
		}
		reason := fmt.Sprintf("hits rose from %s to %s of clean networks, and from %s to %s of trusted ones",
			percent(w.clean.before()), percent(w.clean.now(clean)), percent(w.trusted.before()), percent(w.trusted.now(trusted)))
		return w.state.against(Suspended, reason, remedyAll, false, h.every, now)
	})
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

const (
	windowLasts   = time.Hour // at most
	trustedWindow = 20        // trusted networks that make a window when one of the clean ones ends
)

// newWindow ends the window of the shares if it is full, or old.
func (h *Health) newWindow(t *roster) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	seen := t.clean.n.Load()
	old := now.Sub(t.began) >= windowLasts
	if seen < sketchFull && !old {
		return // another one ended it
	}
	t.began = now
	if seen >= cleanSeen {
		for _, w := range t.all {
			leaps := w.leaps.Load() && w.clean.jumped(seen, cleanLeast, cleanMore)
			w.clean.close(seen, w.state.state == Up, leaps)
			w.leaps.Store(leaps) // until a window ends without
			if leaps {
				h.testSoon(w, now)
			}
		}
		t.clean.reset()
	}
	if seen := t.trusted.n.Load(); seen >= trustedWindow {
		for _, w := range t.all {
			w.trusted.close(seen, w.state.state == Up, false)
		}
		t.trusted.reset()
	}
}

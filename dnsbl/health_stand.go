package dnsbl

import "time"

// maxWaiting bounds the hits of one list that wait for its next test.
const maxWaiting = 2048

// A waiting hit is one of which it is not known yet whether it stands.
type waiting struct {
	heard time.Time
	then  func()
}

// AfterTest is for what outlives a visit, and cannot be taken back: a hit, which came at
// that time or before, stands once its list has passed a test that began later, and was
// not doubted in between. AfterTest is true if that is so already. Else then is called when
// it comes to be so, from another goroutine and with no lock held; or never, if the list is
// doubted before, goes out of use, or more hits wait than there is room for.
func (h *Health) AfterTest(id string, heard time.Time, then func()) bool {
	w := h.find(id)
	if w == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case w.doubted, w.state.state == Untested:
	case w.sound.After(heard):
		return true
	case len(w.waiting) < maxWaiting:
		w.waiting = append(w.waiting, waiting{heard, then})
	}
	return false
}

// stand notes that a list is up by a test that began then, and gives what is to be called
// for that. The lock is held.
func (w *watched) stand(began time.Time) (then []func()) {
	w.sound = began
	var later []waiting
	for _, hit := range w.waiting {
		if began.After(hit.heard) {
			then = append(then, hit.then)
		} else {
			later = append(later, hit)
		}
	}
	w.waiting = later
	return then
}

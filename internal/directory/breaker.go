package directory

import "time"

// A breaker keeps questions from a source that fails: after some failures in a row
// it is left alone for a while, then one question is let through to see. Each failure
// of that doubles the while. The zero breaker lets all through. It has no lock.
type breaker struct {
	inARow int
	pause  time.Duration // of the next time
	until  time.Time     // it is left alone; the zero time: it is not
	since  time.Time     // it is left alone
	trying bool          // by a question that is out
}

const (
	mostFailures = 5
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// lets reports whether a question may go out now. Where the source was left alone,
// it is the one that tries it.
func (b *breaker) lets(now time.Time) bool {
	if b.closed() {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.until, b.trying = now.Add(b.pause), true // nobody else, until this one is back
	return true
}

func (b *breaker) closed() bool { return b.until.IsZero() }

// worked notes an answer.
func (b *breaker) worked() { *b = breaker{} }

// failed notes a failure.
func (b *breaker) failed(now time.Time) {
	b.inARow++
	if b.inARow < mostFailures || !b.closed() && !b.trying {
		return // what was out when it broke says nothing new
	}
	if b.closed() {
		b.since = now
	}
	b.pause = min(max(2*b.pause, firstPause), longestPause)
	b.until, b.trying = now.Add(b.pause), false
}

package page

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"
)

// A pace bounds how much of the machine readers take from mail, however many and
// greedy they are: what it paces is done one at a time, and in the long run for a
// tenth of the time. Who comes now and then waits for nobody.
type pace struct {
	burst   time.Duration // of work that is done without a wait
	most    time.Duration // that one piece of work counts for: it may have waited for others
	patient time.Duration // how long somebody waits for his turn

	turn  chan struct{}
	began time.Time // of the work under way; who has the turn may touch it

	mu   sync.Mutex
	owed time.Duration // work that time has not paid for
	at   time.Time     // when owed was right
}

// payback is how long it takes for a piece of work to be paid for, in times of its own.
const payback = 10

// eachTakes is what a request takes at least: much of its work is not seen here.
const eachTakes = 300 * time.Microsecond

func newPace(burst, most, patient time.Duration) *pace {
	return &pace{burst: burst, most: most, patient: patient, turn: make(chan struct{}, 1)}
}

// begin waits for a turn; false where there was none in time. end gives it back.
func (p *pace) begin(ctx context.Context) bool {
	end := time.NewTimer(p.patient)
	defer end.Stop()
	select {
	case p.turn <- struct{}{}:
	case <-end.C:
		return false
	case <-ctx.Done():
		return false
	}
	if wait := p.wait(); wait > 0 {
		paid := time.NewTimer(wait)
		defer paid.Stop()
		select {
		case <-paid.C:
		case <-end.C:
			<-p.turn
			return false
		case <-ctx.Done():
			<-p.turn
			return false
		}
	}
	p.began = time.Now()
	return true
}

// end counts what was done, and gives the turn to the next.
func (p *pace) end() {
	p.charge(min(time.Since(p.began), p.most) + eachTakes)
	<-p.turn
}

// aside does what takes time and no work, in the middle of a turn, which others have
// meanwhile.
func (p *pace) aside(do func()) {
	p.end()
	defer func() {
		p.turn <- struct{}{}
		p.began = time.Now()
	}()
	do()
}

// wait tells how long it takes until more can be done.
func (p *pace) wait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay()
	return (p.owed - p.burst) * payback
}

func (p *pace) charge(work time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay()
	p.owed += work
}

// pay brings owed to now. The caller holds mu.
func (p *pace) pay() {
	now := time.Now()
	p.owed = max(0, p.owed-now.Sub(p.at)/payback)
	p.at = now
}

// A held answer goes out when the turn of its maker has ended: who reads it may be
// slow.
type held struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (h *held) WriteHeader(code int) { h.code = code }

func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }

// send lets it go.
func (h *held) send() {
	_ = http.NewResponseController(h.ResponseWriter).SetWriteDeadline(time.Now().Add(sendTime)) // it fails only where there is no connection
	if h.code != 0 {
		h.ResponseWriter.WriteHeader(h.code)
	}
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // the reader has gone: nobody is left to tell
}

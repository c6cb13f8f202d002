//go:build e2e

package shared

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"mailprofiled/ratelimit"
)

// A model is the naive, exact limit over all machines: it keeps every event.
type model struct {
	ends    []time.Time
	pending int
}

// within counts what ended after from.
func (m *model) within(from time.Time) (n int) {
	for _, at := range m.ends {
		if at.After(from) {
			n++
		}
	}
	return n
}

// A held is a reservation that a machine has open.
type held struct {
	machine int
	charge  ratelimit.Charge
}

// A world is a server whose clock the test sets, with machines and the model of each
// of their counters.
type world struct {
	t        *testing.T
	server   *redisServer
	now      time.Time
	machines []*Store
	window   time.Duration
	most     uint32
	base     uint64
	models   [2]model
	open     []held
}

// clockKeys stand in for the server's clock.
const clockKeys = "{redis.call('GET', 'test:s'), redis.call('GET', 'test:us')}"

func newWorld(t *testing.T, server *redisServer, rnd *rand.Rand, seed uint64) *world {
	windows := []time.Duration{time.Second, 7 * time.Second, time.Hour, 24 * time.Hour, ratelimit.MaxWindow}
	maxes := []uint32{1, 2, 5, 20, 130}
	w := &world{t: t, server: server, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), base: seed << 8,
		window: windows[rnd.IntN(len(windows))], most: maxes[rnd.IntN(len(maxes))]}
	for i := range 1 + rnd.IntN(3) {
		s := New(server.options(fmt.Sprintf("m%d-%d", seed, i)))
		s.scripts = newScripts(clockKeys)
		w.machines = append(w.machines, s)
	}
	server.cli(t, "FLUSHALL")
	w.tick(0)
	for _, s := range w.machines {
		s.join1(t)
	}
	return w
}

// tick lets time go on, and all machines be heard of.
func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	seconds, micros := strconv.FormatInt(w.now.Unix(), 10), strconv.Itoa(w.now.Nanosecond()/1000)
	l := w.machines[0].link.Load()
	if l == nil { // it is to join
		w.server.cli(w.t, "MSET", "test:s", seconds, "test:us", micros)
		return
	}
	ctx, client := context.Background(), l.client
	all := rueidis.Commands{client.B().Mset().KeyValue().KeyValue("test:s", seconds).KeyValue("test:us", micros).Build()}
	for _, s := range w.machines {
		all = append(all, client.B().Zadd().Key(keySeen).ScoreMember().ScoreMember(float64(w.now.UnixMilli()), s.o.Machine).Build())
	}
	for _, r := range client.DoMulti(ctx, all...) {
		if err := r.Error(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// take tries a reservation on one counter or both, and holds the answer against the models.
func (w *world) take(rnd *rand.Rand) {
	var charges []ratelimit.Charge
	for i := range w.models {
		if i == 0 || rnd.IntN(3) == 0 {
			charges = append(charges, ratelimit.Charge{ID: w.base | uint64(i), Window: w.window, Max: w.most, Amount: 1 + rnd.Uint32N(w.most+1)/2})
		}
	}
	machine := rnd.IntN(len(w.machines))
	ok, err := w.machines[machine].Take(context.Background(), charges, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	room := true // even if what ended up to a sub-bucket before the window counts
	for _, c := range charges {
		m := &w.models[c.ID&1]
		late := w.now.Add(-w.window - w.window/25 - time.Millisecond) // it reads milliseconds
		room = room && m.within(late)+m.pending+int(c.Amount) <= int(w.most)
		if !ok && c.Over && c.Wait > 0 && len(w.open) == 0 {
			w.again(c)
		}
	}
	if !ok && room {
		w.t.Fatalf("refused at %v: %+v; %+v", w.now, charges, w.models)
	}
	if !ok {
		return
	}
	for _, c := range charges {
		w.models[c.ID&1].pending += int(c.Amount)
		w.open = append(w.open, held{machine, c})
		w.safe(c.ID & 1)
	}
}

// again holds a refusal to when it says there is room.
func (w *world) again(c ratelimit.Charge) {
	for wait, want := range map[time.Duration]bool{c.Wait: true, c.Wait - time.Millisecond: false} {
		w.tick(wait)
		one := []ratelimit.Charge{c}
		ok, err := w.machines[0].Look(context.Background(), one)
		if w.tick(-wait); err != nil || ok != want {
			w.t.Fatalf("%v after a refusal that says to wait %v: %v, %v", wait, c.Wait, ok, err)
		}
	}
}

// safe checks that a counter holds no more than its maximum.
func (w *world) safe(i uint64) {
	m := &w.models[i]
	if n := m.within(w.now.Add(-w.window)) + m.pending; n > int(w.most) {
		w.t.Fatalf("at %v %d are in the window of %v or pending, max is %d", w.now, n, w.window, w.most)
	}
}

// settle ends one of the reservations.
func (w *world) settle(rnd *rand.Rand, outcome ratelimit.Outcome) {
	if len(w.open) == 0 {
		return
	}
	i := rnd.IntN(len(w.open))
	h := w.open[i]
	w.open = append(w.open[:i], w.open[i+1:]...)
	if err := w.machines[h.machine].Settle(context.Background(), []ratelimit.Charge{h.charge}, outcome, w.now); err != nil {
		w.t.Fatal(err)
	}
	m := &w.models[h.charge.ID&1]
	if m.pending -= int(h.charge.Amount); outcome == ratelimit.Keep {
		for range h.charge.Amount {
			m.ends = append(m.ends, w.now)
		}
	}
	w.safe(h.charge.ID & 1)
}

// crash ends a machine and starts it anew: what it had open is forgotten.
func (w *world) crash(rnd *rand.Rand) {
	machine := rnd.IntN(len(w.machines))
	w.machines[machine].join1(w.t)
	kept := w.open[:0]
	for _, h := range w.open {
		if h.machine == machine {
			w.models[h.charge.ID&1].pending -= int(h.charge.Amount)
		} else {
			kept = append(kept, h)
		}
	}
	w.open = kept
}

// TestTheScriptsKeepThePromise: never more than the maximum in any window over all
// machines, nothing refused for longer than a sub-bucket, and "again" is true.
func TestTheScriptsKeepThePromise(t *testing.T) {
	server := startRedis(t)
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, server, rnd, seed)
			for range 250 {
				switch rnd.IntN(20) {
				case 0, 1, 2, 3, 4, 5, 6, 7:
					w.take(rnd)
				case 8, 9, 10, 11, 12, 13:
					w.settle(rnd, ratelimit.Keep)
				case 14, 15:
					w.settle(rnd, ratelimit.GiveBack)
				case 16:
					if rnd.IntN(10) == 0 {
						w.crash(rnd)
					}
				default:
					scale := []time.Duration{time.Millisecond, w.window / 1000, w.window / 25, w.window / 5, w.window}
					w.tick(time.Duration(rnd.Int64N(int64(scale[rnd.IntN(len(scale))]))).Round(time.Microsecond))
				}
			}
		})
	}
}

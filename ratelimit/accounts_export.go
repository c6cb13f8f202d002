package ratelimit

import (
	"encoding/binary"
	"iter"
	"math"
	"time"
)

// ExportChanged appends frames with all accounts that changed since the last call,
// or since they were made with AccountOptions.Track; nothing if none did. It is
// to be called by one goroutine at a time.
func (a *Accounts) ExportChanged(dst []byte, now time.Time) []byte {
	var body []byte
	for i := range a.shards {
		s := &a.shards[i]
		e := epoch{a.clock.see(now), a.clock.ahead(now)}
		s.mu.Lock()
		body = a.begin(body[:0], e)
		for _, id := range s.changed {
			first, _ := s.first(id)
			body = appendAccount(body, id, first, e)
		}
		none := len(s.changed) == 0
		s.changed = nil
		s.mu.Unlock()
		if !none {
			dst = appendFrame(dst, FrameAccounts, body)
		}
	}
	return dst
}

// ExportAll yields frames with all accounts: a snapshot. There is at least one
// frame, for it tells when the state began. A frame is overwritten by the next.
func (a *Accounts) ExportAll(now time.Time) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var body, frame []byte
		for i := range a.shards {
			s := &a.shards[i]
			e := epoch{a.clock.see(now), a.clock.ahead(now)}
			s.mu.RLock()
			body = a.begin(body[:0], e)
			for i := range s.seen {
				if o := &s.seen[i]; o.first != 0 {
					body = appendAccount(body, o.id(), o.first-1, e)
				}
			}
			s.mu.RUnlock()
			if frame = appendFrame(frame[:0], FrameAccounts, body); !yield(frame) {
				return
			}
		}
	}
}

// begin appends the head of a body: the epoch, and how long ago the state began.
func (a *Accounts) begin(body []byte, e epoch) []byte {
	return binary.AppendUvarint(e.append(body), uint64(max(0, e.at-a.began.Load())))
}

// appendAccount appends an account: ID, and the seconds since it was first seen.
func appendAccount(body []byte, id uint64, first uint32, e epoch) []byte {
	body = binary.LittleEndian.AppendUint64(body, id)
	return binary.AppendUvarint(body, uint64(max(0, e.at/1000-int64(first))))
}

// Import takes in a frame of ExportChanged or ExportAll, and gives how many
// accounts it holds. Of two times for one account, and of two beginnings, the
// earlier counts. What is of the future counts as of now. Nothing is taken of a
// frame that gives an error.
func (a *Accounts) Import(f Frame, now time.Time) (int, error) {
	if f.Kind != FrameAccounts {
		return 0, ErrKind
	}
	if _, err := readAccounts(f.body, func(int64) {}, func(uint64, int64) {}); err != nil {
		return 0, err
	}
	at := a.clock.see(now)
	rd := reader{data: f.body}
	e := rd.epoch()
	moved := e.ahead - a.clock.ahead(now) // from the clock of the export to ours
	return readAccounts(f.body, func(ago int64) {
		if began := max(0, min(e.at-ago+moved, at)); began < a.began.Load() {
			a.began.Store(began)
		}
	}, func(id uint64, ago int64) {
		first := (e.at+moved)/1000 - ago
		a.enter(id, uint32(min(max(first, 0), at/1000, math.MaxUint32)), false) // whoever has given it has it
	})
}

func readAccounts(body []byte, began func(ms int64), each func(id uint64, seconds int64)) (int, error) {
	rd := reader{data: body}
	rd.epoch()
	if ago := rd.number(maxTime); !rd.bad {
		began(int64(ago))
	}
	n := 0
	for ; len(rd.data) > 0; n++ {
		id, ago := rd.id(), rd.number(math.MaxUint32)
		if !rd.bad {
			each(id, int64(ago))
		}
	}
	if rd.bad {
		return 0, ErrDamaged
	}
	return n, nil
}

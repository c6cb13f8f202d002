package wiring

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"mailprofiled/ratelimit"
)

// A blockSpace lets the store keep which accounts are blocked. A record holds any number
// of rows, each with all that is known of one account's last block.
type blockSpace struct{ b *ratelimit.Blocks }

// blockRecord is a record as it is kept.
type blockRecord struct {
	Version int        `json:"v"`
	Rows    []blockRow `json:"rows"`
}

// A blockRow is a block as it is kept.
type blockRow struct {
	Account    string    `json:"account"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until,omitzero"`
	Reject     bool      `json:"reject,omitempty"`
	Auto       bool      `json:"auto,omitempty"`
	By         string    `json:"by,omitempty"`
	Owner      string    `json:"owner,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Released   time.Time `json:"released,omitzero"`
	ReleasedBy string    `json:"released_by,omitempty"`
}

// blockRows is how many rows one record of All holds at most.
const blockRows = 1000

// Changed implements store.Space.
func (s blockSpace) Changed(dst []byte) []byte {
	if rows := s.b.TakeChanged(); len(rows) > 0 {
		dst = append(dst, blockText(rows)...)
	}
	return dst
}

// All implements store.Space.
func (s blockSpace) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rows := range slices.Chunk(s.b.All(), blockRows) {
			if !yield(blockText(rows)) {
				return
			}
		}
	}
}

func blockText(blocks []ratelimit.Block) []byte {
	r := blockRecord{Version: 1, Rows: make([]blockRow, len(blocks))}
	for i, b := range blocks {
		r.Rows[i] = blockRow(b)
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic("blocks cannot be written: " + err.Error()) // text, and times of four-digit years, always can
	}
	return text
}

// Load implements store.Space. Rows that are wrong are left out: an account must not be
// free to send for another one's row.
func (s blockSpace) Load(record []byte) error {
	var r blockRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return fmt.Errorf("blocked accounts: %w", err)
	}
	if r.Version != 1 {
		return fmt.Errorf("blocked accounts: %w", ratelimit.ErrVersion)
	}
	all := make([]ratelimit.Block, len(r.Rows))
	for i, row := range r.Rows {
		all[i] = ratelimit.Block(row)
	}
	taken, err := s.b.Restore(all, time.Now())
	if err != nil && taken == 0 {
		return fmt.Errorf("blocked accounts: %w", err)
	}
	return nil
}

// Len implements store.Space.
func (s blockSpace) Len() int { return s.b.Len() }

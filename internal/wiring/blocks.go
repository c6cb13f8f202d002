package wiring

import (
	"encoding/json"
	"errors"
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
	Changed    time.Time `json:"changed,omitzero"`
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

func readBlocks(record []byte) ([]ratelimit.Block, error) {
	var r blockRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return nil, fmt.Errorf("blocked accounts: %w", err)
	}
	if r.Version != 1 {
		return nil, fmt.Errorf("blocked accounts: %w", ratelimit.ErrVersion)
	}
	all := make([]ratelimit.Block, len(r.Rows))
	for i, row := range r.Rows {
		all[i] = ratelimit.Block(row)
	}
	return all, nil
}

// Load implements store.Space. Rows that are wrong are left out: an account must not be
// free to send for another one's row.
func (s blockSpace) Load(record []byte) error {
	all, err := readBlocks(record)
	if err != nil {
		return err
	}
	taken, err := s.b.Restore(all, time.Now())
	if err != nil && taken == 0 {
		return fmt.Errorf("blocked accounts: %w", err)
	}
	return nil
}

// Len implements store.Space.
func (s blockSpace) Len() int { return s.b.Len() }

// heardBlocks are blocks as machines tell each other of them: the records that are kept.
type heardBlocks struct {
	b       *ratelimit.Blocks
	changed func(*ratelimit.Block) // is told of each that another machine has changed here
}

// blockOctets is what a row takes in a record, about.
const blockOctets = 256

// News implements shared.Source.
func (s heardBlocks) News(dst []byte, most int) []byte {
	if rows := s.b.TakeNews(max(most/blockOctets, 1)); len(rows) > 0 {
		dst = append(dst, blockText(rows)...)
	}
	return dst
}

// Hear implements shared.Source. Rows that are wrong are left out.
func (s heardBlocks) Hear(record []byte) error {
	all, err := readBlocks(record)
	if err != nil {
		return err
	}
	var wrong []error
	for _, row := range all {
		b, changed, err := s.b.Hear(row, time.Now())
		if err != nil {
			wrong = append(wrong, err)
		}
		if changed {
			s.changed(&b)
		}
	}
	return errors.Join(wrong...)
}

// Again implements shared.Teller.
func (s heardBlocks) Again() { s.b.Share() }

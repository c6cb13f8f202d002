package wiring

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"mailprofiled/ratelimit"
)

// A learningSpace lets the store keep what commands and losses have made of the time in
// which it is learnt which accounts there are.
type learningSpace struct{ a *ratelimit.Accounts }

// learningRecord is the one record.
type learningRecord struct {
	Version int       `json:"v"`
	Cut     time.Time `json:"cut,omitzero"`
	From    time.Time `json:"from,omitzero"`
	Until   time.Time `json:"until,omitzero"`
}

func learningText(l ratelimit.Learning) []byte {
	text, err := json.Marshal(learningRecord{1, l.Cut, l.From, l.Until})
	if err != nil { // a year of more than four digits: a clock that is off by millennia
		return nil
	}
	return text
}

// Changed implements store.Space.
func (s learningSpace) Changed(dst []byte) []byte {
	if l, ok := s.a.LearningChanged(time.Now()); ok {
		dst = append(dst, learningText(l)...)
	}
	return dst
}

// All implements store.Space.
func (s learningSpace) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if s.Len() > 0 {
			yield(learningText(s.a.Learning(time.Now())))
		}
	}
}

// Load implements store.Space.
func (s learningSpace) Load(record []byte) error {
	var r learningRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return fmt.Errorf("the time of learning: %w", err)
	}
	if r.Version != 1 {
		return fmt.Errorf("the time of learning: %w", ratelimit.ErrVersion)
	}
	s.a.SetLearning(ratelimit.Learning{Cut: r.Cut, From: r.From, Until: r.Until}, time.Now())
	return nil
}

// Len implements store.Space.
func (s learningSpace) Len() int {
	if s.a.Learning(time.Now()) == (ratelimit.Learning{}) {
		return 0
	}
	return 1
}

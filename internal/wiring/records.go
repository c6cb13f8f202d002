package wiring

import (
	"bytes"
	"encoding/json"
	"log/slog"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/records"
	"mailprofiled/milter"
)

// OpenRecords opens the records in a directory, "" for memory alone. The directory is the
// store's, whose lock keeps others out.
func OpenRecords(cfg *config.Config, dir string, logger *slog.Logger) *records.Log {
	return records.Open(records.Options{Dir: dir, Keep: cfg.Records.Keep, Size: cfg.Records.Bytes, Logger: logger})
}

// A Recorder puts what an engine gives into a log of records.
type Recorder struct{ Log *records.Log }

// Record takes a draft. It does not wait.
func (r Recorder) Record(d *engine.Draft) { r.Log.Put((*recorded)(d)) }

// A recorded writes a draft out, when there is time.
type recorded engine.Draft

// Record gives the draft as it is kept: the object that why prints, and its keys.
func (d *recorded) Record() (records.Record, bool) {
	rec, keys := (*engine.Draft)(d).Record(milter.Spoken)
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // "<>" is a sender
	if err := enc.Encode(rec); err != nil {
		return records.Record{}, false
	}
	out := records.Record{ID: rec.ID, When: rec.When, Body: bytes.TrimSuffix(body.Bytes(), []byte("\n"))}
	add := func(kind records.Kind, value string) {
		if value != "" {
			out.Keys = append(out.Keys, records.Key{Kind: kind, Value: value})
		}
	}
	add(records.Client, keys.Client)
	add(records.From, keys.Domain)
	add(records.Sender, keys.Sender)
	add(records.Queue, keys.Queue)
	for _, rcpt := range keys.Rcpts {
		add(records.Rcpt, rcpt)
	}
	return out, true
}

// RecordOf reads a record back.
func RecordOf(r *records.Record) (*engine.Record, error) {
	rec := new(engine.Record)
	return rec, json.Unmarshal(r.Body, rec)
}

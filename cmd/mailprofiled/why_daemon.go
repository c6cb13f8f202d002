package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/records"
	"mailprofiled/internal/wiring"
	"mailprofiled/profile"
)

// findTime bounds a search of records: a disk that hangs must not hold a question for ever.
const findTime = 30 * time.Second

// recordsDir is where records are kept: beside the state, whose lock keeps others out; "" where
// none is kept.
func (d *daemon) recordsDir() string {
	if d.state == nil {
		return ""
	}
	return d.first.State.Path
}

// closeRecords writes what has not been written yet.
func (d *daemon) closeRecords() {
	ctx, cancel := context.WithTimeout(context.Background(), closeStateTime)
	defer cancel()
	if err := d.records.Close(ctx); err != nil {
		d.logger.Error("the last records could not be written", "error", err.Error())
	}
}

// why looks for records.
func (d *daemon) why(ctx context.Context, q admin.WhyQuery) (*admin.Why, error) {
	g := d.enter()
	defer g.leave()
	query, err := keysOf(g.engine, q)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	found, err := d.records.Find(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("records cannot be looked through: %w", err)
	}
	out := &admin.Why{Visits: []*engine.Record{}, More: found.More, Notes: []string{}}
	policy := g.cfg.PolicyID()
	for i := range found.Records {
		rec, err := wiring.RecordOf(&found.Records[i])
		if err != nil {
			found.Damaged += int64(len(found.Records[i].Body))
			continue
		}
		if rec.Policy == policy {
			sourced(rec, g.cfg)
		}
		out.Visits = append(out.Visits, rec)
	}
	if found.Damaged > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d bytes of the records are damaged: what was in there is not found", found.Damaged))
	}
	if found.Err != nil {
		out.Notes = append(out.Notes, "some records could not be read: "+found.Err.Error())
	}
	if len(out.Visits) == 0 {
		out.Notes = append(out.Notes, d.whyNot(g, q.ID)...)
	}
	return out, nil
}

// sourced notes in a record which lines of the configuration decided. That is known
// while the policy of then is in force; of another one the lines are not those of now.
func sourced(rec *engine.Record, cfg *config.Config) {
	name := func(findings []engine.RecordFinding) {
		for i := range findings {
			findings[i].Where = cfg.WhereOf(findings[i].ID)
		}
	}
	name(rec.Findings)
	for i := range rec.Recipients {
		name(rec.Recipients[i].Findings)
	}
	for key, value := range map[string]float64{"verdict.tempfail_score": cfg.Policy.TempfailScore, "verdict.reject_score": cfg.Policy.RejectScore} {
		rec.Thresholds = append(rec.Thresholds, engine.RecordSetting{Key: key, Value: value, Where: cfg.WhereOfKey(key)})
	}
	slices.SortFunc(rec.Thresholds, func(a, b engine.RecordSetting) int { return cmp.Compare(b.Key, a.Key) }) // tempfail first
}

// keysOf is the query as records are found by it.
func keysOf(e *engine.Engine, q admin.WhyQuery) (records.Query, error) {
	out := records.Query{ID: q.ID, Most: q.Most}
	if out.Most <= 0 {
		out.Most = 20
	}
	group := func(kind records.Kind, values ...string) {
		keys := make([]records.Key, len(values))
		for i, v := range values {
			keys[i] = records.Key{Kind: kind, Value: v}
		}
		out.Keys = append(out.Keys, keys)
	}
	if q.Client != "" {
		addr, err := parseAddr(q.Client)
		if err != nil {
			return out, err
		}
		group(records.Client, addr.String())
	}
	switch {
	case q.From == "":
	case strings.Contains(q.From, "@"):
		group(records.Sender, e.KeysOfAddress(q.From)...)
	default:
		domain := profile.ParseSender("<x@" + q.From + ">").Domain
		if domain == "" {
			domain = strings.ToLower(q.From)
		}
		group(records.From, domain, e.KeyOfDomain(domain), strings.ToLower(q.From))
	}
	if q.Rcpt != "" {
		group(records.Rcpt, e.KeysOfAddress(q.Rcpt)...)
	}
	if q.Queue != "" {
		group(records.Queue, q.Queue)
	}
	if out.ID == "" && len(out.Keys) == 0 {
		return out, errors.New("nothing is asked for: give an id, client, from, rcpt or queue")
	}
	return out, nil
}

// whyNot says why there may be no record.
func (d *daemon) whyNot(g *generation, id string) []string {
	c, st := &g.cfg.Records, d.records.Status()
	if c.Keep == 0 {
		return []string{`nothing is recorded: records.keep is "0"`}
	}
	what := "no record of such a visit"
	if id != "" {
		what = "no record of " + id
	}
	lines := []string{what + " on this machine. It may be of another one; or its transaction is still open: the record is made at its end"}
	switch {
	case st.Oldest.IsZero():
		lines = append(lines, "there are no records at all yet")
	default:
		lines = append(lines, fmt.Sprintf("it may be too old: the oldest records are of %s, and none is kept longer than %s (records.keep), or beyond %s (records.size)",
			st.Oldest.UTC().Format("2006-01-02 15:04 UTC"), age(c.Keep), size(c.Bytes)))
	}
	switch {
	case c.Sample == 0:
		lines = append(lines, "it may have gone on plainly: of that there are no records (records.sample)")
	case c.Sample < 1:
		lines = append(lines, fmt.Sprintf("it may have gone on plainly: of that %s in 100 are recorded (records.sample)", strconv.FormatFloat(100*c.Sample, 'g', 3, 64)))
	}
	if st.Lost > 0 {
		lines = append(lines, fmt.Sprintf("it may be lost: %d were, since the daemon started", st.Lost))
	}
	if st.Err != nil {
		lines = append(lines, "records are in memory only, the newest of them: "+st.Err.Error())
	}
	return append(lines, "the log has a line msg=verdict of each answer, with its id")
}

// recordsStatus tells how records are kept.
func (d *daemon) recordsStatus(g *generation) admin.Records {
	c, st := &g.cfg.Records, d.records.Status()
	s := admin.Records{
		Path: st.Path, KeepS: c.Keep.Seconds(), Limit: c.Bytes, Sample: c.Sample, Kept: st.Kept, Remedy: st.Remedy, Since: st.Since,
		Errors: st.Errors, Records: st.Records, Lost: st.Lost, Bytes: st.Bytes, Oldest: st.Oldest,
	}
	if st.Err != nil {
		s.Error = st.Err.Error()
	}
	return s
}

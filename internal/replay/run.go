package replay

import (
	"bufio"
	"io"
	"strconv"

	"mailprofiled/internal/engine"
)

// Options say how a Run goes.
type Options struct {
	Assume bool      // a client without a confirmed name has none, or one that is unconfirmed: the lesser holds
	Ask    bool      // DNS and lists are asked for what the input does not hold
	Rows   io.Writer // one CSV row a visit; nil: none
}

// ahead is how many visits have their look-ups out at once.
const ahead = 64

// A Run replays visits. It is used by one goroutine.
type Run struct {
	Summary *Summary
	Changes *Changes // nil where nothing is compared

	o       Options
	policy  *Policy
	against *Policy // nil for none
	rows    *bufio.Writer
	pending []started
}

// A started visit has its look-ups out.
type started struct {
	visit     *Visit
	precision Precision
	replays   [2]*engine.Replay
}

// NewRun returns a Run of policy, compared with against, which may be nil.
func NewRun(o Options, policy, against *Policy) *Run {
	r := &Run{Summary: newSummary(), o: o, policy: policy, against: against}
	if o.Rows != nil {
		r.rows = bufio.NewWriterSize(o.Rows, 64<<10)
	}
	if against != nil {
		r.Changes = newChanges()
	}
	return r
}

// Header begins the rows with the input's own columns.
func (r *Run) Header(columns string) {
	if r.rows == nil {
		return
	}
	r.rows.WriteString(columns + ",action,code,status,score,findings")
	if r.against != nil {
		r.rows.WriteString(",against_action,against_code,against_status,against_score,against_findings")
	}
	r.rows.WriteByte('\n')
}

// Visit takes the next visit. The Visit is the Run's from then on.
func (r *Run) Visit(v *Visit) {
	s := started{visit: v, precision: v.Precision}
	if v.Precision != NoTime && !r.policy.Clock.inOrder(v) {
		r.Summary.Late++
		s.precision = NoTime
	}
	r.start(&s)
	r.pending = append(r.pending, s)
	if !r.o.Ask || len(r.pending) == ahead {
		r.finish()
	}
}

// start begins the visit under each policy.
func (r *Run) start(s *started) {
	s.replays[0] = r.policy.begin(s.visit, s.precision, &r.o)
	if r.against != nil {
		s.replays[1] = r.against.begin(s.visit, s.precision, &r.o)
	}
}

// finish judges the visit that has waited longest.
func (r *Run) finish() {
	s := r.pending[0]
	r.pending = append(r.pending[:0], r.pending[1:]...)
	got := r.judge(r.policy, &s, 0)
	r.Summary.add(s.visit, &got)
	var other engine.Replayed
	if r.against != nil {
		other = r.judge(r.against, &s, 1)
		r.Changes.add(s.visit, &got, &other)
	}
	if r.rows != nil {
		r.row(s.visit, &got, &other)
	}
}

func (r *Run) judge(p *Policy, s *started, i int) engine.Replayed {
	if s.visit.Precision != NoTime {
		p.Clock.to(s.visit.Time)
	}
	return s.replays[i].Judge()
}

// Close judges what is left and writes the last rows. The error is that of writing.
func (r *Run) Close() error {
	for len(r.pending) > 0 {
		r.finish()
	}
	if r.rows == nil {
		return nil
	}
	return r.rows.Flush()
}

func (r *Run) row(v *Visit, got, other *engine.Replayed) {
	b := r.rows.AvailableBuffer()
	b = append(b, v.Row...)
	b = appendVerdict(b, got)
	if r.against != nil {
		b = appendVerdict(b, other)
	}
	r.rows.Write(append(b, '\n'))
}

func appendVerdict(b []byte, r *engine.Replayed) []byte {
	v := &r.Verdict
	b = append(append(b, ','), v.Action.String()...)
	b = strconv.AppendInt(append(b, ','), int64(v.Code), 10)
	b = append(append(b, ','), v.Status...)
	b = strconv.AppendFloat(append(b, ','), v.Score, 'f', -1, 64)
	return appendField(append(b, ','), r.FindingsText())
}

package records

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// A view is what there was to look into when it was asked for.
type view struct {
	segments []segment // oldest first
	memory   [][]byte  // blocks, which are not changed any more
}

func (k *keeper) view() view {
	v := view{segments: slices.Clone(k.closed), memory: slices.Clone(k.memory)}
	if k.open != nil {
		v.segments = append(v.segments, *k.open)
	}
	return v
}

// Found is what a search has found.
type Found struct {
	Records []Record // newest first
	More    bool     // there are more than were asked for
	Damaged int64    // bytes that could not be read on the way
	Err     error    // of files that could not be read: what is in them was not looked at
}

// maxFound bounds what one search may ask for.
const maxFound = 1000

// Find looks for records. It sees all that was Put before. One search goes on at a time; it
// ends with ctx.
func (l *Log) Find(ctx context.Context, q Query) (*Found, error) {
	select {
	case l.searching <- struct{}{}:
		defer func() { <-l.searching }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v, err := l.ask(ctx)
	if err != nil {
		return nil, err
	}
	q.Most = min(max(q.Most, 1), maxFound)
	s := search{q: &q, want: q.wanted(), since: time.Now().Add(-l.bounds.Load().keep), dir: directory{l.o.Dir}}
	s.blocks(v.memory)
	for i := len(v.segments) - 1; i >= 0 && !s.done(); i-- {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.segment(ctx, &v.segments[i])
	}
	return s.found(), nil
}

// ask has what waits written, and gives what there is.
func (l *Log) ask(ctx context.Context) (view, error) {
	answer := make(chan view, 1)
	select {
	case l.asked <- answer:
	case <-l.ended:
		return view{}, errClosed
	case <-ctx.Done():
		return view{}, ctx.Err()
	}
	select {
	case v := <-answer:
		return v, nil
	case <-ctx.Done():
		return view{}, ctx.Err()
	}
}

// A search is one under way.
type search struct {
	q     *Query
	want  wanted
	since time.Time
	dir   directory

	all     []Record // newest first
	damaged int64
	errs    []error
}

// done reports whether there is one more than was asked for.
func (s *search) done() bool { return len(s.all) > s.q.Most }

func (s *search) found() *Found {
	f := &Found{Records: s.all, More: s.done(), Damaged: s.damaged, Err: errors.Join(s.errs...)}
	f.Records = f.Records[:min(len(f.Records), s.q.Most)]
	return f
}

// blocks looks into blocks in memory.
func (s *search) blocks(all [][]byte) {
	for _, b := range slices.Backward(all) {
		if s.done() {
			return
		}
		if h, ok := parseHead(b); ok && s.want.in(b[headSize:headSize+h.index]) {
			s.take(b)
		}
	}
}

// take unpacks a block, and takes what is looked for.
func (s *search) take(b []byte) {
	records, err := unpack(b)
	if err != nil {
		s.damaged += int64(len(b))
		return
	}
	for i := len(records) - 1; i >= 0 && !s.done(); i-- {
		if r := &records[i]; s.q.matches(r, s.since) {
			r.Body = bytes.Clone(r.Body) // not the whole block's
			s.all = append(s.all, *r)
		}
	}
}

// A place is where a block stands in a file.
type place struct {
	at   int64
	size int
}

// segment looks into a file: first where what is looked for may be, then there, newest
// first.
func (s *search) segment(ctx context.Context, seg *segment) {
	f, err := s.dir.open(seg)
	if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile
		return
	}
	if err != nil {
		s.errs = append(s.errs, err)
		return
	}
	defer f.Close()
	for _, p := range slices.Backward(s.places(ctx, f, seg.size)) {
		if s.done() || ctx.Err() != nil {
			return
		}
		b := make([]byte, p.size)
		if _, err := f.ReadAt(b, p.at); err != nil {
			s.errs = append(s.errs, err)
			return
		}
		s.take(b)
	}
}

// places scans a file for blocks that may have what is looked for.
func (s *search) places(ctx context.Context, f *os.File, size int64) []place {
	var all []place
	sc := newScanner(io.Reader(f), size)
	for ctx.Err() == nil {
		h, index, at, ok := sc.next()
		if !ok {
			break
		}
		if h.newest >= s.since.UnixMilli() && s.want.in(index) {
			all = append(all, place{at, h.size()})
		}
	}
	s.damaged += sc.lost
	if sc.err != nil {
		s.errs = append(s.errs, sc.err)
	}
	if sc.later {
		s.errs = append(s.errs, errors.New(f.Name()+" was written by a later version of mailprofiled"))
	}
	return all
}

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mailprofiled/internal/replay"
)

// shownJunk is how many lines that were not understood are shown.
const shownJunk = 5

// junk are lines that could not be read, and facts.
type junk struct {
	lines, facts int
	first        []*replay.Trouble // of the lines, else of the facts
	firstFacts   []*replay.Trouble
}

func (j *junk) add(t *replay.Trouble, whole bool) {
	if whole {
		j.lines++
		if len(j.first) < shownJunk {
			j.first = append(j.first, t)
		}
		return
	}
	j.facts++
	if len(j.firstFacts) < shownJunk {
		j.firstFacts = append(j.firstFacts, t)
	}
}

func (j *junk) print(w io.Writer) {
	if j.lines > 0 {
		fmt.Fprintf(w, "%s not understood and left out, the first:\n", count(j.lines, "line"))
		printTroubles(w, j.first)
	}
	if j.facts > 0 {
		fmt.Fprintf(w, "%s with a field that was not understood and is taken as not known, the first:\n", count(j.facts, "visit"))
		printTroubles(w, j.firstFacts)
	}
}

func printTroubles(w io.Writer, all []*replay.Trouble) {
	for _, t := range all {
		fmt.Fprintf(w, "  %s:%d: %s", t.File, t.Line, plain(t.What))
		if t.Text != "" {
			fmt.Fprintf(w, ": %s", plain(t.Text))
		}
		fmt.Fprintln(w)
	}
}

// A countingReader counts what was read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// A progress shows how far the run is: a bar on a terminal, elsewhere a line for
// each file.
type progress struct {
	w     io.Writer
	bar   bool
	name  string
	size  int64 // 0 where it is not known
	read  *countingReader
	shown time.Time
	drawn bool
}

// Between two looks at the clock, and between two drawings.
const (
	visitsPerLook = 512
	redrawAfter   = 200 * time.Millisecond
	barWidth      = 30
)

func (p *progress) begin(w io.Writer, name string, size int64, read *countingReader) {
	p.w, p.name, p.size, p.read = w, name, size, read
	p.bar = isTerminal(w)
}

func (p *progress) visits(n int) {
	if !p.bar || n%visitsPerLook != 0 {
		return
	}
	if now := time.Now(); now.Sub(p.shown) >= redrawAfter {
		p.shown, p.drawn = now, true
		fmt.Fprintf(p.w, "\r%s\x1b[K", p.line(n))
	}
}

// line is the bar.
func (p *progress) line(n int) string {
	name := plain(p.name)
	if p.size <= 0 {
		return fmt.Sprintf("%s  %s, %d KiB", name, count(n, "visit"), p.read.n>>10)
	}
	done := min(float64(p.read.n)/float64(p.size), 1)
	filled := int(done * barWidth)
	return fmt.Sprintf("%s  [%s%s] %3.0f %%  %s", name, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), 100*done, count(n, "visit"))
}

// end tells what was in the file.
func (p *progress) end(n int, note string) {
	p.clear()
	if note != "" {
		note = "; " + note
	}
	fmt.Fprintf(p.w, "%s: %s%s\n", plain(p.name), count(n, "visit"), note)
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

package page

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/trend"
)

// A chart is how often something was in a span, as bars that stand on each other.
type chart struct {
	Title    string
	None     string // what to say where there is nothing
	Total    uint64
	Parts    []part
	Bars     []bars // likewise: what is drawn
	Hits     []hit  // what a pointer is told, for each bucket in which something was
	Width    int    // of the picture, in its own units
	Peak     uint64 // of the fullest bucket
	Per      string // its time: "a minute"
	From, To string // times of day or days
}

// bars are those of one part.
type bars struct {
	Name string
	Path string // of SVG
}

// A hit is the place of one bucket in the picture, and what it holds in words.
type hit struct {
	X    int
	Text string
}

// actions are what verdicts are, from the bottom of a bar up.
var actions = []string{"continue", "tempfail", "reject"}

// The size of a bar, and of the picture.
const (
	barStep   = 10
	barWidth  = 8
	barHeight = 100
	minShown  = 1.5 // of what is there at all
)

// chartOf draws the verdicts.
func chartOf(s *trend.Series, now time.Time) chart {
	c := newChart(s, "no mail was judged", actions, now)
	for i := range c.Parts {
		c.Parts[i].Of = true
	}
	return c
}

// chartOfFinding draws one finding.
func chartOfFinding(s *trend.Series, id string, now time.Time) chart {
	c := newChart(s, "not found", []string{id}, now)
	for i := range c.Parts {
		c.Parts[i].Name, c.Parts[i].Label = "finding", "answers"
		c.Bars[i].Name = "finding"
	}
	return c
}

func newChart(s *trend.Series, none string, names []string, now time.Time) chart {
	n := 0
	c := chart{None: none}
	for _, name := range names {
		n = max(n, len(s.Each[name]))
		c.Total += s.Sums[name]
	}
	switch s.Span {
	case trend.Hour:
		c.Title, c.Per, c.From = "Last hour", "a minute", s.Start.Format("15:04")
	case trend.Day:
		c.Title, c.Per, c.From = "Last 24 hours", "in 15 min", s.Start.Format("Mon 15:04")
	default:
		c.Title, c.Per, c.From = "Last 7 days", "in 2 h", s.Start.Format("Mon 2 Jan")
	}
	c.To, c.Width = now.UTC().Format("15:04")+" UTC", n*barStep
	if c.Total == 0 {
		return c
	}
	heights, words := make([]uint64, n), make([]string, n)
	for _, name := range names {
		share := float64(s.Sums[name]) / float64(c.Total)
		c.Parts = append(c.Parts, part{Name: name, Label: name, Count: s.Sums[name], Share: share})
		for i, count := range s.Each[name] {
			heights[i] += uint64(count)
			c.Peak = max(c.Peak, heights[i])
			if count > 0 && len(names) > 1 {
				words[i] += ", " + name + " " + num(count)
			}
		}
	}
	for i, count := range heights {
		if count == 0 {
			continue
		}
		from := s.Start.Add(time.Duration(i) * s.Span.Width())
		c.Hits = append(c.Hits, hit{i * barStep, from.Format("Mon 15:04") + " to " + from.Add(s.Span.Width()).Format("15:04 UTC") + ": " + num(count) + words[i]})
	}
	tops := make([]float64, n)
	for i := range tops {
		tops[i] = barHeight
	}
	for _, name := range names {
		var path strings.Builder
		for i, count := range s.Each[name] {
			if count == 0 {
				continue
			}
			h := max(minShown, barHeight*float64(count)/float64(c.Peak))
			top := max(0, tops[i]-h)
			fmt.Fprintf(&path, "M%d %.1fh%dV%.1fh-%dz", i*barStep+1, tops[i], barWidth, top, barWidth)
			tops[i] = top
		}
		c.Bars = append(c.Bars, bars{name, path.String()})
	}
	return c
}

// Label says the chart in words.
func (c chart) Label() string {
	text := c.Title + ": " + num(c.Total)
	for _, p := range c.Parts {
		text += ", " + p.Label + " " + num(p.Count)
	}
	return text + "; at most " + num(c.Peak) + " " + c.Per
}

// A findingPage is one finding over time.
type findingPage struct {
	Host  string
	Every int
	Guard bool

	ID     string
	Found  bool // within a week
	Charts []chart
}

// maxFindingID is more than the id of any finding has, in bytes.
const maxFindingID = 200

// finding shows one over time.
func (p *Page) finding(w http.ResponseWriter, r *http.Request) {
	page := findingPage{Host: p.Host, Guard: p.Access().Token != "", ID: r.URL.Query().Get("id")}
	if page.ID == "" || len(page.ID) > maxFindingID || slices.Contains(actions, page.ID) {
		plain(w, http.StatusNotFound, "no such finding: see the list at /")
		return
	}
	for _, span := range trend.Spans() {
		c := chartOfFinding(p.Source.Trend(span), page.ID, p.Now())
		page.Charts, page.Found = append(page.Charts, c), page.Found || c.Total > 0
	}
	p.write(w, http.StatusOK, "finding.html", &page)
}

// A findingRow is how often something was found, and when.
type findingRow struct {
	Name            string
	Hour, Day, Week uint64
	Spark           string // of SVG: the last day
}

// sparkHeight and sparkWidth are of its picture.
const (
	sparkHeight = 20
	sparkWidth  = 96 // buckets of a day
)

// findingRows are those that were found most in the last day, else in the week, and how many
// there are besides.
func findingRows(hour, day, week *trend.Series) (rows []findingRow, others int) {
	ids := slices.DeleteFunc(slices.Collect(maps.Keys(week.Sums)), func(id string) bool { return slices.Contains(actions, id) })
	for id := range day.Sums { // the first bucket of a week may begin later than that of a day
		if !slices.Contains(actions, id) && week.Sums[id] == 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(day.Sums[b], day.Sums[a]), cmp.Compare(week.Sums[b], week.Sums[a]), cmp.Compare(a, b))
	})
	for _, id := range ids[:min(len(ids), maxFindings)] {
		rows = append(rows, findingRow{id, hour.Sums[id], day.Sums[id], week.Sums[id], spark(day.Each[id])})
	}
	return rows, len(ids) - len(rows)
}

// spark draws one line, filled to its ground.
func spark(each []uint32) string {
	peak := slices.Max(append([]uint32{0}, each...))
	if peak == 0 {
		return ""
	}
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %d", sparkHeight)
	for _, n := range each {
		fmt.Fprintf(&path, "V%.1fh1", sparkHeight*(1-float64(n)/float64(peak)))
	}
	fmt.Fprintf(&path, "V%dz", sparkHeight)
	return path.String()
}

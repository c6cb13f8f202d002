package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/trend"
)

// A chart is the verdicts of a span, as bars that stand on each other.
type chart struct {
	Title    string
	Total    uint64
	Parts    []part // by action
	Bars     []bars // likewise: what is drawn
	Width    int    // of the picture, in its own units
	Peak     uint64 // verdicts in the fullest bucket
	Per      string // its time: "minute"
	From, To string // times of day or days
}

// bars are those of one action.
type bars struct {
	Name string
	Path string // of SVG
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

func chartOf(s *trend.Series, now time.Time) chart {
	n := 0
	c := chart{}
	for _, action := range actions {
		n = max(n, len(s.Each[action]))
		c.Total += s.Sums[action]
	}
	switch s.Span {
	case trend.Hour:
		c.Title, c.Per, c.From = "Last hour", "a minute", s.Start.Format("15:04")
	case trend.Day:
		c.Title, c.Per, c.From = "Last 24 hours", "in 15 minutes", s.Start.Format("Mon 15:04")
	default:
		c.Title, c.Per, c.From = "Last 7 days", "in 2 hours", s.Start.Format("Mon 2 Jan")
	}
	c.To, c.Width = now.UTC().Format("15:04")+" UTC", n*barStep
	if c.Total == 0 {
		return c
	}
	heights := make([]uint64, n)
	for _, action := range actions {
		share := float64(s.Sums[action]) / float64(c.Total)
		c.Parts = append(c.Parts, part{Name: action, Count: s.Sums[action], Share: share})
		for i, count := range s.Each[action] {
			heights[i] += uint64(count)
			c.Peak = max(c.Peak, heights[i])
		}
	}
	tops := make([]float64, n)
	for i := range tops {
		tops[i] = barHeight
	}
	for _, action := range actions {
		var path strings.Builder
		for i, count := range s.Each[action] {
			if count == 0 {
				continue
			}
			h := max(minShown, barHeight*float64(count)/float64(c.Peak))
			top := max(0, tops[i]-h)
			fmt.Fprintf(&path, "M%d %.1fh%dV%.1fh-%dz", i*barStep+1, tops[i], barWidth, top, barWidth)
			tops[i] = top
		}
		c.Bars = append(c.Bars, bars{action, path.String()})
	}
	return c
}

// Label says the chart in words.
func (c chart) Label() string {
	text := c.Title + ": " + num(c.Total) + " verdicts"
	for _, p := range c.Parts {
		text += ", " + p.Name + " " + num(p.Count)
	}
	return text + "; at most " + num(c.Peak) + " " + c.Per
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

package replay

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/compare"
	"mailprofiled/profile"
)

// shownSenders is how many senders a table shows.
const shownSenders = 20

// Print writes the summary for people.
func (s *Summary) Print(w io.Writer, p *Policy) {
	fmt.Fprintf(w, "%s%s, policy %s, mode %s\n", count(s.Visits, "visit"), s.span(), p.ID, p.Mode)
	if s.Visits == 0 {
		return
	}
	labels := sortedLabels(s.Labels)
	fmt.Fprintln(w)
	s.printActions(w, labels)
	fmt.Fprintln(w)
	s.printFindings(w, labels)
	s.printSenders(w)
}

// span is the time that the visits span, in words.
func (s *Summary) span() string {
	if s.First.IsZero() {
		return ""
	}
	first, last := s.First.Format(time.DateOnly), s.Last.Format(time.DateOnly)
	if first == last {
		return " of " + first
	}
	return " from " + first + " to " + last
}

// sortedLabels are the labels in order; only "" where there is none.
func sortedLabels[T any](by map[string]T) []string { return slices.Sorted(maps.Keys(by)) }

func (s *Summary) printActions(w io.Writer, labels []string) {
	tw := table(w)
	header(tw, "ACTION", labels)
	var all Tally
	for _, t := range s.Labels {
		for a, n := range t {
			all[a] += n
		}
	}
	for a := range all {
		row := []string{profile.Action(a).String(), share(all[a], s.Visits)}
		for _, label := range apart(labels) {
			t := s.Labels[label]
			row = append(row, share(t[a], t.All()))
		}
		cells(tw, row)
	}
	tw.Flush()
}

func (s *Summary) printFindings(w io.Writer, labels []string) {
	type line struct {
		id  string
		all int
	}
	var found []line
	for id, by := range s.Findings {
		l := line{id: id}
		for _, n := range by {
			l.all += n
		}
		found = append(found, l)
	}
	if len(found) == 0 {
		fmt.Fprintln(w, "no findings")
		return
	}
	slices.SortFunc(found, func(a, b line) int { return cmp.Or(cmp.Compare(b.all, a.all), cmp.Compare(a.id, b.id)) })
	tw := table(w)
	header(tw, "FINDING", labels)
	for _, l := range found {
		row := []string{l.id, share(l.all, s.Visits)}
		for _, label := range apart(labels) {
			row = append(row, share(s.Findings[l.id][label], s.Labels[label].All()))
		}
		cells(tw, row)
	}
	tw.Flush()
}

func (s *Summary) printSenders(w io.Writer) {
	senders := s.Concerned(shownSenders)
	if len(senders) == 0 {
		return
	}
	fmt.Fprintln(w)
	tw := table(w)
	cells(tw, []string{"MOST CONCERNED", "VISITS", "TEMPFAIL", "REJECT", "BY", "FOR INSTANCE"})
	for _, x := range senders {
		cells(tw, []string{
			plain(x.Name), strconv.Itoa(x.Answers.All()), strconv.Itoa(x.Answers[profile.TempFail]), strconv.Itoa(x.Answers[profile.Reject]),
			most(x.Findings, 3), exampleText(&x.Example),
		})
	}
	tw.Flush()
	if s.Unlisted > 0 {
		fmt.Fprintf(w, "%s of more senders than are counted apart\n", count(s.Unlisted, "visit"))
	}
}

// exampleText is the client, and what it goes by.
func exampleText(e *Example) string {
	text := e.Client.String()
	if e.PTR != "" {
		text += " " + plain(e.PTR)
	}
	if e.Helo != "" && !strings.EqualFold(e.Helo, e.PTR) {
		text += " HELO " + plain(e.Helo)
	}
	return text
}

// Print writes what the other policy would change, for people.
func (c *Changes) Print(w io.Writer, visits int, from, to *Policy) {
	fmt.Fprintf(w, "\nby %s (%s) instead of %s (%s): %s of %d answered differently\n",
		to.File, to.ID, from.File, from.ID, count(c.Visits, "visit"), visits)
	if c.Visits == 0 {
		return
	}
	labels := sortedLabels(c.Labels)
	fmt.Fprintln(w)
	tw := table(w)
	header(tw, "CHANGE", labels)
	for from := range profile.Action(compare.Actions) {
		for to := range profile.Action(compare.Actions) {
			c.printMove(tw, Move{From: from, To: to}, labels)
		}
	}
	tw.Flush()
	fmt.Fprintln(w)
	tw = table(w)
	cells(tw, []string{"MOST CHANGED", "VISITS", "CHANGES", "BY", "FOR INSTANCE"})
	for _, s := range c.Largest(shownSenders) {
		moves := map[string]int{}
		for m, n := range s.Moves {
			moves[m.String()] = n
		}
		cells(tw, []string{plain(s.Name), strconv.Itoa(s.Visits), most(moves, 4), most(s.Why, 3), exampleText(&s.Example)})
	}
	tw.Flush()
	if c.Unlisted > 0 {
		fmt.Fprintf(w, "%s of more senders than are counted apart\n", count(c.Unlisted, "visit"))
	}
}

func (c *Changes) printMove(w io.Writer, m Move, labels []string) {
	all := 0
	for _, by := range c.Labels {
		all += by[m]
	}
	if all == 0 {
		return
	}
	row := []string{m.String(), strconv.Itoa(all)}
	for _, label := range apart(labels) {
		row = append(row, strconv.Itoa(c.Labels[label][m]))
	}
	cells(w, row)
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

// apart are the labels that have a column of their own: none where no visit has one.
func apart(labels []string) []string {
	if len(labels) == 1 && labels[0] == "" {
		return nil
	}
	return labels
}

func header(w io.Writer, first string, labels []string) {
	row := []string{first, "ALL"}
	for _, label := range apart(labels) {
		row = append(row, plain(cmp.Or(label, "(none)")))
	}
	cells(w, row)
}

func cells(w io.Writer, row []string) { fmt.Fprintln(w, strings.Join(row, "\t")) }

// share is a number and what part of the whole it is.
func share(n, of int) string {
	if n == 0 || of == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.1f %%)", n, 100*float64(n)/float64(of))
}

// most names the n most frequent, and how often.
func most(by map[string]int, n int) string {
	var parts []string
	for _, c := range compare.Most(by, n) {
		parts = append(parts, fmt.Sprintf("%s %d", c.Name, c.Times))
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// maxShown is how much of a stranger's text a table shows.
const maxShown = 80

// plain quotes text that would not show as it is on a terminal, and cuts what is
// long.
func plain(s string) string {
	if len(s) > maxShown {
		s = s[:maxShown-3] + "..."
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/candidate"
	"mailprofiled/internal/compare"
	"mailprofiled/internal/config"
	"mailprofiled/internal/local"
	"mailprofiled/internal/wiring"
)

// A tried is the configuration that is tried beside the one that speaks. It is not
// changed once made, but for what its files hold.
type tried struct {
	path     string
	cfg      *config.Config // nil where it cannot be used
	local    *local.Set
	mistakes []string // then
}

// loadCandidate loads the candidate of cfg; nil where there is none. One that cannot be
// used is no reason not to start, or not to take over what speaks.
func loadCandidate(cfg *config.Config, own rules) (*tried, []config.Problem) {
	if cfg.Candidate == "" {
		return nil, nil
	}
	t := &tried{path: cfg.Candidate}
	var problems []config.Problem
	t.cfg, t.local, problems = wiring.LoadCandidate(cfg, own.local)
	if t.cfg == nil {
		t.mistakes, _ = apart(problems, nil)
	}
	return t, problems
}

// with is the candidate after its files have changed.
func (t *tried) with() *tried {
	if t == nil || t.local == nil {
		return t
	}
	next := *t
	next.cfg = t.cfg.WithLists(t.local.Digest())
	return &next
}

// refresh takes in files of its rules that changed, and reports whether any has.
func (t *tried) refresh(d *daemon, now time.Time) bool {
	if t == nil || t.local == nil {
		return false
	}
	changes, problems := t.local.Refresh(now)
	if len(problems) > 0 {
		d.logCandidate(wiring.AsConfig(problems))
	}
	for _, c := range changes {
		d.logger.Info("list of the candidate taken in", "file", c.File, "entries", c.Entries, "before", c.Before)
	}
	return len(changes) > 0
}

// logCandidate logs what is wrong with a candidate.
func (d *daemon) logCandidate(problems []config.Problem) {
	for _, p := range problems {
		if p.Warning {
			d.logger.Warn("odd in the candidate", "problem", p.String())
		} else {
			d.logger.Error("mistake in the candidate", "problem", p.String())
		}
	}
}

// beside gives the policy of g's candidate; nil where none is tried.
func (g *generation) beside(parts wiring.Parts) *candidate.Policy {
	t := g.tried
	if t == nil || t.cfg == nil {
		return nil
	}
	return &candidate.Policy{
		Engine: wiring.NewCandidate(g.cfg, t.cfg, t.local, parts),
		File:   t.path, ID: t.cfg.PolicyID(), Speaker: g.cfg.PolicyID(),
	}
}

// differs is told of each answer that a candidate would have given otherwise.
func (d *daemon) differs(diff *candidate.Difference) { d.lines.Note(diff, time.Now()) }

// candidateSenders is how many of those concerned a status has.
const candidateSenders = 20

// candidateStatus tells where the candidate answers otherwise; nil where there is none.
func (d *daemon) candidateStatus(g *generation) *admin.Candidate {
	t := g.tried
	if t == nil {
		return nil
	}
	f := d.trial.Figures(candidateSenders)
	s := &admin.Candidate{
		Path: t.path, Mistakes: append([]string{}, t.mistakes...), Answers: []admin.CandidateAnswer{}, Senders: []admin.CandidateSender{},
		Skipped: f.Skipped, Panics: f.Panics,
	}
	if t.cfg == nil {
		return s
	}
	s.Policy, s.Since, s.Judged, s.Differ, s.Unlisted = t.cfg.PolicyID(), f.Since, f.Answers, f.Differ, f.Unlisted
	for move, n := range f.Moves {
		s.Answers = append(s.Answers, admin.CandidateAnswer{Action: move.From.String(), Candidate: move.To.String(), Count: n})
	}
	slices.SortFunc(s.Answers, func(a, b admin.CandidateAnswer) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Candidate, b.Candidate))
	})
	for i := range f.Senders {
		s.Senders = append(s.Senders, candidateSender(&f.Senders[i]))
	}
	return s
}

func candidateSender(x *compare.Sender) admin.CandidateSender {
	moves := map[string]int{}
	for m, n := range x.Moves {
		moves[m.String()] = n
	}
	s := admin.CandidateSender{Name: x.Name, Answers: x.Visits, PTR: x.Example.PTR, Helo: x.Example.Helo}
	if x.Example.Client.IsValid() {
		s.Client = x.Example.Client.String()
	}
	s.Changes = counts(compare.Most(moves, len(moves)))
	s.Why = counts(compare.Most(x.Why, mostShown))
	return s
}

func counts(all []compare.Count) []admin.Count {
	out := make([]admin.Count, len(all))
	for i, c := range all {
		out[i] = admin.Count(c)
	}
	return out
}

// candidateRows are the lines of a status about it.
func candidateRows(s *admin.Status) []string {
	c := s.Candidate
	switch {
	case c == nil:
		return nil
	case c.Policy == "":
		return []string{fmt.Sprintf("%s: not tried, %s", plain(c.Path), count(len(c.Mistakes), "mistake"))}
	}
	rows := []string{fmt.Sprintf("%s, policy %s, tried for %s", plain(c.Path), c.Policy, age(s.Now.Sub(c.Since)))}
	if c.Judged == 0 {
		return append(rows, "nothing was judged yet")
	}
	rows = append(rows, fmt.Sprintf("%s judged, %s would differ", count(int(c.Judged), "answer"), share(c.Differ, c.Judged)))
	var moves []string
	for _, a := range c.Answers {
		if a.Action != a.Candidate && a.Count > 0 {
			moves = append(moves, fmt.Sprintf("%s -> %s %d", a.Action, a.Candidate, a.Count))
		}
	}
	if len(moves) > 0 {
		rows = append(rows, strings.Join(moves, ", "))
	}
	if c.Skipped > 0 {
		rows = append(rows, fmt.Sprintf("%s not judged, there was no time", count(int(c.Skipped), "transaction")))
	}
	return rows
}

// candidateAttention tells what is wrong with it.
func candidateAttention(s *admin.Status) []string {
	c := s.Candidate
	if c == nil {
		return nil
	}
	var all []string
	if n := len(c.Mistakes); n > 0 {
		all = append(all, fmt.Sprintf("the candidate has %s and is not tried. Mend it, then: mailprofiled reload", count(n, "mistake")))
		for _, text := range c.Mistakes[:min(n, mostShown)] {
			all = append(all, "  "+plain(text))
		}
	}
	if c.Panics > 0 {
		all = append(all, fmt.Sprintf("%d panics of ours where the candidate was judged, without harm to mail: please report them, with the log", c.Panics))
	}
	return all
}

// printCandidate prints whom the candidate would answer otherwise.
func printCandidate(s *admin.Status, w io.Writer) {
	c := s.Candidate
	if c == nil || len(c.Senders) == 0 {
		return
	}
	fmt.Fprintln(w, "\nthe candidate would answer otherwise:")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "  SENDER\tANSWERS\tCHANGES\tBY\tFOR INSTANCE")
	for _, x := range c.Senders {
		example := x.Client
		if x.PTR != "" {
			example += " " + plain(x.PTR)
		}
		if x.Helo != "" && !strings.EqualFold(x.Helo, x.PTR) {
			example += " HELO " + plain(x.Helo)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", plain(x.Name), strconv.Itoa(x.Answers), countsText(x.Changes, 4), countsText(x.Why, 3), example)
	}
	tw.Flush()
	if c.Unlisted > 0 {
		fmt.Fprintf(w, "  %s of more senders than are counted apart\n", count(c.Unlisted, "answer"))
	}
}

func countsText(all []admin.Count, n int) string {
	var parts []string
	for _, c := range all[:min(n, len(all))] {
		parts = append(parts, fmt.Sprintf("%s %d", c.Name, c.Times))
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

// candidateTexts are the problems of a candidate as a reload tells them: none of them
// keeps the configuration that speaks from being taken over.
func candidateTexts(problems []config.Problem) []string {
	all := texts(problems)
	for i, p := range problems {
		if !p.Warning {
			all[i] = "the candidate is not tried: " + all[i]
		}
	}
	return all
}

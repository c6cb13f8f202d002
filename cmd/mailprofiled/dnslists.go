package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/wiring"
)

const listsHelp = `
Tells how each DNS list in use is, and what it does here: its state, why and since
when; the questions asked of it, the share that it lists, the visits that it alone
lists; how long it takes to answer; and how many verdicts would have been milder
without it (HARSHER), or harsher (SOFTER). Only a list in state "up" counts. Figures are since the daemon began
to use the list; visits answered from the cache are among them.

With --overlap it tells for each list which others hit the same visits.

With --catalogue it asks no daemon, and tells which lists can be named in lists.use: how
they are, what they take to be answered, and whether to use them. With an ID it tells
all of one: its zone, its terms, what each of its answers means and weighs.`

func runLists(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("lists [--catalogue [ID]]", listsHelp)
	overlap := c.fs.Bool("overlap", false, "print for each list the others that hit the same visits")
	known := c.fs.Bool("catalogue", false, "tell of the lists that can be named, or all of one")
	id, err := wordsAmong(c.fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.fs.SetOutput(stdout)
		c.fs.Usage()
		return exitFine
	case err == nil && id != "" && !*known:
		err = fmt.Errorf("there is no %q", id)
	}
	if err != nil {
		fmt.Fprintf(stderr, "mailprofiled lists: %v; try \"mailprofiled lists --help\"\n", err)
		return exitMisuse
	}
	if *known {
		return catalogue(id, *c.json, stdout, stderr)
	}
	return c.talk(stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		s, err := daemon.Status(ctx)
		if err != nil {
			return exitFailed, err
		}
		switch {
		case *c.json:
			return printJSON(s.Lists, stdout, stderr), nil
		case len(s.Lists) == 0:
			fmt.Fprintln(stdout, "no DNS list is in use: name some in lists.use")
		case *overlap:
			printOverlap(s.Lists, stdout)
		default:
			printLists(s.Lists, s.Now, stdout)
			printOutage(s, stdout)
		}
		return exitFine, nil
	})
}

func printLists(lists []admin.DNSList, now time.Time, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "LIST\tSTATE\tSINCE\tASKED\tUNKNOWN\tLISTED\tVISITS\tALONE\tHARSHER\tSOFTER\tP50\tP99")
	for _, l := range lists {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%.1f %%\t%d\t%d\t%d\t%d\t%.1f ms\t%.1f ms\n", l.List, l.State, since(l.Since, now),
			l.Asked, l.Unknown, 100*l.Share, l.Visits, l.Alone, l.Harsher, l.Softer, l.P50MS, l.P99MS)
	}
	tw.Flush()
	for _, l := range lists {
		if l.Undeclared > 0 {
			fmt.Fprintf(w, "%s: answers that no code of it declares: %d, the last %s; they weigh nothing\n", l.List, l.Undeclared, l.UndeclaredAnswer)
		}
		if l.Reason == "" || l.State == dnsbl.Up.String() {
			continue
		}
		fmt.Fprintf(w, "%s: %s: %s", l.List, l.State, l.Reason)
		if l.Remedy != "" {
			fmt.Fprintf(w, "; %s", l.Remedy)
		}
		if l.Missed.After(now) {
			fmt.Fprintf(w, "; for another %s nothing is refused that it could have lifted", age(l.Missed.Sub(now)))
		}
		fmt.Fprintln(w)
	}
}

// printOutage says that the lists are not to blame.
func printOutage(s *admin.Status, w io.Writer) {
	if o := s.Outage; o != nil {
		fmt.Fprintf(w, "%s, for %s; %s\n", o.Reason, since(o.Since, s.Now), o.Remedy)
	}
}

func printOverlap(lists []admin.DNSList, w io.Writer) {
	for _, l := range lists {
		fmt.Fprintf(w, "%s: %s, %d alone\n", l.List, count(int(l.Visits), "visit"), l.Alone)
		for _, o := range l.Overlap {
			fmt.Fprintf(w, "  %s %d (%.0f %%)\n", o.List, o.Visits, 100*float64(o.Visits)/float64(max(l.Visits, 1)))
		}
	}
}

func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return age(now.Sub(t))
}

// dnsListStatus tells how the DNS lists in use are.
func dnsListStatus(health *dnsbl.Health) []admin.DNSList {
	all := []admin.DNSList{}
	for _, s := range health.Snapshot() {
		l := admin.DNSList{
			List: s.List, State: s.Condition.String(), Reason: s.Reason, Remedy: s.Remedy,
			Since: s.Since, Tested: s.Tested, NextTest: s.NextTest, Missed: s.Missed,
			Asked: s.Asked, Hits: s.Hits, Unknown: s.Unknown, Share: s.Share(), P50MS: inMS(s.P50), P99MS: inMS(s.P99),
			Visits: s.Visits, Alone: s.Alone, Harsher: s.Harsher, Softer: s.Softer, Overlap: []admin.DNSListOverlap{}, Undeclared: s.Undeclared,
		}
		if s.Strange.IsValid() {
			l.UndeclaredAnswer = s.Strange.String()
		}
		for _, o := range s.Overlap {
			l.Overlap = append(l.Overlap, admin.DNSListOverlap(o))
		}
		all = append(all, l)
	}
	return all
}

func inMS(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// firstTests is how long a start waits for the first tests of DNS lists. MTAs that
// connect meanwhile wait in the queues of the sockets, which are open.
const firstTests = 3 * time.Second

// awaitLists waits until the DNS lists are tested, so that the first visits are not
// judged without them, but not for long: mail does not wait for a dead resolver.
func (d *daemon) awaitLists(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstTests)
	defer cancel()
	if without := d.health.Tested(ctx); len(without) > 0 {
		d.logger.Warn("serving before all DNS lists are tested", "lists", strings.Join(without, ","), "after", firstTests)
	}
}

// listTestTime bounds the tests of lists for a command that has no daemon to ask.
const listTestTime = 15 * time.Second

// testedLists makes the lists of the configuration and tests each once; nil where
// none is in use. The caller closes the Set before r.
func testedLists(cfg *config.Config, r *resolver.Resolver) (*dnsbl.Set, *dnsbl.Health) {
	health := dnsbl.NewHealth(dnsbl.HealthOptions{})
	set := wiring.NewLists(cfg, r, health, nil)
	if set == nil {
		return nil, nil
	}
	wiring.WatchLists(cfg, r, health)
	ctx, cancel := context.WithTimeout(context.Background(), listTestTime)
	defer cancel()
	health.Test(ctx)
	return set, health
}

// standing says in one line which lists do not count, and why.
func standing(all []dnsbl.Standing) string {
	var away []string
	for _, s := range all {
		if !s.Counts {
			why := s.Condition.String() + ": " + s.Reason
			if s.Condition == dnsbl.Untested {
				why = "no usable answer"
			}
			away = append(away, fmt.Sprintf("%s (%s)", s.List, why))
		}
	}
	if len(away) == 0 {
		return fmt.Sprintf("%s tested, all count", count(len(all), "DNS list"))
	}
	return fmt.Sprintf("%s tested, these do not count: %s", count(len(all), "DNS list"), strings.Join(away, ", "))
}

// probeLists tests the lists, and gives what is wrong as "file:line: what; remedy".
func probeLists(cfg *config.Config) []string {
	servers, err := wiring.DNSServers(cfg)
	if err != nil || len(cfg.Lists.All) == 0 {
		return nil // probeDNS tells of the servers
	}
	r := wiring.NewResolver(servers, cfg.DNS.CacheBytes, nil)
	defer r.Close()
	set, health := testedLists(cfg, r)
	defer set.Close()
	var problems []string
	for _, s := range health.Snapshot() {
		if !s.Counts {
			at := listOrigin(cfg, s.List)
			problems = append(problems, fmt.Sprintf("%s:%d: DNS list %s", at.File, at.Line, trouble(&s)))
		}
	}
	return problems
}

// trouble says what is wrong with a list that was tested once, and the remedy.
func trouble(s *dnsbl.Standing) string {
	if s.Condition == dnsbl.Untested {
		return fmt.Sprintf("%s gave no usable answer to its test; try again: as long as this is so it is not asked", s.List)
	}
	remedy := s.Remedy
	if remedy == "" {
		remedy = "as long as this is so it is not asked"
	}
	return fmt.Sprintf("%s is %s: %s; %s", s.List, s.Condition, s.Reason, remedy)
}

// listOrigin is where a list came to be used.
func listOrigin(cfg *config.Config, id string) config.Origin {
	if at, ok := cfg.Lists.OwnAt(id); ok {
		return at
	}
	if at, ok := cfg.Origin("lists.use"); ok {
		return at
	}
	return config.Origin{File: cfg.Path, Line: 1}
}

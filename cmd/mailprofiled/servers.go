package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/memory"
)

// serversVerbs are the words after "mailprofiled servers".
func serversVerbs() []accountsVerb {
	return []accountsVerb{
		{"show", "IP|NAME", "what is remembered of a server, or of an operator", runServersShow},
		{"top", "", "those with the most of something", runServersTop},
		{"forget", "IP|NAME", "forget it, and that it came back", runServersForget},
		{"report", "IP|ID spam|ham", "tell what it sent; - reads such lines", runServersReport},
	}
}

func runServers(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		serversUsage(stderr)
		return exitMisuse
	}
	switch args[0] {
	case "--help", "-h", "-help", "help":
		serversUsage(stdout)
		return exitFine
	}
	for _, v := range serversVerbs() {
		if v.name == args[0] {
			return v.run(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "mailprofiled servers: there is no %q; try \"mailprofiled servers --help\"\n", args[0])
	return exitMisuse
}

func serversUsage(w io.Writer) {
	fmt.Fprint(w, "usage: mailprofiled servers WORD [IP|NAME] [flags]\n\n"+
		"Looks at what the running daemon remembers of servers, and changes it. NAME is the\ndomain of an operator; ID the id of a transaction, as log and replies have it.\n\nwords:\n")
	for _, v := range serversVerbs() {
		fmt.Fprintf(w, "  %-27s %s\n", strings.TrimSpace(v.name+" "+v.args), v.does)
	}
	fmt.Fprint(w, "\nEach takes --config FILE and --json. \"mailprofiled servers WORD --help\" tells the flags of one.\n")
}

func needServer(name string) error {
	if name == "" {
		return errNoServer
	}
	return nil
}

func runServersShow(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("servers show IP|NAME", "\nTells what is remembered of a server and its network, by its address, or of an operator,\nby its domain. Numbers halve with each memory.half_life.")
	return c.runNamed(args, false, needServer, stdout, stderr, func(ctx context.Context, daemon *admin.Client, name string) (int, error) {
		s, err := daemon.Server(ctx, name)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(s, stdout, stderr), nil
		}
		printServer(s, stdout)
		return exitFine, nil
	})
}

func runServersTop(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("servers top", "\nLists the servers with the most of something.")
	by := c.fs.String("by", "visits", "rank by `WORD`: "+strings.Join(memory.Rankings(), ", "))
	kind := c.fs.String("kind", "address", "rank `KIND`: address, network or operator")
	n := c.fs.Int("n", 20, "how `MANY` to show, at most 1000")
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		top, err := daemon.TopServers(ctx, *kind, *by, *n)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(top, stdout, stderr), nil
		case len(top) == 0:
			fmt.Fprintf(stdout, "none has any %s\n", *by)
			return exitFine, nil
		}
		printCounts(top, *by, time.Now(), picturesFor(stdout, os.Getenv), stdout)
		return exitFine, nil
	})
}

func runServersForget(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("servers forget IP|NAME", "\nForgets what is remembered of a server or an operator, and that it came back. Of an\naddress that its whole /24 came back is forgotten too, where that was known by it.")
	return c.runNamed(args, false, needServer, stdout, stderr, func(ctx context.Context, daemon *admin.Client, name string) (int, error) {
		f, err := daemon.ForgetServer(ctx, name)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(f, stdout, stderr), nil
		case f.Forgotten == 0:
			fmt.Fprintf(stdout, "nothing was remembered of %s\n", plain(name))
			return exitFine, nil
		}
		fmt.Fprintf(stdout, "%s is forgotten\n", plain(name))
		return exitFine, nil
	})
}

func runServersReport(args []string, stdout, stderr io.Writer) int {
	return reportServers(args, os.Stdin, stdout, stderr)
}

// reportServers sends one report, or with - those of in, a line each.
func reportServers(args []string, in io.Reader, stdout, stderr io.Writer) int {
	c := newControlCommand("servers report IP|ID spam|ham", "\nTells that mail was spam, or ham: by the IP address of a server, or by the id of a\ntransaction, then for its operator too. With - lines \"IP|ID spam|ham\" are read.")
	words, flags := splitWords(args)
	if len(words) == 2 {
		in, words = strings.NewReader(strings.Join(words, " ")+"\n"), []string{"-"}
	}
	if len(words) == 1 && words[0] != "-" || len(words) > 1 || len(words) == 0 && !wantsHelp(flags) {
		fmt.Fprintln(stderr, "mailprofiled servers report: give IP or ID, and spam or ham; or - to read such lines")
		return exitMisuse
	}
	return c.run(flags, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		lines, err := io.ReadAll(in)
		if err != nil {
			return exitFailed, err
		}
		out, err := daemon.Report(ctx, string(lines))
		if err != nil {
			return exitFailed, err
		}
		code := exitFine
		if len(out.Unknown) > 0 {
			code = exitFailed
		}
		if *c.json {
			return max(code, printJSON(out, stdout, stderr)), nil
		}
		for _, text := range out.Unknown {
			fmt.Fprintf(stderr, "mailprofiled servers report: %s\n", plain(text))
		}
		if out.More > 0 {
			fmt.Fprintf(stderr, "mailprofiled servers report: %d more\n", out.More)
		}
		fmt.Fprintf(stdout, "%s taken\n", count(out.Taken, "report"))
		if out.Taken == 0 && code == exitFailed {
			return code, errors.New("no report was taken")
		}
		return code, nil
	})
}

// splitWords parts what is no flag, nor the value of one, from the flags. The flags of
// report take no value but --config.
func splitWords(args []string) (words, flags []string) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--config" || a == "-config":
			flags = append(flags, args[i:min(i+2, len(args))]...)
			i++
		case strings.HasPrefix(a, "-") && a != "-":
			flags = append(flags, a)
		default:
			words = append(words, a)
		}
	}
	return words, flags
}

func wantsHelp(flags []string) bool {
	for _, f := range flags {
		if f == "--help" || f == "-h" || f == "-help" {
			return true
		}
	}
	return false
}

// printServer prints what is remembered, for people.
func printServer(s *admin.Server, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	history := s.History
	if s.Why != "" {
		history += ": " + plain(s.Why)
	}
	fmt.Fprintf(tw, "server\t%s\n", plain(s.Asked))
	if history != "" {
		fmt.Fprintf(tw, "history\t%s\n", history)
	}
	if s.Passes.After(s.Now) {
		fmt.Fprintf(tw, "passes\tuntil %s: it came back honestly\n", s.Passes.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if len(s.Counts) == 0 {
		fmt.Fprintln(tw, "seen\tnever, or long ago")
		return
	}
	for i := range s.Counts {
		printCount(&s.Counts[i], s.Now, tw)
	}
}

// printCount prints the counts of one name.
func printCount(c *admin.ServerCounts, now time.Time, w io.Writer) {
	fmt.Fprintf(w, "\n%s\t%s\n", c.Kind, plain(c.Server))
	fmt.Fprintf(w, "seen\tfirst %s, last %s ago; %s on %s\n", c.First.UTC().Format(time.DateOnly), age(now.Sub(c.Last)), faded(c.Visits, "visit"), faded(c.DaysSeen, "day"))
	fmt.Fprintf(w, "recipients\t%.4g taken on %s, %.4g refused, %.4g unknown, %s\n", c.Taken, faded(c.DaysTaken, "day"), c.Refused, c.Unknown, faded(c.Traps, "trap"))
	fmt.Fprintf(w, "retries\t%s asked to come back, %s it did\n", faded(c.Deferred, "time"), faded(c.Returned, "time"))
	fmt.Fprintf(w, "DNS lists\t%s listed, on %s\n", faded(c.Listed, "visit"), faded(c.DaysListed, "day"))
	fmt.Fprintf(w, "reports\t%.4g of spam, %.4g of ham\n", c.Spam, c.Ham)
	fmt.Fprintf(w, "names\ttoday and yesterday at least %s that %s not lead to it, %s\n", count(c.Helos, "HELO domain"), doOrDoes(c.Helos), count(c.Senders, "sender domain"))
}

// faded writes a count that fades with time, and what it counts.
func faded(n float64, thing string) string {
	text := fmt.Sprintf("%.3g ", n)
	if n >= 1000 {
		text = fmt.Sprintf("%.0f ", n)
	}
	if text == "1 " {
		return text + thing
	}
	return text + thing + "s"
}

func doOrDoes(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// printCounts prints a table of several, that are ranked by a word.
func printCounts(all []admin.ServerCounts, by string, now time.Time, pics pictures, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	bar := func(*admin.ServerCounts) string { return "" }
	header := ""
	if measure := measures[by]; pics.on() && measure != nil && len(all) > 0 {
		header = "BY " + strings.ToUpper(by) + "\t"
		bar = func(c *admin.ServerCounts) string {
			return pics.bar(measure(c)/measure(&all[0]), barPlaces/2) + "\t"
		}
	}
	fmt.Fprintln(tw, "SERVER\t"+header+"FIRST\tLAST\tVISITS\tTAKEN\tREFUSED\tUNKNOWN\tTRAPS\tLISTED\tSPAM\tHAM\tWAITED\tCAME BACK")
	for i := range all {
		c := &all[i]
		fmt.Fprintf(tw, "%s\t%s%s\t%s ago\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\n", plain(c.Server), bar(c), c.First.UTC().Format(time.DateOnly),
			age(now.Sub(c.Last)), c.Visits, c.Taken, c.Refused, c.Unknown, c.Traps, c.Listed, c.Spam, c.Ham, c.Deferred, c.Returned)
	}
}

// measures are what servers are ranked by, by the words of memory.Rankings.
var measures = map[string]func(*admin.ServerCounts) float64{
	"visits":  func(c *admin.ServerCounts) float64 { return c.Visits },
	"taken":   func(c *admin.ServerCounts) float64 { return c.Taken },
	"refused": func(c *admin.ServerCounts) float64 { return c.Refused },
	"unknown": func(c *admin.ServerCounts) float64 { return c.Unknown },
	"traps":   func(c *admin.ServerCounts) float64 { return c.Traps },
	"listed":  func(c *admin.ServerCounts) float64 { return c.DaysListed },
	"spam":    func(c *admin.ServerCounts) float64 { return c.Spam - c.Ham },
	"helos":   func(c *admin.ServerCounts) float64 { return float64(c.Helos) },
	"waiting": func(c *admin.ServerCounts) float64 { return c.Deferred - c.Returned },
}

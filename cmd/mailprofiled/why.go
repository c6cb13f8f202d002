package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/engine"
)

const whyHelp = `
Tells what stood behind an answer that was given: the facts, what DNS and the lists
said and how old that was, the findings with their points, the reply. ID is the one in
a reply and in the log; the reply itself, or the link in it, will do, and so will the
first four letters. An IP address in its place is that of a client.

Without ID it lists the visits that all flags hold of, newest first.

The running daemon is asked. It keeps this as [records] says: of every answer but a
plain go-on, and of a sample of those.`

func runWhy(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("why [ID]", whyHelp)
	var q admin.WhyQuery
	c.fs.StringVar(&q.Client, "client", "", "visits of the client with that `IP` address")
	c.fs.StringVar(&q.From, "from", "", "with a sender of that `DOMAIN`, or of that whole address")
	c.fs.StringVar(&q.Rcpt, "rcpt", "", "with the recipient `ADDRESS`")
	c.fs.StringVar(&q.Queue, "queue", "", "with the MTA's queue `ID`: of mail that it took in")
	c.fs.IntVar(&q.Most, "n", 20, "how `MANY` to list, at most 1000")
	said, err := wordsAmong(c.fs, args)
	if _, wrong := parseAddr(said); wrong == nil && q.Client == "" {
		q.Client, said = said, ""
	}
	ids := admin.IDsIn(said)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.fs.SetOutput(stdout)
		c.fs.Usage()
		return exitFine
	case err != nil:
	case said != "" && len(ids) == 0:
		err = fmt.Errorf("no id in %+q: an id is 12 letters and digits, in brackets at the end of a reply; else --from, --rcpt or --queue tell what it is", said)
	case said == "" && q.Client+q.From+q.Rcpt+q.Queue == "":
		err = errors.New("give the id of an answer, or one of --client, --from, --rcpt and --queue")
	case q.Client != "":
		_, err = parseAddr(q.Client)
	}
	if err != nil {
		fmt.Fprintf(stderr, "mailprofiled why: %v; try \"mailprofiled why --help\"\n", err)
		return exitMisuse
	}
	return c.talk(stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		found, err := askWhy(ctx, daemon, q, ids)
		if err != nil {
			return exitFailed, err
		}
		return c.tellWhy(found, said != "", stdout, stderr), nil
	})
}

// askWhy asks for the first id that there is a record of, or for what the flags say.
func askWhy(ctx context.Context, daemon *admin.Client, q admin.WhyQuery, ids []string) (found *admin.Why, err error) {
	if len(ids) == 0 {
		return daemon.Why(ctx, q)
	}
	for _, id := range ids {
		q.ID = id
		if found, err = daemon.Why(ctx, q); err != nil || len(found.Visits) > 0 {
			break
		}
	}
	return found, err
}

// tellWhy prints what was found: a record whole where one was asked for.
func (c controlCommand) tellWhy(found *admin.Why, byID bool, stdout, stderr io.Writer) int {
	for _, note := range found.Notes {
		fmt.Fprintln(stderr, "note: "+plain(note))
	}
	one := byID && len(found.Visits) == 1
	switch {
	case len(found.Visits) == 0 && byID:
		return exitFailed
	case *c.json && one:
		return printJSON(found.Visits[0], stdout, stderr)
	case *c.json:
		return printJSON(found, stdout, stderr)
	case len(found.Visits) == 0:
		fmt.Fprintln(stdout, "no record of such a visit")
	case one:
		printRecord(found.Visits[0], stdout)
	default:
		printVisits(found.Visits, stdout)
		if found.More {
			fmt.Fprintf(stderr, "note: there are older ones; --n %d shows more\n", 10*len(found.Visits))
		}
	}
	return exitFine
}

// wordsAmong reads flags, and gives the other words as one text: a reply may be pasted as it is.
func wordsAmong(fs *flag.FlagSet, args []string) (string, error) {
	var words []string
	for {
		if err := fs.Parse(args); err != nil {
			return "", err
		}
		if fs.NArg() == 0 {
			return strings.Join(words, " "), nil
		}
		words, args = append(words, fs.Arg(0)), fs.Args()[1:]
	}
}

// printVisits prints a line for each visit.
func printVisits(all []*engine.Record, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	fmt.Fprintln(tw, "WHEN (UTC)\tID\tCLIENT\tANSWER\tBY\tFROM\tRCPT\tFINDINGS")
	for _, rec := range all {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", rec.When.UTC().Format("2006-01-02 15:04:05"), rec.ID, orDash(rec.Client),
			answerOf(rec), orDash(speakerOf(rec)), orDash(rec.From), rcptsOf(rec), heaviest(rec))
	}
}

// answerOf is the harshest answer of a visit, in a word.
func answerOf(rec *engine.Record) string {
	answer := "continue"
	code := 0
	for _, r := range rec.Recipients {
		if r.Code > code {
			answer, code = fmt.Sprintf("%s %d %s", r.Action, r.Code, r.Status), r.Code
		}
	}
	if code > 0 && rec.Mode == "monitor" {
		answer += " (monitor)"
	}
	return answer
}

// speakerOf is the finding that the harshest answer was given by.
func speakerOf(rec *engine.Record) string {
	by, code := "", 0
	for _, r := range rec.Recipients {
		if r.Code > code {
			by, code = r.By, r.Code
		}
	}
	return by
}

func rcptsOf(rec *engine.Record) string {
	if len(rec.Recipients) == 0 {
		return "-"
	}
	text := orDash(rec.Recipients[0].Rcpt)
	if more := len(rec.Recipients) - 1 + rec.RecipientsMore; more > 0 {
		text += fmt.Sprintf(" +%d", more)
	}
	return text
}

// heaviest names the first findings of a visit and of its first recipient.
func heaviest(rec *engine.Record) string {
	all := slices.Clone(rec.Findings)
	if len(rec.Recipients) > 0 {
		all = append(all, rec.Recipients[0].Findings...)
	}
	slices.SortStableFunc(all, func(a, b engine.RecordFinding) int { return cmp.Compare(b.Points, a.Points) })
	if len(all) == 0 {
		return "-"
	}
	var parts []string
	for _, f := range all[:min(3, len(all))] {
		parts = append(parts, f.ID+":"+f.PointsText())
	}
	if len(all) > 3 {
		parts = append(parts, "...")
	}
	return plain(strings.Join(parts, ","))
}

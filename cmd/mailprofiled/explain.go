package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/wiring"
)

const explainHelp = `
Judges one visit now, through the engine of the daemon, and prints the look-ups,
the findings with their points, and the reply. It counts nothing. What no flag
tells is taken as not known, and not held against the client.

A running daemon with the same settings is asked, so that its cache and what it
remembers count. Without one it is judged here, with empty state: nobody has been
deferred yet, and nobody has come back.

Where doors differ, --listener names one: its answer_at and exempt_networks hold.`

func runExplain(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("explain", explainHelp)
	path := fs.String("config", defaultConfig, "the `FILE` of the configuration")
	client := fs.String("client", "", "the `IP` address of the client; needed")
	asJSON := fs.Bool("json", false, "print one JSON object")
	account := fs.String("account", "", "the `NAME` the client has logged in with")
	var q engine.Query
	fs.StringVar(&q.Listener, "listener", "", "the `PLACE` where the MTA comes in, as in [[listener]].listen or milter.listen; without it [milter] and [exempt] hold")
	optional := func(name, does string, to **string) {
		fs.Func(name, does, func(s string) error { *to = &s; return nil })
	}
	optional("helo", "the `NAME` given at HELO; '' for MAIL without HELO", &q.Helo)
	optional("from", "the envelope sender `ADDRESS`; '' or '<>' for the null sender", &q.From)
	optional("ptr", "the `NAME` of the client, taken as given and confirmed; '' for none; without this flag DNS is asked", &q.PTR)
	fs.Func("rcpt", "a recipient `ADDRESS`; may come again; without it some valid user", func(s string) error {
		q.Rcpts = append(q.Rcpts, s)
		return nil
	})
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	if *client == "" {
		fmt.Fprintln(stderr, "mailprofiled explain: --client is needed: the IP address to judge")
		return exitMisuse
	}
	var err error
	if q.Client, err = parseAddr(*client); err != nil {
		fmt.Fprintf(stderr, "mailprofiled explain: --client: %v\n", err)
		return exitMisuse
	}
	q.Account = *account
	cfg := load(*path, stderr)
	if cfg == nil {
		return exitFailed
	}
	if q.Listener != "" {
		if q.Door, err = wiring.DoorAt(cfg, q.Listener); err != nil {
			fmt.Fprintf(stderr, "mailprofiled explain: --listener: %v\n", err)
			return exitMisuse
		}
	}
	rec, note, err := explain(cfg, q)
	if err != nil {
		fmt.Fprintf(stderr, "mailprofiled explain: %v\n", err)
		return exitFailed
	}
	if *asJSON {
		return printJSON(rec, stdout, stderr)
	}
	fmt.Fprintln(stderr, "note: "+note)
	printRecord(rec, stdout)
	return exitFine
}

// explain asks the running daemon, or else judges here. The note says which, and why.
func explain(cfg *config.Config, q engine.Query) (rec *engine.Record, note string, err error) {
	rec, err = askToExplain(cfg, q)
	switch {
	case err == nil:
		return rec, "judged by the running daemon, with what it remembers", nil
	case errors.Is(err, admin.ErrNoDaemon):
		note = "judged with empty state, no running daemon was asked"
	case errors.Is(err, admin.ErrOtherSettings):
		note = "judged with empty state: the running daemon has other settings than " + cfg.Path + "; \"mailprofiled reload\" gives it these"
	default:
		note = fmt.Sprintf("judged with empty state, the running daemon could not be asked: %v", err)
	}
	own, cfg, problems, bad := loadRules(cfg, rules{})
	if bad.fatal() {
		return nil, "", fmt.Errorf("the %s cannot be used:\n%s", bad, strings.Join(texts(problems), "\n"))
	}
	defer own.close()
	servers, err := wiring.DNSServers(cfg)
	if err != nil {
		return nil, "", err
	}
	r := wiring.NewResolver(servers, cfg.DNS.CacheBytes, logging.Discard())
	defer r.Close()
	parts := wiring.Parts{Resolver: r, Local: own.local, Geo: own.geo, Accounts: own.accounts, Directory: own.directory, Traps: own.traps, Logger: logging.Discard()}
	if parts.Lists, parts.Health = testedLists(cfg, r); parts.Lists != nil {
		defer parts.Lists.Close()
		note += "; " + standing(parts.Health.Snapshot())
	}
	return wiring.NewEngine(cfg, parts).Explain(q), note, nil
}

func askToExplain(cfg *config.Config, q engine.Query) (*engine.Record, error) {
	if cfg.Admin.Control == "" {
		return nil, admin.ErrNoDaemon
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlWait)
	defer cancel()
	return admin.Dial(cfg.Admin.Control).Explain(ctx, cfg.SettingsID(), q)
}

func printJSON(v any, stdout, stderr io.Writer) int {
	enc := json.NewEncoder(logging.ASCII(stdout))
	enc.SetEscapeHTML(false) // "<>" is a sender
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		fmt.Fprintf(stderr, "mailprofiled: %v\n", err)
		return exitFailed
	}
	return exitFine
}

// trimAddr takes off what surrounds an address in mail logs and HELO literals.
func trimAddr(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if len(s) > 5 && strings.EqualFold(s[:5], "ipv6:") {
		s = s[5:]
	}
	return s
}

// printRecord prints a record for people. Text of strangers is quoted where it
// is not plain.
func printRecord(rec *engine.Record, to io.Writer) {
	w := new(strings.Builder)
	defer func() { // an empty last column leaves blanks
		for line := range strings.Lines(w.String()) {
			fmt.Fprintln(to, strings.TrimRight(line, " \n"))
		}
	}()
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(label string, cells ...string) { fmt.Fprintf(tw, "%s\t%s\n", label, strings.Join(cells, "\t")) }
	row("client:", rec.Client)
	row("ptr:", orDash(rec.PTR))
	row("helo:", orDash(rec.Helo))
	row("from:", orDash(rec.From))
	if rec.Listener != "" {
		row("listener:", plain(rec.Listener)+" ("+rec.Role+")")
	}
	if rec.Account != "" {
		row("account:", plain(rec.Account))
	}
	identity := rec.Identity.Answer
	if rec.Identity.By != "" {
		identity += ", by " + rec.Identity.By
	}
	row("identity:", identity)
	row("policy:", rec.Policy+" ("+rec.Mode+")")
	if !rec.When.IsZero() {
		row("when:", rec.When.UTC().Format("2006-01-02 15:04:05 UTC")+takenText(rec))
	}
	if rec.Queue != "" {
		row("queue id:", plain(rec.Queue))
	}
	tw.Flush()

	fmt.Fprintln(w, "\nlook-ups:")
	for _, l := range rec.Lookups {
		stale := ""
		if l.Stale {
			stale = " (stale)"
		}
		took := fmt.Sprintf("%.1f ms", l.MS)
		if l.AgeS > 0 {
			took = age(time.Duration(l.AgeS*float64(time.Second))) + " old"
		}
		row("  "+plain(l.Question), l.Type, plain(strings.Join(l.Answer, " "))+stale, l.Source, took)
	}
	noneIf(len(rec.Lookups) == 0, w)
	tw.Flush()
	if rec.LookupsMore > 0 {
		fmt.Fprintf(w, "  and %d more\n", rec.LookupsMore)
	}
	if len(rec.ListsAway) > 0 {
		fmt.Fprintln(w, "\nlists not asked:")
	}
	for _, l := range rec.ListsAway {
		row("  "+l.List, l.State, plain(reasonText(l.Reason, l.Missed, time.Now())))
	}
	tw.Flush()

	fmt.Fprintln(w, "\nfindings:")
	for _, f := range rec.Findings {
		row("  "+f.ID, f.PointsText(), plain(f.Detail), whereText(f.Where))
	}
	noneIf(len(rec.Findings) == 0, w)
	tw.Flush()
	fmt.Fprintf(w, "\nscore: %g\n", rec.Score)
	for _, t := range rec.Thresholds {
		fmt.Fprintf(w, "  %s is %g  %s\n", t.Key, t.Value, whereText(t.Where))
	}
	for _, rcpt := range rec.Recipients {
		printRecipient(rcpt, rec, w)
	}
	if rec.RecipientsMore > 0 {
		fmt.Fprintf(w, "\nand %s more\n", count(rec.RecipientsMore, "recipient"))
	}
}

// takenText says what became of a visit that was.
func takenText(rec *engine.Record) string {
	if rec.Taken {
		return ", and the message was taken"
	}
	return ", and no message was taken"
}

func printRecipient(rcpt engine.RecordRecipient, rec *engine.Record, w io.Writer) {
	name := "recipient some valid user"
	switch {
	case rcpt.Rcpt != "":
		name = "recipient " + plain(rcpt.Rcpt)
	case !rec.When.IsZero() && rec.Stage == engine.StageMail:
		name = "at MAIL" // no recipient was named
	}
	by := ""
	if rcpt.By != "" {
		by = " by " + plain(rcpt.By)
	}
	fmt.Fprintf(w, "\n%s: %s%s (score %g)\n", name, rcpt.Action, by, rcpt.Score)
	for _, f := range rcpt.Findings {
		fmt.Fprintf(w, "  %s  %s  %s  %s\n", f.ID, f.PointsText(), plain(f.Detail), whereText(f.Where))
	}
	for _, line := range rcpt.Directory {
		fmt.Fprintf(w, "  directory: %s\n", plain(line))
	}
	switch {
	case rcpt.Code == 0:
	case rcpt.Reply != "":
		fmt.Fprintf(w, "  %s\n", plain(rcpt.Reply))
	default:
		fmt.Fprintf(w, "  %d %s %s [%s]\n", rcpt.Code, rcpt.Status, rcpt.Text, rec.ID)
		if !rec.When.IsZero() {
			fmt.Fprintln(w, "  not said: in monitor mode everything goes on")
		}
	}
}

// whereText names the line that decided.
func whereText(where string) string {
	if where == "" {
		return ""
	}
	return "(" + plain(where) + ")"
}

// reasonText is why a list is not asked, and whether it is missed.
func reasonText(reason string, missed, now time.Time) string {
	if reason == "" {
		reason = "no test has ended yet"
	}
	if missed.After(now) {
		reason += fmt.Sprintf("; for another %s nothing is refused that it could have lifted", age(missed.Sub(now)))
	}
	return reason
}

func noneIf(empty bool, w io.Writer) {
	if empty {
		fmt.Fprintln(w, "  none")
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}

// plain quotes text that would not show as it is on a terminal.
func plain(s string) string {
	s = logging.Clip(s)
	for _, r := range s {
		if r < ' ' || r > '~' {
			return fmt.Sprintf("%+q", s)
		}
	}
	return s
}

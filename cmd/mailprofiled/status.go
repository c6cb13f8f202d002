package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/trend"
)

const statusHelp = `
Tells how the running daemon is: what wants attention first, then policy, sessions,
the MTA, verdicts, DNS and what is remembered. Counts are since its start. At a
terminal shares are drawn, and the answers of the last 24 hours; in a file or a pipe,
and with TERM=dumb, all is text.`

func runStatus(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("status", statusHelp)
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		s, err := daemon.Status(ctx)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(s, stdout, stderr), nil
		}
		pics := picturesFor(stdout, os.Getenv)
		var day *admin.Trend
		if pics.on() {
			day, _ = daemon.Trend(ctx, trend.Day) // one of before does not tell
		}
		printStatus(s, day, pics, stdout)
		return exitFine, nil
	})
}

// printStatus prints a status for people, with what is drawn of the last day; nil for
// nothing.
func printStatus(s *admin.Status, day *admin.Trend, pics pictures, w io.Writer) {
	fmt.Fprintf(w, "mailprofiled %s, pid %d, %s for %s\n", s.Version, s.PID, s.State, age(s.Now.Sub(s.Started)))
	for _, text := range attention(s) {
		fmt.Fprintln(w, "! "+text)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	rows := func(label string, texts []string) {
		for i, text := range texts {
			fmt.Fprintf(tw, "%s\t%s\n", first(i, label), text)
		}
	}
	row := func(label, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", label, fmt.Sprintf(format, args...))
	}
	ago := func(t time.Time) string { return age(s.Now.Sub(t)) + " ago" }
	row("policy", "%s, mode %s", s.Policy, s.Mode)
	row("config", "%s, loaded %s", plain(s.Config.Path), ago(s.Config.Loaded))
	for _, file := range s.Config.Files {
		if file != s.Config.Path {
			row("", "%s", plain(file))
		}
	}
	for i, text := range listening(s) {
		row(first(i, "listening"), "%s", plain(text))
	}
	row("metrics", "%s", webText(s.Web))
	row("sessions", "%d open of %d, %d since the start, %d without a place%s", s.Sessions.Open, s.Sessions.Limit, s.Sessions.Total, s.Sessions.Limited+s.Sessions.TurnedAway, pics.used(int64(s.Sessions.Open), int64(s.Sessions.Limit)))
	if s.MTA == nil {
		row("MTA", "no MTA has connected yet: \"mailprofiled attach\" prints its lines, \"mailprofiled doctor\" what is in the way")
	} else {
		row("MTA", "%s, last command %s", mtaName(s.MTA), ago(s.MTA.LastCommand))
		row("", "negotiated %s: %s", ago(s.MTA.Negotiated), negotiated(s.MTA))
	}
	rows("verdicts", pics.verdictRows(s))
	rows("24 hours", pics.dayRows(day))
	rows("findings", pics.findingRows(s.Findings))
	rows("candidate", candidateRows(s))
	for i, server := range s.DNS.Servers {
		row(first(i, "DNS"), "%s", serverText(server))
	}
	row(first(len(s.DNS.Servers), "DNS"), "%s", answersText(s.DNS))
	row("cache", "%d names and addresses, %s of %s, %d hits%s", s.Cache.Entries, size(s.Cache.Bytes), size(s.Cache.Limit), s.Cache.Hits, pics.used(s.Cache.Bytes, s.Cache.Limit))
	row("servers", "%s", memoryText(&s.Memory, s.Now))
	rows("retry", retryRows(&s.Retry))
	rows("databases", geoRows(s))
	if len(s.Lists) > 0 {
		row("lists", "%s", listsText(s.Lists))
	}
	if o := s.Outage; o != nil {
		row("", "%s, for %s; %s", o.Reason, since(o.Since, s.Now), o.Remedy)
	}
	rows("directory", directoryRows(s))
	if len(s.Directory.Sources) > 0 {
		row("harvest", "%s", harvestText(&s.Directory))
	}
	row("limits", "%s", limitsText(&s.Limits))
	if n := s.Blocked.Accounts; n > 0 {
		row("blocked", "%s, the last %s: mailprofiled accounts blocked", count(n, "account"), ago(s.Blocked.Newest))
	}
	if s.Hijack.Action != "" {
		row("hijack", "%s", hijackText(&s.Hijack))
	}
	if len(s.Notify.Ways) > 0 {
		row("notify", "%s", plain(notifyText(&s.Notify, s.Now)))
	}
	if s.Shared != nil {
		row("shared", "%s", plain(sharedText(s.Shared, s.Now)))
	}
	row("state", "%s", stateText(s))
	row("records", "%s%s", recordsText(s), pics.used(s.Records.Bytes, s.Records.Limit))
	row("log", "%s lost", count(int(s.Log.LostLines), "line"))
	tw.Flush()
	printCandidate(s, w)
	printLocal(s, w)
}

// attention lists what somebody should do something about.
func attention(s *admin.Status) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.State != admin.Serving {
		say("it is %s: no new session is taken", s.State)
	}
	if n := len(s.Config.Refused); n > 0 {
		say("the last reload, %s ago, was refused: %s. Mend it, then: mailprofiled reload", age(s.Now.Sub(s.Config.RefusedAt)), count(n, "mistake"))
		for _, text := range s.Config.Refused[:min(n, mostShown)] {
			say("  %s", plain(text))
		}
	}
	down := 0
	for _, server := range s.DNS.Servers {
		if !server.Up {
			down++
		}
	}
	switch {
	case down > 0 && down == len(s.DNS.Servers):
		say("no DNS server answers: most of what is judged is unknown, and passes. Look at: mailprofiled check --dns")
	case down > 0:
		say("%d of %s do not answer. Look at: mailprofiled check --dns", down, count(len(s.DNS.Servers), "DNS server"))
	}
	if k := &s.Store; k.Path != "" && !k.Kept {
		say("the state is not kept on disk, since %s ago: %s. %s", age(s.Now.Sub(k.Since)), plain(k.Error), plain(k.Remedy))
	}
	if k := &s.Store; k.SetAside > 0 {
		say("%s of the state had damage; what was whole in there is in use. Look at %s/state.*.corrupt-*, then take them away", count(k.SetAside, "file"), plain(k.Path))
	}
	if r := &s.Records; r.Error != "" {
		say("records are in memory only, since %s ago: %s. %s", age(s.Now.Sub(r.Since)), plain(r.Error), plain(r.Remedy))
	}
	for _, rule := range s.Local {
		for _, f := range rule.Files {
			if f.Trouble != "" {
				say("a list has changed and cannot be used; the version read %s ago is in use: %s", age(s.Now.Sub(f.Loaded)), plain(f.Trouble))
			}
		}
	}
	all = append(all, geoAttention(s)...)
	all = append(all, directoryAttention(s)...)
	all = append(all, sharedAttention(s)...)
	all = append(all, candidateAttention(s)...)
	all = append(all, roomAttention(&s.Limits.Room)...)
	if n := s.Sessions.Limited + s.Sessions.TurnedAway; n > 0 {
		say("%d sessions found no place, and were answered by milter.on_failure: raise milter.max_sessions", n)
	}
	if n := s.Sessions.Panics; n > 0 {
		say("%d panics of ours, answered by milter.on_failure: please report them, with the log", n)
	}
	if n := s.Log.LostLines; n > 0 {
		say("%s of the log could not be written: is the disk full?", count(int(n), "line"))
	}
	return all
}

// mostShown is how many mistakes, findings or rules one screen takes.
const mostShown = 10

// listening tells where MTAs can connect: by door, where those differ.
func listening(s *admin.Status) []string {
	if !slices.ContainsFunc(s.Doors, func(d admin.Door) bool { return d.Own }) {
		return []string{strings.Join(s.Listen, " ")}
	}
	var lines []string
	for _, d := range s.Doors {
		text := d.Listen + ": " + d.Role + ", answers at " + d.AnswerAt
		if d.Exempt > 0 {
			text += ", " + count(d.Exempt, "exempt network") + " of its own"
		}
		lines = append(lines, text)
	}
	return lines
}

func webText(at string) string {
	switch {
	case at == "":
		return "nowhere: admin.listen is off, or could not be opened (see the log)"
	case strings.HasPrefix(at, "unix:"):
		return plain(at)
	}
	return "http://" + at + "/metrics"
}

func mtaName(m *admin.MTA) string {
	name := plain(cmp.Or(m.Name, "without a name"))
	if m.Daemon != "" && m.Daemon != m.Name {
		name += " (" + plain(m.Daemon) + ")"
	}
	return name
}

func negotiated(m *admin.MTA) string {
	macros := "its own macros"
	if m.MacroLists {
		macros = "the macros we name"
	}
	return fmt.Sprintf("version %d of %d, protocol 0x%x of 0x%x, actions 0x%x of 0x%x, %s",
		m.Agreed.Version, m.Offered.Version, m.Agreed.Protocol, m.Offered.Protocol, m.Agreed.Actions, m.Offered.Actions, macros)
}

func verdictsText(s *admin.Status) string {
	total := uint64(0)
	for _, n := range s.Verdicts {
		total += n
	}
	if total == 0 {
		return "none yet"
	}
	var parts []string
	for _, action := range actionsOf {
		parts = append(parts, fmt.Sprintf("%s %d (%.1f%%)", action, s.Verdicts[action], 100*float64(s.Verdicts[action])/float64(total)))
	}
	text := strings.Join(parts, ", ")
	if s.Mode == "monitor" {
		text += "; in monitor mode, everything goes on"
	}
	return text
}

// findingsText names the most frequent ones.
func findingsText(found map[string]uint64) string {
	ids := mostFound(found)
	if len(ids) == 0 {
		return "none yet"
	}
	var parts []string
	for _, id := range ids[:min(len(ids), mostShown)] {
		parts = append(parts, fmt.Sprintf("%s %d", id, found[id]))
	}
	if more := len(ids) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, ", ")
}

func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

func serverText(s admin.DNSServer) string {
	state := "DOWN"
	switch {
	case s.Up && s.Queries == 0:
		return s.Address + " not asked yet"
	case s.Up:
		state = "up"
	}
	if s.RTTMS > 0 {
		state += fmt.Sprintf(", %.1f ms", s.RTTMS)
	}
	return fmt.Sprintf("%s %s, %d of %d queries failed", s.Address, state, s.Failures, s.Queries)
}

func answersText(d admin.DNS) string {
	sums := map[string]uint64{}
	for _, q := range d.Queries {
		sums[q.Result] += q.Count
	}
	text := fmt.Sprintf("answers: %d found, %d none, %d failed, %d refused", sums["found"], sums["none"], sums["failed"], sums["refused"])
	if d.TurnedAway > 0 {
		text += fmt.Sprintf(", %d not asked for want of room", d.TurnedAway)
	}
	return text
}

// printLocal prints the operator's own rules and what became of them.
func printLocal(s *admin.Status, w io.Writer) {
	if len(s.Local) == 0 {
		return
	}
	fmt.Fprintln(w, "\nlocal rules:")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	for _, rule := range s.Local {
		last, expires := "never used", "does not expire"
		if !rule.Last.IsZero() {
			last = "last " + age(s.Now.Sub(rule.Last)) + " ago"
		}
		if !rule.Expires.IsZero() {
			expires = "until " + rule.Expires.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%d hits\t%s\t%s\t%s\n", plain(rule.Where), rule.Action, orDash(rule.Owner), rule.Hits, last, expires, rule.State)
	}
	tw.Flush()
	told := map[string]bool{}
	for _, rule := range s.Local {
		for _, f := range rule.Files {
			if !told[f.File] {
				fmt.Fprintf(w, "  %s: %s\n", plain(f.File), fileText(f, s.Now))
			}
			told[f.File] = true
		}
	}
}

// fileText tells how a file of rules is doing.
func fileText(f admin.LocalFile, now time.Time) string {
	parts := []string{fmt.Sprintf("%d entries", f.Entries)}
	if f.Entries == 1 {
		parts[0] = "1 entry"
	}
	if f.Bad > 0 {
		parts = append(parts, count(f.Bad, "line")+" that cannot be read")
	}
	if f.Expired > 0 {
		parts = append(parts, fmt.Sprintf("%d expired", f.Expired))
	}
	switch {
	case f.Unused > 0:
		lines := strings.Trim(fmt.Sprint(f.UnusedLines[:min(len(f.UnusedLines), mostShown)]), "[]")
		if f.Unused > mostShown {
			lines += " and more"
		}
		parts = append(parts, fmt.Sprintf("%d never used (line %s)", f.Unused, lines))
	case f.Hits == 0:
		parts = append(parts, "never used")
	}
	return strings.Join(append(parts, "read "+age(now.Sub(f.Loaded))+" ago"), ", ")
}

// age writes a duration as people say it: by its two largest units.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than 1s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// size writes a number of bytes.
func size(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(u.size)), ".0") + " " + u.name
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// listsText says how many of the DNS lists count, and names those that do not.
func listsText(lists []admin.DNSList) string {
	var away []string
	for _, l := range lists {
		if l.State != "up" {
			away = append(away, l.List+" ("+l.State+")")
		}
	}
	text := fmt.Sprintf("%d of %d up", len(lists)-len(away), len(lists))
	if len(away) > 0 {
		text += "; not counted: " + strings.Join(away, ", ")
	}
	return text
}

// recordsText says what is kept for why.
func recordsText(s *admin.Status) string {
	r := &s.Records
	if r.KeepS == 0 {
		return "none: records.keep is \"0\""
	}
	text := fmt.Sprintf("%d since the start, %d lost; %s of %s in %s", r.Records, r.Lost, size(r.Bytes), size(r.Limit), plain(r.Path))
	if !r.Kept {
		text = fmt.Sprintf("%d since the start, %d lost; in memory only, the newest of them", r.Records, r.Lost)
	}
	if !r.Oldest.IsZero() {
		text += ", the oldest " + age(s.Now.Sub(r.Oldest)) + " old"
	}
	return text
}

// stateText says what is kept, and where.
func stateText(s *admin.Status) string {
	k := &s.Store
	held := fmt.Sprintf("%s, %s of limits", count(k.Accounts, "account"), count(k.Counters, "counter"))
	switch {
	case k.Path == "":
		return held + "; nothing is kept: all of it ends with the daemon"
	case k.Kept:
		return fmt.Sprintf("%s, %s in %s", held, size(k.Bytes), plain(k.Path))
	}
	return fmt.Sprintf("%s; not kept in %s since %s", held, plain(k.Path), age(s.Now.Sub(k.Since))+" ago")
}

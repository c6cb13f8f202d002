package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/wiring"
	"mailprofiled/profile"
)

const checkHelp = `
Reads the whole configuration and prints every mistake as "file:line: what;
remedy". Warnings do not change the exit code, which is 1 if there is a mistake. Of the
usual file root is told too what the daemon's user may not read.`

// runCheck is the command check. Its problems are its result; only beside the
// settings of --print and its like, which are the result then, warnings go to stderr.
func runCheck(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("check", checkHelp)
	path := fs.String("config", defaultConfig, "the configuration, a `FILE`; conf.d/*.toml beside it is read too")
	show := fs.Bool("print", false, "print the effective settings, with the file and line of each")
	changed := fs.Bool("changed", false, "print only those that differ from the baseline")
	against := fs.String("against-baseline", "", "tell by finding what the baseline `NAME`, such as standard@1, would change here")
	dns := fs.Bool("dns", false, "also ask each DNS server, and each DNS list's test entries")
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	if *path == "" {
		fmt.Fprintln(stderr, "mailprofiled check: --config names no file")
		return exitMisuse
	}
	if *against != "" && (*show || *changed) {
		fmt.Fprintln(stderr, "mailprofiled check: --against-baseline goes without --print and --changed")
		return exitMisuse
	}
	if _, err := profile.Baseline(*against); *against != "" && err != nil {
		fmt.Fprintf(stderr, "mailprofiled check: --against-baseline: %v\n", err)
		return exitMisuse
	}
	cfg, report := config.Load(*path)
	if cfg == nil {
		lists := rulesBeside(report, rules{})
		for _, p := range append(report.Problems(), lists...) {
			fmt.Fprintln(stdout, p)
		}
		fmt.Fprintf(stderr, "mailprofiled check: %s\n", count(len(report.Errors)+mistakes(lists), "mistake"))
		return exitFailed
	}
	settings, code := *show || *changed || *against != "", exitFine
	problems := stdout
	if settings {
		problems = stderr
	}
	for _, p := range report.Problems() {
		fmt.Fprintln(problems, p)
	}
	_, cfg, lists, _ := wiring.LoadLocal(cfg, nil)
	for _, p := range lists {
		fmt.Fprintln(problems, p)
	}
	if n := mistakes(lists); n > 0 {
		fmt.Fprintf(stderr, "mailprofiled check: %s in the local rules and their files\n", count(n, "mistake"))
		code = exitFailed
	}
	_, databases, _ := wiring.LoadGeo(cfg.GeoFiles(), nil)
	for _, p := range databases {
		fmt.Fprintln(problems, p)
	}
	if n := mistakes(databases); n > 0 {
		fmt.Fprintf(stderr, "mailprofiled check: %s in the databases\n", count(n, "mistake"))
		code = exitFailed
	}
	_, people, _ := wiring.LoadAccounts(cfg.AccountsFile(), nil, time.Now())
	for _, p := range append(people, cfg.ExpiredExceptions(time.Now())...) {
		fmt.Fprintln(problems, p)
	}
	if n := mistakes(people); n > 0 {
		fmt.Fprintf(stderr, "mailprofiled check: %s in the file of accounts\n", count(n, "mistake"))
		code = exitFailed
	}
	if n := checkDirectory(cfg, problems); n > 0 {
		fmt.Fprintf(stderr, "mailprofiled check: %s in the directory and its files\n", count(n, "mistake"))
		code = exitFailed
	}
	if n := checkCandidate(cfg, report, problems); n > 0 {
		fmt.Fprintf(stderr, "mailprofiled check: %s in the candidate\n", count(n, "mistake"))
		code = exitFailed
	}
	if p := checkKey(cfg); p != nil {
		fmt.Fprintln(problems, p)
		code = exitFailed
	}
	if *path == defaultConfig && code == exitFine {
		code = checkAsDaemon(*path, problems, stderr)
	}
	if *dns && !dnsAnswers(cfg, problems) {
		code = exitFailed
	}
	switch {
	case *against != "":
		if err := cfg.PrintAgainst(stdout, *against); err != nil {
			fmt.Fprintf(stderr, "mailprofiled check: %v\n", err)
			return exitFailed
		}
	case settings:
		if err := cfg.Print(stdout, *changed); err != nil {
			fmt.Fprintf(stderr, "mailprofiled check: %v\n", err)
			return exitFailed
		}
	case code == exitFine:
		fmt.Fprintf(stdout, "%s: ok, policy %s, mode %s\n", *path, cfg.PolicyID(), mode(cfg))
	}
	return code
}

// checkAsDaemon looks whether the daemon's user can use what root can.
func checkAsDaemon(path string, problems, stderr io.Writer) int {
	name := daemonUser(path)
	if name == "" {
		return exitFine
	}
	mistakes := mistakesAs(context.Background(), name, path)
	if len(mistakes) == 0 {
		return exitFine
	}
	for _, line := range mistakes {
		fmt.Fprintln(problems, line)
	}
	fmt.Fprintf(stderr, "mailprofiled check: %s for user %s, as whom the daemon runs\n", count(len(mistakes), "mistake"), name)
	return exitFailed
}

// checkDirectory looks at the sources of the directory and the traps, prints what is
// wrong, and counts the mistakes.
func checkDirectory(cfg *config.Config, w io.Writer) int {
	stack, problems, _ := wiring.LoadDirectory(cfg, nil, time.Now())
	_ = stack.Close() // nothing was asked
	_, traps, _ := wiring.LoadTraps(cfg, time.Now())
	problems = append(problems, traps...)
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
	return mistakes(problems)
}

// checkCandidate looks at the candidate, prints what is wrong with it, and counts the
// mistakes. What was said of a file that both read is not said again.
func checkCandidate(cfg *config.Config, report *config.Report, w io.Writer) int {
	said := map[string]bool{}
	for _, p := range report.Problems() {
		said[p.String()] = true
	}
	problems := wiring.CheckCandidate(cfg)
	for _, p := range problems {
		if !said[p.String()] {
			fmt.Fprintln(w, p)
		}
	}
	return mistakes(problems)
}

// dnsAnswers asks the DNS servers and tells what is wrong with them.
func dnsAnswers(cfg *config.Config, w io.Writer) bool {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	problems := probeDNS(ctx, cfg)
	if len(problems) == 0 { // else the lists would only say the same
		problems = probeLists(cfg)
	}
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
	return len(problems) == 0
}

// count writes a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

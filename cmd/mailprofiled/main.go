// Command mailprofiled judges sending mail servers for Postfix and Sendmail.
// See README.md, and "mailprofiled help".
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Exit codes of every command.
const (
	exitFine   = 0
	exitFailed = 1
	exitMisuse = 2
)

// defaultConfig is where the packages put the configuration.
const defaultConfig = "/etc/mailprofiled/mailprofiled.toml"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// A command is one word after "mailprofiled".
type command struct {
	name, does string
	run        func(args []string, stdout, stderr io.Writer) int
}

func commands() []command {
	return []command{
		{"serve", "run the daemon in the foreground", runServe},
		{"check", "read the whole configuration and print every mistake", runCheck},
		{"explain", "judge one visit now, and say why", runExplain},
		{"why", "tell what stood behind an answer, by the id in it", runWhy},
		{"replay", "tell what the policy would have done to mail already seen", runReplay},
		{"status", "tell how the running daemon is", runStatus},
		{"lists", "tell how each DNS list is, and what it does here", runLists},
		{"limits", "tell which limits are in force, and how often each spoke", runLimits},
		{"accounts", "look at accounts and their limits, and change them", runAccounts},
		{"servers", "look at what is remembered of servers, and change it", runServers},
		{"reload", "have the running daemon take over a changed configuration", runReload},
		{"attach", "print the lines by which Postfix or Sendmail asks it", runAttach},
		{"doctor", "find what goes wrong between MTA, daemon, DNS and machine", runDoctor},
		{"pages", "write the pages that tell a refused sender what to mend", runPages},
		{"version", "print version, commit and Go version", runVersion},
	}
}

// run is main, testable. A result that could not be written is a failure.
func run(args []string, stdout, stderr io.Writer) int {
	out := &checkedWriter{w: stdout}
	code := dispatch(args, out, stderr)
	if out.err != nil && code == exitFine {
		fmt.Fprintf(stderr, "mailprofiled: %v\n", out.err)
		return exitFailed
	}
	return code
}

// A checkedWriter keeps the first error of its writes.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

func dispatch(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitMisuse
	}
	switch args[0] {
	case "help", "--help", "-h":
		usage(stdout)
		return exitFine
	case "--version":
		args[0] = "version"
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "mailprofiled: there is no command %q; try \"mailprofiled help\"\n", args[0])
	return exitMisuse
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: mailprofiled COMMAND [flags]\n\n"+
		"Judges sending mail servers for Postfix and Sendmail, as a milter.\n\ncommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s%s\n", c.name, c.does)
	}
	fmt.Fprint(w, "\n\"mailprofiled COMMAND --help\" tells the flags of one.\n")
}

// newFlags returns the flag set of a command; help is what follows its usage line.
func newFlags(usage, help string) *flag.FlagSet {
	fs := flag.NewFlagSet(commandOf(usage), flag.ContinueOnError)
	fs.SetOutput(io.Discard) // parse prints, once and where it belongs
	fs.Usage = func() {
		w := fs.Output()
		var takes, head string
		fs.VisitAll(func(*flag.Flag) { takes, head = " [flags]", "\nflags:\n" })
		fmt.Fprintf(w, "usage: mailprofiled %s%s\n\n%s\n%s", usage, takes, strings.TrimSpace(help), head)
		fs.VisitAll(func(f *flag.Flag) {
			value, does := flag.UnquoteUsage(f)
			fmt.Fprintf(w, "  --%s\n        %s\n", strings.TrimSpace(f.Name+" "+value), does)
		})
	}
	return fs
}

// commandOf is the name of the command of a usage such as "accounts show NAME" or
// "attach postfix|sendmail".
func commandOf(usage string) string {
	words := strings.Fields(usage)
	isName := func(w string) bool { return strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") == "" }
	n := slices.IndexFunc(words, func(w string) bool { return !isName(w) })
	if n < 0 {
		n = len(words)
	}
	return strings.Join(words[:n], " ")
}

// parse reads the flags of a command that takes no other arguments. When ok is
// false the command is over, with the given exit code.
func parse(fs *flag.FlagSet, args []string, stdout, stderr io.Writer) (code int, ok bool) {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(stdout)
		fs.Usage()
		return exitFine, false
	case err == nil && fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err != nil {
		misused(fs, err, stderr)
		return exitMisuse, false
	}
	return exitFine, true
}

// parseWord is parse for a command that takes one word besides its flags, before or
// behind them; it is "" where there is none.
func parseWord(fs *flag.FlagSet, args []string, stdout, stderr io.Writer) (word string, code int, ok bool) {
	word, err := parseNamed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(stdout)
		fs.Usage()
		return "", exitFine, false
	case err != nil:
		misused(fs, err, stderr)
		return "", exitMisuse, false
	}
	return word, exitFine, true
}

// misused tells what was wrong with the words of a command.
func misused(fs *flag.FlagSet, err error, stderr io.Writer) {
	fmt.Fprintf(stderr, "mailprofiled %s: %v; try \"mailprofiled %s --help\"\n", fs.Name(), err, fs.Name())
}

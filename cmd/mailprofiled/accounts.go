package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/ratelimit"
)

// An accountsVerb is one word after "mailprofiled accounts".
type accountsVerb struct {
	name, args, does string
	run              func(args []string, stdout, stderr io.Writer) int
}

func accountsVerbs() []accountsVerb {
	return []accountsVerb{
		{"show", "NAME", "what is known of an account, and what of its limits is used", runAccountsShow},
		{"raise", "NAME --limit 500/24h", "raise limits for an account; or for a --plan or --domain", runAccountsRaise},
		{"exempt", "NAME", "exempt it from limits, likewise", runAccountsExempt},
		{"unraise", "NAME", "take back what the two before have done", runAccountsUnraise},
		{"reset", "NAME", "forget what it has used", runAccountsReset},
		{"block", "NAME", "keep an account from sending until it is released", runAccountsBlock},
		{"release", "NAME", "let it send again", runAccountsRelease},
		{"blocked", "", "the accounts that may not send", runAccountsBlocked},
		{"suspects", "", "the accounts that seemed stolen since the daemon's start", runAccountsSuspects},
		{"learn", "", "until when accounts are of unknown age, and change that", runAccountsLearn},
		{"exceptions", "", "all exceptions, from the configuration and by command", runAccountsExceptions},
		{"near", "", "the accounts that are near a limit now", runAccountsNear},
		{"top", "", "the accounts that met limits most often since the daemon's start", runAccountsTop},
	}
}

func runAccounts(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		accountsUsage(stderr)
		return exitMisuse
	}
	switch args[0] {
	case "--help", "-h", "-help", "help":
		accountsUsage(stdout)
		return exitFine
	}
	for _, v := range accountsVerbs() {
		if v.name == args[0] {
			return v.run(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "mailprofiled accounts: there is no %q; try \"mailprofiled accounts --help\"\n", args[0])
	return exitMisuse
}

func accountsUsage(w io.Writer) {
	fmt.Fprint(w, "usage: mailprofiled accounts WORD [NAME] [flags]\n\n"+
		"Looks at accounts and their limits in the running daemon, and changes them. NAME is\nthe login, as the log has it.\n\nwords:\n")
	for _, v := range accountsVerbs() {
		fmt.Fprintf(w, "  %-27s %s\n", strings.TrimSpace(v.name+" "+v.args), v.does)
	}
	fmt.Fprint(w, "\nEach takes --config FILE and --json. \"mailprofiled accounts WORD --help\" tells the flags of one.\n")
}

// runNamed is run for a command that takes a name besides its flags, in any order.
// check, if not nil, sees the flags before anybody is asked.
func (c controlCommand) runNamed(args []string, needed bool, check func(name string) error, stdout, stderr io.Writer, ask func(ctx context.Context, daemon *admin.Client, name string) (int, error)) int {
	name, err := parseNamed(c.fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.fs.SetOutput(stdout)
		c.fs.Usage()
		return exitFine
	case err == nil && needed && name == "":
		err = errors.New("NAME is needed: the login of the account")
	case err == nil && check != nil:
		err = check(name)
	}
	if err != nil {
		misused(c.fs, err, stderr)
		return exitMisuse
	}
	return c.talk(stderr, func(ctx context.Context, daemon *admin.Client) (int, error) { return ask(ctx, daemon, name) })
}

// parseNamed reads flags and at most one name among them.
func parseNamed(fs *flag.FlagSet, args []string) (name string, err error) {
	for named := false; ; named = true {
		if err := fs.Parse(args); err != nil {
			return "", err
		}
		switch {
		case fs.NArg() == 0:
			return name, nil
		case named:
			return "", fmt.Errorf("unexpected argument %q", fs.Arg(0))
		}
		name, args = fs.Arg(0), fs.Args()[1:]
		if name == "" {
			return "", errors.New("NAME is empty")
		}
	}
}

const accountsShowHelp = `
Tells since when an account is known, its plan, how much of each limit it has used
and when there is room again, and the exceptions that hold for it. It changes nothing.`

func runAccountsShow(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts show NAME", accountsShowHelp)
	return c.runNamed(args, true, nil, stdout, stderr, func(ctx context.Context, daemon *admin.Client, name string) (int, error) {
		a, err := daemon.Account(ctx, name)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(a, stdout, stderr), nil
		}
		printAccount(a, stdout)
		return exitFine, nil
	})
}

const accountsRaiseHelp = `
Raises limits for one account, or for all of a --plan or --domain in place of NAME:
--limit 500/24h makes 500 of the maximum of each limit per account whose window is
24h; --limit 500 does so whatever the window, and --of takes one limit by its name.
A higher maximum stays. It holds at once and outlives restarts where state is kept;
what is to last is better written into the configuration ([[accounts.exception]]).`

func runAccountsRaise(args []string, stdout, stderr io.Writer) int {
	g := newGrantCommand("accounts raise NAME", accountsRaiseHelp)
	limit := g.fs.String("limit", "", "the `MAX/WINDOW`, such as 500/24h; needed")
	return g.runGrant(args, stdout, stderr, func() (err error) {
		g.grant.Max, g.grant.Window, err = parseAllowance(*limit)
		return err
	})
}

const accountsExemptHelp = `
Exempts one account, or all of a --plan or --domain in place of NAME, from the limits
per account, or from one --of them: its mail is not even counted.`

func runAccountsExempt(args []string, stdout, stderr io.Writer) int {
	return newGrantCommand("accounts exempt NAME", accountsExemptHelp).runGrant(args, stdout, stderr, func() error { return nil })
}

// A grantCommand is one that makes an exception.
type grantCommand struct {
	controlCommand
	grant *admin.Grant
}

func newGrantCommand(name, help string) grantCommand {
	g := grantCommand{newControlCommand(name, help), new(admin.Grant)}
	g.whom()
	g.fs.StringVar(&g.grant.Limit, "of", "", "the `LIMIT`, by its name; without it all that are per account")
	g.fs.StringVar(&g.grant.Until, "until", "", "the last `DATE` on which it holds, UTC, such as 2026-12-31; without it for good")
	g.fs.StringVar(&g.grant.Owner, "owner", "", "`WHO` is to be asked about it")
	g.fs.StringVar(&g.grant.Reason, "reason", "", "`WHY`, such as a ticket")
	return g
}

// whom adds the flags that stand in place of a name.
func (g *grantCommand) whom() {
	g.fs.StringVar(&g.grant.Plan, "plan", "", "all accounts of a `PLAN`, in place of NAME")
	g.fs.StringVar(&g.grant.Domain, "domain", "", "all accounts of a `DOMAIN`, in place of NAME")
}

// one checks that there is one name, plan or domain.
func (g *grantCommand) one(name string) error {
	given := 0
	for _, s := range []string{name, g.grant.Plan, g.grant.Domain} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("give one of NAME, --plan and --domain")
	}
	g.grant.Account = name
	return nil
}

func (g grantCommand) runGrant(args []string, stdout, stderr io.Writer, finish func() error) int {
	check := func(name string) error { return errors.Join(g.one(name), finish()) }
	return g.runNamed(args, false, check, stdout, stderr, func(ctx context.Context, daemon *admin.Client, _ string) (int, error) {
		changed, err := daemon.Raise(ctx, *g.grant)
		switch {
		case err != nil:
			return exitFailed, err
		case *g.json:
			return printJSON(changed, stdout, stderr), nil
		}
		for _, e := range changed.Exceptions {
			fmt.Fprintf(stdout, "%s: %s for %s, %s\n", plain(whomText(&e)), allowanceText(&e), strings.Join(changed.Limits, ", "), untilText(&e))
		}
		if changed.Unseen {
			fmt.Fprintln(stderr, "note: no mail of this account was ever seen here: is that its login, as the log has it?")
		}
		return onDisk(changed)
	})
}

// onDisk ends a command that has changed something: what is not on disk, where state is
// kept, is a failure.
func onDisk(changed *admin.Changed) (int, error) {
	if changed.Unkept != "" {
		return exitFailed, errors.New("done, but " + changed.Unkept)
	}
	return exitFine, nil
}

// parseAllowance reads "500/24h", or "500" for any window.
func parseAllowance(text string) (most int, seconds int64, err error) {
	number, window, windowed := strings.Cut(text, "/")
	most, err = strconv.Atoi(strings.TrimSpace(number))
	switch {
	case text == "":
		return 0, 0, errors.New("--limit is needed, such as 500/24h")
	case err != nil:
		return 0, 0, fmt.Errorf("--limit %q is no number with a window; write it as 500/24h", text)
	case most < 1 || most > ratelimit.MaxMax:
		return 0, 0, fmt.Errorf("--limit %q: use 1 to %d; to exempt, use \"accounts exempt\"", text, ratelimit.MaxMax)
	case !windowed:
		return most, 0, nil
	}
	d, err := config.ParseDuration(strings.TrimSpace(window))
	if err != nil {
		return 0, 0, fmt.Errorf("--limit: %w", err)
	}
	if d < ratelimit.MinWindow || d > ratelimit.MaxWindow || d.Nanoseconds()%1e9 != 0 {
		return 0, 0, fmt.Errorf("--limit %q: a window is 1s to 31d, in whole seconds", text)
	}
	return most, int64(d.Seconds()), nil
}

const accountsUnraiseHelp = `
Takes back the exceptions for one account, or for a --plan or --domain in place of
NAME, that were made by "accounts raise" or "exempt". Those of the configuration stay.`

func runAccountsUnraise(args []string, stdout, stderr io.Writer) int {
	g := grantCommand{newControlCommand("accounts unraise NAME", accountsUnraiseHelp), new(admin.Grant)}
	g.whom()
	return g.runNamed(args, false, g.one, stdout, stderr, func(ctx context.Context, daemon *admin.Client, _ string) (int, error) {
		changed, err := daemon.Unraise(ctx, *g.grant)
		switch {
		case err != nil:
			return exitFailed, err
		case *g.json:
			return printJSON(changed, stdout, stderr), nil
		}
		fmt.Fprintf(stdout, "%s taken back\n", count(len(changed.Exceptions), "exception"))
		if changed.Written > 0 {
			fmt.Fprintf(stderr, "note: the configuration has %s for the same; it stays until it is removed there\n", count(changed.Written, "exception"))
		}
		return onDisk(changed)
	})
}

const accountsResetHelp = `
Forgets what an account has used of its limits, as if it had sent nothing yet, and the
signs that it is stolen; what is usual for it stays. What is under way still counts. Limits per account and something else, such as the
recipient's domain, are left as they are.`

func runAccountsReset(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts reset NAME", accountsResetHelp)
	return c.runNamed(args, true, nil, stdout, stderr, func(ctx context.Context, daemon *admin.Client, name string) (int, error) {
		changed, err := daemon.Reset(ctx, name)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(changed, stdout, stderr), nil
		}
		fmt.Fprintf(stdout, "%s reset: %s\n", count(changed.Counters, "counter"), orDash(strings.Join(changed.Limits, ", ")))
		if changed.Suspected {
			fmt.Fprintln(stdout, "it is suspected no more")
		}
		return onDisk(changed)
	})
}

const accountsExceptionsHelp = `
Lists all exceptions, those of the configuration first, then those made by command;
an expired one is marked, and holds no more.`

func runAccountsExceptions(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts exceptions", accountsExceptionsHelp)
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		all, err := daemon.Exceptions(ctx)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(all, stdout, stderr), nil
		case len(all) == 0:
			fmt.Fprintln(stdout, "no exception is there")
		default:
			printExceptions(all, "", stdout)
		}
		return exitFine, nil
	})
}

const accountsTopHelp = `
Names the accounts whose mail met limits most often since the daemon's start: how
many mails were refused for one, and how many only reported. 256 accounts are kept;
where more met limits, a count may be as much too high as LESS says.`

func runAccountsTop(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts top", accountsTopHelp)
	n := c.fs.Int("n", 20, "how `MANY` to name")
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		t, err := daemon.Top(ctx, *n)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(t, stdout, stderr), nil
		}
		printTop(t, picturesFor(stdout, os.Getenv), stdout)
		return exitFine, nil
	})
}

const accountsNearHelp = `
Names the accounts that have used 80 % or more of a limit, by their mail since the
daemon's start, and by when all of it is free again if they send no more. The 256
nearest are known. With log.addresses = "hashed" they are tokens, and stand as they
did at their last mail.`

func runAccountsNear(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts near", accountsNearHelp)
	n := c.fs.Int("n", 20, "how `MANY` to name")
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		near, err := daemon.Near(ctx, *n)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(near, stdout, stderr), nil
		}
		printNear(near, picturesFor(stdout, os.Getenv), stdout)
		return exitFine, nil
	})
}

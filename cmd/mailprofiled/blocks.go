package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/profile"
)

const accountsBlockHelp = `
Keeps an account from sending: from its next recipient on, also in sessions that are
open, and at the end of a message that is under way, its mail gets 450 4.7.1, or 550
5.7.1 with --reject, and a sentence that names the postmaster. It can still write to postmaster, abuse and exempt.recipients. It holds until
"accounts release NAME", or --until then, over restarts too: the command answers when the
block is on disk. A block that is there is changed.`

func runAccountsBlock(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts block NAME", accountsBlockHelp)
	var ask admin.BlockAsk
	c.fs.StringVar(&ask.Until, "until", "", "the last `DATE` on which it holds, UTC, such as 2026-12-31, or a time, 2026-12-31T08:00:00Z; without it until it is released")
	c.fs.StringVar(&ask.Owner, "owner", "", "`WHO` is to be asked about it")
	c.fs.StringVar(&ask.Reason, "reason", "", "`WHY`, such as a ticket")
	reject := c.fs.Bool("reject", false, "answer 550: what waits in its owner's queues is given back at once")
	return c.runNamed(args, true, nil, stdout, stderr, func(ctx context.Context, daemon *admin.Client, name string) (int, error) {
		ask.Account = name
		if *reject {
			ask.Action = profile.Reject.String()
		}
		changed, err := daemon.Block(ctx, ask)
		if err != nil {
			return exitFailed, err
		}
		return c.printBlockChange(changed, blockText(&changed.Block), stdout, stderr)
	})
}

const accountsReleaseHelp = `
Lets a blocked account send again, from its next recipient on. What it has used of its limits
stays; "accounts reset" forgets that. The command answers when the release is on disk.`

func runAccountsRelease(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts release NAME", accountsReleaseHelp)
	return c.runNamed(args, true, nil, stdout, stderr, func(ctx context.Context, daemon *admin.Client, name string) (int, error) {
		changed, err := daemon.Release(ctx, name)
		if err != nil {
			return exitFailed, err
		}
		b := &changed.Block
		text := fmt.Sprintf("%s may send again; it was blocked for %s, since %s", plain(b.Account), age(b.Ended.Sub(b.Since)), whyBlocked(b))
		return c.printBlockChange(changed, text, stdout, stderr)
	})
}

// printBlockChange prints a change. One that is not on disk, where state is kept, is a failure.
func (c controlCommand) printBlockChange(changed *admin.BlockChange, text string, stdout, stderr io.Writer) (int, error) {
	if *c.json {
		if code := printJSON(changed, stdout, stderr); code != exitFine {
			return code, nil
		}
	} else {
		fmt.Fprintln(stdout, text)
	}
	for _, note := range changed.Notes {
		fmt.Fprintln(stderr, "note: "+note)
	}
	if changed.Unseen {
		fmt.Fprintln(stderr, "note: no mail of this account was ever seen here: is that its login, as the log has it?")
	}
	if changed.Unkept != "" {
		return exitFailed, errors.New("done, but " + changed.Unkept)
	}
	return exitFine, nil
}

const accountsBlockedHelp = `
Lists the accounts that may not send, the longest blocked first; with --all those too
that were blocked within the last 90 days.`

func runAccountsBlocked(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts blocked", accountsBlockedHelp)
	all := c.fs.Bool("all", false, "those too that may send again")
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		l, err := daemon.Blocked(ctx, *all)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(l, stdout, stderr), nil
		}
		printBlocked(l, stdout)
		return exitFine, nil
	})
}

// printBlocked prints blocked accounts for people.
func printBlocked(l *admin.BlockedAccounts, w io.Writer) {
	if len(l.Accounts) == 0 {
		fmt.Fprintln(w, "no account is blocked")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ACCOUNT\tSINCE\tUNTIL\tANSWER\tBY\tOWNER\tREASON")
	for i := range l.Accounts {
		b := &l.Accounts[i]
		until := "released"
		switch {
		case !b.Blocked:
			until = "ENDED " + minuteText(b.Ended)
		case !b.Until.IsZero():
			until = minuteText(b.Until)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain(b.Account), minuteText(b.Since), until, b.Action, orDash(b.By), orDash(b.Owner), orDash(b.Reason))
	}
	tw.Flush()
	if l.Mode == "monitor" {
		fmt.Fprintln(w, "in monitor mode nothing is refused: the log tells of their mail")
	}
}

// blockText says how an account is blocked.
func blockText(b *admin.BlockedAccount) string {
	answer, until := "450 4.7.1", "until it is released"
	if b.Action == profile.Reject.String() {
		answer = "550 5.7.1"
	}
	if !b.Until.IsZero() {
		until = "until " + minuteText(b.Until)
	}
	return fmt.Sprintf("%s is blocked %s: its mail gets %s", plain(b.Account), until, answer)
}

// whyBlocked says since when an account is blocked, by whom and why.
func whyBlocked(b *admin.BlockedAccount) string {
	text := minuteText(b.Since) + " by " + plain(cmp.Or(b.By, "command"))
	if b.Owner != "" {
		text += " (" + plain(b.Owner) + ")"
	}
	if b.Reason != "" {
		text += ": " + plain(b.Reason)
	}
	return text
}

// blockedRow says of one account whether it is blocked, and whether it was.
func blockedRow(b *admin.BlockedAccount, now time.Time) string {
	switch {
	case b == nil:
		return "no"
	case !b.Blocked && b.ReleasedBy != "":
		return fmt.Sprintf("no, released %s ago by %s; it was since %s", age(now.Sub(b.Ended)), plain(b.ReleasedBy), whyBlocked(b))
	case !b.Blocked:
		return fmt.Sprintf("no, not since %s; it was since %s", minuteText(b.Ended), whyBlocked(b))
	case !b.Until.IsZero():
		return fmt.Sprintf("YES, until %s, since %s", minuteText(b.Until), whyBlocked(b))
	}
	return "YES, until it is released, since " + whyBlocked(b)
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
)

// printAccount prints an account for people.
func printAccount(a *admin.Account, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "account\t%s\n", plain(a.Account))
	if len(a.Names) > 0 {
		fmt.Fprintf(tw, "logins\t%s\n", plain(strings.Join(a.Names, " ")))
	}
	fmt.Fprintf(tw, "blocked\t%s\nage\t%s\nplan\t%s\n", blockedRow(a.Block, a.Now), ageText(&a.Age, a.Now), plain(cmp.Or(a.Plan, "not known")))
	tw.Flush()
	fmt.Fprintln(w)
	if len(a.Limits) == 0 {
		fmt.Fprintln(w, "no limit is per account")
	} else {
		tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "LIMIT\tUSED\tMAX\tWINDOW\tACTION\tAGAIN")
		for _, l := range a.Limits {
			switch l.State {
			case admin.LimitCounts:
				again := "-"
				if !l.Again.IsZero() {
					again = l.Again.UTC().Format("2006-01-02 15:04:05 UTC")
				}
				fmt.Fprintf(tw, "%s\t%d\t%d %s\t%s\t%s\t%s\n", l.Limit, l.Used, l.Max, l.Count, l.Window, l.Action, again)
			default:
				fmt.Fprintf(tw, "%s\t-\t-\t%s\t%s\t-\n", l.Limit, l.Window, stateOf(&l))
			}
		}
		tw.Flush()
	}
	if len(a.Exceptions) > 0 {
		fmt.Fprintln(w, "\nexceptions:")
		printExceptions(a.Exceptions, "  ", w)
	}
	if a.Hijack != nil { // a daemon of before does not tell
		printHijack(a.Hijack, w)
	}
}

// stateOf says why a limit does not count an account.
func stateOf(l *admin.AccountLimit) string {
	switch l.State {
	case admin.LimitExempt:
		return "exempt"
	case admin.LimitElsewhere:
		return "per " + l.Per
	}
	return "not for it"
}

// ageText says how old an account is, and whence that is known.
func ageText(a *admin.Age, now time.Time) string {
	switch a.State {
	case admin.AgeKnown:
		by := "first seen here"
		if a.By == "file" {
			by = "by accounts.file"
		}
		return fmt.Sprintf("%s, since %s, %s", age(now.Sub(a.Since)), minuteText(a.Since), by)
	case admin.AgeUnknown:
		return fmt.Sprintf("unknown, %s at least: first seen here %s, before %s, when all accounts were new to this daemon; limits by age only report on it",
			age(now.Sub(a.Since)), minuteText(a.Since), minuteText(a.Learnt))
	}
	return "no mail of it was seen here"
}

// printExceptions prints exceptions for people, each line behind a text.
func printExceptions(all []admin.AccountException, before string, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	for _, e := range all {
		state := untilText(&e)
		if e.Expired {
			state = "EXPIRED " + lastDay(e.Expires)
		}
		fmt.Fprintf(tw, "%s%s\t%s\t%s\t%s\t%s\t%s\t%s\n", before, plain(whomText(&e)), allowanceText(&e), cmp.Or(e.Limit, "all per account"), state,
			"by "+e.By, orDash(e.Owner), orDash(e.Reason))
	}
}

// whomText names whom an exception is for.
func whomText(e *admin.AccountException) string {
	switch {
	case e.Plan != "":
		return "plan " + e.Plan
	case e.Domain != "":
		return "domain " + e.Domain
	}
	return e.Account
}

// allowanceText is what an exception allows.
func allowanceText(e *admin.AccountException) string {
	text := "exempt"
	if e.Max > 0 {
		text = fmt.Sprint(e.Max)
	}
	if e.Window != "" {
		text += " in " + e.Window
	}
	return text
}

// untilText says until when an exception holds.
func untilText(e *admin.AccountException) string {
	if e.Expires.IsZero() {
		return "for good"
	}
	return "until " + lastDay(e.Expires)
}

// lastDay is the day on which something holds for the last time, in UTC.
func lastDay(expires time.Time) string {
	return expires.Add(-time.Nanosecond).UTC().Format(time.DateOnly)
}

// printTop prints who met limits most, for people.
func printTop(t *admin.Top, pics pictures, w io.Writer) {
	if len(t.Accounts) == 0 {
		fmt.Fprintln(w, "no account has met a limit")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	header := "ACCOUNT\tREFUSED\tREPORTED\tLAST\tLIMITS"
	if !t.All {
		header = "ACCOUNT\tREFUSED\tREPORTED\tLESS\tLAST\tLIMITS"
	}
	if pics.on() {
		header += "\tTIMES"
	}
	fmt.Fprintln(tw, header)
	most := t.Accounts[0].Refused + t.Accounts[0].Reported
	for _, a := range t.Accounts {
		less := ""
		if !t.All {
			less = fmt.Sprintf("%d\t", a.Less)
		}
		bar := ""
		if pics.on() {
			bar = "\t" + pics.bar(float64(a.Refused+a.Reported)/float64(most), barPlaces/2)
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%s%s\t%s%s\n", plain(a.Account), a.Refused, a.Reported, less, minuteText(a.Last), strings.Join(a.Limits, ", "), bar)
	}
	tw.Flush()
}

// printNear prints who is near a limit, for people.
func printNear(near *admin.NearAccounts, pics pictures, w io.Writer) {
	if len(near.Accounts) == 0 {
		fmt.Fprintf(w, "no account is known to have used %.0f %% of a limit\n", 100*near.Share)
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	header := ""
	if pics.on() {
		header = "\t"
	}
	fmt.Fprintln(tw, "ACCOUNT\tUSED\t"+header+"LIMIT\tAS OF\tAGAIN\tREFILLED")
	for _, a := range near.Accounts {
		bar, asOf, again := "", "now", "now"
		if pics.on() {
			bar = pics.bar(float64(a.Used)/float64(max(a.Max, 1)), barPlaces/2) + "\t"
		}
		if a.AsOf.Before(near.Now) {
			asOf, again = age(near.Now.Sub(a.AsOf))+" ago", "-"
		}
		if !a.Again.IsZero() {
			again = minuteText(a.Again)
		}
		fmt.Fprintf(tw, "%s\t%d of %d %s in %s\t%s%s\t%s\t%s\t%s\n", plain(a.Account), a.Used, a.Max, a.Count, a.Window, bar, a.Limit, asOf, again, minuteText(a.Refilled))
	}
	tw.Flush()
	if !near.All {
		fmt.Fprintln(w, "more accounts are near a limit than are known by name; these are the nearest")
	}
}

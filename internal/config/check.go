package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailprofiled/profile"
)

// What the MTAs do by default, for warnings.
const (
	sendmailReads   = 10 * time.Second // Sendmail: R of T= in INPUT_MAIL_FILTER
	sendmailCommand = time.Hour        // Sendmail: Timeout.command
	systemdStops    = 90 * time.Second // DefaultTimeoutStopSec
)

// check looks at settings together: what is legal alone may be senseless beside another.
func check(l *loader, c *Config, main *source) {
	l.checkMode(main)
	if l.sound("verdict.tempfail_score", "verdict.reject_score") {
		l.checkScores(c)
	}
	if l.sound("retry.after", "retry.within") {
		l.checkRetry(c)
	}
	l.checkTimes(c)
	l.checkListeners(c)
	l.checkSockets(c)
	l.checkActions(c)
	l.checkAlone(c)
	l.checkStrangers(c)
	l.checkDirectories(c)
	l.checkState(c)
	l.checkDNSLists(c)
	l.checkLimitPoints(c)
	l.checkTexts(c)
	l.checkGeo(c)
	l.checkLimits(c)
	l.checkDirectory(c)
	l.checkHijack(c)
	l.checkNotify(c)
	if c.Milter.AnswerAtMail {
		l.at("milter.answer_at").warn(`milter.answer_at is "mail": it shuts postmaster and abuse to refused clients`, `use "rcpt"`)
	}
}

// at gives the place of the first of the named keys that a file sets.
func (l *loader) at(names ...string) spot {
	for _, name := range names {
		if set, ok := l.settings[name]; ok {
			return set.spot
		}
	}
	return spot{report: &Report{}, src: &source{index: indexOf("")}}
}

// sound says that none of the keys was refused: what is said of a default in
// its place would be noise.
func (l *loader) sound(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		set, ok := l.settings[name]
		return ok && set.value == nil
	})
}

func (l *loader) isSet(name string) bool {
	_, ok := l.settings[name]
	return ok
}

func (l *loader) checkMode(main *source) {
	if l.isSet("mode") || l.guessed["mode"] || l.partial {
		return
	}
	spot{report: l.report, src: main, name: "mode"}.fail("mode has no default and must be said",
		`write mode = "monitor" (judge and log, let everything through) or mode = "enforce" at the top`)
}

func (l *loader) checkScores(c *Config) {
	if c.Policy.TempfailScore > c.Policy.RejectScore {
		l.at("verdict.tempfail_score", "verdict.reject_score").fail(
			fmt.Sprintf("verdict.tempfail_score %g is over verdict.reject_score %g", c.Policy.TempfailScore, c.Policy.RejectScore),
			"keep tempfail_score at or under reject_score")
	}
}

func (l *loader) checkRetry(c *Config) {
	if c.Retry.After >= c.Retry.Within {
		l.at("retry.after", "retry.within").fail(
			fmt.Sprintf("retry.after %s is not under retry.within %s: no retry could ever pass", show(c.Retry.After), show(c.Retry.Within)),
			"keep after under within")
	}
}

// checkTimes warns only: short settings are legal, tests and the impatient need them.
func (l *loader) checkTimes(c *Config) {
	if d := c.Milter.IdleTimeout; d <= sendmailCommand {
		l.at("milter.idle_timeout").warn(fmt.Sprintf("milter.idle_timeout is %s, not longer than the MTA's own (Sendmail waits 1h for a command)", show(d)),
			`use "2h", unless the MTA's own is shorter`)
	}
	if d := c.Milter.DataTimeout; d < sendmailCommand {
		l.at("milter.data_timeout").warn(fmt.Sprintf("milter.data_timeout is %s: a large message on a slow line takes longer", show(d)),
			"use 1h or more")
	}
	if d := c.Milter.Drain; d > systemdStops {
		l.at("milter.drain").warn(fmt.Sprintf("milter.drain is %s, longer than systemd waits (90s)", show(d)), "use 90s or less, or raise TimeoutStopSec")
	}
	if d := c.DNS.Budget; d >= sendmailReads {
		l.at("dns.budget").warn(fmt.Sprintf("dns.budget is %s, and the MTA may wait no longer (Sendmail 10s unless R: of its T= says more, Postfix 30s)", show(d)),
			"use less, or let the MTA wait longer")
	}
}

func show(d time.Duration) string { return formatUnits(int64(d), durationUnits) }

// checkAlone warns where points or thresholds make a finding refuse by itself that
// by the table of findings does not, or the other way round. What a baseline ships
// so is meant.
func (l *loader) checkAlone(c *Config) {
	others := map[string][]string{} // by verb: those not set themselves, a threshold does it
	plain := c.plain().Policy
	reject := c.Policy.RejectScore
	const remedy = "see that it is meant"
	for _, info := range profile.Findings() {
		problem, points := c.Policy.AloneProblem(info), c.Policy.Points[info.ID].Value
		if problem == "" || problem == plain.AloneProblem(info) {
			continue
		}
		key := "points." + info.ID
		set := l.isSet(key)
		switch {
		case info.Alone == profile.AloneNever && set:
			l.at(key).warn(fmt.Sprintf("%s is %g: %s never refuses without other findings, whatever its points", key, points, info.ID), remedy)
		case points >= reject && set:
			l.at(key).warn(fmt.Sprintf("%s is %g: %s alone now refuses (%g >= reject_score), the points of %s never do", key, points, info.ID, points, plain.Baseline), remedy)
		case set:
			l.at(key).warn(fmt.Sprintf("%s is %g: %s alone no longer refuses (%g < reject_score), the points of %s do", key, points, info.ID, points, plain.Baseline), remedy)
		case info.Alone == profile.AloneNever:
			// Nothing changes: it is a law.
		case points >= reject:
			others["now refuses"] = append(others["now refuses"], info.ID)
		default:
			others["no longer refuses"] = append(others["no longer refuses"], info.ID)
		}
	}
	for _, verb := range sorted(others) {
		l.at("verdict.reject_score", "baseline").warn(
			fmt.Sprintf("verdict.reject_score is %g: %s alone %s (in %s it is %g)", reject, some(others[verb]), verb, plain.Baseline, plain.RejectScore),
			"see that it is meant, or change points too")
	}
}

// some names the first of many, as the subject of "does".
func some(ids []string) string {
	const most = 3
	switch {
	case len(ids) == 1:
		return ids[0]
	case len(ids) <= most:
		return "each of " + strings.Join(ids, ", ")
	}
	return fmt.Sprintf("each of %s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}

//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mailprofiled/internal/mtatest"
)

// A line is one log line of the daemon: its keys in order, and their values.
type line struct {
	keys   []string
	values map[string]string
}

// The keys of the lines, in the order that is promised to operators.
var (
	verdictKeys = strings.Fields("time level msg id client ptr helo from rcpts rcpt account stage action code status score findings policy mode took")
	messageKeys = strings.Fields("time level msg id client account queue rcpts")
)

// parseLine reads logfmt: key=value, or key="value with escapes".
func parseLine(text string) (line, error) {
	l := line{values: map[string]string{}}
	for text != "" {
		key, rest, found := strings.Cut(text, "=")
		if !found || key == "" || strings.ContainsAny(key, "\" ") {
			return l, fmt.Errorf("no key=value at %q", text)
		}
		value, after, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return l, fmt.Errorf("value of %s: %w", key, err)
			}
			after = strings.TrimPrefix(rest[len(quoted):], " ")
			if value, err = strconv.Unquote(quoted); err != nil {
				return l, fmt.Errorf("value of %s: %w", key, err)
			}
		}
		l.keys = append(l.keys, key)
		l.values[key] = value
		text = after
	}
	return l, nil
}

// findings gives the points by finding.
func (l line) findings() map[string]string {
	out := map[string]string{}
	for _, f := range strings.Split(l.values["findings"], ",") {
		if id, n, ok := cutLast(f, ":"); ok {
			out[id] = n
		}
	}
	return out
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// verdicts waits for n verdict lines of a client, from the mark on, and holds
// each to what every such line promises.
func (d *daemon) verdicts(t *testing.T, mark int, client netip.Addr, n int) []line {
	t.Helper()
	return d.lines(t, mark, n, "verdict", client, verdictKeys)
}

// verdict is verdicts for one.
func (d *daemon) verdict(t *testing.T, mark int, client netip.Addr) line {
	t.Helper()
	return d.verdicts(t, mark, client, 1)[0]
}

// messages is verdicts for the lines at end of message.
func (d *daemon) messages(t *testing.T, mark int, client netip.Addr, n int) []line {
	t.Helper()
	return d.lines(t, mark, n, "message", client, messageKeys)
}

func (d *daemon) lines(t *testing.T, mark, n int, msg string, client netip.Addr, keys []string) []line {
	t.Helper()
	texts, err := d.log.WaitN(waiting(t), mark, n, mtatest.Containing(" msg="+msg+" ", " client="+client.String()+" "))
	if err != nil {
		t.Fatal(err)
	}
	var out []line
	for _, text := range texts {
		l, err := parseLine(text)
		if err != nil {
			t.Fatalf("%v, in %s", err, text)
		}
		checkOrder(t, text, l.keys, keys)
		if msg == "verdict" {
			checkVerdict(t, text, l)
		}
		out = append(out, l)
	}
	return out
}

// checkOrder holds keys to the promised ones and their order.
func checkOrder(t *testing.T, text string, got, promised []string) {
	t.Helper()
	at := -1
	for _, key := range got {
		i := slices.Index(promised, key)
		if i <= at {
			t.Errorf("key %q is unknown or out of order in %s", key, text)
			return
		}
		at = i
	}
}

var promises = map[string]*regexp.Regexp{
	"id":     regexp.MustCompile(`^[0-9a-z]{12}$`),
	"from":   regexp.MustCompile(`^<.*>$`),
	"rcpts":  regexp.MustCompile(`^[0-9]+$`),
	"stage":  regexp.MustCompile(`^(mail|rcpt)$`),
	"action": regexp.MustCompile(`^(continue|tempfail|reject)$`),
	"policy": regexp.MustCompile(`^standard@1-[0-9a-f]{8}$`),
	"mode":   regexp.MustCompile(`^(monitor|enforce)$`),
	"took":   regexp.MustCompile(`^[0-9]+\.[0-9]ms$`),
}

// checkVerdict holds a verdict line to what all of them promise: the shapes of
// the values, a score that is the sum of its points, an action that fits the score.
func checkVerdict(t *testing.T, text string, l line) {
	t.Helper()
	for key, shape := range promises {
		if !shape.MatchString(l.values[key]) {
			t.Errorf("%s=%q is not as promised in %s", key, l.values[key], text)
		}
	}
	score, err := strconv.ParseFloat(l.values["score"], 64)
	if err != nil {
		t.Errorf("score: %v in %s", err, text)
	}
	sum := 0.0
	for _, n := range l.findings() {
		if p, err := strconv.ParseFloat(n, 64); err == nil { // else a word: "monitor"
			sum += p
		}
	}
	if math.Abs(sum-score) > 1e-6 {
		t.Errorf("score=%v, but its points are %v in all, in %s", score, sum, text)
	}
	_, passed := l.findings()["retry-passed"]
	open := passed || strings.HasPrefix(strings.ToLower(l.values["rcpt"]), "<postmaster") || l.values["rcpts"] == "0"
	limited := strings.HasPrefix(l.values["findings"], "limit:") // limits refuse without points
	if action := l.values["action"]; !limited && (score < 5 && action != "continue" || score >= 5 && action == "continue" && !open) {
		t.Errorf("action=%s does not fit score=%v in %s", action, score, text)
	}
	if code := l.values["code"]; (l.values["action"] == "continue") != (code == "") {
		t.Errorf("code=%s does not fit the action in %s", code, text)
	}
}

package config

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// maxPoints bounds one finding's points, both ways; thresholds go as far.
const maxPoints = 1000

// Findings that act, or weigh, by something else than their points.
const (
	retryPassed = "retry-passed"
	localPoints = "local-points"
)

// pointsKind takes a row of [points].
func pointsKind() Kind {
	return Kind{
		Name: "points", Range: `a number from -1000 to 1000, "off", "monitor"; "tempfail" for *-error`,
		parse: func(raw any, s spot) (any, bool) {
			if _, ok := raw.(map[string]any); ok {
				return s.wrongType(raw, `the id of a finding in one piece: "rdns-missing" = 6.0`)
			}
			if !knownFinding(s) {
				return nil, false
			}
			if f, ok := number(raw); ok {
				return pointsNumber(f, s)
			}
			text, ok := raw.(string)
			if !ok {
				return s.wrongType(raw, `a number, "off" or "monitor"`)
			}
			return pointsWord(text, s)
		},
		format: func(v any) string {
			p := v.(profile.Points)
			switch p.Rule {
			case profile.Off:
				return `"off"`
			case profile.Monitor:
				return `"monitor"`
			case profile.AtLeastTempfail:
				return `"tempfail"`
			}
			return formatNumber(p.Value)
		},
	}
}

// knownFinding refuses ids that this version does not judge.
func knownFinding(s spot) bool {
	ids := findingIDs()
	if slices.Contains(ids, s.last) {
		return true
	}
	if prefix, list, ok := cutListFinding(s.last); ok && list != "" {
		return true // which lists there are is known later
	} else if ok {
		s.fail("points for "+quote(prefix)+": no list is named", "write the id of one: "+quote(prefix+"spamcop"))
		return false
	}
	if name, ok := strings.CutPrefix(s.last, limitFinding); ok && name != "" {
		return true // likewise
	} else if ok {
		s.fail("points for "+quote(limitFinding)+": no limit is named", "write its name: "+quote(limitFinding+"new accounts"))
		return false
	}
	near := nearest(s.last, ids)
	remedy := "remove it (the manual lists the findings)"
	if near != "" {
		remedy = "did you mean " + quote(near) + "?"
	}
	s.fail("unknown finding "+quote(s.last), remedy)
	return false
}

func findingIDs() []string {
	var ids []string
	for _, info := range profile.Findings() {
		if !info.Named {
			ids = append(ids, info.ID)
		}
	}
	return ids
}

func pointsNumber(f float64, s spot) (any, bool) {
	shown := fmt.Sprint(f)
	info := finding(s.last)
	switch {
	case math.IsNaN(f):
		return s.bad(shown, "no number", "write a number")
	case f < -maxPoints || f > maxPoints:
		return s.bad(shown, "out of range", fmt.Sprintf("use a number from %d to %d", -maxPoints, maxPoints))
	case info.Error && f != 0:
		return s.bad(shown, "trouble with a look-up is no evidence and has no points", `use 0, "tempfail", "off" or "monitor"`)
	case s.last == retryPassed && f != 0:
		return s.bad(shown, "it lets a deferred visit pass and has no points", `use 0, "off" or "monitor"`)
	case strings.HasPrefix(s.last, limitFinding):
		return s.bad(shown, "a limit has no points: it refuses, or reports", `use "off" or "monitor"`)
	case info.Fixed && strings.HasPrefix(s.last, "rcpt-") && f != 0:
		return s.bad(shown, "it answers by itself and has no points", `use "off" or "monitor"`)
	case info.Fixed && f != 0:
		return s.bad(shown, "the rules in [[local]] say what they do", `use "off" or "monitor"`)
	case s.last == localPoints:
		s.odd(shown, "the rules in [[local]] say what they weigh, and still count", `use "off" or "monitor", or remove it`)
	case info.Lifts != nil && f > 0:
		return s.bad(shown, "this finding speaks for the client", fmt.Sprintf("use %g", -f))
	case info.Lifts == nil && f < 0:
		return s.bad(shown, "this finding speaks against the client", fmt.Sprintf(`use %g, or "off"`, -f))
	}
	return profile.Points{Value: f + 0, Rule: profile.Counted}, true
}

func pointsWord(text string, s spot) (any, bool) {
	switch text {
	case "off":
		return profile.Points{Rule: profile.Off}, true
	case "monitor":
		return profile.Points{Rule: profile.Monitor}, true
	case "tempfail":
		if finding(s.last).Error {
			return profile.Points{Rule: profile.AtLeastTempfail}, true
		}
		return s.bad(quote(text), "only *-error findings take it", "use a number: at tempfail_score it defers by itself")
	}
	words := []string{"off", "monitor", "tempfail"}
	if near := nearest(strings.ToLower(text), words); near != "" {
		return s.bad(quote(text), "not known", "did you mean "+quote(near)+"?")
	}
	if number := strings.TrimSpace(text); number != "" && strings.Trim(number, "+-.0123456789") == "" {
		return s.bad(quote(text), "a number in quotes", "write "+number)
	}
	return s.bad(quote(text), "not known", `use a number, "off" or "monitor"`)
}

// limitFinding stands before the name of a limit in the id of its finding.
const limitFinding = "limit:"

// checkLimitPoints warns of limits that are named in [points] and are not there.
func (l *loader) checkLimitPoints(c *Config) {
	for _, set := range l.settings {
		if set.key.Name != "points.*" || set.value == nil {
			continue
		}
		name, ok := strings.CutPrefix(set.spot.last, limitFinding)
		if ok && !slices.ContainsFunc(c.Limits, func(limit ratelimit.Limit) bool { return limit.Name == name }) {
			set.spot.warn(quote(set.spot.last)+": there is no limit of that name", "name one of [[limit]], or remove it")
		}
	}
}

// finding gives the row of an id that is known.
func finding(id string) profile.Info {
	kind := id
	if prefix, _, ok := cutListFinding(id); ok {
		kind = prefix + "ID"
	}
	if strings.HasPrefix(id, limitFinding) {
		kind = limitFinding + "NAME"
	}
	for _, info := range profile.Findings() {
		if info.ID == kind {
			return info
		}
	}
	return profile.Info{ID: id}
}

// pointNumberKind takes the points of things that have no finding id.
func pointNumberKind() Kind {
	kind := numberKind(-maxPoints-1, maxPoints)
	kind.Range = fmt.Sprintf("%d to %d", -maxPoints, maxPoints)
	return kind
}

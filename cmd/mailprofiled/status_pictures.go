package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/admin"
)

// This file has the rows of status that are drawn at a terminal. In a file or a pipe
// they are the lines of verdictsText and findingsText.

// The size of what is drawn, in places: with the label before it, 80 hold it.
const (
	barPlaces  = 20
	linePlaces = 32
)

// actionsOf are the answers there are, mildest first.
var actionsOf = []string{"continue", "tempfail", "reject"}

// verdictRows are the answers since the start, each with its share.
func (p pictures) verdictRows(s *admin.Status) []string {
	total := uint64(0)
	for _, n := range s.Verdicts {
		total += n
	}
	if !p.on() || total == 0 {
		return []string{verdictsText(s)}
	}
	var rows []string
	for _, action := range actionsOf {
		part := float64(s.Verdicts[action]) / float64(total)
		rows = append(rows, strings.TrimRight(fmt.Sprintf("%-8s %9d %5.1f%%  %s", action, s.Verdicts[action], 100*part, p.bar(part, barPlaces)), " "))
	}
	if s.Mode == "monitor" {
		rows = append(rows, "in monitor mode, everything goes on")
	}
	return rows
}

// dayRows are the answers of the last day over its time; none without pictures, and
// from a daemon that does not tell.
func (p pictures) dayRows(day *admin.Trend) []string {
	if !p.on() || day == nil {
		return nil
	}
	var rows []string
	for _, action := range actionsOf {
		each := day.Each[action]
		line, most := p.sparkline(each, linePlaces)
		if most == 0 {
			continue
		}
		place := time.Duration(day.BucketS*float64(time.Second)) * time.Duration((len(each)+linePlaces-1)/linePlaces)
		rows = append(rows, fmt.Sprintf("%-8s %s  at most %d in %s", action, line, most, spanText(place)))
	}
	return rows
}

// findingRows are the most frequent findings, each against the first.
func (p pictures) findingRows(found map[string]uint64) []string {
	if !p.on() || len(found) == 0 {
		return []string{findingsText(found)}
	}
	ids := mostFound(found)
	shown := ids[:min(len(ids), mostShown)]
	width := 0
	for _, id := range shown {
		width = max(width, len(id))
	}
	var rows []string
	for _, id := range shown {
		rows = append(rows, fmt.Sprintf("%-*s %9d  %s", width, id, found[id], p.bar(float64(found[id])/float64(found[ids[0]]), barPlaces)))
	}
	if more := len(ids) - len(shown); more > 0 {
		rows = append(rows, fmt.Sprintf("%d more", more))
	}
	return rows
}

// mostFound gives the ids of findings, the most frequent first.
func mostFound(found map[string]uint64) []string {
	return slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(found[b], found[a]), cmp.Compare(a, b))
	})
}

// used draws how much of something is used, behind a text.
func (p pictures) used(part, whole int64) string {
	if !p.on() || whole <= 0 || part <= 0 {
		return ""
	}
	return "  " + p.bar(float64(part)/float64(whole), barPlaces/2)
}

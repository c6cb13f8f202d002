package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What files of the state are, by their names. In this order those of one number
// are read.
type sort uint8

const (
	other    sort = iota // set aside, or not ours: only its number counts
	snapshot             // all records
	journal              // changes
	partial              // a snapshot that is being written, or never was to its end
)

var suffixes = map[string]sort{"snapshot": snapshot, "journal": journal, "snapshot.tmp": partial}

// A stateFile is the name of one, taken apart.
type stateFile struct {
	name string
	sort sort
	seq  uint64
}

func nameOf(seq uint64, suffix string) string { return fmt.Sprintf("state.%08d.%s", seq, suffix) }

// asideName is what a file with damage is called in the end.
func asideName(name string, now time.Time) string {
	return name + ".corrupt-" + now.UTC().Format("20060102T150405Z")
}

// isAside reports whether a file was set aside.
func isAside(name string) bool {
	return strings.HasPrefix(name, "state.") && strings.Contains(name, ".corrupt-")
}

// parseName takes a name apart; false if it is none of the state's.
func parseName(name string) (stateFile, bool) {
	rest, ok := strings.CutPrefix(name, "state.")
	number, suffix, dot := strings.Cut(rest, ".")
	seq, err := strconv.ParseUint(number, 10, 63)
	if !ok || !dot || err != nil || len(number) < 8 {
		return stateFile{}, false
	}
	return stateFile{name, suffixes[suffix], seq}, true
}

// sortFiles takes apart the names that are the state's, in the order of reading.
func sortFiles(names map[string]int64) []stateFile {
	var all []stateFile
	for name := range maps.Keys(names) {
		if f, ok := parseName(name); ok {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b stateFile) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.sort, b.sort), strings.Compare(a.name, b.name))
	})
	return all
}

package local

import (
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"
)

// A Change is a new version of a file that was taken in.
type Change struct {
	File    string
	Format  Format
	Entries int
	Before  int // entries of the version before
}

// Refresh looks at the files and takes in those that changed. It costs a stat
// for each file while none did; files that changed in the last two seconds wait
// for the next time, since half a file can look like a whole one. A version that
// cannot be used changes nothing: it is told once, and the one before stays. The
// problems are told once for each version, too. Nobody who asks is held up; after
// a change, so told, Digest is another.
func (s *Set) Refresh(now time.Time) ([]Change, []Problem) {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	if len(s.sources) == 0 {
		return nil, nil
	}
	lists := slices.Clone(s.tables.Load().lists)
	var changes []Change
	var problems []Problem
	for i, src := range s.sources {
		info, err := os.Stat(src.path)
		if err == nil && !src.isNew(info, lists[i].version, now) {
			continue
		}
		l, said := s.reread(src, info, err, now)
		problems = append(problems, said...)
		if l == nil {
			continue
		}
		l.uses.carry(lists[i].uses)
		if l.entries == 0 && lists[i].entries > 0 {
			problems = append(problems, Problem{File: src.path, Warning: true,
				What: "no entries any more", Remedy: "if that is not meant, see what has emptied it"})
		}
		changes = append(changes, Change{src.path, src.format, l.entries, lists[i].entries})
		lists[i] = l
	}
	if len(changes) > 0 {
		s.publish(lists)
	}
	return changes, problems
}

// isNew reports whether there is something to be read.
func (s *source) isNew(info, used fs.FileInfo, now time.Time) bool {
	if sameVersion(info, used) {
		s.refused = nil // whatever was there in between is gone
		s.trouble.Store(nil)
		return false
	}
	if sameVersion(info, s.refused) {
		return false
	}
	age := now.Sub(info.ModTime())
	return age < 0 || age >= quiet
}

// reread reads a file that changed. It gives no list if nothing of it can be used.
func (s *Set) reread(src *source, seen fs.FileInfo, err error, now time.Time) (*list, []Problem) {
	var l *list
	var problems []Problem
	if err == nil {
		l, problems, err = src.read(s.seed, now)
	}
	switch {
	case err != nil: // to be tried again, and told again only when it is another error
		src.refused = nil
		problems = []Problem{src.unreadable(err)}
		if said := src.trouble.Load(); said != nil && *said == problems[0].String() {
			return nil, nil
		}
	case l == nil:
		src.refused = seen
	default:
		src.refused = nil
		src.trouble.Store(nil)
		return l, append(l.problems[:len(l.problems):len(l.problems)], s.remarks(src, l, now.Unix())...)
	}
	said := problems[0].String()
	src.trouble.Store(&said)
	problems[0].What += " (the version before stays in use)"
	return nil, problems
}

// remarks are what is odd about a list as a whole, for these rules.
func (s *Set) remarks(src *source, l *list, now int64) []Problem {
	var all []Problem
	warn := func(line int, what, remedy string) {
		all = append(all, Problem{File: src.path, Line: line, What: what, Remedy: remedy, Warning: true})
	}
	if l.ends <= now {
		warn(0, "the whole file has expired, by its $TIMESTAMP", "fetch a new one")
	} else if n := l.expired(now); n > 0 {
		first := slices.IndexFunc(l.dates, func(d dated) bool { return d.ends <= now })
		warn(int(l.dates[first].line), "an entry that has expired"+andMore(n), "take it out, or give it a new date")
	}
	lifts := slices.ContainsFunc(src.rules, func(m fileMatch) bool {
		r := &s.rules[m.rule]
		return r.Action == Allow || r.Action == Points && r.Points < 0
	})
	if lifts && l.guessed.count > 0 {
		warn(l.guessed.first, "without a type this lets in whoever writes that sender, which anybody can"+andMore(l.guessed.count),
			"write from: before it if that is meant; client: and ptr: cannot be forged")
	}
	return all
}

// String tells the change in a line.
func (c Change) String() string {
	return c.File + ": " + strconv.Itoa(c.Entries) + " entries, " + strconv.Itoa(c.Before) + " before"
}

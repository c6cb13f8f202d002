package local

import (
	"hash/maphash"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Load reads the files that the rules name. What old, which may be nil, has read
// already and what did not change since is taken from there, and so are the
// counters of rules with the same action and matchers. now is also since when
// new ones count.
//
// Without a Set some rule is wrong, or some file cannot be used at all: missing,
// unreadable, a directory, binary, or of more bad lines than good. Bad lines in a
// file that is a list otherwise are problems too, and left out; the Set is there
// all the same, because a list that protects must not fall away for one line
// that a nightly job broke. So a caller that must not go on with mistakes looks
// for problems that are no warnings; one that is to serve mail, for a nil Set.
func Load(rules []Rule, now time.Time, old *Set) (*Set, []Problem) {
	l := loader{set: &Set{seed: maphash.MakeSeed()}, now: now, old: old, sources: map[[2]string]int{}, usable: true}
	if old != nil && len(old.sources) > 0 {
		l.set.seed = old.seed // its tables are made with it
	}
	l.takeOver()
	for i, r := range rules {
		l.rule(i, r)
	}
	l.set.inline.build(l.set.seed)
	lists := l.files()
	if !l.usable {
		return nil, l.problems
	}
	l.set.publish(lists)
	return l.set, l.problems
}

// A loader makes a Set.
type loader struct {
	set      *Set
	old      *Set
	now      time.Time
	uses     map[string][]*rule // of old, by key
	sources  map[[2]string]int  // by format and path
	problems []Problem
	usable   bool
}

// key tells a rule from others for its counters: who is asked and why may change.
func (r *Rule) key() string { return r.Action.String() + "\n" + strings.Join(r.Match, "\n") }

func (l *loader) takeOver() {
	l.uses = map[string][]*rule{}
	if l.old == nil {
		return
	}
	for i := range l.old.rules {
		r := &l.old.rules[i]
		l.uses[r.key()] = append(l.uses[r.key()], r)
	}
}

func (l *loader) rule(i int, given Rule) {
	r := rule{Rule: given, until: until(given.Expires), use: &use{}, since: l.now}
	if same := l.uses[given.key()]; len(same) > 0 {
		r.use, r.since = same[0].use, same[0].since
		l.uses[given.key()] = same[1:]
	}
	if given.Action > Points {
		l.fail(given, "unknown action", `write "deny", "allow" or "points"`)
	}
	if len(given.Match) == 0 {
		l.fail(given, "the rule matches nothing", `write match = ["client:192.0.2.0/24"]`)
	}
	for j, text := range given.Match {
		l.match(&r, ref{i, j}, text)
	}
	if r.until <= l.now.Unix() {
		l.warn(given, "the rule has expired on "+given.Expires.Format(time.DateOnly), "take it out, or give it a new date")
	}
	l.set.rules = append(l.set.rules, r)
}

func (l *loader) match(r *rule, at ref, text string) {
	if strings.HasPrefix(text, "file:") {
		l.file(r, at, strings.TrimPrefix(text, "file:"))
		return
	}
	e, bad := parseRuleValue(text)
	switch {
	case bad != nil:
		l.fail(r.Rule, "match: "+bad.what, bad.remedy)
		return
	case e.wide && r.Action != Points:
		l.warn(r.Rule, "match: "+quote(text)+" is a very large network", "see that the prefix length is meant")
	}
	l.set.inline.add(e, at)
	for f := range Field(fields) {
		r.asks[f] = r.asks[f] || e.asks(f)
	}
}

// parseRuleValue is for the values in rules, which always have a type.
func parseRuleValue(text string) (entry, *mistake) {
	if strings.ContainsAny(text, " \t") {
		return entry{}, &mistake{quote(text) + " holds a space", "write each matcher in quotes of its own"}
	}
	if _, _, typed, bad := cutType([]byte(text)); bad == nil && !typed {
		return entry{}, &mistake{quote(text) + " has no type", "write one of " + types + " file: before it"}
	}
	return parseValue([]byte(text))
}

func (e *entry) asks(f Field) bool {
	if f == Client {
		return e.net.IsValid()
	}
	return e.kind&tree(f) != 0
}

func (l *loader) file(r *rule, at ref, text string) {
	format, path, bad := cutFormat(text)
	if bad != nil {
		l.fail(r.Rule, "match: "+bad.what, bad.remedy)
		return
	}
	key := [2]string{string(format), path}
	i, ok := l.sources[key]
	if !ok {
		i = len(l.set.sources)
		l.sources[key] = i
		l.set.sources = append(l.set.sources, &source{path: path, format: format, use: &use{}, since: l.now})
	}
	if slices.Contains(r.files, i) {
		return
	}
	r.files = append(r.files, i)
	l.set.sources[i].rules = append(l.set.sources[i].rules, fileMatch(at))
}

// files reads all files, or takes them from the Set before.
func (l *loader) files() []*list {
	lists := make([]*list, len(l.set.sources))
	for i, s := range l.set.sources {
		had, same := l.adopt(s)
		if !same {
			lists[i] = l.read(s, had)
		} else {
			lists[i] = had
		}
		if lists[i] == nil {
			l.usable = false
			continue
		}
		l.problems = append(l.problems, lists[i].problems...)
		l.problems = append(l.problems, l.set.remarks(s, lists[i], l.now.Unix())...)
	}
	return lists
}

// adopt takes over what the Set before has of a file, and tells whether it is
// still the same on disk.
func (l *loader) adopt(s *source) (had *list, same bool) {
	if l.old == nil {
		return nil, false
	}
	i := slices.IndexFunc(l.old.sources, func(o *source) bool { return o.path == s.path && o.format == s.format })
	if i < 0 {
		return nil, false
	}
	o := l.old.sources[i]
	s.use, s.since = o.use, o.since
	had = l.old.tables.Load().lists[i]
	info, err := os.Stat(s.path)
	return had, err == nil && sameVersion(info, had.version)
}

func (l *loader) read(s *source, had *list) *list {
	this, problems, err := s.read(l.set.seed, l.now)
	if err != nil {
		problems = []Problem{s.unreadable(err)}
	}
	l.problems = append(l.problems, problems...)
	if this == nil {
		return nil
	}
	if had != nil {
		this.uses.carry(had.uses)
	}
	return this
}

func (l *loader) fail(r Rule, what, remedy string) {
	l.usable = false
	l.problems = append(l.problems, r.problem(what, remedy, false))
}

func (l *loader) warn(r Rule, what, remedy string) {
	l.problems = append(l.problems, r.problem(what, remedy, true))
}

// problem words a problem with a rule, at its place.
func (r *Rule) problem(what, remedy string, warning bool) Problem {
	p := Problem{File: r.Where, What: what, Remedy: remedy, Warning: warning}
	if i := strings.LastIndexByte(r.Where, ':'); i >= 0 {
		if line, err := strconv.Atoi(r.Where[i+1:]); err == nil {
			p.File, p.Line = r.Where[:i], line
		}
	}
	return p
}

package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file tells why a recipient is said to exist or not: the postmaster must be able
// to put a finger on the line, or the question. It is for those who ask, not for mail.

// A mention is a line that says something of a key.
type mention struct {
	file string
	line int
	says word
}

func (m mention) String() string { return fmt.Sprintf("%s:%d", m.file, m.line) }

// maxMentions are kept of one key.
const maxMentions = 3

// mention notes the line that is read as one about a key, where that is watched.
func (rd *reading) mention(key uint64, w word) {
	if rd.table.watched == nil {
		return
	}
	if all, ok := rd.table.watched[key]; ok && len(all) < maxMentions {
		rd.table.watched[key] = append(all, mention{rd.file, rd.line, w})
	}
}

// Why tells on which lines the answer about an address rests, where files say something
// of it. It reads them again, as they are now: what is in use holds no lines.
func (f *File) Why(a Address, now time.Time) string {
	used := f.loaded.Load()
	t := newTable()
	t.watched = make(map[uint64][]mention)
	for at, hops := a, 0; hops <= aliasHops; hops++ {
		for _, key := range t.keys(at) {
			t.watched[key] = nil
		}
		var ok bool
		if at.Domain, ok = used.table.aliases[used.table.hash("", at.Domain)]; !ok {
			break
		}
	}
	l, problems, _ := loadInto(t, f.specs, now)
	if l == nil {
		return "the files cannot be read now: " + problems[0].String()
	}
	text := t.why(a, aliasHops)
	if t.lookup(a).Result != used.table.lookup(a).Result {
		text += "; but that is the files as they are now, and in use is what was read at " + used.at.UTC().Format(time.RFC3339)
	}
	return text
}

// keys are those by which something may be said of an address: its own, that of its name
// at any domain, and that of its domain.
func (t *table) keys(a Address) [3]uint64 {
	return [...]uint64{t.hash(a.Local, a.Domain), t.hash(a.Local, ""), t.hash("", a.Domain)}
}

// why words what a table says of an address, by the lines that are watched.
func (t *table) why(a Address, hops int) string {
	keys := t.keys(a)
	for _, key := range keys[:2] {
		if a.Local == "" {
			break
		}
		if at := t.find(key); at >= 0 {
			return said(t.watched[key], t.word(at))
		}
	}
	lines := t.watched[keys[2]]
	domain := t.find(keys[2])
	to := t.aliases[keys[2]]
	switch {
	case domain >= 0 && to != "" && (hops == 0 || !t.speaksFor(to)):
		return join(lines[:1]) + " has the domain stand for " + to
	case domain >= 0 && to != "":
		text := join(lines[:1]) + " has the domain stand for " + to
		a.Domain = to
		if there := t.keys(a)[2]; len(t.watched[there]) == 0 {
			return text // as of now: it was not watched
		}
		return text + ", and there " + t.why(a, hops-1)
	case domain >= 0 && t.word(domain) == grants && a.Local == "":
		return "all of the domain stands in " + join(lines)
	case domain >= 0:
		return fmt.Sprintf("it is none of %d addresses, and %s has the files speak for the domain", t.users, join(lines[:1]))
	case t.all:
		return fmt.Sprintf("it is none of %d addresses, and the files speak for all domains", t.users)
	}
	return "the files do not say who exists at the domain"
}

// said words what lines say of an address.
func said(lines []mention, w word) string {
	switch w {
	case grants:
		return "it stands in " + join(lines)
	case denies:
		return "nobody, says " + join(lines)
	}
	if slices.ContainsFunc(lines, func(m mention) bool { return m.says == unread }) {
		return "it may be what is meant in " + join(lines) + ", which cannot be read"
	}
	return "refused for another reason, says " + join(lines)
}

func join(lines []mention) string {
	var texts []string
	for _, m := range lines {
		texts = append(texts, m.String())
	}
	return strings.Join(texts, ", ")
}

// Why tells of each source of a domain what it says of a recipient, and on what that
// rests; it asks nobody who has to be waited for, and so comes after a Lookup.
func (s *Stack) Why(a Address, now time.Time) []string {
	if s == nil {
		return nil
	}
	p, ours := s.domains[a.Domain]
	if !ours {
		return []string{a.Domain + " is none of us.domains: nobody is asked"}
	}
	var all []string
	if p.target != "" {
		all = append(all, a.Domain+" stands for "+p.target)
		a.Domain = p.target
	}
	for _, r := range p.routes {
		all = append(all, s.whyRoute(r, a, now)...)
	}
	if len(p.routes) == 0 {
		all = append(all, "no source is there for "+a.Domain+": nobody is asked")
	}
	return all
}

// whyRoute tells what one source says.
func (s *Stack) whyRoute(r *Route, a Address, now time.Time) (all []string) {
	asked := strings.TrimPrefix(r.Name, r.Kind+" ")
	file, _ := r.File.(*File)
	if r.Guard == nil && file == nil {
		return []string{r.Kind + ": nobody is asked; the MTA refuses whom it does not know"}
	}
	for _, variant := range s.variants(a) {
		if variant.Domain == "" {
			continue
		}
		text := r.Kind + " " + variant.String() + ": "
		var result Result
		if file != nil {
			result = file.Lookup(context.Background(), variant).Result
			if variant.Local != "" || result == Yes {
				all = append(all, text+result.String()+": "+file.Why(variant, now))
			}
		} else if e, ok := r.Guard.Cached(variant); ok {
			result = e.Result
			all = append(all, text+result.String()+": "+asked)
		} else {
			all = append(all, text+"not answered: "+asked)
		}
		if result == Yes {
			break
		}
	}
	return all
}

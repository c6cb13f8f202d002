package directory

import (
	"context"
	"fmt"
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
	t := newTable()
	keys := [...]uint64{t.hash(a.Local, a.Domain), t.hash(a.Local, ""), t.hash("", a.Domain)}
	t.watched = make(map[uint64][]mention)
	for _, key := range keys {
		t.watched[key] = nil
	}
	l, problems, _ := loadInto(t, f.specs, now)
	if l == nil {
		return "the files cannot be read now: " + problems[0].String()
	}
	text := t.why(a, keys)
	if used := f.loaded.Load(); t.lookup(a).Result != used.table.lookup(a).Result {
		text += "; but that is the files as they are now, and in use is what was read at " + used.at.UTC().Format(time.RFC3339)
	}
	return text
}

// why words what a table says of an address, by the lines of its keys: of the address, of
// its name at any domain, and of its domain.
func (t *table) why(a Address, keys [3]uint64) string {
	for _, key := range keys[:2] {
		if a.Local == "" {
			break
		}
		if at := t.find(key); at >= 0 {
			return said(t.watched[key], t.word(at))
		}
	}
	domain := t.find(keys[2])
	to := t.aliases[keys[2]]
	switch {
	case domain >= 0 && to != "":
		return join(t.watched[keys[2]][:1]) + " has the domain stand for " + to
	case domain >= 0 && t.word(domain) == grants && a.Local == "":
		return "all of the domain stands in " + join(t.watched[keys[2]])
	case domain >= 0:
		return fmt.Sprintf("it is none of %d addresses, and %s has the files speak for the domain", t.users, join(t.watched[keys[2]][:1]))
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
	p := s.at(a.Domain)
	var all []string
	if p.target != "" {
		all = append(all, a.Domain+" stands for "+p.target)
		a.Domain = p.target
	}
	for _, r := range p.routes {
		file, _ := r.File.(*File)
		asked := strings.TrimPrefix(r.Name, r.Kind+" ")
		if r.Guard == nil && file == nil {
			continue
		}
		for _, variant := range s.variants(a) {
			if variant.Domain == "" {
				continue
			}
			text := r.Kind + " " + variant.String() + ": "
			if file != nil {
				e := file.Lookup(context.Background(), variant)
				if variant.Local != "" || e.Result == Yes {
					all = append(all, text+e.Result.String()+": "+file.Why(variant, now))
				}
				if e.Result == Yes {
					break
				}
				continue
			}
			e, ok := r.Guard.Cached(variant)
			if !ok {
				all = append(all, text+"not answered: "+asked)
				continue
			}
			all = append(all, text+e.Result.String()+": "+asked)
			if e.Result == Yes {
				break
			}
		}
	}
	return all
}

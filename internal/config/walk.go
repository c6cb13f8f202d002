package config

import (
	"strconv"
	"strings"
)

// A setting is one key as a file sets it.
type setting struct {
	key   *Key
	value any  // nil when the file's value was refused
	spot  spot // where it stands
}

// A loader walks the files of one configuration against a schema. A key set
// again in a later file replaces; elements of arrays of tables append.
type loader struct {
	schema   *node
	report   *Report
	settings map[string]setting
	elements map[string]int  // of each array of tables, over all files
	tables   map[string]spot // where each of those stands: "local[0]"
	guessed  map[string]bool // keys that a misspelt one most likely is
	partial  bool            // a file could not be read
	here     bool            // the configuration is meant for this machine
}

func newLoader(schema *node, report *Report) *loader {
	return &loader{schema: schema, report: report, settings: map[string]setting{}, elements: map[string]int{}, tables: map[string]spot{}, guessed: map[string]bool{}}
}

func (l *loader) add(src *source) {
	l.table(l.schema, spot{report: l.report, src: src}, src.tree, false)
}

// table walks one table. quiet says that it stands in something already
// refused as not in this version.
func (l *loader) table(n *node, s spot, table map[string]any, quiet bool) {
	for _, name := range sorted(table) {
		at := s.into(name)
		child := n.find(name)
		if child == nil {
			l.unknown(n, at, name)
			continue
		}
		l.place(child, at, table[name], quiet)
	}
}

func (l *loader) place(n *node, s spot, raw any, quiet bool) {
	switch {
	case n.array != nil:
		l.array(n.array, s, raw, quiet)
	case n.key != nil:
		l.value(n.key, s, raw, quiet)
	default:
		table, ok := raw.(map[string]any)
		if !ok {
			l.noTable(s, raw)
			return
		}
		if len(table) == 0 && n.later() && !quiet {
			s.notYet()
		}
		l.table(n, s, table, quiet)
	}
}

func (l *loader) noTable(s spot, raw any) {
	if _, repeated := raw.([]map[string]any); repeated {
		s.fail(s.name+" stands once, not as a list of tables", "write ["+s.name+"]")
		return
	}
	s.wrongType(raw, "a section: ["+s.name+"], and its keys below")
}

// array walks each element of [[name]], or of an inline list of tables.
func (l *loader) array(n *node, s spot, raw any, quiet bool) {
	tables, ok := elements(raw)
	if !ok {
		s.wrongType(raw, "[["+s.name+"]], once for each")
		return
	}
	if len(tables) == 0 && n.later() && !quiet {
		s.notYet()
	}
	for i, table := range tables {
		at := s.element(i)
		at.listed = false
		at.id = s.id + "[" + strconv.Itoa(l.elements[s.id]) + "]"
		l.elements[s.id]++
		l.tables[at.id] = at
		if n.later() && !quiet {
			at.notYet()
		}
		l.table(n, at, table, n.later())
	}
}

func elements(raw any) ([]map[string]any, bool) {
	switch list := raw.(type) {
	case []map[string]any:
		return list, true
	case []any:
		var tables []map[string]any
		for _, item := range list {
			table, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			tables = append(tables, table)
		}
		return tables, true
	}
	return nil, false
}

func (l *loader) value(k *Key, s spot, raw any, quiet bool) {
	if k.Later && !quiet {
		s.notYet()
		return
	}
	if k.Later && k.Kind.secret {
		return // its file is nobody's business yet
	}
	value, ok := k.Kind.parse(raw, s)
	if !ok {
		value = nil
	}
	l.settings[s.id] = setting{key: k, value: value, spot: s}
}

// maxGuesses bounds the search for what was meant: behind so many mistakes it
// is the wrong file.
const maxGuesses = 200

// unknown reports a key that the schema does not have, with what was meant: a
// neighbour, or the key of that name in another section.
func (l *loader) unknown(n *node, s spot, name string) {
	what := "unknown key " + quoteKey(s.name)
	if remedy := l.calledHere(s, name); remedy != "" {
		s.fail(what, remedy)
		return
	}
	if len(l.report.Errors) > maxGuesses {
		s.fail(what, "remove it")
		return
	}
	if near := nearest(name, n.names()); near != "" {
		parent := strings.TrimSuffix(s.id, join("", name))
		l.guessed[parent+near] = true
		s.fail(what, "did you mean "+quote(near)+"?")
		return
	}
	if top := l.schema.children[name]; top != nil && top.key != nil {
		l.guessed[name] = true
		s.fail(what, name+" stands at the top of the file, above the first [section]")
		return
	}
	if elsewhere := l.elsewhere(s.name, name); elsewhere != "" {
		s.fail(what, "did you mean "+quote(elsewhere)+"?")
		return
	}
	var here []string
	for _, known := range n.names() {
		if !n.children[known].later() || n.later() {
			here = append(here, known)
		}
	}
	s.fail(what, "remove it (known here: "+strings.Join(here, ", ")+")")
}

func (l *loader) elsewhere(dottedName, name string) string {
	leaves := l.schema.leaves()
	for _, known := range leaves {
		if strings.HasSuffix(known, "."+name) {
			return known
		}
	}
	return nearest(dottedName, leaves)
}

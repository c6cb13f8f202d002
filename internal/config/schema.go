package config

import (
	"fmt"
	"strings"
	"sync"
)

// A Key is one row of the schema. The table drives decoding, defaults, checks,
// --print and the manual: a key that stands here is known to all of them.
type Key struct {
	Name    string // dotted; "*" is any name, "[]" each element of an array of tables
	Kind    Kind
	Default any    // as TOML would hold it; nil when there is none
	Doc     string // one sentence for the manual and the sample

	Later    bool // promised, not in this version yet
	Hot      bool // taken over by a reload; the others need a restart
	Policy   bool // part of the policy hash
	Baseline bool // its default comes with the baseline

	field func(*Config) any          // points to where the value lives; nil when nowhere
	apply func(c *Config, value any) // stands in for field where setting takes more
}

// DefaultTOML gives the default as a file would say it, "" when there is none.
func (k Key) DefaultTOML() string { return rawTOML(k.Default) }

func rawTOML(raw any) string {
	switch v := raw.(type) {
	case string:
		return tomlString(v)
	case float64:
		return formatNumber(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = rawTOML(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case nil:
		return ""
	}
	return fmt.Sprint(raw)
}

// notYet is the promise of the manual: such a key is refused in these words.
const notYet = "not in this version yet"

// Keys gives the whole schema in the order of the manual.
func Keys() []Key {
	return append(keysNow(), keysLater()...)
}

// inElement says that a key stands in each element of an array of tables.
func inElement(name string) bool { return strings.Contains(name, "[]") }

// A node is one place of the schema: a table, an array of tables or a value.
type node struct {
	key      *Key             // set where a value stands
	children map[string]*node // of a table; "*" takes any other name
	array    *node            // each element of an array of tables
	name     string           // dotted, as in Key.Name
}

var tree = sync.OnceValue(func() *node { return newTree(Keys()) })

func newTree(keys []Key) *node {
	root := &node{}
	for i := range keys {
		n := root
		for part := range strings.SplitSeq(keys[i].Name, ".") {
			part, isArray := strings.CutSuffix(part, "[]")
			n = n.child(part)
			if isArray {
				if n.array == nil {
					n.array = &node{name: n.name + "[]"}
				}
				n = n.array
			}
		}
		n.key = &keys[i]
	}
	return root
}

func (n *node) child(name string) *node {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	if n.children[name] == nil {
		n.children[name] = &node{name: strings.TrimPrefix(n.name+"."+name, ".")}
	}
	return n.children[name]
}

// find gives the node for a name in a table, or nil.
func (n *node) find(name string) *node {
	if found, ok := n.children[name]; ok && name != "*" {
		return found
	}
	return n.children["*"]
}

// later says that nothing below n is in this version.
func (n *node) later() bool {
	if n.key != nil {
		return n.key.Later
	}
	if n.array != nil {
		return n.array.later()
	}
	for _, c := range n.children {
		if !c.later() {
			return false
		}
	}
	return len(n.children) > 0
}

// secretAt reports whether the value at parts is one that must not be shown.
func (n *node) secretAt(parts []string) bool {
	for _, part := range parts {
		if n.key != nil {
			break // a quoted name with a point in it
		}
		if n.array != nil {
			n = n.array
		}
		if n = n.find(strings.Trim(part, `"'`)); n == nil {
			return false
		}
	}
	return n.key != nil && n.key.Kind.secret
}

// names lists what may stand in a table.
func (n *node) names() []string {
	var names []string
	for _, name := range sorted(n.children) {
		if name != "*" {
			names = append(names, name)
		}
	}
	return names
}

// leaves lists every key below n, dotted, without those inside arrays of tables.
func (n *node) leaves() []string {
	if n.key != nil {
		return []string{n.name}
	}
	var names []string
	for _, name := range n.names() {
		names = append(names, n.children[name].leaves()...)
	}
	return names
}

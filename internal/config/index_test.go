package config

import (
	"strconv"
	"strings"
	"testing"
)

func TestIndexKnowsTheLine(t *testing.T) {
	// The text says itself which line is which: the wanted path stands on the
	// line that ends in the comment "here".
	tests := []struct {
		name string
		text string
		path path
	}{
		{"a key at the top", "a = 1\nb = 2 # here\n", path("").key("b")},
		{"a key of a section", "[a]\nb = 1\n[c]\nb = 2 # here\n", path("").key("c").key("b")},
		{"a section", "x = 1\n\n[a.b] # here\n", path("").key("a").key("b")},
		{"a section named by its child only", "x = 1\n[a.b] # here\n", path("").key("a")},
		{"a dotted key", "[a]\nx = 1\nb . c = 1 # here\n", path("").key("a").key("b").key("c")},
		{"a quoted key", "'a.b' = 1\n\"c\\u002ed\" = 1 # here\n", path("").key("c.d")},
		{"a quoted section", "[a.\"b c\"]\nx = 1 # here\n", path("").key("a").key("b c").key("x")},
		{"an empty key", "a = 1\n\"\" = 1 # here\n", path("").key("")},
		{"a key of the second element", "[[a]]\nb = 1\n[[a]]\nb = 2 # here\n", path("").key("a").element(1).key("b")},
		{"the second element itself", "[[a]]\nb = 1\n[[a]] # here\nb = 2\n", path("").key("a").element(1)},
		{"a section of the second element", "[[a]]\n[a.b]\nx=1\n[[a]]\n[a.b]\nx = 2 # here\n", path("").key("a").element(1).key("b").key("x")},
		{"an array in an array", "[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 1 # here\n", path("").key("a").element(1).key("b").element(1).key("x")},
		{"an element of a list on several lines", "a = [ 1, # one\n 2,\n\n 3 ] # here\n", path("").key("a").element(2)},
		{"a list in a list", "a = [ [1, 2],\n [3,\n 4 ] ] # here\n", path("").key("a").element(1).element(1)},
		{"a key of an inline table", "a = { b = 1,\n # }\n c.d = 2 } # here\n", path("").key("a").key("c").key("d")},
		{"a key of an inline table in a list", "a = [ { b = 1 },\n { b = 2 } ] # here\n", path("").key("a").element(1).key("b")},
		{"behind a multi-line string", "a = \"\"\"\n[b]\nc = 1\n\\\"\"\" d = \"\"\"\"\"\nb = 1 # here\n", path("").key("b")},
		{"behind a multi-line literal", "a = '''\n# '' ' \\'''\nb = 1 # here\n", path("").key("b")},
		{"behind a string that ends in quotes", "a = \"\"\"x\n\"\"\"\"\"\nb = 1 # here\n", path("").key("b")},
		{"behind a comment with quotes", "# \"\"\" ' [\na = 1 # here\n", path("").key("a")},
		{"behind strings that hold brackets", "a = [\"]\", '}', \"\\\"]\"]\nb = 1 # here\n", path("").key("b")},
		{"behind a date", "a = 2027-01-31 10:00:00Z\nb = 1 # here\n", path("").key("b")},
		{"behind carriage returns", "a = 1\r\n[b]\r\nc = 1 # here\r\n", path("").key("b").key("c")},
		{"without a newline at the end", "a = 1\nb = 2 # here", path("").key("b")},
		{"a value takes the line of its key", "a = 1 # here\n", path("").key("a").key("deeper").element(3)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := 1 + strings.Count(tt.text[:strings.Index(tt.text, "# here")], "\n")
			if _, _, broken := decode(tt.text); broken != "" {
				t.Fatalf("the case is not TOML: %s", broken)
			}
			x := indexOf(tt.text)
			if got := x.line(tt.path); got != want {
				t.Errorf("%q: %s is on line %d, want %d", tt.text, tt.path, got, want)
			}
			if x.repeat != nil || x.stopped != 0 {
				t.Errorf("%q: repeat %v, stopped at %d, want neither", tt.text, x.repeat, x.stopped)
			}
		})
	}
}

func TestIndexFindsRepeats(t *testing.T) {
	tests := []struct {
		name, text  string
		first, line int // 0: none
	}{
		{"sections that extend each other", "[a.b]\nx=1\n[a]\ny=1\n[a.c]\n", 0, 0},
		{"dotted keys of one table", "a.b=1\na.c=1\n", 0, 0},
		{"the same key of two elements", "[[a]]\nb=1\nc.d=1\n[[a]]\nb=1\nc.d=1\n", 0, 0},
		{"the same key of two inline tables", "a=[{b=1},{b=1}]\n", 0, 0},
		{"a key", "a=1\nb=1\na=1\n", 1, 3},
		{"a section", "[a]\nx=1\n[a]\ny=1\n", 1, 3},
		{"a key by dots and in its section", "a.b=1\n[a]\nb=1\n", 1, 3},
		{"a table that becomes a value", "a.b=1\na=[1]\n", 1, 2},
		{"a value that becomes a table", "a=1\na.b=1\n", 1, 2},
		{"a section that becomes a list", "[a]\n[[a]]\n", 1, 2},
		{"a list that becomes a section", "[[a]]\n[a]\n", 1, 2},
		{"a value list that becomes tables", "a=[]\n[[a]]\n", 1, 2},
		{"in an inline table", "x=1\na={b=1,b=2}\n", 2, 2},
		{"by dots in an inline table, which the decoder passes", "a={b.c=1,\nb=2}\n", 1, 2},
		{"quoted otherwise", "\"a\"=1\n'a'=1\n", 1, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got repeat
			if r := indexOf(tt.text).repeat; r != nil {
				got = *r
			}
			if got.first != tt.first || got.line != tt.line {
				t.Errorf("%q: repeat of line %d on line %d, want %d and %d", tt.text, got.first, got.line, tt.first, tt.line)
			}
		})
	}
}

// missing lists what a decoded document holds and the index does not: law of
// the fuzz target.
func missing(x *index, p path, v any) []path {
	var paths []path
	if p != "" {
		if _, ok := x.places[p]; !ok {
			paths = append(paths, p)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			paths = append(paths, missing(x, p.key(k), inner)...)
		}
	case []map[string]any:
		for i, inner := range v {
			paths = append(paths, missing(x, p.element(i), inner)...)
		}
	case []any:
		for i, inner := range v {
			paths = append(paths, missing(x, p.element(i), inner)...)
		}
	}
	return paths
}

func BenchmarkIndex(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		text.WriteString("[[local]]\nmatch = [\"client:192.0.2.0/24\"]\nreason = \"ticket " + strconv.Itoa(i) + "\"\n")
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		indexOf(text.String())
	}
}

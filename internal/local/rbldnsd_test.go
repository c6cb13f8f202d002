package local

import (
	"hash/maphash"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLikeRbldnsd compares with what rbldnsd 1.0 (Debian 1.0~20210120-2) said of
// the same files: beside each list lie its answers, and the lines it warned of
// (it names five at most).
func TestLikeRbldnsd(t *testing.T) {
	// Lines that rbldnsd takes as they are, and that we call bad on purpose: no
	// domain in mail looks like that, and a space was meant.
	ours := map[string][]int{"hand.dnset": {22}}
	files, err := filepath.Glob("testdata/rbldnsd/*.answers")
	if err != nil || len(files) == 0 {
		t.Fatal("no answers", err)
	}
	for _, answers := range files {
		file := strings.TrimSuffix(answers, ".answers")
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			format := Format(strings.TrimPrefix(filepath.Ext(file), "."))
			seed := maphash.MakeSeed()
			l := mustParse(t, format, read(t, file), seed)
			for _, answer := range strings.Split(strings.TrimSpace(read(t, answers)), "\n") {
				ask, want, _ := strings.Cut(answer, " ")
				if got := l.answers(seed, format, ask); got != (want == "listed") {
					t.Errorf("%s: listed is %v, rbldnsd says %s", ask, got, want)
				}
			}
			var want []int
			for _, line := range strings.Fields(read(t, file+".bad")) {
				n, _ := strconv.Atoi(line)
				want = append(want, n)
			}
			want = append(want, ours[name]...)
			var got []int
			for _, p := range l.problems {
				if !p.Warning {
					got = append(got, p.Line)
				}
			}
			if len(want) == 5 { // there may have been more
				got = got[:min(len(got), 5)]
			}
			if !slices.Equal(got, want) {
				t.Errorf("bad lines %v, want %v", got, want)
			}
		})
	}
}

func (l *list) answers(seed maphash.Seed, format Format, ask string) bool {
	if format != DNSet {
		_, ok := l.find4(number4(netip.MustParseAddr(ask)), 0)
		return ok
	}
	q := query{seed: seed, sift: new(sieve)}
	q.sift.join(l.names.sift)
	_, ok := l.findName(&q, From, 0)
	if q.domain(ask) {
		_, ok = l.findName(&q, From, 0)
	}
	return ok
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustParse(t *testing.T, format Format, text string, seed maphash.Seed) *list {
	t.Helper()
	l, problems, err := parse(strings.NewReader(text), "list", format, seed, 0)
	if err != nil || l == nil {
		t.Fatal(problems, err)
	}
	return l
}

func TestRbldnsdLines(t *testing.T) {
	for _, test := range []struct {
		name   string
		format Format
		text   string
		bad    string // "" for none
	}{
		{"$TTL is about answers", IP4Set, "$TTL 300", ""},
		{"a special behind a comment sign", IP4Set, "#$MAXRANGE4 /24\n10.0.0.0/23\n10.0.0.0/24\n10.0.1", `list:2: "10.0.0.0/23" is larger than $MAXRANGE4 allows; see that it is meant`},
		{"$MAXRANGE4 does not grow", IP4Set, "$MAXRANGE4 16\n$MAXRANGE4 /8\n10.1.2.0/24\n1.2.3.4\n1.2.3.5", `list:3: "10.1.2.0/24" is larger than $MAXRANGE4 allows; see that it is meant`},
		{"$MAXRANGE4 of nothing", IP4Set, "$MAXRANGE4 /33\n1.2.3.4\n", `list:1: $MAXRANGE4 "/33" is no size of a range; write $MAXRANGE4 /24 or $MAXRANGE4 256`},
		{"a combined file", IP4Set, "$DATASET ip4set:x @\n1.2.3.4\n", "list:1: a combined file; give each of its datasets a file of its own"},
		{"an unknown special", IP4Set, "$FOO x\n1.2.3.4", `list:1: unknown "$FOO"; see rbldnsd(8)`},
		{"an empty default answer", IP4Set, ": x\n1.2.3.4", `list:1: ": x" is no answer of DNS; write :127.0.0.2:text, :2:text or text`},
		{"a text behind an answer without its colon", IP4Set, "1.2.3.4 :3 x\n1.2.3.5", `list:1: unexpected "x" behind the answer; write :127.0.0.2:text`},
		{"anything behind an exclusion", IP4Set, "!1.2.3.4 :0 x\n1.2.3.5", ""},
		{"lines of DOS", IP4Set, "1.2.3.4\r\n1.2.3.5 :3\r\n", ""},
		{"no end of the last line", IP4Set, "1.2.3.4\n1.2.3.5", ""},
		{"the whole Internet in an ip4set", IP4Set, "0/0\n1.2.3.5", "list:1: an ip4set cannot hold the whole Internet; use an ip4trie, or see that the prefix length is meant"},
		{"the whole Internet in an ip4trie", IP4Trie, "0/0", "list:1: warning: a very large network; see that the prefix length is meant"},
		{"IPv6", IP4Set, "2001:db8::1\n1.2.3.4", `list:1: "2001:db8::1" is no address, network or range; write 192.0.2.7, 192.0.2.0/24, 192.0.2 or 192.0.2.1-9`},
		{"a range in an ip4trie", IP4Trie, "1.2.3.4-9\n1.2.3.4", `list:1: "1.2.3.4-9" is no address, network or range; write 192.0.2.7, 192.0.2.0/24 or 192.0.2; ranges are for an ip4set`},
		{"an exclamation mark alone", DNSet, "!\na.example", `list:1: "" is not a domain; write example.com for one name, .example.com for it and all below`},
		{"a domain in other letters", DNSet, "MÜNCHEN.example", ""},
		{"an address in a dnset", DNSet, "1.2.3.4\na.example", `list:1: "1.2.3.4" is not a domain; write example.com for one name, .example.com for it and all below`},
		{"a time to come", IP4Set, "$TIMESTAMP 2027:01:31\n1.2.3.4", "list:1: warning: $TIMESTAMP lies in the future; check the clocks: rbldnsd would refuse the file"},
		{"no time", IP4Set, "$TIMESTAMP 0\n$TIMESTAMP - -\n1.2.3.4", ""},
		{"an expiry of no time", IP4Set, "$TIMESTAMP 0 +2d\n1.2.3.4", `list:1: $TIMESTAMP: expiry "+2d" is no time after the first one; write it as +2d`},
		{"a month too many", IP4Set, "$TIMESTAMP 1970:13:01\n1.2.3.4", `list:1: $TIMESTAMP: "1970:13:01" is not a time; write it as 2027:01:31:12:00`},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := mustParse(t, test.format, test.text, maphash.MakeSeed())
			got := ""
			if len(l.problems) > 0 {
				got = l.problems[0].String()
			}
			if got != test.bad || len(l.problems) > 1 {
				t.Errorf("got  %v\nwant %s", l.problems, test.bad)
			}
		})
	}
}

func TestTimestampEndsTheFile(t *testing.T) {
	for text, want := range map[string]int64{
		"$TIMESTAMP 1970:01:02:00:00 1970-01-03-12:30":              2*86400 + 12*3600 + 30*60,
		"$TIMESTAMP 19700102 +2d":                                   3 * 86400,
		"$timestamp 1970:01:02 +90":                                 86400 + 90,
		"$TIMESTAMP 1970:01:02 1970:01:05\n$TIMESTAMP 0 1970:01:03": 2 * 86400,
		"$TIMESTAMP 0 0":                                            never,
		"# nothing":                                                 never,
	} {
		l, problems, err := parse(strings.NewReader(text+"\n10.4\n"), "list", IP4Set, maphash.MakeSeed(), 1e9)
		if err != nil || l == nil || len(l.problems) > 0 {
			t.Fatal(text, problems, err)
		}
		if l.ends != want {
			t.Errorf("%q ends at %d, want %d", text, l.ends, want)
		}
		a := number4(netip.MustParseAddr("10.4.9.9"))
		if _, ok := l.find4(a, want-1); !ok {
			t.Errorf("%q: nothing before the end", text)
		}
		if _, ok := l.find4(a, want); ok {
			t.Errorf("%q: matches at the end", text)
		}
	}
}

func TestNotes(t *testing.T) {
	l := mustParse(t, IP4Set, "1.1.1.1\n:2:the usual\n1.1.1.2\n1.1.1.3 :4\n1.1.1.4 :4:\n1.1.1.5 own text\n1.1.1.6 # comment\n!1.1.1.7 x\n1.1.1.8 "+
		strings.Repeat("ü", 200)+"\n1.1.1.9 a\xffb\x01c\n", maphash.MakeSeed())
	for line, want := range map[uint32]string{
		1: "", 3: "the usual", 4: "the usual", 5: "", 6: "own text", 7: "the usual", 8: "",
		9: strings.Repeat("ü", 58) + "...", 10: "a?b?c", 99: "",
	} {
		if got := l.notes.of(line); got != want {
			t.Errorf("line %d: note %q, want %q", line, got, want)
		}
	}
}

package local

import (
	"hash/maphash"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzFile reads files of every format. Whatever stands in them: no panic, every
// problem names a line that is there in one printable line, lines are either
// entries, bad or nothing, and the same bytes give the same list.
func FuzzFile(f *testing.F) {
	formats := []Format{Plain, IP4Set, IP4Trie, DNSet}
	samples, err := filepath.Glob("testdata/rbldnsd/hand.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range samples {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i, format := range formats {
			if strings.HasSuffix(file, "."+string(format)) {
				f.Add(uint8(i), text)
			}
		}
	}
	f.Add(uint8(0), []byte("192.0.2.0/24 # x expires=2027-01-31\n2001:db8::/32\nfrom:a@b.example\n*.x.example\nhelo:[::1]\ncountry:DE\nasn:AS64500\n<>\n"))
	f.Add(uint8(1), []byte("$TIMESTAMP 2027:01:31 +2d\n$MAXRANGE4 /24\n:2:x\n!10.0.0.1-9 y\n10.4\n"))
	seed := maphash.MakeSeed()
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		format := formats[int(which)%len(formats)]
		l, problems, err := parse(strings.NewReader(string(text)), "file", format, seed, 1e9)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(string(text), "\n")
		if len(text) > 0 && text[len(text)-1] != '\n' {
			lines++
		}
		if l != nil {
			checkList(t, l, lines)
			problems = l.problems
		} else if len(problems) == 0 {
			t.Fatal("refused without a word")
		}
		for _, p := range problems {
			checkProblem(t, p, lines)
		}
		again, sameProblems, _ := parse(strings.NewReader(string(text)), "file", format, seed, 1e9)
		if (l == nil) != (again == nil) || l == nil && !slices.Equal(problems, sameProblems) {
			t.Fatal("another answer the second time")
		}
		if l == nil {
			return
		}
		if !slices.Equal(l.problems, again.problems) || l.entries != again.entries || l.bad != again.bad ||
			!slices.Equal(l.v4.pieces, again.v4.pieces) || !slices.Equal(l.v6.upper.pieces, again.v6.upper.pieces) || !slices.Equal(l.v6.lower, again.v6.lower) ||
			string(l.names.letters) != string(again.names.letters) || l.notes.all != again.notes.all {
			t.Fatal("another list the second time")
		}
	})
}

func checkProblem(t *testing.T, p Problem, lines int) {
	text := p.String()
	switch {
	case p.Line < 0 || p.Line > max(lines, 1):
		t.Fatalf("line %d of %d: %s", p.Line, lines, text)
	case p.What == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		t.Fatalf("not for eyes: %q", text)
	}
}

func checkList(t *testing.T, l *list, lines int) {
	if l.lines != lines || l.entries+l.bad > lines || l.bad > l.entries {
		t.Fatalf("%d lines, in fact %d: %d entries, %d bad", l.lines, lines, l.entries, l.bad)
	}
	for i, p := range l.v4.pieces {
		if p.first > p.last || i > 0 && l.v4.pieces[i-1].last >= p.first || p.line == 0 || int(p.line) > lines {
			t.Fatalf("piece %d: %+v", i, p)
		}
		for _, a := range []addr4{p.first, p.last} {
			if line, ok := l.v4.find(a); !ok || line != p.line {
				t.Fatalf("%v is not found", ip4(a))
			}
		}
	}
	checkNets6(t, &l.v6)
	for i, line := range l.names.line {
		if n := line &^ excluded; n == 0 || int(n) > lines || len(l.names.name(uint32(i))) == 0 {
			t.Fatalf("name %q of line %d", l.names.name(uint32(i)), n)
		}
	}
	for _, n := range l.notes.line {
		if note := l.notes.of(n); len(note) > maxNote || strings.ContainsFunc(note, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("note %q", note)
		}
	}
}

func checkNets6(t *testing.T, n *nets6) {
	const all = ^uint64(0)
	parts := 0
	for i, p := range n.upper.pieces {
		if i > 0 && n.upper.pieces[i-1].first >= p.first {
			t.Fatalf("piece %d: %+v", i, p)
		}
		if p.line&isParted == 0 {
			if line, ok := n.find(addr6{p.last, all}); !ok || line != p.line {
				t.Fatalf("%x is not found", p.last)
			}
			continue
		}
		from, to := bounds(p.last)
		if from != parts || from >= to {
			t.Fatalf("parts %d to %d behind %d", from, to, parts)
		}
		parts = to
		for j, part := range n.lower[from:to] {
			if line, ok := n.find(addr6{p.first, part.last}); !ok || line != part.line || j > 0 && n.lower[from+j-1].last >= part.first {
				t.Fatalf("part %d of %x: %+v", j, p.first, part)
			}
		}
	}
	if parts != len(n.lower) {
		t.Fatalf("%d parts, %d in use", len(n.lower), parts)
	}
}

// FuzzMatch asks for whatever strangers say. No answer may be wrong in a way that
// can be told without looking it up: nothing matches a list of other names, and
// what is asked for as it stands in the list matches.
func FuzzMatch(f *testing.F) {
	f.Add("mx.example.com", "a@example.com", "192.0.2.7")
	f.Add("..", "@@", "::ffff:10.0.0.1")
	f.Add(strings.Repeat("a.", 127)+"b", "<>", "fe80::1%x")
	f.Add("MX.EXAMPLE.COM.", `"a@b"@[192.0.2.1]`, "")
	set, problems := Load([]Rule{
		{Match: []string{"ptr:example.com", "helo:example.com", "from:example.com", "rcpt:example.com", "account:@example.com", "client:192.0.2.0/24"}},
		{Match: []string{"helo:never.test", "from:never.test", "client:198.51.100.0/24"}},
	}, noon, nil)
	if set == nil {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, name, mail, client string) {
		a, _ := netip.ParseAddr(client)
		sub := Subject{Client: a, PTR: []string{name, mail}, Helo: name, From: mail, Rcpt: mail, Account: mail, Country: name, ASN: uint32(len(name))}
		all := strings.ToLower(name + " " + mail + " ")
		for _, h := range set.Match(&sub, noon, nil) {
			switch {
			case h.Field == Client && !netip.MustParsePrefix("192.0.2.0/24").Contains(a.Unmap()) && !netip.MustParsePrefix("198.51.100.0/24").Contains(a.Unmap()),
				h.Field != Client && h.Rule == 0 && !strings.Contains(all, "example.com"),
				h.Field != Client && h.Rule == 1 && !strings.Contains(all, "never.test"):
				t.Fatalf("%+v hits %+v", sub, h)
			}
		}
		below := Subject{Helo: name + ".example.com"}
		if hits := set.Peek(&below, noon, nil); (len(hits) == 1) != (len(below.Helo) <= maxName) {
			t.Fatalf("%+v: %d hits", below, len(hits))
		}
	})
}

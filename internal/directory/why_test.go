package directory

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhyTellsTheLine, or the question, on which an answer rests.
func TestWhyTellsTheLine(t *testing.T) {
	dir, past := t.TempDir(), time.Now().Add(-time.Hour)
	one, two := filepath.Join(dir, "recipients"), filepath.Join(dir, "virtual")
	write(t, one, "# mine\njo@a.example OK\nal@a.example x\neve@a,example\n", past)
	write(t, two, "spam@a.example error:nouser\nfull@a.example error:5.2.2:552 full\n@all.example jo@a.example\n@other.example @a.example\nroot jo\njo@a.example jo\n@away.example @far.example\n", past)
	f, said := OpenFile([]FileSpec{{Path: one}, {Path: two}}, time.Now())
	if f == nil || len(said) != 1 {
		t.Fatal(said)
	}
	b := newBackend()
	b.known = map[string]Result{"eve@sql.example": Yes}
	s := NewStack(Options{
		Ours: []string{"a.example", "all.example", "b.example", "alias.example", "other.example", "away.example", "sql.example", "mta.example"}, Delimiters: "+", Aliases: map[string]string{"alias.example": "a.example"},
		Routes: []Route{{Kind: "file", File: f}, {Kind: "mta", Domains: []string{"mta.example"}}, {Kind: "sql", Name: "SELECT 1 FROM users WHERE a = $1", Domains: []string{"sql.example"}, Guard: NewGuard("x", b, keeps, nil)}},
	})
	defer s.Close()
	for _, tt := range []struct{ ask, want string }{
		{"jo@a.example", "file jo@a.example: yes: it stands in recipients:2, virtual:6"},
		{"jo+x@alias.example", "alias.example stands for a.example | file jo+x@a.example: no: it is none of 5 addresses, and recipients:2 has the files speak for the domain | file jo@a.example: yes: it stands in recipients:2, virtual:6"},
		{"spam@a.example", "file spam@a.example: no: nobody, says virtual:1"},
		{"eve@a.example", "file eve@a.example: unknown: it may be what is meant in recipients:4, which cannot be read"},
		{"full@a.example", "file full@a.example: unknown: refused for another reason, says virtual:2"},
		{"root@b.example", "file root@b.example: yes: it stands in virtual:5"},
		{"x@b.example", "file x@b.example: unknown: the files do not say who exists at the domain"},
		{"x@all.example", "file x@all.example: no: it is none of 5 addresses, and virtual:3 has the files speak for the domain | file @all.example: yes: all of the domain stands in virtual:3"},
		{"jo@other.example", "file jo@other.example: yes: virtual:4 has the domain stand for a.example, and there it stands in recipients:2, virtual:6"},
		{"x@other.example", "file x@other.example: no: virtual:4 has the domain stand for a.example, and there it is none of 5 addresses, and recipients:2 has the files speak for the domain"},
		{"x@away.example", "file x@away.example: yes: virtual:7 has the domain stand for far.example"},
		{"eve@sql.example", "sql eve@sql.example: yes: SELECT 1 FROM users WHERE a = $1"},
		{"x@sql.example", "sql x@sql.example: no: SELECT 1 FROM users WHERE a = $1 | sql @sql.example: no: SELECT 1 FROM users WHERE a = $1"},
		{"x@mta.example", "mta: nobody is asked; the MTA refuses whom it does not know"},
		{"x@elsewhere.example", "elsewhere.example is none of us.domains: nobody is asked"},
	} {
		local, domain, _ := strings.Cut(tt.ask, "@")
		s.Lookup(context.Background(), Address{local, domain})
		got := strings.ReplaceAll(strings.Join(s.Why(Address{local, domain}, time.Now()), " | "), dir+"/", "")
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.ask, got, tt.want)
		}
	}
	bare := NewStack(Options{Ours: []string{"a.example"}, Routes: []Route{{Kind: "mta", Domains: []string{"b.example"}}}})
	if got := bare.Why(Address{"jo", "a.example"}, time.Now()); len(got) != 1 || got[0] != "no source is there for a.example: nobody is asked" {
		t.Errorf("a domain without a source: %v", got)
	}
	write(t, one, "al@a.example x\n", past)
	if got := s.Why(Address{"new", "b.example"}, time.Now()); len(got) != 1 || strings.Contains(got[0], "in use is what was read") {
		t.Errorf("of one for whom that is the same: %v", got)
	}
	write(t, two, "jo@a.example error:nouser\n", past)
	if got := s.Why(Address{"jo", "a.example"}, time.Now()); len(got) != 1 || !strings.Contains(got[0], "yes: nobody, says ") || !strings.Contains(got[0], "virtual:1; but that is the files as they are now, and in use is what was read at 20") {
		t.Errorf("files that have changed: %v", got)
	}
	write(t, one, strings.Repeat("\x00", 10), past)
	if got := s.Why(Address{"jo", "a.example"}, time.Now()); len(got) != 1 || !strings.Contains(got[0], "yes: the files cannot be read now: ") {
		t.Errorf("a file that is damaged meanwhile: %v", got)
	}
}

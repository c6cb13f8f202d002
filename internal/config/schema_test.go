package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mailprofiled/profile"
)

func TestSchemaRows(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		if seen[k.Name] {
			t.Errorf("%s stands twice", k.Name)
		}
		seen[k.Name] = true
		if !k.Later && k.Doc == "" {
			t.Errorf("%s has no sentence for the manual", k.Name)
		}
		if k.Later || k.Default == nil {
			continue
		}
		r := &Report{}
		v, ok := k.Kind.parse(k.Default, spot{report: r, src: &source{index: indexOf("")}, name: k.Name})
		if !ok || r.String() != "" {
			t.Errorf("the default of %s is refused: %s", k.Name, r)
			continue
		}
		if again, _, broken := decode("x = " + k.DefaultTOML()); broken != "" || !reflect.DeepEqual(again["x"], k.Default) {
			t.Errorf("the default of %s is written as %s", k.Name, k.DefaultTOML())
		}
		if k.Baseline && v != k.get(Default()) {
			t.Errorf("%s is documented as %v, the baseline says %v", k.Name, v, k.get(Default()))
		}
	}
}

// Every field that a file can set is set by some row, and differs from its zero
// value where the default says so.
func TestEveryFieldHasARow(t *testing.T) {
	c := Default()
	bound := map[any]bool{}
	for _, k := range keysNow() {
		if k.field != nil {
			bound[k.field(c)] = true
		}
	}
	for _, section := range []any{&c.Us, &c.Milter, &c.DNS, &c.Retry, &c.Memory, &c.Exempt, &c.Log, &c.Admin} {
		v := reflect.ValueOf(section).Elem()
		for i := range v.NumField() {
			if !bound[v.Field(i).Addr().Interface()] {
				t.Errorf("%s.%s is set by no key", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

// The findings of the manual are either judged or promised.
func TestFindingsAreJudgedOrPromised(t *testing.T) {
	for _, info := range profile.Findings() {
		if info.Named {
			continue // see TestPointsOfLists
		}
		if c, r := Parse("m.toml", fmt.Appendf(nil, "%s[points]\n%q = \"monitor\"\n", monitor, info.ID)); c == nil {
			t.Errorf("%s", r)
		}
	}
}

// later is a schema in which what this version refuses is built, to test the
// machinery for it.
func later() *node {
	rows := append(append(append(localKeys(), limitKeys()...), dnsListKeys()...), keysLater()...)
	for i := range rows {
		rows[i].Later = false
	}
	return newTree(rows)
}

func TestArraysOfTablesAppendOverFiles(t *testing.T) {
	r := &Report{}
	l := newLoader(later(), r)
	l.add(parse("a.toml", 0, []byte("[[limit]]\nname = \"a\"\n[[limit]]\nname = \"b\"\nwhen.account_younger_than = \"30d\"\n"), r))
	l.add(parse("b.toml", 1, []byte("[[limit]]\nname = \"c\"\nmax = 10\n"), r))
	if r.String() != "" {
		t.Fatal(r)
	}
	for id, want := range map[string]string{
		"limit[0].name": "a.toml:2", "limit[1].name": "a.toml:4", "limit[1].when.account_younger_than": "a.toml:5",
		"limit[2].name": "b.toml:2", "limit[2].max": "b.toml:3",
	} {
		s, ok := l.settings[id]
		if !ok {
			t.Errorf("no setting %s in %v", id, sorted(l.settings))
			continue
		}
		if at := s.spot.origin(); fmt.Sprintf("%s:%d", at.File, at.Line) != want {
			t.Errorf("%s is of %v, want %s", id, at, want)
		}
	}
}

func TestMistakesInsideTheSecondElement(t *testing.T) {
	text := "[[limit]]\nname = \"a\"\n\n[[limit]]\nname = 5\nmx = 1\nwindow = \"1x\"\nper = \"acount\"\nwhen = { older_than = \"1d\" }\n" +
		"[[local]]\nexpires = \"2027-01-31\"\n[[lists.own]]\n[[lists.own.codes]]\npoints = 1\n[[lists.own.codes]]\npoints = \"1\"\n"
	r := &Report{}
	l := newLoader(later(), r)
	l.add(parse("m.toml", 0, []byte(text), r))
	r.sort()
	want := `m.toml:5: limit.name is a whole number; write it in quotes: "outgoing"
m.toml:6: unknown key "limit.mx"; did you mean "max"?
m.toml:7: limit.window is "1x": unknown unit "x"; units are s m h d w: "90s" or "1h30m"
m.toml:8: limit.per is "acount": not known; did you mean "account"?
m.toml:9: unknown key "limit.when.older_than"; remove it (known here: account_older_than, account_younger_than, authenticated, domain, history, listener, plan)
m.toml:11: local.expires is text; write a date without quotes: 2027-01-31
m.toml:16: lists.own.codes.points is text; write a number, without quotes`
	if got := r.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const hush = "hush-hush-992199219921"

func TestSecrets(t *testing.T) {
	dir := write(t, map[string]string{
		"good": hush + "\n", "empty": "\n", "two": hush + "\n" + hush + "\n", "nul": hush + "\x00",
		"spaces": " " + hush, "dir/x": "", "latin": hush + "\xff", "open": hush + "\n", "long": strings.Repeat(hush, 1<<17),
	})
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, value, want string }{
		{"a file of one line", `"file:DIR/good"`, ""},
		{"in the configuration itself", `"` + hush + `"`, ""},
		{"a missing file", `"file:DIR/gone"`, `lists.keys.zen is "file:DIR/gone": cannot be read: no such file or directory; create it, or name the right one`},
		{"a directory", `"file:DIR/dir"`, `lists.keys.zen is "file:DIR/dir": cannot be read: is a directory; name a file`},
		{"an empty file", `"file:DIR/empty"`, `lists.keys.zen is "file:DIR/empty": the file is empty; put the secret into it, on one line`},
		{"two lines", `"file:DIR/two"`, `lists.keys.zen is "file:DIR/two": the file has more than one line; keep the secret alone in it`},
		{"a NUL", `"file:DIR/nul"`, `lists.keys.zen is "file:DIR/nul": the file holds control characters, or spaces around the secret; keep the secret alone in it, as text`},
		{"spaces", `"file:DIR/spaces"`, `lists.keys.zen is "file:DIR/spaces": the file holds control characters, or spaces around the secret; keep the secret alone in it, as text`},
		{"not UTF-8", `"file:DIR/latin"`, `lists.keys.zen is "file:DIR/latin": the file holds control characters, or spaces around the secret; keep the secret alone in it, as text`},
		{"too large", `"file:DIR/long"`, `lists.keys.zen is "file:DIR/long": cannot be read: larger than 1 MiB; is it the right file?`},
		{"readable by all", `"file:DIR/open"`, `warning: lists.keys.zen is "file:DIR/open": every local user may read or change it; chmod o= DIR/open`},
		{"a relative path", `"file:keys/zen"`, `lists.keys.zen is "file:keys/zen": a relative path: it would depend on where the daemon is started; write "file:/etc/mailprofiled/NAME"`},
		{"file: written otherwise", `"File:/etc/x"`, `lists.keys.zen looks like a file, but is not written so; write "file:/path"`},
		{"a control character", `"` + hush + `\n"`, `lists.keys.zen holds a control character; write it on one line`},
		{"a space", `"` + hush + ` "`, `lists.keys.zen starts or ends with a space; remove the space`},
		{"a number", `992199219921`, `lists.keys.zen is a whole number; write "file:/path", or the secret in quotes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Report{}
			l := newLoader(later(), r)
			l.add(parse("m.toml", 0, []byte("[lists.keys]\nzen = "+strings.ReplaceAll(tt.value, "DIR", dir)+"\n"), r))
			want := tt.want
			if want != "" {
				want = "m.toml:2: " + want
			}
			shown := r.String()
			if got := strings.ReplaceAll(shown, dir, "DIR"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if s, ok := l.settings["lists.keys.zen"].value.(Secret); ok {
				if s.Reveal() != hush {
					t.Errorf("the secret is %q", s.Reveal())
				}
				shown += printedEveryWay(s)
			} else if want == "" {
				t.Errorf("no secret")
			}
			if strings.Contains(shown, hush) || strings.Contains(shown, "992199219921") {
				t.Errorf("the secret is shown: %s", shown)
			}
		})
	}
}

// printedEveryWay shows a secret as careless code would.
func printedEveryWay(s Secret) string {
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	text, _ := s.MarshalText()
	return fmt.Sprint(s, &s, []Secret{s}) + fmt.Sprintf("%v %+v %#v %q %s %x", s, s, s, s, s, struct{ S Secret }{s}) +
		string(text) + log.String() + secretKind().format(s)
}

func TestSyntaxErrorsHideSecrets(t *testing.T) {
	for _, text := range []string{
		"[lists.keys]\nzen = hushhush\n",
		"lists.keys.\"z.en\" = truehush\n",
		"directory.sql = 2027-hush\n",
		"[[directory.for]]\nldap = 99hush\n",
		"[state]\nredis = \"\\hush\"\n",
	} {
		if _, r := Parse("m.toml", []byte(text)); len(r.Errors) != 1 || strings.Contains(r.String(), "hush") || strings.Contains(r.String(), "'") {
			t.Errorf("%q: %s", text, r)
		}
	}
}

package accounts

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func date(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func parse(t *testing.T, text string) (*List, string) {
	t.Helper()
	l, problems, err := Parse(strings.NewReader(text), "a.txt", Rules{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return l, told(problems)
}

func told(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func TestLines(t *testing.T) {
	for _, tc := range []struct {
		name, text, login string
		want              Account
	}{
		{"a date and a plan", "jo@example.net created=2026-01-31 plan=pro", "jo@example.net", Account{date("2026-01-31T00:00:00Z"), "pro"}},
		{"in the other order, with tabs", "jo\tplan=pro\t created=2026-01-31\r", "jo", Account{date("2026-01-31T00:00:00Z"), "pro"}},
		{"a time in another zone", "jo created=2026-01-31T01:30:00+02:00", "jo", Account{Created: date("2026-01-30T23:30:00Z")}},
		{"a login alone is there", "jo", "jo", Account{}},
		{"the case of a login means nothing, that of a plan counts", "Jo@Example.NET plan=Pro", "jo@example.net", Account{Plan: "Pro"}},
		{"a comment behind it", "jo plan=pro # created=yesterday", "jo", Account{Plan: "pro"}},
		{"a comment at once", "jo #plan=pro", "jo", Account{}},
		{"no UTF-8 signature", "\xef\xbb\xbfjo plan=pro", "jo", Account{Plan: "pro"}},
		{"letters of all languages", "JÖ@münchen.example plan=größer", "jö@münchen.example", Account{Plan: "größer"}},
		{"an equals sign in the login", "uid=jo,o=x plan=a=b", "uid=jo,o=x", Account{Plan: "a=b"}},
		{"a number sign in the login", "jo#1 plan=p#1", "jo#1", Account{Plan: "p#1"}},
		{"nothing else", "\n  \n# jo plan=x\n; al\n\nal plan=y", "al", Account{Plan: "y"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, said := parse(t, tc.text+"\n")
			if l == nil || said != "" {
				t.Fatalf("%q: %s", tc.text, said)
			}
			got, ok := l.Find(tc.login)
			if diff := cmp.Diff(tc.want, got); !ok || diff != "" || l.Len() != 1 {
				t.Errorf("%q has %d accounts, %v (-want +got):\n%s", tc.text, l.Len(), ok, diff)
			}
			if a, ok := l.Find("nobody"); ok {
				t.Errorf("nobody is %v", a)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	const good = "a1\na2\n"
	for _, tc := range []struct{ name, text, want string }{
		{"no date", "jo created=31.1.2026", `"31.1.2026" is not a date; write it as created=2026-01-31`},
		{"a day that is none", "jo created=2026-02-30", `"2026-02-30" is not a date; write it as created=2026-01-31`},
		{"before there was mail", "jo created=1970-01-01", `"1970-01-01" is no date of an account; leave it out where it is not known`},
		{"nothing behind created=", "jo created=", `"" is not a date; write it as created=2026-01-31`},
		{"the future", "jo created=2062-01-31", `warning: "2062-01-31" is in the future, and says nothing; see that it is right`},
		{"nothing behind plan=", "jo plan=", `plan= without a name, or with one of more than 64 octets; write it as plan=pro`},
		{"two plans", "jo plan=a plan=b", `two of plan=; keep one of them`},
		{"two dates", "jo created=2026-01-31 created=2026-01-31", `two of created=; keep one of them`},
		{"another key", "jo since=2026-01-31", `unexpected "since=2026-01-31"; A line is: login created=2026-01-31 plan=pro, and # before a comment`},
		{"a second word", "jo al", `unexpected "al"; A line is: login created=2026-01-31 plan=pro, and # before a comment`},
		{"no login", "created=2026-01-31 plan=pro", `"created=2026-01-31" where the login is due; A line is: login created=2026-01-31 plan=pro`},
		{"twice", "A1", `"a1" was named before; keep one of the lines`},
		{"not UTF-8", "j\xf6", `not UTF-8; save the file as UTF-8`},
		{"a control character", "j\x00", `a control character; remove it`},
		{"a long login", strings.Repeat("j", 321), `a login of more than 320 octets; see that it is right`},
		{"a long line", "jo # " + strings.Repeat("j", 1100), `longer than 1024 octets; shorten its comment`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, said := parse(t, good+tc.text+"\na3\n")
			if want := "a.txt:3: " + tc.want + "\n"; said != want {
				t.Errorf("%q: %swant %s", tc.text, said, want)
			}
			want := 3
			if strings.Contains(tc.want, "warning") {
				want = 4
			}
			if l.Len() != want {
				t.Errorf("%d accounts, want %d", l.Len(), want)
			}
		})
	}
}

func TestWhatIsNoListIsNotUsed(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"more bad lines than good", "jo\na b\nc d\n", "a.txt: 2 lines with a mistake, and 1 accounts: none is used"},
		{"another kind of file", "<html>\n<body class=x>\n", "a.txt: 1 lines with a mistake, and 1 accounts"},
		{"one endless line", strings.Repeat("x", 1<<17), "a.txt:1: a line of more than 65536 octets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, said := parse(t, tc.text)
			if tc.name == "another kind of file" { // as many good as bad
				if l.Len() != 1 || !strings.Contains(said, "a.txt:2: unexpected") {
					t.Errorf("%d accounts: %s", l.Len(), said)
				}
				return
			}
			if l != nil || !strings.Contains(said, tc.want) {
				t.Errorf("%v: %swant %s", l, said, tc.want)
			}
		})
	}
	many := strings.Repeat("x y\n", 30) + lines(40)
	if l, said := parse(t, many); l.Len() != 40 || strings.Count(said, "\n") != maxProblems+1 || !strings.Contains(said, "a.txt: 10 more lines are wrong or odd") {
		t.Errorf("%d accounts:\n%s", l.Len(), said)
	}
	if l, _ := parse(t, ""); l == nil || l.Len() != 0 {
		t.Error("an empty file is no list")
	}
	if _, _, err := Parse(iotest.ErrReader(errors.ErrUnsupported), "a.txt", Rules{}, now); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a disk that fails: %v", err)
	}
	var none *List
	if _, ok := none.Find("jo"); ok || none.Len() != 0 {
		t.Error("no list knows somebody")
	}
}

// lines makes a file of so many accounts.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("user" + strconv.Itoa(i) + "@example" + strconv.Itoa(i%1000) + ".net created=20" + strconv.Itoa(10+i%16) + "-01-31 plan=plan" + strconv.Itoa(i%7) + "\n")
	}
	return b.String()
}

func TestPlansAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range maxPlans + 1 {
		b.WriteString("user" + strconv.Itoa(i) + " plan=" + strconv.Itoa(i) + "\n")
	}
	l, said := parse(t, b.String()+"al plan=999\n")
	if a, _ := l.Find("al"); a.Plan != "999" || !strings.Contains(said, `a.txt:1001: "1000" is one plan more than 1000; name plans`) {
		t.Errorf("al has %v: %s", a, said)
	}
}

func TestAllAreFound(t *testing.T) {
	const n = 20000
	l, said := parse(t, lines(n))
	if l.Len() != n || said != "" {
		t.Fatalf("%d: %s", l.Len(), said)
	}
	for i := range n {
		login := "user" + strconv.Itoa(i) + "@example" + strconv.Itoa(i%1000) + ".net"
		want := Account{time.Date(2010+i%16, 1, 31, 0, 0, 0, 0, time.UTC), "plan" + strconv.Itoa(i%7)}
		if got, ok := l.Find(login); !ok || got != want {
			t.Fatalf("%s: %v, want %v", login, got, want)
		}
		if _, ok := l.Find(login[1:]); ok {
			t.Fatalf("%s is known", login[1:])
		}
	}
}

func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.txt")
	write(t, path, "jo plan=a\n", now.Add(-time.Hour))
	f, problems := Open(path, Rules{}, now)
	if f == nil || len(problems) > 0 || f.Path() != path {
		t.Fatal(problems)
	}
	step := func(name string, at time.Time, change *Change, said, plan string) {
		t.Helper()
		got, problems := f.Refresh(at)
		if diff := cmp.Diff(change, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if text := strings.ReplaceAll(told(problems), path, "a.txt"); text != said {
			t.Errorf("%s: %swant %s", name, text, said)
		}
		if a, _ := f.Find("jo"); a.Plan != plan {
			t.Errorf("%s: plan %q, want %q", name, a.Plan, plan)
		}
	}
	step("nothing changed", now, nil, "", "a")
	write(t, path, "jo plan=bb\nal\n", now)
	step("written just now", now.Add(time.Second), nil, "", "a")
	step("left alone", now.Add(3*time.Second), &Change{2, 1}, "", "bb")
	write(t, path, "jo plan=c d\nal # x\n", now.Add(time.Minute))
	step("a line is broken", now.Add(2*time.Minute), &Change{1, 2}, "a.txt:1: unexpected \"d\"; A line is: login created=2026-01-31 plan=pro, and # before a comment\n", "")
	write(t, path, "jo plan=e\n", now.Add(3*time.Minute))
	step("mended", now.Add(4*time.Minute), &Change{1, 1}, "", "e")
	write(t, path, "jo plan=f g\n", now.Add(5*time.Minute))
	got, said := f.Refresh(now.Add(6 * time.Minute))
	if a, _ := f.Find("jo"); got != nil || a.Plan != "e" || !strings.Contains(told(said), "none is used") || !strings.Contains(told(said), "(the version before stays in use)") {
		t.Errorf("no list: %v, %s", got, told(said))
	}
	step("it is told once", now.Add(7*time.Minute), nil, "", "e")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	step("gone", now.Add(8*time.Minute), nil, "a.txt: no such file (the version before stays in use); make it, empty if there is nothing to say yet, or take it out of accounts.file\n", "e")
	step("still gone", now.Add(9*time.Minute), nil, "", "e")
	write(t, path, "", now.Add(10*time.Minute))
	step("empty", now.Add(11*time.Minute), &Change{0, 1}, "a.txt: warning: no accounts any more; if that is not meant, see what has emptied it\n", "")
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		"gone": "/gone: no such file; ", "": ": cannot be read: is a directory; ",
	} {
		if f, problems := Open(filepath.Join(dir, name), Rules{}, now); f != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%q: %v", name, problems)
		}
	}
	if f, problems := Open("/dev/null", Rules{}, now); f != nil || !strings.Contains(told(problems), "not a regular file") {
		t.Errorf("a device: %v", problems)
	}
}

// FuzzParse holds that whatever a file holds, what is found was written, and that a
// list written anew is the same.
func FuzzParse(f *testing.F) {
	f.Add("jo@example.net created=2026-01-31 plan=pro # x\nal\n")
	f.Add("\xef\xbb\xbfA created=2026-01-31T01:30:00+02:00\r\na\n;\n")
	f.Add("a b\nc d\n\x00")
	f.Add("a account=b\nb account=c plan=x\nc account=a\nd account=e\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, problems, err := Parse(strings.NewReader(text), "a.txt", Rules{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if l == nil && len(problems) == 0 {
			t.Fatal("no list, and nothing is said")
		}
		for _, p := range problems {
			if strings.ContainsAny(p.String(), "\n\x00") || p.What == "" || p.Remedy == "" {
				t.Fatalf("%q", p)
			}
		}
		var b strings.Builder
		for i := range l.Len() {
			login := string(l.name(uint32(i)))
			a, ok := l.Find(login)
			if of := l.Account(login); of != login {
				if x, _ := l.Find(of); l.Account(of) != of || x != a {
					t.Fatalf("%s leads to %s, which leads to %s", login, of, l.Account(of))
				}
				b.WriteString(login + " account=" + of + "\n")
				continue
			}
			if !ok || login != strings.ToLower(login) || strings.ContainsAny(login, " \t\n") {
				t.Fatalf("%q is %v, %v", login, a, ok)
			}
			b.WriteString(login)
			if !a.Created.IsZero() {
				b.WriteString(" created=" + a.Created.Format(time.RFC3339))
			}
			if a.Plan != "" {
				b.WriteString(" plan=" + a.Plan)
			}
			b.WriteString("\n")
		}
		again, problems, _ := Parse(strings.NewReader(b.String()), "b.txt", Rules{}, now)
		if again.Len() != l.Len() {
			t.Fatalf("%q gives\n%s: %s", text, b.String(), told(problems))
		}
		for i := range l.Len() {
			login := string(l.name(uint32(i)))
			x, _ := l.Find(login)
			if y, _ := again.Find(login); x != y {
				t.Fatalf("%s was %v, is %v", login, x, y)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	l, _, err := Parse(strings.NewReader(lines(1_000_000)), "a.txt", Rules{}, now)
	if err != nil {
		b.Fatal(err)
	}
	logins := make([]string, 4096)
	for i := range logins {
		n := i * 241 % 1_000_000
		logins[i] = "user" + strconv.Itoa(n) + "@example" + strconv.Itoa(n%1000) + ".net"
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, ok := l.Find(logins[i%len(logins)]); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := lines(1_000_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		l, _, err := Parse(strings.NewReader(text), "a.txt", Rules{}, now)
		if err != nil {
			b.Fatal(err)
		}
		size := len(l.names) + 4*len(l.ends) + 4*len(l.created) + 2*len(l.plan) + 4*len(l.table)
		b.ReportMetric(float64(size)/float64(l.Len()), "octets/account")
	}
}

package accounts

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNames: the logins that two MTAs have for one person come to one name.
func TestNames(t *testing.T) {
	strip := Rules{Strip: []string{"mx.test", "mx2.test"}}
	whole := Rules{Strip: strip.Strip, Domain: "example.net"}
	for _, tt := range []struct {
		login string
		rules Rules
		want  string
	}{
		{"Joe@MX.test", Rules{}, "joe@mx.test"},
		{"Joe@MX.test", strip, "joe"},
		{"joe@mx2.test", strip, "joe"},
		{"joe", strip, "joe"},
		{"joe@other.test", strip, "joe@other.test"},
		{"joe@sub.mx.test", strip, "joe@sub.mx.test"},
		{"a@b@mx.test", strip, "a@b"},
		{"@mx.test", strip, "@mx.test"}, // a name of nothing would be everybody's
		{"joe@mx.test", whole, "joe@example.net"},
		{"joe", whole, "joe@example.net"},
		{"joe@other.test", whole, "joe@other.test"},
		{"a@b@mx.test", whole, "a@b"},
		{"", whole, ""},
	} {
		got := tt.rules.Name(tt.login)
		if got != tt.want {
			t.Errorf("%q by %+v is %q, want %q", tt.login, tt.rules, got, tt.want)
		}
		if again := tt.rules.Name(got); again != got && tt.rules.Domain == "" && !strings.Contains(got, "@") {
			t.Errorf("%q is %q in turn", got, again)
		}
	}
}

// TestOtherNames: several logins lead to one account, wherever its own line stands.
func TestOtherNames(t *testing.T) {
	rules := Rules{Strip: []string{"mx.test"}}
	text := "sales account=Jo@mx.test\njo created=2026-01-31 plan=pro\ninfo@mx.test account=sales # of two\nal plan=free\nfax account=gone\n"
	l, problems, err := Parse(strings.NewReader(text), "a.txt", rules, now)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for login, want := range map[string]string{"jo": "jo", "sales": "jo", "info": "jo", "al": "al", "fax": "gone", "gone": "gone", "nobody": "nobody"} {
		if got := l.Account(login); got != want {
			t.Errorf("%s is %s, want %s", login, got, want)
		}
	}
	for _, login := range []string{"jo", "sales", "info"} {
		if a, ok := l.Find(login); !ok || a != (Account{date("2026-01-31T00:00:00Z"), "pro"}) {
			t.Errorf("%s has %v", login, a)
		}
	}
	if got := l.Others("jo", 10); !slices.Equal(got, []string{"sales", "info"}) {
		t.Errorf("jo is also %q", got)
	}
	if got := l.Others("jo", 1); len(got) != 1 {
		t.Errorf("more than asked for: %q", got)
	}
	for _, nobody := range []string{"al", "nobody"} {
		if got := l.Others(nobody, 10); got != nil {
			t.Errorf("%s is also %q", nobody, got)
		}
	}
	var none *List
	if none.Account("jo") != "jo" || none.Others("jo", 1) != nil {
		t.Error("no list knows other names")
	}
	if plain, _ := parse(t, "jo\n"); plain.Account("jo") != "jo" || plain.Others("jo", 1) != nil || plain.of != nil {
		t.Error("a list without other names has some")
	}
}

func TestOtherNamesThatAreWrong(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"no name", "x account=", "account= without a name"},
		{"two", "x account=a account=b", "two of account="},
		{"itself", "X account=x", "account= of the login itself; leave it out"},
		{"with a date", "x account=a created=2026-01-31", `created= or plan= beside account=: "x" is another name; say it of "a"`},
		{"with a plan", "x plan=p account=a", `say it of "a"`},
		{"no login", "account=a", "where the login is due"},
		{"a long one", "x account=" + strings.Repeat("a", 321), "more than 320 octets"},
		{"a circle", "x account=y\ny account=x", "in a circle"},
	} {
		l, said := parse(t, "a1\na2\n"+tt.line+"\na3\n")
		if !strings.Contains(said, tt.want) {
			t.Errorf("%s: %s", tt.name, said)
		}
		if l == nil || l.Account("x") != "x" {
			t.Errorf("%s: x leads to %q", tt.name, l.Account("x"))
		}
	}
	var chain strings.Builder
	for i := range mostHops + 2 {
		fmt.Fprintf(&chain, "n%d account=n%d\n", i, i+1)
	}
	l, said := parse(t, chain.String())
	if !strings.Contains(said, "in a circle or for more than") || l.Account("n0") != "n0" || l.Account("n5") != fmt.Sprint("n", mostHops+2) {
		t.Errorf("a chain: %s: n0 is %s, n5 is %s", said, l.Account("n0"), l.Account("n5"))
	}
}

func TestAFileHasKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.txt")
	write(t, path, "sales@mx.test account=jo\n", now.Add(-time.Hour))
	f, problems := Open(path, Rules{Strip: []string{"mx.test"}}, now)
	if f == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	for login, want := range map[string]string{"Sales": "jo", "SALES@mx.test": "jo", "jo@mx.test": "jo", "al@other.test": "al@other.test"} {
		if got := f.Key(login); got != want {
			t.Errorf("%s is %s, want %s", login, got, want)
		}
	}
	if !f.Rules().Equal(Rules{Strip: []string{"mx.test"}}) || f.Rules().Equal(Rules{Domain: "x"}) {
		t.Errorf("rules %+v", f.Rules())
	}
	write(t, path, "sales account=al\n", now)
	if change, _ := f.Refresh(now.Add(time.Minute)); change == nil || f.Key("sales@mx.test") != "al" {
		t.Errorf("after a change sales is %s", f.Key("sales@mx.test"))
	}
	if n := testing.AllocsPerRun(100, func() { f.Key("somebody@example.net") }); n != 0 {
		t.Errorf("%v allocations for a login as most are", n)
	}
}

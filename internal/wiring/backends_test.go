package wiring

import (
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/config"
)

// TestMistakesInBackends tells each at the line of its key, with a way out, and
// without what is secret.
func TestMistakesInBackends(t *testing.T) {
	const sql = "sql = \"postgres://u:hush@db.test/mail\"\n"
	const query = "query = \"SELECT 1 FROM u WHERE a = $1\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"a database of no kind", "source = \"sql\"\nsql = \"oracle://u:hush@db.test/mail\"\n" + query, "6: directory.sql: no database that is known; "},
		{"a query for everybody", "source = \"sql\"\n" + sql + "query = \"SELECT 1 FROM u\"\n", "7: directory.query: asks for nobody in particular"},
		{"two passwords", "source = \"sql\"\n" + sql + query + "password = \"hushhush\"\n", "6: directory.sql: has a password"},
		{"a base that is none", "source = \"ldap\"\nldap = \"ldap://h/x\"\nfilter = \"(mail=%s)\"\n", "6: directory.ldap: its base"},
		{"a filter that is none", "source = \"ldap\"\nldap = \"ldap://h/dc=x\"\nfilter = \"mail=%s)\"\n", "7: directory.filter: no filter"},
		{"a name without its password", "source = \"ldap\"\nldap = \"ldap://h/dc=x\"\nfilter = \"(mail=%s)\"\nbind_dn = \"cn=u\"\n", "8: directory.bind_dn: has no password"},
		{"a map without its name", "source = \"socketmap\"\nsocketmap = \"unix:/run/map\"\n", "6: directory.socketmap: no name of a map"},
		{"a next hop without a protocol", "source = \"callahead\"\ncallahead = \"mx.test:25\"\n", "6: directory.callahead: neither lmtp: nor smtp:"},
		{"one of a domain", "[[directory.for]]\ndomains = [\"here.example\"]\nsource = \"callahead\"\ncallahead = \"mx.test:25\"\n", "8: directory.for.callahead: neither"},
		{"a password in clear", "source = \"ldap\"\nldap = \"ldap://ldap.test/dc=x\"\nfilter = \"(mail=%s)\"\nbind_dn = \"cn=u\"\npassword = \"hush\"\n",
			"6: warning: directory.ldap: the password of bind_dn"},
	} {
		stack, problems, fatal := LoadDirectory(read(t, "mode = \"monitor\"\n[directory]\n"+c.text), nil, time.Now())
		if fatal == (stack != nil) || len(problems) != 1 {
			t.Errorf("%s: %d problems, fatal %t", c.name, len(problems), fatal)
			continue
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
		_, got, _ := strings.Cut(problems[0].String(), ".toml:")
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "hush") || fatal == problems[0].Warning {
			t.Errorf("%s: %s (fatal %t), want %s", c.name, got, fatal, c.want)
		}
	}
}

// TestNothingIsAskedAtTheStart has no server anywhere, and no trouble with that.
func TestNothingIsAskedAtTheStart(t *testing.T) {
	var text strings.Builder
	text.WriteString("mode = \"monitor\"\n")
	for _, s := range []string{
		"source = \"sql\"\nsql = \"postgres://u@192.0.2.1/d\"\nquery = \"SELECT 1 FROM u WHERE a = $1\"",
		"source = \"sql\"\nsql = \"mysql://u@192.0.2.1/d\"\nquery = \"SELECT 1 FROM u WHERE a = ?\"",
		"source = \"sql\"\nsql = \"sqlite:/nowhere/u.db\"\nquery = \"SELECT 1 FROM u WHERE a = ?\"",
		"source = \"ldap\"\nldap = \"ldap://192.0.2.1/dc=x\"\nfilter = \"(mail=%s)\"",
		"source = \"socketmap\"\nsocketmap = \"unix:/nowhere/map:users\"",
		"source = \"callahead\"\ncallahead = \"lmtp:192.0.2.1:24\"",
	} {
		text.WriteString("[[directory.for]]\ndomains = [\"here.example\"]\n" + s + "\n")
	}
	cfg := read(t, text.String())
	stack, problems, fatal := LoadDirectory(cfg, nil, time.Now())
	if fatal || len(problems) > 0 || len(stack.Routes()) != 6 {
		t.Fatalf("fatal %t, %v", fatal, problems)
	}
	again, _, _ := LoadDirectory(cfg, stack, time.Now())
	for i, r := range again.Routes() {
		if r.Guard != stack.Routes()[i].Guard {
			t.Errorf("%s: a reload of the same settings makes another", r.Kind)
		}
	}
	other := strings.Replace(text.String(), "postgres://u@", "postgres://u:hush@", 1)
	third, _, _ := LoadDirectory(read(t, other), again, time.Now())
	if third.Routes()[0].Guard == again.Routes()[0].Guard || third.Routes()[1].Guard != again.Routes()[1].Guard {
		t.Error("another password is another source, and of no other one")
	}
	for _, s := range []interface{ Close() error }{third, again, stack} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSecretsOfBackendsAreNotShown prints all there is to print.
func TestSecretsOfBackendsAreNotShown(t *testing.T) {
	cfg := read(t, `mode = "monitor"
[directory]
source = "sql"
sql = "postgres://u:hush@db.test/mail"
query = "SELECT 1 FROM u WHERE a = $1"
[[directory.for]]
domains = ["here.example"]
source = "ldap"
ldap = "ldap://ldap.test/dc=x"
filter = "(mail=%s)"
bind_dn = "cn=u"
password = "hushhush"
`)
	var all strings.Builder
	for _, changed := range []bool{true, false} {
		if err := cfg.Print(&all, changed); err != nil {
			t.Fatal(err)
		}
	}
	text := all.String()
	if strings.Contains(text, "hush") || strings.Count(text, `password = "(secret)"`) != 2 || !strings.Contains(text, `filter = "(mail=%s)"`) {
		t.Errorf("printed:\n%s", text)
	}
	if _, report := config.Load(cfg.Path); strings.Contains(report.String(), "hush") {
		t.Error(report)
	}
}

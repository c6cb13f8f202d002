package sql

import (
	"slices"
	"strings"
	"testing"
)

func TestQueries(t *testing.T) {
	a, l, d := wholeAddress, localPart, domainPart
	for _, c := range []struct {
		name, text string
		kind       kind
		want       string
		fields     []field
	}{
		{"as in the manual", "SELECT created, plan FROM users WHERE address = $1", postgres, "SELECT created, plan FROM users WHERE address = $1", []field{a}},
		{"the same for MySQL", "SELECT created, plan FROM users WHERE address = $1", mysqlKind, "SELECT created, plan FROM users WHERE address = ?", []field{a}},
		{"MySQL's own placeholder is the address", "SELECT 1 FROM u WHERE a = ? OR b = ?", mysqlKind, "SELECT 1 FROM u WHERE a = ? OR b = ?", []field{a, a}},
		{"and SQLite's numbered ones", "SELECT 1 FROM u WHERE l = ?2 AND d = ?3", sqlite, "SELECT 1 FROM u WHERE l = ? AND d = ?", []field{l, d}},
		{"the parts of an address", "select 1 from u where l=$2 and d=$3;", postgres, "select 1 from u where l=$1 and d=$2", []field{l, d}},
		{"one twice is one in PostgreSQL", "SELECT 1 FROM u WHERE a=$1 OR b=$1 OR c=$3", postgres, "SELECT 1 FROM u WHERE a=$1 OR b=$1 OR c=$2", []field{a, d}},
		{"and two elsewhere", "SELECT 1 FROM u WHERE a=$1 OR b=$1", sqlite, "SELECT 1 FROM u WHERE a=? OR b=?", []field{a, a}},
		{"text in quotes stays", "SELECT 'it''s $2 ?; --' FROM u WHERE a=$1", mysqlKind, "SELECT 'it''s $2 ?; --' FROM u WHERE a=?", []field{a}},
		{"MySQL's backslash in quotes", `SELECT 'it\'s $2' FROM u WHERE a=$1`, mysqlKind, `SELECT 'it\'s $2' FROM u WHERE a=?`, []field{a}},
		{"names in quotes stay", "SELECT `a?` FROM \"u$2\" WHERE a=$1", sqlite, "SELECT `a?` FROM \"u$2\" WHERE a=?", []field{a}},
		{"comments stay", "SELECT 1 -- $2?\n/* $3; */ FROM u WHERE a=$1 # $2", mysqlKind, "SELECT 1 -- $2?\n/* $3; */ FROM u WHERE a=? # $2", []field{a}},
		{"PostgreSQL's operators and tags", "SELECT $x$it's $2$x$ FROM u WHERE j ? 'k' AND a=$1", postgres, "SELECT $x$it's $2$x$ FROM u WHERE j ? 'k' AND a=$1", []field{a}},
		{"a name with a dollar", "SELECT a$1 FROM u WHERE a=$1", mysqlKind, "SELECT a$1 FROM u WHERE a=?", []field{a}},
		{"a part before", "WITH x AS (SELECT 1) SELECT 1 FROM x WHERE $1 <> ''", postgres, "WITH x AS (SELECT 1) SELECT 1 FROM x WHERE $1 <> ''", []field{a}},
		{"a number of rows among others", "SELECT count(*), plan FROM u WHERE a=$1 GROUP BY plan", postgres, "SELECT count(*), plan FROM u WHERE a=$1 GROUP BY plan", []field{a}},
		{"only where there are some", "SELECT count(*) FROM u WHERE a=$1 HAVING count(*) > 0", postgres, "SELECT count(*) FROM u WHERE a=$1 HAVING count(*) > 0", []field{a}},
		{"whether there is something beside a row", "SELECT EXISTS (SELECT 1 FROM v WHERE (v.a=u.a)) AS extra FROM u WHERE a=$1", postgres, "SELECT EXISTS (SELECT 1 FROM v WHERE (v.a=u.a)) AS extra FROM u WHERE a=$1", []field{a}},
		{"a column named so", "SELECT counts, maximum FROM u WHERE a=$1", postgres, "SELECT counts, maximum FROM u WHERE a=$1", []field{a}},
		{"in brackets", "(SELECT 1 FROM u WHERE a=$1) UNION (SELECT 1 FROM v WHERE a=$1)", postgres, "(SELECT 1 FROM u WHERE a=$1) UNION (SELECT 1 FROM v WHERE a=$1)", []field{a}},
	} {
		q, err := parseQuery(c.text, c.kind)
		if err != nil || q.text != c.want || !slices.Equal(q.fields, c.fields) {
			t.Errorf("%s: %q is\n%q %v (%v), want\n%q %v", c.name, c.text, q.text, q.fields, err, c.want, c.fields)
		}
	}
}

func TestQueriesRefused(t *testing.T) {
	for _, c := range []struct{ name, text, wrong string }{
		{"nothing", " ; ", "empty"},
		{"one that writes", "DELETE FROM users WHERE address = $1", "does not begin with SELECT"},
		{"two", "SELECT 1 FROM u WHERE a=$1; DROP TABLE u", "more than one"},
		{"one for everybody", "SELECT created FROM users", "nobody in particular"},
		{"a placeholder in quotes is none", "SELECT 1 FROM u WHERE a='$1'", "nobody in particular"},
		{"a fourth part", "SELECT 1 FROM u WHERE a=$4", "there is no $4"},
		{"a number of rows, which is a row for everybody", "SELECT count(*) FROM u WHERE a=$1", "begins with count(...)"},
		{"the newest of none", "select  MAX (created) FROM u WHERE a=$1", "begins with MAX (...)"},
		{"whether there is one", "SELECT exists(SELECT 1 FROM u WHERE (a=$1))", "begins with exists(...)"},
		{"or not", "SELECT NOT EXISTS (SELECT 1 FROM u WHERE a=$1) AS x", "begins with NOT EXISTS (...)"},
		{"an open quote", "SELECT 1 FROM u WHERE a=$1 AND b='x", "does not end"},
		{"an open comment", "SELECT 1 FROM u WHERE a=$1 /* x", "does not end"},
	} {
		for _, k := range []kind{postgres, mysqlKind, sqlite} {
			if _, err := parseQuery(c.text, k); err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "; ") {
				t.Errorf("%s: %q: %v, want a word of %q, and a remedy", c.name, c.text, err, c.wrong)
			}
		}
	}
}

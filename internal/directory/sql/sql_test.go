package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"mailprofiled/internal/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const query = "SELECT * FROM users WHERE address = $1"

var joe = directory.Address{Local: "Joe", Domain: "example.net"}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, o Options) *Source {
	t.Helper()
	if o.Query == "" {
		o.Query = query
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// file makes a database of the statements.
func file(t testing.TB, path string, statements ...string) *sql.DB {
	t.Helper()
	u := url.URL{Scheme: "file", Path: path}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestWhatARowSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my users?.db")
	file(t, path, `CREATE TABLE users (address TEXT PRIMARY KEY, created, "Plan" TEXT, quota INTEGER, ratio REAL, note BLOB)`,
		`INSERT INTO users VALUES ('joe@example.net', '2026-01-31', 'pro', 5, 0.5, x'ff00')`,
		`INSERT INTO users VALUES ('seconds@example.net', 1769817600, NULL, NULL, NULL, NULL)`,
		`INSERT INTO users VALUES ('odd@example.net', 'lately', '', NULL, NULL, NULL)`,
		`INSERT INTO users VALUES ('@example.org', NULL, 'all', NULL, NULL, NULL)`)
	s := open(t, Options{URL: "sqlite:" + path})
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

	e := s.Lookup(soon(t), joe)
	if e.Result != directory.Yes || !e.Created.Equal(day) || e.Plan != "pro" || e.Settings["quota"] != "5" || e.Settings["ratio"] != "0.5" || e.Settings["address"] != "joe@example.net" || len(e.Settings) != 3 {
		t.Errorf("joe: %+v", e)
	}
	for _, c := range []struct {
		local, domain string
		want          directory.Result
		created       time.Time
	}{
		{"Seconds", "example.net", directory.Yes, day},
		{"odd", "example.net", directory.Yes, time.Time{}},
		{"nobody", "example.net", directory.No, time.Time{}},
		{"", "example.org", directory.Yes, time.Time{}},
		{"", "example.net", directory.No, time.Time{}},
		{"'; DROP TABLE users; --", "example.net", directory.No, time.Time{}},
		{"j\xf6e", "example.net", directory.Unknown, time.Time{}},
	} {
		e := s.Lookup(soon(t), directory.Address{Local: c.local, Domain: c.domain})
		if e.Result != c.want || !e.Created.Equal(c.created) || e.Err != nil {
			t.Errorf("%s@%s: %+v, want %v", c.local, c.domain, e, c.want)
		}
	}
}

func TestAQueryByLocalPartHasNoCatchAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.db")
	file(t, path, "CREATE TABLE users (l, d)", "INSERT INTO users VALUES ('', 'example.net'), ('joe', 'example.net')")
	s := open(t, Options{URL: "sqlite:" + path, Query: "SELECT 1 FROM users WHERE l = $2 AND d = $3"})
	for local, want := range map[string]directory.Result{"JOE": directory.Yes, "": directory.No} {
		if e := s.Lookup(soon(t), directory.Address{Local: local, Domain: "example.net"}); e.Result != want {
			t.Errorf("%q: %+v", local, e)
		}
	}
}

func TestSQLiteFilesInTrouble(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.db")
	s := open(t, Options{URL: "sqlite:" + path})
	fails := func(when, word string) {
		t.Helper()
		if e := s.Lookup(soon(t), joe); e.Result != directory.Failed || !strings.Contains(e.Err.Error(), word) {
			t.Errorf("%s: %+v, want a failure that says %q", when, e, word)
		}
	}
	says := func(when string, want directory.Result) {
		t.Helper()
		if e := s.Lookup(soon(t), joe); e.Result != want {
			t.Errorf("%s: %+v, want %v", when, e, want)
		}
	}
	fails("not there yet", "unable to open")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the file was made: %v", err)
	}
	db := file(t, path, "CREATE TABLE other (x)")
	fails("another table", "no such table")
	db.Exec("CREATE TABLE users (address)")
	says("there", directory.No)
	db.Exec("INSERT INTO users VALUES ('joe@example.net')")
	says("a row", directory.Yes)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	fails("locked for long", "locked")
	db.Exec("COMMIT")
	says("unlocked", directory.Yes)
	db.Close()

	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, []byte(strings.Repeat("rubbish ", 2000)), 0o600)
	if e := s.Lookup(soon(t), joe); e.Result != directory.Failed {
		t.Errorf("rubbish: %+v", e)
	}
	os.WriteFile(path, good, 0o600)
	says("mended", directory.Yes)
	os.WriteFile(path, nil, 0o600)
	if e := s.Lookup(soon(t), joe); e.Result != directory.Failed {
		t.Errorf("emptied: %+v", e)
	}
}

// talk serves each connection by f, until the test's end.
func talk(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { defer c.Close(); f(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

func TestServersInTrouble(t *testing.T) {
	silent := func(c net.Conn) { io.Copy(io.Discard, c) }
	rubbish := func(c net.Conn) {
		c.Write([]byte(strings.Repeat("\xff\x00rubbish\r\n", 100)))
		io.Copy(io.Discard, c)
	}
	for _, c := range []struct {
		name string
		f    func(net.Conn)
		wait time.Duration
	}{
		{"hangs up", func(net.Conn) {}, 5 * time.Second},
		{"rubbish", rubbish, 200 * time.Millisecond},
		{"silent", silent, 200 * time.Millisecond},
	} {
		at := talk(t, c.f)
		for _, url := range []string{"postgres://u:hush@" + at + "/db?sslmode=disable", "mysql://u:hush@" + at + "/db?tls=false"} {
			s := open(t, Options{URL: url})
			ctx, cancel := context.WithTimeout(t.Context(), c.wait)
			e := s.Lookup(ctx, joe)
			cancel()
			if e.Result != directory.Failed || e.Err == nil || strings.Contains(e.Err.Error(), "hush") {
				t.Errorf("%s: %s: %+v", c.name, url, e)
			}
		}
	}
}

func TestWhereDatabasesAre(t *testing.T) {
	for _, c := range []struct{ url, wrong string }{
		{"postgres://u@db.test/mail", ""},
		{"postgresql://u:hush@db.test:5432,db2.test/mail?sslmode=require&target_session_attrs=any", ""},
		{"postgres:///mail?host=/run/postgresql", ""},
		{"mysql://u:hush@db.test/mail", ""},
		{"mysql://u:hush@[::1]/mail?tls=skip-verify", ""},
		{"mysql://u@/mail?socket=/run/mysqld/mysqld.sock", ""},
		{"sqlite:/var/lib/users.db", ""},
		{"sqlite:///var/lib/users.db", ""},
		{"postgres://u:hu/sh@db.test/mail", "no URL"},
		{"postgres://u:12/hush@db.test/mail", "no URL"},
		{"postgres://u:12?hush@db.test/mail", "no URL"},
		{"postgres://u:x:hush@db.test:y/mail", "not understood"},
		{"mysql://u:hush%zz@db.test/mail", "no URL"},
		{"mysql:u:hush@db.test/mail", "no URL"},
		{"mysql://u:hush@db.test/mail?tls=maybe", "not known"},
		{"mysql://u:hush@db.test/mail?parseTime=false", "not known"},
		{"postgres://u:hush@db.test/mail?sslmode=maybe", "not understood"},
		{"postgres://u:hush@db.test/mail?sslrootcert=/nowhere/ca.pem&sslmode=verify-full", "not understood"},
		{"oracle://u:hush@db.test/mail", "no database"},
		{"u:hush@db.test", "no database"},
		{"sqlite:", "no path"},
		{"", "no database"},
	} {
		s, err := New(Options{URL: c.url, Query: query})
		if err == nil {
			s.Close()
		}
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.url, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "; ") || strings.Contains(err.Error(), "hu")):
			t.Errorf("%s: %v, want a word of %q, a remedy, and no password", c.url, err, c.wrong)
		}
	}
	if _, err := New(Options{URL: "sqlite:/x", Query: "SELECT 1"}); !errors.Is(err, ErrQuery) {
		t.Errorf("a mistake in the query: %v", err)
	}
	if _, err := New(Options{URL: "mysql://u:hush@h/d", Password: "two", Query: query}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("two passwords: %v", err)
	}
	if _, err := New(Options{URL: "mysql://u@h/d", CA: "/nowhere/ca.pem", Query: query}); err == nil {
		t.Error("certificates that are not there")
	}
}

func BenchmarkSQLite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "users.db")
	file(b, path, "CREATE TABLE users (address TEXT PRIMARY KEY, created, plan)", "INSERT INTO users VALUES ('joe@example.net', '2026-01-31', 'pro')")
	s := open(b, Options{URL: "sqlite:" + path})
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if e := s.Lookup(ctx, joe); e.Result != directory.Yes {
			b.Fatal(e)
		}
	}
}

// TestWhatADatabaseCannotCompare is trouble with one address: whoever sends such
// addresses must not have the database left alone.
func TestWhatADatabaseCannotCompare(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"a letter that PostgreSQL's encoding lacks", &pgconn.PgError{Code: "22P05"}, true},
		{"one that is none", &pgconn.PgError{Code: "22021"}, true},
		{"a text that is no number, as the query wants one", &pgconn.PgError{Code: "22P02"}, true},
		{"a table that is not there", &pgconn.PgError{Code: "42P01"}, false},
		{"going down", &pgconn.PgError{Code: "57P01"}, false},
		{"collations that MariaDB does not mix", fmt.Errorf("query: %w", &mysql.MySQLError{Number: 1267}), true},
		{"a wrong password", &mysql.MySQLError{Number: 1045}, false},
		{"a row with a picture in it", errHugeRow, true},
		{"a broken connection", io.ErrUnexpectedEOF, false},
		{"none", nil, false},
	} {
		if got := unspeakable(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

package sql

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// A kind is a sort of database.
type kind uint8

const (
	postgres kind = iota + 1
	mysqlKind
	sqlite
)

// A target is a database that can be opened, with what never is to be told of it.
type target struct {
	kind    kind
	open    func() *sql.DB
	secrets []string
}

const (
	written = `write "postgres://user@host/database", "mysql://user@host/database" or "sqlite:/path"`

	// dialTime is how long a connection may take that is made on behalf of nobody,
	// and whose end no deadline of a question brings.
	dialTime = 5 * time.Second
	// sqliteBusy is how long a writer of the file is waited for.
	sqliteBusy = "200"
)

// parseTarget reads where the database is. No error holds a part of the URL: where a
// password ends, a mistake in it may have hidden.
func parseTarget(o Options) (target, error) {
	kind, _, _ := strings.Cut(o.URL, ":")
	switch kind {
	case "sqlite":
		return sqliteTarget(strings.TrimPrefix(o.URL, "sqlite:"))
	case "postgres", "postgresql", "mysql", "mariadb":
	default:
		return target{}, errors.New("no database that is known; " + written)
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Opaque != "" {
		return target{}, errors.New("no URL; " + written + `, and in a password each of :/?#[]@% by its code, as "%40" for @`)
	}
	password, _ := u.User.Password()
	if o.Password != "" {
		if password != "" {
			return target{}, errors.New("has a password, and there is one beside it; remove one of them")
		}
		password = o.Password
		u.User = url.UserPassword(u.User.Username(), password)
	}
	t := target{secrets: []string{password, url.QueryEscape(password), url.PathEscape(password)}}
	if strings.HasPrefix(kind, "postgres") {
		t.kind = postgres
		t.open, err = openPostgres(u)
	} else {
		t.kind = mysqlKind
		t.open, err = openMySQL(u, o.CA)
	}
	return t, err
}

// openPostgres leaves the reading of its URL to pgx, and so what libpq reads besides:
// sslmode, sslrootcert, several hosts, target_session_attrs.
func openPostgres(u *url.URL) (func() *sql.DB, error) {
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		what := "not understood"
		if inner := errors.Unwrap(err); inner != nil {
			password, _ := u.User.Password()
			what += ": " + strings.ReplaceAll(strings.ReplaceAll(inner.Error(), u.String(), "the URL"), password+"@", "(secret)@")
		}
		return nil, errors.New(what + "; " + written)
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = dialTime
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "mailprofiled"
	}
	return func() *sql.DB { return stdlib.OpenDB(*cfg) }, nil
}

// openMySQL reads the URL as those of PostgreSQL: "mysql://user:password@host:port/db",
// with ?socket=/path for a unix socket and ?tls=.
func openMySQL(u *url.URL, ca string) (func() *sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.DBName = strings.TrimPrefix(u.Path, "/")
	cfg.Net, cfg.Addr = "tcp", u.Host
	if cfg.Addr == "" {
		cfg.Addr = "localhost"
	}
	if u.Port() == "" {
		cfg.Addr = net.JoinHostPort(strings.Trim(cfg.Addr, "[]"), "3306")
	}
	cfg.ParseTime, cfg.Loc = true, time.UTC
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = dialTime, dialTime, dialTime
	cfg.Logger = &mysql.NopLogger{}
	cfg.TLSConfig = "preferred"
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch {
		case name == "socket" && filepath.IsAbs(value):
			cfg.Net, cfg.Addr = "unix", value
		case name == "tls" && (value == "true" || value == "false" || value == "preferred" || value == "skip-verify"):
			cfg.TLSConfig = value
		default:
			return nil, errors.New(`has a parameter that is not known; "?socket=/path" and "?tls=true", "false", "preferred" or "skip-verify" are`)
		}
	}
	if cfg.Net == "unix" {
		cfg.TLSConfig = "false"
	}
	if ca != "" && cfg.Net != "unix" {
		roots, err := readCA(ca)
		if err != nil {
			return nil, err
		}
		cfg.TLSConfig, cfg.TLS = "", &tls.Config{RootCAs: roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("not understood; " + written)
	}
	return func() *sql.DB { return sql.OpenDB(connector) }, nil
}

// readCA reads the certificates that servers' certificates are to be signed by.
func readCA(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.New("its certificates cannot be read: " + err.Error() + "; name a file of certificates in PEM form")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in " + file + "; name a file of certificates in PEM form")
	}
	return roots, nil
}

// sqliteTarget opens a file for reading only, so that it neither makes nor changes one.
func sqliteTarget(path string) (target, error) {
	path = "/" + strings.TrimLeft(path, "/")
	if path == "/" || strings.ContainsRune(path, 0) {
		return target{}, errors.New(`no path; write "sqlite:/path"`)
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(" + sqliteBusy + ")&_pragma=query_only(1)"}
	return target{kind: sqlite, open: func() *sql.DB {
		db, err := sql.Open("sqlite", u.String())
		if err != nil { // no such driver: it is linked above
			panic(err)
		}
		return db
	}}, nil
}

package sql

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
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
	// maxMessage is how much is read of one message of PostgreSQL's, in octets: pgx
	// believes what it says of its length, up to 2 GiB.
	maxMessage = 1 << 20
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
	scheme, rest, ok := strings.Cut(o.URL, "://")
	if !ok || badAuthority(rest) {
		return target{}, errURL
	}
	if o.Password != "" && strings.Contains(userinfo(rest), ":") {
		return target{}, errors.New("has a password, and there is one beside it; remove one of them")
	}
	if strings.HasPrefix(scheme, "postgres") {
		return postgresTarget(o)
	}
	return mysqlTarget(o)
}

var errURL = errors.New("no URL; " + written + `, and in a password each of :/?#[]@% by its code, as "%40" for @`)

// badAuthority reports an "@" where none can be. It is what a password with a bare "/"
// or "?" leaves behind, and everything before it would be taken for a host and shown.
func badAuthority(rest string) bool {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return strings.Contains(rest[i:], "@")
	}
	return false
}

// userinfo is what stands before the host: "user:password".
func userinfo(rest string) string {
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	return authority[:max(0, strings.LastIndexByte(authority, '@'))]
}

// hidden are the ways in which a password may turn up in a text.
func hidden(password string) []string {
	return []string{password, url.QueryEscape(password), url.PathEscape(password)}
}

// postgresTarget leaves the reading of its URL to pgx, and so what libpq reads besides:
// sslmode, sslrootcert, several hosts, target_session_attrs.
func postgresTarget(o Options) (target, error) {
	cfg, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return target{}, errors.New("not understood" + why(err, o.URL) + "; " + written)
	}
	if o.Password != "" {
		cfg.Password = o.Password
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = dialTime
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "mailprofiled"
	}
	cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxMessage)
		return f
	}
	return target{postgres, func() *sql.DB { return stdlib.OpenDB(*cfg) }, hidden(cfg.Password)}, nil
}

// why is what pgx says of a URL, unless there is any piece of a password in it.
func why(err error, text string) string {
	inner := errors.Unwrap(err)
	if inner == nil {
		return ""
	}
	_, rest, _ := strings.Cut(text, "://")
	pieces := strings.FieldsFunc(userinfo(rest), func(r rune) bool { return strings.ContainsRune(":@%", r) })
	for i, piece := range pieces {
		if i > 0 && strings.Contains(inner.Error(), piece) {
			return ""
		}
	}
	return ": " + inner.Error()
}

// mysqlTarget reads the URL as those of PostgreSQL: "mysql://user:password@host:port/db",
// with ?socket=/path for a unix socket and ?tls=.
func mysqlTarget(o Options) (target, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return target{}, errURL
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	if o.Password != "" {
		cfg.Passwd = o.Password
	}
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
	if err := parameters(cfg, u.Query()); err != nil {
		return target{}, err
	}
	if o.CA != "" && cfg.Net != "unix" {
		roots, err := readCA(o.CA)
		if err != nil {
			return target{}, err
		}
		cfg.TLSConfig, cfg.TLS = "", &tls.Config{RootCAs: roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return target{}, errors.New("not understood; " + written)
	}
	return target{mysqlKind, func() *sql.DB { return sql.OpenDB(connector) }, hidden(cfg.Passwd)}, nil
}

// parameters reads what stands behind the question mark.
func parameters(cfg *mysql.Config, query url.Values) error {
	for name, values := range query {
		value := values[len(values)-1]
		switch {
		case name == "socket" && filepath.IsAbs(value):
			cfg.Net, cfg.Addr = "unix", value
		case name == "tls" && (value == "true" || value == "false" || value == "preferred" || value == "skip-verify"):
			cfg.TLSConfig = value
		default:
			return errors.New(`has a parameter that is not known; "?socket=/path" and "?tls=true", "false", "preferred" or "skip-verify" are`)
		}
	}
	if cfg.Net == "unix" {
		cfg.TLSConfig = "false"
	}
	return nil
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

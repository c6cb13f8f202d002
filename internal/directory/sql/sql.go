// Package sql asks a database of the operator's who exists, by the operator's own
// query: PostgreSQL, MySQL and MariaDB, or an SQLite file.
//
// A row means yes, no row means no, and everything else, a database that is away or
// that does not understand the query, is a failure.
package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"mailprofiled/internal/directory"
)

// Options say which database to ask, and what.
type Options struct {
	URL         string // "postgres://...", "mysql://..." or "sqlite:/path"
	Query       string // with $1 for the address, $2 for its local part, $3 for its domain
	Password    string // in place of one in the URL
	CA          string // for MySQL: a file of certificates in PEM form; PostgreSQL has sslrootcert in its URL
	Connections int    // at once; 0 is 8
}

// How connections are kept. A life has an end so that they follow a server that has
// moved, or an SQLite file that another has replaced.
const (
	defaultConnections = 8
	keepIdle           = 5 * time.Minute
	life               = 30 * time.Minute
	sqliteLife         = 10 * time.Second
)

// A Source asks one database.
type Source struct {
	db      *sql.DB
	name    string // of the sort of database, for texts
	kind    kind
	query   question
	secrets []string

	mu   sync.Mutex
	stmt *sql.Stmt // made by the first question; not used with pgx, which prepares by itself
}

// New makes a source. It connects to nobody: the database may be down as yet. Errors
// are mistakes in the options, worded "what; remedy", and never hold a password. Which
// option it is, errors.Is(err, ErrQuery) tells.
func New(o Options) (*Source, error) {
	t, err := parseTarget(o)
	if err != nil {
		return nil, err
	}
	q, err := parseQuery(o.Query, t.kind)
	if err != nil {
		return nil, &queryError{err}
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	db := t.open()
	db.SetMaxOpenConns(o.Connections)
	db.SetMaxIdleConns(o.Connections)
	db.SetConnMaxIdleTime(keepIdle)
	db.SetConnMaxLifetime(life)
	if t.kind == sqlite {
		db.SetConnMaxLifetime(sqliteLife)
	}
	names := map[kind]string{postgres: "postgres", mysqlKind: "mysql", sqlite: "sqlite"}
	return &Source{db: db, name: names[t.kind], kind: t.kind, query: q, secrets: t.secrets}, nil
}

// ErrQuery is what a mistake in the query is, as opposed to one in the URL.
var ErrQuery = errors.New("query")

type queryError struct{ error }

func (*queryError) Is(target error) bool { return target == ErrQuery }

// IgnoresCase implements [directory.CaseBlind].
func (s *Source) IgnoresCase() {}

// Lookup asks for an address, in lower case as Postfix does. Of several rows the
// first counts.
func (s *Source) Lookup(ctx context.Context, a directory.Address) directory.Entry {
	if !a.Askable() {
		return directory.Entry{}
	}
	if a.Local == "" && slices.Contains(s.query.fields, localPart) {
		return directory.Entry{Result: directory.No}
	}
	e, err := s.lookup(ctx, a)
	var huge *pgproto3.ExceededMaxBodyLenErr
	if errors.As(err, &huge) {
		err = errHugeRow
	}
	if unspeakable(err) {
		err = directory.OnlyThis(err)
	}
	if err != nil {
		return directory.Fail(directory.Complain(s.name, err, a, s.secrets...))
	}
	return e
}

// errHugeRow is that of a row which is larger than [maxMessage].
var errHugeRow = fmt.Errorf("its row has more than %d MiB; have the query name the columns that are needed, created and plan", maxMessage>>20)

// unspeakable reports whether a database cannot so much as compare the address, in the
// letters in which it keeps its own, or as what the query makes of it: whoever sends such
// addresses must not have it left alone as one that fails.
func unspeakable(err error) bool {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.Is(err, errHugeRow):
		return true
	case errors.As(err, &pg):
		return strings.HasPrefix(pg.Code, "22") // data exception: a letter that is none there, a text that is no number
	case errors.As(err, &my):
		return slices.Contains([]uint16{1267, 1270, 1271, 1300, 1366, 3854, 3988}, my.Number) // collations that do not mix, strings that do not convert
	}
	return false
}

func (s *Source) lookup(ctx context.Context, a directory.Address) (directory.Entry, error) {
	rows, err := s.ask(ctx, s.args(a))
	if err != nil {
		return directory.Entry{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		return directory.Entry{Result: directory.No}, rows.Err()
	}
	return read(rows)
}

// args are the values of the query's placeholders.
func (s *Source) args(a directory.Address) []any {
	a = a.Folded()
	args := make([]any, len(s.query.fields))
	for i, f := range s.query.fields {
		args[i] = [...]string{wholeAddress: a.String(), localPart: a.Local, domainPart: a.Domain}[f]
	}
	return args
}

func (s *Source) ask(ctx context.Context, args []any) (*sql.Rows, error) {
	if s.kind == postgres {
		return s.db.QueryContext(ctx, s.query.text, args...)
	}
	stmt, err := s.prepared(ctx)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// prepared gives the statement, which database/sql prepares anew on each connection.
func (s *Source) prepared(ctx context.Context) (*sql.Stmt, error) {
	s.mu.Lock()
	stmt := s.stmt
	s.mu.Unlock()
	if stmt != nil {
		return stmt, nil
	}
	made, err := s.db.PrepareContext(ctx, s.query.text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stmt != nil {
		made.Close()
		return s.stmt, nil
	}
	s.stmt = made
	return made, nil
}

// read makes an answer of the row that rows stands at.
func read(rows *sql.Rows) (directory.Entry, error) {
	e := directory.Entry{Result: directory.Yes}
	columns, err := rows.Columns()
	if err != nil {
		return directory.Entry{}, err
	}
	values := make([]any, len(columns))
	places := make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	if err := rows.Scan(places...); err != nil {
		return directory.Entry{}, err
	}
	for i, name := range columns {
		e.Note(name, text(values[i]))
	}
	return e, rows.Close()
}

// text is a value of a database as text; "" for NULL.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	default:
		return fmt.Sprint(v)
	}
}

// Close ends all connections.
func (s *Source) Close() error { return s.db.Close() }

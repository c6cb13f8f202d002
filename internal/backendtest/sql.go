package backendtest

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// table fills the table users, in words that all databases understand. created is of
// the type timestamp.
const table = `CREATE TABLE users (address VARCHAR(320) PRIMARY KEY, created TIMESTAMP NULL, plan VARCHAR(40));
INSERT INTO users VALUES ('` + Joe + "@" + Domain + `', '` + Created + `', '` + Plan + `'), ('` + Amy + "@" + Domain + `', NULL, NULL);
`

// Query is what to ask databases.
const Query = "SELECT created, plan FROM users WHERE address = $1"

// url is that of the database mail, for whoever asks.
func (s *Server) url(scheme, more string) string {
	u := url.URL{Scheme: scheme, User: url.UserPassword("asker", Password), Host: s.Addr(), Path: "/mail", RawQuery: more}
	return u.String()
}

// A Database is one that is asked by SQL.
type Database struct {
	*Server
	URL string
}

// StartPostgreSQL starts one that knows passwords by SCRAM. more are statements to run
// first, such as more mailboxes.
func StartPostgreSQL(deps, more string) (*Database, error) {
	s, err := newServer(deps, "postgres", true)
	if err != nil {
		return nil, err
	}
	const bin = "/usr/lib/postgresql/15/bin/"
	data := s.path("data")
	if err := s.do("", bin+"initdb", "-D", data, "-U", "root", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	s.argv = []string{bin + "postgres", "-D", data, "-p", strconv.Itoa(s.Port), "-k", s.dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "log_checkpoints=off"}
	s.ready = "database system is ready to accept connections"
	single := []string{bin + "postgres", "--single", "-j", "-D", data, "-c", "fsync=off"}
	if err := s.do("CREATE DATABASE mail;\n\n", append(single, "postgres")...); err != nil {
		return nil, err
	}
	// A blank line ends each batch there.
	script := table + more + "CREATE ROLE asker LOGIN PASSWORD '" + Password + "';\nGRANT SELECT ON users TO asker;\n"
	if err := s.do(strings.ReplaceAll(script, ";\n", ";\n\n"), append(single, "mail")...); err != nil {
		return nil, err
	}
	return &Database{s, s.url("postgres", "sslmode=disable")}, s.Start()
}

// StartMariaDB starts one. more are statements to run first.
func StartMariaDB(deps, more string) (*Database, error) {
	s, err := newServer(deps, "mariadb", true)
	if err != nil {
		return nil, err
	}
	small := []string{"/usr/sbin/mariadbd", "--no-defaults", "--datadir=" + s.path("data"), "--tmpdir=" + s.dir,
		"--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"}
	s.argv = append(small, "--bind-address=127.0.0.1", fmt.Sprint("--port=", s.Port), "--socket="+s.path("sock"), "--skip-name-resolve")
	s.ready = "ready for connections"
	if err := os.Mkdir(s.path("data"), 0o700); err != nil {
		return nil, err
	}
	if err := os.Chown(s.path("data"), nobodyUser, nobodyGroup); err != nil {
		return nil, err
	}
	script := "CREATE DATABASE mysql;\nUSE mysql;\n"
	for _, name := range []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := os.ReadFile(s.root + "/usr/share/mysql/" + name)
		if err != nil {
			return nil, err
		}
		script += string(text)
	}
	script += "CREATE DATABASE mail CHARACTER SET utf8mb4;\nUSE mail;\n" + table + more +
		"FLUSH PRIVILEGES;\nCREATE USER asker@'127.0.0.1' IDENTIFIED BY '" + Password + "';\nGRANT SELECT ON mail.users TO asker@'127.0.0.1';\n"
	if err := s.do(script, append(small, "--bootstrap")...); err != nil {
		return nil, err
	}
	return &Database{s, s.url("mysql", "")}, s.Start()
}

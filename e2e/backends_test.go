//go:build e2e

package e2e

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/internal/backendtest"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/directory/callahead"
	"mailprofiled/internal/directory/ldap"
	"mailprofiled/internal/directory/socketmap"
	"mailprofiled/internal/directory/sql"
)

// patience is the deadline of one question here: more than a server in good health
// takes on a loaded machine.
const patience = 2 * time.Second

// A backend is a real server, and what asks it.
type backend struct {
	server *backendtest.Server
	source directory.Source
	facts  bool // it tells since when somebody exists, and on which plan
}

func deps() string { return filepath.Dir(os.Getenv("E2E_POSTFIX")) }

// must passes on what a constructor gives.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func startBackend(t *testing.T, kind string) backend {
	t.Helper()
	b := backend{facts: true}
	switch kind {
	case "PostgreSQL":
		db := must[*backendtest.Database](t)(backendtest.StartPostgreSQL(deps(), ""))
		b.server, b.source = db.Server, must[*sql.Source](t)(sql.New(sql.Options{URL: db.URL, Query: backendtest.Query}))
	case "MariaDB":
		db := must[*backendtest.Database](t)(backendtest.StartMariaDB(deps(), ""))
		b.server, b.source = db.Server, must[*sql.Source](t)(sql.New(sql.Options{URL: db.URL, Query: backendtest.Query}))
	case "slapd":
		d := must[*backendtest.Slapd](t)(backendtest.StartSlapd(deps(), ""))
		b.server, b.source = d.Server, must[*ldap.Source](t)(ldap.New(slapdOptions(d.URL)))
	case "Dovecot":
		d := must[*backendtest.Dovecot](t)(backendtest.StartDovecot(deps()))
		b.server, b.source = d.Server, must[*callahead.Source](t)(callahead.New(callahead.Options{NextHop: "lmtp:" + d.Addr()}))
		b.facts = false
	case "Cyrus":
		c := must[*backendtest.Cyrus](t)(backendtest.StartCyrus(deps()))
		b.server, b.source = c.Server, must[*socketmap.Source](t)(socketmap.New(socketmap.Options{Map: c.Map}))
		b.facts = false
	}
	t.Cleanup(func() {
		if err := b.source.Close(); err != nil {
			t.Error(err)
		}
		if err := b.server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func slapdOptions(url string) ldap.Options {
	return ldap.Options{URL: url, Filter: "(mail=%s)", BindDN: backendtest.BindDN, Password: backendtest.Password, Plan: "employeeType"}
}

// ask puts one question, with its deadline.
func (b backend) ask(local string) directory.Entry {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.source.Lookup(ctx, directory.Address{Local: local, Domain: backendtest.Domain})
}

// is asks until the answer is right again: whoever was away comes back by himself.
func (b backend) is(t *testing.T, when string) {
	t.Helper()
	ctx := waiting(t)
	for {
		yes, no := b.ask(backendtest.Joe), b.ask("nobody")
		if yes.Result == directory.Yes && no.Result == directory.No {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: %s is %v (%v), nobody %v (%v)", when, backendtest.Joe, yes.Result, yes.Err, no.Result, no.Err)
		}
	}
}

func (b backend) fails(t *testing.T, when string) {
	t.Helper()
	for _, local := range []string{backendtest.Joe, "nobody"} {
		e := b.ask(local)
		if e.Result != directory.Failed || e.Err == nil {
			t.Fatalf("%s: %s is %v (%v), want failed", when, local, e.Result, e.Err)
		}
		if text := e.Err.Error(); strings.Contains(text, backendtest.Password) || strings.Contains(text, local+"@") {
			t.Errorf("%s: the error tells too much: %s", when, text)
		}
	}
}

// TestBackendsInTrouble has each backend die, stand still and talk rubbish while it is
// being asked: the answer is then failed, in time, and never the wrong one; and it is
// right again once the backend is.
func TestBackendsInTrouble(t *testing.T) {
	for _, kind := range []string{"PostgreSQL", "MariaDB", "slapd", "Dovecot", "Cyrus"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // each waits more than it works
			b := startBackend(t, kind)
			b.is(t, "at first")
			if e := b.ask("Joe"); e.Result != directory.Yes || b.facts && (e.Created.Format(time.DateOnly) != backendtest.Created || e.Plan != backendtest.Plan) {
				t.Errorf("in another case: %+v", e)
			}
			stop := b.askOnAndOn(t)
			defer stop()

			check(t, b.server.Kill())
			b.fails(t, "killed")
			check(t, b.server.Start())
			b.is(t, "begun anew")

			check(t, b.server.Pause())
			b.fails(t, "standing still")
			check(t, b.server.Resume())
			b.is(t, "going on")

			check(t, b.server.Kill())
			for _, rubbish := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("\x00\xff\x7f\r\n", 1000)} {
				hush := talkRubbish(t, b.server.Addr(), rubbish)
				b.fails(t, "talking rubbish")
				hush()
			}
			check(t, b.server.Start())
			b.is(t, "sober again")
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// askOnAndOn asks from several sides until stop, and holds that no answer is wrong.
func (b backend) askOnAndOn(t *testing.T) (stop func()) {
	var wg sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for wrong := map[string]directory.Result{backendtest.Amy: directory.No, "nobody": directory.Yes}; ; {
				for local, not := range wrong {
					if e := b.ask(local); e.Result == not || e.Result == directory.Unknown {
						t.Errorf("%s is %v (%v)", local, e.Result, e.Err)
					}
				}
				select {
				case <-over:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	return func() { close(over); wg.Wait() }
}

// talkRubbish answers at an address where a server was.
func talkRubbish(t *testing.T, addr, text string) (stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = c.Write([]byte(text)) // who hangs up has understood
				_ = c.SetReadDeadline(time.Now().Add(patience))
				_, _ = c.Read(make([]byte, 4096))
			})
		}
	})
	return func() { l.Close(); wg.Wait() }
}

func TestBackendsBySocketAndByPassword(t *testing.T) {
	d := must[*backendtest.Slapd](t)(backendtest.StartSlapd(deps(), ""))
	defer d.Stop()
	lm := must[*backendtest.Dovecot](t)(backendtest.StartDovecot(deps()))
	defer lm.Stop()
	my := must[*backendtest.Database](t)(backendtest.StartMariaDB(deps(), ""))
	defer my.Stop()
	wrong := slapdOptions(d.URL)
	wrong.Password = "hush-hush"
	stranger := slapdOptions(d.URL)
	stranger.BindDN, stranger.Password = "", ""
	elsewhere := slapdOptions(strings.Replace(d.URL, "dc=example", "dc=other", 1))
	for _, c := range []struct {
		name   string
		source directory.Source
		want   directory.Result // for joe; nobody is no where that is yes
	}{
		{"slapd on a unix socket", must[*ldap.Source](t)(ldap.New(slapdOptions(d.LDAPI))), directory.Yes},
		{"slapd, with the wrong password", must[*ldap.Source](t)(ldap.New(wrong)), directory.Failed},
		{"slapd, that tells strangers nothing", must[*ldap.Source](t)(ldap.New(stranger)), directory.Failed},
		{"slapd, asked for a part of the tree that it has not", must[*ldap.Source](t)(ldap.New(elsewhere)), directory.Failed},
		{"Dovecot on a unix socket", must[*callahead.Source](t)(callahead.New(callahead.Options{NextHop: "lmtp:unix:" + lm.Socket})), directory.Yes},
		{"MariaDB, with the wrong password", must[*sql.Source](t)(sql.New(sql.Options{URL: "mysql://asker:hush-hush@" + my.Addr() + "/mail", Query: backendtest.Query})), directory.Failed},
		{"MariaDB, with the password beside", must[*sql.Source](t)(sql.New(sql.Options{URL: "mysql://asker@" + my.Addr() + "/mail", Password: backendtest.Password, Query: backendtest.Query})), directory.Yes},
		{"MariaDB, with a query that it does not understand", must[*sql.Source](t)(sql.New(sql.Options{URL: my.URL, Query: "SELECT created FROM customers WHERE a = $1"})), directory.Failed},
	} {
		b := backend{source: c.source}
		if c.want == directory.Yes {
			b.is(t, c.name)
		} else if e := b.ask(backendtest.Joe); e.Result != c.want || strings.Contains(e.Err.Error(), "hush-hush") {
			t.Errorf("%s: %+v, want %v", c.name, e, c.want)
		}
		check(t, c.source.Close())
	}
}

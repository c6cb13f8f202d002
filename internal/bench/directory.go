package main

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/internal/backendtest"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/directory/callahead"
	"mailprofiled/internal/directory/ldap"
	"mailprofiled/internal/directory/sql"
)

// The load of the directory part.
const (
	mailboxes       = 20_000
	perSecond       = 1000 // recipients
	steadyFor       = 10 * time.Second
	flatOutFor      = 3 * time.Second
	questionsAtOnce = 32 // as many as internal/directory asks at a time
	backendDeps     = "build/deps"
)

// A backend is a server, and what asks it.
type backend struct {
	name   string
	source directory.Source
	stop   func() error
}

// instant answers at once: what it takes is what the machine and this program take.
type instant struct{}

func (instant) Lookup(context.Context, directory.Address) directory.Entry {
	return directory.Entry{Result: directory.Yes}
}

func (instant) Close() error { return nil }

// mailbox is the address of number i. Every tenth is nobody's.
func mailbox(i int) directory.Address {
	name := fmt.Sprint("user", i%mailboxes)
	if i%10 == 9 {
		name = fmt.Sprint("nobody", i)
	}
	return directory.Address{Local: name, Domain: backendtest.Domain}
}

// rows are mailboxes in SQL.
func rows() string {
	var b strings.Builder
	for i := 0; i < mailboxes; i += 500 {
		b.WriteString("INSERT INTO users VALUES ")
		for j := i; j < i+500; j++ {
			if j > i {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "('user%d@%s', '%s', '%s')", j, backendtest.Domain, backendtest.Created, backendtest.Plan)
		}
		b.WriteString(";\n")
	}
	return b.String()
}

// backends are all kinds, each started when its turn comes.
func (b *bench) backends() []func() (backend, error) {
	database := func(name string, start func(deps, more string) (*backendtest.Database, error)) func() (backend, error) {
		return func() (backend, error) {
			db, err := start(backendDeps, rows())
			if err != nil {
				return backend{}, err
			}
			src, err := sql.New(sql.Options{URL: db.URL, Query: backendtest.Query})
			return backend{name, src, db.Stop}, err
		}
	}
	return []func() (backend, error){
		func() (backend, error) {
			return backend{"(nobody)", instant{}, func() error { return nil }}, nil
		},
		database("PostgreSQL", backendtest.StartPostgreSQL),
		database("MariaDB", backendtest.StartMariaDB),
		b.sqlite,
		startSlapd,
		startDovecot,
	}
}

func (b *bench) sqlite() (backend, error) {
	path := filepath.Join(b.dir, "users.db")
	db, err := stdsql.Open("sqlite", path)
	if err != nil {
		return backend{}, err
	}
	_, err = db.Exec("CREATE TABLE users (address TEXT PRIMARY KEY, created, plan);" + rows())
	if err = errors.Join(err, db.Close()); err != nil {
		return backend{}, err
	}
	src, err := sql.New(sql.Options{URL: "sqlite:" + path, Query: backendtest.Query})
	return backend{"SQLite", src, func() error { return nil }}, err
}

func startSlapd() (backend, error) {
	var people strings.Builder
	for i := range mailboxes {
		people.WriteString(backendtest.Person(fmt.Sprint("user", i)))
	}
	d, err := backendtest.StartSlapd(backendDeps, people.String())
	if err != nil {
		return backend{}, err
	}
	src, err := ldap.New(ldap.Options{URL: d.URL, Filter: "(mail=%s)", BindDN: backendtest.BindDN, Password: backendtest.Password})
	return backend{"slapd", src, d.Stop}, err
}

// startDovecot starts one that knows nobody of the load: a call ahead takes as long for
// who exists.
func startDovecot() (backend, error) {
	d, err := backendtest.StartDovecot(backendDeps)
	if err != nil {
		return backend{}, err
	}
	src, err := callahead.New(callahead.Options{NextHop: "lmtp:" + d.Addr(), Connections: 8})
	return backend{"Dovecot, LMTP", src, d.Stop}, err
}

// directory measures what asks for recipients, of real servers on this machine: each
// recipient is another one, so that no cache helps.
func (b *bench) directory() error {
	b.print("\nDIRECTORY: %d recipients a second for %v, then as many as there can be, of servers on this machine, %s", perSecond, steadyFor, busy())
	b.print("%-16s %10s %10s %10s %12s %10s %14s", "", "p50 ms", "p99 ms", "worst ms", "CPU us each", "failed", "flat out a s")
	for _, start := range b.backends() {
		be, err := start()
		if err != nil {
			return err
		}
		err = b.askBackend(be)
		if err := errors.Join(err, be.source.Close(), be.stop()); err != nil {
			return fmt.Errorf("%s: %w", be.name, err)
		}
	}
	b.print("goal: p99 under 20 ms; CPU is that of this process, the server's own not counted")
	return nil
}

func (b *bench) askBackend(be backend) error {
	var failed atomic.Int64
	var trouble error
	var once sync.Once
	ask := func(i int) {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		e := be.source.Lookup(ctx, mailbox(i))
		if e.Result == directory.Failed {
			failed.Add(1)
			once.Do(func() { trouble = e.Err })
		}
	}
	for i := range 2 * questionsAtOnce { // connections are made before
		ask(i)
	}
	before, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	took := b.steady(ask)
	cpu, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	flat := flatOut(ask)
	if n := failed.Load(); n > 0 {
		b.wrong = append(b.wrong, fmt.Sprintf("%s: %d questions failed, the first by %v", be.name, n, trouble))
	}
	b.print("%-16s %10.2f %10.2f %10.2f %12.0f %10d %14.0f", be.name, millis(quantile(took, 0.5)), millis(quantile(took, 0.99)), millis(quantile(took, 1)),
		micros(cpu-before)/float64(len(took)), failed.Load(), flat)
	return nil
}

// steady puts questions at fixed times, however late answers are, and measures from
// those times on: a server that stands still is not asked less.
func (b *bench) steady(ask func(i int)) []time.Duration {
	took := make([]time.Duration, int(steadyFor.Seconds())*perSecond)
	var wg sync.WaitGroup
	places := make(chan struct{}, questionsAtOnce)
	start := time.Now()
	for i := range took {
		at := start.Add(time.Duration(i) * time.Second / perSecond)
		if d := time.Until(at); d > 0 {
			time.Sleep(d)
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			ask(i)
			took[i] = time.Since(at)
		})
	}
	wg.Wait()
	return took
}

// flatOut gives the number of questions a second.
func flatOut(ask func(i int)) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range questionsAtOnce {
		wg.Go(func() {
			for time.Since(start) < flatOutFor {
				ask(int(n.Add(1)))
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

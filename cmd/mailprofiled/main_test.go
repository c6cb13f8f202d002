package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/geotest"
	"mailprofiled/internal/miltertest"
)

// TestMain lets the scripts below call mailprofiled as a command.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mailprofiled": main})
}

// noSleep is GORACE for a child: commands are this test binary, and with the race
// detector in it that would sleep a second before it exits.
const noSleep = "atexit_sleep_ms=10"

// TestScripts runs the command-line sessions in testdata/script. Each has a DNS
// of its own, from its files zone and misbehave, at the address $DNS; its *.toml
// may use that by the word DNS in quotes, and its folder by WORK. Commands of ours:
//
//	serving CONFIG    waits until the daemon of that configuration can be asked
//	deliver SOCKET [ACCOUNT]  an MTA has a client from 192.0.2.66 deliver to user@here.example
//	until RE CMD...   runs a command until its output matches
//	asked             fails unless DNS was asked something; ! asked if it was
//	gzipped FILE N    makes FILE.gz, of which the last N octets are missing
//	mmdb FILE LINES [DAYS]  makes a database of lines (see geotest), so many days old; of
//	                  networks where the name of FILE has asn in it
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			zone, err := os.ReadFile(env.WorkDir + "/zone")
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			server, err := dnstest.Start(string(zone))
			if err != nil {
				return err
			}
			env.Defer(server.Close)
			env.Setenv("GORACE", noSleep)
			misbehaving, err := os.ReadFile(env.WorkDir + "/misbehave")
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			if err := misbehave(server, string(misbehaving)); err != nil {
				return err
			}
			env.Setenv("DNS", server.Addr().String())
			env.Values[dnsKey{}] = server
			return fillIn(env.WorkDir, server.Addr().String())
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serving": awaitServing, "deliver": deliver, "rob": rob, "until": until, "mmdb": makeDatabase, "asked": asked, "gzipped": gzipped},
	})
}

// dnsKey finds the DNS server of a script.
type dnsKey struct{}

// asked is the command of that name.
func asked(ts *testscript.TestScript, neg bool, _ []string) {
	questions := ts.Value(dnsKey{}).(*dnstest.Server).Questions()
	if (len(questions) > 0) == neg {
		ts.Fatalf("DNS was asked: %v", questions)
	}
}

// fillIn puts folder and DNS server into the configurations of a script, and at their
// end a state.path where they name none: the default is that of this machine.
func fillIn(dir, dns string) error {
	files, err := filepath.Glob(dir + "/*.toml")
	if err != nil {
		return err
	}
	words := strings.NewReplacer(`"DNS"`, `"`+dns+`"`, "WORK", dir)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte("state")) {
			text = append(text, "\n[state]\npath = \"WORK/kept\"\n"...)
			if err := os.MkdirAll(filepath.Join(dir, "kept"), 0o700); err != nil {
				return err
			}
		}
		if err := os.WriteFile(file, []byte(words.Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// gzipped is the command of that name.
func gzipped(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: gzipped FILE N")
	}
	missing, err := strconv.Atoi(args[1])
	ts.Check(err)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = io.WriteString(w, ts.ReadFile(args[0]))
	ts.Check(errors.Join(err, w.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[0])+".gz", out.Bytes()[:out.Len()-missing], 0o600))
}

// makeDatabase is the command mmdb.
func makeDatabase(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: mmdb FILE LINES [DAYS]")
	}
	days := 0
	if len(args) == 3 {
		var err error
		days, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	ts.Check(putDatabase(ts.MkAbs(args[0]), ts.ReadFile(args[1]), time.Duration(days)*24*time.Hour))
}

// putDatabase makes a database of lines, and puts it in its place at one stroke.
func putDatabase(path, lines string, age time.Duration) error {
	o := geotest.Options{Built: time.Now().Add(-age)}
	if strings.Contains(filepath.Base(path), "asn") {
		o.Type = geotest.ASN
	}
	data, err := geotest.Make(o, lines)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// awaitServing is the command serving.
func awaitServing(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: serving CONFIG")
	}
	daemon := admin.Dial(config.ControlSocket(ts.MkAbs(args[0])))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := daemon.Status(ctx)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			ts.Fatalf("not serving: %v", err)
		}
	}
}

// until is the command of that name.
func until(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND ARGS...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	again := time.NewTicker(250 * time.Millisecond) // each try is a process
	defer again.Stop()
	end := time.After(time.Minute)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-again.C:
		case <-end:
			ts.Fatalf("never: %s (%v)", args[0], err)
		}
	}
}

// deliver is the command of that name.
func deliver(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: deliver SOCKET [ACCOUNT]")
	}
	deliverFrom(ts, args[0], strings.Join(args[1:], ""), netip.MustParseAddr("192.0.2.66"), "<jo@good.example>")
}

// rob is the command of that name: forty machines of as many networks send for an account,
// each in another name.
func rob(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: rob SOCKET ACCOUNT")
	}
	for i := range 40 {
		deliverFrom(ts, args[0], args[1], netip.AddrFrom4([4]byte{byte(11 + i), byte(7 * i), 1, 1}), fmt.Sprintf("<bank@d%d%c.example>", i, 'a'+i%26))
	}
}

func deliverFrom(ts *testscript.TestScript, socket, account string, client netip.Addr, from string) {
	c, err := net.Dial("unix", ts.MkAbs(socket))
	ts.Check(err)
	v := miltertest.NewVisit(c, miltertest.Postfix())
	defer v.Close()
	ts.Check(v.Negotiate())
	_, err = v.Connect(miltertest.Peer{Addr: client, Port: 25})
	ts.Check(err)
	_, err = v.Helo("mail.bad.example")
	ts.Check(err)
	_, err = v.Mail(from, account)
	ts.Check(err)
	a, err := v.Rcpt("<user@here.example>")
	ts.Check(err)
	ts.Logf("%v", a)
	if a.Action == "continue" {
		_, err = v.EOM()
		ts.Check(err)
	}
	ts.Check(v.Quit())
	_, _, err = v.Receive() // the daemon closes when it has done all
	if !errors.Is(err, io.EOF) {
		ts.Fatalf("after QUIT: %v", err)
	}
}

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// The tests of this file attach the daemon by the very lines of packaging/,
// at the very places these name.

func TestTheShippedLinesAttachPostfix(t *testing.T) {
	dir, err := os.MkdirTemp("", "postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	group := "postfix"
	if !hasGroup(group) {
		group = "uucp" // as whom mtatest runs a Postfix that is only unpacked
	}
	attach(t, filepath.Join(dir, "spool", "mailprofiled"), group, func() (mta, error) {
		return mtatest.StartPostfix(mtatest.PostfixOptions{
			Dir: dir, Domains: []string{"example.net"}, ExtraMain: mainCF(snippet(t, "postfix.cf")),
		})
	})
}

func TestTheShippedLinesAttachSendmail(t *testing.T) {
	attach(t, "/run/mailprofiled", "", func() (mta, error) {
		return mtatest.StartSendmail(mtatest.SendmailOptions{
			Root: os.Getenv("E2E_SENDMAIL"), Syslog: syslog, Domains: []string{"example.net"},
			ExtraMC: []string{snippet(t, "mailprofiled.m4")},
		})
	})
}

// attach starts the daemon with its socket in folder, then the MTA, and has a
// good server let in and one without a PTR deferred.
func attach(t *testing.T, folder, group string, startMTA func() (mta, error)) {
	good, bare := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("203.0.113.20")
	var w world
	w.good(good, "good.example")
	w.domain("bare.example")
	w.host("out.bare.example", bare)
	dns, err := dnstest.Start(w.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	d := startDaemon(t, daemonConfig(dns.Addr(), ""))
	d.move(t, folder, group)
	m, err := startMTA()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop() })
	for _, v := range []struct {
		from       netip.Addr
		helo, mail string
		want       string
	}{
		{good, "mx.good.example", "a@good.example", "250"},
		{bare, "out.bare.example", "a@bare.example", "450 "},
	} {
		c, err := mtatest.Dial(v.from.String(), m.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		do(t, c, "EHLO "+v.helo, 250)
		delivery := send(t, c, v.mail, "jo@example.net")
		if got := delivery.Rcpts[0].String(); !strings.HasPrefix(got, v.want) {
			t.Errorf("%s: got %s, want %s; the daemon's log:\n%s\nthe MTA's:\n%s", v.helo, got, v.want, d.log, m.Log())
		}
		quit(t, c)
	}
}

// nobody stands in for the user that an operator gives to the daemon.
const nobody = 65534

// move starts the daemon once more, its socket where an operator has it: in a
// folder of the daemon's own user, open to a group at most.
func (d *daemon) move(t *testing.T, folder, group string) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	d.ended(t)
	socket := filepath.Join(folder, "milter.sock")
	text := fmt.Sprintf("milter.listen = [%q]\nmilter.socket_group = %q\n", "unix:"+socket, group)
	extra := filepath.Join(d.dir, "conf.d", "socket.toml")
	gid := nobody
	var err error
	if group != "" {
		gid, err = groupID(group)
	}
	err = errors.Join(err,
		os.MkdirAll(filepath.Dir(folder), 0o755), os.Mkdir(folder, 0o750), os.Chown(folder, nobody, gid),
		os.Mkdir(filepath.Dir(extra), 0o755), os.WriteFile(extra, []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	d.start(t)
	if err := os.Chown(socket, nobody, gid); err != nil {
		t.Fatal(err)
	}
}

func groupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// snippet is a file of packaging/; e2e/run starts the tests at the root.
func snippet(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("packaging", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mainCF reads lines of a main.cf: comments, and settings that go on in indented lines.
func mainCF(text string) map[string]string {
	settings := map[string]string{}
	var last string
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			settings[last] += " " + strings.TrimSpace(line)
		case found:
			last = strings.TrimSpace(key)
			settings[last] = strings.TrimSpace(value)
		}
	}
	return settings
}

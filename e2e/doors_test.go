//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// openBehind is openHouse with the daemon behind another door than its usual
// socket: listen is the daemon's word for it, and start starts the MTA.
func openBehind(t *testing.T, kind, listen string, start func() (mta, error)) *house {
	t.Helper()
	dns, err := dnstest.Start(ourZone + sessionZone())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	h := &house{kind: kind, dns: dns}
	h.daemon = startDaemon(t, daemonConfig(dns.Addr(), fmt.Sprintf("milter.listen = [%q]\n", listen)))
	if h.mta, err = start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.mta.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s\n%s's log:\n%s", h.daemon.log, kind, h.mta.Log())
		}
	})
	return h
}

// goodAndBad lets in whom it should and nobody else.
func (h *house) goodAndBad(t *testing.T) {
	t.Helper()
	c := h.hello(t, good4, "mx.good.example")
	if d := send(t, c, "a@good.example", "jo@example.net"); !d.Accepted() {
		t.Errorf("the good one: %v", d.Last())
	}
	quit(t, c)
	c = h.hello(t, bad4, "mail.bad.example")
	if d := send(t, c, "a@bad.example", "jo@example.net"); !strings.HasPrefix(d.Rcpts[0].String(), "450 4.7.25 ") {
		t.Errorf("the bad one: %v", d.Rcpts[0])
	}
	quit(t, c)
}

func TestOverTCP(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run(host, func(t *testing.T) {
				addr := freePort(t, host)
				listen := "inet:" + addr
				if host == "::1" {
					listen = "inet6:" + addr
				}
				h := openBehind(t, kind, listen, func() (mta, error) { return startMTA(kind, "inet:"+addr, nil) })
				h.goodAndBad(t)
			})
		}
	})
}

// freePort finds an address that nobody listens on now.
func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Debian's smtpd lives in the queue's folder and sees nothing outside it.
func TestFromInsideTheChroot(t *testing.T) {
	dir, err := os.MkdirTemp("", "chroot-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "spool", "mailprofiled"), 0o755); err != nil {
		t.Fatal(err)
	}
	listen := "unix:" + filepath.Join(dir, "spool", "mailprofiled", "milter.sock")
	h := openBehind(t, postfix, listen, func() (mta, error) {
		return mtatest.StartPostfix(mtatest.PostfixOptions{
			Dir: dir, Chroot: true, Domains: []string{"example.net"}, Users: []string{"jo@example.net"},
			MilterAddr: "unix:mailprofiled/milter.sock",
		})
	})
	h.goodAndBad(t)
}

// What an operator chose for an absent daemon happens: Postfix's default_action,
// Sendmail's F=.
func TestWithoutTheDaemon(t *testing.T) {
	nowhere := "unix:" + filepath.Join(os.TempDir(), "nobody.sock")
	for _, tc := range []struct {
		name, postfix, sendmail string
		code                    int
	}{
		{"mail waits outside", "default_action=tempfail", "T", 451},
		{"mail passes unjudged", "default_action=accept", "-", 250},
	} {
		t.Run(tc.name, func(t *testing.T) {
			withBoth(t, func(t *testing.T, kind string) {
				m, err := startWithout(kind, nowhere, tc.postfix, tc.sendmail)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { m.Stop() })
				h := &house{kind: kind, mta: m}
				c := h.hello(t, bad4, "mx.test")
				do(t, c, "MAIL FROM:<a@bad.example>", tc.code)
				quit(t, c)
			})
		})
	}
}

func startWithout(kind, addr, action, flag string) (mta, error) {
	if kind == postfix {
		return mtatest.StartPostfix(mtatest.PostfixOptions{MilterAddr: addr, MilterSettings: []string{action}})
	}
	return mtatest.StartSendmail(mtatest.SendmailOptions{
		Root: os.Getenv("E2E_SENDMAIL"), Syslog: syslog, MilterAddr: addr, MilterFlag: flag,
	})
}

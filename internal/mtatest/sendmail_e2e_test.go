//go:build e2e

package mtatest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAPrivateSendmailTakesMail(t *testing.T) {
	log, err := ListenSyslog("/dev/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s, err := StartSendmail(SendmailOptions{
		Root: os.Getenv("E2E_SENDMAIL"), Syslog: log,
		Domains: []string{"example.net"}, Users: []string{"jo"},
		ListenAddrs: []string{"127.0.0.1:0", "[::1]:0"}, TLS: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	takeAndRefuse(t, "192.0.2.7", s.Addrs()[0])
	takeAndRefuse(t, "2001:db8::7", s.Addrs()[1])
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := s.Log().WaitN(ctx, 0, 2, Containing("ctladdr=<jo@example.net>", "stat=Sent")); err != nil {
		t.Error(err)
	}
	dir, group := s.dir, s.proc.cmd.Process.Pid
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
	if left := membersOf(group); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if t.Failed() {
		t.Log(s.Log().String(), s.out.String())
	}
}

// takeAndRefuse speaks from an address to a server where only jo@example.net exists.
func takeAndRefuse(t *testing.T, from, addr string) {
	t.Helper()
	c, err := Dial(from, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := func(r Reply, err error, code int, part string) {
		t.Helper()
		if err != nil || r.Code != code || !strings.Contains(r.Text, part) {
			t.Fatalf("got %v, %v; want %d ... %s; the dialogue:\n%s", r, err, code, part, c.Transcript())
		}
	}
	want(c.Greeting, nil, 220, "mx.test")
	r, err := c.Do("EHLO a.example")
	want(r, err, 250, strings.TrimSuffix(from, "::7")) // Sendmail writes an IPv6 address its own way
	r, err = c.StartTLS()
	want(r, err, 220, "")
	r, err = c.Do("EHLO a.example")
	want(r, err, 250, "mx.test")
	d, err := c.SendMail("a@b.example", "nemo@example.net", "jo@example.net", "postmaster")
	want(d.Last(), err, 250, "accepted")
	want(d.Rcpts[0], nil, 550, "User unknown")
	d, err = c.SendMail("a@b.example", "jo@elsewhere.example")
	want(d.Last(), err, 550, "Relaying denied")
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}

//go:build e2e

package mtatest

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAPrivatePostfixTakesMail(t *testing.T) { runPostfix(t, "") }

// On a machine with another mail server Postfix is not installed.
func TestAnUnpackedPostfixTakesMail(t *testing.T) { runPostfix(t, os.Getenv("E2E_POSTFIX")) }

func runPostfix(t *testing.T, root string) {
	p, err := StartPostfix(PostfixOptions{
		Root:    root,
		Domains: []string{"example.net"}, Users: []string{"jo@example.net"},
		ListenAddrs: []string{"127.0.0.1:0", "[::1]:0"}, XCLIENT: true, TLS: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range p.Addrs() {
		deliverAndBeRefused(t, addr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := p.Log().WaitN(ctx, 0, 2, Containing("to=<jo@example.net>", "status=sent", "discard")); err != nil {
		t.Error(err)
	}
	dir, group := p.dir, p.proc.cmd.Process.Pid
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
	if left := membersOf(group); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// deliverAndBeRefused speaks to a server where only jo@example.net exists.
func deliverAndBeRefused(t *testing.T, addr string) {
	t.Helper()
	c, err := Dial("", addr)
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
	want(r, err, 250, "XCLIENT")
	r, err = c.StartTLS()
	want(r, err, 220, "")
	r, err = c.Do("EHLO a.example")
	want(r, err, 250, "mx.test")
	r, err = c.XClient(XClient{Addr: netip.MustParseAddr("2001:db8::7"), Name: "a.example", ReverseName: "a.example"})
	want(r, err, 220, "mx.test")
	r, err = c.Do("EHLO a.example")
	want(r, err, 250, "mx.test")
	d, err := c.SendMail("a@b.example", "nemo@example.net", "jo@example.net", "postmaster")
	want(d.Last(), err, 250, "queued")
	want(d.Rcpts[0], nil, 550, "User unknown")
	d, err = c.SendMail("a@b.example", "jo@elsewhere.example")
	want(d.Last(), err, 554, "Relay access denied")
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}

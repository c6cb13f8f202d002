//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// syslog is where Sendmail logs: there is one /dev/log in a namespace.
var syslog *mtatest.Syslog

func TestMain(m *testing.M) {
	if os.Getenv("E2E_NAMESPACE") == "" {
		fmt.Fprintln(os.Stderr, "these tests need namespaces of their own: run e2e/run")
		os.Exit(1)
	}
	var err error
	if syslog, err = mtatest.ListenSyslog("/dev/log"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	syslog.Close()
	os.Exit(code)
}

// wait bounds how long a test waits for something that must come.
const wait = 30 * time.Second

// An mta is a running mail server of either kind.
type mta interface {
	Addrs() []string
	Log() *mtatest.Log
	Stop() error
}

// The kinds of mail server. Every promise is held to with both.
const (
	postfix  = "Postfix"
	sendmail = "Sendmail"
)

// withBoth runs a test once with each kind of mail server.
func withBoth(t *testing.T, test func(t *testing.T, kind string)) {
	t.Helper()
	for _, kind := range []string{postfix, sendmail} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // each has its own house, and waits more than it works
			test(t, kind)
		})
	}
}

// A house is a DNS world, a daemon and one mail server in front of it, which
// knows only jo, al and postmaster at example.net, and joe with a password.
type house struct {
	kind   string
	dns    *dnstest.Server
	daemon *daemon
	mta    mta
}

// ourZone is what DNS says of us.
const ourZone = `
mx.test. 300 IN A 192.0.2.250
mx.test. 300 IN AAAA 2001:db8:ffff::1
example.net. 300 IN MX 10 mx.test.
`

// openHouse starts all three; they end with the test. zone is the DNS world and
// extra more of the configuration: see daemonConfig.
func openHouse(t *testing.T, kind, zone, extra string) *house {
	t.Helper()
	return openHouseOf(t, kind, zone, extra, nil)
}

// openHouseOf is openHouse with further lines of the mail server's configuration.
func openHouseOf(t *testing.T, kind, zone, extra string, lines []string) *house {
	t.Helper()
	dns, err := dnstest.Start(ourZone + zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	h := &house{kind: kind, dns: dns}
	h.daemon = startDaemon(t, daemonConfig(dns.Addr(), extra))
	if h.mta, err = startMTA(kind, "unix:"+h.daemon.socket, lines); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.mta.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", h.daemon.log)
			t.Logf("%s's log:\n%s", kind, h.mta.Log())
		}
	})
	return h
}

// startMTA starts a mail server that asks the milter at addr. lines are further ones
// of its configuration: "name = value" of main.cf, or those of sendmail.mc.
func startMTA(kind, addr string, lines []string) (mta, error) {
	listen := []string{"127.0.0.1:0", "[::1]:0"}
	if kind == postfix {
		sasl, err := postfixSASL()
		if err != nil {
			return nil, err
		}
		main := map[string]string{
			"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_path": "smtpd", "cyrus_sasl_config_path": sasl,
			"smtpd_sasl_local_domain": "mx.test",
		}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, " = ")
			main[name] = value
		}
		return mtatest.StartPostfix(mtatest.PostfixOptions{
			ListenAddrs: listen, Domains: []string{"example.net"}, MilterAddr: addr,
			Users:   []string{"jo@example.net", "al@example.net", "postmaster@example.net"},
			XCLIENT: true, TLS: true,
			ExtraMain: main,
		})
	}
	return mtatest.StartSendmail(mtatest.SendmailOptions{
		Root: os.Getenv("E2E_SENDMAIL"), Syslog: syslog,
		ListenAddrs: listen, Domains: []string{"example.net"}, MilterAddr: addr,
		Users: []string{"jo", "al"}, TLS: true,
		ExtraMC: append([]string{"define(`confAUTH_MECHANISMS', `PLAIN')dnl"}, lines...),
	})
}

// postfixSASL makes the folder that tells Postfix where the passwords are.
func postfixSASL() (string, error) {
	dir := filepath.Join(os.TempDir(), "postfix-sasl")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	conf := "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n"
	return dir, os.WriteFile(filepath.Join(dir, "smtpd.conf"), []byte(conf), 0o644)
}

// dial connects from an address of either family.
func (h *house) dial(t *testing.T, from netip.Addr) *mtatest.Client {
	t.Helper()
	to := h.mta.Addrs()[0]
	if from.Is6() {
		to = h.mta.Addrs()[1]
	}
	c, err := mtatest.Dial(from.String(), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) // a second Close does no harm
	return c
}

// hello dials and says EHLO.
func (h *house) hello(t *testing.T, from netip.Addr, helo string) *mtatest.Client {
	t.Helper()
	c := h.dial(t, from)
	do(t, c, "EHLO "+helo, 250)
	return c
}

// do sends a command that must be answered by code.
func do(t *testing.T, c *mtatest.Client, line string, code int) mtatest.Reply {
	t.Helper()
	r, err := c.Do(line)
	if err != nil || r.Code != code {
		t.Fatalf("%.60q: got %v, %v; want %d; the dialogue:\n%s", line, r, err, code, c.Transcript())
	}
	return r
}

// send delivers a message over an open session; the replies are the caller's to judge.
func send(t *testing.T, c *mtatest.Client, from string, rcpts ...string) mtatest.Delivery {
	t.Helper()
	d, err := c.SendMail(from, rcpts...)
	if err != nil {
		t.Fatalf("%v; the dialogue:\n%s", err, c.Transcript())
	}
	return d
}

// quit ends a session as a good client does.
func quit(t *testing.T, c *mtatest.Client) {
	t.Helper()
	if err := c.Quit(); err != nil {
		t.Fatalf("%v; the dialogue:\n%s", err, c.Transcript())
	}
}

// hasGroup reports whether this machine knows a group.
func hasGroup(name string) bool {
	_, err := user.LookupGroup(name)
	return err == nil
}

// waiting is a context for what must come soon.
func waiting(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	return ctx
}

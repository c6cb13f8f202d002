package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/miltertest"
)

// Telltales stand in what a hostile day says; where they show, something leaked.
var (
	telltales = []string{"ttsender", "ttrcpt", "ttaccount", "tthelo"}
	forbidden = []string{"ttargument", "ttauthor", "ttsubject", "ttbody"} // in clear or hashed, never
	anyAt     = regexp.MustCompile(`[\w.+-]+@\w`)
)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestNothingLeaksOnAHostileDay: hashed, no output holds a mail address; in
// clear, the log alone does; and what is never to be logged never is.
func TestNothingLeaksOnAHostileDay(t *testing.T) {
	for _, format := range []string{"logfmt", "json"} {
		for _, addresses := range []string{"hashed", "plain"} {
			t.Run(format+" "+addresses, func(t *testing.T) {
				t.Parallel()
				outputs, key := hostileDay(t, format, addresses)
				log := strings.ToLower(outputs["log"])
				for name, out := range outputs {
					hidden := slices.Clone(forbidden)
					if addresses == "hashed" || name != "log" {
						hidden = append(hidden, telltales...)
						if at := anyAt.FindString(strings.ReplaceAll(out, "standard@1", "")); at != "" {
							t.Errorf("%s holds %q", name, at)
						}
					}
					for _, telltale := range hidden {
						if i := strings.Index(strings.ToLower(out), telltale); i >= 0 {
							t.Errorf("%s holds %s: %.100q", name, telltale, out[max(0, i-50):])
						}
					}
				}
				if addresses == "plain" {
					if _, err := os.Stat(key); err == nil {
						t.Error("a key was made for nothing")
					}
					for _, telltale := range telltales {
						if !strings.Contains(log, telltale) {
							t.Errorf("%s is not in the log: this test sees nothing", telltale)
						}
					}
					return
				}
				hash, err := logging.ReadKey(filepath.Dir(key))
				if err != nil {
					t.Fatal(err)
				}
				for _, address := range []string{"ttsender@ttsender.example", "ttrcpt@here.example", "ttaccount", "tthelo@victim.example"} {
					if token := hash.Token(address); !strings.Contains(log, token) {
						t.Errorf("no line has %s, the token of %s", token, address)
					}
				}
				for _, stays := range []string{"mail.bad.example", "192.0.2.66", "<>"} {
					if !strings.Contains(log, stays) {
						t.Errorf("the log has no %s", stays)
					}
				}
			})
		}
	}
}

// hostileDay gives what a daemon said by all its mouths, and where its key would be.
func hostileDay(t *testing.T, format, addresses string) (outputs map[string]string, key string) {
	dns := startDNS(t, badZone, "slow.ttsender.example servfail\n")
	dir := t.TempDir()
	text := strings.TrimPrefix(judging(dns, 6), stateless) + fmt.Sprintf(`
[milter]
listen = [%q]
[admin]
listen = %q
control = %q
[state]
path = %q
[log]
level = "debug"
format = %q
addresses = %q
[[local]]
match = ["from:ttsender@denied.example", "rcpt:ttrcpt@denied.example"]
action = "deny"
reason = "of ttsender@denied.example"
`, "unix:"+dir+"/milter.sock", "unix:"+dir+"/web.sock", dir+"/control.sock", dir+"/state", format, addresses)
	path, log, said := filepath.Join(dir, "m.toml"), &lockedBuffer{}, &strings.Builder{}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, report := config.Load(path)
	if cfg == nil {
		t.Fatal(report)
	}
	d := newDaemon(cfg, log)
	runDaemon(t, d)
	for _, mta := range []func() miltertest.MTA{miltertest.Postfix, miltertest.Sendmail} {
		for _, helo := range []string{"mail.bad.example", "AUTH PLAIN", "tthelo@victim.example", "<tthelo@victim.example>\r\nmsg=verdict"} {
			hostileSession(t, miltertest.NewVisit(dial(t, dir+"/milter.sock"), mta()), helo, said)
		}
		outOfOrder(t, miltertest.NewVisit(dial(t, dir+"/milter.sock"), mta()))
	}
	status, err := json.Marshal(d.status())
	if err != nil {
		t.Fatal(err)
	}
	var people bytes.Buffer
	printStatus(d.status(), nil, pictures{}, &people)
	client := admin.Dial(dir + "/control.sock")
	from := "ttsender@x.example"
	_, err = client.Explain(t.Context(), "other", engine.Query{Client: netip.MustParseAddr("192.0.2.66"), From: &from})
	answer := d.reload(t.Context())
	return map[string]string{
		"log": log.String(), "replies": said.String(), "status": people.String(), "status in JSON": string(status),
		"metrics": fetch(t, dir+"/web.sock", "/metrics"), "healthz": fetch(t, dir+"/web.sock", "/healthz"),
		"the control socket's refusal": fmt.Sprint(err), "reload": fmt.Sprint(answer.Errors, answer.Warnings),
	}, filepath.Join(dir, "state", logging.KeyFile)
}

func hostileSession(t *testing.T, v *miltertest.Visit, helo string, said io.Writer) {
	t.Helper()
	defer v.Close()
	say := func(a miltertest.Answer, err error) {
		fmt.Fprintln(said, a, err)
	}
	if err := v.Negotiate(); err != nil {
		t.Error(err)
	}
	say(v.Connect(miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.66"), Port: 25}))
	say(v.Helo(helo))
	for _, account := range []string{"", "ttaccount"} {
		for _, from := range []string{
			"<ttsender@ttsender.example>", "<TTsender@ttSender.Example>", `<"ttsender"@ttsender.example>`, "<@relay.example:ttsender@ttsender.example>",
			"<ttsender@slow.ttsender.example>", "<ttsender@denied.example>", "<>", "<ttsender>", "ttsender@ttsender.example", "<ttsender@b\xfc.example>",
			"<ttsender\r\nmsg=verdict from=ttsender@x>", "<ttsender@" + strings.Repeat("a", 1000) + ".example>",
		} {
			v.AddRaw('D', []byte("M{auth_author}\x00ttauthor@x.example\x00{mail_addr}\x00ttauthor\x00"))
			say(v.Mail(from, account, "SIZE=1", "AUTH=ttargument@x.example"))
			for _, rcpt := range []string{"<ttrcpt@here.example>", "<TTRCPT@HERE.example>", "<ttrcpt@denied.example>", "<postmaster@here.example>", "<ttrcpt>"} {
				say(v.Rcpt(rcpt, "ORCPT=rfc822;ttargument@x.example"))
			}
			say(v.RcptRefused("<ttrcpt-none@here.example>", "5.1.1"))
			v.AddRaw('L', []byte("Subject\x00ttsubject ttsender@x.example\x00"))
			v.AddRaw('B', []byte("ttbody ttsender@x.example\r\n"))
			if err := v.Reset(); err != nil {
				t.Error(err)
			}
		}
		say(v.Mail("<ttsender@ttsender.example>", account))
		say(v.Rcpt("<postmaster@here.example>"))
		say(v.EOM())
	}
	v.Quit()
	v.Receive() // it ends by closing: all is logged
}

// outOfOrder says what no MTA would, with addresses in it.
func outOfOrder(t *testing.T, v *miltertest.Visit) {
	t.Helper()
	defer v.Close()
	if err := v.Negotiate(); err != nil {
		t.Error(err)
	}
	v.AddRaw('R', []byte("<ttrcpt@early.example>\x00"))
	v.AddRaw('D', []byte("Mttsender@macro.example"))
	v.AddRaw('C', []byte("ttsender@host.example\x004\x00\x19ttsender@addr.example\x00"))
	v.AddRaw('M', []byte("<ttsender@no-nul.example>"))
	v.AddRaw('?', []byte("ttsender@unknown.example"))
	v.Flush()
	for {
		if _, _, err := v.Receive(); err != nil {
			return
		}
	}
}

func fetch(t *testing.T, socket, path string) string {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://x" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestReloadHidesAddresses: without a restart; and a key that cannot be used
// changes nothing.
func TestReloadHidesAddresses(t *testing.T) {
	dns := startDNS(t, badZone, "")
	state := filepath.Join(t.TempDir(), "state")
	plain := strings.Replace(judging(dns, 6), stateless, fmt.Sprintf("state.path = %q\n", state), 1)
	hashed := "log.addresses = \"hashed\"\n" + plain
	h := newHouse(t, plain)
	if err := os.WriteFile(state, nil, 0o600); err != nil { // no directory
		t.Fatal(err)
	}
	first := h.current.Load()
	h.write(t, hashed)
	if r := h.reload(t.Context()); len(r.Errors) != 1 || !strings.Contains(r.Errors[0], `m.toml:1: log.addresses is "hashed", but `) {
		t.Errorf("without a key: %+v", r)
	}
	if h.current.Load() != first {
		t.Error("a reload was refused, and changed something")
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if r := h.reload(t.Context()); len(r.Errors) > 0 || h.current.Load().hash == nil {
		t.Errorf("with a key: %+v", r)
	}
	h.write(t, plain)
	if r := h.reload(t.Context()); len(r.Errors) > 0 || h.current.Load().hash != nil {
		t.Errorf("back in clear: %+v", r)
	}
}

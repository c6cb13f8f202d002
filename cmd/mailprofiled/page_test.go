package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/config"
	"mailprofiled/internal/trend"
)

// TestTheDaemonsPage: over TCP it opens with the token of the configuration in
// force, and shows what became of a visit. Metrics ask for none.
func TestTheDaemonsPage(t *testing.T) {
	dns := startDNS(t, badZone, "")
	dir := t.TempDir()
	secret := filepath.Join(dir, "page.token")
	h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
	write := func(admin string) {
		t.Helper()
		text := judging(dns, 6) + fmt.Sprintf("[milter]\nlisten = [%q]\n[admin]\nlisten = \"127.0.0.1:0\"\ncontrol = \"\"\n", "unix:"+h.socket) + admin
		if err := os.WriteFile(h.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, io.Discard)
	runDaemon(t, h.daemon)
	get := func(path, token string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+h.doors.webAddr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := get("/", ""); code != http.StatusForbidden || !strings.Contains(body, "admin.token") {
		t.Fatalf("without a token: %d %s", code, body)
	}
	for i, token := range []string{"first-0123456789abcdef", "second-0123456789abcdef"} {
		if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		write(fmt.Sprintf("token = %q\nhosts = [\"pm.example.net\"]\n", "file:"+secret))
		if r := h.reload(t.Context()); len(r.Errors) > 0 || len(r.Warnings) > 3 { // no state kept, no exempt network, any port
			t.Fatal(r.Errors, r.Warnings)
		}
		if code, _ := get("/", "first-0123456789abcdef"); (code == 200) != (i == 0) {
			t.Errorf("the first token opens with %d after reload %d", code, i+1)
		}
	}
	v := h.begin(t)
	defer v.Close()
	ask(t, v)
	// What is shown may be a second old: of another path it is new.
	code, body := get("/every/30", "second-0123456789abcdef")
	for _, want := range []string{"<code><bdi>rdns-missing</bdi></code>", `<span class="key tempfail">tempfail 1 `, "new accounts"} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("%d, no %s in\n%s", code, want, body)
		}
	}
	if strings.Contains(body, "0123456789abcdef") {
		t.Error("the page shows its token")
	}
	if code, _ := get("/metrics", ""); code != 200 {
		t.Errorf("metrics: %d", code)
	}
	if code, _ := get("/healthz", ""); code != 200 {
		t.Errorf("health: %d", code)
	}
}

// TestThePageStaysOnLoopback: what systemd hands beyond it has metrics, as ever, but
// no page, whatever the token.
func TestThePageStaysOnLoopback(t *testing.T) {
	d := newDaemon(&config.Config{}, io.Discard)
	for at, want := range map[string]bool{"127.0.0.1:8892": true, "[::1]:8892": true, "0.0.0.0:8892": false, "[::]:8892": false, "192.0.2.1:8892": false, "[::ffff:127.0.0.1]:1": true} {
		addr, err := net.ResolveTCPAddr("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.newPage(placed{addr}) != nil; got != want {
			t.Errorf("%s: page %v, want %v", at, got, want)
		}
	}
	if d.newPage(placed{&net.UnixAddr{Net: "unix", Name: "/x"}}) == nil {
		t.Error("no page on a unix socket")
	}
}

// placed is a listener that is nothing but its place.
type placed struct{ at net.Addr }

func (placed) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (placed) Close() error              { return nil }
func (p placed) Addr() net.Addr          { return p.at }

// TestVerdictsOverTimeOutliveTheDaemon: what one has judged the next one shows, and
// adds to it.
func TestVerdictsOverTimeOutliveTheDaemon(t *testing.T) {
	dns := startDNS(t, badZone, "")
	state := t.TempDir()
	for i := range 3 {
		t.Run(fmt.Sprint("daemon ", i+1), func(t *testing.T) {
			dir := t.TempDir()
			h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
			text := strings.Replace(judging(dns, 6), stateless, fmt.Sprintf("state.path = %q\n", state), 1) + fmt.Sprintf("[milter]\nlisten = [%q]\n[admin]\nlisten = \"\"\ncontrol = \"\"\n", "unix:"+h.socket)
			if err := os.WriteFile(h.path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, report := config.Load(h.path)
			if cfg == nil {
				t.Fatal(report)
			}
			h.daemon = newDaemon(cfg, io.Discard)
			runDaemon(t, h.daemon)
			v := h.begin(t)
			defer v.Close()
			ask(t, v)
			for _, span := range trend.Spans() {
				s := pageDesk{h.daemon}.Trend(span)
				if s.Sums["tempfail"] != uint64(i+1) || s.Sums["rdns-missing"] != uint64(i+1) {
					t.Errorf("%s: %v", span, s.Sums)
				}
			}
		})
	}
}

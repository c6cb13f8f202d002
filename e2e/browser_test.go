//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/act"
	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

const pageToken = "0123456789abcdef0123456789abcdef"

// poorPage is what look.mjs has to complain of.
const poorPage = `<!doctype html><html><head><title>mailprofiled</title></head><body style="background:#fff"><h1>Poor</h1><img src="http://127.0.0.9:9/x.png">
<input><div style="width:3000px;color:#eee;background:#fff">wide and pale</div><script>document.title="owned"</script></body></html>`

// shownPage serves a page of a source.
func shownPage(t *testing.T, src *pagetest.Source, access page.Access) string {
	t.Helper()
	s := httptest.NewServer(page.New(page.Options{
		Source: src, Socket: access.Token == "", Host: "mx1.example.net", Logger: slog.New(slog.DiscardHandler),
		Access: func() page.Access { return access }, Now: func() time.Time { return pagetest.Noon },
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// idle is a hand that does nothing.
type idle struct{ act.Hand }

func (idle) AllowsInto() string { return "/var/lib/mailprofiled/allowed.txt" }

// odd is one whose file has a name that nobody would give it.
type odd struct{ idle }

func (odd) AllowsInto() string { return "/var/lib/" + actHostile }

// actHostile is what somebody may have a postmaster follow a link with.
var actHostile = `"><script>document.title="owned"</script>` + "\u202egnp.exe\x1b[31m" + strings.Repeat("W", 1000)

// actPage serves the forms of actions alone, as they are filled in by a query.
func actPage(t *testing.T, hand act.Hand, host, query string) string {
	t.Helper()
	source := shownPage(t, pagetest.Full(), page.Access{})
	forms := act.New(act.Options{Hand: hand, Token: func() string { return pageToken }, Host: host, Logger: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	mux.Handle("/act/", forms)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { // its style
		resp, err := http.Get(strings.TrimSuffix(source, "/") + r.URL.Path)
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		io.Copy(w, resp.Body)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/act/?" + query
}

// A scene is a page that is looked at, and what it has to say.
type scene struct {
	Name string   `json:"name"`
	URL  string   `json:"url"`
	Has  []string `json:"has"`
}

// A real Chromium looks at each page: at 360 and 1,400 pixels, light and dark, with
// scripts and without, with axe; it logs in at a daemon behind a real Postfix and
// finds what that has refused.
func TestThePageInABrowser(t *testing.T) {
	poor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, poorPage)
	}))
	t.Cleanup(poor.Close)
	panels := []string{"Health", "Verdicts", "Findings", "DNS lists", "Refused most", "Limits", "Accounts near one", "Accounts that met one", "Stolen and blocked accounts", "Candidate policy", "Asked to come back", "Your own rules"}
	modules, shots := filepath.Join(builtIn(t), "deps", "browser"), filepath.Join(builtIn(t), "e2e", "shots")
	job := map[string]any{
		"chromium": "/usr/lib/chromium/chromium", "modules": modules, "shots": shots, "poor": poor.URL + "/",
		"scenes": []scene{
			{"full", shownPage(t, pagetest.Full(), page.Access{}), append([]string{"Wants attention", "203.0.113.0/24", "Last 24 hours", "21 countries in an hour", "use a resolver of your own"}, panels...)},
			{"empty", shownPage(t, pagetest.Empty(), page.Access{}), append([]string{"Look at: MTA", "mailprofiled attach postfix", "lists.use", "No account is blocked"}, panels...)},
			{"hostile", shownPage(t, pagetest.Hostile(), page.Access{}), append([]string{"<script>document.title", `\u{202e}gnp.exe`, `\u{0}\u{1b}[31mred`}, panels...)},
			{"why", shownPage(t, pagetest.Full(), page.Access{}) + "why?id=0dzl", []string{"Why was this mail refused?", "550 5.7.25 The reverse DNS name", "rdns-dynamic", "mailprofiled.toml:31", "10 mail.harbour.example"}},
			{"why-many", shownPage(t, pagetest.Full(), page.Access{}) + "why?client=203.0.113.45", []string{"0dzl1rikxpq7", "1abc2rikxpq7", "2 visits"}},
			{"why-hostile", shownPage(t, pagetest.Hostile(), page.Access{}) + "why?id=0dzl", []string{"<script>document.title", `\u{202e}gnp.exe`}},
			{"why-nothing", shownPage(t, pagetest.Empty(), page.Access{}) + "why?id=zzzz", []string{"Nothing was found", "no record of such a visit"}},
			{"tail", shownPage(t, pagetest.Full(), page.Access{}) + "tail", []string{"Verdicts as they are given", "reject 550", "203.0.113.45", "rdns-dynamic", "The look has ended"}},
			{"tail-hostile", shownPage(t, pagetest.Hostile(), page.Access{}) + "tail", []string{"Verdicts as they are given", `\u{202e}gnp.exe`}},
			{"finding", shownPage(t, pagetest.Full(), page.Access{}) + "finding?id=rdns-missing", []string{"rdns-missing", "Last 7 days", "answers"}},
			{"finding-nothing", shownPage(t, pagetest.Hostile(), page.Access{}) + "finding?id=%3Cscript%3E" + strings.Repeat("x", 150), []string{"<script>xxx", "not found within a week"}},
			{"act", actPage(t, idle{}, "mx1.example.net", ""), []string{"Raise a limit", "Release an account", "Allow a server", "Forget a server", "It was spam"}},
			{"act-hostile", actPage(t, odd{}, actHostile, url.Values{"account": {actHostile}, "limit": {actHostile}, "max": {actHostile}, "until": {actHostile}, "owner": {actHostile},
				"reason": {actHostile}, "client": {actHostile}, "server": {actHostile}, "what": {actHostile}}.Encode()),
				[]string{"Raise a limit", "It was spam", "<script>document.title", `\u{202e}gnp.exe`}},
			{"form", shownPage(t, pagetest.Full(), page.Access{Token: pageToken}), []string{"Token"}},
		},
	}
	calm := pagetest.Full()
	calm.Trouble, calm.S.Config.Refused = nil, nil
	job["pictures"] = []map[string]any{ // docs/pictures/make takes them
		{"name": "page", "url": shownPage(t, calm, page.Access{}), "width": 1260, "height": 900, "scheme": "light"},
		{"name": "page-why", "url": shownPage(t, calm, page.Access{}) + "why?id=0dzl1rikxpq7", "width": 1000, "height": 960, "scheme": "dark"},
	}
	allowed := filepath.Join(t.TempDir(), "allowed.txt")
	if err := os.WriteFile(allowed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, at := pageHouse(t, fmt.Sprintf("admin.actions = true\nadmin.allow_file = %q\nlocal = [ { match = [%q], action = \"allow\", owner = \"page\" } ]\n", allowed, "file:"+allowed))
	h.delivered(t, false)
	forger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/mail" {
			h.delivered(t, false)
			return
		}
		fmt.Fprintf(w, `<form method="post" action="http://%s/act/allow"><input name="client" value="198.51.100.1"><input name="until" value="2099-01-01"><input name="reason" value="x"><button>Win</button></form>`, at)
	}))
	t.Cleanup(forger.Close)
	job["door"] = map[string]any{
		"url": "http://" + at + "/", "token": pageToken, "has": append([]string{"rdns-missing", "1 of 1 server up", "enforce"}, panels...),
		"client": bad6.String(), "forger": forger.URL,
	}
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "job.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(builtIn(t), "..", "e2e", "browser", "look.mjs"), file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	good := 0
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "ok ") {
			good++
		} else {
			t.Error(strings.TrimSpace(line))
		}
	}
	if _, err := h.daemon.log.Wait(waiting(t), 0, func(line string) bool { return strings.Contains(line, "list taken in") }); err != nil {
		t.Error(err)
	}
	h.delivered(t, true)
	if text, err := os.ReadFile(allowed); err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), "ticket 4711; by page, 127.0.0.1:") {
		t.Errorf("%v, allowed are:\n%s", err, text)
	}
	if want := 14*5 + 2; err != nil || good != want {
		t.Errorf("%d looks were good, want %d: %v", good, want, err)
	}
}

// pageHouse opens a house with Postfix and a page over TCP, and gives its place.
func pageHouse(t *testing.T, extra string) (*house, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	secret := filepath.Join(dir, "token")
	if err := os.WriteFile(secret, []byte(pageToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// However long a browser takes, who was asked to come back has not done so yet.
	extra += "retry.after = \"12h\"\n"
	return openHouse(t, postfix, sessionZone(), fmt.Sprintf("admin.listen = %q\nadmin.token = %q\nadmin.control = \"\"\n", at, "file:"+secret)+extra), at
}

// builtIn is the folder build of the repository.
func builtIn(t *testing.T) string {
	t.Helper()
	return filepath.Dir(filepath.Dir(os.Getenv("E2E_DAEMON")))
}

// Readers that open 1,000 connections, read slowly or ask with 10 MB are refused or
// let go; mail is judged meanwhile, and the page is read when they have gone.
func TestReadersOfThePageHoldUpNoMail(t *testing.T) {
	h, at := pageHouse(t, "")
	get := "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + pageToken + "\r\n"
	var open []net.Conn
	t.Cleanup(func() {
		for _, c := range open {
			c.Close()
		}
	})
	for i := range 1000 {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		open = append(open, c)
		switch i % 3 {
		case 0: // a request that never ends
			fmt.Fprint(c, get)
		case 1: // a tail that is not read
			fmt.Fprint(c, strings.Replace(get, "GET / ", "GET /tail ", 1)+"\r\n")
		} // the others ask nothing
	}
	h.delivered(t, false)

	refused := 0
	for _, c := range open {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		var first [12]byte
		if _, err := c.Read(first[:]); err == nil && bytes.HasSuffix(first[:], []byte("503")) {
			refused++
		}
		c.Close()
	}
	if refused == 0 {
		t.Error("1,000 connections, and none was told that there is no place")
	}
	ask := func(text string) string {
		t.Helper()
		for {
			c, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			deadline, _ := waiting(t).Deadline()
			c.SetDeadline(deadline)
			fmt.Fprint(c, text)
			line, err := bufio.NewReader(c).ReadString('\n')
			c.Close()
			switch {
			case strings.Contains(line, " 503 "): // those before have not left yet
			case err != nil && line == "":
				return err.Error()
			default:
				return strings.TrimSpace(line)
			}
		}
	}
	if got := ask(get + "\r\n"); got != "HTTP/1.1 200 OK" {
		t.Errorf("when they have gone: %s", got)
	}
	long := strings.Repeat("a", 10<<20)
	if got := ask("GET /api/v1/servers?kind=" + long + " HTTP/1.1\r\nHost: localhost\r\n\r\n"); strings.Contains(got, " 200 ") {
		t.Errorf("a query of 10 MB: %s", got)
	}
	if got := ask(get + "\r\n"); got != "HTTP/1.1 200 OK" {
		t.Errorf("after a query of 10 MB: %s", got)
	}
	h.delivered(t, false)
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/internal/geotest"
)

// machines is how many a thief has, each of an operator of its own.
const machines = 30

func thief(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + i)}) }

// phone is a customer's, which has another address of its operator each time.
func phone(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)}) }

var (
	office = netip.MustParseAddr("192.0.2.10")
	home   = netip.MustParseAddr("192.0.2.20")
)

// operators is a database of who has these addresses.
func operators(t *testing.T) string {
	t.Helper()
	lines := "198.51.100.0/24 64601 phones\n192.0.2.10/32 64602 office\n192.0.2.20/32 64603 home\n"
	for i := range machines {
		lines += fmt.Sprintf("%s/32 %d bot\n", thief(i), 64700+i)
	}
	data, err := geotest.Make(geotest.Options{Type: geotest.ASN}, lines)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "asn.mmdb")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A pager is a webhook that notes what it is told.
type pager struct {
	*httptest.Server
	mu   sync.Mutex
	told []string
	came chan struct{}
}

func newPager(t *testing.T) *pager {
	p := &pager{came: make(chan struct{}, 100)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is cut off is seen by the test
		p.mu.Lock()
		p.told = append(p.told, string(body))
		p.mu.Unlock()
		p.came <- struct{}{}
	}))
	t.Cleanup(p.Close)
	return p
}

// wait waits until it is told once more.
func (p *pager) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.came:
	case <-waiting(t).Done():
		t.Fatal("nobody is told")
	}
}

func (p *pager) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.told...)
}

// steal has a thief send by all his machines in other people's names, and gives how many
// mails went out.
func (h *house) steal(t *testing.T) (sent int) {
	t.Helper()
	for i := range machines {
		c := h.login(t, thief(i))
		if d := send(t, c, fmt.Sprintf("bank@d%d.example", i), "jo@example.net"); d.Accepted() {
			sent++
		}
		quit(t, c)
	}
	return sent
}

// TestAStolenAccount: a customer sends by phone, from the office and from home, and
// nobody thinks anything of it; then a botnet has his password. By default that is
// reported, once; told to block, it is blocked within the very session, until it is released.
func TestAStolenAccount(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		var zone world
		for i := range machines {
			zone.domain(fmt.Sprintf("d%d.example", i))
		}
		page := newPager(t)
		told := filepath.Join(t.TempDir(), "told")
		h := openKept(t, kind, sessionZone()+zone.String(), fmt.Sprintf(
			"limit = [{ name = \"new accounts\", action = \"off\" }]\naccounts.hijack.learn = \"0\"\ngeo.asn = %q\nnotify.webhook = \"file:%s\"\nnotify.command = [\"/bin/sh\", \"-c\", 'cat >>%s']\n",
			operators(t), hookFile(t, page.URL+"/hush"), told))
		account := accounts[kind]

		honest := func() {
			t.Helper()
			for i := range 12 {
				for _, from := range []netip.Addr{phone(i), office, home}[:1+i%3] {
					c := h.login(t, from)
					if d := send(t, c, "joe@example.net", "jo@example.net", "al@example.net"); !d.Accepted() {
						t.Fatalf("an honest mail: %v", d)
					}
					quit(t, c)
				}
			}
		}
		honest()
		// Three, but for marks that are the same by chance: each has one bit of 64, by a secret of this run.
		h.control(t, "accounts", "show", account).has(t, `(?m)^signs of theft: 0 of 10 points, not suspected\n  networks +- +[123] networks? in 24h$`)
		h.control(t, "accounts", "suspects").has(t, `^no account has seemed stolen\n$`)

		if sent := h.steal(t); sent != machines {
			t.Errorf("reported only, and %d of %d mails went out", sent, machines)
		}
		page.wait(t)
		h.await(t, "the command is not done", "\nnotify +by command and webhook: 2 sent\n", "status")
		h.control(t, "accounts", "suspects").has(t, `(?m)^`+account+` +20\S+ \S+ UTC +report +203\.0\.113\.\d+ +10 +\d+ networks in 24h, \d+ senders in 24h$`)
		h.control(t, "status").has(t, `(?m)^hijack +report, 1 account remembered; 1 account seemed stolen`)
		var notice struct {
			Event, Account, Client, Action, Mode string
			Signs                                []string
		}
		all := page.all()
		if err := json.Unmarshal([]byte(all[0]), &notice); err != nil || len(all) != 1 || notice.Event != "account-hijack" || notice.Account != account ||
			!strings.HasPrefix(notice.Client, "203.0.113.") || notice.Action != "report" || notice.Mode != "enforce" || strings.Join(notice.Signs, " ") != "networks:5 senders:5" {
			t.Errorf("told %q (%v)", all, err)
		}
		if text, err := os.ReadFile(told); err != nil || string(text) != all[0]+"\n" {
			t.Errorf("the command was told %q, %v", text, err)
		}
		if strings.Contains(h.daemon.log.String(), "hush") {
			t.Error("the secret of the webhook stands in the log")
		}

		// The postmaster has looked at it, and wants the next one blocked.
		h.control(t, "accounts", "reset", account).has(t, `it is suspected no more`)
		h.change(t, `accounts.hijack.learn = "0"`, `accounts.hijack.learn = "0"`+"\naccounts.hijack.action = \"block\"")
		h.control(t, "reload")
		honest()
		open := h.login(t, home) // the customer's own session is held, too
		if sent := h.steal(t); sent == 0 || sent >= machines {
			t.Errorf("told to block, and %d of %d mails went out", sent, machines)
		}
		d := send(t, open, "joe@example.net", "jo@example.net", "postmaster@example.net")
		if d.Rcpts[0].Code != 450 || !strings.Contains(d.Rcpts[0].Text, "4.7.1") || !strings.Contains(d.Rcpts[0].Text, "is blocked") || d.Rcpts[1].Code != 250 {
			t.Errorf("blocked: %v", d)
		}
		quit(t, open)
		page.wait(t)
		h.control(t, "accounts", "blocked").has(t, `(?m)^`+account+` +20.* UTC +released +tempfail +account-hijack +- +\d+ networks in 24h`)

		// Its password is another one, and it goes on.
		h.control(t, "accounts", "release", account)
		honest()
		h.control(t, "accounts", "show", account).has(t, `(?m)^signs of theft: 0 of 10 points, not suspected$`)
		if all := page.all(); len(all) != 2 || !strings.Contains(all[1], `"action":"block"`) {
			t.Errorf("told %q", all)
		}
	})
}

// hookFile keeps a URL as a secret.
func hookFile(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook.url")
	if err := os.WriteFile(path, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestListsOfPasswordGuessers are asked of who has logged in, and of nobody else; what they
// say is a sign, and refuses nobody.
func TestListsOfPasswordGuessers(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		guesser := netip.MustParseAddr("203.0.113.66")
		zone := "2.0.0.127.auth.example. 300 IN A 127.0.0.2\n66.113.0.203.auth.example. 300 IN A 127.0.0.2\n"
		h := openKept(t, kind, sessionZone()+zone, "accounts.hijack.learn = \"0\"\nlists.own = [{ id = \"authbl\", zone = \"auth.example\", ask = [\"ip4\"], at = [\"auth\"], "+
			"codes = [{ answer = \"127.0.0.2\", points = 50.0, meaning = \"guesses passwords\" }], test = { listed = \"127.0.0.2\", unlisted = \"127.0.0.1\" } }]\n")
		h.await(t, "the list is not up", "authbl +up ", "lists")
		asked := func() (n int) {
			for question, times := range h.dns.Questions() {
				if strings.HasPrefix(question, "66.113.0.203.auth.example") {
					n += times
				}
			}
			return n
		}
		c := h.hello(t, guesser, "mail.bad.example")
		send(t, c, "a@bad.example", "jo@example.net")
		quit(t, c)
		if n := asked(); n != 0 {
			t.Errorf("asked %d times about a stranger", n)
		}
		for range 2 { // what comes too late for one mail is known to the next
			c = h.login(t, guesser)
			if d := send(t, c, "joe@example.net", "jo@example.net"); !d.Accepted() {
				t.Errorf("%v", d)
			}
			quit(t, c)
		}
		h.await(t, "the list is no sign", `\n  listed +5 +client listed 20`, "accounts", "show", accounts[kind])
		if n := asked(); n == 0 {
			t.Error("nobody asked")
		}
	})
}

// await asks the daemon until it says what is waited for.
func (h *house) await(t *testing.T, missing, pattern string, args ...string) {
	t.Helper()
	ctx, again := waiting(t), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for want := regexp.MustCompile(pattern); ; {
		out := h.control(t, args...)
		if want.MatchString(string(out)) {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s:\n%s", missing, out)
		}
	}
}

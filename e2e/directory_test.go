//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// openGateway opens a house whose mail server takes every recipient at example.net,
// as one before other servers does: who exists is ours to say, by files, by name to
// content.
func openGateway(t *testing.T, kind string, files map[string]string, extra string) (*house, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "directory-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dns, err := dnstest.Start(ourZone + sessionZone() + "flock.example. 300 IN MX 10 mx.good.example.\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	h := &house{kind: kind, dns: dns}
	h.daemon = startDaemon(t, daemonConfig(dns.Addr(), strings.ReplaceAll(extra, "DIR", dir)+fmt.Sprintf("state.path = %q\nadmin.control = %q\nadmin.listen = \"\"\n", dir, filepath.Join(dir, "control.sock"))))
	if h.mta, err = startOpenMTA(kind, "unix:"+h.daemon.socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.mta.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%.20000s", h.daemon.log)
		}
	})
	return h, dir
}

// startOpenMTA starts a mail server that knows no users, and so takes all.
func startOpenMTA(kind, addr string) (mta, error) {
	listen := []string{"127.0.0.1:0", "[::1]:0"}
	if kind == postfix {
		return mtatest.StartPostfix(mtatest.PostfixOptions{ListenAddrs: listen, Domains: []string{"example.net", "example.org"}, MilterAddr: addr})
	}
	return mtatest.StartSendmail(mtatest.SendmailOptions{
		Root: os.Getenv("E2E_SENDMAIL"), Syslog: syslog, ListenAddrs: listen, Domains: []string{"example.net", "example.org"}, MilterAddr: addr,
	})
}

// told gives the answer to each recipient of one mail, without what differs by
// server and by mail: "550 5.1.1".
func told(t *testing.T, c *mtatest.Client, from string, rcpts ...string) []string {
	t.Helper()
	do(t, c, "MAIL FROM:<"+from+">", 250)
	var got []string
	for _, rcpt := range rcpts {
		r, err := c.Do("RCPT TO:<" + rcpt + ">")
		if err != nil {
			t.Fatalf("%v; the dialogue:\n%s", err, c.Transcript())
		}
		got = append(got, status(r))
	}
	do(t, c, "RSET", 250)
	return got
}

// status is the code of a reply, and its enhanced one where it is a refusal.
func status(r mtatest.Reply) string {
	if r.Code < 400 {
		return fmt.Sprint(r.Code)
	}
	enhanced, _, _ := strings.Cut(r.Text, " ")
	return fmt.Sprint(r.Code, " ", enhanced)
}

// TestUnknownUsersByOurFiles: text, a compiled map, aliases of domains and extensions;
// what changes is taken in while a session lasts, and a file that has lost most of it
// is not.
func TestUnknownUsersByOurFiles(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h, dir := openGateway(t, kind, map[string]string{
			"recipients": "jo@example.net OK\nal@example.net x\nzoe@example.net x\n", "virtual": "example.net anything\nsales@example.net jo@example.net\n",
		}, `us.domains = ["example.net", "example.org"]
directory.source = "file"
directory.files = ["DIR/recipients", "DIR/virtual"]
directory.domain_aliases."example.org" = "example.net"
`)
		c := h.hello(t, good4, "mx.good.example")
		rcpts := []string{"jo@example.net", "JO@Example.NET", "jo+lists@example.net", "sales@example.org", "nobody@example.net", "nobody@example.org", "postmaster@example.net", "abuse@example.org", "new@example.net"}
		got := told(t, c, "a@good.example", rcpts...)
		want := []string{"250", "250", "250", "250", "550 5.1.1", "550 5.1.1", "250", "250", "550 5.1.1"}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Fatalf("got %v, want %v; the dialogue:\n%s", got, want, c.Transcript())
		}
		if out, _ := h.ask(t, "explain", "--client", good4.String(), "--rcpt", "nobody@example.net"); !strings.Contains(out, "550 5.1.1") || !strings.Contains(out, "rcpt-unknown") {
			t.Errorf("explain says\n%s", out)
		}
		past := time.Now().Add(-time.Minute)
		change := func(name, text string) {
			t.Helper()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			past = past.Add(time.Second)
			if err := os.Chtimes(path+".new", past, past); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
		mark := h.daemon.log.Len()
		change("recipients", "jo@example.net OK\nal@example.net x\nzoe@example.net x\nnew@example.net x\n")
		h.daemon.waitFor(t, mark, `msg="directory taken in"`)
		if got := told(t, c, "a@good.example", "new@example.net", "nobody@example.net"); got[0] != "250" || got[1] != "550 5.1.1" {
			t.Errorf("after the change: %v", got)
		}
		mark = h.daemon.log.Len()
		change("recipients", "")
		h.daemon.waitFor(t, mark, "of 6 addresses only 2 are left")
		if got := told(t, c, "a@good.example", "jo@example.net"); got[0] != "250" {
			t.Errorf("an emptied file: %v", got)
		}
		if err := postmapWorks(); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("postmap", "hash:"+filepath.Join(dir, "virtual")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		h.change(t, `"DIR/virtual"`[:1]+dir+`/virtual"`, `"virtual:hash:`+dir+`/virtual"`)
		if out, ok := h.ask(t, "reload"); !ok {
			t.Fatal(out)
		}
		quit(t, c)
		c = h.hello(t, good4, "mx.good.example")
		if got := told(t, c, "a@good.example", "sales@example.net", "jo@example.net"); got[0] != "250" || got[1] != "550 5.1.1" {
			t.Errorf("a compiled map, after a reload: %v", got)
		}
		quit(t, c)
		if log := h.daemon.log.String(); strings.Contains(log, "nobody@") || !strings.Contains(log, "rcpt=h:") {
			t.Error("a name that does not exist stands in the log")
		}
	})
}

// postmapWorks gives the machine of the tests a configuration of Postfix: postmap
// reads one, and the real one is not seen here.
func postmapWorks() error {
	if err := os.MkdirAll("/etc/postfix", 0o755); err != nil {
		return err
	}
	return os.WriteFile("/etc/postfix/main.cf", []byte("compatibility_level = 3.6\n"), 0o644)
}

// waitFor waits until the log has a text behind a mark.
func (d *daemon) waitFor(t *testing.T, mark int, text string) {
	t.Helper()
	again, late := time.NewTicker(50*time.Millisecond), time.After(wait)
	defer again.Stop()
	for !strings.Contains(d.log.String()[mark:], text) {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("no %q in\n%s", text, d.log.String()[mark:])
		}
	}
}

// flockAt is one client of a /24.
func flockAt(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(i%250 + 1)}) }

// quietPoints has nothing but the directory answer.
const quietPoints = "verdict.tempfail_score = 900.0\nverdict.reject_score = 1000.0\n"

// TestAHarvestOfFiveThousandNames over two hundred sessions from one /24 learns
// nothing from the twentieth name on, though the daemon is killed meanwhile.
func TestAHarvestOfFiveThousandNames(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h, _ := openGateway(t, kind, map[string]string{"recipients": "jo@example.net OK\n"}, quietPoints+"directory.source = \"file\"\ndirectory.files = [\"DIR/recipients\"]\n")
		const sessions, each = 200, 25
		told550, wrong, name := 0, 0, 0
		for s := range sessions {
			c := h.hello(t, flockAt(s), "mail.flock.example")
			names := make([]string, each)
			for i := range names {
				names[i] = fmt.Sprintf("x%d@example.net", name)
				name++
			}
			names[each/2] = "jo@example.net"
			for i, got := range told(t, c, "a@flock.example", names...) {
				switch {
				case got == "550 5.1.1":
					told550++
				case got == "250" && names[i] == "jo@example.net" && s == 0:
				case got != "450 4.7.1":
					wrong++
				}
			}
			if s == sessions-1 {
				if got := told(t, c, "a@flock.example", "postmaster@example.net", "abuse@example.net"); got[0] != "250" || got[1] != "250" {
					t.Errorf("postmaster and abuse: %v", got)
				}
			}
			quit(t, c)
			if s == sessions/2 {
				h.kill(t) // and begins anew: it knows still
			}
		}
		if told550 != 19 || wrong > 0 {
			t.Errorf("%d names were told not to exist, want 19; %d other answers", told550, wrong)
		}
		c := h.hello(t, good4, "mx.good.example")
		if got := told(t, c, "a@good.example", "jo@example.net", "nobody@example.net"); got[0] != "250" || got[1] != "550 5.1.1" {
			t.Errorf("somebody else: %v", got)
		}
		quit(t, c)
		if out, _ := h.ask(t, "status"); !strings.Contains(out, "harvest now") {
			t.Errorf("status says\n%s", out)
		}
	})
}

// TestAHarvestWhereTheMTARefuses: it goes on telling who does not exist, until it is
// not asked any more, where that is asked for.
func TestAHarvestWhereTheMTARefuses(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone()+"flock.example. 300 IN MX 10 mx.good.example.\n", quietPoints+"directory.source = \"mta\"\ndirectory.harvest_answer_at = \"mail\"\n")
		for s := range 10 {
			c := h.hello(t, flockAt(s), "mail.flock.example")
			r, err := c.Do("MAIL FROM:<a@flock.example>")
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]string{true: "250", false: "450 4.7.1"}[s < 4]; status(r) != want {
				t.Fatalf("session %d: MAIL got %v, want %s", s+1, r, want)
			}
			for i := range 5 {
				if s >= 4 {
					break
				}
				do(t, c, fmt.Sprintf("RCPT TO:<x%d@example.net>", 5*s+i), 550)
				do(t, c, "RCPT TO:<somebody@elsewhere.example>", map[string]int{postfix: 554, sendmail: 550}[kind]) // relaying: no unknown user
			}
			quit(t, c)
		}
		c := h.hello(t, good4, "mx.good.example")
		if d := send(t, c, "a@good.example", "jo@example.net"); !d.Accepted() {
			t.Errorf("somebody else: %v", d)
		}
		quit(t, c)
		mark := h.daemon.log.Len()
		c = h.hello(t, good6, "mx.good.example")
		for i := range 30 { // refused for another reason, or to whoever's address was forged
			do(t, c, "MAIL FROM:<>", 250)
			do(t, c, fmt.Sprintf("RCPT TO:<forged%d@example.net>", i), 550)
			do(t, c, "RSET", 250)
			do(t, c, "MAIL FROM:<a@good.example>", 250)
			do(t, c, fmt.Sprintf("RCPT TO:<x%d@elsewhere.example>", i), map[string]int{postfix: 554, sendmail: 550}[kind])
			do(t, c, "RSET", 250)
		}
		if d := send(t, c, "a@good.example", "jo@example.net"); !d.Accepted() {
			t.Errorf("who sends bounces: %v", d)
		}
		quit(t, c)
		for _, l := range h.daemon.verdicts(t, mark, good6, 61) {
			if strings.Contains(l.values["findings"], "rcpt-harvest") {
				t.Fatalf("bounces, or refusals to relay, are taken for a harvest: %v", l.values)
			}
		}
	})
}

// TestWhatIsNoHarvest: a list with dead addresses, a company with a typo, and a flood
// of bounces.
func TestWhatIsNoHarvest(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		var recipients strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&recipients, "user%d@example.net OK\n", i)
		}
		h, _ := openGateway(t, kind, map[string]string{"recipients": recipients.String()}, quietPoints+"directory.source = \"file\"\ndirectory.files = [\"DIR/recipients\"]\n")
		count := func(answers []string, what string) (n int) {
			for _, a := range answers {
				if a == what {
					n++
				}
			}
			return n
		}
		var list []string
		for i := range 1000 {
			name := fmt.Sprintf("user%d@example.net", i)
			if i%33 == 5 {
				name = fmt.Sprintf("dead%d@example.net", i)
			}
			list = append(list, name)
		}
		c := h.hello(t, good4, "mx.good.example")
		var answers []string
		for i := 0; i < len(list); i += 50 {
			answers = append(answers, told(t, c, "list@good.example", list[i:i+50]...)...)
		}
		if dead := count(answers, "550 5.1.1"); dead != 31 || count(answers, "250") != 1000-dead {
			t.Errorf("a mailing list: %d dead, %d taken", dead, count(answers, "250"))
		}
		quit(t, c)
		c = h.hello(t, good6, "mx.good.example")
		answers = nil
		for range 60 {
			answers = append(answers, told(t, c, "boss@good.example", "usr1@example.net", "user2@example.net")...)
		}
		if count(answers, "550 5.1.1") != 60 || count(answers, "250") != 60 {
			t.Errorf("a company with a typo: %v", answers)
		}
		quit(t, c)
		c = h.hello(t, bad4, "mail.bad.example")
		answers = nil
		for i := range 60 {
			answers = append(answers, told(t, c, "", fmt.Sprintf("forged%d@example.net", i))...)
		}
		answers = append(answers, told(t, c, "a@bad.example", "user1@example.net")...)
		if count(answers, "550 5.1.1") != 60 || answers[60] != "250" {
			t.Errorf("a flood of bounces: %v", answers)
		}
		quit(t, c)
	})
}

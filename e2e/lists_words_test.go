//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/mtatest"
)

// saysSo are texts of a list as a zone file has them, and what of it a client reads.
var saysSo = []struct {
	name, txt string
	has       []string // in the reply
}{
	{"an address to look at", `"Listed, see https://watch.example/?ip=203.0.113.70"`, []string{"Listed, see https://watch.example/?ip=203.0.113.70"}},
	{"control characters and a second reply", `"no\013\010250 2.0.0 ok\000\027[31m\127"`, []string{"no 250 2.0.0 ok [31m"}},
	{"four thousand octets", strings.Repeat(`"`+strings.Repeat("a", 250)+`" `, 16), []string{strings.Repeat("a", 100)}},
	{"no ASCII", `"caf\195\169 \255\254 \226\152\131 end"`, []string{"caf", "end"}},
	{"percent signs", `"100% of %s%n%%d %1$s sure"`, []string{"100% of %s%n%%d %1$s sure"}},
	{"several strings", `"one " "and two"`, []string{"one and two"}},
	{"the names of the client", `"mail.bad.example wrote as mail.bad.example"`, []string{"wrote as"}},
	{"nothing", `""`, []string{"watch"}},
	{"a code of its own", `"550-5.1.1 no such user"`, []string{"550-5.1.1 no such user"}},
}

// TestAListsOwnWordsInAReply: they are one line of what can be printed, behind our own
// code, whatever the list writes; both servers hand them on. A list served by the DNS of
// the test, for rbldnsd gives no such texts.
func TestAListsOwnWordsInAReply(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		zone := new(strings.Builder)
		zone.WriteString(sessionZone())
		zone.WriteString("2.0.0.127.watch.example. 300 IN A 127.0.0.2\n")
		listed := func(i int) netip.Addr { return nth(bad4, 10+i) }
		for i, s := range saysSo {
			name := strings.TrimSuffix(reverse(listed(i)), "in-addr.arpa.") + "watch.example."
			fmt.Fprintf(zone, "%s 300 IN A 127.0.0.2\n%s 300 IN TXT %s\n", name, name, s.txt)
		}
		h := openKept(t, kind, zone.String(), "lists.own = [{ id = \"watch\", zone = \"watch.example\", ask = [\"ip4\"], at = [\"connect\"], text = \"txt\", "+
			"codes = [{ answer = \"127.0.0.2\", points = 50.0, meaning = \"traps\" }], test = { listed = \"127.0.0.2\", unlisted = \"127.0.0.1\" } }]\n")
		h.await(t, "the list is not up", "watch +up ", "lists")
		for i, s := range saysSo {
			c := h.hello(t, listed(i), "mail.bad.example")
			d := send(t, c, "a@bad.example", "jo@example.net")
			do(t, c, "NOOP", 250) // it is one reply, and nothing follows it
			quit(t, c)
			r := d.Rcpts[0]
			if r.Code != 554 || len(r.Text) > 480 || strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' && c != '\n' || c > '~' }) || strings.Contains(r.Text, "\n") {
				t.Errorf("%s: %d octets: %+q", s.name, len(r.Text), r)
			}
			for _, part := range s.has {
				if !strings.Contains(r.Text, part) {
					t.Errorf("%s: no %q in %q", s.name, part, r.Text)
				}
			}
			if strings.Contains(r.Text, "bad.example") {
				t.Errorf("%s: a name of the client's stands in the reply: %s", s.name, r.Text)
			}
		}
	})
}

// TestAnswersThatAreAliases: a resolver follows CNAMEs, and what they lead to is the
// answer; one that leads nowhere, in a circle or out of 127/8 lists nobody. A list that is
// an alias elsewhere as a whole (DNAME by CNAMEs) works.
func TestAnswersThatAreAliases(t *testing.T) {
	zone := new(strings.Builder)
	zone.WriteString(sessionZone())
	zone.WriteString("2.0.0.127.watch.example. 300 IN CNAME entry.elsewhere.example.\nentry.elsewhere.example. 300 IN A 127.0.0.2\n")
	guests := []struct {
		name  string
		chain []string // after the question
		code  int
	}{
		{"to an entry", []string{"CNAME entry.elsewhere.example."}, 554},
		{"over three names", []string{"CNAME b%d.elsewhere.example.", "CNAME c%d.elsewhere.example.", "A 127.0.0.2"}, 554},
		{"to nothing", []string{"CNAME nobody.elsewhere.example."}, 250},
		{"in a circle", []string{"CNAME b%d.elsewhere.example.", "CNAME b%d.elsewhere.example."}, 250},
		{"to another code", []string{"CNAME b%d.elsewhere.example.", "A 127.0.0.9"}, 250},
	}
	addr := func(i int) netip.Addr { return nth(good4, 10+i) }
	for i, g := range guests {
		name := strings.TrimSuffix(reverse(addr(i)), "in-addr.arpa.") + "watch.example."
		w := new(world)
		w.good(addr(i), fmt.Sprintf("good%c.example", 'a'+i))
		zone.WriteString(w.String())
		for n, record := range g.chain {
			record = strings.ReplaceAll(record, "%d", fmt.Sprint(i))
			fmt.Fprintf(zone, "%s 300 IN %s\n", name, record)
			name = fmt.Sprintf("%c%d.elsewhere.example.", 'b'+n, i)
		}
	}
	h := openKept(t, postfix, zone.String(), "lists.own = [{ id = \"watch\", zone = \"watch.example\", ask = [\"ip4\"], at = [\"connect\"], "+
		"codes = [{ answer = \"127.0.0.2\", points = 50.0, meaning = \"traps\" }], test = { listed = \"127.0.0.2\", unlisted = \"127.0.0.1\" } }]\n")
	h.await(t, "the list is not up", "watch +up ", "lists")
	for i, g := range guests {
		domain := fmt.Sprintf("good%c.example", 'a'+i)
		c := h.hello(t, addr(i), "mx."+domain)
		d := send(t, c, "a@"+domain, "jo@example.net")
		quit(t, c)
		if d.Last().Code != g.code {
			t.Errorf("%s: %v, want %d", g.name, d.Last(), g.code)
		}
	}
	h.control(t, "lists").has(t, `(?m)^watch +up `)
}

// TestASuspensionOutlivesAReload, by signal and by command, also of lists.use: a list that
// is away is not taken for a new one, and comes back by its own tests alone.
func TestASuspensionOutlivesAReload(t *testing.T) {
	t.Parallel()
	h := openSoundHouse(t, straight)
	f := h.flows(t)
	const list = "spamcop"
	mark := h.daemon.log.Len()
	h.lists[list].reload(t, "all 10.0.0.1", rblTTL)
	h.becomes(t, mark, list, "suspended")
	mark = h.daemon.log.Len()
	h.change(t, `dns.budget       = "2s"`, `dns.budget       = "3s"`)
	h.daemon.signal(t, syscall.SIGHUP)
	if _, err := h.daemon.log.Wait(waiting(t), mark, mtatest.Containing("msg=reloaded ")); err != nil {
		t.Fatalf("no reload: %v", err)
	}
	for range 3 {
		h.is(t, list, "suspended")
		h.expect(t, listedGuest(list, 10), 250)
		if out, ok := h.tell(t, "reload"); !ok {
			t.Fatal(out)
		}
	}
	f.goesOn(t, 10)
	for _, l := range h.changes(mark) {
		if strings.Contains(l, " list="+list+" ") {
			t.Errorf("a reload changes its state: %s", l)
		}
	}
	mark = h.daemon.log.Len()
	began := time.Now()
	h.lists[list].reload(t, soundEntries(list), rblTTL)
	h.becomes(t, mark, list, "up")
	t.Logf("up again after %v", time.Since(began).Round(10*time.Millisecond))
	h.refuses(t, list, 30)
	f.stop()
}

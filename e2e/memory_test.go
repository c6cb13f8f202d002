//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/mtatest"
)

// poolOf is a provider's machines: each with a name that leads back, none of them the MX
// of whom they write for.
func poolOf(w *world, n int) []netip.Addr {
	var pool []netip.Addr
	for i := range n {
		a := netip.AddrFrom4([4]byte{203, 0, byte(i), 25})
		name := fmt.Sprintf("mail-ot1-f%d.provider.example", i)
		w.host(name, a)
		w.ptr(a, name)
		pool = append(pool, a)
	}
	w.domain("provider.example")
	return pool
}

// from sends one mail through the server as if it came from an address, and gives the
// reply to its recipient.
func (h *house) from(t *testing.T, a netip.Addr, sender string) mtatest.Reply {
	t.Helper()
	c := h.dial(t, netip.MustParseAddr("127.0.0.1"))
	do(t, c, "EHLO proxy.test", 250)
	if r, err := c.XClient(mtatest.XClient{Addr: a}); err != nil || r.Code != 220 {
		t.Fatalf("XCLIENT: %v, %v", r, err)
	}
	do(t, c, "EHLO mail-ot1-f1.provider.example", 250)
	d := send(t, c, sender, "jo@example.net")
	quit(t, c)
	return d.Rcpts[0]
}

// TestAPoolOfFortyWaitsOnce: a provider's queue runner comes from another of its 40
// addresses each time. One tempfail is all that it meets; and what is remembered of it
// outlives a kill -9, while it waits and after it came back.
func TestAPoolOfFortyWaitsOnce(t *testing.T) {
	w := new(world)
	pool := poolOf(w, 40)
	w.host("in.odd.example", netip.MustParseAddr("10.1.2.3")) // a reason to come back, and no more
	w.mx("odd.example", "in.odd.example")
	stranger := netip.MustParseAddr("198.51.100.77")
	w.good(stranger, "stranger.example")
	h := openKept(t, postfix, w.String(), "retry.after = \"2s\"\n")
	if r := h.from(t, pool[0], "a@odd.example"); r.Code != 450 {
		t.Fatalf("the first try: %v", r)
	}
	began := time.Now()
	h.kill(t)
	tries := 1
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for r := h.from(t, pool[1], "a@odd.example"); r.Code != 250; r = h.from(t, pool[1+tries%39], "a@odd.example") {
		if tries++; r.Code != 450 || time.Since(began) > wait {
			t.Fatalf("try %d: %v", tries, r)
		}
		<-again.C
	}
	if tries < 2 {
		t.Error("it passed at once: nothing was tested")
	}
	h.kill(t)
	for i, a := range pool {
		if r := h.from(t, a, fmt.Sprintf("b%d@odd.example", i)); r.Code != 250 {
			t.Errorf("%v: %v, and its provider has come back", a, r)
		}
	}
	if r := h.from(t, stranger, "a@odd.example"); r.Code != 450 {
		t.Errorf("a stranger in its name: %v", r)
	}
	h.control(t, "status").has(t, `(?m)^retry +1 mail asked to come back, 1 honest caller remembered$`)
	h.control(t, "servers", "show", "provider.example").has(t, `(?m)^passes +until `)
	h.control(t, "servers", "show", pool[3].String()).has(t, `(?m)^network +203\.0\.3\.0/24$`)
}

// kill waits until what is known is on disk, kills the daemon, and starts it again.
func (h *house) kill(t *testing.T) {
	t.Helper()
	h.waitKept(t)
	h.daemon.signal(t, syscall.SIGKILL)
	h.daemon.ended(t)
	h.daemon.start(t)
}

// TestWhatAPassDoesNotOpen: a hoster's customer that came back passes, and its neighbour
// with another default name does not; a bot that sends each mail once never gets in; and
// who came back is refused what is refused everybody.
func TestWhatAPassDoesNotOpen(t *testing.T) {
	w := new(world)
	var vps []netip.Addr
	for i := range 4 {
		a := netip.AddrFrom4([4]byte{198, 18, byte(i), 9})
		name := strings.ReplaceAll(a.String(), ".", "-") + ".static.hoster.example"
		w.host(name, a)
		w.ptr(a, name)
		vps = append(vps, a)
	}
	w.domain("hoster.example")
	w.domain("odd.example")
	w.mx("dead.example", "")
	h := openKept(t, postfix, w.String(), "retry.after = \"2s\"\n")
	if r := h.from(t, vps[0], "a@odd.example"); r.Code != 450 {
		t.Fatalf("a stranger: %v", r)
	}
	h.passes(t, vps[0], "a@odd.example")
	for _, a := range vps[1:] {
		if r := h.from(t, a, "a@odd.example"); r.Code != 450 {
			t.Errorf("%v passes for another customer of its hoster's: %v", a, r)
		}
	}
	again := time.NewTicker(700 * time.Millisecond)
	defer again.Stop()
	for i := range 5 { // longer than retry.after
		if r := h.from(t, vps[1], fmt.Sprintf("bot%c@odd.example", 'a'+i)); r.Code != 450 {
			t.Errorf("mail %d of a bot that sends each once: %v", i, r)
		}
		<-again.C
	}
	if r := h.from(t, vps[0], "a@dead.example"); r.Code != 550 {
		t.Errorf("who came back, with what is refused everybody: %v", r)
	}
	h.control(t, "servers", "show", vps[0].String()).has(t, `(?m)^passes +until `)
	if out := h.control(t, "servers", "show", vps[1].String()); strings.Contains(string(out), "passes") {
		t.Errorf("the bot:\n%s", out)
	}
}

// TestReportsMakeAHistory: what the operator tells of a server, by the id of a mail, by
// its address, and line by line over the control socket, weighs at its next visit, and
// is forgotten when he says so.
func TestReportsMakeAHistory(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openKept(t, kind, sessionZone(), "")
		visit := func() line {
			t.Helper()
			mark := h.daemon.log.Len()
			c := h.hello(t, good4, "mx.good.example")
			send(t, c, "a@good.example", "jo@example.net")
			quit(t, c)
			return h.daemon.verdict(t, mark, good4)
		}
		first := visit()
		checkLine(t, first, map[string]string{"action": "continue"})
		id := first.values["id"]
		h.control(t, "servers", "report", id, "spam").has(t, "^1 report taken")
		h.control(t, "servers", "report", good4.String(), "spam")
		if out, ok := h.ask(t, "servers", "report", "nobodyknows1", "spam"); ok || strings.Contains(out, "noted") {
			t.Errorf("a report of an id that nobody knows: %s", out)
		}
		if _, bad := visit().findings()["history-bad"]; bad {
			t.Error("two reports make a history")
		}
		lines := strings.Repeat(good4.String()+" spam\n", 3) + "rubbish\n" + id + " spam\n"
		curl := exec.CommandContext(waiting(t), "curl", "-sS", "--unix-socket", config.ControlSocket(h.daemon.configPath()), "--data-binary", "@-", "http://d/v1/servers/report")
		curl.Stdin = strings.NewReader(lines)
		if out, err := curl.CombinedOutput(); err != nil || !strings.Contains(string(out), "rubbish") {
			t.Errorf("lines over the socket, as in docs/memory.md: %v %s", err, out)
		}
		l := visit()
		if _, bad := l.findings()["history-bad"]; !bad {
			t.Errorf("after six reports: %v", l.values)
		}
		h.control(t, "servers", "show", good4.String()).has(t, `(?m)^history +bad: .*reported for spam 6 times`)
		h.control(t, "servers", "forget", good4.String())
		h.control(t, "servers", "forget", "good.example")
		if _, bad := visit().findings()["history-bad"]; bad {
			t.Error("it is not forgotten")
		}
	})
}

// state gives the folder of the state of a house.
func (h *house) state(t *testing.T) string {
	t.Helper()
	return filepath.Dir(config.ControlSocket(h.daemon.configPath()))
}

// TestADamagedStateIsSetAside: rubbish in a file of the state costs what stood there, and
// no more: the daemon starts, says which file, mail goes on, what was sound is known, and
// the file is kept.
func TestADamagedStateIsSetAside(t *testing.T) {
	h := openKept(t, postfix, sessionZone(), "retry.after = \"2s\"\n")
	h.tries(t, bad4, "mail.bad.example", "a@bad.example", "jo@example.net")
	h.waitKept(t)
	h.daemon.signal(t, syscall.SIGKILL)
	h.daemon.ended(t)
	files, err := filepath.Glob(filepath.Join(h.state(t), "state.[0-9]*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no state: ", err)
	}
	rubbish := strings.Repeat("\x00\xffrubbish\n", 100)
	for _, f := range files { // each entry of the first is sound, and some of the last
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, slices.Concat(text, []byte(rubbish), text[len(text)/2:]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mark := h.daemon.log.Len()
	h.daemon.start(t)
	c := h.hello(t, bad4, "mail.bad.example")
	if d := send(t, c, "b@bad.example", "jo@example.net"); !d.Accepted() {
		t.Errorf("who came back before the damage: %v", d.Last())
	}
	quit(t, c)
	h.waitKept(t)
	said := strings.Join(h.daemon.log.Since(mark), "\n")
	for _, f := range files {
		kept, err := filepath.Glob(f + ".corrupt-*")
		if err != nil || len(kept) != 1 {
			t.Errorf("%s is kept as %q, %v", f, kept, err)
		}
		if !strings.Contains(said, filepath.Base(f)) {
			t.Errorf("nothing is said of %s:\n%s", f, said)
		}
	}
	h.control(t, "status").has(t, fmt.Sprintf(`(?m)^! %d files? of the state had damage`, len(files)))
}

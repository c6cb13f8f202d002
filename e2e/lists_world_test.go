//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// The lists in use: each shows another way to go wrong, and stays well until then.
var listsInUse = []string{
	"spamcop", "psbl", "spamhaus-zen-dqs", "spamrats-all", "spamhaus-dbl-dqs", "nordspam-dbl",
	"dnswl", "dronebl", "mailspike-bl", "uceprotect-1", "blocklist-de", "s5h",
}

// farLists are those that are asked by way of a server that can be slow or lie.
var farLists = []string{"dronebl", "nordspam-dbl"}

// secret is the key of every list that takes one. It must be seen nowhere.
const secret = "s3sam0ffneDich"

// A guest is a mail server with good names that comes to deliver.
type guest struct {
	addr netip.Addr
	name string // of its PTR and HELO
	from string // the sender
}

// letters is a number as a word, which no rule takes for an address.
func letters(n int) string {
	word := ""
	for ; n > 0 || word == ""; n /= 20 {
		word += string("bcdfghjklmnpqrstvwxz"[n%20]) + "a"
	}
	return word
}

// cleanGuest is the n-th of those with nothing against them, of both families and
// each of another network.
func cleanGuest(n int) guest {
	g := guest{addr: netip.AddrFrom4([4]byte{20, byte(n >> 8), byte(n), 25})}
	if n%4 == 3 {
		g.addr = netip.MustParseAddr(fmt.Sprintf("2a00:%x::25", n+1))
	}
	domain := "clean-" + letters(n) + ".example"
	g.name, g.from = "mx."+domain, "a@"+domain
	return g
}

// listedGuest is the n-th that a list has: its address, or for lists of domains
// its own.
func listedGuest(list string, n int) guest {
	place := slices.Index(listsInUse, list)
	g := guest{addr: netip.AddrFrom4([4]byte{30, byte(place), byte(n), 25})}
	domain := fmt.Sprintf("spam-%s%s.example", letters(place), letters(n))
	if l, _ := dnsbl.Find(list); !l.Asks.Has(dnsbl.IP4) {
		g.addr = netip.AddrFrom4([4]byte{31, byte(place), byte(n), 25})
	}
	g.name, g.from = "mx."+domain, "a@"+domain
	return g
}

// listedSix is the n-th of IPv6 that a list of addresses has.
func listedSix(list string, n int) guest {
	place := slices.Index(listsInUse, list)
	domain := fmt.Sprintf("six-%s%s.example", letters(place), letters(n))
	return guest{netip.MustParseAddr(fmt.Sprintf("2a01:%x:%x::25", place+1, n)), "mx." + domain, "a@" + domain}
}

const (
	cleanGuests  = 2000
	listedGuests = 200 // of each list
	listedSixes  = 5   // of each list that may be asked about IPv6
)

// guestZone is the DNS of all guests.
var guestZone = sync.OnceValue(func() string {
	w := new(world)
	lay := func(g guest) { w.good(g.addr, strings.TrimPrefix(g.name, "mx.")) }
	for n := range cleanGuests {
		lay(cleanGuest(n))
	}
	for _, list := range listsInUse {
		for n := range listedGuests {
			lay(listedGuest(list, n))
		}
		for n := range listedSixes {
			lay(listedSix(list, n))
		}
	}
	return w.String()
})

// soundEntries are what a list in good health holds: its test entries and those
// that it is about.
func soundEntries(id string) string {
	l, _ := dnsbl.Find(id)
	answer := "127.0.5.3" // dnswl: speaks for it, as strongly as can be
	if id != "dnswl" {
		answer = l.Codes[0].Answer
	}
	var b strings.Builder
	for _, entry := range l.Listed {
		fmt.Fprintf(&b, "%s %s\n", entry, answer)
	}
	place := slices.Index(listsInUse, id)
	switch {
	case id == "dnswl": // some that spamcop has
		fmt.Fprintf(&b, "30.%d.%d.0/24 %s\n", slices.Index(listsInUse, "spamcop"), forgiven, answer)
	case l.Asks.Has(dnsbl.IP4):
		fmt.Fprintf(&b, "30.%d.0.0/16 %s\n", place, answer)
		if l.Asks.Has(dnsbl.IP6) {
			fmt.Fprintf(&b, "2a01:%x::/32 %s\n", place+1, answer)
		}
	default:
		for n := range listedGuests {
			fmt.Fprintf(&b, "%s %s\n", strings.TrimPrefix(listedGuest(id, n).name, "mx."), answer)
		}
	}
	return b.String()
}

// forgiven is the number of the guest of spamcop that an allow list has as well.
const forgiven = 77

// zoneOf is where a list is asked, with its key.
func zoneOf(id string) string {
	l, _ := dnsbl.Find(id)
	if l.KeyForm != "" {
		return strings.Replace(l.KeyForm, "{key}", strings.ToLower(secret), 1)
	}
	return strings.Replace(l.Zone, "{key}", strings.ToLower(secret), 1)
}

// A listHouse is a house that asks DNS lists, each with its own rbldnsd.
type listHouse struct {
	*house
	far   *dnstest.Server     // in front of farLists
	lists map[string]*rbldnsd // by id
	asked netip.AddrPort      // the resolver
	web   string              // the daemon's socket for metrics
	heard *mtatest.Log        // what guests were answered, and what the daemon said in any way
}

// straight and behindUnbound are the two ways to ask lists.
const (
	straight      = "straight"
	behindUnbound = "behind unbound"
)

func bothWays(t *testing.T, test func(t *testing.T, h *listHouse)) {
	for _, way := range []string{straight, behindUnbound} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(t, openSoundHouse(t, way))
		})
	}
}

// openSoundHouse has all lists in use, in good health.
func openSoundHouse(t *testing.T, way string) *listHouse {
	t.Helper()
	entries := map[string]string{}
	for _, id := range listsInUse {
		entries[id] = soundEntries(id)
	}
	return openListHouse(t, way, listsInUse, entries)
}

// openListHouse has lists in use, with their entries, and returns when all are up.
func openListHouse(t *testing.T, way string, use []string, entries map[string]string) *listHouse {
	t.Helper()
	h := &listHouse{lists: map[string]*rbldnsd{}, heard: new(mtatest.Log)}
	world, err := dnstest.Start(ourZone + guestZone())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	if h.far, err = dnstest.StartAt(nextServerAddr(), ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.far.Close)
	zones := map[string]netip.AddrPort{}
	for _, id := range use {
		r := startRBL(t, zoneOf(id), entries[id])
		h.lists[id], zones[r.zone] = r, r.addr
		if slices.Contains(farLists, id) {
			h.far.Relay(r.zone, r.addr)
			zones[r.zone] = h.far.Addr()
		}
	}
	h.asked = world.Addr()
	if way == behindUnbound {
		h.asked = startUnbound(t, world.Addr(), zones).addr
	} else {
		for zone, at := range zones {
			world.Relay(zone, at)
		}
	}
	dir := t.TempDir()
	h.web = filepath.Join(dir, "web.sock")
	d := startDaemon(t, listConfig(h.asked, use, fmt.Sprintf("admin.control = %q\nadmin.listen = %q\n", filepath.Join(dir, "control.sock"), "unix:"+h.web)))
	h.house = &house{kind: postfix, dns: world, daemon: d}
	if h.mta, err = startMTA(postfix, "unix:"+d.socket, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.mta.Stop(); err != nil {
			t.Error(err)
		}
		h.checkSecret(t)
		if t.Failed() {
			t.Logf("the lists went through:\n%s", strings.Join(h.changes(0), "\n"))
			t.Logf("Postfix's log:\n%s", h.mta.Log())
		}
	})
	for _, id := range use {
		h.becomes(t, 0, id, "up")
	}
	return h
}

// listConfig has every list decide alone, so that each mistake is seen.
func listConfig(dns netip.AddrPort, use []string, extra string) string {
	keys, points := "", ""
	for _, id := range use {
		l, _ := dnsbl.Find(id)
		if l.TakesKey() {
			keys += fmt.Sprintf("%q = %q\n", id, secret)
		}
		if l.Family != "allow" && l.Asks.Has(dnsbl.IP4) {
			points += fmt.Sprintf("\"dnsbl:%s\" = 12\n", id)
		}
		if l.Family != "allow" && l.Asks.Has(dnsbl.Domain) {
			points += fmt.Sprintf("\"rhsbl:%s\" = 12\n", id)
		}
	}
	return fmt.Sprintf(`mode             = "enforce"
us.domains       = ["example.net"]
dns.servers      = [%q]
dns.budget       = "2s"
lists.test_every = "1s"
lists.use        = ["%s"]
%s[lists.keys]
%s[points]
%s`, dns, strings.Join(use, `", "`), extra, keys, points)
}

// visit has a guest deliver a message, and gives the last reply. It may be called
// from any goroutine.
func (h *listHouse) visit(g guest) (mtatest.Reply, error) {
	c, err := mtatest.Dial("127.0.0.1", h.mta.Addrs()[0])
	if err != nil {
		return mtatest.Reply{}, err
	}
	defer func() {
		c.Close()
		fmt.Fprintln(h.heard, c.Transcript())
	}()
	if _, err := c.Do("EHLO proxy.example"); err != nil {
		return mtatest.Reply{}, err
	}
	if r, err := c.XClient(mtatest.XClient{Addr: g.addr}); err != nil || r.Code != 220 {
		return r, fmt.Errorf("XCLIENT: %v, %w", r, err)
	}
	if _, err := c.Do("EHLO " + g.name); err != nil {
		return mtatest.Reply{}, err
	}
	d, err := c.SendMail(g.from, "jo@example.net")
	if err == nil {
		_, err = c.Do("QUIT")
	}
	return d.Last(), err
}

// expect has a guest deliver, who must be answered by code.
func (h *listHouse) expect(t *testing.T, g guest, code int, parts ...string) {
	t.Helper()
	r, err := h.visit(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range append(parts, fmt.Sprint(code)) {
		if !strings.Contains(r.String(), part) {
			t.Errorf("%s (%s): got %v; want %d %q; the log of it:\n%s", g.addr, g.name, r, code, parts, h.linesOf(g))
		}
	}
}

func (h *listHouse) linesOf(g guest) string {
	var lines []string
	for _, l := range h.daemon.log.Since(0) {
		if strings.Contains(l, "client="+g.addr.String()+" ") || strings.Contains(l, "list state") {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

// refuses holds a list to refusing the n-th that it has, by its name and with the
// address of its help.
func (h *listHouse) refuses(t *testing.T, list string, n int) {
	t.Helper()
	l, _ := dnsbl.Find(list)
	h.expect(t, listedGuest(list, n), 554, "554 5.7.1 ", list, l.Delist)
}

// becomes waits for the line that says that a list is in another state now, from
// the mark on; "" is any. The list "all" is the resolver.
func (h *listHouse) becomes(t *testing.T, mark int, list, state string) line {
	t.Helper()
	to := " to=" + state
	if state != "" {
		to += " "
	}
	text, err := h.daemon.log.Wait(waiting(t), mark, mtatest.Containing(`msg="list state"`, " list="+list+" ", to))
	if err != nil {
		t.Fatalf("%s does not become %s: %v", list, state, err)
	}
	l, err := parseLine(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// changes are the lines of changes from the mark on.
func (h *listHouse) changes(mark int) []string {
	var lines []string
	for _, l := range h.daemon.log.Since(mark) {
		if strings.Contains(l, `msg="list state"`) {
			lines = append(lines, l)
		}
	}
	return lines
}

// is holds the command lists and the metrics to the state of a list.
func (h *listHouse) is(t *testing.T, list, state string) {
	t.Helper()
	out, ok := h.tell(t, "lists", "--json")
	var all []admin.DNSList
	if err := json.Unmarshal([]byte(out), &all); err != nil || !ok {
		t.Fatalf("lists: %v\n%s", err, out)
	}
	i := slices.IndexFunc(all, func(l admin.DNSList) bool { return l.List == list })
	if i < 0 || all[i].State != state || state != "up" && all[i].Reason == "" {
		t.Errorf("%s is not %s by lists:\n%s", list, state, out)
	}
	up := 0
	if state == "up" {
		up = 1
	}
	if text, want := h.metrics(t), fmt.Sprintf("mailprofiled_list_up{list=%q} %d\n", list, up); !strings.Contains(text, want) {
		t.Errorf("no %s in:\n%s", want, text)
	}
}

// tell is ask, which is looked through for the key afterwards, with what it complains of.
func (h *listHouse) tell(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	cmd := exec.Command(os.Getenv("E2E_DAEMON"), append(args, "--config", h.daemon.configPath())...)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	fmt.Fprintln(h.heard, &out, &complaint)
	return out.String(), err == nil
}

func (h *listHouse) metrics(t *testing.T) string {
	t.Helper()
	code, text := h.get(t, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("metrics: %d", code)
	}
	return text
}

// get reads a page of the daemon, which is looked through for the key afterwards.
func (h *listHouse) get(t *testing.T, path string) (code int, text string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.web)
	}}}
	r, err := client.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(h.heard, string(body))
	return r.StatusCode, string(body)
}

// checkSecret looks for the key in all that was said to anybody.
func (h *listHouse) checkSecret(t *testing.T) {
	t.Helper()
	for where, log := range map[string]*mtatest.Log{"the daemon's log": h.daemon.log, "an answer": h.heard, "the log of the mail server": h.mta.Log()} {
		for _, l := range log.Since(0) {
			if strings.Contains(strings.ToLower(l), strings.ToLower(secret)) {
				t.Errorf("the key stands in %s: %s", where, l)
			}
		}
	}
}

// A flow is clean guests that come all the time.
type flow struct {
	log  *mtatest.Log // a line for each
	stop func()
}

// flows starts a flow of two guests at a time. When it ends, with the test at the
// latest, not one of them may have been refused.
func (h *listHouse) flows(t *testing.T) *flow {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &flow{log: new(mtatest.Log)}
	ended := make(chan struct{}, 2)
	for worker := range 2 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for n := worker; ctx.Err() == nil; n = (n + 2) % cleanGuests {
				g := cleanGuest(n)
				r, err := h.visit(g)
				fmt.Fprintf(f.log, "guest %d (%s): %v %v\n", n, g.addr, r, err)
			}
		}()
	}
	stopped := false
	f.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		<-ended
		<-ended
		lines, bad := f.log.Since(0), 0
		for _, l := range lines {
			if !strings.Contains(l, ": 250 ") || !strings.HasSuffix(l, " <nil>") {
				bad++
				t.Errorf("a clean guest is not let in: %s", l)
			}
		}
		t.Logf("%d clean guests, %d not let in", len(lines), bad)
	}
	t.Cleanup(f.stop)
	return f
}

// goesOn waits until n more clean guests have been.
func (f *flow) goesOn(t *testing.T, n int) {
	t.Helper()
	if _, err := f.log.WaitN(waiting(t), f.log.Len(), n, mtatest.Containing("guest ")); err != nil {
		t.Fatal(err)
	}
}

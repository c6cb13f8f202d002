//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a server of the random test may be like.
const (
	ptrGood = iota
	ptrNone
	ptrElsewhere
	ptrKinds
)

const (
	heloOwn = iota // the name of the PTR record's zone that leads to the server
	heloElsewhere
	heloNowhere
	heloOurs
	heloAddress
	heloOwnLiteral
	heloOtherLiteral
	heloLocalhost
	heloKinds
)

const (
	fromOwn = iota // the server is its exchange
	fromElsewhere
	fromNullMX
	fromNowhere
	fromEmpty
	fromKinds
)

// A stranger is a server drawn by chance: nothing of it can be known beforehand.
type stranger struct {
	addr, other     netip.Addr
	domain, host    string // host is within domain
	ptr, helo, from int
	postmaster      bool
}

// word draws a label without a hex digit, so that no address can be read in it.
func word(r *rand.Rand) string {
	const letters = "ghjklmnpqrstuvwxyz"
	b := make([]byte, 8+r.IntN(8))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// someAddr draws an address of the documentation ranges, and leaves the fixed
// ones of these tests out.
func someAddr(r *rand.Rand) netip.Addr {
	if r.IntN(2) == 0 {
		a := netip.MustParseAddr("2001:db8:ab00::").As16()
		for i := 5; i < 16; i++ {
			a[i] = byte(r.Uint32())
		}
		return netip.AddrFrom16(a)
	}
	a := netip.MustParseAddr([]string{"192.0.2.0", "198.51.100.0", "203.0.113.0"}[r.IntN(3)]).As4()
	a[3] = byte(1 + r.IntN(240))
	return netip.AddrFrom4(a)
}

func draw(r *rand.Rand) stranger {
	s := stranger{
		addr: someAddr(r), domain: word(r) + ".example",
		ptr: r.IntN(ptrKinds), helo: r.IntN(heloKinds), from: r.IntN(fromKinds),
		postmaster: r.IntN(8) == 0,
	}
	s.host = word(r) + "." + s.domain
	for s.other = s.addr; s.other == s.addr || s.other.Is6() != s.addr.Is6(); {
		s.other = someAddr(r)
	}
	return s
}

// lay writes what DNS says of it.
func (s stranger) lay(w *world) {
	w.host(s.host, s.addr)
	w.host("elsewhere."+s.domain, s.other)
	switch s.ptr {
	case ptrGood:
		w.ptr(s.addr, s.host)
	case ptrElsewhere:
		w.ptr(s.addr, "elsewhere."+s.domain)
	}
	w.mx("own."+s.domain, s.host)
	w.mx("other."+s.domain, "elsewhere."+s.domain)
	w.mx("null."+s.domain, "")
	fmt.Fprintf(w, "empty.%s. 300 IN TXT \"nothing\"\n", s.domain)
}

func (s stranger) heloName() string {
	return [...]string{
		heloOwn: s.host, heloElsewhere: "elsewhere." + s.domain, heloNowhere: "nowhere." + s.domain,
		heloOurs: "mx.test", heloAddress: s.addr.String(), heloOwnLiteral: literal(s.addr),
		heloOtherLiteral: literal(s.other), heloLocalhost: "localhost",
	}[s.helo]
}

func (s stranger) sender() string {
	return "someone@" + [...]string{
		fromOwn: "own.", fromElsewhere: "other.", fromNullMX: "null.", fromNowhere: "nowhere.", fromEmpty: "empty.",
	}[s.from] + s.domain
}

func (s stranger) rcpt() string {
	if s.postmaster {
		return "postmaster@example.net"
	}
	return "jo@example.net"
}

// replyOf is what each finding says when it speaks (DESIGN part 4), but for the
// class: a 5yz finding also speaks for a tempfail.
var replyOf = map[string]string{
	"rdns-missing": "50 .7.25", "rdns-unconfirmed": "50 .7.25",
	"helo-unresolvable": "50 .7.1", "helo-not-client": "50 .7.1", "helo-unrelated": "50 .7.1",
	"helo-is-us": "50 .7.1", "helo-address": "50 .7.1", "helo-literal-mismatch": "50 .7.1", "helo-localhost": "50 .7.1",
	"from-null-mx": "50 .7.27", "from-no-domain": "50 .1.8", "from-unresolvable": "50 .1.8",
}

// against lists the findings that speak against it, by the table of DESIGN part 4
// read anew, from what was laid in DNS.
func (s stranger) against() []string {
	var found []string
	add := func(when bool, id string) {
		if when {
			found = append(found, id)
		}
	}
	add(s.ptr == ptrNone, "rdns-missing")
	add(s.ptr == ptrElsewhere, "rdns-unconfirmed")
	// Our own name exists, and leads to us.
	add(s.helo == heloElsewhere || s.helo == heloOurs, "helo-not-client")
	add(s.helo == heloOurs && s.ptr != ptrNone, "helo-unrelated")
	add(s.helo == heloNowhere, "helo-unresolvable")
	add(s.helo == heloOurs, "helo-is-us")
	add(s.helo == heloAddress, "helo-address")
	add(s.helo == heloOtherLiteral, "helo-literal-mismatch")
	add(s.helo == heloLocalhost, "helo-localhost")
	add(s.from == fromNullMX, "from-null-mx")
	add(s.from == fromNowhere, "from-no-domain")
	add(s.from == fromEmpty, "from-unresolvable")
	return found
}

// lifted are those of them that "relation" speaks for.
var lifted = []string{"rdns-missing", "rdns-unconfirmed", "helo-unresolvable", "helo-not-client", "helo-unrelated"}

// related reports whether the finding "relation" is true of it.
func (s stranger) related() bool {
	return s.from == fromOwn || s.helo == heloOwn && s.ptr == ptrGood
}

// expected computes score and reply from the points of the configuration.
func (s stranger) expected() (score float64, reply string) {
	sum, liftable, heaviest := 0.0, 0.0, ""
	for _, id := range s.against() {
		sum += points[id]
		if slices.Contains(lifted, id) {
			liftable += points[id]
		}
		if heaviest == "" || points[id] > points[heaviest] {
			heaviest = id
		}
	}
	score = sum
	if s.related() {
		// What it lifts does not pay for what it does not.
		if lift := -points["relation"]; sum > liftable {
			score -= min(lift, liftable)
		} else {
			score -= lift
		}
	}
	switch {
	case s.postmaster || score < 5:
		return score, "250 "
	case score < 10:
		return score, "4" + strings.Replace(replyOf[heaviest], ".", "4.", 1)
	}
	return score, "5" + strings.Replace(replyOf[heaviest], ".", "5.", 1)
}

// Nothing here can be known by heart: names, addresses and faults are drawn anew
// at each run, and what must come of them is computed from what was drawn.
func TestStrangersDrawnByChance(t *testing.T) {
	const strangers = 60
	withBoth(t, func(t *testing.T, kind string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		w, all, taken := new(world), []stranger(nil), map[netip.Addr]bool{}
		for len(all) < strangers {
			s := draw(r)
			if taken[s.addr] {
				continue
			}
			taken[s.addr] = true
			s.lay(w)
			all = append(all, s)
		}
		h := openHouse(t, kind, w.String(), "")
		for _, s := range all {
			h.judge(t, s)
		}
	})
}

func (h *house) judge(t *testing.T, s stranger) {
	t.Helper()
	score, want := s.expected()
	mark := h.daemon.log.Len()
	c := h.hello(t, s.addr, s.heloName())
	d := send(t, c, s.sender(), s.rcpt())
	quit(t, c)
	if got := d.Rcpts[0].String(); !strings.HasPrefix(got, want) {
		t.Errorf("%+v: got %s; want %s", s, got, want)
	}
	l := h.daemon.verdict(t, mark, s.addr)
	if got, err := strconv.ParseFloat(l.values["score"], 64); err != nil || math.Abs(got-score) > 1e-6 {
		t.Errorf("%+v: score %v (%v); want %v; in %v", s, got, err, score, l.values)
	}
	got := l.findings()
	for _, id := range s.against() {
		if _, ok := got[id]; !ok {
			t.Errorf("%+v: no %s in %v", s, id, l.values)
		}
	}
	if _, ok := got["relation"]; ok != s.related() {
		t.Errorf("%+v: relation is %v in %v", s, ok, l.values)
	}
	if s.ptr == ptrGood {
		checkLine(t, l, map[string]string{"ptr": s.host})
	}
}

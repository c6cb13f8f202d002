package profile

import (
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"strings"
)

// A world is what DNS would say if every question were asked and answered. A
// session is drawn from it, and questions are then made to fail at random: what
// a judgement proves of the session must hold in the world.
type world struct {
	rng    *rand.Rand
	client netip.Addr
	us     *Us
	hosts  map[string]worldHost
	ptr    []string

	saidHelo, saidFrom string   // what the client may say besides
	saidLists          []string // texts that lists may give
}

type worldHost struct {
	exists bool
	addrs  []netip.Addr
	mx     []string // "" alone: the null MX
}

func newWorld(rng *rand.Rand) *world {
	w := &world{rng: rng, hosts: map[string]worldHost{}}
	w.client = randomAddr(rng)
	if rng.Intn(8) == 0 {
		w.client = netip.MustParseAddr("10.1.2.3") // a private network may have MX hosts of its own
	}
	w.us = &Us{
		Names:   []string{"mx.us.example"},
		Domains: []string{"us.example"},
		Addrs:   []netip.Addr{netip.MustParseAddr("198.51.100.25"), netip.MustParseAddr("2001:db8:ffff::25")},
	}
	pool := w.namePool()
	for _, name := range pool {
		w.hosts[name] = w.randomHost(pool)
	}
	for range rng.Intn(4) {
		w.ptr = append(w.ptr, pick(rng, pool))
	}
	return w
}

func (w *world) namePool() []string {
	dashed := strings.NewReplacer(".", "-", ":", "-").Replace(w.client.String())
	return []string{
		"mail.good.example", "www.good.example", "good.example", "odd.example.net",
		dashed + ".dyn.line.example", "host-" + dashed + ".line.example", dashed + ".static.line.example",
		"mail-" + dashed + ".dyn.line.example",
	}
}

func (w *world) randomHost(pool []string) worldHost {
	if w.rng.Intn(4) == 0 {
		return worldHost{}
	}
	h := worldHost{exists: true, addrs: w.randomAddrs()}
	switch w.rng.Intn(6) {
	case 0:
		h.mx = []string{""}
	case 1, 2:
		for range 1 + w.rng.Intn(3) {
			h.mx = append(h.mx, pick(w.rng, append([]string{"10.0.0.1", "gone.example"}, pool...)))
		}
	}
	return h
}

func (w *world) randomAddrs() []netip.Addr {
	var addrs []netip.Addr
	for range w.rng.Intn(3) {
		addrs = append(addrs, pick(w.rng, []netip.Addr{
			w.client, randomAddr(w.rng), netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("fd00::1"),
		}))
	}
	return addrs
}

// outcomes of A and AAAA.
func (h worldHost) host() Host {
	out := Host{A: NoName, AAAA: NoName, Addrs: h.addrs}
	if h.exists {
		out.A, out.AAAA = NoData, NoData
	}
	for _, a := range h.addrs {
		if a.Is4() {
			out.A = Found
		} else {
			out.AAAA = Found
		}
	}
	return out
}

func (h worldHost) mxOutcome() Outcome {
	switch {
	case !h.exists:
		return NoName
	case len(h.mx) == 0:
		return NoData
	}
	return Found
}

// session draws what the client says, and answers everything.
func (w *world) session() Session {
	s := Session{Client: w.client, Us: w.us, RDNS: w.rdns()}
	pool := w.namePool()
	helos := append([]string{
		"", "localhost", "host", "ylmf-pc", "bad name", "192.0.2.99", "[192.0.2.99]", "[" + w.client.String() + "]",
		"[127.0.0.1]", "us.example", "MX.us.example.", "gone.example", "[IPv6:2001:db8:ffff::25]",
	}, pool...)
	helos = append(append(helos, w.ptr...), w.saidHelo)
	s.Helo = w.helo(Given(w.rng.Intn(3)), pick(w.rng, helos))
	if w.rng.Intn(10) > 0 {
		s.Sender = w.sender(pick(w.rng, append([]string{"<>", "<>", "<joe>", "<a b@good.example>", "<joe@[192.0.2.1]>", "<joe@gone.example>", "<ann@us.example>", w.saidFrom}, mailboxes(pool)...)))
	}
	s.SPF = w.spf(&s)
	s.Local = w.local()
	s.Lists = w.lists()
	s.History = w.history()
	return s
}

// history draws what is remembered, mostly nothing.
func (w *world) history() (h History) {
	switch w.rng.Intn(6) {
	case 0:
		h.Good = "known for years"
	case 1:
		h.Bad = "it wrote to traps"
	case 2:
		h.New = true
	}
	if w.rng.Intn(6) == 0 {
		h.Helos = 9
	}
	return h
}

// lists draws what DNS lists say, mostly of few.
func (w *world) lists() []ListHit {
	var hits []ListHit
	for range max(0, w.rng.Intn(9)-4) {
		h := ListHit{Points: float64(1+w.rng.Intn(100)) / 10, Detail: "127.0.0.2", Text: "meaning", URL: "https://list.example/"}
		n := w.rng.Intn(5)
		h.ID = pick(w.rng, []string{"dnsbl:", "rhsbl:", "dnswl:"}) + randomLists[n]
		if len(w.saidLists) > 0 {
			h.Text, h.URL, h.Detail = pick(w.rng, w.saidLists), pick(w.rng, w.saidLists), pick(w.rng, w.saidLists)
		}
		h.Group = [...]string{"", "a", "a", "b", "b"}[n]
		if h.kind() == dnswl {
			h.Points = -h.Points
		}
		hits = append(hits, h)
	}
	return hits
}

// randomLists are the ids of lists in random worlds: one that stands alone, and two
// groups.
var randomLists = [...]string{"alone", "a1", "a2", "b1", "b2"}

// spf answers for the sender's domain, or for the HELO name of a bounce.
func (w *world) spf(s *Session) SPF {
	domain := s.Sender.Domain
	if s.Sender.Null {
		domain, _ = HeloHost(s.Helo.Name)
	}
	if s.Sender.Given != Shown || domain == "" {
		return SPF{}
	}
	outcome := pick(w.rng, []SPFOutcome{SPFNone, SPFNeutral, SPFPass, SPFPass, SPFFail, SPFFail, SPFSoftFail, SPFPermError})
	return SPF{Outcome: outcome, Never: outcome == SPFFail && w.rng.Intn(2) == 0, Domain: domain}
}

// local draws rules of the operator's that match, mostly none.
func (w *world) local() []LocalHit {
	if w.rng.Intn(3) > 0 {
		return nil
	}
	var hits []LocalHit
	for range 1 + w.rng.Intn(3) {
		hits = append(hits, LocalHit{
			Action: pick(w.rng, []LocalAction{LocalDeny, LocalAllow, LocalPoints, LocalPoints, LocalPoints}),
			Points: float64(w.rng.Intn(240)-120) / 10, Detail: "rule",
		})
	}
	return hits
}

func mailboxes(pool []string) []string {
	out := make([]string, len(pool))
	for i, name := range pool {
		out[i] = "<joe@" + name + ">"
	}
	return out
}

func (w *world) rdns() RDNS {
	if len(w.ptr) == 0 {
		return RDNS{Outcome: pick(w.rng, []Outcome{NoData, NoName})}
	}
	r := RDNS{Outcome: Found}
	for _, name := range w.ptr {
		forward := Mismatch
		if hasAddr(w.hosts[name].addrs, w.client) {
			forward = Confirmed
		}
		r.Names = append(r.Names, PTR{Name: name, Forward: forward})
	}
	return r
}

func (w *world) helo(given Given, name string) Helo {
	h := Helo{Given: given}
	if given != Shown {
		return h
	}
	h.Name = name
	if host, ok := HeloHost(name); ok {
		h.Host, h.MX = w.hosts[host].host(), w.hosts[host].mxOutcome()
	}
	return h
}

func (w *world) sender(raw string) Sender {
	s := ParseSender(raw)
	if s.Domain == "" {
		return s
	}
	h := w.hosts[s.Domain]
	s.MX, s.Host = h.mxOutcome(), h.host()
	for _, name := range h.mx {
		if name == "" {
			s.NullMX = true
			continue
		}
		s.Exchanges = append(s.Exchanges, Exchange{Name: name, Host: w.hosts[name].host()})
	}
	return s
}

// A question is one answer of a session that may be lost.
type question struct {
	name    string
	adverse bool // it speaks against the client, and not for it as well
	lose    func(s *Session, to Outcome)
}

// questions lists what was asked and answered. The functions work on a deep
// copy of the session.
func questions(s *Session) []question {
	var qs []question
	add := func(name string, o Outcome, adverse bool, lose func(*Session, Outcome)) {
		if o.Known() {
			qs = append(qs, question{name, adverse, lose})
		}
	}
	helo, _ := HeloHost(s.Helo.Name)
	helps := false // some PTR name may do the client good
	for i, p := range s.RDNS.Names {
		helps = helps || sameName(p.Name, helo)
		qs = append(qs, question{"forward " + p.Name, p.Forward == Mismatch, func(s *Session, to Outcome) {
			s.RDNS.Names[i].Forward = ForwardFailed
			if to == NotAsked {
				s.RDNS.Names[i].Forward = ForwardNotAsked
			}
		}})
	}
	add("PTR", s.RDNS.Outcome, !helps, func(s *Session, to Outcome) { s.RDNS = RDNS{Outcome: to} })
	addHost(add, "HELO", &s.Helo.Host, s.Client, func(s *Session) *Host { return &s.Helo.Host })
	add("HELO MX", s.Helo.MX, s.Helo.MX.Missing(), func(s *Session, to Outcome) { s.Helo.MX = to })
	addHost(add, "sender", &s.Sender.Host, s.Client, func(s *Session) *Host { return &s.Sender.Host })
	speaksFor := s.Sender.MX == Found && !s.Sender.NullMX
	add("sender MX", s.Sender.MX, !speaksFor, func(s *Session, to Outcome) {
		s.Sender.MX, s.Sender.NullMX, s.Sender.Exchanges = to, false, nil
	})
	if s.SPF.Outcome.Known() {
		qs = append(qs, question{"SPF", s.SPF.Outcome != SPFPass, func(s *Session, to Outcome) {
			s.SPF = SPF{}
			if to == Failed {
				s.SPF.Outcome = SPFTempError
			}
		}})
	}
	for i, h := range s.Local { // as by the PTR name
		if !h.Possible {
			against := h.Action == LocalDeny || h.Action == LocalPoints && h.Points > 0
			qs = append(qs, question{"what a rule is about", against, func(s *Session, to Outcome) {
				s.Local[i].Possible = true
				if to == NotAsked {
					s.Local = append(s.Local[:i], s.Local[i+1:]...)
				}
			}})
		}
	}
	for i, h := range s.Lists {
		if h.Possible {
			continue
		}
		qs = append(qs, question{h.ID, h.kind() != dnswl, func(s *Session, to Outcome) {
			s.Lists[i].Possible = true
			if to == NotAsked || h.kind() != dnswl {
				s.Lists = slices.Delete(s.Lists, i, i+1)
			}
		}})
	}
	for i := range s.Sender.Exchanges {
		addHost(add, "MX target", &s.Sender.Exchanges[i].Host, s.Client, func(s *Session) *Host { return &s.Sender.Exchanges[i].Host })
	}
	return qs
}

func addHost(add func(string, Outcome, bool, func(*Session, Outcome)), name string, h *Host, client netip.Addr, at func(*Session) *Host) {
	against := !hasAddr(h.Addrs, client)
	add(name+" A", h.A, against, func(s *Session, to Outcome) {
		h := at(s)
		h.A, h.Addrs = to, only(h.Addrs, netip.Addr.Is6)
	})
	add(name+" AAAA", h.AAAA, against, func(s *Session, to Outcome) {
		h := at(s)
		h.AAAA, h.Addrs = to, only(h.Addrs, netip.Addr.Is4)
	})
}

func only(addrs []netip.Addr, keep func(netip.Addr) bool) []netip.Addr {
	var out []netip.Addr
	for _, a := range addrs {
		if keep(a) {
			out = append(out, a)
		}
	}
	return out
}

// lost returns a copy of the session in which a question had no answer.
func lost(s Session, q question, to Outcome) Session {
	s.RDNS.Names = append([]PTR(nil), s.RDNS.Names...)
	s.Sender.Exchanges = append([]Exchange(nil), s.Sender.Exchanges...)
	s.Local = append([]LocalHit(nil), s.Local...)
	s.Lists = append([]ListHit(nil), s.Lists...)
	q.lose(&s, to)
	return s
}

// masked loses some answers at random, to one of the given outcomes.
func masked(rng *rand.Rand, s Session, to ...Outcome) Session {
	for range rng.Intn(7) {
		qs := questions(&s)
		if len(qs) == 0 {
			break
		}
		s = lost(s, pick(rng, qs), pick(rng, to))
	}
	return s
}

// randomPolicy draws points and thresholds, without a "tempfail" point, and for
// each finding one of texts.
func randomPolicy(rng *rand.Rand, texts []string) *Policy {
	p := &Policy{Baseline: "random", Points: map[string]Points{}, Texts: map[string]string{}, Bots: []string{"ylmf-pc"}}
	for _, f := range Findings() {
		p.Texts[f.ID] = pick(rng, texts)
		if f.Named {
			continue
		}
		value := float64(rng.Intn(140)) / 10
		if f.Lifts != nil {
			value = -value
		}
		points := Points{Value: value}
		switch rng.Intn(12) {
		case 0:
			points = Points{Rule: Off}
		case 1:
			points.Rule = Monitor
		case 2:
			points.Value = 0
		}
		p.Points[f.ID] = points
	}
	for _, kind := range []string{"dnsbl:", "rhsbl:", "dnswl:"} {
		for _, list := range randomLists {
			switch rng.Intn(8) {
			case 0:
				p.Points[kind+list] = Points{Rule: pick(rng, []Rule{Off, Monitor})}
			case 1:
				p.Points[kind+list] = Points{Value: float64(rng.Intn(280)-140) / 10}
			}
		}
	}
	p.TempfailScore = 1 + float64(rng.Intn(90))/10
	p.RejectScore = p.TempfailScore + float64(rng.Intn(90))/10
	return p
}

// randomTexts draws n of them: once for many policies, as most laws look at no text.
func randomTexts(rng *rand.Rand, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = randomText(rng)
	}
	return texts
}

// randomText is a sentence as a careless operator may write one.
func randomText(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.Intn(60) {
		b.WriteString(pick(rng, []string{"word ", "{client} ", "\r\n550 ", "\x00", "é", "%s", "\t", "\x7f", "\xff", "x", "{list} "}))
	}
	return b.String()
}

func randomAddr(rng *rand.Rand) netip.Addr {
	if rng.Intn(3) > 0 {
		return netip.AddrFrom4([4]byte{byte(11 + rng.Intn(80)), byte(rng.Intn(256)), byte(rng.Intn(256)), byte(rng.Intn(256))})
	}
	var b [16]byte
	rng.Read(b[:])
	copy(b[:], []byte{0x20, 0x01, 0x0d, 0xb8})
	return netip.AddrFrom16(b)
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.Intn(len(from))] }

// show prints a session for a failure.
func show(s Session) string {
	us := s.Us
	s.Us = nil
	return fmt.Sprintf("%+v us %+v", s, us)
}

package local

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Match appends the rules that match a subject to buf, one hit for each: deny
// before allow before points, and in the order of the configuration. Expired
// rules and entries do not match. It counts what matched. It makes no garbage if
// buf has room, but for the words of a hit by ASN, and needs none where nothing
// matches.
func (s *Set) Match(sub *Subject, now time.Time, buf []Hit) []Hit {
	return s.ask(sub, now, buf, true)
}

// Peek is Match without counting, for questions that are not mail.
func (s *Set) Peek(sub *Subject, now time.Time, buf []Hit) []Hit {
	return s.ask(sub, now, buf, false)
}

func (s *Set) ask(sub *Subject, now time.Time, buf []Hit, count bool) []Hit {
	t := s.tables.Load()
	if t == nil || len(s.rules) == 0 {
		return buf
	}
	var k search // filled in its place: it is too large to be copied
	k.set, k.tables, k.now, k.count, k.hits, k.base = s, t, now.Unix(), count, buf, len(buf)
	k.q.seed, k.q.sift = s.seed, &t.sift
	if t.any[Client] && sub.Client.IsValid() {
		k.client(sub.Client.Unmap())
	}
	if t.any[PTR] {
		for _, name := range sub.PTR {
			if k.q.domain(name) {
				k.names(PTR)
			}
		}
	}
	if t.any[Helo] && k.q.domain(sub.Helo) {
		k.names(Helo)
	}
	if t.any[From] {
		k.mail(sub.From, sub.FromDomain, From)
	}
	if t.any[Rcpt] {
		k.mail(sub.Rcpt, "", Rcpt)
	}
	if t.any[Account] && k.q.account(sub.Account, strings.LastIndexByte(sub.Account, '@')) {
		k.names(Account)
	}
	if t.any[Country] && k.q.whole(sub.Country) {
		k.shown = sub.Country
		k.names(Country)
	}
	if t.any[ASN] && sub.ASN != 0 && k.q.number(sub.ASN) {
		k.network(sub)
	}
	return k.sorted()
}

// A search is one question to all tables.
type search struct {
	set    *Set
	tables *tables
	now    int64
	count  bool
	hits   []Hit
	base   int       // of our hits
	done   [4]uint64 // bits of the first 256 sources: those that matched are not asked again
	q      query
	shown  string // of Hit
}

func (k *search) client(a netip.Addr) {
	if a.Is4() {
		n := number4(a)
		line, ok := k.set.inline.v4.find(n)
		k.inRules(line, ok)
		for i, l := range k.tables.lists {
			if line, ok := l.find4(n, k.now); ok {
				k.inFile(Client, i, line)
			}
		}
		return
	}
	n := number6(a)
	line, ok := k.set.inline.v6.find(n)
	k.inRules(line, ok)
	for i, l := range k.tables.lists {
		if line, ok := l.find6(n, k.now); ok {
			k.inFile(Client, i, line)
		}
	}
}

// inRules takes note of networks that stand in rules.
func (k *search) inRules(line uint32, ok bool) {
	if !ok {
		return
	}
	for _, at := range k.set.inline.held[line] {
		k.hit(Client, at, nil, nil, 0)
	}
}

// mail looks for an address, and for its domain.
func (k *search) mail(address, host string, f Field) {
	if address == "<>" {
		if k.q.whole(address) {
			k.names(f)
		}
		return
	}
	at := strings.LastIndexByte(address, '@')
	if host == "" && at >= 0 {
		host = address[at+1:]
	}
	if k.q.address(address[:at+1], strings.TrimSuffix(host, ".")) {
		k.names(f)
	}
}

// network looks for the number in q, and words it for those who ask why.
func (k *search) network(sub *Subject) {
	from := len(k.hits)
	k.shown = ""
	k.names(ASN)
	if from == len(k.hits) {
		return
	}
	shown := strconv.FormatUint(uint64(sub.ASN), 10)
	if sub.Network != "" {
		shown += " (" + sub.Network + ")"
	}
	for i := range k.hits[from:] {
		k.hits[from+i].Shown = shown
	}
}

// names asks all tables for what stands in q.
func (k *search) names(f Field) {
	n := &k.set.inline
	if n.names.all&tree(f) != 0 {
		for i := range k.q.count {
			name, hash, want := k.q.at(i, f)
			for from := uint32(hash); ; {
				line, at, ok := n.names.next(name, hash, want, from)
				if !ok {
					break
				}
				k.hit(f, n.refs[line], nil, nil, 0)
				from = at
			}
		}
	}
	for i, l := range k.tables.lists {
		if k.isDone(i) {
			continue
		}
		if line, ok := l.findName(&k.q, f, k.now); ok {
			k.inFile(f, i, line)
		}
	}
}

func (k *search) isDone(source int) bool {
	return source < 64*len(k.done) && k.done[source/64]&(1<<(source%64)) != 0
}

// inFile takes note of an entry of a file.
func (k *search) inFile(f Field, i int, line uint32) {
	src, l := k.set.sources[i], k.tables.lists[i]
	matched := false
	for _, at := range src.rules {
		matched = k.hit(f, ref(at), src, l, line) || matched
	}
	if i < 64*len(k.done) {
		k.done[i/64] |= 1 << (i % 64)
	}
	if matched && k.count {
		src.use.add(k.now)
		l.uses.add(line, k.now)
	}
}

// hit takes note of a rule, once; it reports whether the rule holds.
func (k *search) hit(f Field, at ref, src *source, l *list, line uint32) bool {
	r := &k.set.rules[at.rule]
	if r.until <= k.now {
		return false
	}
	for i := k.base; i < len(k.hits); i++ {
		if k.hits[i].Rule == at.rule {
			return true
		}
	}
	k.hits = append(k.hits, Hit{
		Action: r.Action, Field: f,
		Rule: at.rule, Match: r.Match[at.match],
		Owner: r.Owner, Reason: r.Reason, Where: r.Where, Shown: k.shown,
	})
	h := &k.hits[len(k.hits)-1]
	if r.Action == Points {
		h.Points = r.Points
	}
	if l != nil {
		h.File, h.Line, h.Note = src.path, int(line), l.notes.of(line)
	}
	if k.count {
		r.use.add(k.now)
	}
	return true
}

// sorted puts our hits in order; there are few.
func (k *search) sorted() []Hit {
	own := k.hits[k.base:]
	for i := 1; i < len(own); i++ {
		for j := i; j > 0 && own[j].before(&own[j-1]); j-- {
			own[j], own[j-1] = own[j-1], own[j]
		}
	}
	return k.hits
}

func (h *Hit) before(other *Hit) bool {
	if h.Action != other.Action {
		return h.Action < other.Action
	}
	return h.Rule < other.Rule
}

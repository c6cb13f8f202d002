package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"mailprofiled/internal/resolver"
)

// A trace collects what was asked. A nil trace collects nothing.
type trace struct {
	mu      sync.Mutex
	lookups []RecordLookup
}

func (t *trace) add(l RecordLookup) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, old := range t.lookups {
		if old.Question == l.Question && old.Type == l.Type {
			return // one row a question: the first answer is the one that cost time
		}
	}
	t.lookups = append(t.lookups, l)
}

// all returns the rows; a question still out is not among them.
func (t *trace) all() []RecordLookup {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := slices.Clone(t.lookups)
	if rows == nil {
		rows = []RecordLookup{}
	}
	return rows
}

func (t *trace) given(client netip.Addr, ptr string) {
	t.add(RecordLookup{Question: reverseName(client), Type: "PTR", Answer: []string{ptr}, Source: "given"})
}

func (t *trace) answer(name string, qtype uint16, a resolver.Answer) {
	if t == nil {
		return
	}
	t.add(RecordLookup{
		Question: name, Type: dns.TypeToString[qtype], Answer: answerText(a),
		Source: source(a.Cached), MS: inMS(a.Took), Stale: a.Stale,
	})
}

func (t *trace) reverse(client netip.Addr, r resolver.Reverse) {
	if t == nil {
		return
	}
	names := make([]string, len(r.Names))
	for i, name := range r.Names {
		names[i] = name.Name
	}
	t.answer(reverseName(client), dns.TypePTR, resolver.Answer{
		Outcome: r.Outcome, Reason: r.Reason, Names: names, Cached: r.Cached, Took: r.Took, Stale: r.Stale,
	})
	qtype := dns.TypeA
	if client.Is6() {
		qtype = dns.TypeAAAA
	}
	for _, name := range r.Names {
		t.answer(name.Name, qtype, forwardAnswer(client, name))
	}
}

// forwardAnswer is the answer to the forward question, of which the reverse
// record keeps only what judging needs.
func forwardAnswer(client netip.Addr, n resolver.ReverseName) resolver.Answer {
	a := resolver.Answer{Outcome: resolver.Found, Addrs: n.Addrs, Cached: n.Cached, Took: n.Took}
	switch {
	case n.Forward == resolver.Confirmed && len(n.Addrs) == 0:
		a.Addrs = []netip.Addr{client}
	case n.Forward == resolver.Mismatch && len(n.Addrs) == 0:
		a.Outcome = resolver.NoData
	case n.Forward != resolver.Confirmed && n.Forward != resolver.Mismatch:
		a.Outcome, a.Reason = resolver.Failed, n.Reason
	}
	return a
}

func reverseName(client netip.Addr) string {
	name, err := dns.ReverseAddr(client.String())
	if err != nil {
		return client.String()
	}
	return strings.TrimSuffix(name, ".")
}

func source(cached bool) string {
	if cached {
		return "cache"
	}
	return "dns"
}

// answerText is an answer as a Record shows it.
func answerText(a resolver.Answer) []string {
	switch a.Outcome {
	case resolver.Found:
	case resolver.NoData, resolver.NoName:
		return []string{"none"}
	default:
		return []string{"unknown: " + a.Reason}
	}
	texts := make([]string, 0, len(a.Addrs)+len(a.Names)+len(a.MX)+len(a.Texts))
	for _, addr := range a.Addrs {
		texts = append(texts, addr.String())
	}
	texts = append(texts, a.Names...)
	for _, mx := range a.MX {
		texts = append(texts, strconv.Itoa(int(mx.Preference))+" "+cmp.Or(mx.Host, "."))
	}
	return append(texts, a.Texts...)
}

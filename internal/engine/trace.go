package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/directory"
	"mailprofiled/internal/resolver"
)

// A stage is when a look-up could be started.
type stage int

const (
	atConnect stage = iota
	atHelo
	atMail
	atRcpt
)

// A trace collects what was asked. A nil trace collects nothing.
type trace struct {
	mu      sync.Mutex
	lookups []traced
}

type traced struct {
	RecordLookup
	at stage
}

// add keeps one row a question: the first answer is the one that cost time.
func (t *trace) add(at stage, l RecordLookup) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.lookups {
		if old := &t.lookups[i]; old.Question == l.Question && old.Type == l.Type {
			old.at = min(old.at, at)
			return
		}
	}
	t.lookups = append(t.lookups, traced{l, at})
}

// all returns the rows in the order of the stages, the same at each run; a
// question still out is not among them.
func (t *trace) all() []RecordLookup {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortFunc(t.lookups, func(a, b traced) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(rank(a.Type), rank(b.Type)),
			cmp.Compare(a.Question, b.Question), cmp.Compare(a.Type, b.Type))
	})
	rows := make([]RecordLookup, len(t.lookups))
	for i, l := range t.lookups {
		rows[i] = l.RecordLookup
	}
	return rows
}

// rank puts questions whose answers lead to others before those.
func rank(qtype string) int {
	if qtype == "PTR" || qtype == "MX" {
		return 0
	}
	return 1
}

func (t *trace) given(client netip.Addr, ptr string) {
	t.add(atConnect, RecordLookup{Question: reverseName(client), Type: "PTR", Answer: []string{ptr}, Source: "given"})
}

func (t *trace) answer(at stage, name string, qtype uint16, a resolver.Answer) {
	if t == nil {
		return
	}
	t.add(at, RecordLookup{
		Question: name, Type: dns.TypeToString[qtype], Answer: answerText(a),
		Source: source(a.Cached), MS: inMS(a.Took), AgeS: inSeconds(a.Age), Stale: a.Stale,
	})
}

// mailbox notes what the directory said of a recipient.
func (t *trace) mailbox(a directory.Address, answer directory.Answer, took time.Duration) {
	if t == nil {
		return
	}
	l := RecordLookup{Question: a.String(), Type: "RCPT", Answer: []string{answer.Result.String()}, Source: answer.By, MS: inMS(took), Stale: answer.Stale}
	if answer.Cached && took > 0 {
		l.Source = source(true)
	}
	switch answer.Result {
	case directory.Failed:
		l.Answer[0] = "unknown: failed"
		if answer.Err != nil {
			l.Answer[0] = "unknown: " + answer.Err.Error()
		}
	case directory.Unknown:
		l.Answer[0] = "unknown: not in the directory's domains"
		if answer.Err != nil {
			l.Answer[0] = "unknown: " + answer.Err.Error()
		}
	}
	t.add(atRcpt, l)
}

func (t *trace) reverse(client netip.Addr, r resolver.Reverse) {
	if t == nil {
		return
	}
	names := make([]string, len(r.Names))
	for i, name := range r.Names {
		names[i] = name.Name
	}
	t.answer(atConnect, reverseName(client), dns.TypePTR, resolver.Answer{
		Outcome: r.Outcome, Reason: r.Reason, Names: names, Cached: r.Cached, Took: r.Took, Age: r.Age, Stale: r.Stale,
	})
	qtype := dns.TypeA
	if client.Is6() {
		qtype = dns.TypeAAAA
	}
	for _, name := range r.Names {
		t.answer(atConnect, name.Name, qtype, forwardAnswer(client, name))
	}
}

// forwardAnswer is the answer to the forward question, of which the reverse
// record keeps only what judging needs.
func forwardAnswer(client netip.Addr, n resolver.ReverseName) resolver.Answer {
	a := resolver.Answer{Outcome: n.Outcome, Reason: n.Reason, Addrs: n.Addrs, Stale: n.Stale, Cached: n.Cached, Took: n.Took, Age: n.Age}
	if n.Forward == resolver.Confirmed && len(n.Addrs) == 0 {
		a.Addrs = []netip.Addr{client}
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

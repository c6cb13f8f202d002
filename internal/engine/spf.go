package engine

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"mailprofiled/internal/resolver"
	"mailprofiled/internal/spf"
	"mailprofiled/profile"
)

// spfDNS lets the SPF room ask the resolver.
type spfDNS struct{ r Resolver }

// NewSPF returns a checker of SPF that asks r, and remembers what it has found.
func NewSPF(r Resolver) *spf.Checker { return spf.NewChecker(spfDNS{r}, 0) }

func (d spfDNS) TXT(ctx context.Context, name string) spf.Answer {
	return spfAnswer(d.r.Lookup(ctx, name, dns.TypeTXT))
}

func (d spfDNS) MX(ctx context.Context, name string) spf.Answer {
	return spfAnswer(d.r.Lookup(ctx, name, dns.TypeMX))
}

func (d spfDNS) Addrs(ctx context.Context, name string, v6 bool) spf.Answer {
	qtype := dns.TypeA
	if v6 {
		qtype = dns.TypeAAAA
	}
	return spfAnswer(d.r.Lookup(ctx, name, qtype))
}

func (d spfDNS) PTR(ctx context.Context, addr netip.Addr) spf.Answer {
	return spfAnswer(d.r.Lookup(ctx, reverseName(addr), dns.TypePTR))
}

func spfAnswer(a resolver.Answer) spf.Answer {
	out := spf.Answer{
		Reason: a.Reason, Texts: a.Texts, Names: a.Names, Addrs: a.Addrs,
		Partial: a.Partial, Stale: a.Stale, Cached: a.Cached, Took: a.Took, Age: a.Age, Expires: a.Expires,
	}
	switch a.Outcome {
	case resolver.Found:
		out.Status = spf.Found
	case resolver.NoData:
		out.Status = spf.NoData
	case resolver.NoName:
		out.Status = spf.NoName
	}
	if len(a.MX) > 0 {
		out.Names = make([]string, len(a.MX))
		for i, mx := range a.MX {
			out.Names[i] = mx.Host
		}
	}
	return out
}

// askSPF starts the check of the sender, or of HELO for the null sender
// (RFC 7208 section 2.4).
func (v *Visit) askSPF() {
	sender := &v.tx.path
	if sender.Given != profile.Shown || !sender.Null && sender.Domain == "" {
		return
	}
	q := v.spfQuery()
	if v.trace == nil {
		if result, ok := v.e.o.SPF.Cached(q, v.e.o.Now()); ok {
			v.tx.spf = known(spfFact(result))
			return
		}
	}
	v.tx.spf = start(v, profile.SPF{Outcome: profile.SPFTempError, Detail: "no answer in time"}, func(ctx context.Context, set func(profile.SPF)) {
		result := v.e.o.SPF.Check(ctx, q)
		v.trace.spf(result)
		v.notes.setSPF(ctx, result)
		set(spfFact(result))
	})
}

func (v *Visit) spfQuery() spf.Query {
	q := spf.Query{Client: v.client.Addr, Helo: v.heloName()}
	if sender := &v.tx.path; !sender.Null {
		q.Sender = sender.Local + "@" + sender.Domain
	}
	return q
}

func (v *Visit) heloName() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.helo.value.Name
}

var spfOutcomes = map[spf.Outcome]profile.SPFOutcome{
	spf.None:      profile.SPFNone,
	spf.Neutral:   profile.SPFNeutral,
	spf.Pass:      profile.SPFPass,
	spf.Fail:      profile.SPFFail,
	spf.SoftFail:  profile.SPFSoftFail,
	spf.TempError: profile.SPFTempError,
	spf.PermError: profile.SPFPermError,
}

func spfFact(r spf.Result) profile.SPF {
	detail := r.Domain
	for _, part := range []string{r.Mechanism, r.Reason} {
		if part != "" {
			detail += ": " + part
		}
	}
	return profile.SPF{
		Outcome: spfOutcomes[r.Outcome], Never: r.Never, Domain: strings.ToLower(r.Domain),
		Detail: detail, Stale: r.Stale,
	}
}

// spf notes the questions of a check.
func (t *trace) spf(r spf.Result) {
	if t == nil {
		return
	}
	if len(r.Lookups) == 0 && (r.Cached || r.Reason == resolver.Budget) { // what was asked is not known any more, or not yet
		answer := r.Outcome.String()
		if r.Outcome == spf.TempError {
			answer = "unknown: " + r.Reason
		}
		t.add(atMail, RecordLookup{Question: r.Domain, Type: "SPF", Answer: []string{answer}, Source: source(r.Cached), AgeS: inSeconds(r.Age), Stale: r.Stale})
	}
	for _, l := range r.Lookups {
		question := l.Name
		if addr, err := netip.ParseAddr(question); err == nil {
			question = reverseName(addr)
		}
		t.add(atMail, RecordLookup{
			Question: question, Type: l.Type, Answer: spfAnswerText(l.Answer),
			Source: source(l.Answer.Cached), MS: inMS(l.Answer.Took), AgeS: inSeconds(l.Answer.Age), Stale: l.Answer.Stale,
		})
	}
}

func spfAnswerText(a spf.Answer) []string {
	switch a.Status {
	case spf.Found:
	case spf.NoData, spf.NoName:
		return []string{"none"}
	default:
		return []string{"unknown: " + a.Reason}
	}
	texts := make([]string, 0, len(a.Addrs)+len(a.Names)+len(a.Texts))
	for _, addr := range a.Addrs {
		texts = append(texts, addr.String())
	}
	return append(append(texts, a.Names...), a.Texts...)
}

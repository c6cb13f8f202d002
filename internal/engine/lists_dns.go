package engine

import (
	"context"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/resolver"
)

// PastCache lets the lists ask a resolver past its cache: they keep what they were
// answered in a smaller form of their own.
type PastCache struct{ Resolver *resolver.Resolver }

// A asks for the addresses of a name.
func (p PastCache) A(ctx context.Context, name string) dnsbl.Reply {
	return replyOf(p.Resolver.Fresh(ctx, name, dns.TypeA))
}

// TXT asks for its texts.
func (p PastCache) TXT(ctx context.Context, name string) dnsbl.Reply {
	return replyOf(p.Resolver.Fresh(ctx, name, dns.TypeTXT))
}

func replyOf(a resolver.Answer) dnsbl.Reply {
	if a.Partial { // a refusal may be among the addresses that were not kept
		return dnsbl.Reply{Reason: "bad-answer", Expires: a.Expires, Took: a.Took}
	}
	r := dnsbl.Reply{Addrs: a.Addrs, Texts: a.Texts, Reason: a.Reason, Stale: a.Stale, Expires: a.Expires, Took: a.Took}
	switch a.Outcome {
	case resolver.Found:
		r.Outcome = dnsbl.Found
	case resolver.NoData, resolver.NoName:
		r.Outcome = dnsbl.None
	}
	return r
}

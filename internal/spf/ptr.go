package spf

import (
	"context"
	"slices"
	"strings"
)

// The client's names are its own word, not the domain's. The library, as RFC
// 7208 section 5.5 has it, goes on after a failed question about them as if none
// had been found; here that may not end in a result against the client.

// LookupAddr gives the library the names of the client.
func (e *evaluation) LookupAddr(context.Context, string) ([]string, error) {
	in := e.use(question{rrtype: typePTR})
	if in.answer.Status == Failed {
		e.failedPTR(in)
	}
	if err := e.ended(in); err != nil {
		return nil, err
	}
	e.ptrNames = nil
	for _, name := range in.answer.Names {
		if hostName(name) && len(e.ptrNames) < mostHosts { // anything else, like a macro, is a trick
			e.ptrNames = append(e.ptrNames, name)
		}
	}
	return e.ptrNames, nil
}

func (e *evaluation) failedPTR(in *inquiry) {
	_ = e.temporary(in, in.answer.Reason)
	e.unsure(TempError, e.trouble)
}

// withClientName expands the macro p, which the library does not look up
// (RFC 7208 section 7.3).
func (e *evaluation) withClientName(spec, domain string) string {
	if !strings.Contains(spec, "%{p}") && !strings.Contains(spec, "%{P}") {
		return spec
	}
	name := e.clientName(domain)
	return strings.NewReplacer("%%", "%%", "%{p}", name, "%{P}", name).Replace(spec)
}

// clientName is the client's name that leads back to its address: the domain
// itself, one below it, or any; else "unknown".
func (e *evaluation) clientName(domain string) string {
	names, err := e.LookupAddr(e.ctx, "")
	if err != nil {
		return "unknown"
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !e.leadsBack(name) })
	for _, near := range []func(string) bool{
		func(name string) bool { return name == domain },
		func(name string) bool { return strings.HasSuffix(name, "."+domain) },
		func(string) bool { return true },
	} {
		if i := slices.IndexFunc(names, near); i >= 0 {
			return names[i]
		}
	}
	return "unknown"
}

func (e *evaluation) leadsBack(name string) bool {
	name, ok := asked(name)
	if !ok {
		return false
	}
	in := e.use(question{e.subject.addrType(), name})
	if in.answer.Status == Failed {
		e.failedPTR(in)
	}
	return slices.Contains(in.answer.Addrs, e.subject.client)
}

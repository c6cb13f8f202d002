package profile

import (
	"net/netip"
	"slices"
	"strings"
)

// heloName is a HELO argument as it reads.
type heloName struct {
	host    string     // lower case, no last dot; "" when it is no domain name
	labels  int        // of host
	addr    netip.Addr // of a literal or a bare address
	literal bool       // addr stood in brackets
	nature  Nature     // of host, when it has two labels or more
	forward lookup     // whether host is known to lead back to the client
	ptr     int        // the PTR name that equals host, -1 when none does
}

// maxHeloLen is the longest argument taken for a domain name (RFC 5321 section 4.5.3.1.2).
const maxHeloLen = 255

// parseHelo reads what a client sent. Neither a domain name nor an address:
// both host and addr are zero. One last dot and capital letters are tolerated,
// and what is only white space around the name.
func parseHelo(raw string) heloName {
	h := heloName{ptr: -1}
	name := strings.Trim(raw, " \t")
	if len(name) > maxHeloLen {
		return h
	}
	name = strings.TrimSuffix(name, ".")
	if addr, ok := literalOf(name); ok {
		h.addr, h.literal = addr, true
		return h
	}
	if addr, ok := addrOf(cutTag(name)); ok {
		h.addr = addr
		return h
	}
	if n := hostLabels(name); n > 0 {
		h.host, h.labels = strings.ToLower(name), n
	}
	return h
}

// HeloHost returns the name to ask DNS for, when a HELO argument is a domain
// name of two labels or more: lower case, in A-labels, no last dot. An address,
// a localhost name (RFC 6761 section 6.3) and what is no domain name are not to
// be asked. A name in U-labels is none here (RFC 6531 section 3.7.1).
func HeloHost(name string) (host string, ok bool) {
	h := parseHelo(name)
	return h.host, h.asked()
}

func (h *heloName) asked() bool {
	return h.labels >= 2 && len(h.host) <= maxNameLen && !h.localhost()
}

func (h *heloName) localhost() bool {
	return h.host == "localhost" || h.host == "localhost.localdomain" || h.literal && h.addr.IsLoopback()
}

// readHelo works out what the HELO argument is.
func (f *facts) readHelo() {
	f.helo.ptr = -1
	if f.Helo.Given != Shown {
		return
	}
	f.helo = parseHelo(f.Helo.Name)
	h := &f.helo
	if h.labels < 2 {
		return
	}
	h.forward = f.Helo.Host.leadsTo(f.Client)
	h.ptr = slices.IndexFunc(f.names(), func(p PTR) bool { return sameName(p.Name, h.host) })
	if h.ptr < 0 {
		h.nature = Classify(h.host, f.Client)
		return
	}
	h.nature = f.nature(h.ptr)
	if f.RDNS.Names[h.ptr].Forward == Confirmed {
		h.forward = there
	}
}

// sameName compares a PTR name with a HELO host, which is lower case and
// without a last dot.
func sameName(ptr, host string) bool {
	return strings.EqualFold(strings.TrimSuffix(ptr, "."), host)
}

// judgeHelo judges the argument of the last HELO or EHLO.
func (j *Judgement) judgeHelo(f *facts) {
	j.judgeForm(f)
	if f.helo.asked() {
		j.judgeHeloHost(f)
	}
}

// judgeForm says the first form that is true, and no other.
func (j *Judgement) judgeForm(f *facts) {
	switch f.Helo.Given {
	case Withheld:
		j.say(heloMissing, "", false)
		return
	case Unseen:
		return
	}
	for _, form := range heloForms {
		if j.hasForm(f, form) && j.say(form, f.Helo.Name, false) {
			return
		}
	}
}

// heloForms stand in the order of the manual.
var heloForms = [...]kind{heloSyntax, heloAddress, heloLocalhost, heloIsUs, heloLiteralMismatch, heloBot, heloNotFQDN}

// hasForm reports whether a form is true of the argument that was sent.
func (j *Judgement) hasForm(f *facts, form kind) bool {
	h := &f.helo
	switch form {
	case heloSyntax:
		return h.host == "" && !h.addr.IsValid()
	case heloAddress:
		return h.addr.IsValid() && !h.literal
	case heloLocalhost:
		return h.localhost()
	case heloIsUs:
		return f.heloIsUs()
	case heloLiteralMismatch:
		return h.literal && f.Client.IsValid() && h.addr != f.Client
	case heloBot:
		return h.host != "" && slices.Contains(j.policy.Bots, h.host)
	}
	return h.labels == 1
}

// heloIsUs reports whether the client names itself by a name, domain or address
// of ours. Equality only: a subdomain of ours may be a customer's own server.
// One that connects from an address of ours tells the truth.
func (f *facts) heloIsUs() bool {
	if f.Us == nil || hasAddr(f.Us.Addrs, f.Client) {
		return false
	}
	if f.helo.literal {
		return hasAddr(f.Us.Addrs, f.helo.addr)
	}
	return f.helo.host != "" && (slices.Contains(f.Us.Names, f.helo.host) || slices.Contains(f.Us.Domains, f.helo.host))
}

// judgeHeloHost judges what DNS says of a HELO name.
func (j *Judgement) judgeHeloHost(f *facts) {
	host := &f.Helo.Host
	if host.A.Missing() && host.AAAA.Missing() && f.Helo.MX.Missing() && f.helo.forward != there {
		j.say(heloUnresolvable, f.helo.host, host.Stale)
	}
	// RFC 5321 section 4.1.4: to be noted, and never a reason to refuse.
	if (host.A == Found || host.AAAA == Found) && f.helo.forward == absent {
		j.say(heloNotClient, f.helo.host, host.Stale)
	}
	if f.heloUnrelated() {
		j.say(heloUnrelated, f.helo.host+", PTR "+f.RDNS.Names[0].Name, f.RDNS.Stale)
	}
	if k := f.heloKind(); k != Plain {
		j.say(heloGeneric, f.helo.host+" ("+f.helo.nature.Sign+")", host.Stale)
		if f.helo.nature.Addr {
			j.say(heloHoldsAddress, f.helo.host, host.Stale)
		}
	}
}

// heloUnrelated reports whether there are PTR names, all under other registered
// domains than the HELO name.
func (f *facts) heloUnrelated() bool {
	names := f.names()
	if len(names) == 0 || f.helo.ptr >= 0 {
		return false
	}
	domain := OrgDomain(f.helo.host)
	return !slices.ContainsFunc(names, func(p PTR) bool { return OrgDomain(p.Name) == domain })
}

// heloKind is the least that the HELO name can be: a mail word clears a name
// that leads back to the client, or that may do so for all we know.
func (f *facts) heloKind() Kind {
	if f.helo.forward == absent {
		return f.helo.nature.Kind
	}
	return f.helo.nature.asConfirmed()
}

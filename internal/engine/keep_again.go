package engine

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/spf"
	"mailprofiled/profile"
)

// This file puts together, for a record, the questions behind a judgement: those that
// went out as they were noted, and those that a cache answered as the cache has them, where that
// is what was judged by. Else the fact itself stands for the answer.

// A sight is what a judgement was made by.
type sight struct {
	reverse *resolver.Reverse // nil: it was not asked
	dns     []noted
	spf     *spf.Result // nil: it was not asked
	lists   []notedList

	standing  string // of the server, by its memory; "": nobody was asked
	belonging belonging
}

// lateAnswer is of a question that was still out when the visit was judged.
var lateAnswer = resolver.Answer{Outcome: resolver.Failed, Reason: resolver.Budget}

// lookAgain sees to what the open transaction was judged by.
func (v *Visit) lookAgain() *sight {
	s := &sight{belonging: v.belonging, standing: v.tx.standing}
	var n notes
	if v.notes != nil {
		v.notes.mu.Lock()
		defer v.notes.mu.Unlock()
		n.dns, n.reverse, n.spf, n.lists = v.notes.dns, v.notes.reverse, v.notes.spf, v.notes.lists
	}
	if v.tx.session.Trust != profile.Stranger || v.limitsOnly {
		for i := range n.lists { // what lists were asked about the address of one who has logged in
			if n.lists[i].subject.Stage == dnsbl.Auth {
				s.lists = append(s.lists, n.lists[i])
			}
		}
		return s
	}
	session := &v.tx.session
	s.reverse = v.reverseAgain(&n, &session.RDNS)
	if name, ok := profile.HeloHost(session.Helo.Name); ok && session.Helo.Given == profile.Shown {
		h, warm := &session.Helo, v.helo.done == nil
		v.hostAgain(s, &n, atHelo, name, &h.Host, warm)
		v.again(s, &n, atHelo, name, dns.TypeMX, h.MX, nil, warm)
	}
	if from := &session.Sender; from.Domain != "" {
		warm := v.tx.sender.done == nil
		v.again(s, &n, atMail, from.Domain, dns.TypeMX, from.MX, nil, warm)
		v.hostAgain(s, &n, atMail, from.Domain, &from.Host, warm)
		for i := range from.Exchanges {
			if x := &from.Exchanges[i]; askable(x.Name) {
				v.hostAgain(s, &n, atMail, x.Name, &x.Host, warm)
			}
		}
	}
	s.spf = v.spfAgain(&n, &session.SPF)
	v.listsAgain(s, &n)
	return s
}

// reverseAgain gives the reverse DNS that was judged by.
func (v *Visit) reverseAgain(n *notes, fact *profile.RDNS) *resolver.Reverse {
	if fact.Outcome == profile.NotAsked {
		return nil
	}
	if v.rdns.done == nil {
		if r, ok := v.e.o.Resolver.CachedReverse(v.client.Addr); ok && sameRDNS(&r, fact) {
			return &r
		}
	} else if n.reverse != nil && sameRDNS(n.reverse, fact) {
		return n.reverse
	}
	warm := v.rdns.done == nil
	r := &resolver.Reverse{Outcome: outcomeBack[fact.Outcome], Stale: fact.Stale, Cached: warm}
	if r.Outcome == resolver.Failed {
		r.Reason = resolver.Budget
	}
	for _, name := range fact.Names {
		rn := resolver.ReverseName{Name: name.Name, Cached: warm, Outcome: resolver.NoData, Forward: resolver.Mismatch}
		switch name.Forward {
		case profile.Confirmed:
			rn.Outcome, rn.Forward = resolver.Found, resolver.Confirmed
		case profile.ForwardFailed:
			rn.Outcome, rn.Forward, rn.Reason = resolver.Failed, resolver.ForwardFailed, resolver.Budget
		}
		r.Names = append(r.Names, rn)
	}
	return r
}

func sameRDNS(r *resolver.Reverse, fact *profile.RDNS) bool {
	return outcomeBack[fact.Outcome] == r.Outcome && slices.EqualFunc(r.Names, fact.Names, func(a resolver.ReverseName, b profile.PTR) bool {
		return a.Name == b.Name && forwardOf(a.Forward) == b.Forward
	})
}

// outcomeBack leads from a fact to the resolver's word for it.
var outcomeBack = map[profile.Outcome]resolver.Outcome{
	profile.Found: resolver.Found, profile.NoData: resolver.NoData, profile.NoName: resolver.NoName, profile.Failed: resolver.Failed,
}

func (v *Visit) hostAgain(s *sight, n *notes, at stage, name string, h *profile.Host, warm bool) {
	v.again(s, n, at, name, dns.TypeA, h.A, h.Addrs, warm)
	v.again(s, n, at, name, dns.TypeAAAA, h.AAAA, h.Addrs, warm)
}

// again adds the answer to one question, whose outcome as a fact is told, and of A and AAAA the
// addresses. A question that was not asked has none.
func (v *Visit) again(s *sight, n *notes, at stage, name string, qtype uint16, fact profile.Outcome, addrs []netip.Addr, warm bool) {
	if fact == profile.NotAsked {
		return
	}
	agrees := func(a *resolver.Answer) bool {
		return outcomeOf(*a) == fact || a.Partial && fact == profile.Failed
	}
	for i := range n.dns {
		// What was there in time may have been of no use, as another answer was not.
		inTime := i < v.tx.keeping.inTime && fact == profile.Failed
		if o := &n.dns[i]; o.name == name && o.qtype == qtype && (inTime || agrees(&o.answer)) {
			s.dns = append(s.dns, noted{min(at, o.at), name, qtype, o.answer})
			return
		}
	}
	if warm {
		if a, ok := v.e.o.Resolver.Cached(name, qtype); ok && agrees(&a) && subset(a.Addrs, addrs) {
			s.dns = append(s.dns, noted{at, name, qtype, a})
			return
		}
	}
	a := lateAnswer
	if fact != profile.Failed {
		a = resolver.Answer{Outcome: outcomeBack[fact], Cached: warm}
		for _, addr := range addrs {
			if addr.Is4() == (qtype == dns.TypeA) {
				a.Addrs = append(a.Addrs, addr)
			}
		}
	}
	s.dns = append(s.dns, noted{at, name, qtype, a})
}

func subset(some, all []netip.Addr) bool {
	for _, addr := range some {
		if !slices.Contains(all, addr) {
			return false
		}
	}
	return true
}

// spfAgain gives the check that was judged by.
func (v *Visit) spfAgain(n *notes, fact *profile.SPF) *spf.Result {
	if fact.Outcome == profile.SPFNotAsked {
		return nil
	}
	if v.tx.spf.done != nil {
		if n.spf != nil && spfOutcomes[n.spf.Outcome] == fact.Outcome {
			return n.spf
		}
		return &spf.Result{Outcome: spf.TempError, Domain: v.spfDomain(), Reason: resolver.Budget}
	}
	r := &spf.Result{Domain: fact.Domain, Cached: true, Stale: fact.Stale}
	for outcome, as := range spfOutcomes {
		if as == fact.Outcome {
			r.Outcome = outcome
		}
	}
	if again, ok := v.e.o.SPF.Cached(v.spfQuery(), v.e.o.Now()); ok && again.Outcome == r.Outcome {
		return &again
	}
	return r
}

// spfDomain is the domain whose record is asked for.
func (v *Visit) spfDomain() string {
	if v.tx.path.Null {
		return v.tx.session.Helo.Name
	}
	return v.tx.path.Domain
}

// listsAgain adds what the DNS lists said: of each subject that they were asked about.
func (v *Visit) listsAgain(s *sight, n *notes) {
	if v.e.o.Lists == nil {
		return
	}
	var subjects []dnsbl.Subject
	if v.lists.connect != nil {
		subjects = append(subjects, dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Connect})
	}
	if v.lists.ptr != nil {
		of, _ := ptrSubjects(&v.tx.session.RDNS)
		subjects = append(subjects, of...)
	}
	if v.lists.helo != nil {
		subjects = append(subjects, dnsbl.Subject{Name: v.lists.heloName, Stage: dnsbl.Helo})
	}
	switch path := &v.tx.path; {
	case v.tx.lists == nil:
	case path.Null:
		subjects = append(subjects, dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Bounce})
	default:
		subjects = append(subjects, dnsbl.Subject{Name: path.Domain, Stage: dnsbl.Mail})
	}
	for _, sub := range subjects {
		v.listAgain(s, n, sub)
	}
}

// listAgain adds what the lists said of one subject: as it was noted, or else as their
// cache has it. Where that is another thing than what was judged by, the hit itself stands for it.
func (v *Visit) listAgain(s *sight, n *notes, sub dnsbl.Subject) {
	known, _ := v.e.o.Lists.Known(sub, nil)
	for i := range known {
		a := known[i]
		if j := slices.IndexFunc(n.lists, func(o notedList) bool { return o.subject == sub && o.answer.List == a.List }); j >= 0 {
			a = n.lists[j].answer
		} else if a.Reason == dnsbl.Pending {
			a.Reason = dnsbl.Budget
		}
		hit := slices.ContainsFunc(v.tx.heard, func(h listHit) bool { return h.list == a.List && h.subject == sub && !h.Possible })
		if weighs := a.State == dnsbl.Hit && (a.Points() != 0 || slices.ContainsFunc(a.Matches, listed)); weighs != hit {
			if hit { // it has changed since; what was said is in the finding
				continue
			}
			a = dnsbl.Answer{List: a.List, Reason: dnsbl.Budget} // it came too late
		}
		s.lists = append(s.lists, notedList{sub, a})
	}
}

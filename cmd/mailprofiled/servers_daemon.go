package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
)

// A serverDesk is asked and told about servers over the control socket.
type serverDesk struct{ d *daemon }

// subject gives the keys of what an operator names: an address, or an operator's domain.
// name is how it is shown.
func (s serverDesk) subject(text string) (sub memory.Subject, name string, err error) {
	servers := s.d.counted.Servers
	if p, err := netip.ParsePrefix(text); err == nil && (p.Bits() == 24 && p.Addr().Is4() || p.Bits() == 64) {
		p = p.Masked()
		if p.Addr().Is4() {
			return memory.Subject{Net: memory.NetKey(p.Addr())}, p.String(), nil
		}
		return servers.Subject(p.Addr(), ""), p.String(), nil
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return servers.Subject(addr, ""), addr.String(), nil
	}
	host, ok := profile.HeloHost(text)
	if !ok || !strings.Contains(host, ".") {
		return sub, "", fmt.Errorf("%+q is neither an address nor a domain", text)
	}
	domain := profile.OrgDomain(host)
	sub = servers.Subject(netip.Addr{}, domain)
	return sub, domain, nil
}

// Server tells what is remembered.
func (s serverDesk) Server(text string) (*admin.Server, error) {
	sub, name, err := s.subject(text)
	if err != nil {
		return nil, err
	}
	now, counted := time.Now(), s.d.counted
	out := &admin.Server{Asked: name, Now: now, Counts: []admin.ServerCounts{}}
	if sub.Home.Valid() || sub.Operator.Valid() { // nobody is good or bad for the neighbours
		st := counted.Servers.Standing(&sub, now)
		out.History, out.Why = st.Word(), st.Good+st.Bad
	}
	for _, k := range []memory.Key{sub.Home, sub.Net, sub.Operator} {
		if c := counted.Servers.Counts(k, now); c.Known() {
			c.Name = sub.Name
			out.Counts = append(out.Counts, countsOf(&c))
		}
	}
	for _, k := range s.callers(&sub, name) {
		if until := counted.Retries.Until(k, now); until.After(out.Passes) {
			out.Passes = until
		}
	}
	return out, nil
}

// callers are the keys under which what is named may have come back.
func (s serverDesk) callers(sub *memory.Subject, name string) []memory.Key {
	retries := s.d.counted.Retries
	if sub.Operator.Valid() {
		return []memory.Key{retries.NameKey(memory.Operator, name), retries.NameKey(memory.SPFDomain, name)}
	}
	return []memory.Key{sub.Home, sub.Net}
}

func countsOf(c *memory.Counts) admin.ServerCounts {
	name := c.Name
	if p := c.Key.Prefix(); p.IsSingleIP() {
		name = p.Addr().String()
	} else if p.IsValid() {
		name = p.String()
	}
	return admin.ServerCounts{
		Server: name, Kind: c.Key.Kind().String(), First: c.First, Last: c.Last, Met: c.Met,
		Visits: tenth(c.Visits), Taken: tenth(c.Taken), Refused: tenth(c.Refused), Unknown: tenth(c.Unknown), Traps: tenth(c.Trapped),
		Listed: tenth(c.Listed), Deferred: tenth(c.Deferred), Returned: tenth(c.Returned), Spam: tenth(c.Spam), Ham: tenth(c.Ham),
		DaysSeen: tenth(c.DaysSeen), DaysTaken: tenth(c.DaysTaken), DaysListed: tenth(c.DaysListed), Helos: c.Helos, Senders: c.Senders,
	}
}

// tenth rounds a faded count for people.
func tenth(n float64) float64 { return float64(int64(n*10+0.5)) / 10 }

// TopServers ranks those of a kind.
func (s serverDesk) TopServers(kind, by string, n int) ([]admin.ServerCounts, error) {
	kinds := map[string]memory.Kind{"": memory.Address, "address": memory.Address, "network": memory.Net, "operator": memory.Operator}
	k, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("%q is no kind; use address, network or operator", kind)
	}
	rank, ok := memory.Ranking(by)
	if !ok {
		return nil, fmt.Errorf("%q is nothing to rank by; use %s", by, strings.Join(memory.Rankings(), ", "))
	}
	out := []admin.ServerCounts{}
	for _, c := range s.d.counted.Servers.Top(k, rank, n, time.Now()) {
		out = append(out, countsOf(&c))
	}
	return out, nil
}

// ForgetServer forgets what is remembered, and that it came back.
func (s serverDesk) ForgetServer(by, text string) (*admin.Forgotten, error) {
	sub, name, err := s.subject(text)
	if err != nil {
		return nil, err
	}
	counted := s.d.counted
	n := counted.Servers.Forget(sub.Home, sub.Operator)
	if !sub.Home.Valid() {
		n += counted.Servers.Forget(sub.Net)
	}
	n += counted.Retries.Forget(s.callers(&sub, name)...)
	s.d.logger.Info("server forgotten by command", "by", by, "server", name, "known", n > 0)
	return &admin.Forgotten{Forgotten: n}, nil
}

// ReportServer takes an operator's word: by the id of a transaction for its operator
// too, by an address for that alone.
func (s serverDesk) ReportServer(by, what, word string) error {
	words := map[string]memory.Word{"spam": memory.Spam, "ham": memory.Ham}
	w, ok := words[word]
	if !ok {
		return fmt.Errorf("%+q is no report: write spam or ham", what+" "+word)
	}
	counted := s.d.counted
	sub, known := counted.Recent.Find(what)
	if addr, err := netip.ParseAddr(what); err == nil {
		sub, known = counted.Servers.Subject(addr, ""), true
	}
	if !known {
		return fmt.Errorf("%+q is neither an address nor the id of a transaction that is still known: give its address", what)
	}
	counted.Servers.Report(&sub, w, time.Now())
	s.d.logger.Debug("server reported", "by", by, "what", what, "word", word)
	return nil
}

var errNoServer = errors.New("SERVER is needed: an address, or the domain of an operator")

package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/attach"
	"mailprofiled/internal/config"
)

// Facts are what an examination rests on. What is nil was not there, or could not be
// seen: the error beside it says why.
type Facts struct {
	Version, Commit string
	ConfigPath      string
	Config          *config.Config // nil: it has mistakes
	Mistakes        []string       // of the configuration, as check prints them
	MistakesAs      []string       // those that the daemon's user finds in what root finds good

	Status    *admin.Status // of the running daemon
	StatusErr error

	Postfix     *attach.Postfix
	PostfixErr  error // why it is nil where there is a Postfix
	Sendmail    *attach.SendmailCF
	SendmailErr error

	// Reach connects to a place as a user of this machine, inside a directory that is
	// its root where that is not "", and negotiates as an MTA does. nil: we are not
	// root, and the bits of the files are all that can be looked at.
	Reach func(ctx context.Context, who Who, root, place string) error

	Servers    []netip.AddrPort // DNS servers
	ServersErr error
	DNSWait    time.Duration // for one answer; 0: 3 s
	Upstreams  []netip.Addr  // whom a stub among them asks, as far as it tells
	Lists      []dnsbl.Standing
	InUse      []dnsbl.List

	// SelfTest shows the daemon's place a client, and gives what came in there.
	SelfTest func(ctx context.Context, place string, sendmail bool, client netip.Addr) (*admin.ShownClient, error)

	User    string // as whom the daemon runs, where that is not known from its files
	Systemd bool   // this machine is run by it
	Now     time.Time
	Built   time.Time // not before this was the program made; zero: not known
}

// An exam is an examination under way.
type exam struct {
	*Facts
	all    []Finding
	asked  string           // the MTA of this machine that is told to ask us; "": none is known
	silent []netip.AddrPort // DNS servers that did not answer: nobody waits for them twice
}

// Examine looks at everything, for as long as ctx lets it.
func Examine(ctx context.Context, f *Facts) *Report {
	e := &exam{Facts: f}
	e.configuration()
	e.daemon()
	e.mtas(ctx)
	e.clients(ctx)
	e.dns(ctx)
	e.lists(ctx)
	e.clock(ctx)
	e.state()
	return report(f.Version, e.all)
}

func (e *exam) say(s Severity, id, about string, remedy []string, format string, args ...any) {
	e.all = append(e.all, Finding{ID: id, Severity: s, About: about, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (e *exam) ok(id, about, format string, args ...any) { e.say(OK, id, about, nil, format, args...) }

// speaking are the DNS servers that answer.
func (e *exam) speaking() []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(e.Servers), func(s netip.AddrPort) bool { return slices.Contains(e.silent, s) })
}

// enforce reports whether verdicts are spoken.
func (e *exam) enforce() bool {
	if e.Status != nil {
		return e.Status.Mode == "enforce"
	}
	return e.Config != nil && !e.Config.Monitor
}

// budget is the longest wait before one of our replies.
func (e *exam) budget() time.Duration {
	if e.Config == nil {
		return 5 * time.Second // the default
	}
	return e.Config.DNS.Budget
}

// places are where MTAs can connect: those that are open, or else those that are
// configured.
func (e *exam) places() []string {
	if e.Status != nil {
		return e.Status.Listen
	}
	var all []string
	if e.Config != nil {
		for _, d := range e.Config.Doors() {
			all = append(all, d.Listen)
		}
	}
	return all
}

// start is the line that starts the daemon, or another verb of the service manager.
func (e *exam) service(verb string) string {
	if e.Systemd {
		return "systemctl " + verb + " mailprofiled"
	}
	if verb == "start" {
		return "mailprofiled serve --config " + e.ConfigPath + "    # as the daemon's user, by whatever keeps your daemons running"
	}
	return verb + " mailprofiled, by whatever keeps your daemons running"
}

func (e *exam) user() string {
	if e.User != "" {
		return e.User
	}
	return "mailprofiled"
}

package attach

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Filter is one milter that an MTA asks.
type Filter struct {
	Text    string        // as it is configured
	Place   string        // as milter.listen names places, seen from outside of any chroot; "" where it is none that is known
	Action  string        // what the MTA does without it, in Postfix's words: accept, tempfail, reject, quarantine, shutdown
	Connect time.Duration // how long the MTA waits for a connection
	Command time.Duration // and for the answer to a command
}

// An Asker is a part of an MTA that takes mail over SMTP, and asks milters or not.
type Asker struct {
	Name       string
	Type       string // of a service of Postfix: inet, or pass behind postscreen
	Chroot     string // where its process is shut in; "" for nowhere
	Submission bool   // customers log in there, by its name or port
	Own        bool   // it has a list of milters of its own
	Filters    []Filter
}

// Same reports whether two places, as milter.listen names them, are one.
func Same(a, b string) bool {
	a, b = settled(a), settled(b)
	if a == b {
		return a != ""
	}
	hostA, portA, okA := cutInet(a)
	hostB, portB, okB := cutInet(b)
	return okA && okB && portA == portB && sameHost(hostA, hostB)
}

// settled names a place below /run as it is: /var/run leads there.
func settled(place string) string {
	if rest, ok := strings.CutPrefix(place, "unix:/var/run/"); ok {
		return "unix:/run/" + rest
	}
	return place
}

func cutInet(place string) (host, port string, ok bool) {
	kind, rest, _ := strings.Cut(place, ":")
	if kind != "inet" && kind != "inet6" {
		return "", "", false
	}
	host, port, err := net.SplitHostPort(rest)
	return host, port, err == nil
}

// sameHost takes localhost for each of its addresses.
func sameHost(a, b string) bool {
	if a == b {
		return true
	}
	loopback := func(s string) bool {
		addr, err := netip.ParseAddr(s)
		return s == "localhost" || err == nil && (addr.IsLoopback() || addr.IsUnspecified())
	}
	return loopback(a) && loopback(b) && (a == "localhost" || b == "localhost" || unspecified(a) || unspecified(b))
}

func unspecified(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.IsUnspecified()
}

// submission reports whether a name or port is that of mail submission (RFC 6409, 8314).
func submission(name string) bool {
	if _, port, err := net.SplitHostPort(name); err == nil {
		name = port
	}
	switch strings.ToLower(name) {
	case "submission", "submissions", "smtps", "587", "465", "msa", "ssmtp":
		return true
	}
	return false
}

// forever is longer than anything is waited for.
const forever = 10 * 365 * 24 * time.Hour

// seconds reads a time as Postfix and Sendmail write it: a number with a unit, or
// one of the unit that stands for none. The zero Duration is none that can be read.
func seconds(s string, unit time.Duration) time.Duration {
	s = strings.TrimSpace(s)
	digits := strings.TrimRight(s, "smhdw")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || len(s)-len(digits) > 1 {
		return 0
	}
	switch s[len(digits):] {
	case "s":
		unit = time.Second
	case "m":
		unit = time.Minute
	case "h":
		unit = time.Hour
	case "d":
		unit = 24 * time.Hour
	case "w":
		unit = 7 * 24 * time.Hour
	}
	return min(time.Duration(n), forever/unit) * unit
}

// Askers are the services of Postfix that run smtpd, with what they ask.
func (p *Postfix) Askers() []Asker {
	var all []Asker
	for _, s := range p.Services {
		a := Asker{Name: s.Name, Type: s.kind, Own: s.Own, Submission: submission(s.Name)}
		if s.Chroot {
			a.Chroot = p.QueueDir
		}
		value := func(name string) string {
			if v, ok := p.overrides[s.Name+"/"+s.kind+"/"+name]; ok {
				return v
			}
			return p.expanded[name]
		}
		if !strings.Contains(value("receive_override_options"), "no_milters") {
			for _, entry := range entries(value("smtpd_milters")) {
				a.Filters = append(a.Filters, p.parseFilter(entry, s.Chroot, value))
			}
		}
		all = append(all, a)
	}
	return all
}

// parseFilter reads an entry of smtpd_milters: "unix:path" or "{ unix:path, option = value }".
func (p *Postfix) parseFilter(entry string, chroot bool, setting func(string) string) Filter {
	f := Filter{
		Text: entry, Action: setting("milter_default_action"),
		Connect: seconds(setting("milter_connect_timeout"), time.Second), Command: seconds(setting("milter_command_timeout"), time.Second),
	}
	inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(entry, "{"), "}"))
	place, options, _ := strings.Cut(inner, ",")
	if at := strings.IndexAny(strings.TrimSpace(place), " \t"); at >= 0 { // blanks may stand for commas
		place, options = strings.TrimSpace(place)[:at], strings.TrimSpace(place)[at:]+","+options
	}
	f.Place = p.place(strings.TrimSpace(place), chroot)
	for _, option := range strings.Split(strings.NewReplacer("{", " ", "}", " ").Replace(options), ",") {
		name, value, _ := strings.Cut(option, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "default_action":
			f.Action = value
		case "connect_timeout":
			f.Connect = seconds(value, time.Second)
		case "command_timeout":
			f.Command = seconds(value, time.Second)
		}
	}
	return f
}

// place is where smtpd looks: in a chroot, below the queue directory, and without a
// leading slash below it in any case.
func (p *Postfix) place(s string, chroot bool) string {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if chroot || !filepath.IsAbs(path) {
			path = filepath.Join(p.QueueDir, path)
		}
		return "unix:" + filepath.Clean(path)
	}
	if rest, ok := strings.CutPrefix(s, "inet:"); ok {
		if strings.HasPrefix(rest, "[") {
			if host, port, err := net.SplitHostPort(rest); err == nil && strings.Contains(host, ":") {
				return "inet6:" + net.JoinHostPort(host, port)
			}
		}
		return "inet:" + strings.NewReplacer("[", "", "]", "").Replace(rest)
	}
	return ""
}

// Line is the entry of smtpd_milters for mailprofiled followed by the others that are
// there, as a value; "" where no socket of ours is one that Postfix finds.
func (p *Postfix) Line(o Ours) string { return p.lineFor(o, p.Milters) }

// LineFor is Line for a service with milters of its own.
func (p *Postfix) LineFor(service string, o Ours) string {
	for _, s := range p.Services {
		if s.Name == service && s.Own {
			return p.lineFor(o, s.Milters)
		}
	}
	return p.Line(o)
}

func (p *Postfix) lineFor(o Ours, milters string) string {
	ours := p.filter(o, &Paper{})
	if ours == "" {
		return ""
	}
	if others := p.withoutPlaces(milters, o.Sockets); others != "" {
		return ours + ", " + others
	}
	return ours
}

// withoutPlaces takes entries for sockets of ours out of smtpd_milters, and those that
// are plainly meant for one.
func (p *Postfix) withoutPlaces(milters string, places []string) string {
	var others []string
next:
	for _, entry := range entries(milters) {
		for _, chroot := range []bool{false, true} {
			f := p.parseFilter(entry, chroot, func(string) string { return "" })
			if meant(f.Text) {
				continue next
			}
			for _, place := range places {
				if Same(f.Place, place) {
					continue next
				}
			}
		}
		others = append(others, entry)
	}
	return strings.Join(others, ", ")
}

// meant reports whether an entry is plainly meant for mailprofiled.
func meant(text string) bool { return strings.Contains(text, "mailprofiled") }

// Meant reports whether it is plainly meant for mailprofiled, wherever it leads.
func (f *Filter) Meant() bool { return meant(f.Text) }

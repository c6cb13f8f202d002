package attach

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Postfix is what its own tool, postconf(1), says of it.
type Postfix struct {
	Version  string
	QueueDir string // smtpd in a chroot finds nothing outside
	MainCF   string
	Milters  string // smtpd_milters as it stands
	Protocol string // milter_protocol
	Owner    string // mail_owner: as whom smtpd runs
	Maps     string // smtpd_milter_maps: exceptions by client
	Services []Service

	expanded  map[string]string // settings, with what their $names stand for
	overrides map[string]string // the same of master.cf, by "service/type/name"
}

// A Service is a line of master.cf that runs smtpd.
type Service struct {
	Name    string // smtp, submission, smtps, 10025
	Chroot  bool
	Milters string // its own smtpd_milters
	Own     bool   // it has such a setting

	kind string // inet, unix, pass
}

// ReadPostfix asks postconf, of the configuration in dir, or of the usual one where
// that is empty. The error says what to do.
func ReadPostfix(ctx context.Context, dir string) (*Postfix, error) {
	ask := func(args ...string) (string, error) {
		if dir != "" {
			args = append([]string{"-c", dir}, args...)
		}
		cmd := exec.CommandContext(ctx, "postconf", args...)
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("postconf is not here: run this on the machine of Postfix, as root (%w)", exec.ErrNotFound)
		}
		if err != nil {
			return "", fmt.Errorf("postconf: %w: %s", err, strings.TrimSpace(complaint.String()))
		}
		return string(out), nil
	}
	settings, err := ask(settingNames...)
	if err != nil {
		return nil, err
	}
	master, err := ask("-M")
	if err != nil {
		return nil, err
	}
	var overrides map[string]string
	if text, err := ask("-P", "-x"); err == nil {
		overrides = values(text)
	}
	p := ParsePostfix(settings, master, overrides)
	if expanded, err := ask(append([]string{"-x"}, settingNames...)...); err == nil { // since Postfix 2.11
		p.expanded = values(expanded)
	}
	return p, nil
}

// settingNames are those that are asked for.
var settingNames = []string{
	"mail_version", "queue_directory", "config_directory", "smtpd_milters", "milter_protocol",
	"milter_default_action", "milter_connect_timeout", "milter_command_timeout", "receive_override_options", "smtpd_milter_maps", "mail_owner", "compatibility_level",
}

// values reads "name = value" lines.
func values(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok {
			all[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return all
}

// ParsePostfix reads "name = value" lines, and those of master.cf as postconf -M
// prints them: one a service. overrides are the settings of services, by
// "service/type/name", as postconf -P prints them; where they are nil, master has them.
func ParsePostfix(settings, master string, overrides map[string]string) *Postfix {
	values := values(settings)
	p := &Postfix{
		Version: values["mail_version"], QueueDir: values["queue_directory"], MainCF: values["config_directory"] + "/main.cf",
		Milters:  values["smtpd_milters"],
		Protocol: values["milter_protocol"], Owner: values["mail_owner"], Maps: values["smtpd_milter_maps"],
		expanded: values, overrides: overrides,
	}
	if overrides == nil {
		p.overrides = map[string]string{}
	}
	// "-" in master.cf: no chroot, but with the defaults of before Postfix 3.0.
	byDefault := values["compatibility_level"] == "0"
	for line := range strings.Lines(master) {
		fields := strings.Fields(line)
		if len(fields) < 8 || fields[7] != "smtpd" && fields[7] != "postscreen" || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if fields[7] == "postscreen" {
			continue // it hands over to a service of type pass that runs smtpd
		}
		s := Service{Name: fields[0], kind: fields[1], Chroot: fields[4] == "y" || fields[4] == "-" && byDefault}
		s.Milters, s.Own = option(line, "smtpd_milters")
		for _, name := range settingNames {
			if overrides != nil {
				break
			}
			if value, ok := option(line, name); ok {
				p.overrides[s.Name+"/"+s.kind+"/"+name] = value
			}
		}
		p.Services = append(p.Services, s)
	}
	return p
}

// option finds -o name=value, or -o { name = value }, in a line of master.cf.
func option(line, name string) (value string, ok bool) {
	words := words(line)
	for i := 1; i < len(words); i++ {
		if words[i-1] != "-o" {
			continue
		}
		setting := words[i]
		if strings.HasPrefix(setting, "{") {
			setting = strings.TrimSuffix(setting[1:], "}")
		}
		if key, v, found := strings.Cut(setting, "="); found && strings.TrimSpace(key) == name {
			value, ok = strings.TrimSpace(v), true // the last one counts
		}
	}
	return value, ok
}

// words cuts a line at blanks outside braces.
func words(line string) []string {
	depth := 0
	return strings.FieldsFunc(line, func(r rune) bool {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		}
		return depth <= 0 && (r == ' ' || r == '\t' || r == '\n')
	})
}

// Unspaced writes a value of smtpd_milters without a blank: postconf -P takes none.
func Unspaced(milters string) string {
	all := entries(milters)
	for i, e := range all {
		if inner, ok := strings.CutPrefix(e, "{"); ok {
			inner = strings.ReplaceAll(strings.TrimSuffix(inner, "}"), "=", " = ")
			parts := strings.FieldsFunc(inner, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
			all[i] = "{" + strings.ReplaceAll(strings.Join(parts, ","), ",=,", "=") + "}"
		}
	}
	return strings.Join(all, ",")
}

// Paper gives the lines for main.cf, and for master.cf where services have milters
// of their own.
func (p *Postfix) Paper(o Ours) *Paper {
	w := &Paper{}
	w.remark("#", "mailprofiled at Postfix %s, for %s; then: postfix reload", p.Version, p.MainCF)
	ours := p.filter(o, w)
	if ours == "" {
		return w
	}
	others := p.withoutPlaces(p.Milters, o.Sockets)
	line := "smtpd_milters = " + ours
	if others != "" {
		w.remark("#", "It takes the place of the line smtpd_milters that is there, and goes before its milters: what is refused here, they need not look at.")
		line += ", " + others
	}
	w.line("%s", line)
	p.services(ours, w)
	p.protocol(w)
	return w
}

// filter is our entry of smtpd_milters.
func (p *Postfix) filter(o Ours, w *Paper) string {
	socket := p.Socket(o.Sockets)
	if socket == "" {
		w.Unfit = true
		w.remark("#", "No socket of mailprofiled lies below %s, where Postfix looks. As root:", p.QueueDir)
		w.line("#")
		w.line("#   install -d -o mailprofiled -g postfix -m 2710 %s/mailprofiled", p.QueueDir)
		w.line("#")
		w.remark("#", "and add it to milter.listen in %s, here beside those that are there:", o.Config)
		w.line("#")
		w.line("#   milter.listen = [%s\"unix:%s/mailprofiled/milter.sock\"]", quoted(o.Sockets), p.QueueDir)
		w.line("#")
		w.remark("#", "then: systemctl restart mailprofiled, and this command once more.")
		return ""
	}
	action := "accept"
	if o.Enforce {
		action = "tempfail"
		w.remark("#", `default_action is what Postfix does while mailprofiled is down. mode is "enforce": senders come back later then. accept would let mail pass unjudged.`)
	} else {
		w.remark("#", `default_action is what Postfix does while mailprofiled is down. mode is "monitor": mail passes then. With mode = "enforce" make it tempfail.`)
	}
	if strings.HasPrefix(socket, "inet") {
		w.remark("#", "Over %s any local user can speak as the MTA: a socket below %s is better.", socket, p.QueueDir)
	}
	return fmt.Sprintf("{ %s, default_action=%s, connect_timeout=10s, command_timeout=%ds }", socket, action, wait(o.Budget))
}

func quoted(sockets []string) string {
	var b strings.Builder
	for _, s := range sockets {
		fmt.Fprintf(&b, "%q, ", s)
	}
	return b.String()
}

// Socket chooses one that each smtpd reaches, as Postfix writes it: below the queue
// directory first, which is found with and without a chroot.
func (p *Postfix) Socket(ours []string) string {
	for _, s := range ours {
		if rel, ok := below(p.QueueDir, s); ok {
			return "unix:" + rel
		}
	}
	for _, s := range ours {
		if rest, ok := strings.CutPrefix(s, "inet6:"); ok {
			return "inet:" + rest // Postfix takes brackets, and has no inet6
		}
		if strings.HasPrefix(s, "inet:") {
			return s
		}
	}
	return ""
}

// entries cuts a value of smtpd_milters: by commas and blanks outside braces.
func entries(milters string) []string {
	var all []string
	depth, start := 0, -1
	flush := func(end int) {
		if start >= 0 {
			all = append(all, milters[start:end])
		}
		start = -1
	}
	for i := 0; i < len(milters); i++ {
		switch c := milters[i]; {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case depth <= 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n'):
			flush(i)
			continue
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(milters))
	return all
}

// services tells of those in master.cf that main.cf does not speak for.
func (p *Postfix) services(ours string, w *Paper) {
	for _, s := range p.Services {
		switch {
		case !s.Own:
		case s.Milters == "" || s.Milters == "$smtpd_milters":
			if s.Milters == "" {
				w.remark("#", "%s in master.cf has no milters (-o smtpd_milters=): what comes in there is not seen, and limits of accounts do not hold there. Remove that option to have it seen; who has logged in is exempt from server checks.", s.Name)
			}
		default:
			w.remark("#", "%s in master.cf has milters of its own: put ours first there, too:", s.Name)
			w.line("#   -o { smtpd_milters = %s, %s }", ours, s.Milters)
		}
	}
	w.remark("#", "non_smtpd_milters is not needed: that is local mail, and there is no server to judge. Nor are milter_*_macros: mailprofiled asks for those that it needs.")
}

// OldProtocol is milter_protocol where that is one in which recipients that Postfix
// refuses itself are not shown; "" where it is none.
func (p *Postfix) OldProtocol() string {
	if p.Protocol != "" && p.Protocol < "6" {
		return p.Protocol
	}
	return ""
}

// protocol tells of an old one.
func (p *Postfix) protocol(w *Paper) {
	if old := p.OldProtocol(); old != "" {
		w.Unfit = true
		w.remark("#", "milter_protocol is %s: set it to 6, or recipients that Postfix refuses itself are not seen.", old)
	}
}

package attach

import (
	"io"
	"os"
	"strings"
	"time"
)

// SendmailCF is what sendmail.cf says, by which Sendmail runs: sendmail.mc may be
// ahead of it.
type SendmailCF struct {
	Path      string
	RunAsUser string            // as whom it asks filters; "" for root
	daemons   []string          // DaemonPortOptions
	inputs    string            // InputMailFilters
	filters   map[string]string // definitions, by name
}

// ReadSendmailCF reads a sendmail.cf.
func ReadSendmailCF(path string) (*SendmailCF, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMC))
	if err != nil {
		return nil, err
	}
	return parseSendmailCF(path, string(text)), nil
}

func parseSendmailCF(path, text string) *SendmailCF {
	s := &SendmailCF{Path: path, filters: map[string]string{}}
	for _, line := range unfolded(text) {
		switch {
		case strings.HasPrefix(line, "X"):
			name, definition, _ := strings.Cut(line[1:], ",")
			s.filters[strings.TrimSpace(name)] = definition
		case strings.HasPrefix(line, "O "):
			name, value, _ := strings.Cut(line[2:], "=")
			s.option(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value))
		}
	}
	if len(s.daemons) == 0 {
		s.daemons = []string{"Name=MTA"}
	}
	return s
}

// unfolded joins lines with those that go on in them, which begin with a blank.
func unfolded(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(all) > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			all[len(all)-1] += " " + strings.TrimSpace(line)
			continue
		}
		all = append(all, line)
	}
	return all
}

func (s *SendmailCF) option(name, value string) {
	switch {
	case name == "inputmailfilters":
		s.inputs = value
	case name == "daemonportoptions":
		s.daemons = append(s.daemons, value)
	case name == "runasuser":
		s.RunAsUser, _, _ = strings.Cut(value, ":")
	}
}

// Askers are the doors of Sendmail, with what they ask.
func (s *SendmailCF) Askers() []Asker {
	var all []Asker
	for _, options := range s.daemons {
		a := Asker{Name: "MTA"}
		inputs := s.inputs
		for option := range strings.SplitSeq(options, ",") {
			key, value, _ := strings.Cut(strings.TrimSpace(option), "=")
			if key == "" {
				continue
			}
			switch key[0] | 0x20 { // Sendmail looks at the first letter only
			case 'n':
				a.Name = value
			case 'p':
				a.Submission = a.Submission || submission(value)
			case 'i':
				inputs, a.Own = value, true
			}
		}
		a.Submission = a.Submission || submission(a.Name)
		for name := range strings.FieldsFuncSeq(inputs, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			if definition, ok := s.filters[name]; ok {
				a.Filters = append(a.Filters, parseX(name, definition))
			}
		}
		all = append(all, a)
	}
	return all
}

// parseX reads an X line: "S=local:/path, F=T, T=C:30s;S:30s;R:30s;E:5m". The waits
// that it does not name are those of Sendmail's own (cf/README, "MAIL FILTERS").
func parseX(name, definition string) Filter {
	f := Filter{Text: name + "," + definition, Action: "accept", Connect: 5 * time.Minute, Command: 10 * time.Second}
	for equate := range strings.SplitSeq(definition, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(equate), "=")
		switch strings.ToUpper(key) {
		case "S":
			f.Place = sendmailPlace(value)
		case "F":
			switch {
			case strings.Contains(value, "R"):
				f.Action = "reject"
			case strings.Contains(value, "T"):
				f.Action = "tempfail"
			case strings.Contains(value, "4"):
				f.Action = "shutdown"
			}
		case "T":
			for part := range strings.SplitSeq(value, ";") {
				which, wait, _ := strings.Cut(part, ":")
				switch strings.ToUpper(strings.TrimSpace(which)) {
				case "C":
					f.Connect = seconds(wait, time.Second)
				case "R":
					f.Command = seconds(wait, time.Second)
				}
			}
		}
	}
	return f
}

// sendmailPlace turns "local:/path" and "inet:port@host" into places as milter.listen
// names them.
func sendmailPlace(s string) string {
	kind, rest, _ := strings.Cut(s, ":")
	switch kind {
	case "local", "unix":
		return "unix:" + rest
	case "inet", "inet6":
		port, host, _ := strings.Cut(rest, "@")
		if kind == "inet6" {
			return "inet6:[" + strings.Trim(host, "[]") + "]:" + port
		}
		return "inet:" + host + ":" + port
	}
	if strings.HasPrefix(s, "/") {
		return "unix:" + s
	}
	return ""
}

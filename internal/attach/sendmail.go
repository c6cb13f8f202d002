package attach

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Sendmail is what its own file says of it.
type Sendmail struct {
	MC       string // its path
	Filters  []string
	Included string // the m4 file that the package brings, "" where there is none
	Read     bool   // MC could be read
}

// maxMC is how much of a sendmail.mc is read: they have some kilobytes.
const maxMC = 1 << 20

// ReadSendmail reads sendmail.mc. One that is not there is no error: the lines are
// the same.
func ReadSendmail(mc, included string) (*Sendmail, error) {
	s := &Sendmail{MC: mc}
	if _, err := os.Stat(included); err == nil {
		s.Included = included
	}
	f, err := os.Open(mc)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMC))
	if err != nil {
		return nil, err
	}
	s.Read = true
	s.parse(string(text))
	return s, nil
}

func (s *Sendmail) parse(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "dnl") || strings.HasPrefix(line, "#") {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "INPUT_MAIL_FILTER(`"); ok {
			name, _, _ := strings.Cut(rest, "'")
			s.Filters = append(s.Filters, name)
		}
	}
}

// Paper gives the lines for sendmail.mc.
func (s *Sendmail) Paper(o Ours) *Paper {
	w := &Paper{}
	w.remark("dnl", "mailprofiled at Sendmail, for %s: before the MAILER lines and other filters; then make sendmail.cf of it as your system does, and restart Sendmail.", s.MC)
	socket := ""
	for _, candidate := range o.Sockets {
		if path, ok := strings.CutPrefix(candidate, "unix:"); ok && !strings.HasPrefix(path, "/var/spool/postfix/") {
			socket = "local:" + path
			break
		}
	}
	for _, candidate := range o.Sockets {
		if socket == "" && strings.HasPrefix(candidate, "inet") {
			kind, rest, _ := strings.Cut(candidate, ":")
			host, port := rest[:strings.LastIndexByte(rest, ':')], rest[strings.LastIndexByte(rest, ':')+1:]
			socket = kind + ":" + port + "@" + strings.Trim(host, "[]")
		}
	}
	if socket == "" {
		w.Unfit = true
		w.remark("dnl", `No socket of mailprofiled is for Sendmail: add "unix:/run/mailprofiled/milter.sock" to milter.listen in %s, then systemctl restart mailprofiled, and this command once more.`, o.Config)
		return w
	}
	flag := ""
	if o.Enforce {
		flag = "T"
		w.remark("dnl", `F=T: while mailprofiled is down senders come back later, since mode is "enforce". F= would let mail pass unjudged.`)
	} else {
		w.remark("dnl", `F=: while mailprofiled is down mail passes, since mode is "monitor". With mode = "enforce" make it F=T.`)
	}
	seconds := wait(o.Budget)
	if len(s.Filters) > 0 {
		w.remark("dnl", "There are filters already: %s. Filters are asked in the order of their lines.", strings.Join(s.Filters, ", "))
	}
	w.line("INPUT_MAIL_FILTER(`mailprofiled', `S=%s, F=%s, T=C:%ds;S:%ds;R:%ds;E:5m')dnl", socket, flag, seconds, seconds, seconds)
	if s.Included != "" && flag == "" && seconds == 30 && socket == "local:/run/mailprofiled/milter.sock" {
		w.remark("dnl", "The same by the package's file, in its place:")
		w.line("dnl include(`%s')dnl", s.Included)
	}
	w.remark("dnl", `Submission (port 587) is covered too; who has logged in is exempt from server checks. Called "unsafe", a socket may only be missing: look first whether mailprofiled runs.`)
	return w
}

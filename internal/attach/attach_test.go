package attach

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const settings = `mail_version = 3.7.11
queue_directory = /var/spool/postfix
config_directory = /etc/postfix
smtpd_milters =
milter_protocol = 6
`

const master = `smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       y       -       -       smtpd -o smtpd_milters= -o syslog_name=postfix/submission
smtps      inet  n       -       y       -       -       smtpd -o { smtpd_milters = inet:127.0.0.1:8891 } -o smtpd_tls_wrappermode=yes
smtpd      pass  -       -       y       -       -       smtpd
pickup     unix  n       -       y       60      1       pickup
`

func ours(sockets ...string) Ours {
	return Ours{Config: "/etc/mailprofiled/mailprofiled.toml", Sockets: sockets, Budget: 5 * time.Second}
}

const queueSocket = "unix:/var/spool/postfix/mailprofiled/milter.sock"

// linesOf are those that are for the MTA.
func linesOf(p *Paper) []string {
	var lines []string
	for line := range strings.Lines(p.String()) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "dnl") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestPostfix(t *testing.T) {
	slow, enforce := ours(queueSocket), ours(queueSocket)
	slow.Budget, enforce.Enforce = 40*time.Second, true
	for _, tc := range []struct {
		name, settings string
		ours           Ours
		line           string // "" for none
		says           string
		unfit          bool
	}{
		{"the packages' sockets", settings, ours("unix:/run/mailprofiled/milter.sock", queueSocket),
			"smtpd_milters = { unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s, command_timeout=30s }", "make it tempfail", false},
		{"enforced", settings, enforce,
			"smtpd_milters = { unix:mailprofiled/milter.sock, default_action=tempfail, connect_timeout=10s, command_timeout=30s }", "senders come back later", false},
		{"a long budget", settings, slow,
			"smtpd_milters = { unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s, command_timeout=50s }", "", false},
		{"others stay, behind ours", strings.Replace(settings, "smtpd_milters =", "smtpd_milters = inet:127.0.0.1:11332, { unix:opendkim/o.sock, command_timeout=5s }", 1), ours(queueSocket),
			"smtpd_milters = { unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s, command_timeout=30s }, inet:127.0.0.1:11332, { unix:opendkim/o.sock, command_timeout=5s }", "takes the place", false},
		{"ours is there already", strings.Replace(settings, "smtpd_milters =", "smtpd_milters = { unix:mailprofiled/milter.sock, default_action=tempfail } inet:127.0.0.1:11332", 1), ours(queueSocket),
			"smtpd_milters = { unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s, command_timeout=30s }, inet:127.0.0.1:11332", "", false},
		{"over TCP", settings, ours("inet6:[::1]:8891"),
			"smtpd_milters = { inet:[::1]:8891, default_action=accept, connect_timeout=10s, command_timeout=30s }", "any local user", false},
		{"no socket that Postfix finds", settings, ours("unix:/run/mailprofiled/milter.sock"), "", `milter.listen = ["unix:/run/mailprofiled/milter.sock", "unix:/var/spool/postfix/mailprofiled/milter.sock"]`, true},
		{"an old protocol", strings.Replace(settings, "protocol = 6", "protocol = 2", 1), ours(queueSocket),
			"smtpd_milters = { unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s, command_timeout=30s }", "set it to 6", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := ParsePostfix(tc.settings, master, nil)
			paper := p.Paper(tc.ours)
			var want []string
			if tc.line != "" {
				want = []string{tc.line}
			}
			if got := linesOf(paper); !slices.Equal(got, want) {
				t.Errorf("lines %q\nwant  %q", got, want)
			}
			if flat := strings.ReplaceAll(paper.String(), "\n# ", " "); !strings.Contains(flat, tc.says) {
				t.Errorf("does not say %q:\n%s", tc.says, paper)
			}
			if paper.Unfit != tc.unfit {
				t.Errorf("unfit %v", paper.Unfit)
			}
		})
	}
}

// TestServices: main.cf does not speak for services with milters of their own.
func TestServices(t *testing.T) {
	p := ParsePostfix(settings, master, nil)
	if len(p.Services) != 4 || !p.Services[0].Chroot || !p.Services[1].Own || p.Services[1].Milters != "" {
		t.Fatalf("%+v", p.Services)
	}
	flat := strings.ReplaceAll(p.Paper(ours(queueSocket)).String(), "\n# ", " ")
	for _, want := range []string{"submission in master.cf has no milters", "smtps in master.cf has milters of its own", "command_timeout=30s }, inet:127.0.0.1:8891 }"} {
		if !strings.Contains(flat, want) {
			t.Errorf("does not say %q:\n%s", want, flat)
		}
	}
	if strings.Contains(flat, "smtp in master.cf") {
		t.Errorf("speaks of smtp, which main.cf speaks for:\n%s", flat)
	}
}

func TestSendmail(t *testing.T) {
	dir := t.TempDir()
	mc, m4 := filepath.Join(dir, "sendmail.mc"), filepath.Join(dir, "mailprofiled.m4")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	enforce := ours("unix:/run/mailprofiled/milter.sock", queueSocket)
	enforce.Enforce = true
	for _, tc := range []struct {
		name, mc string
		ours     Ours
		line     string
		says     string
		unfit    bool
	}{
		{"plain", "MAILER(`local')dnl\n", ours("unix:/run/mailprofiled/milter.sock", queueSocket),
			"INPUT_MAIL_FILTER(`mailprofiled', `S=local:/run/mailprofiled/milter.sock, F=, T=C:30s;S:30s;R:30s;E:5m')dnl", "include(`" + m4 + "')", false},
		{"enforced", "", enforce,
			"INPUT_MAIL_FILTER(`mailprofiled', `S=local:/run/mailprofiled/milter.sock, F=T, T=C:30s;S:30s;R:30s;E:5m')dnl", "F=T: while", false},
		{"others", "dnl INPUT_MAIL_FILTER(`old', `S=x')dnl\nINPUT_MAIL_FILTER(`opendkim', `S=local:/run/o.sock')dnl\n", ours("inet:127.0.0.1:8891"),
			"INPUT_MAIL_FILTER(`mailprofiled', `S=inet:8891@127.0.0.1, F=, T=C:30s;S:30s;R:30s;E:5m')dnl", "already: opendkim.", false},
		{"no socket", "", ours(queueSocket), "", `add "unix:/run/mailprofiled/milter.sock" to milter.listen`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			write(mc, tc.mc)
			write(m4, "")
			s, err := ReadSendmail(mc, m4)
			if err != nil {
				t.Fatal(err)
			}
			paper := s.Paper(tc.ours)
			var want []string
			if tc.line != "" {
				want = []string{tc.line}
			}
			if got := linesOf(paper); !slices.Equal(got, want) {
				t.Errorf("lines %q\nwant  %q", got, want)
			}
			if flat := strings.ReplaceAll(paper.String(), "\ndnl ", " "); !strings.Contains(flat, tc.says) {
				t.Errorf("does not say %q:\n%s", tc.says, paper)
			}
			if paper.Unfit != tc.unfit {
				t.Errorf("unfit %v", paper.Unfit)
			}
		})
	}
	if s, err := ReadSendmail(filepath.Join(dir, "none.mc"), ""); err != nil || s.Read {
		t.Errorf("a file that is not there: %+v, %v", s, err)
	}
}

// FuzzPostfix: whatever postconf says, there is an answer, and each line of it that
// is no comment is ours.
func FuzzPostfix(f *testing.F) {
	f.Add(settings, master)
	f.Add("smtpd_milters = { { } , } , ,{", "a b c d y f g smtpd -o smtpd_milters")
	f.Fuzz(func(t *testing.T, settings, master string) {
		p := ParsePostfix(settings, master, nil)
		for _, a := range p.Askers() {
			for _, filter := range a.Filters {
				if filter.Command < 0 || filter.Connect < 0 {
					t.Fatalf("%+v", filter)
				}
			}
			if strings.ContainsAny(p.LineFor(a.Name, ours(queueSocket)), "\r\n") {
				t.Fatalf("more than a line for %q", a.Name)
			}
		}
		for _, line := range linesOf(ParsePostfix(settings, master, nil).Paper(ours(queueSocket))) {
			if line != "" && !strings.HasPrefix(line, "smtpd_milters = ") {
				t.Fatalf("%q", line)
			}
		}
	})
}

// TestOption reads settings of services as master.cf and postconf -M have them.
func TestOption(t *testing.T) {
	for _, tt := range []struct {
		line, value string
		ok          bool
	}{
		{"smtp inet n - y - - smtpd", "", false},
		{"x inet n - y - - smtpd -o smtpd_milters= -o syslog_name=postfix/x", "", true},
		{"x inet n - y - - smtpd -o smtpd_milters=inet:127.0.0.1:1", "inet:127.0.0.1:1", true},
		{"x inet n - y - - smtpd -o {smtpd_milters={ inet:127.0.0.1:1, default_action=accept } inet:127.0.0.1:2} -o a=1", "{ inet:127.0.0.1:1, default_action=accept } inet:127.0.0.1:2", true},
		{"x inet n - y - - smtpd -o { smtpd_milters = inet:127.0.0.1:1 }\n", "inet:127.0.0.1:1", true},
		{"x inet n - y - - smtpd -o non_smtpd_milters=inet:127.0.0.1:1", "", false},
		{"x inet n - y - - smtpd -o smtpd_milters=a:1 -o smtpd_milters=b:2", "b:2", true},
		{"x inet n - y - - smtpd -o", "", false},
	} {
		if value, ok := option(tt.line, "smtpd_milters"); value != tt.value || ok != tt.ok {
			t.Errorf("%s: %q, %v", tt.line, value, ok)
		}
	}
}

func TestUnspaced(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"{ unix:mailprofiled/milter.sock, default_action=accept, command_timeout = 30s }, inet:127.0.0.1:2 inet:127.0.0.1:3": "{unix:mailprofiled/milter.sock,default_action=accept,command_timeout=30s},inet:127.0.0.1:2,inet:127.0.0.1:3",
	} {
		if got := Unspaced(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

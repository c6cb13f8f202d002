package mtatest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// SendmailOptions say what a private Sendmail is like.
type SendmailOptions struct {
	Root        string   // where Debian's packages sendmail-bin and sendmail-cf are unpacked
	Syslog      *Syslog  // takes its log
	Dir         string   // for everything it keeps; "": a temporary one, removed by Stop
	Hostname    string   // "": mx.test; it must be in /etc/hosts
	ListenAddrs []string // "127.0.0.1:0", "[::1]:25"; port 0 is a free one; none: "127.0.0.1:0"
	Domains     []string // final here; mail for them is taken and thrown away

	// MilterAddr is "unix:/path/socket" or "inet:host:port"; "" is none.
	MilterAddr string
	// MilterFlag is what happens without the filter: "T" tempfail (also when
	// empty), "R" reject, "-" go on.
	MilterFlag string

	Users       []string // local parts that exist, in every domain; none: every address does
	DelayChecks bool     // FEATURE(delay_checks): its own refusals wait for RCPT
	TLS         bool     // offer STARTTLS, with a certificate made for it
	ExtraMC     []string // lines of the .mc file
}

// A Sendmail is a running private instance.
type Sendmail struct {
	opts  SendmailOptions
	log   *Log
	out   Log // what it says outside syslog
	addrs []string
	dir   string
	temp  bool
	proc  *process
}

// StartSendmail starts a private Sendmail and returns when it answers on each
// address. The caller must Stop it. It needs root, and a /dev of its own.
func StartSendmail(opts SendmailOptions) (*Sendmail, error) {
	if opts.Hostname == "" {
		opts.Hostname = "mx.test"
	}
	s := &Sendmail{opts: opts, dir: opts.Dir}
	if err := s.start(); err != nil {
		text := s.out.tail(20)
		if s.log != nil {
			text += "\n" + s.log.tail(20)
		}
		return nil, errors.Join(fmt.Errorf("start Sendmail: %w; its log:\n%s", err, text), s.Stop())
	}
	return s, nil
}

func (s *Sendmail) start() (err error) {
	program := filepath.Join(s.opts.Root, "usr/libexec/sendmail/sendmail")
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("no Sendmail here (run .ci/deps): %w", err)
	}
	if s.dir == "" {
		s.temp = true
		if s.dir, err = os.MkdirTemp("", "mtatest-sendmail-"); err != nil {
			return err
		}
	}
	if s.addrs, err = pickPorts(s.opts.ListenAddrs); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	cf, tag := s.path("sendmail.cf"), filepath.Base(s.dir)
	if out, err := exec.Command(program, "-C", cf, "-L", tag, "-bi").CombinedOutput(); err != nil {
		return fmt.Errorf("make the alias table: %w: %s", err, out)
	}
	s.log = s.opts.Syslog.Log(tag)
	if s.proc, err = startProcess(&s.out, s.dir, nil, program, "-C", cf, "-L", tag, "-bD"); err != nil {
		return err
	}
	return s.proc.waitForSMTP(s.addrs)
}

// Addr is the first address it listens on, "host:port".
func (s *Sendmail) Addr() string { return s.addrs[0] }

// Addrs are all of them, in the order of ListenAddrs.
func (s *Sendmail) Addrs() []string { return s.addrs }

// Log is the mail log, as syslog got it.
func (s *Sendmail) Log() *Log { return s.log }

// Stop ends it and waits for its processes. A second call does nothing.
func (s *Sendmail) Stop() error {
	if s.proc != nil {
		s.proc.stopGroup()
		s.proc = nil
	}
	if s.temp {
		s.temp = false
		return os.RemoveAll(s.dir)
	}
	return nil
}

func (s *Sendmail) path(name string) string { return filepath.Join(s.dir, name) }

// configure writes sendmail.cf by the package's own m4 macros, and the files it names.
func (s *Sendmail) configure() error {
	// Sendmail distrusts what lies under a folder that others may write.
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("mqueue"), 0o700); err != nil {
		return err
	}
	if s.opts.TLS {
		if err := WriteCertificate(s.dir, s.opts.Hostname); err != nil {
			return err
		}
	}
	files := map[string]string{
		"aliases":        s.aliases(),
		"service.switch": "hosts files\naliases files\n",
		"sendmail.mc":    s.mc(),
		"statistics":     "",
	}
	for name, text := range files {
		if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	cfDir := filepath.Join(s.opts.Root, "usr/share/sendmail/cf") + "/"
	m4 := exec.Command("m4", "-D_CF_DIR_="+cfDir, cfDir+"m4/cf.m4", s.path("sendmail.mc"))
	var complaints bytes.Buffer
	m4.Stderr = &complaints
	cf, err := m4.Output()
	if err != nil || complaints.Len() > 0 {
		return fmt.Errorf("sendmail.cf by m4: %v: %s", err, complaints.Bytes())
	}
	return os.WriteFile(s.path("sendmail.cf"), cf, 0o644)
}

// aliases leads everyone who exists to a file that keeps nothing.
func (s *Sendmail) aliases() string {
	var b strings.Builder
	for _, name := range append([]string{"postmaster", "abuse", "sink"}, s.opts.Users...) {
		fmt.Fprintf(&b, "%s: /dev/null\n", name)
	}
	b.WriteString("MAILER-DAEMON: postmaster\n")
	return b.String()
}

// mc gives the configuration: nothing of the machine's own, no look-up outside.
func (s *Sendmail) mc() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	define := func(name, value string) { line("define(`%s', `%s')dnl", name, value) }
	line("divert(-1)\ndivert(0)dnl\nOSTYPE(`linux')dnl")
	define("confDOMAIN_NAME", s.opts.Hostname)
	define("confDONT_PROBE_INTERFACES", "True")
	define("confLOG_LEVEL", "15")
	define("confPID_FILE", s.path("sendmail.pid"))
	define("STATUS_FILE", s.path("statistics"))
	define("HELP_FILE", "/dev/null")
	define("QUEUE_DIR", s.path("mqueue"))
	define("ALIAS_FILE", s.path("aliases"))
	define("confSERVICE_SWITCH_FILE", s.path("service.switch"))
	define("confDONT_BLAME_SENDMAIL", "TrustStickyBit")
	define("confDEF_USER_ID", "8:8")
	define("confTO_IDENT", "0")
	// A busy machine is no reason to refuse mail here.
	define("confREFUSE_LA", "10000")
	define("confQUEUE_LA", "10000")
	define("confBAD_RCPT_THROTTLE", "0")
	if len(s.opts.Users) == 0 {
		define("LUSER_RELAY", "local:sink")
	}
	if s.opts.TLS {
		define("confSERVER_CERT", s.path("cert.pem"))
		define("confSERVER_KEY", s.path("key.pem"))
		define("confCACERT", s.path("cert.pem"))
		define("confCACERT_PATH", s.dir)
		define("confTLS_SRV_OPTIONS", "V")
	}
	// Its own refusal of a sender domain would come before the milter's word.
	line("FEATURE(`accept_unresolvable_domains')dnl\nFEATURE(`nocanonify')dnl\nFEATURE(`no_default_msa')dnl")
	if s.opts.DelayChecks {
		line("FEATURE(`delay_checks')dnl")
	}
	for i, addr := range s.addrs {
		line("DAEMON_OPTIONS(`%s')dnl", daemonOptions(i, addr))
	}
	if s.opts.MilterAddr != "" {
		flag := s.opts.MilterFlag
		if flag == "" {
			flag = "T"
		}
		line("INPUT_MAIL_FILTER(`mailprofiled', `S=%s, F=%s, T=C:30s;S:30s;R:30s;E:1m')dnl",
			sendmailSocket(s.opts.MilterAddr), strings.Trim(flag, "-"))
	}
	for _, extra := range s.opts.ExtraMC {
		line("%s", extra)
	}
	line("MAILER(`local')dnl\nMAILER(`smtp')dnl\nLOCAL_CONFIG\nCw localhost %s %s", s.opts.Hostname, strings.Join(s.opts.Domains, " "))
	return b.String()
}

// daemonOptions gives one door in DaemonPortOptions form.
func daemonOptions(i int, addr string) string {
	host, port, _ := net.SplitHostPort(addr) // of a listener's own address
	family := "inet"
	if strings.Contains(host, ":") {
		family = "inet6"
	}
	return fmt.Sprintf("Name=MTA%d, Family=%s, Addr=%s, Port=%s", i, family, host, port)
}

// sendmailSocket turns Postfix's form of a milter address into Sendmail's.
func sendmailSocket(addr string) string {
	if rest, inet := strings.CutPrefix(addr, "inet:"); inet {
		host, port, _ := net.SplitHostPort(rest) // of a listener's own address
		if strings.Contains(host, ":") {
			return "inet6:" + port + "@" + host
		}
		return "inet:" + port + "@" + host
	}
	return addr
}

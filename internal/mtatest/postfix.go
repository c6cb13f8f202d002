package mtatest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PostfixOptions say what a private Postfix is like. The zero value is a Postfix
// without a milter on a free port of 127.0.0.1.
type PostfixOptions struct {
	// Root is where Debian's package lies: "/", or where it is unpacked. "" takes
	// the installed one or else build/deps/postfix, as .ci/deps leaves it.
	Root        string
	Dir         string   // for everything it keeps; "": a temporary one, removed by Stop
	Hostname    string   // "": mx.test
	ListenAddrs []string // "127.0.0.1:0", "[::1]:25"; port 0 is a free one; none: "127.0.0.1:0"
	Domains     []string // final here; mail for them is taken and thrown away

	// MilterAddr is "unix:/path/socket" or "inet:host:port"; "" is none. Postfix
	// reaches the socket as user postfix: its folders must be open to others.
	MilterAddr string
	// MilterSettings are those of this filter alone: "default_action=accept",
	// "command_timeout=5s". The action by default is tempfail.
	MilterSettings []string

	Chroot    bool              // smtpd lives in the queue's folder, as Debian's does
	Users     []string          // full addresses that exist; none: every address does
	XCLIENT   bool              // loopback clients may say who they are
	TLS       bool              // offer STARTTLS, with a certificate made for it
	ExtraMain map[string]string // main.cf lines, over those made here
}

// A Postfix is a running private instance.
type Postfix struct {
	home  postfixHome
	log   *Log
	addrs []string
	dir   string // removed by Stop when temp
	temp  bool
	proc  *process
}

// StartPostfix starts a private Postfix and returns when it answers on each
// address. The caller must Stop it. It needs root.
func StartPostfix(opts PostfixOptions) (*Postfix, error) {
	home, err := findPostfix(opts.Root)
	if err != nil {
		return nil, err
	}
	p := &Postfix{log: new(Log), dir: opts.Dir, home: home}
	if err := p.start(opts); err != nil {
		return nil, errors.Join(fmt.Errorf("start Postfix: %w; its log:\n%s", err, p.log.tail(20)), p.Stop())
	}
	return p, nil
}

func (p *Postfix) start(opts PostfixOptions) (err error) {
	if p.dir == "" {
		p.temp = true
		if p.dir, err = os.MkdirTemp("", "mtatest-postfix-"); err != nil {
			return err
		}
	}
	if p.addrs, err = pickPorts(opts.ListenAddrs); err != nil {
		return err
	}
	if err := p.configure(opts); err != nil {
		return err
	}
	// Not "postfix start-fg": its script checks a whole installation, which takes
	// seconds. With -s master keeps its log on our pipe.
	p.proc, err = startProcess(p.log, "", p.home.env(), p.home.daemons()+"/master", "-s", "-c", filepath.Join(p.dir, "etc"))
	if err != nil {
		return err
	}
	return p.proc.waitForSMTP(p.addrs)
}

// Addr is the first address it listens on, "host:port".
func (p *Postfix) Addr() string { return p.addrs[0] }

// Addrs are all of them, in the order of ListenAddrs.
func (p *Postfix) Addrs() []string { return p.addrs }

// Log is the mail log.
func (p *Postfix) Log() *Log { return p.log }

// Stop ends it and waits for its processes. A second call does nothing.
func (p *Postfix) Stop() error {
	if p.proc != nil {
		p.proc.stopGroup()
		p.proc = nil
	}
	if p.temp {
		p.temp = false
		return os.RemoveAll(p.dir)
	}
	return nil
}

// configure writes main.cf and master.cf and lays the folders with the owners
// that Postfix checks for.
func (p *Postfix) configure(opts PostfixOptions) error {
	owner, err := userID(p.home.owner)
	if err != nil {
		return err
	}
	group, err := groupID(p.home.dropGroup)
	if err != nil {
		return err
	}
	// Temporary folders are made 0700, and Postfix's children are not root.
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	if err := p.layFolders(owner, group); err != nil {
		return err
	}
	main := p.mainCF(opts)
	if opts.TLS {
		if err := WriteCertificate(filepath.Join(p.dir, "etc"), p.hostname(opts)); err != nil {
			return err
		}
	}
	if len(opts.Users) > 0 {
		if err := p.write("etc/users", strings.Join(opts.Users, " ok\n")+" ok\n"); err != nil {
			return err
		}
	}
	maps.Copy(main, opts.ExtraMain)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(main)) {
		fmt.Fprintf(&text, "%s = %s\n", key, main[key])
	}
	if err := p.write("etc/main.cf", text.String()); err != nil {
		return err
	}
	return p.write("etc/master.cf", p.masterCF(opts.Chroot))
}

// layFolders makes what Postfix would make when it is installed.
func (p *Postfix) layFolders(owner, dropGroup int) error {
	for _, sub := range []string{"etc", "spool", "spool/pid", "data"} {
		if err := os.MkdirAll(filepath.Join(p.dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, sub := range strings.Fields("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		if err := os.MkdirAll(filepath.Join(p.dir, "spool", sub), 0o700); err != nil {
			return err
		}
		if err := os.Chown(filepath.Join(p.dir, "spool", sub), owner, -1); err != nil {
			return err
		}
	}
	for sub, mode := range map[string]os.FileMode{"maildrop": 0o730, "public": 0o710} {
		path := filepath.Join(p.dir, "spool", sub)
		err := errors.Join(os.MkdirAll(path, 0o700), os.Chown(path, owner, dropGroup), os.Chmod(path, mode))
		if err != nil {
			return err
		}
	}
	return os.Chown(filepath.Join(p.dir, "data"), owner, -1)
}

func (p *Postfix) hostname(opts PostfixOptions) string {
	if opts.Hostname == "" {
		return "mx.test"
	}
	return opts.Hostname
}

// mainCF gives the settings: nothing of the machine's own, no look-up outside,
// no waiting, every mail for our domains thrown away.
func (p *Postfix) mainCF(opts PostfixOptions) map[string]string {
	main := map[string]string{
		"compatibility_level":  "3.6",
		"queue_directory":      filepath.Join(p.dir, "spool"),
		"data_directory":       filepath.Join(p.dir, "data"),
		"command_directory":    filepath.Join(p.home.root, "usr/sbin"),
		"daemon_directory":     p.home.daemons(),
		"shlib_directory":      p.home.libraries(),
		"meta_directory":       filepath.Join(p.home.root, "etc/postfix"),
		"mail_owner":           p.home.owner,
		"setgid_group":         p.home.dropGroup,
		"import_environment":   "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH",
		"maillog_file":         "/dev/stdout",
		"myhostname":           p.hostname(opts),
		"mydestination":        strings.Join(append([]string{"$myhostname", "localhost"}, opts.Domains...), ", "),
		"inet_interfaces":      "all",
		"inet_protocols":       "all",
		"mynetworks":           "127.255.255.255/32",
		"alias_maps":           "",
		"alias_database":       "",
		"local_transport":      "discard:",
		"default_transport":    "discard:",
		"relay_transport":      "discard:",
		"local_recipient_maps": "",
		"notify_classes":       "",
		// The daemon under test asks DNS itself; the machine's resolver stays out of it.
		"smtpd_peername_lookup":               "no",
		"smtp_dns_support_level":              "disabled",
		"smtpd_client_connection_count_limit": "0",
		"smtpd_client_connection_rate_limit":  "0",
		"default_process_limit":               "200",
		// Postfix slows down a client that makes mistakes, and ours make many.
		"smtpd_error_sleep_time":              "0",
		"smtpd_soft_error_limit":              "10001",
		"smtpd_hard_error_limit":              "10000",
		"smtpd_junk_command_limit":            "10000",
		"smtpd_relay_restrictions":            "reject_unauth_destination",
		"smtpd_recipient_restrictions":        "",
		"smtpd_reject_unlisted_recipient":     "yes",
		"unknown_local_recipient_reject_code": "550",
		"smtpd_tls_security_level":            "none",
	}
	if opts.MilterAddr != "" {
		settings := append([]string{opts.MilterAddr, "default_action=tempfail"}, opts.MilterSettings...)
		main["smtpd_milters"] = "{ " + strings.Join(settings, ", ") + " }"
	}
	if opts.XCLIENT {
		main["smtpd_authorized_xclient_hosts"] = "127.0.0.0/8, [::1]/128"
	}
	if len(opts.Users) > 0 {
		main["local_recipient_maps"] = "texthash:" + filepath.Join(p.dir, "etc", "users")
	}
	if opts.TLS {
		main["smtpd_tls_security_level"] = "may"
		main["smtpd_tls_cert_file"] = filepath.Join(p.dir, "etc", "cert.pem")
		main["smtpd_tls_key_file"] = filepath.Join(p.dir, "etc", "key.pem")
	}
	return main
}

// masterCF lists the services that taking a mail and throwing it away needs, none
// but smtpd ever in a chroot.
func (p *Postfix) masterCF(chroot bool) string {
	jail := "n"
	if chroot {
		jail = "y"
	}
	var b strings.Builder
	for _, addr := range p.addrs {
		fmt.Fprintf(&b, "%s inet n - %s - - smtpd\n", addr, jail)
	}
	b.WriteString(`pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`)
	return b.String()
}

// write makes a file of an old date: each process of Postfix waits, seconds long,
// for a file that is not older than a second to be written to its end.
func (p *Postfix) write(name, text string) error {
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	old := time.Now().Add(-time.Hour)
	return os.Chtimes(path, old, old)
}

package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/attach"
	"mailprofiled/internal/config"
)

const place = "unix:/var/spool/postfix/mailprofiled/milter.sock"

// noon is when all is well.
var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// aSite is one where nothing is wrong: enforced, beside no MTA of this machine.
func aSite(t *testing.T) *Facts {
	t.Helper()
	state := t.TempDir()
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("mode = \"enforce\"\nus.domains = [\"example.net\"]\nexempt.networks = [\"192.0.2.0/24\"]\nmilter.listen = [%q]\nstate.path = %q\n", place, state)
	cfg, report := config.Parse("mailprofiled.toml", []byte(text))
	if cfg == nil {
		t.Fatal(report)
	}
	s := &admin.Status{
		Version: "0.1.0", Commit: "abc", PID: 4711, Started: noon.Add(-24 * time.Hour), Now: noon, State: admin.Serving, Mode: "enforce",
		Config: admin.Config{Settings: cfg.SettingsID()}, Listen: []string{place}, Doors: []admin.Door{{Listen: place, Role: "mx"}},
		Sessions: admin.Sessions{Total: 1000, Sent: admin.Sent{Mails: 900, LoggedIn: 9, Rcpts: 1000}, Recent: admin.Recent{Clients: 256, Distinct: 190, Most: "192.0.2.9", MostSeen: 12}},
		MTA:      &admin.MTA{Name: "mx1.example.net", LastCommand: noon.Add(-time.Minute), Agreed: admin.Offer{Version: 2, Actions: 0x100, Protocol: 0xf70}},
		Store:    admin.Store{Path: "/x", Kept: true},
	}
	return &Facts{Version: "0.1.0", Commit: "abc", ConfigPath: "/etc/mailprofiled/mailprofiled.toml", Config: cfg, Status: s, User: "root", Now: noon, Systemd: true}
}

// findings are those of an examination that have a remark to make.
func findings(f *Facts) []Finding {
	var all []Finding
	for _, one := range Examine(context.Background(), f).Findings {
		if one.Severity != OK && one.ID != "clock" { // whether somebody sets this machine's is its own affair
			all = append(all, one)
		}
	}
	return all
}

func TestAGoodSite(t *testing.T) {
	f := aSite(t)
	for _, one := range findings(f) {
		if one.ID != "mta" {
			t.Errorf("%+v", one)
		}
	}
}

// TestDaemonAndClients: one thing is wrong, and it is that which is found.
func TestDaemonAndClients(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Facts)
		id     string
		as     Severity
		what   string
		remedy string
	}{
		{"mistakes in the files", func(f *Facts) { f.Config, f.Mistakes = nil, []string{"m.toml:3: x"} }, "config", Error, "m.toml:3: x", "mailprofiled check"},
		{"what only root may read", func(f *Facts) { f.MistakesAs = []string{"m.toml:1: cannot be read: permission denied; let"} }, "config", Error, "user root, as whom the daemon runs, cannot use", "runuser -u root -- mailprofiled check"},
		{"it does not run", func(f *Facts) { f.Status, f.StatusErr = nil, admin.ErrNoDaemon }, "daemon-running", Error, "no daemon answers", "systemctl start mailprofiled"},
		{"it may not be asked", func(f *Facts) { f.Status, f.StatusErr = nil, fmt.Errorf("x: %w", errors.Join(errors.ErrUnsupported)) }, "daemon-running", Error, "does not answer", "systemctl restart"},
		{"control is off", func(f *Facts) { f.Status = nil }, "daemon-running", Note, "admin.control is off", "admin.control = "},
		{"an older daemon runs", func(f *Facts) { f.Status.Version = "0.0.9" }, "daemon-version", Warning, "0.0.9", "systemctl restart"},
		{"other settings", func(f *Facts) { f.Status.Config.Settings = "00" }, "daemon-settings", Warning, "other settings", "mailprofiled reload"},
		{"a refused reload", func(f *Facts) { f.Status.Config.Refused = []string{"m.toml:3: x"} }, "daemon-settings", Warning, "m.toml:3: x", "mailprofiled reload"},
		{"a socket that wants a restart", func(f *Facts) { f.Status.Listen = []string{"unix:/x"} }, "daemon-settings", Warning, place, "systemctl restart"},
		{"state is not kept", func(f *Facts) {
			f.Status.Store.Kept, f.Status.Store.Error, f.Status.Store.Remedy = false, "disk full", "make room"
		}, "state-kept", Error, "disk full", "make room"},
		{"state with damage", func(f *Facts) { f.Status.Store.SetAside = 2 }, "state-kept", Warning, "2 files of the state had damage", ".corrupt-*"},
		{"no MTA since yesterday", func(f *Facts) { f.Status.MTA = nil }, "mta-seen", Warning, "24h0m0s", "mailprofiled attach postfix"},
		{"no MTA in the first minutes", func(f *Facts) { f.Status.MTA, f.Status.Started = nil, noon.Add(-time.Minute) }, "mta-seen", Note, "1m0s", ""},
		{"no MTA for hours", func(f *Facts) { f.Status.MTA.LastCommand = noon.Add(-5 * time.Hour) }, "mta-seen", Note, "5h0m0s ago", ""},
		{"refused recipients are not shown", func(f *Facts) { f.Status.MTA.Agreed.Protocol &^= 0x800 }, "mta-negotiated", Warning, "unknown users", "milter_protocol=6"},
		{"no mailer macro", func(f *Facts) { f.Status.Sessions.Sent.Unmarked = 1000 }, "mta-macros", Warning, "{rcpt_mailer}", ""},
		{"no name", func(f *Facts) { f.Status.Sessions.Sent.Unnamed = 1000 }, "mta-macros", Note, "{j}", "us.names"},
		{"nobody logs in at submission", func(f *Facts) { f.Status.Doors[0].Role, f.Status.Sessions.Sent.LoggedIn = "submission", 0 }, "mta-logins", Warning, "{auth_authen}", "smtpd_sasl_auth_enable"},
		{"a NAT", func(f *Facts) {
			f.Status.Sessions.Recent = admin.Recent{Clients: 256, Distinct: 2, Most: "172.17.0.1", MostSeen: 250}
		}, "client-addresses", Error, "172.17.0.1", "haproxy"},
		{"a NAT while nothing is said", func(f *Facts) {
			f.Status.Mode, f.Status.Sessions.Recent = "monitor", admin.Recent{Clients: 256, Distinct: 2, Most: "172.17.0.1", MostSeen: 250}
		}, "client-addresses", Warning, "172.17.0.1", "haproxy"},
		{"a gateway", func(f *Facts) {
			f.Status.Sessions.Recent = admin.Recent{Clients: 100, Distinct: 1, Most: "198.51.100.7", MostSeen: 100}
		}, "client-addresses", Warning, "198.51.100.7", "exempt.networks = [\"198.51.100.7\"]"},
		{"a proxy on this machine", func(f *Facts) {
			f.Status.Sessions.Recent = admin.Recent{Clients: 100, Distinct: 1, Most: "127.0.0.1", MostSeen: 100}
		}, "client-addresses", Warning, "nobody is judged", "haproxy"},
		{"few clients", func(f *Facts) {
			f.Status.Sessions.Recent = admin.Recent{Clients: 3, Distinct: 1, Most: "172.17.0.1", MostSeen: 3}
		}, "client-addresses", Note, "too few", ""},
		{"a list that is refused", func(f *Facts) {
			f.Status.Lists = []admin.DNSList{{List: "x", State: "refused", Reason: "public resolver", Remedy: "use another"}}
		}, "lists", Warning, "refused: public resolver", "use another"},
		{"a list that is not tested yet", func(f *Facts) { f.Status.Lists = []admin.DNSList{{List: "x", State: "untested"}} }, "lists", Note, "not tested yet", "mailprofiled lists"},
		{"a public resolver", func(f *Facts) { f.Upstreams = []netip.Addr{netip.MustParseAddr("2001:4860:4860::8888")} }, "dns-public", Warning, "Google", "unbound"},
		{"a clock that is slow", func(f *Facts) { f.Built = noon.Add(48 * time.Hour) }, "", 0, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := aSite(t)
			tt.change(f)
			all := findings(f)
			i := slices.IndexFunc(all, func(o Finding) bool { return o.ID == tt.id })
			switch {
			case tt.id == "": // held by TestClock
			case i < 0:
				t.Errorf("not found: %+v", all)
			case all[i].Severity != tt.as || !strings.Contains(all[i].What, tt.what) || !strings.Contains(strings.Join(all[i].Remedy, "\n"), tt.remedy):
				t.Errorf("got %+v", all[i])
			}
			for _, o := range all {
				if o.ID != tt.id && o.ID != "mta" && tt.id != "config" && o.ID != "dns-answers" && tt.id != "daemon-running" && tt.name != "a socket that wants a restart" && tt.id != "" {
					t.Errorf("also: %+v", o)
				}
			}
		})
	}
}

func TestSelfTest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shown func(netip.Addr) (*admin.ShownClient, error)
		as    Severity
	}{
		{"as it is", func(a netip.Addr) (*admin.ShownClient, error) { return &admin.ShownClient{Client: a.String()}, nil }, OK},
		{"lost", func(netip.Addr) (*admin.ShownClient, error) { return &admin.ShownClient{}, nil }, Error},
		{"another daemon", func(netip.Addr) (*admin.ShownClient, error) { return nil, nil }, Note},
		{"not allowed", func(netip.Addr) (*admin.ShownClient, error) { return nil, errors.New("permission denied") }, Note},
	} {
		f := aSite(t)
		forms := map[bool]int{}
		f.SelfTest = func(_ context.Context, at string, sendmail bool, a netip.Addr) (*admin.ShownClient, error) {
			if at != place {
				t.Errorf("shown at %s", at)
			}
			forms[sendmail]++
			return tt.shown(a)
		}
		r := Examine(t.Context(), f)
		i := slices.IndexFunc(r.Findings, func(o Finding) bool { return o.ID == "ipv6-clients" })
		if i < 0 || r.Findings[i].Severity != tt.as || tt.as == OK && (forms[true] != 1 || forms[false] != 1) {
			t.Errorf("%s: %+v, forms %v", tt.name, r.Findings, forms)
		}
	}
}

func TestClock(t *testing.T) {
	f := aSite(t)
	for name, change := range map[string]func(){
		"older than the program":   func() { f.Built = noon.Add(48 * time.Hour) },
		"set back since start":     func() { f.Status.Started = noon.Add(time.Hour) },
		"set back since a write":   func() { f.Status.Store.LastWrite = noon.Add(time.Hour) },
		"outside DNS's signatures": func() { f.Servers = []netip.AddrPort{fakeDNS(t, rootOf(noon.Add(-60*24*time.Hour)))} },
	} {
		*f = *aSite(t)
		change()
		r := Examine(t.Context(), f)
		if i := slices.IndexFunc(r.Findings, func(o Finding) bool { return o.ID == "clock" }); r.Findings[i].Severity != Error {
			t.Errorf("%s: %+v", name, r.Findings[i])
		}
	}
}

func TestReport(t *testing.T) {
	f := aSite(t)
	f.Status.Config.Settings = "00"
	r := Examine(t.Context(), f)
	if r.Findings[0].ID != "daemon-settings" || r.Warnings == 0 || r.Errors != 0 {
		t.Errorf("%+v", r)
	}
	var out bytes.Buffer
	r.Print(&out)
	if want := "warning  daemon-settings: the daemon judges by other settings than /etc/mailprofiled/mailprofiled.toml says\n             mailprofiled reload --config /etc/mailprofiled/mailprofiled.toml\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got\n%s", out.String())
	}
	text, err := json.Marshal(r.Findings[0])
	if want := `{"id":"daemon-settings","severity":"warning","about":"","what":"the daemon judges by other settings than /etc/mailprofiled/mailprofiled.toml says","remedy":["mailprofiled reload --config /etc/mailprofiled/mailprofiled.toml"]}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}

// mtaSite is aSite beside a Postfix that is attached as it should be.
func mtaSite(t *testing.T, entry string) *Facts {
	f := aSite(t)
	f.Postfix = attach.ParsePostfix("mail_version = 3.7.11\nqueue_directory = /var/spool/postfix\nconfig_directory = /etc/postfix\nmail_owner = root\n"+
		"smtpd_milters = "+entry+"\nmilter_default_action = tempfail\nmilter_connect_timeout = 30s\nmilter_command_timeout = 30s\nmilter_protocol = 6\n",
		"smtp inet n - y - - smtpd\n", nil)
	f.Reach = func(_ context.Context, _ Who, root, at string) error {
		if root != "/var/spool/postfix" || at != "unix:/mailprofiled/milter.sock" {
			return fmt.Errorf("asked for %s in %s", at, root)
		}
		return nil
	}
	return f
}

func TestPostfix(t *testing.T) {
	const good = "{ unix:mailprofiled/milter.sock, default_action=tempfail, connect_timeout=10s, command_timeout=30s }"
	const attachLine = "postconf -e 'smtpd_milters = " + good + "'"
	for _, tt := range []struct {
		name   string
		entry  string
		change func(*Facts)
		id     string // "" for none
		as     Severity
		what   string
		remedy string
	}{
		{"as attach says", good, nil, "", 0, "", ""},
		{"short, by the defaults of Postfix", "unix:mailprofiled/milter.sock", nil, "", 0, "", ""},
		{"an absolute path in a chroot", "unix:" + place[5:], nil, "postfix-socket", Error, "chroot /var/spool/postfix", attachLine},
		{"not attached", "inet:127.0.0.1:11332", nil, "postfix-attached", Warning, "does not ask", "postconf -e 'smtpd_milters = " + good + ", inet:127.0.0.1:11332'"},
		{"passes unjudged while down", strings.Replace(good, "tempfail", "accept", 1), nil, "postfix-down", Warning, "unjudged", attachLine},
		{"refuses while down", strings.Replace(good, "tempfail", "reject", 1), nil, "postfix-down", Error, "for good", attachLine},
		{"holds while down", strings.Replace(good, "tempfail", "quarantine", 1), nil, "postfix-down", Warning, "on hold", attachLine},
		{"holds up mail in monitor mode", good, func(f *Facts) { f.Status.Mode = "monitor" }, "postfix-down", Note, "monitor", "default_action=accept"},
		{"waits too short", strings.Replace(good, "command_timeout=30s", "command_timeout=5s", 1), nil, "postfix-waits", Error, "5s for an answer", attachLine},
		{"nobody may try, and the bits tell", good, func(f *Facts) { f.Reach = nil }, "postfix-socket", Error, "/var/spool/postfix", "postfix"},
		{"nobody may try TCP", "inet:127.0.0.1:8891", func(f *Facts) { f.Reach, f.Status.Listen = nil, []string{"inet:127.0.0.1:8891"} }, "postfix-socket", Note, "takes root", "doctor"},
		{"a user that is not there", good, func(f *Facts) { f.Postfix.Owner = "nobody-by-that-name" }, "postfix-socket", Note, "not known", ""},
		{"out of reach", good, func(f *Facts) {
			f.Reach = func(context.Context, Who, string, string) error { return errors.New("refused") }
		}, "postfix-socket", Error, "/var/spool/postfix", ""},
		{"an old protocol", good, func(f *Facts) { f.Postfix.Protocol = "2" }, "postfix-protocol", Warning, "is 2", "postconf -X milter_protocol"},
		{"told to ask, and not reloaded", good, func(f *Facts) { f.Status.MTA = nil }, "mta-seen", Warning, "Postfix is told to ask", "postfix reload"},
		{"told to ask just now", good, func(f *Facts) { f.Status.MTA, f.Status.Started = nil, noon.Add(-time.Minute) }, "mta-seen", Note, "next visitor", ""},
		{"clients kept away", good, func(f *Facts) { f.Postfix.Maps = "cidr:/x" }, "postfix-maps", Note, "cidr:/x", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := mtaSite(t, tt.entry)
			if tt.change != nil {
				tt.change(f)
			}
			all := findings(f)
			if tt.id == "" {
				if len(all) > 0 {
					t.Errorf("%+v", all)
				}
				return
			}
			i := slices.IndexFunc(all, func(o Finding) bool { return o.ID == tt.id })
			if i < 0 || all[i].Severity != tt.as || !strings.Contains(all[i].What, tt.what) || !strings.Contains(strings.Join(all[i].Remedy, "\n"), tt.remedy) {
				t.Errorf("got %+v", all)
			}
		})
	}
}

// TestSubmissionHasADoor: where there is one for submission, that is what it is to ask.
func TestSubmissionHasADoor(t *testing.T) {
	f := mtaSite(t, "unix:mailprofiled/milter.sock")
	f.Status.Doors = append(f.Status.Doors, admin.Door{Listen: "unix:/var/spool/postfix/mailprofiled/submission.sock", Role: "submission"})
	f.Postfix = attach.ParsePostfix("queue_directory = /var/spool/postfix\nconfig_directory = /etc/postfix\nmail_owner = root\nsmtpd_milters = unix:mailprofiled/milter.sock\n",
		"smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd -o smtpd_milters=\n", nil)
	all := findings(f)
	if len(all) != 1 || all[0].ID != "postfix-submission" || !strings.HasPrefix(all[0].Remedy[0], "postconf -P 'submission/inet/smtpd_milters={unix:mailprofiled/submission.sock,") {
		t.Errorf("got %+v", all)
	}
}

// TestBehindPostscreen: the service that postscreen hands over to is of another type.
func TestBehindPostscreen(t *testing.T) {
	f := mtaSite(t, "")
	f.Postfix = attach.ParsePostfix("queue_directory = /var/spool/postfix\nconfig_directory = /etc/postfix\nmail_owner = root\nsmtpd_milters =\n",
		"smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd -o smtpd_milters=inet:localhost:8899\n", nil)
	all := findings(f)
	if len(all) != 1 || all[0].ID != "postfix-attached" || !strings.HasPrefix(all[0].Remedy[0], "postconf -P 'smtpd/pass/smtpd_milters={unix:mailprofiled/milter.sock,") {
		t.Errorf("got %+v", all)
	}
}

// TestSubmission: a service of its own list gets its own line.
func TestSubmission(t *testing.T) {
	f := mtaSite(t, "unix:mailprofiled/milter.sock")
	f.Postfix = attach.ParsePostfix("queue_directory = /var/spool/postfix\nconfig_directory = /etc/postfix\nmail_owner = root\nsmtpd_milters = unix:mailprofiled/milter.sock\n",
		"smtp inet n - y - - smtpd\nsubmission inet n - n - - smtpd -o smtpd_milters=inet:localhost:8899\n127.0.0.1:10025 inet n - n - - smtpd -o receive_override_options=no_milters\n",
		map[string]string{"submission/inet/smtpd_milters": "inet:localhost:8899", "127.0.0.1:10025/inet/receive_override_options": "no_milters"})
	all := findings(f)
	if len(all) != 1 || all[0].ID != "postfix-submission" || all[0].Severity != Note ||
		all[0].Remedy[0] != "postconf -P 'submission/inet/smtpd_milters={unix:mailprofiled/milter.sock,default_action=tempfail,connect_timeout=10s,command_timeout=30s},inet:localhost:8899'" {
		t.Errorf("got %+v", all)
	}
}

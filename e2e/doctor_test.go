//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// doctorZone is what a resolver in order knows.
const doctorZone = "org. 300 IN SOA a. b. 1 2 3 4 5\n. 300 IN DNSKEY 257 3 8 AwEAAQ==\n"

// A prescription is a finding of the command doctor.
type prescription struct {
	ID, Severity, About, What string
	Remedy                    []string
}

// A patient is a site that the command doctor looks at.
type patient struct {
	*daemon
	dns  *dnstest.Server
	args []string
}

// newPatient starts a daemon in a folder where a daemon's user has it.
func newPatient(t *testing.T, zone string) *patient {
	t.Helper()
	dns, err := dnstest.Start(doctorZone + zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	d := startDaemon(t, daemonConfig(dns.Addr(), ""))
	d.signal(t, syscall.SIGTERM)
	d.ended(t)
	return &patient{daemon: d, dns: dns}
}

// openAt starts the daemon with its socket in folder, and where it can be asked.
func (p *patient) openAt(t *testing.T, folder, group string) {
	t.Helper()
	state := filepath.Join(p.dir, "state")
	gid, err := groupID(group)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("milter.listen = [%q]\nmilter.socket_group = %q\nmilter.socket_mode = \"0660\"\nadmin.control = %q\nadmin.listen = %q\nstate.path = %q\n",
		"unix:"+filepath.Join(folder, "milter.sock"), group, filepath.Join(p.dir, "control.sock"), "unix:"+filepath.Join(p.dir, "admin.sock"), state)
	err = errors.Join(os.MkdirAll(filepath.Dir(folder), 0o755), os.MkdirAll(folder, 0o750), os.Chown(folder, 0, gid), os.MkdirAll(state, 0o700),
		os.MkdirAll(filepath.Join(p.dir, "conf.d"), 0o755), os.WriteFile(filepath.Join(p.dir, "conf.d", "socket.toml"), []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
}

// examine runs the command and gives what it says by that id, with its exit code.
func (p *patient) examine(t *testing.T, id string) (found []prescription, code int) {
	t.Helper()
	cmd := exec.Command(os.Getenv("E2E_DAEMON"), append([]string{"doctor", "--json", "--config", p.configPath()}, p.args...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var report struct{ Findings []prescription }
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil || complaint.Len() > 0 {
		t.Fatalf("doctor: %v, %v\n%s%s", err, jsonErr, out, &complaint)
	}
	for _, f := range report.Findings {
		if f.ID == id {
			found = append(found, f)
		}
	}
	return found, cmd.ProcessState.ExitCode()
}

// expect holds one finding to a severity, a word in it and one in its remedy.
func (p *patient) expect(t *testing.T, id, severity, what, remedy string) {
	t.Helper()
	found, code := p.examine(t, id)
	i := slices.IndexFunc(found, func(f prescription) bool { return f.Severity == severity })
	if i < 0 || !strings.Contains(found[i].What, what) || !strings.Contains(strings.Join(found[i].Remedy, "\n"), remedy) {
		t.Errorf("%s: got %+v, want %s, %q, %q; the daemon's log:\n%s", id, found, severity, what, remedy, p.log)
	}
	if severity == "error" && code != 1 {
		t.Errorf("%s: exit code %d", id, code)
	}
}

func TestDoctorAtPostfix(t *testing.T) {
	dir, err := os.MkdirTemp("", "postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	group := "postfix"
	if !hasGroup(group) {
		group = "uucp" // as whom mtatest runs a Postfix that is only unpacked
	}
	good := netip.MustParseAddr("192.0.2.10")
	var w world
	w.good(good, "good.example")
	p := newPatient(t, w.String())
	folder := filepath.Join(dir, "spool", "mailprofiled")
	p.openAt(t, folder, group)
	const entry = "{ unix:mailprofiled/milter.sock, default_action=tempfail, connect_timeout=10s, command_timeout=30s }"
	m, err := mtatest.StartPostfix(mtatest.PostfixOptions{Dir: dir, Domains: []string{"example.net"}, Chroot: true, ExtraMain: map[string]string{"smtpd_milters": entry}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop() })
	if _, err := exec.LookPath("postconf"); err != nil { // it is only unpacked
		home := os.Getenv("E2E_POSTFIX")
		t.Setenv("PATH", os.Getenv("PATH")+":"+filepath.Join(home, "usr/sbin"))
		t.Setenv("LD_LIBRARY_PATH", filepath.Join(home, "usr/lib/postfix"))
	}
	etc := filepath.Join(dir, "etc")
	p.args = []string{"--postfix", etc, "--cf", "/nonexistent/sendmail.cf"}
	set := func(key, value string) {
		t.Helper()
		if out, err := exec.Command("postconf", "-c", etc, "-e", key+"="+value).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}

	// As it should be: the very user reaches it inside the chroot, and after a mail the
	// MTA is known.
	p.expect(t, "postfix-attached", "ok", "asks mailprofiled at unix:"+folder, "")
	p.expect(t, "postfix-socket", "ok", "in the chroot "+filepath.Join(dir, "spool"), "")
	p.expect(t, "postfix-down", "ok", "come back later", "")
	c, err := mtatest.Dial(good.String(), m.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, "EHLO mx.good.example", 250)
	send(t, c, "a@good.example", "jo@example.net")
	quit(t, c)
	c.Close()
	p.expect(t, "mta-seen", "ok", "mx.test", "")
	p.expect(t, "mta-macros", "ok", "", "")
	p.expect(t, "ipv6-clients", "ok", "", "")
	p.expect(t, "dns-answers", "ok", "", "")

	// Each fault made, and found.
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(folder, 0o700)
	p.expect(t, "postfix-socket", "error", "may not be passed", "chmod 2710 "+folder)
	chmod(folder, 0o710)
	socket := filepath.Join(folder, "milter.sock")
	chmod(socket, 0o600)
	p.expect(t, "postfix-socket", "error", "may not be written to", "milter.socket_group")
	chmod(socket, 0o660)
	p.expect(t, "postfix-socket", "ok", "", "")

	set("smtpd_milters", "unix:"+socket)
	p.expect(t, "postfix-socket", "error", "chroot", "postconf -e 'smtpd_milters = "+entry+"'")
	set("smtpd_milters", "inet:127.0.0.1:11332")
	p.expect(t, "postfix-attached", "warning", "does not ask", "postconf -e 'smtpd_milters = "+entry+", inet:127.0.0.1:11332'")
	set("smtpd_milters", strings.Replace(entry, "tempfail", "accept", 1))
	p.expect(t, "postfix-down", "warning", "unjudged", "default_action=tempfail")
	set("smtpd_milters", strings.Replace(entry, "command_timeout=30s", "command_timeout=3s", 1))
	p.expect(t, "postfix-waits", "error", "waits 3s", "command_timeout=30s")
	set("smtpd_milters", "unix:mailprofiled/milter.sock")
	set("milter_default_action", "reject")
	p.expect(t, "postfix-down", "error", "for good", "postconf -e")
	set("milter_protocol", "2")
	p.expect(t, "postfix-protocol", "warning", "is 2", "postconf -X milter_protocol")

	// The remedy, typed as it stands, mends it.
	found, _ := p.examine(t, "postfix-down")
	for _, line := range found[0].Remedy {
		line = strings.Replace(line, "postconf ", "postconf -c "+etc+" ", 1)
		if strings.HasPrefix(line, "postconf ") {
			if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", line, err, out)
			}
		}
	}
	p.expect(t, "postfix-down", "ok", "come back later", "")

	// DNS that invents names, and a daemon that is gone.
	p.dns.Misbehave(".", dnstest.Rewrite)
	p.expect(t, "dns-nxdomain", "error", "invents", "unbound")
	p.dns.Misbehave(".", dnstest.OK)
	p.signal(t, syscall.SIGTERM)
	p.ended(t)
	p.expect(t, "daemon-running", "error", "no daemon answers", "serve")
	p.expect(t, "postfix-socket", "error", "not there", "")
}

func TestDoctorAtSendmail(t *testing.T) {
	p := newPatient(t, "")
	dir, err := os.MkdirTemp("", "sendmail-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	folder := filepath.Join(p.dir, "run")
	p.openAt(t, folder, "root")
	m, err := mtatest.StartSendmail(mtatest.SendmailOptions{
		Root: os.Getenv("E2E_SENDMAIL"), Syslog: syslog, Dir: dir, Domains: []string{"example.net"},
		ExtraMC: []string{fmt.Sprintf("INPUT_MAIL_FILTER(`mailprofiled', `S=local:%s, F=T, T=C:30s;S:30s;R:30s;E:1m')dnl", filepath.Join(folder, "milter.sock"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop() })
	cf := filepath.Join(dir, "sendmail.cf")
	p.args = []string{"--cf", cf}
	c, err := mtatest.Dial("192.0.2.10", m.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, "EHLO mx.good.example", 250)
	quit(t, c)
	c.Close()
	p.expect(t, "sendmail-attached", "ok", "asks mailprofiled", "")
	p.expect(t, "sendmail-socket", "ok", "user root reaches", "")
	p.expect(t, "sendmail-down", "ok", "come back later", "")
	p.expect(t, "sendmail-waits", "ok", "30s", "")
	p.expect(t, "mta-seen", "ok", "mx.test", "")
	p.expect(t, "ipv6-clients", "ok", "", "")

	text, err := os.ReadFile(cf)
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) {
		t.Helper()
		if !strings.Contains(string(text), old) {
			t.Fatalf("sendmail.cf has no %q", old)
		}
		if err := os.WriteFile(cf, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	change("F=T", "F=")
	p.expect(t, "sendmail-down", "warning", "unjudged", "mailprofiled attach sendmail")
	change("F=T", "F=R")
	p.expect(t, "sendmail-down", "error", "for good", "mailprofiled attach sendmail")
	change(";R:30s", "") // Sendmail's own is 10 seconds
	p.expect(t, "sendmail-waits", "ok", "10s", "")
	change("R:30s", "R:4s")
	p.expect(t, "sendmail-waits", "error", "waits 4s", "mailprofiled attach sendmail")
	change("InputMailFilters=mailprofiled", "InputMailFilters=")
	p.expect(t, "sendmail-attached", "warning", "does not ask", "mailprofiled attach sendmail")
	change(filepath.Join(folder, "milter.sock"), "/run/mailprofiled/milter.sock")
	p.expect(t, "sendmail-socket", "error", "looks for unix:/run/mailprofiled/milter.sock", "")
}

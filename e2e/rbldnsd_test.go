//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"mailprofiled/internal/mtatest"
)

// A server is a process that serves DNS at an address of its own.
type server struct {
	addr netip.AddrPort
	log  *mtatest.Log
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
}

// servers counts the addresses given away: each server has its own, as each has in
// the world, and all of 127.0.0.0/8 is ours.
var servers atomic.Uint32

func nextServerAddr() netip.AddrPort {
	n := servers.Add(1)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)}), 53)
}

// run starts a server, which says ready in its log when it serves. It ends with the
// test.
func (s *server) run(t *testing.T, ready, name string, args ...string) {
	t.Helper()
	mark := s.log.Len()
	cmd := exec.Command(filepath.Join(os.Getenv("E2E_DNS"), name), args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // it is made to end
	}()
	s.cmd, s.gone = cmd, gone
	t.Cleanup(s.kill)
	if _, err := s.log.Wait(waiting(t), mark, mtatest.Containing(ready)); err != nil {
		t.Fatal(err)
	}
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill() // also one that is stopped; it may have ended
	<-s.gone
}

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// An rbldnsd serves the zone of one DNS list, as that list's operator would.
type rbldnsd struct {
	server
	zone, dir string
	written   int
	t         *testing.T // with it the server ends, by whom so ever it was started
}

// rblTTL is the usual TTL, in seconds: short, so that what a resolver has kept of a
// list is soon forgotten.
const rblTTL = 2

// startRBL serves zone; entries are as reload has them.
func startRBL(t *testing.T, zone, entries string) *rbldnsd {
	t.Helper()
	r := &rbldnsd{server: server{addr: nextServerAddr(), log: new(mtatest.Log)}, zone: zone, dir: t.TempDir(), t: t}
	for dir := r.dir; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // it runs as nobody
			t.Fatal(err)
		}
	}
	r.write(t, entries, rblTTL)
	r.start()
	return r
}

func (r *rbldnsd) start() {
	r.t.Helper()
	r.run(r.t, " started (", "rbldnsd", "-n", "-u", "nobody:nogroup", "-w", r.dir, "-c", "0",
		"-b", fmt.Sprintf("%s/%d", r.addr.Addr(), r.addr.Port()), r.zone+":ip4set:ip4", r.zone+":ip6trie:ip6", r.zone+":dnset:names")
}

// write lays the zone's data: a line each, "SUBJECT ANSWER", where the subject is
// an address, a network or a name, and "all" every address of IPv4. The TTL is in
// seconds.
func (r *rbldnsd) write(t *testing.T, entries string, ttl int) {
	t.Helper()
	r.written++
	// The same time and size as before would be taken for no change.
	head := fmt.Sprintf("#%s\n$SOA %d ns.%s hostmaster.%s 0 600 300 86400 %d\n$TTL %d\n", strings.Repeat("#", r.written), rblTTL, r.zone, r.zone, rblTTL, ttl)
	files := map[string]*strings.Builder{"ip4": {}, "ip6": {}, "names": {}}
	for _, entry := range strings.Split(strings.TrimSpace(entries), "\n") {
		subject, answer, _ := strings.Cut(strings.TrimSpace(entry), " ")
		switch _, err := netip.ParseAddr(strings.Split(subject, "/")[0]); {
		case subject == "":
		case subject == "all":
			fmt.Fprintf(files["ip4"], "0/1 :%s:$\n128/1 :%s:$\n", answer, answer)
		case err != nil:
			fmt.Fprintf(files["names"], ".%s :%s:$\n", subject, answer)
		case strings.Contains(subject, ":"):
			fmt.Fprintf(files["ip6"], "%s :%s:$\n", subject, answer)
		default:
			fmt.Fprintf(files["ip4"], "%s :%s:$\n", subject, answer)
		}
	}
	for name, text := range files {
		path := filepath.Join(r.dir, name)
		if err := os.WriteFile(path+".new", []byte(head+text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

// reload changes the data and returns when it is served.
func (r *rbldnsd) reload(t *testing.T, entries string, ttl int) {
	t.Helper()
	r.write(t, entries, ttl)
	mark := r.log.Len()
	r.signal(t, syscall.SIGHUP)
	if _, err := r.log.Wait(waiting(t), mark, mtatest.Containing("zones reloaded")); err != nil {
		t.Fatal(err)
	}
}

// startUnbound is a resolver of a site's own: it asks each list's servers for what
// is below its zone, and world for all else.
func startUnbound(t *testing.T, world netip.AddrPort, zones map[string]netip.AddrPort) *server {
	t.Helper()
	s := &server{addr: nextServerAddr(), log: new(mtatest.Log)}
	var b strings.Builder
	fmt.Fprintf(&b, `server:
	interface: %s
	port: %d
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	username: ""
	chroot: ""
	pidfile: ""
	directory: %q
	do-daemonize: no
	use-syslog: no
	verbosity: 1
	num-threads: 1
	module-config: "iterator"
	# The networks and names of documentation, which are ours here.
	unblock-lan-zones: yes
	insecure-lan-zones: yes
	local-zone: "test." nodefault
	local-zone: "invalid." nodefault
	# A server that was silent is asked again soon.
	infra-host-ttl: 1
forward-zone:
	name: "."
	forward-addr: %s@%d
`, s.addr.Addr(), s.addr.Port(), t.TempDir(), world.Addr(), world.Port())
	for zone, at := range zones {
		fmt.Fprintf(&b, "stub-zone:\n\tname: %q\n\tstub-addr: %s@%d\n", zone, at.Addr(), at.Port())
	}
	path := filepath.Join(t.TempDir(), "unbound.conf")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	s.run(t, "start of service", "unbound", "-d", "-c", path)
	return s
}

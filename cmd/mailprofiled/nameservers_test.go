package main

import (
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"

	"mailprofiled/internal/config"
)

// TestNameServersAreFollowed: a machine that comes up without a resolver gets one when
// its network is there, under sessions too, without a reload.
func TestNameServersAreFollowed(t *testing.T) {
	dns := startDNS(t, badZone, "")
	dir := t.TempDir()
	h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
	h.write(t, "mode = \"enforce\"\nus.domains = [\"here.example\"]\nstate.path = \""+filepath.Join(dir, "none")+"\"\n[points]\n\"rdns-missing\" = 6.0\n")
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, io.Discard)
	type answer struct {
		servers []netip.AddrPort
		err     error
	}
	var says atomic.Pointer[answer]
	says.Store(&answer{err: fs.ErrNotExist})
	h.system = func() ([]netip.AddrPort, error) { a := says.Load(); return a.servers, a.err }
	runDaemon(t, h.daemon)

	first := h.current.Load().resolver
	h.refreshServers(t.Context())
	h.refreshServers(t.Context())
	if h.current.Load().resolver != first {
		t.Fatal("a file that is not there has changed the servers")
	}
	says.Store(&answer{servers: []netip.AddrPort{dns.Addr()}})
	eventually(t, "the new server is asked", func() bool {
		h.refreshServers(t.Context())
		return h.current.Load().resolver != first
	})
	v := h.begin(t)
	defer v.Close()
	if a := ask(t, v); a.Action != "tempfail" {
		t.Errorf("judged by the new server: %v", a)
	}

	// One that cannot be read keeps those in use, and so do servers that the file names.
	now := h.current.Load()
	says.Store(&answer{err: fs.ErrPermission})
	h.refreshServers(t.Context())
	h.refreshServers(t.Context())
	if h.current.Load() != now {
		t.Error("an unreadable file has changed the servers")
	}
	h.write(t, judging(dns, 6))
	h.reload(t.Context())
	now = h.current.Load()
	says.Store(&answer{servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}})
	h.refreshServers(t.Context())
	h.refreshServers(t.Context())
	if h.current.Load() != now {
		t.Error("the machine's servers stand in for those of the configuration")
	}
}

// TestOneLookIsNotEnough: the file may just be written.
func TestOneLookIsNotEnough(t *testing.T) {
	d := &daemon{turn: make(chan struct{}, 1), system: func() ([]netip.AddrPort, error) {
		return []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}, nil
	}}
	g := &generation{cfg: config.Default(), resolver: &sharedResolver{}}
	d.current.Store(g)
	d.refreshServers(t.Context())
	if d.current.Load() != g || len(d.serversSeen) != 1 {
		t.Errorf("taken in at the first look: %+v", d.serversSeen)
	}
}

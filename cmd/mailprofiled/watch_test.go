package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/systemd"
	"mailprofiled/milter"
)

// TestUnderSystemd: from READY to STOPPING, with signs of life between.
func TestUnderSystemd(t *testing.T) {
	dns := startDNS(t, badZone, "")
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	told := hear(t, manager)
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "m.toml"), filepath.Join(dir, "milter.sock")
	text := judging(dns, 6) + fmt.Sprintf("[milter]\nlisten = [%q]\n[admin]\nlisten = \"\"\ncontrol = \"\"\n", "unix:"+socket)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, report := config.Load(file)
	if cfg == nil {
		t.Fatal(report)
	}
	d := newDaemon(cfg, io.Discard)
	d.manager = systemd.Find(func(key string) string {
		return map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000"}[key]
	}, os.Getpid())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.serve(ctx, func() {}) }()

	awaitTold(t, told, "READY=1\nSTATUS=serving, policy standard@1-")
	awaitTold(t, told, "WATCHDOG=1")
	awaitTold(t, told, "WATCHDOG=1")
	if r := d.reload(ctx); len(r.Errors) > 0 {
		t.Error(r.Errors)
	}
	awaitTold(t, told, "RELOADING=1\nMONOTONIC_USEC=")
	awaitTold(t, told, "READY=1")
	if st := d.status(); st.Sessions.Total != 0 || st.MTA != nil {
		t.Errorf("the self-test is taken for an MTA: %+v", st.Sessions)
	}
	cancel()
	awaitTold(t, told, "STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if r := d.reload(context.Background()); len(r.Errors) != 1 || !strings.Contains(r.Errors[0], "stopping") {
		t.Errorf("a reload at the end: %+v", r)
	}
}

// hear reads what the manager is told, as it does, without a pause: the kernel keeps
// ten datagrams, and what has no room for a second is lost.
func hear(t *testing.T, manager *net.UnixConn) <-chan string {
	t.Helper()
	told := make(chan string, 1<<16) // six minutes of signs of life
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 1<<10)
		for {
			n, err := manager.Read(buf)
			if err != nil {
				return
			}
			select {
			case told <- string(buf[:n]):
			default:
			}
		}
	})
	t.Cleanup(func() {
		manager.Close()
		reader.Wait()
	})
	return told
}

// awaitTold takes what the manager was told until it begins so.
func awaitTold(t *testing.T, told <-chan string, want string) {
	t.Helper()
	over := time.After(time.Minute)
	for {
		select {
		case text := <-told:
			if strings.HasPrefix(text, want) {
				return
			}
		case <-over:
			t.Fatalf("never told %q", want)
		}
	}
}

// TestSelfTest fails where nobody answers at our own door.
func TestSelfTest(t *testing.T) {
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	if err := h.selfTest(t.Context()); err != nil {
		t.Errorf("all is well: %v", err)
	}
	stuck, err := milter.Listen("unix:"+filepath.Join(t.TempDir(), "s"), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	sick := &daemon{doors: doors{mta: append(h.doors.mta, mtaDoor{Listener: stuck})}}
	sick.current.Store(h.current.Load())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sick.selfTest(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody accepts: %v", err)
	}
	stuck.Close()
	if err := sick.selfTest(t.Context()); err == nil {
		t.Error("nobody listens, and that is well")
	}
}

func TestWhatARestartWouldNotMend(t *testing.T) {
	for err, want := range map[error]bool{
		milter.ErrTurnedAway:           true,
		fs.ErrPermission:               true,
		syscall.EMFILE:                 true,
		context.DeadlineExceeded:       false,
		syscall.ECONNREFUSED:           false,
		fs.ErrNotExist:                 false,
		errors.New("answer 'x' to it"): false,
	} {
		if got := alive(fmt.Errorf("probe: %w", err)); got != want {
			t.Errorf("%v: alive %v, want %v", err, got, want)
		}
	}
}

// TestHandedSockets: the names of the service manager's sockets say what they are for.
func TestHandedSockets(t *testing.T) {
	handed := func(names ...string) []systemd.Socket {
		var all []systemd.Socket
		for _, name := range names {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			all = append(all, systemd.Socket{Listener: l, Name: name})
		}
		return all
	}
	for _, tt := range []struct {
		names        []string
		mta          int
		control, web bool
		wrong        string
	}{
		{nil, 0, false, false, ""},
		{[]string{"unknown"}, 1, false, false, ""},
		{[]string{"mailprofiled.socket", "milter", "control", "admin"}, 2, true, true, ""},
		{[]string{"milter", "contrl"}, 1, false, false, `socket "contrl" of systemd: not known`},
		{[]string{"admin", "admin"}, 0, false, true, `socket "admin" of systemd: not known, or there twice`},
	} {
		var ds doors
		err := ds.take(handed(tt.names...))
		if len(ds.mta) != tt.mta || (ds.control != nil) != tt.control || (ds.web != nil) != tt.web {
			t.Errorf("%v: %+v", tt.names, ds)
		}
		if (err != nil) != (tt.wrong != "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%v: %v, want %q", tt.names, err, tt.wrong)
		}
	}
}

// TestHandedSocketsAreServed: in place of those of the configuration.
func TestHandedSocketsAreServed(t *testing.T) {
	dns := startDNS(t, badZone, "")
	dir := t.TempDir()
	cfg, report := config.Parse("m.toml", []byte(judging(dns, 6)+"[milter]\nlisten = [\"unix:/no/such/place\"]\n[admin]\nlisten = \"\"\ncontrol = \"\"\n"))
	if cfg == nil {
		t.Fatal(report)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "handed.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	d := newDaemon(cfg, &log)
	d.handed = []systemd.Socket{{Listener: l, Name: "milter"}}
	runDaemon(t, d)
	h := &house{daemon: d, socket: l.Addr().String()}
	v := h.begin(t)
	defer v.Close()
	if a := ask(t, v); a.Status != "4.7.25" {
		t.Errorf("answer %v", a)
	}
	if got := d.doors.listen(); len(got) != 1 || got[0] != "unix:"+l.Addr().String() {
		t.Errorf("listening at %v", got)
	}
	if !strings.Contains(log.String(), "a socket of milter.listen is not open: systemd hands others in place of all") || !strings.Contains(log.String(), "listen=unix:/no/such/place") {
		t.Errorf("what is not open is not told:\n%s", log.String())
	}
}

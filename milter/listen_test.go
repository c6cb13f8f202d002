package milter

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// socketPath gives the path of a socket in a directory of its own.
func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "milter.sock")
}

func mustListen(t *testing.T, addr string, mode fs.FileMode, group string) net.Listener {
	t.Helper()
	l, err := Listen(addr, mode, group)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// wantAlone checks that nothing but names stands in the socket's directory.
func wantAlone(t *testing.T, path string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("directory holds %v, want %v", got, names)
	}
}

func TestListenUnixModeAndGroup(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666} {
		path := socketPath(t)
		l := mustListen(t, "unix:"+path, mode, strconv.Itoa(os.Getgid()))
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = DefaultSocketMode
		}
		if info.Mode() != want|fs.ModeSocket {
			t.Errorf("mode %v, want %v", info.Mode(), want|fs.ModeSocket)
		}
		if gid := info.Sys().(*syscall.Stat_t).Gid; gid != uint32(os.Getgid()) {
			t.Errorf("group %d, want %d", gid, os.Getgid())
		}
		wantAlone(t, path, "milter.sock")
		if got := l.Addr().String(); got != path {
			t.Errorf("address %q, want %q", got, path)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wantAlone(t, path)
		if err := l.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
}

func TestListenUnixGroupIsSet(t *testing.T) {
	path := socketPath(t)
	gid := os.Getgid()
	if os.Getuid() == 0 {
		gid = 4242 // root may give away to any
	} else if groups, err := os.Getgroups(); err == nil && len(groups) > 0 {
		gid = groups[len(groups)-1]
	}
	mustListen(t, "unix:"+path, 0, strconv.Itoa(gid))
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Gid; got != uint32(gid) {
		t.Errorf("group %d, want %d", got, gid)
	}
}

// TestListenUnixStale: what an earlier one has left behind is replaced.
func TestListenUnixStale(t *testing.T) {
	path := socketPath(t)
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	mustListen(t, "unix:"+path, 0, "")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	wantAlone(t, path, "milter.sock")
}

func TestSecondInstance(t *testing.T) {
	const want = "address in use; is another mailprofiled running?"
	path := socketPath(t)
	first := mustListen(t, "unix:"+path, 0, "")
	tcp := mustListen(t, "inet:127.0.0.1:0", 0, "")
	for _, addr := range []string{"unix:" + path, "inet:" + tcp.Addr().String()} {
		_, err := Listen(addr, 0, "")
		if err == nil || err.Error() != "listen "+addr+": "+want {
			t.Errorf("second instance: %v", err)
		}
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first is out of reach: %v", err)
	}
	c.Close()
	wantAlone(t, path, "milter.sock")
	first.Close()
	mustListen(t, "unix:"+path, 0, "") // free again
}

// TestListenUnixFullQueue: somebody who does not get round to accepting is somebody.
func TestListenUnixFullQueue(t *testing.T) {
	path := socketPath(t)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := Listen("unix:"+path, 0, ""); !errors.Is(err, errInUse) {
		t.Errorf("listening where the queue is full: %v", err)
	}
}

// TestListenUnixForeign: at close only our own socket is removed.
func TestListenUnixForeign(t *testing.T) {
	path := socketPath(t)
	l := mustListen(t, "unix:"+path, 0, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other := mustListen(t, "unix:"+path, 0, "")
	l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the other's socket is gone: %v", err)
	}
	c.Close()
	other.Close()
	wantAlone(t, path)
}

// TestListenUnixTogether: of several that start at once, one listens.
func TestListenUnixTogether(t *testing.T) {
	path := socketPath(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	var got []net.Listener
	for range 8 {
		all.Go(func() {
			l, err := Listen("unix:"+path, 0, "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got = append(got, l)
			} else if !errors.Is(err, errInUse) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(got) != 1 {
		t.Errorf("%d listen at the same path", len(got))
	}
	for _, l := range got {
		l.Close()
	}
	wantAlone(t, path)
}

func TestListenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, addr, group, want string }{
		{"a file of another kind is left alone", "unix:" + file, "", "a file that is no socket stands there; remove it"},
		{"a directory that is not there", "unix:" + dir + "/none/s", "", "no such file or directory"},
		{"a group that is not there", "unix:" + dir + "/s", "no such group", `socket_group: no group "no such group"`},
		{"a relative path", "unix:milter.sock", "", "not an absolute path"},
		{"a path too long for a socket", "unix:" + dir + "/" + strings.Repeat("x", 120), "", "longer than the 107 bytes"},
		{"no kind", "/run/milter.sock", "", "no such kind of address"},
		{"nothing", "", "", "no such kind of address"},
		{"no port", "inet:127.0.0.1", "", "missing port"},
		{"an address of the other kind", "inet:[::1]:0", "", "address"},
		{"a port out of range", "inet:127.0.0.1:99999", "", "invalid port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Listen(c.addr, 0, c.group)
			if err == nil {
				l.Close()
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "listen "+c.addr+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
		})
	}
	wantAlone(t, file, "file")
}

func TestListenTCP(t *testing.T) {
	for _, addr := range []string{"inet:127.0.0.1:0", "inet6:[::1]:0"} {
		h := new(scripted)
		l := mustListen(t, addr, 0, "")
		r := &running{Server: NewServer(Config{Handler: h}), ended: make(chan struct{})}
		go func() {
			defer close(r.ended)
			r.err = r.Serve(t.Context(), l)
		}()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := deliver(c); err != nil {
			t.Error(err)
		}
		l.Close()
		<-r.ended
		if h.seen("eom") != 1 || h.seen("close") != 1 {
			t.Errorf("calls:\n%s", h.trace())
		}
	}
}

package milter

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// socketPath gives the path of a socket in a directory of its own.
func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "milter.sock")
}

func mustListen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := Listen(addr, 0, "")
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

func TestSecondInstance(t *testing.T) {
	const want = "address in use; is another mailprofiled running?"
	path := socketPath(t)
	first := mustListen(t, "unix:"+path)
	tcp := mustListen(t, "inet:127.0.0.1:0")
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
	mustListen(t, "unix:"+path) // free again
}

func TestListenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, addr, group, want string }{
		{"a file of another kind is left alone", "unix:" + file, "", "a file that is no socket stands there; remove it"},
		{"a directory that is not there", "unix:" + dir + "/none/s", "", "no such file or directory; make it, and let the user"},
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
		l := mustListen(t, addr)
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

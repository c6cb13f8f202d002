package unixsock

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

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// socketPath gives the path of a socket in a directory of its own.
func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.sock")
}

func mustListen(t *testing.T, path string, mode fs.FileMode, group string) net.Listener {
	t.Helper()
	l, err := Listen(path, mode, group)
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

func TestListenModeAndGroup(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666} {
		path := socketPath(t)
		l := mustListen(t, path, mode, strconv.Itoa(os.Getgid()))
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = DefaultMode
		}
		if info.Mode() != want|fs.ModeSocket {
			t.Errorf("mode %v, want %v", info.Mode(), want|fs.ModeSocket)
		}
		if gid := info.Sys().(*syscall.Stat_t).Gid; gid != uint32(os.Getgid()) {
			t.Errorf("group %d, want %d", gid, os.Getgid())
		}
		wantAlone(t, path, "test.sock")
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

func TestListenGroupIsSet(t *testing.T) {
	path := socketPath(t)
	gid := os.Getgid()
	if os.Getuid() == 0 {
		gid = 4242 // root may give away to any
	} else if groups, err := os.Getgroups(); err == nil && len(groups) > 0 {
		gid = groups[len(groups)-1]
	}
	mustListen(t, path, 0, strconv.Itoa(gid))
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Gid; got != uint32(gid) {
		t.Errorf("group %d, want %d", got, gid)
	}
}

// TestListenStale: what an earlier one has left behind is replaced.
func TestListenStale(t *testing.T) {
	path := socketPath(t)
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	mustListen(t, path, 0, "")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	wantAlone(t, path, "test.sock")
}

// TestListenFullQueue: somebody who does not get round to accepting is somebody.
func TestListenFullQueue(t *testing.T) {
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
	if _, err := Listen(path, 0, ""); !errors.Is(err, ErrInUse) {
		t.Errorf("listening where the queue is full: %v", err)
	}
}

// TestListenForeign: at close only our own socket is removed.
func TestListenForeign(t *testing.T) {
	path := socketPath(t)
	l := mustListen(t, path, 0, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other := mustListen(t, path, 0, "")
	l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the other's socket is gone: %v", err)
	}
	c.Close()
	other.Close()
	wantAlone(t, path)
}

// TestListenTogether: of several that start at once, one listens.
func TestListenTogether(t *testing.T) {
	path := socketPath(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	var got []net.Listener
	for range 8 {
		all.Go(func() {
			l, err := Listen(path, 0, "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got = append(got, l)
			} else if !errors.Is(err, ErrInUse) {
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

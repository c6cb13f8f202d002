package systemd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is the process that systemd would start, where a test says so.
func TestMain(m *testing.M) {
	if os.Getenv("SYSTEMD_TEST_CHILD") != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// child answers each socket it was handed with the socket's name, once.
func child() int {
	pid := os.Getpid()
	getenv := func(key string) string {
		if key == "LISTEN_PID" { // the one who forks knows it, and could set it
			return strconv.Itoa(pid)
		}
		return os.Getenv(key)
	}
	sockets, err := Sockets(getenv, pid)
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	for _, s := range sockets {
		fmt.Println(s.Name, s.Addr().Network())
	}
	for _, s := range sockets {
		c, err := s.Accept()
		if err != nil {
			fmt.Println("error:", err)
			return 1
		}
		io.WriteString(c, s.Name)
		c.Close()
		s.Close()
	}
	return 0
}

func env(pairs ...string) func(string) string {
	return func(key string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, key+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	for _, name := range []string{path, "@mailprofiled-test-" + strconv.Itoa(os.Getpid())} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		m := Find(env("NOTIFY_SOCKET="+name), 1)
		for _, tt := range []struct {
			lines []string
			want  string
		}{
			{[]string{Ready, Status("serving,\nwell")}, "READY=1\nSTATUS=serving, well"},
			{[]string{Alive}, "WATCHDOG=1"},
			{[]string{Stopping}, "STOPPING=1"},
		} {
			if err := m.Notify(tt.lines...); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, l); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		}
		if err := m.Notify(Reloading()); err != nil {
			t.Fatal(err)
		}
		var usec int64
		if _, err := fmt.Sscanf(receive(t, l), "RELOADING=1\nMONOTONIC_USEC=%d", &usec); err != nil || usec <= 0 {
			t.Errorf("reloading: %d, %v", usec, err)
		}
	}
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<10)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNotifyWithoutAManager(t *testing.T) {
	if err := (Manager{}).Notify(Ready); err != nil {
		t.Error(err)
	}
	if err := Find(env("NOTIFY_SOCKET=/no/such/socket"), 1).Notify(Ready); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a manager that is gone: %v", err)
	}
}

func TestWatchdog(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		want time.Duration
	}{
		{"none", nil, 0},
		{"for us", []string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=42"}, 30 * time.Second},
		{"for whoever it is", []string{"WATCHDOG_USEC=1500000"}, 1500 * time.Millisecond},
		{"for another", []string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=41"}, 0},
		{"nonsense", []string{"WATCHDOG_USEC=soon"}, 0},
		{"negative", []string{"WATCHDOG_USEC=-5"}, 0},
	} {
		if got := Find(env(tt.env...), 42).Watchdog; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestNoSockets(t *testing.T) {
	for name, env := range map[string]func(string) string{
		"nothing":     env(),
		"for another": env("LISTEN_FDS=1", "LISTEN_PID=41"),
		"for nobody":  env("LISTEN_FDS=1"),
		"nonsense":    env("LISTEN_FDS=many", "LISTEN_PID=42"),
		"none at all": env("LISTEN_FDS=0", "LISTEN_PID=42"),
	} {
		if s, err := Sockets(env, 42); len(s) > 0 || err != nil {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// TestSockets: a process that is handed sockets serves at them, under their names.
func TestSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "handed.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for _, tt := range []struct{ names, first, second string }{
		{"milter:admin", "milter", "admin"},
		{"milter", "milter", "unknown"},
		{"", "unknown", "unknown"},
	} {
		out := serve(t, tt.names, unix.(*net.UnixListener), tcp.(*net.TCPListener))
		if want := tt.first + " unix\n" + tt.second + " tcp\n"; out.head != want {
			t.Errorf("%q: sockets\n%swant\n%s", tt.names, out.head, want)
		}
		if out.unix != tt.first || out.tcp != tt.second {
			t.Errorf("%q: answered by %q and %q", tt.names, out.unix, out.tcp)
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the manager's socket file: %v", err)
	}
}

type served struct{ head, unix, tcp string }

// A filer is a listener that can be handed on.
type filer interface {
	net.Listener
	File() (*os.File, error)
}

func serve(t *testing.T, names string, listeners ...filer) served {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	// With the race detector in it the child would sleep a second before it exits.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "SYSTEMD_TEST_CHILD=1", "LISTEN_FDS="+strconv.Itoa(len(listeners)), "LISTEN_FDNAMES="+names)
	for _, l := range listeners {
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var got served
	for range listeners {
		line, _ := lines.ReadString('\n')
		got.head += line
	}
	got.unix, got.tcp = ask(t, listeners[0].Addr()), ask(t, listeners[1].Addr())
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
	return got
}

func ask(t *testing.T, addr net.Addr) string {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

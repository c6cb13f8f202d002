//go:build e2e

package shared

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("E2E_REDIS") == "" {
		fmt.Fprintln(os.Stderr, "these tests need a redis-server: run e2e/run")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// A server is a redis-server of the test's own, on a socket in its folder.
type redisServer struct {
	dir, socket string
	args        []string
	cmd         *exec.Cmd
	gone        chan struct{}
}

// startRedis starts one that keeps nothing on disk. args are further settings.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis-") // short: a socket's path has a bound
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &redisServer{dir: dir, socket: filepath.Join(dir, "s"), args: args}
	r.start(t)
	return r
}

// start runs it, for a second time too, and returns when it answers.
func (r *redisServer) start(t testing.TB) {
	t.Helper()
	log := new(watched)
	log.seen = make(chan struct{})
	cmd := exec.Command(filepath.Join(os.Getenv("E2E_REDIS"), "redis-server"),
		append([]string{"--port", "0", "--unixsocket", r.socket, "--dir", r.dir, "--save", "", "--appendonly", "no"}, r.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // it is made to end
	}()
	r.cmd, r.gone = cmd, gone
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
	select {
	case <-log.seen:
	case <-gone:
		t.Fatalf("redis-server: %s", log)
	case <-time.After(30 * time.Second):
		t.Fatalf("redis-server does not start: %s", log)
	}
}

func (r *redisServer) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// cli asks the server by its own client.
func (r *redisServer) cli(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(os.Getenv("E2E_REDIS"), "redis-cli"), append([]string{"-s", r.socket}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return string(bytes.TrimSpace(out))
}

// watched is a log that says when the server is ready.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan struct{}
	once sync.Once
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if bytes.Contains(w.text.Bytes(), []byte("now ready to accept connections at")) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// options are those of a machine at a server.
func (r *redisServer) options(machine string) Options {
	return Options{Network: "unix", Address: r.socket, Machine: machine, Key: Key{1, 2, 3}, Logger: slog.New(slog.DiscardHandler)}
}

// copyTo copies a key to another server, as a replica has it.
func (r *redisServer) copyTo(t testing.TB, other *redisServer, key string) {
	t.Helper()
	dump := exec.Command(filepath.Join(os.Getenv("E2E_REDIS"), "redis-cli"), "-s", r.socket, "--raw", "DUMP", key)
	out, err := dump.Output()
	if err != nil {
		t.Fatal(err)
	}
	restore := exec.Command(filepath.Join(os.Getenv("E2E_REDIS"), "redis-cli"), "-s", other.socket, "-x", "RESTORE", key, "0")
	restore.Stdin = bytes.NewReader(bytes.TrimSuffix(out, []byte("\n")))
	if out, err := restore.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("OK")) {
		t.Fatalf("%v: %s", err, out)
	}
}

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mailprofiled/internal/mtatest"
)

// What is in each server.
const (
	Domain   = "example.net"
	Joe      = "joe"     // has a mailbox in Domain, made on Created, of the plan Plan
	Amy      = "amy"     // another one
	Password = "s3cr@t/" // of whoever asks; it needs escaping in a URL
	Created  = "2026-01-31"
	Plan     = "pro"
)

// startWait bounds the start of a server, on a loaded machine too.
const startWait = 60 * time.Second

// nobody is whom servers run as that refuse to be root: these two Debian always has.
const (
	nobodyUser  = 65534
	nobodyGroup = 65534
)

// A Server is one that runs, or that has run and can run again.
type Server struct {
	Port int // on 127.0.0.1
	Log  *mtatest.Log

	dir   string
	root  string // where .ci/deps has unpacked it
	user  bool   // runs as nobody
	argv  []string
	ready string // is in its log when it serves; "" where a connection says so

	cmd   *exec.Cmd
	guard *mtatest.Guard
	gone  chan struct{} // closed when it has ended
}

// newServer makes a folder and picks a port. deps is the project's build/deps.
func newServer(deps, name string, user bool) (*Server, error) {
	root, err := filepath.Abs(filepath.Join(deps, "backends"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, ".unpacked")); err != nil {
		return nil, fmt.Errorf("no servers here (run .ci/deps): %w", err)
	}
	s := &Server{Log: &mtatest.Log{}, root: root, user: user}
	if s.dir, err = os.MkdirTemp("", name); err != nil {
		return nil, err
	}
	if user {
		err = os.Chown(s.dir, nobodyUser, nobodyGroup)
	} else {
		err = os.Chmod(s.dir, 0o755)
	}
	l, lerr := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(err, lerr); err != nil {
		return nil, err
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	return s, l.Close()
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name, text string) error {
	return os.WriteFile(s.path(name), []byte(text), 0o644)
}

// command makes one that runs with the server's files laid over /usr.
func (s *Server) command(argv ...string) *exec.Cmd {
	as := ""
	if s.user {
		as = fmt.Sprintf("setpriv --reuid=%d --regid=%d --clear-groups ", nobodyUser, nobodyGroup)
	}
	script := `mount -t overlay overlay -o lowerdir="$0"/usr:/usr /usr && exec ` + as + `"$@"`
	args := append([]string{"--mount", "--propagation", "private", "sh", "-c", script, s.root}, argv...)
	cmd := exec.Command("unshare", args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + s.dir}
	cmd.Stdout, cmd.Stderr = s.Log, s.Log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// do runs a command to its end, with input.
func (s *Server) do(input string, argv ...string) error {
	cmd := s.command(argv...)
	cmd.Stdin = strings.NewReader(input)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", argv[0], err, s.Log)
	}
	return nil
}

// Start starts it, at the port of before, and returns when it serves.
func (s *Server) Start() error {
	mark := s.Log.Len()
	cmd := s.command(s.argv...)
	cmd.WaitDelay = 5 * time.Second // a child that outlives it would hold the pipe
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // how it ended is in its log
	}()
	s.cmd, s.gone = cmd, gone
	var err error
	if s.guard, err = mtatest.GuardGroup(cmd.Process.Pid); err != nil {
		return errors.Join(err, s.Kill())
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	if s.ready != "" {
		if _, err := s.Log.Wait(ctx, mark, mtatest.Containing(s.ready)); err != nil {
			return errors.Join(err, s.Kill())
		}
	}
	return s.answers(ctx)
}

// answers returns when the server takes connections.
func (s *Server) answers(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp", s.Addr())
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.gone:
			return fmt.Errorf("it ended:\n%s", s.Log)
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", err, s.Log)
		case <-tick.C:
		}
	}
}

// Addr is where it serves.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Pause stops it and all its children in the midst of what they do; Resume lets them
// go on.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume is the end of Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Kill ends it and all its children at once, without a goodbye.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	err := s.signal(syscall.SIGKILL)
	<-s.gone
	if s.guard != nil {
		s.guard.Release()
	}
	s.cmd, s.guard = nil, nil
	return err
}

// Stop ends it, and removes its folder.
func (s *Server) Stop() error { return errors.Join(s.Kill(), os.RemoveAll(s.dir)) }

// signal sends one to the server and to all below it: some have sessions of their own,
// and new ones come while we look, until all stand still.
func (s *Server) signal(sig syscall.Signal) error {
	sent := map[int]bool{}
	for {
		fresh := false
		for _, pid := range family(s.cmd.Process.Pid) {
			if sent[pid] {
				continue
			}
			sent[pid], fresh = true, true
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if !fresh {
			return nil
		}
	}
}

// family lists a process and all below it, the deepest first: with their parents gone
// they could not be found.
func family(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		// "pid (name) state ppid ...": the name may hold anything.
		_, after, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(after)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(f) < 2 || f[0] == "Z" {
			continue
		}
		parent, err := strconv.Atoi(f[1])
		if err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	slices.Reverse(all)
	return all
}

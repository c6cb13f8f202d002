package backendtest

import (
	"bytes"
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
	env   []string
	argv  []string
	ready string // is in its log when it serves; "" where a connection says so

	cmd   *exec.Cmd
	guard *mtatest.Guard
	gone  chan struct{} // closed when it has ended
}

// newServer makes a folder and picks a port. deps is the project's build/deps.
func newServer(deps, name string, user bool) (*Server, error) {
	return newServerFrom(filepath.Join(deps, "backends"), name, user)
}

// newServerFrom is newServer for packages that are unpacked in a folder of their own.
func newServerFrom(root, name string, user bool) (*Server, error) {
	root, err := filepath.Abs(root)
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
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + s.dir}, s.env...)
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
func (s *Server) Pause() error { _, err := s.signal(syscall.SIGSTOP); return err }

// Resume is the end of Pause.
func (s *Server) Resume() error { _, err := s.signal(syscall.SIGCONT); return err }

// Kill ends it and all its children at once, without a goodbye, and returns when the
// kernel has let go of what they had open: somebody else can listen at its port.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	// First all stand still: a master that sees its child die begins another, which
	// would outlive it and keep the port.
	_, err := s.signal(syscall.SIGSTOP)
	all, kerr := s.signal(syscall.SIGKILL)
	<-s.gone
	if s.guard != nil {
		s.guard.Release()
	}
	s.cmd, s.guard = nil, nil
	return errors.Join(err, kerr, ended(all))
}

// Stop ends it, and removes its folder.
func (s *Server) Stop() error { return errors.Join(s.Kill(), os.RemoveAll(s.dir)) }

// signal sends one to the server and to all below it, and names them: some have
// sessions of their own, and new ones come while we look, until all stand still. It
// returns when they do, where that is what they were told.
func (s *Server) signal(sig syscall.Signal) (sent []int, err error) {
	for {
		before := len(sent)
		for _, pid := range family(s.cmd.Process.Pid) {
			if slices.Contains(sent, pid) {
				continue
			}
			sent = append(sent, pid)
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return sent, err
			}
		}
		if sig == syscall.SIGSTOP {
			if err := await(sent[before:], "was stopped, and goes on", stands); err != nil {
				return sent, err
			}
		}
		if len(sent) == before {
			return sent, nil
		}
	}
}

// ended returns when processes that were killed have ended. Those that are no children
// of ours nobody else waits for.
func ended(pids []int) error {
	return await(pids, "was killed, and is still there", func(pid int) bool {
		_, alive := parentOf(pid)
		return !alive
	})
}

// await returns when something is so of all processes; what is the complaint that it is
// not.
func await(pids []int, what string, so func(pid int) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, pid := range pids {
		for !so(pid) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("process %d %s", pid, what)
			case <-tick.C:
			}
		}
	}
	return nil
}

// stands reports whether a process does nothing any more. SIGSTOP stops a thread when it
// next comes by: until each has, some go on answering.
func stands(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/stat", pid)) // the pattern is well formed
	for _, path := range threads {
		if state, _ := statOf(path); !strings.Contains("TtZX", state) {
			return false
		}
	}
	return true
}

// parentOf gives the parent of a process; false where it has ended.
func parentOf(pid int) (parent int, alive bool) {
	state, parent := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	return parent, state != "X" && state != "Z"
}

// statOf reads the stat of a process or thread (proc(5)); one that is not there any more
// is in state X.
func statOf(path string) (state string, parent int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "X", 0
	}
	// "pid (name) state ppid ...": the name may hold anything.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 2 {
		return "X", 0
	}
	if parent, err = strconv.Atoi(f[1]); err != nil {
		return "X", 0
	}
	return f[0], parent
}

// family lists a process and all below it, the deepest first: with their parents gone
// they could not be found.
func family(pid int) []int {
	children := map[int][]int{}
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, folder := range folders {
		child, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		if parent, alive := parentOf(child); alive {
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

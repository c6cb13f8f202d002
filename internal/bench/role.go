package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	gomilter "github.com/emersion/go-milter"

	"mailprofiled/internal/engine"
	"mailprofiled/milter"
)

// roleCommand is the first argument of this program when it is one of its own
// children.
const roleCommand = "role"

// runRole is the life of a child: it serves, and obeys orders from stdin until
// that ends.
//
//	empty SOCKET    an empty filter on plain go-milter
//	ours SOCKET     an empty handler behind our server
//	wired CONFIG    all of the daemon, in a process that can be looked into
func runRole(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("role: want a role and its argument, got %q", args)
	}
	role, arg := args[0], args[1]
	var o orders
	switch role {
	case "empty":
		if err := serveEmpty(arg); err != nil {
			return err
		}
	case "ours":
		stop, err := serveOurs(arg)
		if err != nil {
			return err
		}
		defer stop()
	case "wired":
		w, err := wire(arg, stderr)
		if err != nil {
			return err
		}
		defer w.stop()
		o.visit = w.visit
	default:
		return fmt.Errorf("role: no role %q", role)
	}
	return o.obey(stdin, stdout)
}

// serveEmpty serves an empty filter until the process ends. It asks for the
// protocol that our server asks for, so that the MTA sends the same packets.
func serveEmpty(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	s := gomilter.Server{
		NewMilter: func() gomilter.Milter { return gomilter.NoOpMilter{} },
		Protocol: gomilter.OptNoBody | gomilter.OptNoHeaders | gomilter.OptNoEOH | gomilter.OptNoUnknown |
			gomilter.OptNoData | gomilter.OptSkip | gomilter.OptRcptRej,
	}
	go s.Serve(l)
	return nil
}

// serveOurs serves an empty handler behind our own server.
func serveOurs(socket string) (stop func(), err error) {
	l, err := milter.Listen("unix:"+socket, milter.DefaultSocketMode, "")
	if err != nil {
		return nil, err
	}
	return serveUntil(milter.NewServer(milter.Config{
		Handler: milter.HandlerFunc(func(engine.Client) milter.Session { return emptySession{} }),
	}), l), nil
}

// serveUntil serves until stop, which waits for the end.
func serveUntil(s *milter.Server, l net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	return func() {
		cancel()
		<-ended
	}
}

// An emptySession lets everything go on.
type emptySession struct{}

func (emptySession) Helo(string)                    {}
func (emptySession) Mail(engine.Mail) engine.Answer { return engine.Answer{} }
func (emptySession) Rcpt(engine.Rcpt) engine.Answer { return engine.Answer{} }
func (emptySession) EndOfMessage(string)            {}
func (emptySession) Abort()                         {}
func (emptySession) Close()                         {}

// orders are what a role does when it is told to, one a line; each is answered
// by a line.
type orders struct {
	visit func(from, to, at int) error // nil: this role cannot
	cpu   *os.File                     // the profile being taken
}

func (o *orders) obey(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer, err := o.do(lines.Text())
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (o *orders) do(line string) (string, error) {
	var from, to, at int
	var path string
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "memory": // as it is: what has been allocated so far
		return allocated(), nil
	case "collect": // after a collection: what is held
		runtime.GC()
		runtime.GC() // the first one moves what pools hold into their second chance
		return allocated(), nil
	case "visit": // judge visits of senders from..to-1, so many at once
		if _, err := fmt.Sscan(rest, &from, &to, &at); err != nil {
			return "", err
		}
		if o.visit == nil {
			return "", fmt.Errorf("this role makes no visits")
		}
		return "ok", o.visit(from, to, at)
	case "profile":
		path = rest
		return "ok", o.profile(path)
	case "profiled":
		path = rest
		return "ok", o.profiled(path)
	}
	return "", fmt.Errorf("no order %q", line)
}

// A use is what memory answers.
type use struct {
	mallocs, bytes uint64 // allocated since the start
	heap, stacks   int64  // held, in bytes
}

func allocated() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("%d %d %d %d", m.Mallocs, m.TotalAlloc, m.HeapAlloc, m.StackInuse)
}

// use asks a role what it has allocated, or holds.
func (p *process) use(order string) (use, error) {
	line, err := p.order(order)
	if err != nil {
		return use{}, err
	}
	var u use
	_, err = fmt.Sscan(line, &u.mallocs, &u.bytes, &u.heap, &u.stacks)
	return u, err
}

// profile begins to write a CPU profile, and counts every allocation from here on.
func (o *orders) profile(path string) (err error) {
	if o.cpu, err = os.Create(path + ".cpu"); err != nil {
		return err
	}
	return pprof.StartCPUProfile(o.cpu)
}

// profiled ends it, and writes the profile of allocations beside it.
func (o *orders) profiled(path string) error {
	pprof.StopCPUProfile()
	if err := o.cpu.Close(); err != nil {
		return err
	}
	f, err := os.Create(path + ".allocs")
	if err != nil {
		return err
	}
	defer f.Close()
	return pprof.Lookup("allocs").WriteTo(f, 0)
}

// visits judges senders from..to-1, at of them at once, without an MTA between.
func visits(e *engine.Engine, from, to, at int) error {
	return inTurn(from, to, at, func() func(sender) error {
		return func(s sender) error {
			v := e.Connect(engine.Client{Addr: s.addr()})
			defer v.Close()
			v.Helo(s.helo())
			v.Mail(engine.Mail{From: "<jo@" + s.domain() + ">"})
			if a := v.Rcpt(engine.Rcpt{To: recipient}); a != (engine.Answer{}) {
				return fmt.Errorf("sender %d was answered %+v", s, a)
			}
			v.EndOfMessage("")
			return nil
		}
	})
}

// drain bounds the end of the sessions of a role.
const drain = 5 * time.Second

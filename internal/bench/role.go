package main

import (
	"context"
	"fmt"
	"io"
	"net"
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
//	asker ADDRESS   a resolver that asks there
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
		o.loads = map[string]load{"visit": w.visit} // judge them
	case "asker":
		loads, stop, err := startAsking(arg)
		if err != nil {
			return err
		}
		defer stop()
		o.loads = loads
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

func (emptySession) Helo(string)                       {}
func (emptySession) Mail(engine.Mail) engine.Answer    { return engine.Answer{} }
func (emptySession) Rcpt(engine.Rcpt) engine.Answer    { return engine.Answer{} }
func (emptySession) EndOfMessage(string) engine.Answer { return engine.Answer{} }
func (emptySession) Abort()                            {}
func (emptySession) Close()                            {}

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

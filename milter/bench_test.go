package milter

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/emersion/go-milter"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
)

// An empty handler lets everything go on.
type empty struct{}

func (empty) Connect(engine.Client) Session     { return empty{} }
func (empty) Helo(string)                       {}
func (empty) Mail(engine.Mail) engine.Answer    { return engine.Answer{} }
func (empty) Rcpt(engine.Rcpt) engine.Answer    { return engine.Answer{} }
func (empty) EndOfMessage(string) engine.Answer { return engine.Answer{} }
func (empty) Abort()                            {}
func (empty) Close()                            {}

// benchServers are ours and the plain library, under the same negotiation.
var benchServers = []struct {
	name  string
	serve func(b *testing.B, l net.Listener)
}{
	{"ours", func(b *testing.B, l net.Listener) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- NewServer(Config{Handler: empty{}}).Serve(ctx, l) }()
		b.Cleanup(func() { cancel(); <-ended })
	}},
	{"library", func(b *testing.B, l net.Listener) {
		s := &milter.Server{
			NewMilter: func() milter.Milter { return milter.NoOpMilter{} },
			Actions:   askActions, Protocol: askProtocol, SymList: askMacros,
		}
		ended := make(chan error)
		go func() { ended <- s.Serve(l) }()
		b.Cleanup(func() { l.Close(); <-ended })
	}},
}

// BenchmarkSession is a connection with one message: O C H M R E Q.
func BenchmarkSession(b *testing.B) {
	for _, s := range benchServers {
		b.Run(s.name, func(b *testing.B) {
			l := benchListen(b)
			s.serve(b, l)
			v := miltertest.NewVisit(nil, miltertest.Postfix())
			v.Timeout = 0
			b.ReportAllocs()
			for b.Loop() {
				c, err := net.Dial("unix", l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				v.Reuse(c)
				benchConnect(b, v)
				benchMessage(b, v)
				v.Send('Q')
				v.Receive()
				v.Close()
			}
		})
	}
}

// BenchmarkMessage is one message of many on a connection: M R E.
func BenchmarkMessage(b *testing.B) {
	for _, s := range benchServers {
		b.Run(s.name, func(b *testing.B) {
			l := benchListen(b)
			s.serve(b, l)
			c, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			v := miltertest.NewVisit(c, miltertest.Sendmail())
			v.Timeout = 0
			benchConnect(b, v)
			b.ReportAllocs()
			for b.Loop() {
				benchMessage(b, v)
			}
		})
	}
}

// BenchmarkReply makes one reply.
func BenchmarkReply(b *testing.B) {
	a := engine.Answer{Action: 2, Code: 550, Status: "5.7.25", Text: "192.0.2.7 has no reverse DNS; ask your provider to set a PTR record", ID: "abc123def456"}
	b.ReportAllocs()
	for b.Loop() {
		replyText(a)
	}
}

func benchListen(b *testing.B) net.Listener {
	l, err := Listen("unix:"+filepath.Join(b.TempDir(), "s"), 0, "")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

var benchPeer = miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.7"), Name: "mail.example.com", Port: 40025}

func benchConnect(b *testing.B, v *miltertest.Visit) {
	if err := v.Negotiate(); err != nil {
		b.Fatal(err)
	}
	if _, err := v.Connect(benchPeer); err != nil {
		b.Fatal(err)
	}
	if _, err := v.Helo("mail.example.com"); err != nil {
		b.Fatal(err)
	}
}

func benchMessage(b *testing.B, v *miltertest.Visit) {
	if _, err := v.Mail("<sender@example.com>", ""); err != nil {
		b.Fatal(err)
	}
	if _, err := v.Rcpt("<user@example.org>"); err != nil {
		b.Fatal(err)
	}
	if _, err := v.EOM(); err != nil {
		b.Fatal(err)
	}
}

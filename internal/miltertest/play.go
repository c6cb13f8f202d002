package miltertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Play runs a dialogue against a milter, each connect over a new connection that
// dial makes, and fails the test at the first line that goes otherwise.
func Play(t testing.TB, dial func() net.Conn, script string) {
	t.Helper()
	if err := Run(func() (net.Conn, error) { return dial(), nil }, script); err != nil {
		t.Fatal(err)
	}
}

// Run runs a dialogue like [Play]. Its error names the line.
func Run(dial func() (net.Conn, error), script string) error {
	steps, err := parseScript(script)
	if err != nil {
		return err
	}
	p := &player{dial: dial, mta: Postfix()}
	defer p.close()
	for _, s := range steps {
		for i := 1; i <= s.repeat; i++ {
			if err := p.step(s, i); err != nil {
				return fmt.Errorf("line %d: %s: %w", s.line, s.text, err)
			}
		}
	}
	return nil
}

// A player is a dialogue in progress.
type player struct {
	dial  func() (net.Conn, error)
	mta   MTA
	offer *Offer
	visit *Visit
	helo  string
}

var errNoConnection = errors.New("no connect before it")

// step does one step for the n-th time and looks at the answer.
func (p *player) step(s step, n int) error {
	args := s.args
	if s.repeat > 1 {
		args = make([]string, len(s.args))
		for i, a := range s.args {
			args[i] = strings.ReplaceAll(a, "{n}", strconv.Itoa(n))
		}
	}
	a, err := p.do(s.verb, args, s.want)
	if s.want.action == "closed" {
		if err == nil {
			_, _, err = p.visit.Receive()
		}
		if isClosed(err) {
			return nil
		}
		return fmt.Errorf("not closed: answer %s, %v", a, err)
	}
	if err != nil {
		return err
	}
	return s.want.check(a)
}

// isClosed tells how a connection looks that the other side has closed.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

func (p *player) do(verb string, args []string, want expectation) (Answer, error) {
	switch verb {
	case "mta":
		return p.setMTA(args[0])
	case "offer":
		return p.setOffer(args)
	case "connect":
		p.close()
		return p.connect(args, true)
	case "dial":
		p.close()
		return goOn, p.open()
	}
	if p.visit == nil {
		return Answer{}, errNoConnection
	}
	v := p.visit
	switch verb {
	case "xclient":
		return p.xclient(args)
	case "next":
		if err := v.Next(); err != nil {
			return Answer{}, err
		}
		return p.connect(args, false)
	case "helo", "ehlo":
		p.helo = args[0]
		return v.Helo(p.helo)
	case "ehlo2", "starttls":
		if len(args) > 0 {
			p.helo = args[0]
		}
		if verb == "starttls" {
			return v.StartTLS(p.helo)
		}
		return v.Helo(p.helo)
	case "mail":
		account, rest := "", args[1:]
		if len(rest) > 0 && strings.HasPrefix(rest[0], "account=") {
			account, rest = rest[0][len("account="):], rest[1:]
		}
		return v.Mail(args[0], account, rest...)
	case "rcpt":
		return v.Rcpt(args[0], args[1:]...)
	case "rcpt-refused":
		return v.RcptRefused(args[0], args[1])
	case "eom":
		return v.EOM()
	case "rset":
		return goOn, v.Reset()
	case "quit":
		return goOn, p.quit()
	case "lost":
		p.close()
		return goOn, nil
	}
	return p.bytes(verb, args, want)
}

func (p *player) setMTA(name string) (Answer, error) {
	switch name {
	case "postfix":
		p.mta = Postfix()
	case "sendmail":
		p.mta = Sendmail()
	default:
		return Answer{}, fmt.Errorf("no such MTA %q", name)
	}
	return goOn, nil
}

func (p *player) setOffer(args []string) (Answer, error) {
	var n [3]uint32
	for i, a := range args {
		v, err := strconv.ParseUint(a, 0, 32)
		if err != nil {
			return Answer{}, err
		}
		n[i] = uint32(v)
	}
	p.offer = &Offer{n[0], n[1], n[2]}
	return goOn, nil
}

// connect shows a client, over a new connection or the one that is there.
func (p *player) connect(args []string, dial bool) (Answer, error) {
	peer, err := parsePeer(args)
	if err != nil {
		return Answer{}, err
	}
	if dial {
		if err := p.open(); err != nil {
			return Answer{}, err
		}
		if err := p.visit.Negotiate(); err != nil {
			return Answer{}, err
		}
	}
	return p.visit.Connect(peer)
}

// open makes a connection, on which nothing is said yet.
func (p *player) open() error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	mta := p.mta
	if p.offer != nil {
		mta.Offer = *p.offer
	}
	p.visit = NewVisit(conn, mta)
	return nil
}

// xclient opens the second connection before the first gets its QUIT.
func (p *player) xclient(args []string) (Answer, error) {
	first := p.visit
	a, err := p.connect(args, true)
	if err == nil {
		err = first.Quit()
	}
	first.Close()
	return a, err
}

// quit says QUIT and waits for the milter to close.
func (p *player) quit() error {
	v := p.visit
	p.visit = nil
	defer v.Close()
	if err := v.Quit(); err != nil {
		return err
	}
	if _, _, err := v.Receive(); !isClosed(err) {
		return fmt.Errorf("not closed after QUIT: %v", err)
	}
	return nil
}

func (p *player) close() {
	if p.visit != nil {
		p.visit.Close()
		p.visit = nil
	}
}

// bytes does the steps that are no step of an MTA.
func (p *player) bytes(verb string, args []string, want expectation) (Answer, error) {
	v := p.visit
	switch verb {
	case "macro":
		payload := args[0]
		if len(args) > 1 {
			payload += strings.Join(args[1:], "\x00") + "\x00"
		}
		v.AddRaw('D', []byte(payload))
		return goOn, v.Flush()
	case "send":
		payload := ""
		if len(args) > 1 {
			payload = args[1]
		}
		if len(args[0]) != 1 {
			return Answer{}, fmt.Errorf("a code is one letter")
		}
		v.AddRaw(args[0][0], []byte(payload))
	case "raw":
		v.out = append(v.out, args[0]...)
	}
	if err := v.Flush(); err != nil || want.action == "closed" || want.action == "nothing" {
		return Answer{Action: want.action}, err
	}
	if verb == "send" && args[0] == "O" {
		code, payload, err := v.Receive()
		if err == nil && (code != 'O' || len(payload) < 12 || binary.BigEndian.Uint32(payload) == 0) {
			err = fmt.Errorf("negotiate: answer %q of %d bytes", code, len(payload))
		}
		return goOn, err
	}
	return v.Wait()
}

// parsePeer reads the words of a connect.
func parsePeer(args []string) (Peer, error) {
	p := Peer{Port: 40025}
	if len(args) > 1 {
		p.Name = args[1]
	}
	switch args[0] {
	case "local":
		p.Family = 'L'
	case "unknown":
		p.Family = 'U'
	case "nowhere":
		p.Family, p.Raw = '4', "nowhere"
	default:
		a, err := netip.ParseAddr(args[0])
		if err != nil {
			return p, err
		}
		p.Addr = a
	}
	return p, nil
}

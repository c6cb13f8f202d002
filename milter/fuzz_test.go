package milter

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
	"mailprofiled/profile"
)

// A strict handler holds a session to the order that [Session] promises.
type strict struct {
	open  atomic.Int64 // sessions
	wrong atomic.Pointer[string]
}

func (h *strict) Connect(engine.Client) Session {
	h.open.Add(1)
	return &strictSession{h: h}
}

type strictSession struct {
	h              *strict
	inMail, closed bool
	n              int
}

func (s *strictSession) expect(ok bool, what string) {
	if !ok || s.closed {
		s.h.wrong.Store(&what)
	}
}

// answer gives each kind in turn, with text that wants cleaning.
func (s *strictSession) answer(text string) engine.Answer {
	s.n++
	return engine.Answer{Action: profile.Action(s.n % 3), Code: 550, Status: "5.7.1", Text: text, ID: "abc123def456"}
}

func (s *strictSession) Helo(string) { s.expect(true, "HELO") }

func (s *strictSession) Mail(m engine.Mail) engine.Answer {
	s.expect(true, "MAIL")
	a := s.answer(m.From + m.Account)
	s.inMail = a.Action == profile.Continue
	return a
}

func (s *strictSession) Rcpt(r engine.Rcpt) engine.Answer {
	s.expect(s.inMail, "RCPT")
	return s.answer(r.To + r.Status)
}

func (s *strictSession) EndOfMessage(string) engine.Answer {
	s.expect(s.inMail, "end of message")
	s.inMail = false
	return s.answer("eom")
}

func (s *strictSession) Abort() {
	s.expect(true, "abort")
	s.inMail = false
}

func (s *strictSession) Close() {
	s.expect(true, "close")
	s.closed = true
	s.h.open.Add(-1)
}

// framed reads bytes as a list of packets, code, length and payload each, and
// writes them as the protocol does, behind a negotiation and a connect.
func framed(data []byte) []byte {
	var out bytes.Buffer
	c := miltertest.NewClient(sink{Writer: &out})
	c.Timeout = 0
	c.AddRaw('O', []byte("\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"))
	c.AddRaw('C', []byte("mail.example\x004\x00\x19192.0.2.7\x00"))
	for len(data) >= 2 {
		n := min(int(data[1]), len(data)-2)
		c.AddRaw(data[0], data[2:2+n])
		data = data[2+n:]
	}
	c.Flush()
	return out.Bytes()
}

// A sink is a connection that only takes.
type sink struct {
	net.Conn
	io.Writer
}

func (s sink) Write(p []byte) (int, error) { return s.Writer.Write(p) }

// FuzzConn lets strangers' bytes loose on conn, library and session. Whatever they
// are: each answer is well formed, the judge is called in order, all of it ends
// with the connection, and the library says nothing.
func FuzzConn(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), false, uint8(0))
	f.Add(framed([]byte("H\x03mx\x00M\x05<a@b>R\x05<c@d>E\x00A\x00A\x00Q\x00")), false, uint8(1))
	f.Add([]byte("D\x04Hx\x00yH\x03mx\x00D\x1fMi\x00Q1\x00{auth_authen}\x00joe%s\r\n\x00M\x05<a@b>"), true, uint8(7))
	f.Add([]byte("M\x05<a@b>R\x05<c@d>D\x1dR{rcpt_mailer}\x00error\x00{rcpt_host}\x005R\x04<x>\x00E\x00"), true, uint8(3))
	f.Add([]byte("U\x01xT\x00L\x04a\x00b\x00N\x00B\x05helloK\x00C\x0bx\x006\x00\x19IPv6:\x00R\x01xE\x00M\x01xK\x00"), true, uint8(2))
	f.Add([]byte("O\x0c\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00Z\x00"), true, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, packets bool, chunk uint8) {
		if packets {
			data = framed(data)
		}
		h := new(strict)
		s := NewServer(Config{Handler: h})
		near, far := net.Pipe()
		p := port{handler: h}
		s.start(far, &p)

		read := make(chan error, 1)
		go func() { read <- readAnswers(near) }()
		for step := max(int(chunk), 1); len(data) > 0; {
			n := min(step, len(data))
			if _, err := near.Write(data[:n]); err != nil {
				break
			}
			data = data[n:]
		}
		near.Close()
		p.open.Wait()
		if err := <-read; err != nil {
			t.Error(err)
		}
		if what := h.wrong.Load(); what != nil {
			t.Errorf("%s out of order", *what)
		}
		if st := s.Stats(); st.Open != 0 || st.Judged != 0 || st.Panics != 0 || h.open.Load() != 0 {
			t.Errorf("%+v, %d sessions left", st, h.open.Load())
		}
		if got := stdLog.String(); got != "" {
			t.Errorf("standard logger: %s", got)
		}
	})
}

// readAnswers reads to the end of a connection.
func readAnswers(c net.Conn) error {
	client := miltertest.NewClient(c)
	client.Timeout = 0
	for {
		code, payload, err := client.Receive()
		switch {
		case err != nil:
			return nil
		case code == 'y':
			if _, err := miltertest.ParseReply(payload); err != nil {
				return err
			}
		case code != 'c' && code != 'O':
			return fmt.Errorf("answer %q", code)
		}
	}
}

package main

import (
	"net"
	"time"

	"mailprofiled/internal/miltertest"
)

// recipient is who all mail is for.
const recipient = "<jo@example.net>"

// An mta delivers one mail after the other as Postfix shows it to a milter, each
// on a connection of its own. Not safe for concurrent use.
type mta struct {
	socket string
	login  bool              // each sender logs in, by an account of its own
	visit  *miltertest.Visit // nil before the first

	waited [stages]time.Duration // for the answers on this connection
}

// The stages of a transaction that have an answer.
const (
	atConnect = iota
	atHelo
	atMail
	atRcpt
	atEnd // of the message
	stages
)

var stageNames = [stages]string{"connect", "HELO", "MAIL", "RCPT", "end"}

// A delivery is how one transaction went.
type delivery struct {
	whole     time.Duration // from before the connection until the message is taken
	waited    [stages]time.Duration
	continued bool // the recipient was taken
}

// deliver is one transaction in the packets O C H M R E Q. After a refusal of the
// recipient it quits.
func (m *mta) deliver(s sender) (delivery, error) {
	start := time.Now()
	if err := m.open(s); err != nil {
		return delivery{}, err
	}
	defer m.visit.Close()
	from, account := "<jo@"+s.domain()+">", ""
	if m.login {
		account = "jo@" + s.domain()
	}
	if _, err := m.timed(atMail, func() (miltertest.Answer, error) { return m.visit.Mail(from, account, "SIZE=4711") }); err != nil {
		return delivery{}, err
	}
	answer, err := m.timed(atRcpt, func() (miltertest.Answer, error) { return m.visit.Rcpt(recipient) })
	if err != nil {
		return delivery{}, err
	}
	d := delivery{continued: answer.Continue()}
	if d.continued {
		if _, err := m.timed(atEnd, m.end); err != nil {
			return delivery{}, err
		}
	}
	d.whole, d.waited = time.Since(start), m.waited
	m.visit.Add('Q')
	return d, m.visit.Flush()
}

// end is the end of the message. The two aborts which Postfix sends after it are
// left out, here and at QUIT: they cost the empty filter more than they cost us,
// so the comparison is fair without.
func (m *mta) end() (miltertest.Answer, error) {
	m.visit.AddRaw('D', []byte("Ei\x004Zq1000\x00"))
	m.visit.Add('E')
	if err := m.visit.Flush(); err != nil {
		return miltertest.Answer{}, err
	}
	return m.visit.Wait()
}

// open connects, and goes on until HELO has been answered.
func (m *mta) open(s sender) error {
	conn, err := net.Dial("unix", m.socket)
	if err != nil {
		return err
	}
	if m.waited = [stages]time.Duration{}; m.visit == nil {
		m.visit = miltertest.NewVisit(conn, miltertest.Postfix())
	} else {
		m.visit.Reuse(conn)
	}
	if err := m.hello(s); err != nil {
		conn.Close()
		return err
	}
	return nil
}

func (m *mta) hello(s sender) error {
	if err := m.visit.Negotiate(); err != nil {
		return err
	}
	_, err := m.timed(atConnect, func() (miltertest.Answer, error) {
		return m.visit.Connect(miltertest.Peer{Addr: s.addr(), Port: 40000, Name: s.ptr()})
	})
	if err != nil {
		return err
	}
	_, err = m.timed(atHelo, func() (miltertest.Answer, error) { return m.visit.Helo(s.helo()) })
	return err
}

// timed does a step and notes how long its answer took.
func (m *mta) timed(stage int, step func() (miltertest.Answer, error)) (miltertest.Answer, error) {
	began := time.Now()
	answer, err := step()
	m.waited[stage] = time.Since(began)
	return answer, err
}

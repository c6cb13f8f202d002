package milter

import (
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/emersion/go-milter"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// A session turns the library's callbacks into the calls of a [Session], and its
// answers into packets. It belongs to the goroutine of its connection.
//
// The library's arguments are not looked at: addresses have lost their brackets
// and ESMTP arguments in them, macros their stage. The conn keeps both whole.
type session struct {
	milter.NoOpMilter // header and body never get here

	srv  *Server
	conn *conn
	set  *settings // as they were when it began

	judge    Session // nil before connect, and when none is to be asked
	limited  bool    // there was no place for it: no judge but one of limits
	reduced  bool    // the judge is one of limits alone, and on_failure says the rest
	failed   bool    // the judge has panicked, and only learns how its transaction ends
	warned   bool    // of commands out of order
	accepted int     // recipients of the open transaction
	queueID  string  // the last {i} of the open transaction
}

// patience is how long the MTA may be silent. Between an accepted recipient and
// the end of the message it is, for as long as the client takes to send it.
func (s *session) patience() time.Duration {
	if s.accepted > 0 {
		return s.set.data
	}
	return s.set.idle
}

// Connect opens the session of a client. The MTA's greeting waits for it.
func (s *session) Connect(string, string, uint16, net.IP, *milter.Modifier) (milter.Response, error) {
	s.leave() // of a client before this one, if the connection is used again
	c := s.conn
	c.client.MTA = engine.MTA{
		Name:       c.macros.get('C', "j"),
		IfAddr:     parseAddr(c.macros.get('C', "if_addr")),
		DaemonAddr: parseAddr(c.macros.get('C', "daemon_addr")),
		DaemonName: c.macros.get('C', "daemon_name"),
	}
	c.macros.drop('C')
	s.srv.noteMTA(c)
	deepen()
	if s.limited {
		s.fallBack()
	} else {
		s.askConnect()
	}
	return milter.RespContinue, nil
}

// deepen makes the goroutine's stack as large as a judgement needs, once, while few frames
// are on it. Left to itself it doubles three times on the way down, and each time all frames
// are walked and moved: 7.8 % of what a known client cost, and 3.6 % since this is here.
//
//go:noinline
func deepen() byte {
	var room [9 << 10]byte // does not fit in 8 KiB: 16 it will be
	return room[len(os.Args)&7]
}

// Helo passes the name on, and always says continue: Sendmail throws the text of
// an earlier verdict away, and one given here sticks, a second EHLO is not asked.
func (s *session) Helo(string, *milter.Modifier) (milter.Response, error) {
	s.conn.macros.drop('H')
	if s.judged("HELO", true) {
		s.askHelo()
	}
	return milter.RespContinue, nil
}

// MailFrom opens a transaction. When it is refused there is none.
func (s *session) MailFrom(string, *milter.Modifier) (milter.Response, error) {
	s.closeMail()
	s.noteQueueID('M')
	m := engine.Mail{
		From:    string(s.conn.arg),
		Account: s.conn.macros.get('M', "auth_authen"),
		QueueID: s.queueID,
	}
	s.conn.macros.drop('M')
	s.srv.seen.noteMail(m.Account != "")
	a := s.set.failure
	if s.failed && s.judge != nil {
		s.askAbort() // an end of message must not be taken for that of the mail before
	}
	if s.judged("MAIL", true) {
		a = s.ask("mail", func(j Session) engine.Answer { return j.Mail(m) })
	}
	if a.Action != profile.Continue {
		s.conn.closeMail()
	}
	return response(a), nil
}

// RcptTo asks about a recipient. One that the MTA refuses itself is only shown
// to the judge: the client gets the MTA's reply, whatever we say.
func (s *session) RcptTo(string, *milter.Modifier) (milter.Response, error) {
	s.noteQueueID('R')
	r := engine.Rcpt{To: string(s.conn.arg), QueueID: s.queueID}
	mailer := s.conn.macros.get('R', "rcpt_mailer")
	s.srv.seen.noteRcpt(mailer != "")
	if mailer == "error" {
		r.Refused, r.Status = true, s.conn.macros.get('R', "rcpt_host")
	}
	s.conn.macros.drop('R')
	a := s.set.failure
	if s.judged("RCPT", s.conn.mailOpen()) {
		a = s.ask("rcpt", func(j Session) engine.Answer { return j.Rcpt(r) })
	}
	if r.Refused {
		return milter.RespContinue, nil
	}
	if a.Action == profile.Continue {
		s.accepted++
	}
	return response(a), nil
}

// Body is the end of the message: the MTA has all of it. It is taken, unless its account was
// blocked meanwhile; a failure of ours here is no reason to ask for it again.
func (s *session) Body(*milter.Modifier) (milter.Response, error) {
	s.noteQueueID('E')
	s.conn.macros.drop('E')
	var a engine.Answer
	if open := s.conn.mailOpen(); s.judged("end of message", open) || s.failed && s.judge != nil && open {
		a = s.askEnd()
	}
	s.closeMail()
	s.conn.closeMail()
	return response(a), nil
}

// Abort drops the message. What is known of connection and HELO stays: Postfix
// sends the H of a second EHLO before the A.
func (s *session) Abort(*milter.Modifier) error {
	for _, stage := range []byte("MRE") {
		s.conn.macros.drop(stage)
	}
	if s.judge != nil {
		s.askAbort()
	}
	s.closeMail()
	s.conn.closeMail()
	return nil
}

// leave ends the judge's session, if there is one, and forgets all of it.
func (s *session) leave() {
	if s.judge != nil {
		s.askClose()
	}
	s.judge, s.reduced, s.failed, s.warned = nil, false, false, false
	s.closeMail()
	s.conn.closeMail()
}

// closeMail forgets what was kept of a transaction.
func (s *session) closeMail() { s.accepted, s.queueID = 0, "" }

// noteQueueID keeps the last {i} the MTA has told in this transaction: Postfix
// has none before the first accepted recipient, Sendmail may not repeat it.
func (s *session) noteQueueID(stage byte) {
	if id := s.conn.macros.get(stage, "i"); id != "" {
		s.queueID = id
	}
}

// judged reports whether the judge can be asked about a command. It cannot when
// there was no place for this session and there are no limits, when it has panicked,
// and when the MTA has left out a step before: then on_failure is the answer, and
// once a warning.
func (s *session) judged(command string, inOrder bool) bool {
	if s.failed {
		return false
	}
	if s.judge != nil && inOrder {
		return true
	}
	if !s.warned {
		s.warned = true
		s.srv.log(slog.LevelWarn, "milter command out of order, answered by on_failure", s.conn, slog.String("command", command))
	}
	return false
}

// The calls of the judge. A panic in one of them is the judge's last word: from
// there on limits alone are asked, and on_failure answers what they let go on.

func (s *session) askConnect() {
	defer func() { s.contain("connect", recover()) }()
	s.judge = s.conn.port.handler.Connect(s.conn.client)
	if s.judge == nil {
		s.srv.log(slog.LevelError, "handler gave no session, answered by on_failure", s.conn)
		s.fallBack()
	}
}

func (s *session) askHelo() {
	defer func() { s.contain("helo", recover()) }()
	s.judge.Helo(string(s.conn.arg))
}

// ask puts a question to the judge, and to limits if it panics.
func (s *session) ask(stage string, question func(Session) engine.Answer) engine.Answer {
	for !s.failed {
		if s.reduced && s.set.failure.Action != profile.Continue {
			break // whatever limits say, and they count nothing of it
		}
		a, ok := s.try(stage, question)
		switch {
		case !ok:
		case s.reduced && a.Action == profile.Continue:
			return s.set.failure
		default:
			return a
		}
	}
	return s.set.failure
}

// try puts a question to the judge. It is false when that panics.
func (s *session) try(stage string, question func(Session) engine.Answer) (a engine.Answer, ok bool) {
	defer func() {
		if s.contain(stage, recover()) {
			a, ok = engine.Answer{}, false
		}
	}()
	return question(s.judge), true
}

// askEnd tells the judge of the end of the message; if it panics, whoever comes after
// it counts what it has reserved.
func (s *session) askEnd() engine.Answer {
	end := func(j Session) engine.Answer { return j.EndOfMessage(s.queueID) }
	a, ok := s.try("eom", end)
	if !ok && !s.failed {
		a, _ = s.try("eom", end)
	}
	return a
}

func (s *session) askAbort() {
	defer func() { s.contain("abort", recover()) }()
	s.judge.Abort()
}

func (s *session) askClose() {
	defer func() { s.contain("close", recover()) }()
	s.judge.Close()
}

// contain takes what recover gave. One broken session must not take the daemon
// down, nor hold up the mail of its client.
func (s *session) contain(stage string, panicked any) bool {
	if panicked == nil {
		return false
	}
	s.srv.panics.Add(1)
	s.srv.log(slog.LevelError, "panic in handler, session answered by on_failure", s.conn,
		slog.String("stage", stage), slog.Any("panic", panicked), slog.String("stack", string(debug.Stack())))
	if stage != "close" {
		s.fallBack()
	}
	return true
}

// fallBack has limits judge in place of a judge that has failed or was never there.
// Where there are none, or they fail too, on_failure is all there is.
func (s *session) fallBack() {
	if s.reduced {
		s.failed = true
		return
	}
	s.reduced = true
	broken := s.judge
	s.askLimited(broken)
	if s.judge != broken && broken != nil {
		next := s.judge
		s.judge = broken
		s.askClose()
		s.judge = next
	}
}

func (s *session) askLimited(broken Session) {
	defer func() { s.contain("connect", recover()) }()
	var next Session
	if h, ok := s.conn.port.handler.(Limiter); ok {
		next = h.ConnectLimited(s.conn.client, broken)
	}
	if next == nil {
		s.failed = true
		return
	}
	s.judge = next
}

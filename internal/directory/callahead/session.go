package callahead

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"mailprofiled/internal/connpool"
)

// How long one session is used. Servers count: Postfix slows down at 10 refusals and
// hangs up at 20 (smtpd_hard_error_limit), and counts RSETs beyond 100
// (smtpd_junk_command_limit).
const (
	maxQuestions = 80
	maxRefusals  = 8
)

// A session is one connection to the next hop, past its greeting.
type session struct {
	net.Conn
	in                  *bufio.Reader
	pipelining, utf8    bool
	questions, refusals int
	over                bool // has served its time
	dead                bool // nothing more can be said
}

// open connects and greets.
func (h hop) open(ctx context.Context, hello string) (*session, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, h.network, h.address)
	if err != nil {
		return nil, err
	}
	s := &session{Conn: c, in: bufio.NewReaderSize(c, 2*maxLine)}
	done := connpool.Limit(ctx, c)
	err = s.greet(h.lmtp, hello)
	if !done() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// greet takes the greeting and says hello (RFC 5321 section 3.2, RFC 2033 section 4.1).
func (s *session) greet(lmtp bool, hello string) error {
	r, err := readReply(s.in)
	if err != nil {
		return hungUp(err)
	}
	if r.code != 220 {
		return fmt.Errorf("the next hop does not want us: %s", r)
	}
	verb := "EHLO "
	if lmtp {
		verb = "LHLO "
	}
	if r, err = s.command(verb + hello); err != nil {
		return err
	}
	if r.class() == 5 && !lmtp {
		r, err = s.command("HELO " + hello)
		if err != nil {
			return err
		}
		r.lines = r.lines[:1]
	}
	if r.class() != 2 {
		return fmt.Errorf("the next hop does not want us: %s", r)
	}
	for _, line := range r.lines[1:] {
		word, _, _ := strings.Cut(strings.ToUpper(line), " ")
		s.pipelining = s.pipelining || word == "PIPELINING" // RFC 2920
		s.utf8 = s.utf8 || word == "SMTPUTF8"               // RFC 6531
	}
	return nil
}

// command sends one line and takes its reply.
func (s *session) command(line string) (reply, error) {
	if _, err := io.WriteString(s, line+"\r\n"); err != nil {
		return reply{}, err
	}
	r, err := readReply(s.in)
	return r, hungUp(err)
}

var errHungUp = errors.New("the next hop hung up")

func hungUp(err error) error {
	if errors.Is(err, io.EOF) {
		return errHungUp
	}
	return err
}

// gone reports the end of a session that was idle: the server's right, and no answer
// to anything.
func gone(err error) bool {
	return errors.Is(err, errHungUp) || errors.Is(err, errIdled) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// errIdled is a 421 to MAIL: what servers say to whom they have waited for too long.
var errIdled = errors.New("the next hop ends the session")

// rcpt asks for one recipient in a transaction of its own, which is then given up, all
// in one packet where the server can take it: a second recipient of the null sender is
// a sign of junk to some.
func (s *session) rcpt(ctx context.Context, path string, utf8 bool) (r reply, err error) {
	done := connpool.Limit(ctx, s)
	defer func() {
		if !done() {
			s.dead = true
		}
	}()
	mail := "MAIL FROM:<>"
	if utf8 {
		mail += " SMTPUTF8"
	}
	s.questions++
	s.over = s.over || s.questions >= maxQuestions
	if s.in.Buffered() > 0 {
		s.dead = true
		return reply{}, fmt.Errorf("%w: speaks unasked", errRubbish)
	}
	r, err = s.transaction(mail, "RCPT TO:<"+path+">")
	if err != nil {
		s.dead = true
		return reply{}, err
	}
	if r.class() == 5 {
		s.refusals++
		s.over = s.over || s.refusals >= maxRefusals
	}
	if r.code == 421 || r.code == 521 {
		s.dead = true
	}
	return r, nil
}

// transaction gives the reply to RCPT.
func (s *session) transaction(mail, rcpt string) (reply, error) {
	lines := []string{mail, rcpt, "RSET"}
	if s.pipelining {
		if _, err := io.WriteString(s, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
			return reply{}, err
		}
	}
	var answer reply
	for i, line := range lines {
		if !s.pipelining {
			if _, err := io.WriteString(s, line+"\r\n"); err != nil {
				return s.rest(i, answer, err)
			}
		}
		r, err := readReply(s.in)
		switch {
		case err != nil:
			return s.rest(i, answer, hungUp(err))
		case i == 0 && r.code == 421:
			return reply{}, fmt.Errorf("%w: %s", errIdled, r)
		case i == 0 && r.class() != 2:
			return reply{}, fmt.Errorf("the next hop does not take MAIL FROM:<>: %s", r)
		case i == 1:
			answer = r
		case i == 2 && r.class() != 2:
			s.dead = true
		}
	}
	return answer, nil
}

// rest deals with the end of a session at line i. What was answered before stays an
// answer.
func (s *session) rest(i int, answer reply, err error) (reply, error) {
	s.dead = true
	if i == 2 {
		return answer, nil
	}
	if i == 1 && gone(err) {
		err = fmt.Errorf("the next hop hung up at RCPT: %w", io.ErrUnexpectedEOF)
	}
	return reply{}, err
}

// quotePath makes a forward-path of an address: a local part that is no dot-string is
// quoted (RFC 5321 section 4.1.2).
func quotePath(local, domain string) string {
	if !dotString(local) {
		local = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
	}
	return local + "@" + domain
}

// dotString reports whether a local part needs no quotes. Beyond ASCII all is an atom
// (RFC 6531 section 3.3).
func dotString(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>@[\]`, r)
		}) {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// quitTime is how long a goodbye may take: it goes into a socket's empty buffer.
const quitTime = 50 * time.Millisecond

// Close says QUIT, where that can still be said, and hangs up.
func (s *session) Close() error {
	if !s.dead {
		s.SetDeadline(time.Now().Add(quitTime))
		io.WriteString(s, "QUIT\r\n")
	}
	return s.Conn.Close()
}

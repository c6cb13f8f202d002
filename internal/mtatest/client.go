package mtatest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// replyWait bounds each reply of the server: longer than any budget a test sets.
const replyWait = 60 * time.Second

// A Reply is one answer of an SMTP server. The zero Reply is: none was had.
type Reply struct {
	Code int    // 250, 450, 550, ...
	Text string // the rest of each line, joined by LF
}

// String gives code and text, as the server said them in one line.
func (r Reply) String() string {
	return strconv.Itoa(r.Code) + " " + strings.ReplaceAll(r.Text, "\n", " / ")
}

// A Client is one SMTP connection, for one goroutine.
type Client struct {
	Greeting Reply // the server's first word

	conn net.Conn
	in   *bufio.Reader
	log  []string
}

// Dial connects from the local address, "" for any, to remote ("host:port") and
// reads the greeting. A greeting of 554 or 421 is not an error: see Greeting.
func Dial(local, remote string) (*Client, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if local != "" {
		addr, err := netip.ParseAddr(local)
		if err != nil {
			return nil, fmt.Errorf("local address: %w", err)
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))
	}
	conn, err := d.Dial("tcp", remote)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, in: bufio.NewReader(conn)}
	if c.Greeting, err = c.read(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting of %s: %w", remote, err)
	}
	return c, nil
}

// Close drops the connection without a QUIT.
func (c *Client) Close() error { return c.conn.Close() }

// Quit says QUIT, waits for the answer and closes.
func (c *Client) Quit() error {
	_, _, err := c.Cmd("QUIT")
	return errors.Join(err, c.conn.Close())
}

// Transcript is the dialogue so far, a line each, "C: " or "S: " in front.
func (c *Client) Transcript() string { return strings.Join(c.log, "\n") }

// Cmd sends a line and reads its reply. The line goes out as it is, CR LF behind it.
func (c *Client) Cmd(line string) (code int, text string, err error) {
	r, err := c.Do(line)
	return r.Code, r.Text, err
}

// Do is Cmd with the reply in one piece.
func (c *Client) Do(line string) (Reply, error) {
	if err := c.Send(line + "\r\n"); err != nil {
		return Reply{}, fmt.Errorf("%.40q: %w", line, err)
	}
	r, err := c.read()
	if err != nil {
		return r, fmt.Errorf("reply to %.40q: %w", line, err)
	}
	return r, nil
}

// Send writes bytes as they are and reads nothing.
func (c *Client) Send(raw string) error {
	c.log = append(c.log, "C: "+strings.TrimSuffix(raw, "\r\n"))
	if err := c.conn.SetDeadline(time.Now().Add(replyWait)); err != nil {
		return err
	}
	_, err := c.conn.Write([]byte(raw))
	return err
}

// read takes one reply of one or more lines (RFC 5321 section 4.2.1).
func (c *Client) read() (Reply, error) {
	var r Reply
	if err := c.conn.SetDeadline(time.Now().Add(replyWait)); err != nil {
		return r, err
	}
	for {
		raw, err := c.in.ReadString('\n')
		if err != nil {
			return r, err
		}
		c.log = append(c.log, "S: "+strings.TrimRight(raw, "\r\n"))
		line, crlf := strings.CutSuffix(raw, "\r\n")
		if !crlf || len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return r, fmt.Errorf("not an SMTP reply line: %q", raw)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil || r.Code != 0 && code != r.Code {
			return r, fmt.Errorf("not an SMTP reply line: %q", raw)
		}
		if r.Code != 0 {
			r.Text += "\n"
		}
		r.Code = code
		if len(line) > 3 {
			r.Text += line[4:]
		}
		if len(line) == 3 || line[3] == ' ' {
			return r, nil
		}
	}
}

// StartTLS says STARTTLS and takes any certificate. The client must say EHLO again after it.
func (c *Client) StartTLS() (Reply, error) {
	r, err := c.Do("STARTTLS")
	if err != nil || r.Code != 220 {
		return r, err
	}
	// The server is our own, with a certificate made for the test.
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		return r, fmt.Errorf("TLS handshake: %w", err)
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	return r, nil
}

// An XClient overrides what a Postfix with XCLIENT believes of its client. Zero
// fields stay as they were, but Name and ReverseName, which are then unknown.
type XClient struct {
	Addr              netip.Addr
	Name, ReverseName string
	Helo, Login       string
}

// XClient sends the XCLIENT command. On success the server greets anew: that is
// the reply, and EHLO has to come again.
func (c *Client) XClient(x XClient) (Reply, error) {
	line := "XCLIENT"
	if x.Addr.Is6() {
		line += " ADDR=IPV6:" + x.Addr.String()
	} else if x.Addr.IsValid() {
		line += " ADDR=" + x.Addr.String()
	}
	// Without REVERSE_NAME Postfix keeps the one of the real client.
	line += " NAME=" + xvalue(x.Name) + " REVERSE_NAME=" + xvalue(x.ReverseName)
	if x.Helo != "" {
		line += " HELO=" + xvalue(x.Helo)
	}
	if x.Login != "" {
		line += " LOGIN=" + xvalue(x.Login)
	}
	return c.Do(line)
}

// xvalue encodes an XCLIENT value as xtext (RFC 3461 section 4).
func xvalue(s string) string {
	if s == "" {
		return "[UNAVAILABLE]"
	}
	var b strings.Builder
	for _, ch := range []byte(s) {
		if ch < '!' || ch > '~' || ch == '+' || ch == '=' {
			fmt.Fprintf(&b, "+%02X", ch)
		} else {
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// A Delivery is what SendMail was told at each step; steps not reached are zero.
type Delivery struct {
	Mail  Reply
	Rcpts []Reply // one for each recipient
	Data  Reply   // to DATA
	End   Reply   // to the dot
	Waits []time.Duration
}

// Last is the reply of the last step that was reached: the outcome for one recipient.
func (d Delivery) Last() Reply {
	switch {
	case d.End.Code != 0:
		return d.End
	case d.Data.Code != 0:
		return d.Data
	case len(d.Rcpts) > 0:
		return d.Rcpts[len(d.Rcpts)-1]
	}
	return d.Mail
}

// Accepted reports whether the message was taken for at least one recipient.
func (d Delivery) Accepted() bool { return d.End.Code == 250 }

// SendMail delivers one small message: MAIL, each RCPT, and DATA if one of them
// was accepted. EHLO is the caller's. from and rcpts stand without brackets.
// A refusal is a reply, not an error. Waits holds how long each RCPT took.
func (c *Client) SendMail(from string, rcpts ...string) (d Delivery, err error) {
	if d.Mail, err = c.Do("MAIL FROM:<" + from + ">"); err != nil || d.Mail.Code != 250 {
		return d, err
	}
	accepted := false
	for _, to := range rcpts {
		start := time.Now()
		r, err := c.Do("RCPT TO:<" + to + ">")
		d.Rcpts, d.Waits = append(d.Rcpts, r), append(d.Waits, time.Since(start))
		if err != nil {
			return d, err
		}
		accepted = accepted || r.Code == 250
	}
	if !accepted {
		_, err = c.Do("RSET")
		return d, err
	}
	if d.Data, err = c.Do("DATA"); err != nil || d.Data.Code != 354 {
		return d, err
	}
	d.End, err = c.Do("From: <" + from + ">\r\nSubject: test\r\n\r\nA test.\r\n.")
	return d, err
}

package miltertest

import (
	"fmt"
	"strconv"
	"strings"
)

// An Answer is what a milter says to a command.
type Answer struct {
	Packet byte   // its code: 'c', 'y', 'r', 't', 'a', 'd', ...
	Action string // "continue", "tempfail", "reject", "accept", "discard", "skip"
	Code   int    // of a 'y': 550
	Status string // of a 'y': "5.7.1"
	Text   string // of a 'y', as the client sees it
}

// Continue reports whether the mail may go on.
func (a Answer) Continue() bool { return a.Action == "continue" || a.Action == "accept" }

// String gives the answer as a dialogue would expect it.
func (a Answer) String() string {
	if a.Packet != 'y' {
		return a.Action
	}
	return fmt.Sprintf("%s %d %s %q", a.Action, a.Code, a.Status, a.Text)
}

// Wait receives the answer to a command. One that Postfix or Sendmail would take
// for malformed is an error.
func (c *Client) Wait() (Answer, error) {
	for {
		code, payload, err := c.Receive()
		switch {
		case err != nil:
			return Answer{}, err
		case code == 'y':
			return ParseReply(payload)
		case code == 'p': // progress: the answer is still to come
			continue
		}
		if a, ok := actions[code]; ok {
			return Answer{Packet: code, Action: a}, nil
		}
		return Answer{}, fmt.Errorf("answer with unknown code %q", code)
	}
}

var actions = map[byte]string{'c': "continue", 't': "tempfail", 'r': "reject", 'a': "accept", 'd': "discard", 's': "skip"}

// ParseReply reads the payload of a 'y' and holds it to what both MTAs want:
// "DDD X.Y.Z text" and a NUL, one class, each % doubled, printable US-ASCII, no
// more than fits into a line of SMTP with Sendmail's "<recipient>... " in it.
func ParseReply(payload []byte) (Answer, error) {
	raw := string(payload)
	bad := func(why string) (Answer, error) { return Answer{}, fmt.Errorf("malformed reply, %s: %q", why, raw) }
	s, ended := strings.CutSuffix(raw, "\x00")
	if !ended {
		return bad("no NUL at the end")
	}
	if len(s) > 240 {
		return bad("longer than 240 octets")
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return bad("not printable US-ASCII")
		}
	}
	text := strings.ReplaceAll(s, "%%", "")
	if strings.Contains(text, "%") {
		return bad("a single %")
	}
	f := strings.SplitN(strings.ReplaceAll(s, "%%", "%"), " ", 3)
	if len(f) < 3 || f[2] == "" {
		return bad("no text")
	}
	code, err := strconv.Atoi(f[0])
	if err != nil || len(f[0]) != 3 || code < 400 || code > 599 {
		return bad("no code of 4yz or 5yz")
	}
	if !isStatus(f[1]) || f[1][0] != f[0][0] {
		return bad("status missing or of another class")
	}
	a := Answer{Packet: 'y', Action: "tempfail", Code: code, Status: f[1], Text: f[2]}
	if code >= 500 {
		a.Action = "reject"
	}
	return a, nil
}

// isStatus tells an enhanced status code (RFC 3463 section 2).
func isStatus(s string) bool {
	f := strings.Split(s, ".")
	if len(f) != 3 || len(f[0]) != 1 {
		return false
	}
	for _, n := range f {
		if v, err := strconv.ParseUint(n, 10, 16); err != nil || v > 999 || len(n) > 1 && n[0] == '0' {
			return false
		}
	}
	return true
}

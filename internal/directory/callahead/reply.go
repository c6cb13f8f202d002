package callahead

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"mailprofiled/internal/directory"
)

// What is read of one reply at most. RFC 5321 section 4.5.3.1.5 has 512 octets for a
// line; servers that explain themselves send more.
const (
	maxLine  = 2048
	maxLines = 128
)

var errRubbish = errors.New("not a reply of SMTP")

// A reply is one answer of the server, of one line or several.
type reply struct {
	code   int    // 200 to 599
	status string // enhanced status (RFC 3463) that all lines agree on; "" for none
	lines  []string
}

func (r reply) class() int { return r.code / 100 }

// String is the reply on one line.
func (r reply) String() string {
	text := fmt.Sprint(r.code)
	if r.status != "" {
		text += " " + r.status
	}
	for _, line := range r.lines {
		if line != "" {
			text += " " + line
		}
	}
	return text
}

// readReply reads one reply (RFC 5321 section 4.2). io.EOF says that the stream ended
// before its first octet.
func readReply(in *bufio.Reader) (reply, error) {
	var r reply
	var statuses []string
	for {
		line, err := readLine(in)
		if err != nil {
			if r.code != 0 && errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: cut off", errRubbish)
			}
			return reply{}, err
		}
		code, text, more, ok := parseLine(line)
		if !ok || r.code != 0 && code != r.code || len(r.lines) == maxLines {
			return reply{}, errRubbish
		}
		status, text := cutStatus(code, text)
		r.code, r.lines, statuses = code, append(r.lines, text), append(statuses, status)
		if !more {
			r.status = agreed(statuses)
			return r, nil
		}
	}
}

// readLine reads up to a line feed, and takes it and the CR before it away.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", fmt.Errorf("%w: a line of more than %d octets", errRubbish, maxLine)
		}
		switch {
		case err == nil:
			return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) > 0 && errors.Is(err, io.EOF):
			return "", fmt.Errorf("%w: cut off", errRubbish)
		default:
			return "", err
		}
	}
}

// parseLine takes a line apart: three digits, then '-' where more lines follow, or a
// space, or nothing.
func parseLine(line string) (code int, text string, more, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, "", false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	switch {
	case len(line) == 3:
		return code, "", false, true
	case line[3] != ' ' && line[3] != '-':
		return 0, "", false, false
	}
	return code, line[4:], line[3] == '-', true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// cutStatus takes an enhanced status off the front of a line (RFC 2034 section 4): a
// class, a subject and a detail. One of another class than the code is none: who
// contradicts himself has said nothing clear.
func cutStatus(code int, text string) (status, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 {
		return "", text
	}
	for i, part := range parts {
		if part == "" || len(part) > 3 || i == 0 && len(part) > 1 || strings.Trim(part, "0123456789") != "" {
			return "", text
		}
	}
	if int(parts[0][0]-'0') != code/100 {
		return contradiction, rest
	}
	return word, rest
}

// contradiction stands for a status that does not fit its code, or its neighbours.
const contradiction = "?"

// agreed is the one status of all lines that have one.
func agreed(statuses []string) string {
	one := ""
	for _, s := range statuses {
		switch {
		case s == "" || s == one:
		case one == "":
			one = s
		default:
			return contradiction
		}
	}
	return one
}

// judge says what the answer to RCPT tells of the recipient. Only what cannot mean
// anything else is a no: 5.1.1, bad mailbox; 5.1.10, a domain that takes no mail; and,
// from a server without enhanced status, a 550 in words about the mailbox, which must
// not come from the address itself.
func judge(r reply, rcpt string) (directory.Result, error) {
	switch {
	case r.class() == 2:
		return directory.Yes, nil
	case r.code == 421: // RFC 5321 section 3.8: it ends the session, whoever is asked about
		return directory.Failed, fmt.Errorf("the next hop ends the session: %s", r)
	case r.class() == 4: // a full mailbox, greylisting
		return directory.Failed, directory.OnlyThis(fmt.Errorf("the next hop puts it off: %s", r))
	case r.class() != 5:
		return directory.Failed, fmt.Errorf("the next hop answers what is no answer to RCPT: %s", r)
	case r.code == 503 || r.code == 521: // RFC 5321 section 4.2.4: out of order; RFC 7504: no mail here
		return directory.Failed, fmt.Errorf("the next hop does not take recipients: %s", r)
	case r.status == "5.1.1" || r.status == "5.1.10":
		return directory.No, nil
	case r.status == "" && r.code == 550 && namesNobody(without(strings.Join(r.lines, " "), rcpt)):
		return directory.No, nil
	}
	return directory.Unknown, fmt.Errorf("the next hop refuses it, and does not clearly say that nobody is there: %s", r)
}

// Words by which servers without enhanced status say that a mailbox is not there,
// and words that show that they mean something else.
var (
	nobodyWords = []string{
		"user unknown", "unknown user", "unknown local user", "no such user", "not a known user", "user not found", "user does not exist", "user doesn't exist",
		"unknown recipient", "recipient unknown", "no such recipient", "recipient not found", "recipient does not exist",
		"unknown mailbox", "mailbox unknown", "no such mailbox", "no mailbox", "mailbox not found", "mailbox does not exist",
		"unknown address", "address unknown", "no such address", "address does not exist", "no such person", "unknown local part", "no such local user",
		"invalid recipient", "invalid mailbox", "user invalid", "not a valid mailbox", "not a valid user", "no account by that name", "no such account",
	}
	otherWords = []string{
		"relay", "spam", "block", "list", "policy", "denied", "not allowed", "not permitted", "prohibited", "reputation", "spf", "dkim", "dmarc", "rdns", "ptr",
		"reverse", "rate", "too many", "try again", "later", "temporar", "full", "quota", "disabled", "suspended", "inactive", "auth", "sender", "client", "helo",
		"verif", "virus", "domain", "host",
	}
)

// without takes the recipient out of a text, as sent, in lower case, and in whatever
// form the server gives it.
func without(text, rcpt string) string {
	text = strings.ReplaceAll(strings.ToLower(text), strings.ToLower(rcpt), "")
	words := strings.Fields(text)
	kept := words[:0]
	for _, word := range words {
		if !strings.Contains(word, "@") {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}

func namesNobody(text string) bool {
	return containsAny(text, nobodyWords) && !containsAny(text, otherWords)
}

func containsAny(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

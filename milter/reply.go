package milter

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-milter"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// maxReply is the longest reply in octets, as it goes to the MTA: RFC 5321
// section 4.5.3.1.5 allows 512, and Sendmail puts "<recipient>... " into it.
const maxReply = 240

// maxID is the longest transaction id that a reply carries.
const maxID = 32

// The replies of last resort, for an answer whose own codes make no sense
// (RFC 3463 section 3.8), and what to say where an answer has no text.
const (
	anyTempfail, anyReject         = 451, 550
	anyDetail                      = "7.0"
	tempfailSentence               = "Please try again later"
	rejectSentence                 = "Refused by local policy"
	failureCode                    = 451
	failureStatus, failureSentence = "4.3.0", "Service temporarily unavailable, please try again later"
)

// response makes an answer a packet. A refusal always goes out as a reply code
// ('y'): with it both MTAs give our text, and the library keeps its backend.
func response(a engine.Answer) milter.Response {
	switch a.Action {
	case profile.TempFail, profile.Reject:
		return milter.NewResponseStr(byte(milter.ActReplyCode), replyText(a))
	}
	return milter.RespContinue
}

// replyText is the one place that makes a reply well formed, whatever comes in:
// "550 5.7.25 text [id]", one line of printable US-ASCII, at most maxReply octets.
//
// Its code has the class of the action, its status the class of the code (Postfix
// takes anything else for a fault of ours and answers 451 4.3.5 to the end of the
// session); each % is doubled (both MTAs format the text; a single one costs
// Sendmail the whole text). When text must be cut, the id stays whole.
func replyText(a engine.Answer) string {
	code := replyCode(a.Action, a.Code)
	head := strconv.Itoa(code) + " " + replyStatus(code, a.Status) + " "
	tail := ""
	if id := cleanID(a.ID); id != "" {
		tail = " [" + id + "]"
	}
	tail = helpText(a.Help, maxReply-len(head)-len(tail)-minSentence) + tail
	text := cleanText(a.Text)
	if text == "" {
		text = tempfailSentence
		if code >= 500 {
			text = rejectSentence
		}
	}
	return head + escape(text, maxReply-len(head)-len(tail)) + tail
}

// Spoken is the line of an answer as the client reads it. It is "" for one that lets go on.
func Spoken(a engine.Answer) string {
	if a.Action == profile.Continue {
		return ""
	}
	return strings.ReplaceAll(replyText(a), "%%", "%") // the MTA does so with what it is given
}

// minSentence is how much of a sentence a link must leave room for.
const minSentence = 60

// helpText is the link to the explanation: whole, or not at all, for one that is
// cut leads nowhere.
func helpText(url string, room int) string {
	if url == "" || !isClean(url) {
		return ""
	}
	text := escape("; see "+url, maxReply)
	if len(text) > room {
		return ""
	}
	return text
}

// replyCode gives the basic code of an action: code itself when it is one of
// that class by RFC 5321 section 4.2. 421 is none here: it would end the client's
// connection for the sake of one recipient.
func replyCode(a profile.Action, code int) int {
	class, fallback := 4, anyTempfail
	if a == profile.Reject {
		class, fallback = 5, anyReject
	}
	if code/100 != class || code/10%10 > 5 || code == 421 {
		return fallback
	}
	return code
}

// replyStatus gives the enhanced status code (RFC 3463 section 2) for a basic
// code: its subject and detail are kept, its class always follows the code.
func replyStatus(code int, status string) string {
	class := strconv.Itoa(code / 100)
	_, rest, ok := strings.Cut(status, ".")
	subject, detail, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || !strings.ContainsAny(status[:1], "45") || status[1] != '.' || !statusNumber(subject) || !statusNumber(detail) {
		return class + "." + anyDetail
	}
	return class + status[1:]
}

// statusNumber tells a subject or detail: one to three digits, no leading zero.
func statusNumber(s string) bool {
	if len(s) == 0 || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// cleanText makes any text one line of printable US-ASCII: controls and white
// space become single spaces, what is not ASCII a question mark. A CR or LF that
// got through would let the client read a reply line of somebody else's making.
func cleanText(s string) string {
	if isClean(s) {
		return s
	}
	b := make([]byte, 0, min(len(s), 2*maxReply))
	for _, r := range s {
		switch {
		case r >= utf8.RuneSelf: // also a byte that is no UTF-8
			b = append(b, '?')
		case r > ' ' && r != 0x7f:
			b = append(b, byte(r))
		case len(b) > 0 && b[len(b)-1] != ' ':
			b = append(b, ' ')
		}
		if len(b) == 2*maxReply {
			break
		}
	}
	return strings.TrimRight(string(b), " ")
}

// isClean reports whether cleanText would change nothing.
func isClean(s string) bool {
	last := byte(' ')
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && last == ' ' {
			return false
		}
		last = s[i]
	}
	return s == "" || last != ' '
}

// cleanID keeps what may stand in an id.
func cleanID(id string) string {
	id = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
			return r
		}
		return -1
	}, id)
	return id[:min(len(id), maxID)]
}

// escape doubles each % of a clean text and cuts it to room octets, never
// between the two of a pair.
func escape(text string, room int) string {
	if len(text) <= room && strings.IndexByte(text, '%') < 0 {
		return text
	}
	b := make([]byte, 0, room)
	for i := 0; i < len(text); i++ {
		n := 1
		if text[i] == '%' {
			n = 2
		}
		if len(b)+n > room {
			break
		}
		b = append(b, "%%"[:n]...)
		b[len(b)-1] = text[i]
	}
	return strings.TrimRight(string(b), " ")
}

package maillog

import "strings"

// noQueue stands where there is no queue id.
const noQueue = "NOQUEUE"

// queueID takes a queue id of Postfix off: hexadecimal, or of the long kind, in which
// there are no vowels; or NOQUEUE.
func queueID(text string) (id, rest string, ok bool) {
	id, rest, ok = strings.Cut(text, ": ")
	if !ok || len(id) < 5 || len(id) > 24 {
		return "", "", false
	}
	if id == noQueue {
		return id, rest, true
	}
	digits := 0
	for i := 0; i < len(id); i++ {
		c := id[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		default:
			return "", "", false
		}
	}
	return id, rest, digits > 0 || strings.Trim(id, "ABCDEF") == ""
}

// decisions are the words that begin one.
var decisions = map[string]bool{
	"reject": true, "milter-reject": true, "proxy-reject": true, "proxy-accept": true, "reject_warning": true, "milter-hold": true, "milter-discard": true, "hold": true,
	"discard": true, "filter": true, "prepend": true, "replace": true, "redirect": true, "info": true, "warning": true, "warn": true, "permit": true, "trigger": true, "bcc": true, "delay": true,
}

// cutAction takes the word of a decision off.
func cutAction(text string) (action, rest string, ok bool) {
	action, rest, ok = strings.Cut(text, ": ")
	return action, rest, ok && decisions[action]
}

// afterFrom is what begins with the client: of "RCPT from name[address]: 550 ..."
// behind the first words, of a header that is quoted the last that can be a client,
// since the header may hold such words too.
func afterFrom(rest string) string {
	verb, client, _ := strings.Cut(rest, " from ")
	if !strings.HasPrefix(verb, "header ") && !strings.HasPrefix(verb, "body ") {
		return client
	}
	for i := len(rest); i >= 0; {
		if i = strings.LastIndex(rest[:i], " from "); i < 0 {
			break
		}
		if _, ok := postfixPeer(rest[i+len(" from "):]); ok {
			return rest[i+len(" from "):]
		}
	}
	return client
}

// postfixPeer reads name[address], with or without a port behind it. What follows
// is passed over.
func postfixPeer(s string) (peer, bool) {
	open := strings.IndexByte(s, '[')
	if open < 0 || strings.ContainsAny(s[:open], " \t;,<>") {
		return peer{}, false
	}
	end := strings.IndexByte(s[open:], ']')
	if end < 0 {
		return peer{}, false
	}
	addr, ok := parseIP(s[open+1 : open+end])
	if !ok {
		return peer{}, false
	}
	p := peer{addr: addr}
	switch name := strings.ToLower(s[:open]); name {
	case "":
	case "unknown":
		p.name = Indeterminate
	default:
		p.ptr, p.name = name, Confirmed
	}
	return p, true
}

// replyCode begins with the code behind the client, or the enhanced status where
// there is no code: "RCPT from name[address]: 550 5.1.1 ...". What a header is
// refused with stands at the end.
func replyCode(rest string) string {
	if strings.HasPrefix(rest, "header ") || strings.HasPrefix(rest, "body ") {
		_, code, _ := cutLast(rest, '>')
		return strings.TrimPrefix(code, ": ")
	}
	_, code, _ := strings.Cut(afterFrom(rest), "]")
	_, code, _ = strings.Cut(code, ": ")
	return code
}

// field is the value of the last key=<value>: what stands before it may be quoted
// from a stranger. key has the <.
func field(s, key string) string {
	i := strings.LastIndex(s, key)
	if i < 0 {
		return ""
	}
	s = s[i+len(key):]
	for _, next := range ends[strings.TrimSpace(key)] {
		if end := strings.Index(s, next); end >= 0 {
			return s[:end]
		}
	}
	for at := 0; ; {
		end := strings.IndexByte(s[at:], '>')
		if end < 0 {
			return ""
		}
		end += at
		if end+1 == len(s) || s[end+1] == ' ' || s[end+1] == ',' || s[end+1] == ':' || s[end+1] == ';' {
			return s[:end]
		}
		at = end + 1
	}
}

// ends are what follows a value, by its key: an address may hold a > in quotes.
var ends = map[string][]string{
	"from=<": {"> to=<", ">, to=<", "> proto=", ">, proto=", ">, size="},
	"to=<":   {"> proto=", ">, proto=", ">, orig_to=<", ">, relay="},
}

// word is the value of key=value, up to a comma or blank.
func word(s, key string) string {
	i := strings.LastIndex(s, key)
	if i < 0 {
		return ""
	}
	s = s[i+len(key):]
	if end := strings.IndexAny(s, ", "); end >= 0 {
		s = s[:end]
	}
	return s
}

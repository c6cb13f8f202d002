package directory

import (
	"bytes"
	"strings"
)

// access takes a line of an access table. Of Sendmail's, only what is tagged To: is
// about recipients. A domain is spoken for only where the table refuses it as a whole:
// an access table mostly holds exceptions.
func (rd *reading) access(text []byte) *mistake {
	key, value := cutKey(text)
	tag, rest, to := accessTag(key)
	if to {
		rd.tagged = true
		if tag != "to" {
			return nil
		}
		key = rest
	}
	if len(key) == 0 || len(value) == 0 {
		return &mistake{what: quote(text) + " has no action", remedy: "write an address and an action: user@example.net OK"}
	}
	w := accessWord(value)
	at := bytes.LastIndexByte(key, '@')
	switch {
	case at < 0 && (bytes.IndexByte(key, '.') < 0 || key[0] == '.' || bytes.ContainsAny(key, ":/[") || isDigits(key)):
		return nil // a network, a top domain, or <>
	case at < 0:
		switch ascii := rd.asciiDomain(key); {
		case ascii == "":
			return badDomain(key)
		case refusesAll(value) && !to:
			rd.held = append(rd.held, untagged{domain: ascii})
		case refusesAll(value):
			rd.speak(ascii, named)
		case w == grants:
			rd.speak(ascii, grants)
		}
		return nil
	case at == len(key)-1: // "user@": at any domain
		rd.user(unquoted(key[:at]), "", w, false)
		return nil
	case at == 0:
		return badDomain(key)
	}
	ascii := rd.asciiDomain(key[at+1:])
	if ascii == "" {
		return badDomain(key[at+1:])
	}
	if w == denies && !to {
		rd.held = append(rd.held, untagged{string(unquoted(key[:at])), ascii})
		return nil
	}
	rd.user(unquoted(key[:at]), ascii, w, false)
	return nil
}

// isDigits tells an address from a domain.
func isDigits(key []byte) bool {
	return len(bytes.Trim(key, "0123456789.")) == 0
}

// accessTags are those of Sendmail's table.
var accessTags = map[string]bool{
	"to": true, "from": true, "connect": true, "spam": true, "greetpause": true, "clientrate": true, "clientconn": true,
	"srv_features": true, "try_tls": true, "tls_srv": true, "tls_clt": true, "tls_rcpt": true, "authinfo": true, "cert": true,
	"certissuer": true, "certsubject": true, "tls_srv_features": true, "tls_clt_features": true, "quarantine": true, "delay_checks": true,
}

func accessTag(key []byte) (tag string, rest []byte, ok bool) {
	at := bytes.IndexByte(key, ':')
	if at < 0 {
		return "", nil, false
	}
	tag = strings.ToLower(string(key[:at]))
	return tag, key[at+1:], accessTags[tag]
}

// accessWord says what an action says of the existence of its recipient: that one is
// refused for another reason says nothing of it.
func accessWord(value []byte) word {
	action, rest := cutKey(value)
	switch upper := strings.ToUpper(string(action)); {
	case upper == "OK" || upper == "RELAY" || upper == "DUNNO" || strings.HasPrefix(upper, "PERMIT"):
		return grants
	case upper == "550" && isUnknownUser(rest), strings.HasPrefix(upper, "ERROR:") && isUnknownUser(value[len("error:"):]), upper == "ERROR:NOUSER":
		return denies
	case isDigits(action) && (len(action) != 3 || action[0] != '4' && action[0] != '5'):
		return grants // a number that is no reply is OK to Postfix
	}
	return open
}

// refusesAll reports whether an action refuses, whatever for.
func refusesAll(value []byte) bool {
	action, _ := cutKey(value)
	upper := strings.ToUpper(string(action))
	return upper == "REJECT" || strings.HasPrefix(upper, "ERROR:") || len(action) == 3 && action[0] == '5' && isDigits(action)
}

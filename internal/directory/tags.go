package directory

import "strings"

// This file knows the addresses that mail servers make, and to which bounces come back.
// They stand in no list of recipients.

// withoutTag gives the local part that was tagged by BATV: "prvs=TAG=jo", or Barracuda's
// "btv1==TAG==jo".
func withoutTag(local string) (user string, ok bool) {
	if rest, tagged := cutPrefixFold(local, "prvs="); tagged {
		_, user, ok = strings.Cut(rest, "=")
	} else if rest, tagged := cutPrefixFold(local, "btv1=="); tagged {
		_, user, ok = strings.Cut(rest, "==")
	}
	return user, ok && user != ""
}

// isForwarded reports whether a local part is one of SRS, by which a forwarder gets the
// bounces to mail that it sent on: "SRS0=HASH=TIME=domain=jo" or
// "SRS1=HASH=forwarder==HASH=TIME=domain=jo". Behind the digit "+" and "-" may stand too.
func isForwarded(local string) bool {
	rest, ok := cutPrefixFold(local, "srs")
	return ok && len(rest) > 2 && (rest[0] == '0' || rest[0] == '1') && strings.IndexByte("=+-", rest[1]) >= 0 && strings.Count(rest, "=") >= 3
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

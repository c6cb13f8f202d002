package memory

import "strings"

// SenderKey returns the envelope sender as it stays the same from message to
// message: lower case, without brackets, and without the tags of BATV
// (prvs=TAG=local), SRS (hash and time of SRS0 and SRS1), VERP (list+user=domain
// or list-user=domain), and with each run of digits as one '#'.
// It takes any text; "<>" and "" are "".
func SenderKey(raw string) string {
	addr := foldAddress(raw)
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return hideDigits(addr)
	}
	local, domain := addr[:at], addr[at:]
	return hideDigits(stripTags(local)) + domain
}

// foldAddress takes brackets and case away.
func foldAddress(raw string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(raw, "<"), ">"))
}

// stripTags loops because a forwarder may wrap one tag in another. It ends:
// each turn but the last makes the text shorter.
func stripTags(local string) string {
	for {
		next := stripTag(local)
		if len(next) >= len(local) {
			return local
		}
		local = next
	}
}

func stripTag(local string) string {
	switch {
	case strings.HasPrefix(local, "prvs="): // BATV: prvs=TAG=local, and the older prvs=local/TAG
		_, rest, _ := strings.Cut(local, "=")
		if tag, user, ok := strings.Cut(rest, "="); ok && tag != "" && user != "" {
			return user
		}
		user, _, _ := strings.Cut(rest, "/")
		return user
	case strings.HasPrefix(local, "btv1=="): // Barracuda's form of it: btv1==TAG==local
		if _, user, ok := strings.Cut(local[len("btv1=="):], "=="); ok {
			return user
		}
	case strings.HasPrefix(local, "srs0"), strings.HasPrefix(local, "srs1"):
		return stripSRS(local)
	case strings.ContainsRune(local, '='): // VERP: the recipient stands in the sender
		if i := strings.IndexAny(local, "+-"); i > 0 {
			return local[:i]
		}
	}
	return local
}

// stripSRS keeps the original sender of SRS0=HASH=TIME=domain=local and of
// SRS1=HASH=forwarder==HASH=TIME=domain=local as domain=local under a mark of
// its own, which has no '=' so that it is not taken for VERP.
func stripSRS(local string) string {
	parts := strings.Split(local, "=")
	if len(parts) < 5 {
		return local
	}
	return "srs:" + strings.Join(parts[len(parts)-2:], ":")
}

// hideDigits makes the numbers of a bounce address (bounce-81723-42@) one form.
func hideDigits(s string) string {
	if !strings.ContainsAny(s, "0123456789") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	inRun := false
	for i := 0; i < len(s); i++ {
		digit := '0' <= s[i] && s[i] <= '9'
		if !digit {
			b.WriteByte(s[i])
		} else if !inRun {
			b.WriteByte('#')
		}
		inRun = digit
	}
	return b.String()
}

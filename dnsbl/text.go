package dnsbl

import (
	"context"
	"slices"
	"strings"
)

// maxText bounds the octets of a list's own words in a reply.
const maxText = 120

// Text is what the list has to say of a subject in its TXT record: one line of at
// most 120 octets of printable US-ASCII, or "". It asks, each time, and only a list
// whose Text is set. The list's key, the subject's name and the names to hide are cut: of
// what a client says only its address may stand in a reply.
func (s *Set) Text(ctx context.Context, sub Subject, id string, hide ...string) string {
	t, ok := s.target(sub)
	if !ok {
		return ""
	}
	for i := range s.plans[sub.Stage] {
		m := &s.plans[sub.Stage][i]
		if m.list.ID != id || !m.list.Text || !m.fits(&t) {
			continue
		}
		r := s.asker.TXT(ctx, m.question(&t))
		if r.Outcome != Found || len(r.Texts) == 0 {
			return ""
		}
		secrets := append([]string{t.whole, t.registered}, hide...)
		if m.list.key != nil {
			secrets = append(secrets, *m.list.key)
		}
		return cleanText(r.Texts[0], secrets)
	}
	return ""
}

// cleanText makes one printable line of a stranger's octets, without the secrets in
// any case of letters.
func cleanText(text string, secrets []string) string {
	printable := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, text)
	line := strings.Join(strings.Fields(printable), " ")
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		line = cutOut(line, secret)
	}
	if len(line) > maxText {
		line = strings.TrimRight(line[:maxText-len(cutMark)], " ") + cutMark
	}
	return line
}

// cutMark stands where something was cut, so that what was around it does not grow
// together to what was cut.
const cutMark = "..."

// cutOut cuts secret out of line. Both are ASCII.
func cutOut(line, secret string) string {
	if secret == "" {
		return line
	}
	var out strings.Builder
	lower, secret := strings.ToLower(line), strings.ToLower(secret)
	for {
		i := strings.Index(lower, secret)
		if i < 0 {
			return out.String() + line
		}
		out.WriteString(line[:i] + cutMark)
		line, lower = line[i+len(secret):], lower[i+len(secret):]
	}
}

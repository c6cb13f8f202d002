package engine

import (
	"strings"

	"mailprofiled/profile"
)

// This file keeps addresses that are not to be shown out of the texts of a record: findings
// and answers quote what clients and their DNS say.

// A veil hides words: each is put out of sight by what stands for it. A nil *veil hides nothing.
type veil struct {
	words []hidden // the longest first
	local string   // of the sender, in questions that its SPF record had made of it
}

type hidden struct{ word, by string }

// veil is that of the draft: recipients that do not exist always, and where addresses are hashed
// all of them, with the sender's domain.
func (d *Draft) veil() *veil {
	e, tx := d.e, d.tx
	h := new(veil)
	for i := range tx.keeping.rcpts {
		if k := &tx.keeping.rcpts[i]; e.o.Hash != nil || k.nobody {
			h.address(k.raw, d.shownRcpt(k))
		}
	}
	if e.o.Hash != nil {
		h.address(tx.mail.From, e.shownAddress(tx.mail.From))
		h.add(tx.mail.Account, e.shownAddress(tx.mail.Account))
		if domain := tx.path.Domain; domain != "" {
			h.add(domain, e.KeyOfDomain(domain))
			h.add(tx.path.Raw[strings.LastIndexByte(tx.path.Raw, '@')+1:], e.KeyOfDomain(domain)) // as written
		}
		if seen := tx.keeping.seen; seen != nil && (seen.spf == nil || seen.spf.ByLocal) {
			h.local = strings.ToLower(tx.path.Local)
		}
	}
	return h
}

// address hides an address as it came and in its one form.
func (h *veil) address(raw, by string) {
	if bare := unbracketed(raw); strings.Contains(bare, "@") {
		h.add(bare, by)
		h.add(profile.Mailbox(raw), by)
	}
}

func (h *veil) add(word, by string) {
	word = strings.ToLower(strings.Trim(word, "<>"))
	if word == "" || by == "" || by == word {
		return
	}
	at := 0
	for at < len(h.words) && len(h.words[at].word) >= len(word) {
		if h.words[at].word == word {
			return
		}
		at++
	}
	h.words = append(h.words[:at], append([]hidden{{word, by}}, h.words[at:]...)...)
}

// in gives a text in which nothing of it shows.
func (h *veil) in(text string) string {
	for _, w := range h.words {
		text = replaceWord(text, w.word, w.by)
	}
	if h.local != "" && strings.Contains(text, "._") { // a name that a macro made
		text = replaceWord(text, h.local, "*")
	}
	return text
}

func (h *veil) findings(of []profile.Finding) []RecordFinding {
	out := recordFindings(of)
	for i := range out {
		out[i].Detail = hideClip(h.in(out[i].Detail))
	}
	return out
}

// maxDetail is how much of a finding's detail a record has: quotes of two long names.
const maxDetail = 640

func hideClip(s string) string {
	if len(s) > maxDetail {
		return s[:maxDetail] + "..."
	}
	return s
}

// replaceWord puts by in the place of a word in lower case, in any case of letters, where it
// does not go on on either side.
func replaceWord(text, word, by string) string {
	lower := strings.ToLower(text)
	if len(lower) != len(text) { // letters beyond ASCII that change their length
		lower = text
	}
	var out strings.Builder
	for {
		i := strings.Index(lower, word)
		if i < 0 {
			return out.String() + text
		}
		end := i + len(word)
		if i > 0 && goesOn(lower[i-1]) || end < len(lower) && goesOn(lower[end]) {
			out.WriteString(text[:i+1])
			text, lower = text[i+1:], lower[i+1:]
			continue
		}
		out.WriteString(text[:i])
		out.WriteString(by)
		text, lower = text[end:], lower[end:]
	}
}

func goesOn(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

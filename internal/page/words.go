package page

import (
	"fmt"
	"html/template"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mailprofiled/internal/admin"
)

// words are what templates call.
var words = template.FuncMap{
	"age": age, "ago": ago, "num": num, "one": oneDecimal, "pct": percent, "size": size, "shown": shown, "said": said,
	"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"machine": machineTime,
	"date":    func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"style":   func() string { return styleFile.path }, "icon": func() string { return iconFile.path },
	"count": count, "share": share,
	"filled":  func(part, of int) float64 { return 100 * min(1, float64(part)/float64(max(of, 1))) },
	"percent": func(share float64) float64 { return 100 * share },
	"left":    func(of, part int) int { return max(0, of-part) },
	"join":    func(all []string) string { return shown(strings.Join(all, ", ")) },
	"cut":     func(text string) string { return clip(text, 320) },
	"count64": func(n uint64, of string) string { return count(int(n), of) }, "times": times,
	"isAddress": func(text string) bool { _, err := netip.ParseAddr(text); return err == nil },
	"joinSaid":  func(all []string) string { return said(strings.Join(all, ", ")) },
	"harshest":  harshest, "heaviest": heaviest, "lookupAge": lookupAge, "more": moreRcpts, "action": actionClass,
	"at": func(now, t time.Time) moment { return moment{now, t} },
}

// machineTime writes a time for programs.
func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// A moment is a time and the now that it is seen from.
type moment struct{ Now, T time.Time }

// age writes a duration as people say it, by its two largest units.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than 1s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// ago writes how long something is past, or how long it is to come.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "never"
	case d < -time.Second:
		return "in " + age(-d)
	case d < time.Second:
		return "just now"
	default:
		return age(d) + " ago"
	}
}

// num writes a whole number with its thousands apart.
func num(v any) string {
	text := fmt.Sprint(v)
	digits := strings.TrimPrefix(text, "-")
	if strings.Trim(digits, "0123456789") != "" {
		return text
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // narrow, and not broken
	}
	return text[:len(text)-len(strings.TrimPrefix(text, "-"))] + digits
}

// oneDecimal writes a number that has faded, whole where it is large.
func oneDecimal(v float64) string {
	if v >= 100 || v == float64(int64(v)) {
		return num(int64(v + 0.5))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// percent writes a share of 0 to 1.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + "\u202f%" }

// share writes a part of something as whole per cent.
func share(part, of uint64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f\u202f%%", 100*float64(part)/float64(of))
}

// times writes the first of some counts: "continue → reject 7, …".
func times(all []admin.Count) string {
	var parts []string
	for _, c := range all[:min(len(all), maxTimes)] {
		parts = append(parts, strings.ReplaceAll(shown(c.Name), "->", "\u2192")+" "+num(c.Times))
	}
	if len(all) > maxTimes {
		parts = append(parts, "\u2026")
	}
	return strings.Join(parts, ", ")
}

// maxTimes is how many of them are shown.
const maxTimes = 4

// size writes a number of bytes.
func size(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(u.size)), ".0") + " " + u.name
		}
	}
	return count(int(n), "byte")
}

// count writes "1 list", "2 lists".
func count(n int, of string) string {
	switch {
	case n == 1:
		return "1 " + of
	case strings.HasSuffix(of, "s"):
		return num(n) + " " + of + "es"
	}
	return num(n) + " " + of + "s"
}

// How many characters of one name, and of one sentence, are shown.
const (
	maxShown = 160
	maxSaid  = 600
)

// said is shown for a sentence.
func said(text string) string { return visible(text, maxSaid) }

// shown is visible for a name.
func shown(text string) string { return visible(text, maxShown) }

// visible makes of any text one line that reads as what it is: bytes that are no
// UTF-8, control characters, and those that turn the direction of what follows or
// are not seen (Trojan Source, CVE-2021-42574) stand there as escapes. It is cut
// at so many characters. The markup in it is the template's to escape.
func visible(text string, most int) string {
	var b strings.Builder
	n := 0
	for i, r := range text {
		if n == most {
			b.WriteString("\u2026")
			break
		}
		n++
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case hidden(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether a character is not seen, or moves others.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == '\u3164' || r == '\u115f' || r == '\u1160' || r == '\uffa0'
}

// clip cuts a text to so many bytes.
func clip(text string, most int) string { return text[:min(len(text), most)] }

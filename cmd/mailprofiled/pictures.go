package main

import (
	"cmp"
	"io"
	"os"
	"strings"
)

// pictures are small drawings beside figures, for people at a terminal. The zero
// pictures draw nothing: what goes into a file or a pipe is text.
type pictures struct {
	line  []rune // marks of a sparkline, from least to most
	parts []rune // of a bar's last place, likewise; the last fills it
}

// The marks there are: a terminal may not know those of Unicode.
var (
	blocks = pictures{line: []rune("▁▂▃▄▅▆▇█"), parts: []rune("▏▎▍▌▋▊▉█")}
	signs  = pictures{line: []rune("_.-=+*#"), parts: []rune("#")}
)

// picturesFor gives what can be drawn at w: nothing where it is no terminal, or a dumb
// one. env is os.Getenv.
func picturesFor(w io.Writer, env func(string) string) pictures {
	if !isTerminal(w) || env("TERM") == "dumb" {
		return pictures{}
	}
	locale := strings.ToLower(cmp.Or(env("LC_ALL"), env("LC_CTYPE"), env("LANG")))
	if strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8") {
		return blocks
	}
	return signs
}

// on reports whether anything is drawn.
func (p pictures) on() bool { return len(p.line) > 0 }

// bar draws a share, 0 to 1, of a width in places. What is there at all is seen.
func (p pictures) bar(share float64, width int) string {
	if !p.on() || !(share > 0) {
		return ""
	}
	n := len(p.parts)
	eighths := max(1, int(min(share, 1)*float64(width*n)+0.5))
	bar := strings.Repeat(string(p.parts[n-1]), eighths/n)
	if rest := eighths % n; rest > 0 {
		bar += string(p.parts[rest-1])
	}
	return bar
}

// sparkline draws counts beside each other, at most width places, several of them
// together where there are more; and gives the most that stands in a place. None is a
// space.
func (p pictures) sparkline(counts []uint32, width int) (line string, most uint64) {
	if !p.on() || len(counts) == 0 {
		return "", 0
	}
	each := (len(counts) + width - 1) / width
	var sums []uint64
	for i, n := range counts {
		if i%each == 0 {
			sums = append(sums, 0)
		}
		sums[len(sums)-1] += uint64(n)
	}
	for _, n := range sums {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range sums {
		mark := ' '
		if n > 0 {
			mark = p.line[int(float64(n)/float64(most)*float64(len(p.line)-1)+0.5)]
		}
		b.WriteRune(mark)
	}
	return b.String(), most
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

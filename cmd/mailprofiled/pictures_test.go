package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/memory"
)

func TestBar(t *testing.T) {
	for _, tt := range []struct {
		p     pictures
		share float64
		want  string
	}{
		{blocks, 0, ""}, {blocks, 0.0001, "▏"}, {blocks, 0.5, "████"}, {blocks, 0.55, "████▍"}, {blocks, 1, "████████"}, {blocks, 7, "████████"},
		{signs, 0.0001, "#"}, {signs, 0.55, "####"}, {signs, 1, "########"}, {pictures{}, 1, ""},
	} {
		if got := tt.p.bar(tt.share, 8); got != tt.want {
			t.Errorf("bar of %v: %q, want %q", tt.share, got, tt.want)
		}
	}
	if got := blocks.bar(0/zero, 8) + blocks.bar(-1, 8); got != "" {
		t.Errorf("of no share: %q", got)
	}
}

var zero float64

func TestSparkline(t *testing.T) {
	for _, tt := range []struct {
		p      pictures
		counts []uint32
		want   string
		most   uint64
	}{
		{blocks, nil, "", 0},
		{blocks, []uint32{0, 0}, "  ", 0},
		{blocks, []uint32{1, 0, 70, 35}, "▁ █▅", 70},
		{blocks, []uint32{1, 1, 2, 2, 3, 3, 4, 4}, "▃▅▆█", 8},
		{blocks, []uint32{1, 0, 0, 0, 9}, "▂ █", 9}, // an odd one is a place of its own
		{blocks, []uint32{1<<32 - 1, 1<<32 - 1, 0, 0, 0}, "█  ", 2 * (1<<32 - 1)},
		{signs, []uint32{1, 0, 70, 35}, "_ #=", 70},
		{pictures{}, []uint32{1}, "", 0},
	} {
		if line, most := tt.p.sparkline(tt.counts, 4); line != tt.want || most != tt.most {
			t.Errorf("%v: %q, %d at most; want %q, %d", tt.counts, line, most, tt.want, tt.most)
		}
	}
}

func TestPicturesAreForTerminals(t *testing.T) {
	env := func(name string) string { return map[string]string{"LANG": "de_AT.UTF-8"}[name] }
	if p := picturesFor(new(bytes.Buffer), env); p.on() {
		t.Error("pictures in a buffer")
	}
}

// TestStatusDrawn shows the rows that are drawn. 80 places hold them.
func TestStatusDrawn(t *testing.T) {
	s := &admin.Status{
		Now: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), Sessions: admin.Sessions{Open: 1000, Limit: 4000}, Mode: "monitor",
		Verdicts: map[string]uint64{"continue": 884211, "tempfail": 91233, "reject": 308220},
		Findings: map[string]uint64{"rdns-missing": 120345, "dnsbl:spamcop": 98213, "helo-bot": 7, "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1},
		Cache:    admin.Cache{Bytes: 64 << 20, Limit: 256 << 20},
	}
	day := &admin.Trend{Span: "24h", BucketS: 900, Each: map[string][]uint32{}}
	for i := range uint32(96) {
		day.Each["continue"] = append(day.Each["continue"], 500+i*i)
		day.Each["reject"] = append(day.Each["reject"], i/90)
	}
	var out bytes.Buffer
	printStatus(s, day, blocks, &out)
	for _, want := range []string{
		`
verdicts   continue    884211  68.9%  █████████████▊
           tempfail     91233   7.1%  █▍
           reject      308220  24.0%  ████▊
           in monitor mode, everything goes on
24 hours   continue ▁▁▁▁▂▂▂▂▂▂▂▂▂▃▃▃▃▃▄▄▄▄▅▅▅▆▆▆▇▇██  at most 28010 in 45m
           reject                                 ██  at most 3 in 45m
`,
		`
findings   rdns-missing     120345  ████████████████████
           dnsbl:spamcop     98213  ████████████████▍
           helo-bot              7  ▏
`,
		"\n           2 more\n", "without a place  ██▌\n", "0 hits  ██▌\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no%s\nin\n%s", want, out.String())
		}
	}
	var plainly bytes.Buffer
	printStatus(s, day, pictures{}, &plainly)
	for _, text := range []string{out.String(), plainly.String()} {
		for line := range strings.Lines(text) {
			if drawn := strings.ContainsAny(line, "▏█"); drawn && (utf8.RuneCountInString(line) > 81 || text == plainly.String()) {
				t.Errorf("drawn: %s", line)
			}
		}
	}
}

func TestTopDrawn(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	printCounts([]admin.ServerCounts{{Server: "192.0.2.7", First: now, Last: now, Refused: 80}, {Server: "192.0.2.8", First: now, Last: now, Refused: 20}}, "refused", now, blocks, &out)
	printTop(&admin.Top{All: true, Accounts: []admin.TopAccount{{Account: "jo", Refused: 7, Reported: 1, Last: now, Limits: []string{"outgoing"}}, {Account: "al", Reported: 4, Last: now}}}, blocks, &out)
	want := `SERVER     BY REFUSED  FIRST       LAST              VISITS  TAKEN  REFUSED  UNKNOWN  TRAPS  LISTED  SPAM  HAM  WAITED  CAME BACK
192.0.2.7  ██████████  2026-11-24  less than 1s ago  0       0      80       0        0      0       0     0    0       0
192.0.2.8  ██▌         2026-11-24  less than 1s ago  0       0      20       0        0      0       0     0    0       0
ACCOUNT  REFUSED  REPORTED  LAST                  LIMITS    TIMES
jo       7        1         2026-11-24 12:00 UTC  outgoing  ██████████
al       0        4         2026-11-24 12:00 UTC            █████
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	out.Reset()
	printNear(&admin.NearAccounts{Now: now, Share: 0.8, Accounts: []admin.NearAccount{
		{Account: "jo\x1b[2J", Limit: "new accounts", Count: "messages", Window: "24h", Max: 50, Used: 50, AsOf: now, Again: now.Add(time.Hour), Refilled: now.Add(23 * time.Hour)},
		{Account: "al", Limit: "outgoing", Count: "recipients", Window: "1h", Max: 100, Used: 85, AsOf: now, Refilled: now.Add(time.Hour)},
		{Account: "h:abc", Limit: "outgoing", Count: "recipients", Window: "1h", Max: 100, Used: 80, AsOf: now.Add(-time.Minute), Refilled: now.Add(time.Hour)},
	}}, blocks, &out)
	want = `ACCOUNT      USED                          LIMIT         AS OF      AGAIN                 REFILLED
"jo\x1b[2J"  50 of 50 messages in 24h      ██████████  new accounts  now        2026-11-24 13:00 UTC  2026-11-25 11:00 UTC
al           85 of 100 recipients in 1h    ████████▌   outgoing      now        now                   2026-11-24 13:00 UTC
h:abc        80 of 100 recipients in 1h    ████████    outgoing      1m00s ago  -                     2026-11-24 13:00 UTC
more accounts are near a limit than are known by name; these are the nearest
`
	if strings.Join(strings.Fields(want), " ") != strings.Join(strings.Fields(out.String()), " ") {
		t.Errorf("got\n%s", out.String())
	}
	var words []string
	for word := range measures {
		words = append(words, word)
	}
	slices.Sort(words)
	if !slices.Equal(words, memory.Rankings()) {
		t.Errorf("%q are drawn, and %q ranked", words, memory.Rankings())
	}
}

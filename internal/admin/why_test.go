package admin

import (
	"slices"
	"strings"
	"testing"
)

func TestIDsInWhatIsPasted(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"an id", "lzbg2hifo8cf", []string{"lzbg2hifo8cf"}},
		{"in brackets", " [LZBG2HIFO8CF]\n", []string{"lzbg2hifo8cf"}},
		{"how it begins", "lzbg2", []string{"lzbg2"}},
		{"a reply", "550 5.7.25 The reverse DNS name of 192.0.2.1 is bad [lzbg2hifo8cf]", []string{"lzbg2hifo8cf"}},
		{"a bounce about it", "host mx.example.net[192.0.2.9] said: 550 5.7.1 misconfigured, see https://help.example/why/lzbg2hifo8cf [lzbg2hifo8cf] (in reply to RCPT TO command)",
			[]string{"lzbg2hifo8cf"}},
		{"a link", "https://postmaster.example.net/why/lzbg2hifo8cf", []string{"lzbg2hifo8cf"}},
		{"a link with an argument", "https://example.net/?id=lzbg2hifo8cf&x=y", []string{"lzbg2hifo8cf"}},
		{"a line of the log", "msg=verdict id=lzbg2hifo8cf client=192.0.2.1 ptr=organization", []string{"lzbg2hifo8cf", "organization"}},
		{"a word of twelve letters beside it", "organization says [lzbg2hifo8cf]", []string{"lzbg2hifo8cf", "organization"}},
		{"nothing", "mail was refused", nil},
		{"too short", "abc", nil},
		{"too long", "lzbg2hifo8cfx", nil},
		{"rubbish", strings.Repeat("abcdefghijkl ", 999) + strings.Repeat("\x00/[", 999), []string{"abcdefghijkl"}},
	} {
		if got := IDsIn(tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

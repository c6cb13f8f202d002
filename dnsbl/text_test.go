package dnsbl

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	z := newZoneFile()
	lists := find(t, "spamhaus-zen-dqs", "spamcop", "spamhaus-dbl")
	lists[0].Text, lists[2].Text = true, true
	s := NewSet(lists, z, nil, Options{})
	defer s.Close()
	z.txt["7.2.0.192.k3y.zen.dq.spamhaus.net"] = []string{"Listed by\tZEN, see https://check.example/192.0.2.7?k=K3Y\r\n550 forged"}
	z.txt["7.2.0.192.bl.spamcop.net"] = []string{"Blocked"}
	z.txt["mail.bad.example.dbl.spamhaus.org"] = []string{"mail.BAD.example is bad, bad.example too"}
	for _, c := range []struct {
		sub        Subject
		list, want string
	}{
		{atConnect("192.0.2.7"), "spamhaus-zen-dqs", "Listed by ZEN, see https://check.example/192.0.2.7?k=... 550 forged"},
		{atConnect("192.0.2.8"), "spamhaus-zen-dqs", ""},
		{atConnect("192.0.2.7"), "spamcop", ""}, // its text is not wanted
		{atConnect("192.0.2.7"), "nobody", ""},
		{atConnect("10.0.0.1"), "spamhaus-zen-dqs", ""},
		{Subject{Name: "mail.bad.example", Stage: Helo}, "spamhaus-dbl", "... is bad, ... too"},
	} {
		check(t, c.list, s.Text(t.Context(), c.sub, c.list), c.want)
	}
	if asked := z.questions(); len(asked) != 3 || asked["TXT 7.2.0.192.bl.spamcop.net"] != 0 {
		t.Errorf("asked %v", asked)
	}
}

// FuzzText cleans any octets: one printable line, bounded, without the secret, and
// clean already.
func FuzzText(f *testing.F) {
	f.Add("see https://example.net/k3y", "k3y")
	f.Add("K\x00EY k ey kkeyey", "key")
	f.Add(strings.Repeat("0123456789", 30), "89")
	f.Add("\xff\xfe\u2028 \r\n550 x", "x")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if !validLabels(secret) {
			return
		}
		got := cleanText(text, []string{secret})
		if len(got) > maxText || strings.TrimSpace(got) != got {
			t.Fatalf("%q is not one short line", got)
		}
		for _, c := range []byte(got) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is not printable", got)
			}
		}
		if strings.Contains(strings.ToLower(got), strings.ToLower(secret)) {
			t.Fatalf("%q holds %q", got, secret)
		}
		if again := cleanText(got, []string{secret}); again != got {
			t.Fatalf("%q cleans again to %q", got, again)
		}
	})
}

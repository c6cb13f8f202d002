package callahead

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"

	"mailprofiled/internal/directory"
)

func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"250 2.1.5 ok\r\n", "550 5.1.1 nobody\r\n", "550-5.1.1 no\r\n550 5.7.1 no\r\n", "550 No such user\n", "421\r\n", "550-\r\n", "2500\r\n", "550 5.1.10\r\n",
	} {
		f.Add([]byte(seed), "joe@example.net")
	}
	f.Add([]byte("550 no such user@example.net\r\n"), "no such user@example.net")
	f.Fuzz(func(t *testing.T, raw []byte, rcpt string) {
		r, err := readReply(bufio.NewReaderSize(bytes.NewReader(raw), 16))
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(r.lines) > maxLines || strings.ContainsAny(r.String(), "\n") {
			t.Fatalf("%q was read as %+v", raw, r)
		}
		result, err := judge(r, rcpt)
		if (result == directory.Yes || result == directory.No) != (err == nil) {
			t.Errorf("%q: %v and %v", raw, result, err)
		}
		if result == directory.Yes && r.class() != 2 || result == directory.No && r.class() != 5 {
			t.Errorf("%q: %v", raw, result)
		}
		if result == directory.No && !slices.Contains([]string{"", "5.1.1", "5.1.10"}, r.status) {
			t.Errorf("%q is a no by %s", raw, r.status)
		}
	})
}

//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestStrictBesideStandard: a server without PTR is asked to come back by the policy that
// speaks, and a good one goes on; what strict would refuse is shown, and none of it is
// spoken.
func TestStrictBesideStandard(t *testing.T) {
	w := new(world)
	nameless, good := netip.MustParseAddr("198.51.100.66"), netip.MustParseAddr("198.51.100.77")
	w.host("mail.nameless.example", nameless)
	w.domain("nameless.example")
	w.good(good, "good.example")
	dir, err := os.MkdirTemp("", "candidate-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	strict := filepath.Join(dir, "strict.toml")
	text := "baseline = \"strict\"\nmode = \"enforce\"\nus.domains = [\"example.net\"]\n[points]\n\"rdns-missing\" = 12.0\n"
	if err := os.WriteFile(strict, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	h := openKept(t, postfix, w.String(), fmt.Sprintf("candidate = %q\n", strict))
	from := func(a netip.Addr, helo, sender string) int {
		c := h.hello(t, a, helo)
		d := send(t, c, sender, "jo@example.net")
		quit(t, c)
		return d.Rcpts[0].Code
	}
	for i := range 3 {
		if code := from(nameless, "mail.nameless.example", fmt.Sprintf("a%d@nameless.example", i)); code != 450 {
			t.Fatalf("a server without PTR: %d, and standard speaks", code)
		}
		if code := from(good, "mx.good.example", "b@good.example"); code != 250 {
			t.Fatalf("a good server: %d", code)
		}
	}
	var status output
	for began := time.Now(); !strings.Contains(string(status), "6 answers judged"); { // behind the mail
		if status = h.control(t, "status"); time.Since(began) > wait {
			t.Fatalf("not all was judged:\n%s", status)
		}
	}
	status.has(t, `(?m)^ +6 answers judged, 3 \(50%\) would differ$`)
	status.has(t, `(?m)^candidate +`+regexp.QuoteMeta(strict)+`, policy strict@1-[0-9a-f]+, tried for `)
	status.has(t, `(?m)^ +tempfail -> reject 3$`)
	status.has(t, `(?m)^verdicts +continue 3 \(50\.0%\), tempfail 3 \(50\.0%\), reject 0 \(0\.0%\)$`)
	status.has(t, `(?m)^  198\.51\.100\.0/24 +3 +tempfail -> reject 3 +\+rdns-missing 3`)
	log := h.daemon.log.String()
	if n := strings.Count(log, " msg=candidate "); n != 3 {
		t.Errorf("%d lines of the candidate", n)
	}
	if strings.Contains(log, " action=reject ") || regexp.MustCompile(`milter-reject: RCPT from [^ ]+: 5`).MatchString(h.mta.Log().String()) {
		t.Error("the candidate has spoken")
	}
}

//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/backendtest"
)

// TestReloadsWhileMailComes has the daemon take in one configuration after the other, with
// other keeping times, another query and other files each time, while mail comes for three
// sources: nobody who exists is refused or held up, and nobody else is taken.
func TestReloadsWhileMailComes(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		_, keys := askedBackend(t, "PostgreSQL", "")
		files := map[string]string{"recipients": "jo@example.org OK\n", "others": "jo@example.org OK\nal@example.org OK\n"}
		h, dir := openGateway(t, kind, files, quietPoints+`us.domains = ["example.net", "example.org"]
directory.for = [{ domains = ["example.org"], source = "file", files = ["DIR/recipients"] }]
directory.harvest_names = 100000
directory.keep_yes = "1h"
`+keys)
		joe, jo := backendtest.Joe+"@example.net", "jo@example.org"
		refused := "550 5.1.1 or 451 4.3.0" // of a query that is new no no is believed, before its first yes
		want := map[string]string{joe: "250", "joe+x@example.net": "250", jo: "250", "Jo+x@example.org": "250", "nobody@example.org": "550 5.1.1", "nobody@example.net": refused}
		stop := h.mailOnAndOn(t, want)
		defer stop()
		change := func(old, new string) {
			t.Helper()
			h.change(t, old, new)
			if out, ok := h.ask(t, "reload"); !ok {
				t.Fatal(out)
			}
		}
		for range 3 {
			change(`directory.keep_yes = "1h"`, `directory.keep_yes = "0"`)
			change("FROM users", "FROM  users")
			change(filepath.Join(dir, "recipients"), filepath.Join(dir, "others"))
			change(filepath.Join(dir, "others"), filepath.Join(dir, "recipients"))
			change("FROM  users", "FROM users")
			change(`directory.keep_yes = "0"`, `directory.keep_yes = "1h"`)
		}
	})
}

// TestTenThousandRecipients of one client: each has its own answer, in one session, and
// the line of the log stays one.
func TestTenThousandRecipients(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		const all, dead = 10_000, 100 // every hundredth is nobody
		var recipients strings.Builder
		for i := range all {
			if i%dead != 0 {
				fmt.Fprintf(&recipients, "user%d@example.net OK\n", i)
			}
		}
		h, _ := openGateway(t, kind, map[string]string{"recipients": recipients.String()}, quietPoints+"directory.source = \"file\"\ndirectory.files = [\"DIR/recipients\"]\n")
		c := h.hello(t, good4, "mx.good.example")
		each := map[string]int{postfix: 1000, sendmail: all}[kind] // Postfix takes no more in one mail
		for i := 0; i < all; i += each {
			names := make([]string, each)
			for k := range names {
				names[k] = fmt.Sprintf("user%d@example.net", i+k)
			}
			for k, got := range told(t, c, "list@good.example", names...) {
				if want := map[bool]string{true: "550 5.1.1", false: "250"}[(i+k)%dead == 0]; got != want {
					t.Fatalf("%s: %s, want %s", names[k], got, want)
				}
			}
		}
		quit(t, c)
		for _, text := range verdictsOf(t, h, good4, all/each) {
			if len(text) > 16<<10 {
				t.Errorf("a line of the log has %d octets", len(text))
			}
		}
	})
}

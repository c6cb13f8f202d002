package main

import (
	"fmt"
	"strings"
	"testing"

	"mailprofiled/internal/admin"
)

// TestWhoIsNearALimit: by mail that has come to its end; whoever has room again, by a
// reset or a raise, is not; and where addresses are hashed it is a token.
func TestWhoIsNearALimit(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		text := "limit = [ { name = \"outgoing\", per = \"account\", count = \"messages\", max = 5, window = \"1h\", action = \"tempfail\" } ]\n" + judging(startDNS(t, badZone, ""), 6)
		if hashed {
			text = strings.Replace(text, stateless, fmt.Sprintf("state.path = %q\nlog.addresses = \"hashed\"\n", t.TempDir()), 1)
		}
		h := newHouse(t, text)
		desk := accountDesk{h.daemon}
		send := func(account string, mails int) {
			t.Helper()
			v := h.begin(t)
			defer v.Close()
			for range mails {
				if _, err := v.Mail("<jo@good.example>", account); err != nil {
					t.Fatal(err)
				}
				if _, err := v.Rcpt("<user@here.example>"); err != nil {
					t.Fatal(err)
				}
				if a, err := v.EOM(); err != nil {
					t.Fatal(a, err)
				}
			}
		}
		send("jo@here.example", 4)
		send("al@here.example", 3)
		send("Ed@here.example", 5)
		near := desk.Near(10)
		if len(near.Accounts) != 2 || !near.All {
			t.Fatalf("hashed %v: %+v", hashed, near)
		}
		ed, jo := near.Accounts[0], near.Accounts[1]
		if ed.Used != 5 || jo.Used != 4 || jo.Max != 5 || jo.Limit != "outgoing" || jo.Window != "1h" || !jo.Refilled.After(near.Now) {
			t.Errorf("hashed %v: %+v, %+v", hashed, ed, jo)
		}
		if hashed {
			if !strings.HasPrefix(ed.Account, "h:") || !ed.AsOf.Before(near.Now) {
				t.Errorf("hashed: %+v", ed)
			}
			continue
		}
		if ed.Account != "ed@here.example" || ed.Again.IsZero() || !jo.Again.IsZero() || !jo.AsOf.Equal(near.Now) {
			t.Errorf("%+v, %+v", ed, jo)
		}
		if one := desk.Near(1); len(one.Accounts) != 1 || one.Accounts[0].Account != "ed@here.example" {
			t.Errorf("the nearest: %+v", one)
		}
		if _, err := desk.Reset("uid 0", "ed@here.example"); err != nil {
			t.Fatal(err)
		}
		if _, err := desk.Raise("uid 0", admin.Grant{Account: "jo@here.example", Max: 100}); err != nil {
			t.Fatal(err)
		}
		if near := desk.Near(10); len(near.Accounts) != 0 {
			t.Errorf("after a reset and a raise: %+v", near)
		}
	}
}

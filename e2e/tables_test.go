//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/directory"
	"mailprofiled/internal/mtatest"
	"mailprofiled/profile"
)

// TestTablesSayWhatPostfixSays gives the same tables to a real Postfix and to us, and has
// both say who exists: extensions, case, letters beyond ASCII, quotes, catch-alls.
func TestTablesSayWhatPostfixSays(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix comes as its own user
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	var routes []directory.Route
	for name, table := range map[string]struct {
		text    string
		domains []string
	}{
		"relay": {"Jo@Example.net OK\nal@example.net x\nSTRASSE@example.net x\njörg@example.net x\nΣΟΦΟΣ@example.net x\ninfo+sales@example.net x\n" +
			"owner-list@example.net x\nlist@example.net x\nmail@wörld.example x\n@wild.example x\n", []string{"example.net", "wild.example", "xn--wrld-5qa.example"}},
		"virtual": {"v.example anything\nsales@v.example jo@example.net\nteam-request@v.example jo@example.net\n@catch.example jo@example.net\nB+C@v.example jo@example.net\n",
			[]string{"v.example", "catch.example"}},
		"mailbox": {"eve@box.example box.example/eve/\nmax.muster@box.example x\n", []string{"box.example"}},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(table.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, past, past); err != nil { // Postfix waits for young files
			t.Fatal(err)
		}
		spec, err := directory.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, said := directory.OpenFile([]directory.FileSpec{spec}, time.Now())
		if file == nil || len(said) > 0 {
			t.Fatal(said)
		}
		routes = append(routes, directory.Route{Kind: "file", Name: name, File: file, Domains: table.domains})
	}
	ours := []string{"example.net", "wild.example", "xn--wrld-5qa.example", "v.example", "catch.example", "box.example"}
	for _, delimiters := range []string{"+", "+-", ""} {
		stack := directory.NewStack(directory.Options{Ours: ours, Delimiters: delimiters, Routes: routes})
		main := map[string]string{
			"relay_domains": "example.net wild.example wörld.example", "relay_recipient_maps": "texthash:" + dir + "/relay",
			"virtual_alias_domains": "v.example catch.example", "virtual_alias_maps": "texthash:" + dir + "/virtual",
			"virtual_mailbox_domains": "box.example", "virtual_mailbox_maps": "texthash:" + dir + "/mailbox", "virtual_transport": "discard:",
			"recipient_delimiter": delimiters, "smtputf8_enable": "yes", "smtputf8_autodetect_classes": "all",
		}
		server, err := mtatest.StartPostfix(mtatest.PostfixOptions{ExtraMain: main})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { check(t, server.Stop()) })
		c, err := mtatest.Dial("", server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		do(t, c, "EHLO mx.good.example", 250)
		do(t, c, "MAIL FROM:<a@good.example> SMTPUTF8", 250)
		yes, no := 0, 0
		for _, rcpt := range []string{
			"jo@example.net", "JO@EXAMPLE.NET", "al@example.net", "nobody@example.net", "jo+x@example.net", "Jo-x@example.net", "jo+a+b@example.net", "jo-a+b@example.net",
			"+jo@example.net", "jo+@example.net", "nobody+x@example.net", "info@example.net", "info+sales@example.net", "INFO+Sales@example.net", "info+other@example.net", "info+sales+x@example.net",
			"straße@example.net", "strasse@example.net", "STRAßE+x@example.net", "JÖRG@example.net", "jörg+ü@example.net", "jorg@example.net", "σοφος@example.net", "ΣΟΦΟς@example.net",
			"owner-list@example.net", "owner-nobody@example.net", "list-request@example.net", "list-owner@example.net", "list-x@example.net",
			`"jo"@example.net`, `"jo+x"@example.net`, `"j\o"@example.net`, `"nobody"@example.net`, `"jo doe"@example.net`, "@relay.example:jo@example.net",
			"mail@wörld.example", "MAIL@WÖRLD.example", "nobody@wörld.example",
			"any@wild.example", "any+x@wild.example",
			"sales@v.example", "sales+x@v.example", "eve@v.example", "team-request@v.example", "team@v.example", "b+c@v.example", "b@v.example", "b+d@v.example", "any@catch.example", "a+b@catch.example",
			"eve@box.example", "eve+x@box.example", "eve-x@box.example", "max.muster@box.example", "max.muster+x@box.example", "max@box.example", "nobody@box.example",
			"mailer-daemon@example.net", "double-bounce@example.net",
		} {
			r, err := c.Do("RCPT TO:<" + rcpt + ">")
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]directory.Result{"250": directory.Yes, "550 5.1.1": directory.No}[status(r)]
			if want == directory.Unknown {
				t.Fatalf("%s: Postfix says %v", rcpt, r)
			}
			var a directory.Address
			a.Local, a.Domain = profile.SplitMailbox("<" + rcpt + ">")
			if got := stack.Lookup(t.Context(), a); got.Result != want {
				t.Errorf("delimiters %q: %s is %v to us, and Postfix says %v", delimiters, rcpt, got.Result, r)
			}
			if want == directory.Yes {
				yes++
			} else {
				no++
			}
		}
		if yes < 10 || no < 10 {
			t.Errorf("delimiters %q: Postfix knows %d, and not %d: nothing is shown by that", delimiters, yes, no)
		}
		quit(t, c)
	}
}

// TestMapsOfSendmail are read by its own makemap, where postmap is not there or cannot.
func TestMapsOfSendmail(t *testing.T) {
	if err := os.MkdirAll("/etc/mail", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/mail/sendmail.cf", nil, 0o644); err != nil { // makemap wants one
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(os.Getenv("E2E_SENDMAIL"), "usr/libexec/sendmail/makemap"), filepath.Join(dir, "makemap")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("MAIL_CONFIG", filepath.Join(dir, "nothing")) // postmap ends by an error
	for _, kind := range []string{"hash", "btree"} {
		path := filepath.Join(dir, kind)
		cmd := exec.Command("makemap", kind, path)
		cmd.Stdin = strings.NewReader("a.example\tx\nJo@a.example\tjo\nspam@a.example\terror:nouser 550 5.1.1 no\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		spec, err := directory.ParseFile("virtual:" + kind + ":" + path)
		if err != nil {
			t.Fatal(err)
		}
		file, said := directory.OpenFile([]directory.FileSpec{spec}, time.Now())
		if file == nil || len(said) > 0 {
			t.Fatal(said)
		}
		for local, want := range map[string]directory.Result{"JO": directory.Yes, "spam": directory.No, "al": directory.No} {
			if e := file.Lookup(t.Context(), directory.Address{Local: local, Domain: "a.example"}); e.Result != want {
				t.Errorf("%s: %s is %v, want %v", kind, local, e.Result, want)
			}
		}
	}
	missing, err := directory.ParseFile("hash:" + filepath.Join(dir, "none"))
	if err != nil {
		t.Fatal(err)
	}
	if file, said := directory.OpenFile([]directory.FileSpec{missing}, time.Now()); file != nil || len(said) == 0 {
		t.Errorf("a map that is not there: %v, %v", file, said)
	}
}

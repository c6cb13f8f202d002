package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parse reads a text as a table of a format, "" for one to be recognised.
func parse(t testing.TB, format Format, text string) (*table, *reading, bool) {
	t.Helper()
	if format == "" {
		format = Recognise([]byte(text))
	}
	tab := newTable()
	rd, ok, err := read(strings.NewReader(text), "t", format, tab)
	if err != nil {
		t.Fatal(err)
	}
	return tab, rd, ok
}

// asked is what a table says of addresses, one a word: "jo@a=yes".
func asked(tab *table, addresses ...string) string {
	var got []string
	for _, text := range addresses {
		at := strings.LastIndexByte(text, '@')
		got = append(got, text+"="+tab.lookup(Address{text[:at], text[at+1:]}).Result.String())
	}
	return strings.Join(got, " ")
}

func TestTables(t *testing.T) {
	for _, tt := range []struct {
		name   string
		format Format
		text   string
		want   string // what is asked, and the answers
	}{
		{"recipients", Recipients, "jo@a.example OK\nal@a.example\tx\n", "jo@a.example=yes al@a.example=yes eve@a.example=no jo@b.example=unknown @a.example=no"},
		{"their case means nothing", Recipients, "Jo@A.Example OK\n", "JO@a.example=yes"},
		{"beyond ASCII neither", Recipients, "JÖRG@a.example OK\nΣΟΦΟΣ@a.example OK\n", "jörg@a.example=yes σοφος@a.example=yes σοφοσ@a.example=yes"},
		{"nor how Postfix folds it", Recipients, "STRASSE@a.example OK\n", "straße@a.example=yes"},
		{"a name among addresses, or half of one, speaks for nobody", Recipients, "jo@a.example OK\nal@b.example OK\nev", "ev@c.example=yes jo@a.example=yes x@a.example=no x@c.example=unknown"},
		{"a domain in other letters is its A-labels", Recipients, "jo@Bücher.example x\n", "jo@xn--bcher-kva.example=yes"},
		{"everybody", Recipients, "@a.example OK\n", "jo@a.example=no @a.example=yes"},
		{"names without a domain speak for all", Recipients, "jo\nal x\n", "jo@a.example=yes jo@b.example=yes eve@a.example=no"},
		{"quoted", Recipients, "\"jo doe\"@a.example OK\n\"al\"@a.example x\n\"e\\\"e\"@a.example x\n", "jo doe@a.example=yes al@a.example=yes e\"e@a.example=yes"},
		{"lines that go on, comments, empty ones", Recipients, "# head\n\n   # more\njo@a.example\n   OK and more\n  # and not this\n\tal@a.example\nal@a.example x", "jo@a.example=yes al@a.example=yes"},
		{"carriage returns and a signature", Recipients, "\xef\xbb\xbfjo@a.example OK\r\nal@a.example x\r\n", "jo@a.example=yes al@a.example=yes"},
		{"virtual", Virtual, "a.example anything\njo@a.example jo\n@b.example catch@a.example\nroot al@a.example\n", "jo@a.example=yes eve@a.example=no @b.example=yes root@c.example=yes eve@c.example=unknown"},
		{"virtual, of a domain whose users stand elsewhere", Virtual, "sales@a.example jo@a.example\nspam@a.example error:nouser\n", "sales@a.example=yes jo@a.example=unknown spam@a.example=no"},
		{"any extension, as Sendmail has it", Virtual, "a.example x\ninfo+*@a.example jo\n+*@a.example jo\n", "info@a.example=yes +*@a.example=yes x@a.example=no"},
		{"a domain with nobody in it", Virtual, "a.example x\n", "jo@a.example=no"},
		{"a name alone speaks for no domain", Virtual, "root jo\n", "root@a.example=yes jo@a.example=unknown"},
		{"virtusertable", Virtual, "jo@a.example jo\nspam@a.example error:nouser No such user\nold@a.example error:5.1.1:550 moved\nfull@a.example error:5.2.2:552 full\n@a.example error:nouser 550 nobody\n", "jo@a.example=yes spam@a.example=no old@a.example=no full@a.example=unknown eve@a.example=no @a.example=no"},
		{"a domain that stands for another", Virtual, "a.example x\njo@a.example jo\n@b.example @a.example\n@c.example %1@a.example\n@d.example @elsewhere.example\n", "jo@b.example=yes eve@b.example=no jo@c.example=yes eve@c.example=no eve@d.example=yes @b.example=no"},
		{"for another whose users stand elsewhere: as Postfix takes them", Virtual, "jo@a.example jo\n@b.example @a.example\n", "jo@b.example=yes eve@b.example=yes eve@a.example=unknown"},
		{"in a circle", Virtual, "@a.example @b.example\n@b.example @a.example\n", "jo@a.example=unknown"},
		{"aliases", Aliases, "postmaster: root\nRoot:\tjo,\n  al\n\"a b\": x\nlist: \"|/bin/prog a:b\"\nowner-list: jo\n", "root@a.example=yes a b@a.example=yes owner-list@a.example=yes jo@a.example=unknown"},
		{"aliases of a compiled map", Aliases, "root\tjo\n", "root@a.example=yes"},
		{"a password file", Passwd, "root:x:0:0:root:/root:/bin/bash\nJo:x:1000:1000::/home/jo:/bin/sh\n", "jo@a.example=yes root@b.example=yes eve@a.example=no"},
		{"a password file of a machine with NIS", Passwd, "root:x:0:0:root:/root:/bin/bash\n-eve::::::\n+::::::\n", "root@a.example=yes jo@a.example=unknown"},
		{"access of Sendmail, where who may not send stands without a tag", Access, "Connect:192.0.2 RELAY\na.example REJECT\nold@a.example 550 5.1.1 gone\nTo:jo@a.example RELAY\n", "jo@a.example=yes al@a.example=unknown old@a.example=unknown"},
		{"access of Postfix", Access, "jo@a.example OK\nal@a.example REJECT\nold@a.example 550 5.1.1 gone\na.example 550 5.1.1 nobody else\npostmaster@ OK\nb.example OK\n.c.example REJECT\n192.0.2 REJECT\n", "jo@a.example=yes al@a.example=unknown old@a.example=no eve@a.example=no postmaster@c.example=yes @b.example=yes jo@c.example=unknown"},
		{"exceptions speak for no domain", Access, "boss@a.example REJECT\nabuse@a.example OK\n", "abuse@a.example=yes boss@a.example=unknown jo@a.example=unknown"},
		{"access of Sendmail", Access, "Connect:192.0.2 REJECT\nFrom:jo@a.example REJECT\nTo:jo@a.example RELAY\nTo:old@a.example ERROR:5.1.1:550 gone\nTo:a.example REJECT\nSpam:al@a.example FRIEND\nTo:b.example RELAY\n", "jo@a.example=yes old@a.example=no al@a.example=no @b.example=yes"},
		{"the better word for somebody counts", Recipients, "jo@a.example\n", "jo@a.example=yes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab, rd, ok := parse(t, tt.format, tt.text)
			if !ok || slices.ContainsFunc(rd.said, func(p Problem) bool { return !p.Warning }) {
				t.Fatalf("%v %v", ok, rd.said)
			}
			var questions []string
			for word := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(tt.want, "jo doe", "jo\x00doe"), "a b@", "a\x00b@"), " ") {
				q, _, _ := strings.Cut(word, "=")
				questions = append(questions, strings.ReplaceAll(q, "\x00", " "))
			}
			if got := asked(tab, questions...); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFormatsAreRecognised(t *testing.T) {
	for _, tt := range []struct {
		want Format
		text string
	}{
		{Recipients, "# mine\njo@a.example OK\nal@a.example x\n"},
		{Recipients, "jo\nal\n"},
		{Recipients, "jo@a.example created=2026-01-31 plan=pro\n"},
		{Recipients, ""},
		{Virtual, "jo@a.example jo@b.example\n"},
		{Virtual, "jo@a.example OK\nroot jo\n"},
		{Virtual, "jo@a.example error:nouser x\n"},
		{Aliases, "root: jo\npostmaster:root\n"},
		{Aliases, "# x\nroot: jo, al@a.example\n    , eve\n"},
		{Passwd, "root:x:0:0:root:/root:/bin/bash\n"},
		{Access, "jo@a.example OK\na.example REJECT\n"},
		{Access, "Connect:127.0.0.1 RELAY\n"},
		{Access, "jo@a.example 550 5.1.1 no\n"},
	} {
		if got := Recognise([]byte(tt.text)); got != tt.want {
			t.Errorf("%q is %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestMistakesInTables(t *testing.T) {
	const good = "a1@a.example x\na2@a.example x\n"
	for _, tt := range []struct {
		name   string
		format Format
		text   string
		want   string
	}{
		{"a user or a domain", Recipients, "a.example OK", `t:3: "a.example" has no @: is it a user or a domain?; write user@example.net, or @example.net where everybody exists`},
		{"no domain", Recipients, "jo@ OK", `t:3: "" is no domain; write an address as user@example.net, all of a domain as @example.net`},
		{"a domain with a gap", Recipients, "jo@a..example", `t:3: "a..example" is no domain; write an address as user@example.net, all of a domain as @example.net`},
		{"no date", Recipients, "jo@a.example created=31.1.2026", `t:3: "31.1.2026" is not a date; write it as created=2026-01-31`},
		{"not UTF-8", Recipients, "j\xf6@a.example", `t:3: not UTF-8; save the file as UTF-8`},
		{"the half of an address", Recipients, "jo", `t:3: warning: a name without a domain, among addresses with one: it exists at each domain of the source, and the file speaks for none of them by it; write it with its domain, or put names into a file of their own`},
		{"a line of its own number", Recipients, "jo@a.example\n\n# x\njo@", `t:6: "" is no domain; write an address as user@example.net, all of a domain as @example.net`},
		{"no action", Access, "a1@a.example OK\nTo:jo@a.example", `t:4: "To:jo@a.example" has no action; write an address and an action: user@example.net OK`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, rd, _ := parse(t, tt.format, good+tt.text+"\n")
			if len(rd.said) != 1 || rd.said[0].String() != tt.want || (rd.bad == 1) == rd.said[0].Warning {
				t.Errorf("%v\nwant %s", rd.said, tt.want)
			}
		})
	}
	if _, rd, ok := parse(t, Passwd, "jo@a.example\nroot:x:0:0::/:/bin/sh\nal@a.example\n"); ok || !strings.Contains(fmt.Sprint(rd.said), "2 lines with a mistake and 1 without, read as passwd: none is used") {
		t.Errorf("%v", rd.said)
	}
	if _, rd, ok := parse(t, Recipients, lines(10)+"jo\x00\x00\x00"); ok || !strings.Contains(fmt.Sprint(rd.said), "there are NULs in it") {
		t.Errorf("a block that a crash has emptied: %v", rd.said)
	}
	if _, rd, ok := parse(t, Recipients, strings.Repeat("jo@\n", 30)+lines(200)); ok || !strings.Contains(fmt.Sprint(rd.said), "none is used") {
		t.Errorf("one line in seven is wrong: %v", rd.said)
	}
	if _, rd, ok := parse(t, Recipients, strings.Repeat("x", maxLine+1)); ok || !strings.Contains(fmt.Sprint(rd.said), "this is no table") {
		t.Errorf("%v", rd.said)
	}
	if _, rd, _ := parse(t, Recipients, strings.Repeat("jo@\n", 30)+lines(400)); len(rd.said) != maxProblems+1 || rd.bad != 30 {
		t.Errorf("%d told, %d bad", len(rd.said), rd.bad)
	}
}

// TestALineThatCannotBeReadRefusesNobody whom it may name.
func TestALineThatCannotBeReadRefusesNobody(t *testing.T) {
	const good = "a1@a.example x\n"
	for _, tt := range []struct {
		name   string
		format Format
		line   string
		open   string // local part
	}{
		{"a comma in the domain", Recipients, "jo@a,example OK", "JO"},
		{"something behind it", Recipients, "jo@a.example; OK", "jo"},
		{"in brackets", Recipients, "<jo@a.example>", "jo"},
		{"as in SQL", Recipients, "'jo@a.example',", "jo"},
		{"a quote that does not end", Recipients, "\"jo@a.example OK", "jo"},
		{"a name with a dot", Recipients, "john.doe", "John.Doe"},
		{"with a colon", Recipients, "jo@a.example: x", "jo"},
		{"Latin 1", Recipients, "m\xfcller@a.example OK", "M\u00dcller"},
		{"a virtual one", Virtual, "jo@a..example al", "jo"},
		{"an alias", Aliases, "jo@a..example: al", "jo"},
		{"of a password file", Passwd, "jo:x:1", "jo"},
		{"without an action", Access, "To:jo@a.example", "jo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head := good
			switch tt.format {
			case Passwd:
				head = "a1:x:1:1::/:/bin/sh\n"
			case Access:
				head = "To:a.example REJECT\n"
			case Virtual, Aliases:
				head = "a.example OK\n"
			}
			tab, rd, ok := parse(t, tt.format, head+tt.line+"\n")
			if !ok || rd.bad != 1 {
				t.Fatalf("%d bad: %v", rd.bad, rd.said)
			}
			if e := tab.lookup(Address{tt.open, "a.example"}); e.Result != Unknown {
				t.Errorf("%s is %v", tt.open, e.Result)
			}
			if e := tab.lookup(Address{"nobody", "a.example"}); e.Result != No && tt.format != Aliases {
				t.Errorf("nobody is %v", e.Result)
			}
		})
	}
	tab, _, _ := parse(t, Recipients, good+"jo@a,example OK\njo@a.example OK\nal@a.example created=x\n")
	for local, want := range map[string]Result{"jo": Yes, "al": Yes} {
		if e := tab.lookup(Address{local, "a.example"}); e.Result != want {
			t.Errorf("%s is %v, want %v", local, e.Result, want)
		}
	}
	if e := tab.lookup(Address{"al", "b.example"}); tab.find(tab.hash("al", "")) >= 0 {
		t.Errorf("of a line that was taken but for its date: %v", e.Result)
	}
}

func TestFactsOfRecipients(t *testing.T) {
	tab, rd, _ := parse(t, Recipients, "jo@a.example created=2026-01-31 plan=pro # x\nal@a.example plan=free\neve@a.example\nzoe@a.example created=2026-01-31T10:00:00+02:00\n"+lines(1000))
	if len(rd.said) > 0 {
		t.Fatal(rd.said)
	}
	for name, want := range map[string]string{"jo": "2026-01-31T00:00:00Z pro", "al": "- free", "eve": "- ", "zoe": "2026-01-31T08:00:00Z "} {
		e := tab.lookup(Address{name, "a.example"})
		got := "- " + e.Plan
		if !e.Created.IsZero() {
			got = e.Created.Format("2006-01-02T15:04:05Z07:00") + " " + e.Plan
		}
		if e.Result != Yes || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestFileSpecs(t *testing.T) {
	for text, want := range map[string]FileSpec{
		"/etc/passwd":                {Path: "/etc/passwd"},
		"passwd:/etc/passwd":         {Format: Passwd, Path: "/etc/passwd"},
		"hash:/etc/postfix/virtual":  {Kind: "hash", Path: "/etc/postfix/virtual"},
		"virtual:btree:/etc/a/../v":  {Format: Virtual, Kind: "btree", Path: "/etc/v"},
		"aliases:/etc/mail/aliases/": {Format: Aliases, Path: "/etc/mail/aliases"},
	} {
		if got, err := ParseFile(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "virtual", "etc/passwd", "pasword:/etc/passwd", "hash:hash:/x", "/", "hash:virtual:/x", "hash:", "/a\nb"} {
		if got, err := ParseFile(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestExtensions(t *testing.T) {
	for _, tt := range []struct{ local, delimiters, want string }{
		{"jo+lists", "+", "jo"}, {"jo+a+b", "+", "jo"}, {"jo", "+", ""}, {"+lists", "+", ""}, {"jo+", "+", "jo"},
		{"jo-lists", "+-", "jo"}, {"owner-list", "+-", ""}, {"list-request", "-", ""}, {"owner-list", "+", ""}, {"owner-", "-", "owner"},
		{"mailer-daemon", "-", ""}, {"double-bounce", "-", ""}, {"jo+x", "", ""},
	} {
		got, ok := withoutExtension(tt.local, tt.delimiters)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s by %q: %q, %v", tt.local, tt.delimiters, got, ok)
		}
	}
}

// FuzzTable holds that whatever a file holds: an address that is a line of a list is
// found in it, nothing says more than one line a problem, and a table read twice
// answers the same.
func FuzzTable(f *testing.F) {
	for _, text := range []string{
		"jo@a.example OK\n@b.example x\n", "a.example x\n@b.example @a.example\n@a.example @b.example\njo@a.example error:nouser\n",
		"root: jo\n  al\n\"a b\": c\n", "To:jo@a.example ERROR:5.1.1:550 x\nTo:a.example REJECT\n", "root:x:0:0:r:/:/bin/sh\n",
		"\xef\xbb\xbfjo@b\xc3\xbccher.example created=2026-01-31 plan=p\r\n", "\"\\\"@\n\x00", "@\n@@\n\"@a\n",
	} {
		for i := range Formats() {
			f.Add(text, uint8(i), "jo", "a.example")
		}
	}
	f.Fuzz(func(t *testing.T, text string, format uint8, local, domain string) {
		as := Formats()[int(format)%len(Formats())]
		one, rd, ok := parse(t, as, text)
		two, _, _ := parse(t, as, text)
		for _, p := range rd.said {
			if strings.ContainsAny(p.String(), "\n\x00") || p.What == "" || p.Remedy == "" {
				t.Fatalf("%q", p)
			}
		}
		if !ok && len(rd.said) == 0 {
			t.Fatal("not used, and nothing is said")
		}
		for _, a := range []Address{{local, domain}, {"", domain}, {local, "a.example"}, {strings.ToUpper(local), "a.example"}} {
			x, y := one.lookup(a), two.lookup(a)
			if x.Result != y.Result || x.Created != y.Created || x.Plan != y.Plan || x.Result == Failed {
				t.Fatalf("%v: %v and %v", a, x, y)
			}
			if folded := one.lookup(Address{Fold(a.Local), a.Domain}); folded.Result != x.Result {
				t.Fatalf("%q: %v, folded %v", a.Local, x, folded)
			}
		}
		if Fold(Fold(local)) != Fold(local) {
			t.Fatalf("%q folds to %q, and that to %q", local, Fold(local), Fold(Fold(local)))
		}
		_ = Recognise([]byte(text))
		if ascii := asciiDomain(domain); ascii != "" && !strings.ContainsAny(local, "\"\\ \t\r\n#@") && local != "" && len(local) < 1000 && !strings.ContainsFunc(local, func(r rune) bool { return r < ' ' || r == 0xfffd }) && strings.TrimSpace(local) == local && local[0] != 0xef {
			tab, rd, _ := parse(t, Recipients, local+"@"+domain+" OK\n")
			if len(rd.said) == 0 && tab.lookup(Address{local, ascii}).Result != Yes {
				t.Fatalf("%q at %q is not found", local, ascii)
			}
		}
	})
}

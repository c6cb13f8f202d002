package page_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

func TestWhatAPostmasterSees(t *testing.T) {
	_, full := open(pagetest.Full(), true, page.Access{}).get("/")
	_, empty := open(pagetest.Empty(), true, page.Access{}).get("/")
	_, well := open(atWork(), true, page.Access{}).get("/")
	tests := []struct{ name, page, want string }{
		{"which machine it is", full, "<title>mx1.example.net – mailprofiled</title>"},
		{"the mode", full, `<b class="mode">enforce</b>`},
		{"that monitor mode lets all through", empty, "everything goes on"},
		{"what wants attention", full, "Mend it, then: mailprofiled reload"},
		{"what to look at where nothing does", empty, "Look at: MTA<"},
		{"that nothing does", well, "Nothing wants attention"},
		{"when an MTA was heard of", full, "heard of 2s ago"},
		{"how to attach one", empty, "mailprofiled attach postfix"},
		{"verdicts with their share", full, `<span class="key reject">reject `},
		{"the worst quarter of an hour", full, "at most "},
		{"accounts that may not send", full, "21 countries in an hour"},
		{"findings", full, "rdns-missing"},
		{"lists, and why one does not count", full, "asked through a public resolver; use a resolver of your own"},
		{"what a list shares with another", full, "<bdi>psbl</bdi> 52"},
		{"how to begin with lists", empty, "lists.use"},
		{"who is refused", full, "203.0.113.0/24"},
		{"how much of its limit an account has used", full, "50 of 50 messages in 24h"},
		{"when there is room again", full, "in 4h 12m"},
		{"what is left of it", full, ">520 left<"},
		{"how an account stood at its last mail", full, "as of <time"},
		{"who met a limit", full, "gone@example.net"},
		{"that nobody is near one", empty, "None is, of those whose mail was seen since the start"},
		{"rules near their end", full, "it expires in 12d 00h"},
		{"rules that are past it", full, "it has expired"},
		{"rules without use", full, "it was never used since the start"},
		{"that a file has lines of rubbish", full, "2 that cannot be read"},
		{"what a candidate would change", full, "Would differ</dt><dd>1\u202f204"},
		{"whom that concerns, and why", full, "&#43;rdns-missing 311"},
		{"how to try a policy", empty, `<code>candidate = "/etc`},
		{"that there are no rules", empty, "[[local]]"},
		{"who came back", full, "Came back</dt><dd>9\u202f120"},
	}
	for _, tt := range tests {
		if !strings.Contains(tt.page, tt.want) {
			t.Errorf("%s: no %q", tt.name, tt.want)
		}
	}
	if strings.Contains(full, "Log out") {
		t.Error("on a socket without a token there is nothing to log out of")
	}
}

// atWork is Empty once an MTA has connected.
func atWork() *pagetest.Source {
	src := pagetest.Empty()
	src.S.MTA = &admin.MTA{LastCommand: pagetest.Noon}
	return src
}

// TestStrangersWriteNoMarkup: nothing that strangers name becomes an element, an
// attribute or a character that is not seen, and no text is long.
func TestStrangersWriteNoMarkup(t *testing.T) {
	for _, path := range []string{"/", "/why?id=0dzl", "/why?n=20&id=", "/why?from=x", "/finding?id=rdns-missing"} {
		t.Run(path, func(t *testing.T) { writeNoMarkup(t, path) })
	}
}

func writeNoMarkup(t *testing.T, path string) {
	_, text := open(pagetest.Hostile(), true, page.Access{}).get(path)
	_, calm := open(pagetest.Full(), true, page.Access{}).get(path)
	for _, c := range text {
		if c < ' ' && c != '\n' || c == 0x7f || c == 0xfffd || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			t.Fatalf("the page holds %U", c)
		}
	}
	names := func(text string) map[string]bool {
		all := map[string]bool{}
		for z := html.NewTokenizer(strings.NewReader(text)); ; {
			switch z.Next() {
			case html.ErrorToken:
				return all
			case html.StartTagToken, html.SelfClosingTagToken:
				tag := z.Token()
				all["<"+tag.Data] = true
				for _, a := range tag.Attr {
					all[tag.Data+" "+a.Key] = true
				}
			}
		}
	}
	known := names(calm)
	for name := range names(text) {
		if !known[name] {
			t.Errorf("strangers have made %s", name)
		}
	}
	if known["<script"] || known["<style"] || known["td style"] {
		t.Error("the page holds what its own policy does not let run")
	}
	if strings.Contains(text, strings.Repeat("a", 601)) {
		t.Error("a text of 1,000 characters is shown whole")
	}
}

func TestItReloadsByItselfWhenAsked(t *testing.T) {
	d := open(pagetest.Full(), true, page.Access{})
	if _, text := d.get("/"); strings.Contains(text, `http-equiv="refresh"`) {
		t.Error("it reloads unasked")
	}
	if code, text := d.get("/every/30"); code != 200 || !strings.Contains(text, `<meta http-equiv="refresh" content="30">`) || !strings.Contains(text, "Stop reloading") {
		t.Errorf("got %d", code)
	}
}

// slow is a source that counts how often it is asked, and may hold up who asks.
type slow struct {
	*pagetest.Source
	asked, ranked atomic.Int64
	hold          chan struct{} // nil: not
	held          chan struct{} // one for each that is
}

func (s *slow) Status() *admin.Status {
	s.asked.Add(1)
	if s.hold != nil {
		s.held <- struct{}{}
		<-s.hold
	}
	return s.Source.Status()
}

func (s *slow) TopServers(kind, by string, n int) ([]admin.ServerCounts, error) {
	s.ranked.Add(1)
	return s.Source.TopServers(kind, by, n)
}

// TestManyReadersAreOne: a page is made once a second, and the ranking that walks
// over everybody twice a minute, however many look.
func TestManyReadersAreOne(t *testing.T) { synctest.Test(t, manyReadersAreOne) }

func manyReadersAreOne(t *testing.T) {
	src := &slow{Source: pagetest.Full()}
	d := open(nil, true, page.Access{})
	d.Page = page.New(page.Options{Source: src, Socket: true, Access: func() page.Access { return page.Access{} }, Now: func() time.Time { return d.now }})
	for second := range 31 {
		for range 8 {
			if code, _ := d.get("/"); code != 200 {
				t.Fatal(code)
			}
		}
		if n := src.asked.Load(); n != int64(second+1) {
			t.Fatalf("asked %d times in second %d", n, second)
		}
		d.now = d.now.Add(time.Second)
	}
	if n := src.ranked.Load(); n != 2*3 {
		t.Errorf("ranked %d times in 31 seconds", n)
	}
}

// TestTooManyAtOnceAreSentAway, and come in when there is room.
func TestTooManyAtOnceAreSentAway(t *testing.T) { synctest.Test(t, tooManyAtOnceAreSentAway) }

func tooManyAtOnceAreSentAway(t *testing.T) {
	src := &slow{Source: pagetest.Full(), hold: make(chan struct{}), held: make(chan struct{}, 1)}
	d := open(nil, true, page.Access{})
	d.Page = page.New(page.Options{Source: src, Socket: true, Access: func() page.Access { return page.Access{} }, Now: func() time.Time { return d.now }})
	codes := make(chan int)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			code, _ := d.get("/")
			codes <- code
		})
	}
	<-src.held
	for range 100 - 16 {
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Errorf("got %d", code)
		}
	}
	close(src.hold)
	for range 16 {
		if code := <-codes; code != 200 {
			t.Errorf("got %d", code)
		}
	}
	all.Wait()
}

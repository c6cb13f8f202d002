package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

func TestWhoMayRead(t *testing.T) {
	guarded, bare := page.Access{Token: token}, page.Access{}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	tests := []struct {
		name   string
		socket bool
		access page.Access
		method string
		path   string
		change func(*http.Request)
		want   int
	}{
		{"a unix socket is guarded by its mode", true, bare, "GET", "/", nil, 200},
		{"and by the token, where there is one", true, guarded, "GET", "/", nil, 401},
		{"over TCP nobody reads without a token", false, bare, "GET", "/", nil, 403},
		{"nor a style", false, bare, "GET", "/style.css", nil, 403},
		{"nobody without showing it", false, guarded, "GET", "/", nil, 401},
		{"nor what is not there", false, guarded, "GET", "/x", nil, 401},
		{"who shows it reads", false, guarded, "GET", "/", withBearer(token), 200},
		{"its kind is written in any case", false, guarded, "GET", "/", func(r *http.Request) { r.Header.Set("Authorization", "bearer "+token) }, 200},
		{"a wrong one", false, guarded, "GET", "/", withBearer(token + "0"), 401},
		{"an empty one", false, guarded, "GET", "/", withBearer(""), 401},
		{"a password is no token", false, guarded, "GET", "/", func(r *http.Request) { r.SetBasicAuth("x", token) }, 401},
		{"the token is no cookie", false, guarded, "GET", "/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "mailprofiled", Value: token}) }, 401},
		{"what is not there, with it", false, guarded, "GET", "/x", withBearer(token), 404},
		{"HEAD", true, bare, "HEAD", "/", nil, 200},
		{"nothing is changed", true, bare, "POST", "/", nil, 405},
		{"nor deleted", true, bare, "DELETE", "/", nil, 405},
		{"a made-up method", true, bare, "BREW", "/", nil, 405},
		{"another site's name leads here", true, bare, "GET", "/", host("evil.example"), 421},
		{"with the port", false, guarded, "GET", "/", host("evil.example:8892"), 421},
		{"also for the form", false, guarded, "POST", "/login", host("evil.example"), 421},
		{"no name", true, bare, "GET", "/", host(""), 421},
		{"localhost as a name of others", true, bare, "GET", "/", host("localhost.evil.example"), 421},
		{"loopback", true, bare, "GET", "/", host("127.0.0.1:8892"), 200},
		{"all of it", true, bare, "GET", "/", host("127.8.8.8"), 200},
		{"IPv6", true, bare, "GET", "/", host("[::1]:8892"), 200},
		{"an address of ours is not loopback", true, bare, "GET", "/", host("192.0.2.1:8892"), 421},
		{"a name that is allowed", true, page.Access{Hosts: []string{"pm.example.net"}}, "GET", "/", host("PM.example.net.:443"), 200},
		{"one beside it", true, page.Access{Hosts: []string{"pm.example.net"}}, "GET", "/", host("x.pm.example.net"), 421},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := open(pagetest.Full(), tt.socket, tt.access).ask(tt.method, tt.path, "", tt.change)
			code, body := read(resp)
			if code != tt.want {
				t.Fatalf("got %d, want %d: %s", code, tt.want, body)
			}
			if code != 200 && strings.Contains(body, "spamcop") {
				t.Error("the refusal tells what it refuses")
			}
			for header, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
				if got := resp.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy: %s", csp)
			}
		})
	}
}

// login sends the form and gives the cookie that comes back, nil for none.
func (d *desk) login(given string, change func(*http.Request)) (*http.Response, *http.Cookie) {
	resp := d.ask("POST", "/login", url.Values{"token": {given}}.Encode(), change)
	for _, c := range resp.Cookies() {
		return resp, c
	}
	return resp, nil
}

func with(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value}) }
}

func TestTheFormOpensThePageForTwelveHours(t *testing.T) {
	d := open(pagetest.Full(), false, page.Access{Token: token})
	resp, c := d.login(" "+token+"\n", nil)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || c == nil {
		t.Fatalf("got %d to %q, %v", resp.StatusCode, resp.Header.Get("Location"), c)
	}
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Domain != "" || c.Path != "/" || c.MaxAge != 12*3600 || strings.Contains(c.Value, token) {
		t.Errorf("the cookie is %+v", c)
	}
	if code, _ := read(d.ask("GET", "/", "", with(c))); code != 200 {
		t.Errorf("with the cookie: %d", code)
	}
	forged := *c
	forged.Value = "9" + c.Value
	if code, _ := read(d.ask("GET", "/", "", with(&forged))); code != 401 {
		t.Errorf("with a later end: %d", code)
	}
	d.access.Token = token + "new"
	if code, _ := read(d.ask("GET", "/", "", with(c))); code != 401 {
		t.Errorf("after a reload with another token: %d", code)
	}
	d.access.Token = token
	d.now = d.now.Add(12 * time.Hour)
	if code, _ := read(d.ask("GET", "/", "", with(c))); code != 401 {
		t.Errorf("when it has ended: %d", code)
	}
	if _, c := d.login(token, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }); c == nil || !c.Secure {
		t.Errorf("behind TLS: %+v", c)
	}
	if resp := d.ask("POST", "/logout", "", nil); resp.StatusCode != http.StatusSeeOther || resp.Cookies()[0].MaxAge >= 0 || resp.Cookies()[0].Value != "" {
		t.Errorf("logging out: %d, %v", resp.StatusCode, resp.Cookies())
	}
}

func TestTheFormIsOurs(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"a browser that says so": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"an older one":           func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"a sandbox":              func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		for _, path := range []string{"/login", "/logout"} {
			d := open(pagetest.Full(), false, page.Access{Token: token})
			resp := d.ask("POST", path, "token="+token, change)
			if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
				t.Errorf("%s, %s: %d, %v", name, path, resp.StatusCode, resp.Cookies())
			}
		}
	}
	d := open(pagetest.Full(), false, page.Access{Token: token})
	if resp, c := d.login(strings.Repeat("x", 1<<20), nil); resp.StatusCode != http.StatusBadRequest || c != nil {
		t.Errorf("a megabyte of token: %d", resp.StatusCode)
	}
}

// TestGuessesAreBounded: by form and by header together; who is in stays in, and
// after a while the right one opens.
func TestGuessesAreBounded(t *testing.T) {
	d := open(pagetest.Full(), false, page.Access{Token: token})
	_, c := d.login(token, nil)
	looked := 0
	for i := range 100 {
		var code int
		if i%2 == 0 {
			resp, c := d.login("wrong", nil)
			if code = resp.StatusCode; c != nil {
				t.Fatal("a wrong token gave a cookie")
			}
		} else {
			code, _ = read(d.ask("GET", "/", "", withBearer("wrong")))
		}
		switch code {
		case http.StatusUnauthorized:
			looked++
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("guess %d: %d", i, code)
		}
	}
	if looked != 10 {
		t.Errorf("%d of 100 guesses were looked at", looked)
	}
	if resp, c := d.login(token, nil); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || c != nil {
		t.Errorf("the right one, while guesses are bounded: %d", resp.StatusCode)
	}
	if code, _ := read(d.ask("GET", "/", "", with(c))); code != 200 {
		t.Errorf("who was in: %d", code)
	}
	d.now = d.now.Add(3 * time.Second)
	if resp, _ := d.login("wrong", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after three seconds: %d", resp.StatusCode)
	}
	if resp, _ := d.login("wrong", nil); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("and another: %d", resp.StatusCode)
	}
	d.now = d.now.Add(time.Hour)
	if _, c := d.login(token, nil); c == nil {
		t.Error("after an hour the right one does not open")
	}
}

package page_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

const ofHarbour = "harbour-0123456789abcdef"

// guarded is a page with a token, and one of a domain.
func guarded(src *pagetest.Source, socket bool) *desk {
	return open(src, socket, page.Access{Token: token, Scopes: []page.Scope{{Domain: "harbour.example", Token: ofHarbour}}})
}

// ask asks for JSON into v, with a token.
func (d *desk) json(t *testing.T, path, token string, v any) int {
	t.Helper()
	resp := d.ask("GET", path, "", withBearer(token))
	code, body := read(resp)
	if kind := resp.Header.Get("Content-Type"); kind != "application/json" {
		t.Fatalf("%s: %s", path, kind)
	}
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	for _, c := range body {
		if c > '~' || c < ' ' && c != '\n' {
			t.Fatalf("%s: %U in what a terminal may show", path, c)
		}
	}
	return code
}

// paths are all that docs/api.md has.
func paths(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(/api/v1/[^` ?]+)[^`]*` \\|").FindAllSubmatch(text, -1) {
		if !strings.HasPrefix(string(m[1]), page.APIActPrefix) { // those are act's
			all = append(all, string(m[1]))
		}
	}
	return all
}

// TestTheDocumentedPathsAreThere, and no others; hostile data are data there too.
func TestTheDocumentedPathsAreThere(t *testing.T) {
	want := paths(t)
	if got := page.Routes(); !slices.Equal(got, want) {
		t.Errorf("docs/api.md has %q, served are %q", want, got)
	}
	query := map[string]string{"/api/v1/servers/show": "?server=203.0.113.45", "/api/v1/accounts/show": "?account=joe@example.net"}
	for _, path := range want {
		var v any
		if code := guarded(pagetest.Full(), false).json(t, path+query[path], token, &v); code != 200 {
			t.Errorf("%s: %d, %v", path, code, v)
		}
		guarded(pagetest.Hostile(), false).json(t, path+query[path], token, &v)
		if code := guarded(pagetest.Full(), false).json(t, path+query[path], "wrong", &v); code != 401 {
			t.Errorf("%s with a wrong token: %d", path, code)
		}
	}
}

func TestWhatProgramsGet(t *testing.T) {
	d := guarded(pagetest.Full(), false)
	var s admin.Status
	if code := d.json(t, "/api/v1/status", token, &s); code != 200 || s.Mode != "enforce" || s.Lists[0].List != "spamcop" {
		t.Errorf("status: %d %+v", code, s)
	}
	var rows []admin.ServerCounts
	if code := d.json(t, "/api/v1/servers?kind=network&n=2", token, &rows); code != 200 || len(rows) != 2 || rows[0].Server != "203.0.113.0/24" {
		t.Errorf("servers: %d %+v", code, rows)
	}
	var failed struct{ Error string }
	if code := d.json(t, "/api/v1/servers?kind=planet", token, &failed); code != 400 || failed.Error == "" {
		t.Errorf("servers of no kind: %d %+v", code, failed)
	}
	if code := d.json(t, "/api/v1/trend?span=2d", token, &failed); code != 400 || !strings.Contains(failed.Error, "7d") {
		t.Errorf("no span: %d %+v", code, failed)
	}
	if code := d.json(t, "/api/v2/status", token, &failed); code != 404 {
		t.Errorf("another version: %d", code)
	}
	var tr struct {
		Span    string
		BucketS float64 `json:"bucket_s"`
		Sums    map[string]uint64
		Each    map[string][]uint32
	}
	if code := d.json(t, "/api/v1/trend?span=7d", token, &tr); code != 200 || tr.BucketS != 7200 || len(tr.Each["reject"]) != 84 || tr.Sums["reject"] == 0 {
		t.Errorf("trend: %d %v", code, tr)
	}
	var top admin.Top
	if code := d.json(t, "/api/v1/accounts?domain=Example.net&n=1", token, &top); code != 200 || len(top.Accounts) != 1 || top.Accounts[0].Account != "joe@example.net" {
		t.Errorf("accounts of a domain: %d %+v", code, top)
	}
	if resp := d.ask("POST", "/api/v1/status", "x", withBearer(token)); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// TestATokenOfADomain opens what is of the domain, without the notes of the house,
// and nothing else.
func TestATokenOfADomain(t *testing.T) {
	src := pagetest.Full()
	known := src.Known["newsletter@harbour.example"]
	known.Exceptions = []admin.AccountException{{Max: 500, Owner: "jo", Reason: "he called, angry"}}
	known.Account, known.Names = "newsletter@harbour.example", []string{"news@harbour.example", "news@example.net"}
	src.Known["alias@harbour.example"] = &admin.Account{Account: "joe@example.net"}
	known.Block = &admin.BlockedAccount{Account: "newsletter@harbour.example", Blocked: true, By: "uid 1000", Owner: "jo", Reason: "spam"}
	for _, socket := range []bool{false, true} {
		d := guarded(src, socket)
		for _, path := range append(paths(t), "/api/v1/nothing", "/", "/every/30", "/api/v1/accounts/show?account=joe@example.net", "/api/v1/accounts/show?account=joe@example.net&domain=example.net",
			"/api/v1/accounts/show?account=x@nicharbour.example", "/api/v1/accounts/show?account=harbour.example") {
			code, body := read(d.ask("GET", path, "", withBearer(ofHarbour)))
			if strings.Contains(body, "4480") || strings.Contains(body, "spamcop") || strings.Contains(body, "4711") || code == 200 && path != "/api/v1/accounts" && path != "/api/v1/accounts/near" && path != "/api/v1/accounts/blocked" {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		var top admin.Top
		if code := d.json(t, "/api/v1/accounts?domain=example.net", ofHarbour, &top); code != 200 || len(top.Accounts) != 1 || top.Accounts[0].Account != "newsletter@harbour.example" {
			t.Errorf("accounts: %d %+v", code, top)
		}
		var near admin.NearAccounts
		if code := d.json(t, "/api/v1/accounts/near?domain=example.net", ofHarbour, &near); code != 200 || len(near.Accounts) != 1 || near.Accounts[0].Account != "newsletter@harbour.example" {
			t.Errorf("near a limit: %d %+v", code, near)
		}
		var a admin.Account
		if code := d.json(t, "/api/v1/accounts/show?account=NEWSLETTER@harbour.example", ofHarbour, &a); code != 200 {
			t.Errorf("in other letters: %d", code)
		}
		if code := d.json(t, "/api/v1/accounts/show?account=newsletter@harbour.example", ofHarbour, &a); code != 200 || len(a.Limits) != 2 || a.Exceptions[0].Max != 500 || !a.Block.Blocked {
			t.Errorf("its account: %d %+v", code, a)
		}
		if a.Exceptions[0].Reason+a.Exceptions[0].Owner+a.Block.Reason+a.Block.Owner+a.Block.By != "" {
			t.Errorf("the notes of the house are shown: %+v", a)
		}
		var failed struct{ Error string }
		if code := d.json(t, "/api/v1/accounts/show?account=alias@harbour.example", ofHarbour, &failed); code != http.StatusNotFound {
			t.Errorf("a login that is counted as an account of another domain: %d", code)
		}
		if len(a.Names) != 1 || a.Names[0] != "news@harbour.example" {
			t.Errorf("other logins of it: %q", a.Names)
		}
		var blocked admin.BlockedAccounts
		if code := d.json(t, "/api/v1/accounts/blocked", ofHarbour, &blocked); code != 200 || len(blocked.Accounts) != 1 || blocked.Accounts[0].Reason != "" {
			t.Errorf("blocked: %d %+v", code, blocked)
		}
	}
	if len(known.Names) != 2 || known.Exceptions[0].Reason == "" || known.Block.Reason == "" || src.B.Accounts[0].Reason == "" {
		t.Error("the source was changed")
	}
}

// TestATokenOfADomainAlone: where there is no other, the page stays shut over TCP.
func TestATokenOfADomainAlone(t *testing.T) {
	d := open(pagetest.Full(), false, page.Access{Scopes: []page.Scope{{Domain: "harbour.example", Token: ofHarbour}}})
	for _, given := range []string{"", ofHarbour, "wrong"} {
		if code, _ := read(d.ask("GET", "/", "", withBearer(given))); code != 403 {
			t.Errorf("the page with %q: %d", given, code)
		}
		code, _ := read(d.ask("GET", "/api/v1/accounts", "", withBearer(given)))
		if (code == 200) != (given == ofHarbour) {
			t.Errorf("accounts with %q: %d", given, code)
		}
	}
	if _, c := d.login("", nil); c != nil {
		t.Error("an empty token gives a cookie")
	}
}

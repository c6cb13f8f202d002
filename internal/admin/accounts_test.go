package admin

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

// aDesk notes what it is told.
type aDesk struct{ told []string }

func (d *aDesk) note(by, what string, v any) (*Changed, error) {
	d.told = append(d.told, fmt.Sprintf("%s %s %+v", by, what, v))
	return &Changed{Exceptions: []AccountException{}, Limits: []string{"new accounts"}, Counters: 1}, nil
}

func (d *aDesk) Account(name string) (*Account, error) {
	if name == "" {
		return nil, errors.New("no account is named")
	}
	return &Account{Account: name, Age: Age{State: AgeUnseen}, Limits: []AccountLimit{{Limit: "x", State: LimitExempt}}, Exceptions: []AccountException{}}, nil
}
func (d *aDesk) Exceptions() []AccountException {
	return []AccountException{{Plan: "pro", Max: 3, By: "file"}}
}
func (d *aDesk) Top(n int) *Top { return &Top{All: n == 20, Accounts: []TopAccount{}} }
func (d *aDesk) Near(n int) *NearAccounts {
	return &NearAccounts{Share: float64(n), Accounts: []NearAccount{}}
}
func (d *aDesk) Suspects(n int) *Suspects {
	return &Suspects{Total: uint64(n), Accounts: []SuspectAccount{}}
}
func (d *aDesk) Raise(by string, g Grant) (*Changed, error) {
	if g.Max == 13 {
		return nil, errors.New("nothing would change: \"x\" lets 20 through")
	}
	return d.note(by, "raise", g)
}
func (d *aDesk) Unraise(by string, g Grant) (*Changed, error) { return d.note(by, "unraise", g) }
func (d *aDesk) Reset(by, name string) (*Changed, error)      { return d.note(by, "reset", name) }

func TestAccountsOverTheSocket(t *testing.T) {
	c, desk := aControl(), new(aDesk)
	c.Accounts = desk
	c.Limits = func() *Limits { return &Limits{Mode: "enforce", Limits: []Limit{{Name: "x", Steps: []LimitStep{}}}} }
	client := control(t, c)
	ctx := t.Context()
	odd := "jo&x=1 <\"#>@example.net"
	if a, err := client.Account(ctx, odd); err != nil || a.Account != odd || a.Limits[0].State != LimitExempt {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := client.Account(ctx, ""); err == nil || err.Error() != "the daemon says: no account is named" {
		t.Errorf("no name: %v", err)
	}
	if all, err := client.Exceptions(ctx); err != nil || len(all) != 1 || all[0].Plan != "pro" {
		t.Errorf("%+v, %v", all, err)
	}
	for n, want := range map[int]float64{7: 7, 0: 20, 5000: 1000} {
		if near, err := client.Near(ctx, n); err != nil || near.Share != want {
			t.Errorf("near %d: %+v, %v", n, near, err)
		}
	}
	for n, all := range map[int]bool{20: true, 7: false, 0: true, -3: true} {
		if top, err := client.Top(ctx, n); err != nil || top.All != all {
			t.Errorf("top %d: %+v, %v", n, top, err)
		}
	}
	for n, want := range map[int]uint64{20: 20, 7: 7, 0: topShown, -3: topShown} {
		if s, err := client.Suspects(ctx, n); err != nil || s.Total != want {
			t.Errorf("suspects %d: %+v, %v", n, s, err)
		}
	}
	if l, err := client.Limits(ctx); err != nil || l.Limits[0].Name != "x" {
		t.Errorf("%+v, %v", l, err)
	}
	if len(desk.told) > 0 {
		t.Fatalf("to look has changed: %q", desk.told)
	}
	grant := Grant{Account: odd, Limit: "x", Window: 3600, Max: 5, Until: "2026-12-31", Owner: "jo", Reason: "a\nb"}
	for _, change := range []func() (*Changed, error){
		func() (*Changed, error) { return client.Raise(ctx, grant) },
		func() (*Changed, error) { return client.Unraise(ctx, Grant{Plan: "pro"}) },
		func() (*Changed, error) { return client.Reset(ctx, odd) },
	} {
		if changed, err := change(); err != nil || changed.Counters != 1 {
			t.Errorf("%+v, %v", changed, err)
		}
	}
	us := fmt.Sprintf("uid %d", os.Getuid())
	if want := []string{
		fmt.Sprintf("%s raise %+v", us, grant), fmt.Sprintf("%s unraise %+v", us, Grant{Plan: "pro"}), us + " reset " + odd,
	}; !reflect.DeepEqual(desk.told, want) {
		t.Errorf("told %q, want %q", desk.told, want)
	}
	if _, err := client.Raise(ctx, Grant{Account: "jo", Max: 13}); err == nil || !strings.HasPrefix(err.Error(), "the daemon says: nothing would change") {
		t.Errorf("a mistake: %v", err)
	}
	if _, err := client.Raise(ctx, Grant{Account: "m\xfcller", Max: 5}); err == nil {
		t.Error("a name that JSON cannot carry was told")
	}
}

// TestChangesOfAccountsWantPOST: nothing is changed by looking, or by what is not
// understood.
func TestChangesOfAccountsWantPOST(t *testing.T) {
	c, desk := aControl(), new(aDesk)
	c.Accounts = desk
	client := control(t, c)
	for _, what := range []string{"raise", "unraise", "reset"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			request := method + " /v1/accounts/" + what + "?account=jo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
			if code, _ := sayRaw(t, client.path, request); code != 405 {
				t.Errorf("%s %s: %d", method, what, code)
			}
		}
		for _, body := range []string{"", "hello", `{"account":"jo","max":1,"forever":true}`, `{"max":"1"}`, strings.Repeat(" ", 2*maxBody) + "{}"} {
			request := fmt.Sprintf("POST /v1/accounts/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", what, len(body), body)
			if code, text := sayRaw(t, client.path, request); code != 400 || !strings.Contains(text, "not understood") {
				t.Errorf("%s %.30q: %d %s", what, body, code, text)
			}
		}
	}
	if len(desk.told) > 0 {
		t.Errorf("changed: %q", desk.told)
	}
}

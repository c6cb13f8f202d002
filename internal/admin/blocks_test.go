package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

// aBlockDesk notes what it is told.
type aBlockDesk struct{ told []string }

func (d *aBlockDesk) Blocked(ended bool) *BlockedAccounts {
	return &BlockedAccounts{Mode: "enforce", Accounts: []BlockedAccount{{Account: "jo", Blocked: !ended}}}
}

func (d *aBlockDesk) Block(ctx context.Context, by string, ask BlockAsk) (*BlockChange, error) {
	if ask.Reason == "none" {
		return nil, errors.New("no reason")
	}
	d.told = append(d.told, fmt.Sprintf("%s block %+v", by, ask))
	return &BlockChange{Block: BlockedAccount{Account: ask.Account}, Kept: true}, ctx.Err()
}

func (d *aBlockDesk) Release(ctx context.Context, by, account string) (*BlockChange, error) {
	d.told = append(d.told, by+" release "+account)
	return &BlockChange{Block: BlockedAccount{Account: account}}, ctx.Err()
}

func TestBlocksOverTheSocket(t *testing.T) {
	c, desk := aControl(), new(aBlockDesk)
	c.Blocks = desk
	client := control(t, c)
	ctx := t.Context()
	for _, ended := range []bool{false, true} {
		if l, err := client.Blocked(ctx, ended); err != nil || len(l.Accounts) != 1 || l.Accounts[0].Blocked == ended {
			t.Errorf("%+v, %v", l, err)
		}
	}
	if len(desk.told) > 0 {
		t.Fatalf("to look has changed: %q", desk.told)
	}
	ask := BlockAsk{Account: "jo&x=1 <\"#>@example.net", Action: "reject", Until: "2026-12-31", Owner: "jö", Reason: "a\nb"}
	if changed, err := client.Block(ctx, ask); err != nil || !changed.Kept || changed.Block.Account != ask.Account {
		t.Errorf("%+v, %v", changed, err)
	}
	if changed, err := client.Release(ctx, ask.Account); err != nil || changed.Kept || changed.Block.Account != ask.Account {
		t.Errorf("%+v, %v", changed, err)
	}
	us := fmt.Sprintf("uid %d", os.Getuid())
	if want := []string{fmt.Sprintf("%s block %+v", us, ask), us + " release " + ask.Account}; !reflect.DeepEqual(desk.told, want) {
		t.Errorf("told %q, want %q", desk.told, want)
	}
	if _, err := client.Block(ctx, BlockAsk{Account: "jo", Reason: "none"}); err == nil || err.Error() != "the daemon says: no reason" {
		t.Errorf("a mistake: %v", err)
	}
	if _, err := client.Block(ctx, BlockAsk{Account: "m\xfcller"}); err == nil {
		t.Error("a name that JSON cannot carry was told")
	}
}

// TestChangesOfBlocksWantPOST: nobody is blocked or released by looking, or by what is not
// understood.
func TestChangesOfBlocksWantPOST(t *testing.T) {
	c, desk := aControl(), new(aBlockDesk)
	c.Blocks = desk
	client := control(t, c)
	for _, what := range []string{"block", "release"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			request := method + " /v1/accounts/" + what + "?account=jo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
			if code, _ := sayRaw(t, client.path, request); code != 405 {
				t.Errorf("%s %s: %d", method, what, code)
			}
		}
		for _, body := range []string{"", "hello", `{"account":"jo","forever":true}`, `{"account":1}`, strings.Repeat(" ", 2*maxBody) + "{}"} {
			request := fmt.Sprintf("POST /v1/accounts/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", what, len(body), body)
			if code, text := sayRaw(t, client.path, request); code != 400 || !strings.Contains(text, "not understood") {
				t.Errorf("%s %.30q: %d %s", what, body, code, text)
			}
		}
	}
	body := `{"account":"jo","until":"2026-12-31"}`
	request := fmt.Sprintf("POST /v1/accounts/release HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if code, text := sayRaw(t, client.path, request); code != 400 || !strings.Contains(text, "nothing else") {
		t.Errorf("a release with more: %d %s", code, text)
	}
	if len(desk.told) > 0 {
		t.Errorf("changed: %q", desk.told)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/directory"
)

// An ailing source knows everybody, or fails.
type ailing struct{ fails error }

func (a *ailing) Lookup(context.Context, directory.Address) directory.Entry {
	if a.fails != nil {
		return directory.Fail(a.fails)
	}
	return directory.Entry{Result: directory.Yes}
}

func (*ailing) Close() error { return nil }

// TestSourcesThatFailAreTold at once, then with their number once a minute, and when they
// are left alone and answer again.
func TestSourcesThatFailAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(ailing)
		guard := directory.NewGuard("x", src, directory.Keeping{}, nil)
		routes := []directory.Route{{Kind: "sql", Name: "sql SELECT 1", Domains: []string{"a.example"}, Guard: guard}, {Kind: "mta"}}
		stack := directory.NewStack(directory.Options{Ours: []string{"a.example"}, Routes: routes})
		defer stack.Close()
		var log bytes.Buffer
		d := &daemon{logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))}
		g := &generation{rules: rules{directory: stack}}
		asked := 0
		step := func(fails error, questions int, want string) {
			t.Helper()
			src.fails = fails
			for range questions {
				asked++
				stack.Lookup(t.Context(), directory.Address{Local: fmt.Sprint("x", asked), Domain: "a.example"})
			}
			log.Reset()
			d.logSources(g, time.Now())
			if got := strings.TrimSpace(log.String()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		const about = ` source="sql SELECT 1" domains=a.example`
		odd, away := directory.OnlyThis(errors.New("452 full")), errors.New("no route")
		step(nil, 3, "")
		step(odd, 2, `level=WARN msg="questions to the directory failed"`+about+` failed=2 asked=5 reason="452 full"`)
		time.Sleep(30 * time.Second)
		step(odd, 3, "")
		step(nil, 1, "")
		time.Sleep(30 * time.Second)
		step(nil, 0, `level=WARN msg="questions to the directory failed"`+about+` failed=3 asked=4 reason="452 full"`)
		step(away, 10, `level=WARN msg="a source of the directory is left alone, as it fails"`+about+` failed=5 asked=5 reason="no route"`)
		time.Sleep(10 * time.Second)
		step(away, 1, "")
		time.Sleep(10 * time.Second)
		step(nil, 1, `level=INFO msg="a source of the directory answers again"`+about+` failed=1 asked=2 after=20s`)
		step(nil, 1, "")
	})
}

// TestStatusTellsWhatFailed.
func TestStatusTellsWhatFailed(t *testing.T) {
	src := admin.DirectorySource{Source: "sql", Domains: []string{"a.example"}, Up: true, Asked: 7, Failed: 1, Cached: 3, Trouble: "no route"}
	rows := directoryRows(&admin.Status{Directory: admin.Directory{Sources: []admin.DirectorySource{src}}})
	if want := "sql for a.example up, 1 of 7 questions failed, 3 answered by memory; the last: no route"; len(rows) != 1 || rows[0] != want {
		t.Errorf("%q", rows)
	}
}

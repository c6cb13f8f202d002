package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseCreated(t *testing.T) {
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	noon := day.Add(12*time.Hour + 30*time.Minute + 5*time.Second)
	for _, c := range []struct {
		name, text string
		want       time.Time
	}{
		{"a date", "2026-01-31", day},
		{"a timestamp without zone is UTC", "2026-01-31 12:30:05", noon},
		{"a fraction", "2026-01-31 12:30:05.000000", noon},
		{"PostgreSQL's zone", "2026-01-31 13:30:05+01", noon},
		{"RFC 3339", "2026-01-31T13:30:05+01:00", noon},
		{"generalized time", "20260131123005Z", noon},
		{"generalized time with a fraction, as Active Directory's", "20260131123005.0Z", noon},
		{"seconds of Unix", "1769862605", noon},
		{"seconds of Unix with a fraction", "1769862605.25", noon},
		{"MySQL's zero is no time", "0000-00-00 00:00:00", time.Time{}},
		{"zero is no time", "0", time.Time{}},
		{"milliseconds are no seconds", "1769862605000", time.Time{}},
		{"a word", "yesterday", time.Time{}},
		{"nothing", "", time.Time{}},
		{"not a number", "NaN", time.Time{}},
		{"infinity", "infinity", time.Time{}},
	} {
		if got, ok := ParseCreated(c.text); !got.Equal(c.want) || ok == c.want.IsZero() {
			t.Errorf("%s: %q is %v (%t), want %v", c.name, c.text, got, ok, c.want)
		}
	}
}

func TestNote(t *testing.T) {
	e := Entry{}
	e.Note("Created", "2026-01-31")
	e.Note("PLAN", "pro")
	e.Note("Quota", "5")
	e.Note("empty", "")
	e.Note("long", strings.Repeat("x", maxFact+1))
	e.Note("bytes", "\xff")
	if e.Created.IsZero() || e.Plan != "pro" || len(e.Settings) != 1 || e.Settings["quota"] != "5" {
		t.Errorf("noted: %+v", e)
	}
	for i := range 2 * maxFacts {
		e.Note(fmt.Sprint("n", i), "v")
	}
	if len(e.Settings) != maxFacts {
		t.Errorf("%d settings, want at most %d", len(e.Settings), maxFacts)
	}
}

func TestAskable(t *testing.T) {
	for _, c := range []struct {
		name, local string
		want        bool
	}{
		{"a plain one", "joe", true},
		{"the catch-all", "", true},
		{"UTF-8", "jörg", true},
		{"a space, as in a quoted string", "joe doe", true},
		{"a line feed", "joe\nRSET", false},
		{"a NUL", "joe\x00", false},
		{"a control character of Latin-1", "joe\u0085", false},
		{"not UTF-8", "j\xf6rg", false},
		{"longer than any mailbox", strings.Repeat("x", maxLocal+1), false},
	} {
		if got := (Address{c.local, "example.net"}).Askable(); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestComplain(t *testing.T) {
	a := Address{"Joe.Doe", "example.net"}
	for _, c := range []struct{ name, err, want string }{
		{"as it is", "connection refused", "sql: connection refused"},
		{"the password is taken out", "auth as u:hush@db failed", "sql: auth as u:(secret)@db failed"},
		{"the address is taken out", "bad value 'joe.doe@example.net'", "sql: bad value '(address)'"},
		{"its local part too", "bad value 'Joe.Doe'", "sql: bad value '(address)'"},
		{"on one line", "bad\r\n\tvalue\x00 \x1b[31m", "sql: bad value [31m"},
		{"an empty password changes nothing", "x", "sql: x"},
	} {
		if got := Complain("sql", errors.New(c.err), a, "hush", "").Error(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	long := Complain("sql", errors.New(strings.Repeat("ö", 1000)), a)
	if len(long.Error()) > maxComplain+20 {
		t.Errorf("%d octets", len(long.Error()))
	}
	late := Complain("sql", fmt.Errorf("read: %w", context.DeadlineExceeded), a)
	if !errors.Is(late, context.DeadlineExceeded) || !strings.Contains(late.Error(), "no answer in time") {
		t.Errorf("late: %v", late)
	}
}

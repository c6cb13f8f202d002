package ratelimit

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is a time without a monotonic reading, as all times of the tests.
var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

var secret = Secret{1, 2, 3}

func newRules(t testing.TB, limits ...Limit) *Rules {
	t.Helper()
	r, err := NewRules(limits, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func perAccount(max int, window time.Duration) Limit {
	return Limit{Name: "limit", Per: PerAccount, Max: max, Window: window, Action: TempFail}
}

func charge(id uint64, max, amount uint32, window time.Duration) []Charge {
	return []Charge{{ID: id, Window: window, Max: max, Amount: amount}}
}

// send sends one whole mail and reports whether it was let through.
func send(tx *Transaction, s *Subject, now time.Time) bool {
	ctx := context.Background()
	d := tx.Mail(ctx, s, now)
	if !d.Refused() {
		d = tx.Rcpt(ctx, s, now)
	}
	if d.Refused() {
		tx.Release(ctx, now)
		return false
	}
	tx.Commit(ctx, now)
	return true
}

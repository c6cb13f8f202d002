package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"mailprofiled/ratelimit"
)

// A new account sends one mail more than it may.
func Example() {
	now := time.Date(2026, 11, 26, 13, 20, 0, 0, time.UTC) // a daemon gives time.Now() each time
	var secret ratelimit.Secret                            // a daemon keeps a random one
	ctx := context.Background()

	table := ratelimit.NewTable(ratelimit.Options{}, now)
	accounts := ratelimit.NewAccounts(ratelimit.AccountOptions{}, secret, now)
	limit := ratelimit.Ramp()
	limit.Max = 2
	rules, err := ratelimit.NewRules([]ratelimit.Limit{limit}, secret, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	tx := ratelimit.Begin(rules, table)
	for range 3 {
		account := ratelimit.AccountKey("Joe@Example.org")
		mail := ratelimit.Subject{Account: account, Age: accounts.Age(account, time.Time{}, now)}
		if d := tx.Mail(ctx, &mail, now); d.Refused() {
			fmt.Printf("%s by %q: %s\n", d.Action, d.Limit, d.Text)
			continue
		}
		fmt.Println("goes on")
		tx.Commit(ctx, now)  // end of message
		tx.Release(ctx, now) // Postfix sends ABORT after it: nothing to give back
	}
	// Output:
	// goes on
	// goes on
	// tempfail by "new accounts": 2 messages in 24 hours for a new account; again after 13:27 UTC on 27 November
}

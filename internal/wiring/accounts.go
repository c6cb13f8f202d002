package wiring

import (
	"cmp"
	"context"
	"time"

	"mailprofiled/internal/accounts"
	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/engine"
)

// LoadAccounts opens the operator's file of accounts; nil where the configuration
// names none. old, which may be nil, is taken over if it is of the same path and rules. With
// fatal it cannot be used; other problems are lines that were left out.
func LoadAccounts(named config.AccountsFile, old *accounts.File, now time.Time) (file *accounts.File, problems []config.Problem, fatal bool) {
	if named.Path == "" {
		return nil, nil, false
	}
	rules := accounts.Rules{Strip: named.Strip, Domain: named.Domain}
	if old != nil && old.Path() == named.Path && old.Rules().Equal(rules) {
		_, said := old.Refresh(now)
		return old, AccountProblems(named, said), false
	}
	file, said := accounts.Open(named.Path, rules, now)
	return file, AccountProblems(named, said), file == nil
}

// AccountKeys gives what tells the account of a login. The file may be nil.
func AccountKeys(cfg *config.Config, file *accounts.File) func(login string) string {
	if file != nil {
		return file.Key
	}
	return accounts.Rules{Strip: cfg.Accounts.Strip, Domain: cfg.Accounts.Domain}.Name
}

// AccountProblems words problems with the file of accounts as those of the
// configuration: of the file as a whole at the line that names it.
func AccountProblems(named config.AccountsFile, said []accounts.Problem) []config.Problem {
	problems := make([]config.Problem, len(said))
	for i, p := range said {
		problems[i] = config.Problem{File: p.File, Line: p.Line, Key: "accounts.file", What: p.What, Remedy: p.Remedy, Warning: p.Warning}
		if p.Line == 0 {
			problems[i].File, problems[i].Line = named.At.File, named.At.Line
			problems[i].What = "accounts.file: " + p.File + ": " + p.What
		}
	}
	return problems
}

// born tells since when an account is there, and on which plan: by the file, and what
// that does not say by the directory. It waits for the latter as long as ctx.
func born(file *accounts.File, stack *directory.Stack) func(ctx context.Context, account string) engine.Birth {
	if file == nil && stack == nil {
		return nil
	}
	return func(ctx context.Context, account string) engine.Birth {
		var a accounts.Account
		var b engine.Birth
		if file != nil {
			a, _ = file.Find(account)
		}
		if a.Created.IsZero() || a.Plan == "" {
			b.Created, b.Plan, b.Failed = stack.Account(ctx, account)
		}
		if !a.Created.IsZero() {
			b.Created = a.Created
		}
		b.Plan = cmp.Or(a.Plan, b.Plan)
		return b
	}
}

package config

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"mailprofiled/ratelimit"
)

// Accounts is what is known of accounts besides what their mail shows.
type Accounts struct {
	Learn      time.Duration         // accounts first seen so soon after the state began are of unknown age
	File       string                // of package accounts: an absolute path, "" for none
	Strip      []string              // domains of logins that are no part of the account's name
	Domain     string                // of logins that have none then; "" for none
	Exceptions []ratelimit.Exception // in their order, expired ones too

	rows []exceptionRow
}

// An AccountsFile is the file of accounts that the configuration names. What is in
// it, and whether it is there, is for the room of accounts.
type AccountsFile struct {
	Path   string // absolute; "" when none is named
	At     Origin // of its key
	Strip  []string
	Domain string
}

// An exceptionRow is one [[accounts.exception]].
type exceptionRow struct {
	ratelimit.Exception
	last time.Time // midnight UTC of the last day on which it holds; zero: for ever
	at   Origin
	id   string // "accounts.exception[0]"
}

func accountKeys() []Key {
	return []Key{
		{
			Name: "accounts.learn", Kind: durationKind(0, 3650*day), Default: "30d", Hot: true, Policy: true,
			Doc:   `Accounts first seen so soon after the state began are of unknown age, not new: limits by age only report on them. All customers of years are first seen then. "0" for a new site, where first seen is new.`,
			field: func(c *Config) any { return &c.Accounts.Learn },
		},
		{
			Name: "accounts.file", Default: "", Hot: true,
			Kind:  textKind("path", "/etc/mailprofiled/accounts.txt", accountsFile, formatText),
			Doc:   `A text file of accounts, one a line: "login created=2026-01-31 plan=pro # comment", or "login account=jo@example.net" for another name of one. A changed one is taken in by itself. An account that it does not name is there since it was first seen here, unless the directory tells. Empty: none.`,
			field: func(c *Config) any { return &c.Accounts.File },
		},
		{
			Name: "accounts.strip_domains", Kind: accountDomainsKind(), Default: []any{}, Hot: true, Policy: true,
			Doc:   "Domains that are no part of an account's name: a login at one of them is counted without it. Postfix names its realm (joe@mx.example.net) where Sendmail says joe.",
			field: func(c *Config) any { return &c.Accounts.Strip },
		},
		{
			Name: "accounts.default_domain", Default: "", Hot: true, Policy: true,
			Kind: textKind("domain", "example.net", func(text string, s spot) (any, bool) {
				if text == "" {
					return "", true
				}
				return accountDomainKind().parse(text, s)
			}, formatText),
			Doc:   "The domain of logins that have none, after strip_domains: joe is counted as joe@example.net. Empty: they stay without.",
			field: func(c *Config) any { return &c.Accounts.Domain },
		},
		{
			Name: "accounts.exception[].account", Kind: textKind("login", "jo@example.net", exceptionAccount, formatText), Hot: true, Policy: true,
			Doc: "Whom the exception is for: one login, in any case; or, by one of the next two, many.",
		},
		{
			Name: "accounts.exception[].plan", Kind: planKind(), Hot: true, Policy: true,
			Doc: "All accounts of a plan, by accounts.file.",
		},
		{
			Name: "accounts.exception[].domain", Kind: accountDomainKind(), Hot: true, Policy: true,
			Doc: "All accounts of a domain: what stands behind the @ of the login.",
		},
		{
			Name: "accounts.exception[].limit", Kind: textKind("name", "new accounts", exceptionLimit, formatText), Default: "", Hot: true, Policy: true,
			Doc: "The limit that it is of; empty: all that are per account.",
		},
		{
			Name: "accounts.exception[].window", Kind: windowKind(), Hot: true, Policy: true,
			Doc: "Of those, the ones with this window; without it all.",
		},
		{
			Name: "accounts.exception[].max", Kind: integerKind(0, ratelimit.MaxMax), Hot: true, Policy: true,
			Doc: "What takes the place of a lower max; 0 exempts.",
		},
		{
			Name: "accounts.exception[].expires", Kind: dateKind(), Hot: true, Policy: true,
			Doc: "The last day on which it holds, in UTC.",
		},
		{
			Name: "accounts.exception[].owner", Kind: noteKind("jo"), Hot: true,
			Doc: "Who is to be asked about it.",
		},
		{
			Name: "accounts.exception[].reason", Kind: noteKind("ticket 4711"), Hot: true,
			Doc: "Why it is there.",
		},
	}
}

func accountsFile(text string, s spot) (any, bool) {
	if text == "" {
		return "", true
	}
	return wholePath(text, s, "/etc/mailprofiled")
}

func exceptionAccount(text string, s spot) (any, bool) {
	switch {
	case text == "":
		return s.bad(quote(text), "empty", "write the login, or remove the key")
	case strings.ContainsFunc(text, unicode.IsControl):
		return s.bad(quote(text), "a control character", "write the login on one line")
	case strings.TrimSpace(text) != text:
		return s.bad(quote(text), "a space around it", "write "+quote(strings.TrimSpace(text)))
	}
	return ratelimit.AccountKey(text), true
}

// accountDomainKind takes the domain of logins.
func accountDomainKind() Kind {
	return textKind("domain", "example.net", func(text string, s spot) (any, bool) {
		if what, _ := notHost(text); what != "" {
			return s.bad(quote(text), what, `write what stands behind the @ of the logins: "example.net"`)
		}
		return host(text, true, s)
	}, formatText)
}

func accountDomainsKind() Kind { return listKind[string]("domains", true, false, accountDomainKind()) }

func exceptionLimit(text string, s spot) (any, bool) {
	if text == "" {
		return "", true
	}
	return limitName(text, s)
}

// isWord says that a text is one word, as accounts.file can hold it.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// exceptions makes the exceptions of all files, in their order.
func (l *loader) exceptions(c *Config) {
	for i := range l.elements["accounts.exception"] {
		id := "accounts.exception[" + strconv.Itoa(i) + "]"
		before := len(l.report.Errors)
		row := l.exception(id, l.tables[id])
		if len(l.report.Errors) > before || !l.sound(id+".account", id+".plan", id+".domain", id+".limit", id+".window", id+".max", id+".expires") {
			continue
		}
		if err := row.Check(); err != nil {
			what, remedy := splitRemedy(err.Error(), "correct it")
			l.tables[id].fail("accounts.exception: "+what, remedy)
			continue
		}
		c.Accounts.rows = append(c.Accounts.rows, row)
		c.Accounts.Exceptions = append(c.Accounts.Exceptions, row.Exception)
	}
}

func (l *loader) exception(id string, s spot) exceptionRow {
	row := exceptionRow{at: s.origin(), id: id}
	take(l, id+".account", &row.Account)
	take(l, id+".plan", &row.Plan)
	take(l, id+".domain", &row.Domain)
	take(l, id+".limit", &row.Limit)
	take(l, id+".window", &row.Window)
	take(l, id+".max", &row.Max)
	take(l, id+".expires", &row.last)
	take(l, id+".owner", &row.Owner)
	take(l, id+".reason", &row.Reason)
	if !row.last.IsZero() {
		row.Expires = row.last.AddDate(0, 0, 1)
	}
	given, lacks := 0, 0
	for _, key := range []string{"account", "plan", "domain"} {
		if l.isSet(id + "." + key) {
			given++
		} else if l.lacks(id + "." + key) {
			lacks++
		}
	}
	if given > 1 {
		s.fail("accounts.exception is for more than one of account, plan and domain", "write one for each")
	}
	if lacks == 3 {
		s.fail("accounts.exception has neither account, plan nor domain: it is for nobody", `write account = "jo@example.net", or one of the other two`)
	}
	if l.lacks(id + ".max") {
		s.fail("accounts.exception has no max", "write max = 500, or max = 0 to exempt")
	}
	return row
}

// AccountsFile gives the file of accounts that the configuration names.
func (c *Config) AccountsFile() AccountsFile {
	if c.Accounts.File == "" {
		return AccountsFile{}
	}
	return AccountsFile{Path: c.Accounts.File, At: c.origins["accounts.file"], Strip: c.Accounts.Strip, Domain: c.Accounts.Domain}
}

package config

import (
	"fmt"
	"io"
	"strconv"
)

// A ScopedToken lets a program read of accounts of one domain only, and nothing
// else: the control panel of a hosting company, for its customers.
type ScopedToken struct {
	Domain string // canonical
	Token  Secret
	At     Origin
}

// scopedKeys are those of one [[admin.scoped]].
func scopedKeys() []Key {
	return []Key{
		{
			Name: "admin.scoped[].domain", Kind: textKind("domain", "example.net", func(text string, s spot) (any, bool) { return host(text, true, s) }, formatText), Hot: true,
			Doc: "The domain whose accounts may be read with the token, behind the @ of their logins.",
		},
		{
			Name: "admin.scoped[].token", Kind: tokenKind(), Hot: true,
			Doc: `Who shows it may read, by /api/, of the accounts of that domain, and nothing else: "file:/path", whose one line it is, as admin.token.`,
		},
	}
}

// scopedTokens makes those of all files, in their order.
func (l *loader) scopedTokens(admin *Admin) []ScopedToken {
	var all []ScopedToken
	seen := map[string]bool{admin.Token.Reveal(): true}
	for i := range l.elements["admin.scoped"] {
		id := "admin.scoped[" + strconv.Itoa(i) + "]"
		s := l.tables[id]
		t := ScopedToken{At: s.origin()}
		take(l, id+".domain", &t.Domain)
		take(l, id+".token", &t.Token)
		if l.lacks(id + ".domain") {
			s.fail("admin.scoped has no domain: nothing could be read with it", `write domain = "example.net"`)
		}
		token := t.Token.Reveal()
		switch at := id + ".token"; {
		case l.lacks(at):
			s.fail("admin.scoped has no token: nobody could read with it", `write token = "file:/etc/mailprofiled/example.net.token"`)
		case token == "" && l.sound(at):
			l.at(at).fail("admin.scoped.token is empty: nobody could read with it", `write token = "file:/etc/mailprofiled/example.net.token"`)
		case token != "" && seen[token]:
			l.at(at).fail("admin.scoped.token is that of another scope, or admin.token", "give each its own: openssl rand -hex 24")
		}
		seen[token] = true
		all = append(all, t)
	}
	return all
}

// print writes a scope as TOML.
func (t *ScopedToken) print(w io.Writer) {
	fmt.Fprintf(w, "domain = %s\ntoken = %s\n", tomlString(t.Domain), tomlString(t.Token.String()))
}

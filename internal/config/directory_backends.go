package config

import (
	"slices"
	"strings"
	"unicode"
)

// The kinds of sources that are asked over a network, or of another process.
const (
	SourceSQL       = "sql"
	SourceLDAP      = "ldap"
	SourceSocketmap = "socketmap"
	SourceCallahead = "callahead"
)

// A DirectoryBackend is whom a source of those kinds asks, and how. What its texts
// mean, the rooms of these sources know.
type DirectoryBackend struct {
	SQL         Secret // a URL, which may hold a password
	Query       string
	LDAP        Secret
	Filter      string
	StartTLS    bool
	BindDN      string
	Password    Secret
	CA          string // an absolute path; "" for the system's
	Created     string // attributes
	Plan        string
	Attributes  []string
	Socketmap   string
	Callahead   string
	Connections int
}

const defaultConnections = 8

// A backendRow is one key of a backend: in [directory], and in [[directory.for]].
type backendRow struct {
	name  string
	kinds []string // the sources that read it
	need  string   // an example, where its source cannot do without
	kind  Kind
	def   any
	doc   string
	field func(*DirectoryBackend) any
}

func backendRows() []backendRow {
	sql, ldap := []string{SourceSQL}, []string{SourceLDAP}
	all := []string{SourceSQL, SourceLDAP, SourceSocketmap, SourceCallahead}
	return []backendRow{
		{"sql", sql, "postgres://user@host/database", secretKind(), "",
			`The database of source "sql": "postgres://user@host/database", "mysql://user@host/database", "sqlite:/path", or "file:/path" of a file with such a line.`,
			func(b *DirectoryBackend) any { return &b.SQL }},
		{"query", sql, "SELECT created, plan FROM users WHERE address = $1", anyText(), "",
			`What it is asked: "SELECT created, plan FROM users WHERE address = $1". A row means that the recipient exists. $1 is the address in lower case, $2 its local part, $3 its domain. Columns so named are used, others become settings.`,
			func(b *DirectoryBackend) any { return &b.Query }},
		{"ldap", ldap, "ldap://host/dc=example,dc=net", secretKind(), "",
			`The server of source "ldap", and where to search: "ldap://host/dc=example,dc=net", "ldaps://...", or "ldapi://%2Frun%2Fslapd%2Fldapi/...".`,
			func(b *DirectoryBackend) any { return &b.LDAP }},
		{"filter", ldap, "(mail=%s)", lineKind("(mail=%s)"), "",
			`What it is searched for: "(mail=%s)". An entry means that the recipient exists. %s is the address in lower case, %u its local part, %d its domain.`,
			func(b *DirectoryBackend) any { return &b.Filter }},
		{"starttls", ldap, "", boolKind(), false,
			"On ldap://: to go on in TLS, or not at all.",
			func(b *DirectoryBackend) any { return &b.StartTLS }},
		{"bind_dn", ldap, "", lineKind("cn=mailprofiled,dc=example,dc=net"), "",
			"Who to be for the LDAP server; empty: nobody.",
			func(b *DirectoryBackend) any { return &b.BindDN }},
		{"password", []string{SourceSQL, SourceLDAP}, "", secretKind(), "",
			`That of bind_dn, or of the user in sql: "file:/path", or the password.`,
			func(b *DirectoryBackend) any { return &b.Password }},
		{"ca", []string{SourceLDAP, SourceSQL}, "", caKind(), "",
			`A file of certificates in PEM form that must have signed the server's, for LDAP and MySQL; PostgreSQL has sslrootcert in its URL. Empty: the system's.`,
			func(b *DirectoryBackend) any { return &b.CA }},
		{"created_attribute", ldap, "", lineKind("createTimestamp"), "createTimestamp",
			"The attribute that says since when somebody exists.",
			func(b *DirectoryBackend) any { return &b.Created }},
		{"plan_attribute", ldap, "", lineKind("employeeType"), "",
			"The attribute with the plan; empty: none.",
			func(b *DirectoryBackend) any { return &b.Plan }},
		{"attributes", ldap, "", textsKind(), []any{},
			"Other attributes, that become settings.",
			func(b *DirectoryBackend) any { return &b.Attributes }},
		{"socketmap", []string{SourceSocketmap}, "unix:/path:name", lineKind("unix:/path:name"), "",
			`The map of source "socketmap", as Postfix writes it: "unix:/path:name" or "inet:host:port:name".`,
			func(b *DirectoryBackend) any { return &b.Socketmap }},
		{"callahead", []string{SourceCallahead}, "lmtp:host:port", lineKind("lmtp:host:port"), "",
			`The next hop of source "callahead", which is asked by RCPT: "lmtp:host:port", "smtp:host:port" or "lmtp:unix:/path".`,
			func(b *DirectoryBackend) any { return &b.Callahead }},
		{"connections", all, "", integerKind(1, 32), int64(defaultConnections),
			"How many connections to the server there are at most; the next hop may want fewer.",
			func(b *DirectoryBackend) any { return &b.Connections }},
	}
}

// lineKind takes text without control characters.
func lineKind(example string) Kind {
	return textKind("text", example, func(text string, s spot) (any, bool) {
		if strings.ContainsFunc(text, unicode.IsControl) {
			return s.bad(quote(text), "a control character", "write it on one line")
		}
		return text, true
	}, formatText)
}

func caKind() Kind {
	return textKind("path", "/etc/ssl/certs/ca.pem", func(text string, s spot) (any, bool) {
		if text == "" {
			return "", true
		}
		return wholePath(text, s, "/etc/ssl/certs")
	}, formatText)
}

// backendKeys are the keys of [directory].
func backendKeys() []Key {
	var keys []Key
	for _, row := range backendRows() {
		keys = append(keys, Key{
			Name: "directory." + row.name, Kind: row.kind, Default: row.def, Hot: true, Doc: row.doc,
			field: func(c *Config) any { return row.field(&c.Directory.Default.Backend) },
		})
	}
	return keys
}

// backendKeysFor are the same of [[directory.for]].
func backendKeysFor() []Key {
	var keys []Key
	for _, row := range backendRows() {
		keys = append(keys, Key{Name: "directory.for[]." + row.name, Kind: row.kind, Hot: true, Doc: "As directory." + row.name + "."})
	}
	return keys
}

// usualBackend is one of which nothing is said.
func usualBackend() DirectoryBackend {
	return DirectoryBackend{Created: "createTimestamp", Attributes: []string{}, Connections: defaultConnections}
}

// text is the value of a key as TOML, secrets masked.
func (r *backendRow) text(b *DirectoryBackend) string {
	k := Key{field: func(*Config) any { return r.field(b) }}
	return r.kind.format(k.get(nil))
}

// backend takes what [[directory.for]] says of a backend.
func (l *loader) backend(c *Config, id string) DirectoryBackend {
	b := usualBackend()
	for _, row := range backendRows() {
		if set, ok := l.settings[id+row.name]; ok && set.value != nil {
			c.origins[id+row.name] = set.spot.origin()
		}
		switch to := row.field(&b).(type) {
		case *string:
			take(l, id+row.name, to)
		case *bool:
			take(l, id+row.name, to)
		case *int:
			take(l, id+row.name, to)
		case *Secret:
			take(l, id+row.name, to)
		case *[]string:
			take(l, id+row.name, to)
		}
	}
	return b
}

// checkBackend looks for what a source lacks, and for what it does not read.
func (l *loader) checkBackend(s *DirectorySource, name string) {
	usual := usualBackend()
	for _, row := range backendRows() {
		key := s.id + row.name
		said := row.text(&s.Backend)
		switch {
		case !l.sound(key):
		case row.need != "" && row.kinds[0] == s.Source && said == `""`:
			l.at(s.id+"source").fail(name+"source is "+quote(s.Source)+", and "+name+row.name+" is not set", "write "+row.name+" = "+quote(row.need))
		case said != row.text(&usual) && !slices.Contains(row.kinds, s.Source):
			l.at(key).warn(name+row.name+" is set, and "+name+"source is "+quote(s.Source)+": it is not used",
				"set source = "+quote(row.kinds[0])+", or remove it")
		}
	}
}

// printBackend writes what a source reads, as TOML.
func (s *DirectorySource) printBackend(w *strings.Builder) {
	for _, row := range backendRows() {
		if !slices.Contains(row.kinds, s.Source) {
			continue
		}
		w.WriteString(row.name + " = " + row.text(&s.Backend) + "\n")
	}
}

// SourceKey tells where a key of a source is set, or else where its source is; name is
// the key as an operator knows it.
func (c *Config) SourceKey(s *DirectorySource, key string) (name string, at Origin) {
	name = "directory." + key
	if s.Domains != nil {
		name = "directory.for." + key
	}
	if at, ok := c.origins[s.id+key]; ok {
		return name, at
	}
	return name, s.At
}

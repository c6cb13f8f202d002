package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/directory"
)

// The kinds of sources that this version has.
const (
	SourceNone = "none"
	SourceMTA  = "mta"
	SourceFile = "file"
)

// Directory is who exists here, and what is made of who does not.
type Directory struct {
	Default    DirectorySource   // of the domains that no other names
	For        []DirectorySource // of [[directory.for]], in their order
	Aliases    map[string]string // a domain, and the one in whose place it stands
	Delimiters string            // of plus-addresses
	KeepYes    time.Duration     // how long answers are remembered
	KeepNo     time.Duration
	KeepDown   time.Duration // beyond KeepYes, while a source fails

	Names    int // of a harvest
	Share    float64
	Window   time.Duration
	AtMail   bool   // it is answered at MAIL
	Traps    string // path of a file of addresses that never existed; "" for none
	TrapKeep time.Duration
}

// A DirectorySource is one place that knows who exists.
type DirectorySource struct {
	Domains  []string // lower-case A-labels; nil for the default
	Source   string   // SourceNone, SourceMTA, ...
	Files    []string // of SourceFile, as directory.ParseFile reads them
	Tempfail bool     // what is to be done when it fails: come back, else go on
	At       Origin   // of its table, or of directory.source
	Backend  DirectoryBackend

	id string // what its keys begin with: "directory.", "directory.for[0]."
}

// Used reports whether anything is to be known of recipients.
func (d *Directory) Used() bool {
	return slices.ContainsFunc(d.Sources(), func(s DirectorySource) bool { return s.Source != SourceNone })
}

// Sources gives the default and all others.
func (d *Directory) Sources() []DirectorySource {
	return append([]DirectorySource{d.Default}, d.For...)
}

func directoryKeys() []Key {
	source := sourceKind()
	keys := []Key{
		{
			Name: "directory.source", Kind: source, Default: SourceNone, Hot: true, Policy: true,
			Doc:   `Who knows the recipients of us.domains: "none"; "mta", which refuses unknown users itself, and is watched at it; "file"; "sql", "ldap", "socketmap" or "callahead", which are asked by the keys of these names. Where unknown users are refused by us, they are refused to everybody, also to who has logged in.`,
			field: func(c *Config) any { return &c.Directory.Default.Source },
		},
		{
			Name: "directory.files", Kind: filesKind(), Default: []any{}, Hot: true,
			Doc:   `The tables of source "file", taken together: text as Postfix and Sendmail have it, recognised or named ("virtual:/etc/postfix/virtual"; recipients, virtual, aliases, access, passwd), or compiled maps ("hash:/etc/postfix/virtual"). Changed ones are taken in by themselves.`,
			field: func(c *Config) any { return &c.Directory.Default.Files },
		},
		{
			Name: "directory.on_down", Kind: onDownKind(), Default: "tempfail", Hot: true, Policy: true,
			Doc:   `What becomes of a recipient whose source fails: "tempfail" (451 4.3.0) or "continue". It is never refused.`,
			field: func(c *Config) any { return &c.Directory.Default.Tempfail },
		},
	}
	return slices.Concat(keys, backendKeys(), []Key{
		{
			Name: "directory.recipient_delimiter", Kind: delimiterKind(), Default: "+", Hot: true, Policy: true,
			Doc:   `What stands between a user and an extension, as in Postfix: "jo+lists" exists where "jo" does. Empty: none.`,
			field: func(c *Config) any { return &c.Directory.Delimiters },
		},
		{
			Name: "directory.keep_yes", Kind: durationKind(0, 30*day), Default: "1h", Hot: true,
			Doc:   "How long it is remembered that a recipient exists. Files are not remembered: they are in memory.",
			field: func(c *Config) any { return &c.Directory.KeepYes },
		},
		{
			Name: "directory.keep_no", Kind: durationKind(0, day), Default: "1m", Hot: true,
			Doc:   "How long it is remembered that one does not: whoever is new waits so long at most.",
			field: func(c *Config) any { return &c.Directory.KeepNo },
		},
		{
			Name: "directory.keep_down", Kind: durationKind(0, 30*day), Default: "1d", Hot: true,
			Doc:   "How long beyond keep_yes the last answer serves while the source fails. Only for those who exist.",
			field: func(c *Config) any { return &c.Directory.KeepDown },
		},
		{
			Name: "directory.harvest_names", Kind: integerKind(1, 100_000), Default: int64(20), Hot: true, Policy: true,
			Doc:   "From so many distinct names that do not exist, tried from one address or its network (/24, /64), it is a harvest ...",
			field: func(c *Config) any { return &c.Directory.Names },
		},
		{
			Name: "directory.harvest_share", Kind: numberKind(0, 1), Default: 0.3, Hot: true, Policy: true,
			Doc:   "... if they are at least this part of all distinct names that it tried ...",
			field: func(c *Config) any { return &c.Directory.Share },
		},
		{
			Name: "directory.harvest_window", Kind: durationKind(2*time.Second, 30*day), Default: "2d", Hot: true, Policy: true,
			Doc:   "... within this time, and within half of it for sure.",
			field: func(c *Config) any { return &c.Directory.Window },
		},
		{
			Name: "directory.harvest_answer_at", Kind: answerAtKind(), Default: "rcpt", Hot: true, Policy: true,
			Doc:   `Where who harvests is answered. "mail" leaves no name to be told from another where the MTA refuses unknown users itself; it shuts postmaster and abuse to such clients.`,
			field: func(c *Config) any { return &c.Directory.AtMail },
		},
		{
			Name: "directory.traps", Default: "", Hot: true,
			Kind: textKind("path", "/etc/mailprofiled/traps.txt", func(text string, s spot) (any, bool) {
				if text == "" {
					return "", true
				}
				return wholePath(text, s, "/etc/mailprofiled")
			}, formatText),
			Doc:   "A text file of addresses here that never existed, one a line: who writes to one has rcpt-trap for trap_keep. Empty: none.",
			field: func(c *Config) any { return &c.Directory.Traps },
		},
		{
			Name: "directory.trap_keep", Kind: durationKind(time.Second, 365*day), Default: "7d", Hot: true, Policy: true,
			Doc:   "How long it is remembered who wrote to a trap.",
			field: func(c *Config) any { return &c.Directory.TrapKeep },
		},
		{
			Name: "directory.domain_aliases.*", Kind: textKind("domain", "example.net", func(text string, s spot) (any, bool) { return host(text, true, s) }, formatText), Hot: true,
			Doc: `Domains that stand for another: "example.org" = "example.net" asks about jo@example.net for jo@example.org.`,
		},
		{
			Name: "directory.for[].domains", Kind: hostsKind(true, "domains"), Hot: true,
			Doc: "The domains that this source is for, in place of directory.source. Several of one domain are asked in their order: one that knows the recipient is enough.",
		},
		{Name: "directory.for[].source", Kind: source, Hot: true, Doc: "As directory.source."},
		{Name: "directory.for[].files", Kind: filesKind(), Hot: true, Doc: "As directory.files."},
		{Name: "directory.for[].on_down", Kind: onDownKind(), Hot: true, Doc: "As directory.on_down; without it that."},
	}, backendKeysFor())
}

// sourceKind takes the kinds of sources.
func sourceKind() Kind {
	words := []word{}
	for _, text := range []string{SourceNone, SourceMTA, SourceFile, SourceSQL, SourceLDAP, SourceSocketmap, SourceCallahead} {
		words = append(words, word{text: text, value: text})
	}
	return choiceKind(words...)
}

func onDownKind() Kind {
	return choiceKind(word{text: "tempfail", value: true}, word{text: "continue", value: false})
}

func delimiterKind() Kind {
	return textKind("characters", "+", func(text string, s spot) (any, bool) {
		if len(text) > 8 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '@' || r == '"' }) {
			return s.bad(quote(text), "no delimiter", `use a few characters such as "+" or "+-"`)
		}
		return text, true
	}, formatText)
}

// filesKind takes files of a directory.
func filesKind() Kind {
	return listKind[string]("files", false, true, textKind("file", "/etc/postfix/virtual", func(text string, s spot) (any, bool) {
		if _, err := directory.ParseFile(text); err != nil {
			return s.bad(quote(text), oneLine(err.Error()), `write its absolute path, if need be with a format and the kind of a compiled map before it: "virtual:hash:/etc/postfix/virtual"`)
		}
		return text, true
	}, formatText))
}

// directories makes the sources of all files, in their order.
func (l *loader) directories(c *Config) {
	d := &c.Directory
	d.Default.id = "directory."
	d.Default.At = Origin{File: c.Path, Line: 1}
	if at, ok := c.origins["directory.source"]; ok {
		d.Default.At = at
	}
	for id, set := range l.settings {
		if set.key.Name == "directory.domain_aliases.*" && set.value != nil {
			if d.Aliases == nil {
				d.Aliases = map[string]string{}
			}
			if from, ok := host(set.spot.last, true, set.spot); ok {
				d.Aliases[from.(string)] = set.value.(string)
				c.origins[id] = set.spot.origin()
			}
		}
	}
	for i := range l.elements["directory.for"] {
		table := "directory.for[" + strconv.Itoa(i) + "]"
		s := DirectorySource{Source: SourceNone, Files: []string{}, Tempfail: d.Default.Tempfail, At: l.tables[table].origin(), id: table + "."}
		take(l, s.id+"domains", &s.Domains)
		take(l, s.id+"source", &s.Source)
		take(l, s.id+"files", &s.Files)
		take(l, s.id+"on_down", &s.Tempfail)
		s.Backend = l.backend(c, s.id)
		if l.lacks(s.id+"domains") || l.sound(s.id+"domains") && len(s.Domains) == 0 {
			l.tables[table].fail("directory.for has no domains: it is for nobody", `write domains = ["example.net"]`)
		}
		if l.lacks(s.id + "source") {
			l.tables[table].fail("directory.for has no source", `write source = "file", or source = "none" for domains whose recipients nobody asks about`)
		}
		d.For = append(d.For, s)
	}
}

// checkDirectory looks at the sources together, and beside [us].
func (l *loader) checkDirectory(c *Config) {
	d := &c.Directory
	for _, s := range d.Sources() {
		l.checkSource(&s)
	}
	foreign := func(at spot, name, domain string) {
		if !slices.Contains(c.Us.Domains, domain) && l.sound("us.domains") {
			at.warn(name+" has "+quote(domain)+", which is not in us.domains: nobody is refused there", "name it in us.domains too, or remove it")
		}
	}
	for i := range d.For {
		for j, domain := range d.For[i].Domains {
			foreign(l.at(d.For[i].id+"domains").element(j), "directory.for.domains", domain)
		}
	}
	l.warnOfSilent(d)
	for _, from := range sorted(d.Aliases) {
		at := l.at(join("directory.domain_aliases", from))
		foreign(at, "directory.domain_aliases", from)
		if d.Aliases[d.Aliases[from]] != "" {
			at.fail("directory.domain_aliases: "+quote(from)+" stands for "+quote(d.Aliases[from])+", which stands for another", "name the last one")
		}
	}
	if d.Used() && len(c.Us.Domains) == 0 && l.sound("us.domains") {
		l.at("directory.source", d.firstID()+"source").warn("directory.source is set, and us.domains is empty: nobody is refused as an unknown user", `name the domains that are final here: us.domains = ["example.net"]`)
	}
	if !d.Used() && l.sound("directory.source") {
		for _, key := range []string{"directory.traps", "directory.harvest_names", "directory.harvest_answer_at"} {
			if l.isSet(key) {
				l.at(key).warn(key+" is set, and no source of [directory]: nobody is watched", `set directory.source, if only to "mta", or remove it`)
			}
		}
	}
	if d.AtMail && d.Used() {
		l.at("directory.harvest_answer_at").warn(`directory.harvest_answer_at is "mail": it shuts postmaster and abuse to clients that try many unknown names`, `use "rcpt", unless the MTA refuses unknown users itself and must not tell them apart`)
	}
}

// warnOfSilent tells of sources that nobody asks beside one of the same domain that is:
// they read as if their users were safe, and that one alone says who does not exist.
func (l *loader) warnOfSilent(d *Directory) {
	asked := func(domain string) bool {
		return slices.ContainsFunc(d.For, func(s DirectorySource) bool { return s.asks() && slices.Contains(s.Domains, domain) })
	}
	for i := range d.For {
		s := &d.For[i]
		at := slices.IndexFunc(s.Domains, asked)
		if s.asks() || at < 0 {
			continue
		}
		l.at(s.id+"source").warn("directory.for.source is "+quote(s.Source)+" for "+quote(s.Domains[at])+", which another [[directory.for]] is for too: that one alone says who exists there",
			"have another source that is asked name whoever else exists, and remove this: what the MTA refuses is watched all the same")
	}
}

// asks reports whether a source says of anybody that he does not exist.
func (s *DirectorySource) asks() bool { return s.Source != SourceNone && s.Source != SourceMTA }

func (d *Directory) firstID() string {
	if len(d.For) > 0 {
		return d.For[0].id
	}
	return "directory."
}

// checkSource looks at one source.
func (l *loader) checkSource(s *DirectorySource) {
	if !l.sound(s.id+"source", s.id+"files") {
		return
	}
	name := "directory."
	if s.Domains != nil || s.id != name {
		name = "directory.for."
	}
	switch {
	case s.Source == SourceFile && len(s.Files) == 0:
		l.at(s.id+"source").fail(name+`source is "file", and `+name+"files names none", `write files = ["/etc/postfix/virtual"]`)
	case s.Source != SourceFile && len(s.Files) > 0:
		l.at(s.id+"files").warn(name+"files is set, and "+name+"source is "+quote(s.Source)+": they are not read", `set source = "file", or remove it`)
	}
	l.checkBackend(s, name)
}

// lines are what the policy hash covers of [[directory.for]]: what they do, and not
// for which domains, as [us] is not covered.
func (d *Directory) lines() []string {
	var lines []string
	for i := range d.For {
		lines = append(lines, "directory.for = "+d.For[i].Source+" "+onDownKind().format(d.For[i].Tempfail))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// settingsLines are all that verdicts rest on beyond the keys that stand once.
func (d *Directory) settingsLines() []string {
	var lines []string
	for _, from := range sorted(d.Aliases) {
		lines = append(lines, "directory.domain_aliases."+from+" = "+d.Aliases[from])
	}
	for i := range d.For {
		var b strings.Builder
		d.For[i].print(&b)
		lines = append(lines, "directory.for "+b.String())
	}
	return lines
}

// print writes a source as TOML.
func (s *DirectorySource) print(w *strings.Builder) {
	w.WriteString("domains = " + hostsKind(true, "domains").format(s.Domains) + "\n")
	w.WriteString("source = " + tomlString(s.Source) + "\n")
	w.WriteString("files = " + filesKind().format(s.Files) + "\n")
	w.WriteString("on_down = " + onDownKind().format(s.Tempfail) + "\n")
	s.printBackend(w)
}

// printDirectory writes the sources of [[directory.for]].
func (c *Config) printDirectory(w interface{ Write([]byte) (int, error) }) {
	for i := range c.Directory.For {
		s := &c.Directory.For[i]
		var b strings.Builder
		b.WriteString("\n[[directory.for]]  # " + oneLine(s.At.File) + ":" + strconv.Itoa(s.At.Line) + "\n")
		s.print(&b)
		_, _ = w.Write([]byte(b.String())) // a bufio.Writer keeps its error
	}
}

// aliasLines are the rows of [directory.domain_aliases].
func (c *Config) aliasLines() []printed {
	var lines []printed
	for _, from := range sorted(c.Directory.Aliases) {
		lines = append(lines, printed{"directory.domain_aliases", quoteBare(from), tomlString(c.Directory.Aliases[from]), c.origin(join("directory.domain_aliases", from), false)})
	}
	return lines
}

package config

import (
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// Notify is who is told of what cannot wait until somebody looks.
type Notify struct {
	Command []string // argv; nil: none
	Webhook Secret   // a URL of http or https
	Token   Secret
	Timeout time.Duration
}

func notifyKeys() []Key {
	return []Key{
		{
			Name: "notify.command", Kind: argvKind(), Default: []any{}, Hot: true,
			Doc:   "A program that is told, with its arguments; no shell reads them. It gets one JSON object on its standard input. Empty: none.",
			field: func(c *Config) any { return &c.Notify.Command },
		},
		{
			Name: "notify.webhook", Kind: webhookKind(), Default: "", Hot: true,
			Doc:   `A URL that the same object is posted to, or "file:/path" of a file with the URL where that holds a secret. Tried again for some minutes. Empty: none.`,
			field: func(c *Config) any { return &c.Notify.Webhook },
		},
		{
			Name: "notify.token", Kind: secretKind(), Default: "", Hot: true,
			Doc:   `A secret that is sent with it, as "Authorization: Bearer"; or "file:/path".`,
			field: func(c *Config) any { return &c.Notify.Token },
		},
		{
			Name: "notify.timeout", Kind: durationKind(time.Second, 5*minute), Default: "10s", Hot: true,
			Doc:   "After so long a program is killed, and a URL given up.",
			field: func(c *Config) any { return &c.Notify.Timeout },
		},
	}
}

// maxArgv bounds the words of a command.
const maxArgv = 64

// argvKind takes a program and its arguments.
func argvKind() Kind {
	return Kind{
		Name: "list of words",
		parse: func(raw any, s spot) (any, bool) {
			items, ok := raw.([]any)
			if !ok {
				return s.wrongType(raw, `a list: ["/usr/local/bin/alarm", "--all"]`)
			}
			if len(items) > maxArgv {
				s.fail(s.name+" has more words than 64", "write a script that has them")
				return nil, false
			}
			argv := make([]string, 0, len(items))
			for i, item := range items {
				text, ok := item.(string)
				switch {
				case !ok:
					return s.element(i).wrongType(item, "it in quotes")
				case strings.ContainsRune(text, 0):
					return s.element(i).bad(quote(text), "a NUL in it", "remove it")
				case i == 0 && !filepath.IsAbs(text):
					return s.element(i).bad(quote(text), "not the whole path of a program", `write it as "/usr/local/bin/alarm", and its arguments as elements of their own`)
				}
				argv = append(argv, text)
			}
			return argv, true
		},
		format: func(v any) string { return "[" + strings.Join(formatList(v.([]string), anyText()), ", ") + "]" },
	}
}

// webhookKind takes a URL as it is, or as a secret in a file. No message shows more of it
// than is wrong.
func webhookKind() Kind {
	secret := secretKind()
	kind := secret
	kind.Name = "URL"
	kind.format = func(v any) string { return tomlString(shownWebhook(v.(Secret))) }
	kind.parse = func(raw any, s spot) (any, bool) {
		v, ok := secret.parse(raw, s)
		if !ok {
			return nil, false
		}
		if what, remedy := webhookFault(v.(Secret).Reveal()); what != "" {
			s.fail(s.name+": "+what, remedy)
			return nil, false
		}
		return v, true
	}
	return kind
}

// shownWebhook gives the host of a webhook, or the file that holds it: what is behind
// the host is a secret, mostly.
func shownWebhook(s Secret) string {
	u, err := url.Parse(s.value)
	if s.file != "" || s.value == "" || err != nil {
		return s.String()
	}
	if u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + "/" + secretMask
}

func webhookFault(text string) (what, remedy string) {
	const example = `write it as "https://alarm.example.net/hook"`
	if text == "" {
		return "", ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, unicode.IsSpace):
		return "no URL", example
	case u.Scheme != "https" && u.Scheme != "http":
		return "neither https nor http", example
	case u.Hostname() == "":
		return "no host in it", example
	case u.Fragment != "":
		return "a # in it: no server would get what is behind", "remove it"
	}
	return "", ""
}

// checkNotify warns of what will not work, or in a way that was not meant.
func (l *loader) checkNotify(c *Config) {
	n := &c.Notify
	hook := n.Webhook.Reveal()
	if hook == "" && n.Token.Reveal() != "" {
		l.at("notify.token").warn("notify.token is set, and notify.webhook is not: nobody gets it", "set notify.webhook, or remove it")
	}
	if u, err := url.Parse(hook); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		l.at("notify.webhook").warn("notify.webhook is http: names of accounts, and a secret, go over the network in clear", "use https")
	}
	if len(n.Command) == 0 || !l.here {
		return
	}
	switch info, err := os.Stat(n.Command[0]); {
	case err != nil:
		l.at("notify.command").warn("notify.command has "+quote(n.Command[0])+": "+reason(err), "see that it is there, and that the daemon's user may run it")
	case info.IsDir() || info.Mode()&0o111 == 0:
		l.at("notify.command").warn("notify.command has "+quote(n.Command[0])+": no program", "chmod +x "+oneLine(n.Command[0]))
	}
}

func reason(err error) string {
	if e, ok := err.(*fs.PathError); ok {
		err = e.Err
	}
	return err.Error()
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}

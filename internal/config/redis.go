package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Redis is where machines share their limits; the zero Redis is nowhere.
type Redis struct {
	Network  string // tcp or unix
	Address  string // host:port, or an absolute path
	TLS      bool
	User     string // "" for the default user
	Password Secret
	DB       int

	file string // which holds all of it
}

// Set reports whether there is one.
func (r Redis) Set() bool { return r.Address != "" }

// String gives the URL without the password, or the file that holds it.
func (r Redis) String() string {
	if r.file != "" || !r.Set() {
		return strings.TrimSuffix("file:"+r.file, "file:")
	}
	who := r.User
	if secret := r.Password.String(); secret != "" {
		who += ":" + secret
	}
	if who != "" {
		who += "@"
	}
	switch {
	case r.Network == "unix":
		return "unix://" + who + r.Address + "?db=" + strconv.Itoa(r.DB)
	case r.TLS:
		return "rediss://" + who + r.Address + "/" + strconv.Itoa(r.DB)
	}
	return "redis://" + who + r.Address + "/" + strconv.Itoa(r.DB)
}

const redisExample = `write "redis://host:6379/0", "rediss://user:password@host:6379/0" for TLS, or "unix:/run/redis/redis.sock"`

// redisKind takes a URL with all that is needed to log in, or "file:/path", whose one
// line it is. Its password may be "file:/path" by itself. No message shows it.
func redisKind() Kind {
	return Kind{
		Name: "URL", secret: true,
		parse: func(raw any, s spot) (any, bool) {
			text, ok := raw.(string)
			if !ok {
				return s.wrongType(raw, `a URL in quotes: "redis://host:6379/0"`)
			}
			file, isFile := strings.CutPrefix(text, "file:")
			if isFile {
				v, ok := readSecret(file, s)
				if !ok {
					return nil, false
				}
				text = v.(Secret).Reveal()
			} else if !plainSecret(text, s) {
				return nil, false
			}
			r, ok := redisURL(text, s)
			r.file = file
			if !isFile {
				r.file = ""
			}
			return r, ok
		},
		format: func(v any) string { return tomlString(v.(Redis).String()) },
		canon: func(v any) string { // a reload is to tell another password
			r := v.(Redis)
			return tomlString(r.String() + " " + r.Password.Reveal() + " " + r.Address + " " + r.User + strconv.Itoa(r.DB))
		},
	}
}

func redisURL(text string, s spot) (r Redis, ok bool) {
	bad := func(what, remedy string) (Redis, bool) {
		s.fail(s.name+": "+what, remedy)
		return Redis{}, false
	}
	if text == "" {
		return Redis{}, true
	}
	scheme, rest, found := strings.Cut(text, ":")
	if !found {
		return bad("no URL", redisExample)
	}
	switch strings.ToLower(scheme) {
	case "redis", "valkey":
	case "rediss", "valkeys":
		r.TLS = true
	case "unix":
		return redisSocket(rest, s)
	default:
		return bad("neither redis, rediss nor unix", redisExample)
	}
	// A password may hold what a URL would have escaped: it ends with the last @.
	rest, ok = strings.CutPrefix(rest, "//")
	if !ok {
		return bad("no // behind the scheme", redisExample)
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if r.User, r.Password, ok = redisLogin(rest[:at], s); !ok {
			return Redis{}, false
		}
		rest = rest[at+1:]
	}
	if strings.ContainsAny(rest, "?#") {
		return bad("something behind the database", "write nothing behind its number: other options are not known")
	}
	place, db, _ := strings.Cut(rest, "/")
	if r.DB, ok = redisDB(db, s); !ok {
		return Redis{}, false
	}
	host, port, err := net.SplitHostPort(place)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(place, "["), "]"), "6379"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return bad("the port is no number from 1 to 65535", "write it behind the host: host:6379")
	}
	if _, err := netip.ParseAddr(host); err != nil {
		odd := func(r rune) bool {
			return r != '-' && r != '.' && r != '_' && !('0' <= r && r <= '9') && !('a' <= r|0x20 && r|0x20 <= 'z')
		}
		if host == "" || strings.ContainsFunc(host, odd) || strings.Contains("."+host, "..") {
			return bad("the host is no name", "write its name or address, one of IPv6 in brackets: [2001:db8::1]:6379")
		}
	}
	r.Network, r.Address = "tcp", net.JoinHostPort(host, port)
	return r, true
}

// redisSocket reads what stands behind "unix:".
func redisSocket(text string, s spot) (r Redis, ok bool) {
	text = strings.TrimPrefix(text, "//")
	path, query, _ := strings.Cut(text, "?")
	if at := strings.LastIndexByte(path, '@'); at >= 0 && !strings.HasPrefix(path, "/") {
		if r.User, r.Password, ok = redisLogin(path[:at], s); !ok {
			return Redis{}, false
		}
		path = path[at+1:]
	}
	if !filepath.IsAbs(path) {
		s.fail(s.name+": the path of the socket is not a whole one", `write "unix:/run/redis/redis.sock"`)
		return Redis{}, false
	}
	if query != "" {
		db, found := strings.CutPrefix(query, "db=")
		if !found {
			s.fail(s.name+": an option that is not known", `write the database as "unix:/run/redis/redis.sock?db=1", and nothing else`)
			return Redis{}, false
		}
		if r.DB, ok = redisDB(db, s); !ok {
			return Redis{}, false
		}
	}
	r.Network, r.Address = "unix", filepath.Clean(path)
	return r, true
}

// redisLogin reads "user:password"; without a colon all of it is the user.
func redisLogin(text string, s spot) (user string, password Secret, ok bool) {
	user, word, _ := strings.Cut(text, ":")
	if file, isFile := strings.CutPrefix(word, "file:"); isFile {
		v, ok := readSecret(file, s)
		if !ok {
			return "", Secret{}, false
		}
		password = v.(Secret)
	} else {
		password = Secret{value: unescaped(word)}
	}
	user = unescaped(user)
	if user != "" && password.value == "" {
		s.fail(s.name+": a user without a password", `write it behind a colon, or alone as ":password@"`)
		return "", Secret{}, false
	}
	if strings.ContainsFunc(user+password.value, unicode.IsControl) {
		s.fail(s.name+" holds a control character", "remove it")
		return "", Secret{}, false
	}
	return user, password, true
}

// unescaped gives what a URL stands for; a text with other per cent signs is itself.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

func redisDB(text string, s spot) (int, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		s.fail(s.name+": the database is no number", "write it behind the host: redis://host:6379/0")
		return 0, false
	}
	return int(n), true
}

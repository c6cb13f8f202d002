package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedisURLs(t *testing.T) {
	dir := t.TempDir()
	password, whole := filepath.Join(dir, "password"), filepath.Join(dir, "url")
	for name, text := range map[string]string{password: "hush\n", whole: "rediss://jo:hush@db.example.net/3\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, text                        string
		network, address, user, pass, out string
		tls                               bool
		db                                int
	}{
		{"nowhere", "", "", "", "", "", "", false, 0},
		{"host alone", "redis://db.example.net", "tcp", "db.example.net:6379", "", "", "redis://db.example.net:6379/0", false, 0},
		{"all of it", "rediss://jo:hush@db.example.net:7000/2", "tcp", "db.example.net:7000", "jo", "hush", "rediss://jo:(secret)@db.example.net:7000/2", true, 2},
		{"password alone", "redis://:hush@127.0.0.1", "tcp", "127.0.0.1:6379", "", "hush", "redis://:(secret)@127.0.0.1:6379/0", false, 0},
		{"IPv6", "redis://[2001:db8::1]:6380/", "tcp", "[2001:db8::1]:6380", "", "", "redis://[2001:db8::1]:6380/0", false, 0},
		{"IPv6 without a port", "redis://[2001:db8::1]", "tcp", "[2001:db8::1]:6379", "", "", "redis://[2001:db8::1]:6379/0", false, 0},
		{"a password of signs", "redis://:a@b/c%20d:e@db", "tcp", "db:6379", "", "a@b/c d:e", "redis://:(secret)@db:6379/0", false, 0},
		{"the name of the other server", "valkey://db", "tcp", "db:6379", "", "", "redis://db:6379/0", false, 0},
		{"a socket", "unix:/run/redis/redis.sock", "unix", "/run/redis/redis.sock", "", "", "unix:///run/redis/redis.sock?db=0", false, 0},
		{"a socket with all", "unix://jo:hush@/run/r.sock?db=4", "unix", "/run/r.sock", "jo", "hush", "unix://jo:(secret)@/run/r.sock?db=4", false, 4},
		{"a password in a file", "redis://jo:file:" + password + "@db", "tcp", "db:6379", "jo", "hush", "redis://jo:file:" + password + "@db:6379/0", false, 0},
		{"all in a file", "file:" + whole, "tcp", "db.example.net:6379", "jo", "hush", "file:" + whole, true, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, report := Parse("m.toml", fmt.Appendf(nil, "mode = \"monitor\"\nstate.redis = %q\n", tt.text))
			if c == nil {
				t.Fatal(report)
			}
			r := c.State.Redis
			if r.Network != tt.network || r.Address != tt.address || r.User != tt.user || r.Password.Reveal() != tt.pass || r.TLS != tt.tls || r.DB != tt.db {
				t.Errorf("got %+v", r)
			}
			if r.String() != tt.out || r.Set() != (tt.text != "") {
				t.Errorf("shown as %s, want %s", r, tt.out)
			}
			var print strings.Builder
			if err := c.Print(&print, false); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", r, r, r, r), print.String(), report.String()} {
				if tt.pass == "hush" && strings.Contains(text, "hush") {
					t.Errorf("the password is shown: %s", text)
				}
			}
		})
	}
}

// TestRedisMistakesHideThePassword whatever is wrong beside it.
func TestRedisMistakesHideThePassword(t *testing.T) {
	for _, text := range []string{
		"http://jo:hush@db", "redis:jo:hush@db", "redis://jo:hush@db:x", "redis://jo:hush@a..b", "redis://jo:hush@db/x",
		"redis://jo:hush@db?x", "jo:hush@db", " redis://jo:hush@db", "unix://jo:hush@run/x", "unix:/run/x?password=hush", "redis://jo:hu\\tsh@db",
	} {
		_, report := Parse("m.toml", []byte("mode = \"monitor\"\nstate.redis = \""+text+"\"\n"))
		if len(report.Errors) != 1 || strings.Contains(report.String(), "hush") || strings.Contains(report.String(), "hu\t") {
			t.Errorf("%s: %s", text, report)
		}
	}
}

// TestAnotherRedisWantsARestart, also where only the password is another.
func TestAnotherRedisWantsARestart(t *testing.T) {
	load := func(url string) *Config {
		c, report := Parse("m.toml", []byte("mode = \"monitor\"\nstate.redis = \""+url+"\"\n"))
		if c == nil {
			t.Fatal(report)
		}
		return c
	}
	for url, want := range map[string]int{"redis://:a@db": 0, "redis://:b@db": 1, "redis://:a@db/1": 1, "": 1} {
		said := load("redis://:a@db").NeedRestart(load(url))
		if len(said) != want {
			t.Errorf("%s: %v", url, said)
		}
	}
}

func FuzzRedisURL(f *testing.F) {
	for _, text := range []string{"redis://jo:hush@db:6379/1", "unix://jo:hush@/run/x?db=1", "rediss://[::1]", "redis://:%zz@x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := spot{name: "state.redis", report: &Report{}, src: &source{index: indexOf("")}}
		r, ok := redisURL(text, s)
		if !ok {
			if len(s.report.Errors) == 0 {
				t.Errorf("%q is refused without a word", text)
			}
			return
		}
		if r.Password.value != "" {
			return // it is not shown, and cannot be read back
		}
		again, ok := redisURL(r.String(), s)
		if !ok && r.User == "" {
			t.Errorf("%q is %+v, whose %q is refused: %s", text, r, r.String(), s.report)
		}
		if ok && r.User == "" && again != r {
			t.Errorf("%q: %+v, and read again %+v", text, r, again)
		}
	})
}

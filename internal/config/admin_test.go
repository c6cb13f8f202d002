package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestControlSocket: it is found in a file with mistakes too.
func TestControlSocket(t *testing.T) {
	const standard = "/run/mailprofiled/control.sock"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing said", map[string]string{"m.toml": monitor}, standard},
		{"said", map[string]string{"m.toml": monitor + "admin.control = \"/x/c\"\n"}, "/x/c"},
		{"switched off", map[string]string{"m.toml": monitor + "admin.control = \"\"\n"}, ""},
		{"said in conf.d", map[string]string{"m.toml": monitor, "conf.d/a.toml": "admin.control = \"/x/d\"\n"}, "/x/d"},
		{"beside mistakes", map[string]string{"m.toml": "moed = 1\nadmin.control = \"/x/c\"\nlists.use = []\n"}, "/x/c"},
		{"mistaken itself", map[string]string{"m.toml": monitor + "admin.control = 5\n"}, standard},
		{"no TOML", map[string]string{"m.toml": "admin.control = \"/x/c\"\nrubbish\n"}, standard},
		{"no TOML beside it", map[string]string{"m.toml": "admin.control = \"/x/c\"\n", "conf.d/a.toml": "rubbish"}, "/x/c"},
		{"no file", nil, standard},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ControlSocket(filepath.Join(write(t, tt.files), "m.toml")); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	dir := write(t, map[string]string{"m.toml": monitor, "conf.d/b.toml": "", "conf.d/a.toml": ""})
	c, r := Load(filepath.Join(dir, "m.toml"))
	if c == nil {
		t.Fatal(r)
	}
	want := []string{filepath.Join(dir, "m.toml"), filepath.Join(dir, "conf.d/a.toml"), filepath.Join(dir, "conf.d/b.toml")}
	if !slices.Equal(c.Files, want) {
		t.Errorf("files %q, want %q", c.Files, want)
	}
}

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, r := Parse("m.toml", []byte(text))
	if c == nil {
		t.Fatal(r)
	}
	return c
}

func TestNeedRestart(t *testing.T) {
	start := parsed(t, monitor+"milter.listen = [\"unix:/a\"]\n")
	for _, tt := range []struct{ name, text, want string }{
		{"the same", monitor + "milter.listen = [\"unix:/a\"]\n", ""},
		{"what a reload takes over", "mode = \"enforce\"\ndns.servers = [\"192.0.2.1\"]\nmilter.listen = [\"unix:/a\"]\nlog.format = \"json\"\nmilter.max_sessions = 5\n", ""},
		{"sockets", monitor + "milter.listen = [\"unix:/b\"]\nadmin.listen = \"\"\n",
			"m.toml:2: warning: milter.listen is another than at the start, and stays as it was; restart to take it over\n" +
				"m.toml:3: warning: admin.listen is another than at the start, and stays as it was; restart to take it over"},
		{"back to the default", monitor, "m.toml:1: warning: milter.listen is another than at the start, and stays as it was; restart to take it over"},
		{"doors that differ", monitor + "milter.socket_mode = \"0600\"\n[[listener]]\nlisten = \"unix:/a\"\n[[listener]]\nlisten = \"unix:/b\"\nrole = \"submission\"\n",
			"m.toml:3: warning: \"unix:/a\" had another mode or group at the start, and keeps it; restart to take it over\n" +
				"m.toml:5: warning: \"unix:/b\" was no socket at the start, and is not open; restart to open it"},
		{"another door", monitor + "[[listener]]\nlisten = \"unix:/b\"\n",
			"m.toml:2: warning: \"unix:/b\" was no socket at the start, and is not open; restart to open it\n" +
				"m.toml:1: warning: \"unix:/a\" is named no more, and stays open as it was; restart to close it"},
		{"the same door", monitor + "[[listener]]\nlisten = \"unix:/a\"\nanswer_at = \"mail\"\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lines(start.NeedRestart(parsed(t, tt.text))); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestSettingsID(t *testing.T) {
	base := parsed(t, monitor)
	for _, tt := range []struct {
		text string
		same bool
	}{
		{"# a remark\n" + monitor, true},
		{monitor + "log.format = \"json\"\nmilter.listen = [\"unix:/a\"]\nadmin.listen = \"\"\n", true},
		{"mode = \"enforce\"\n", false},
		{monitor + "us.domains = [\"example.net\"]\n", false},
		{monitor + "dns.servers = [\"192.0.2.1\"]\n", false},
		{monitor + "points.rdns-missing = 1\n", false},
	} {
		if got := parsed(t, tt.text).SettingsID(); (got == base.SettingsID()) != tt.same {
			t.Errorf("%q: %s, beside %s", strings.TrimSpace(tt.text), got, base.SettingsID())
		}
	}
}

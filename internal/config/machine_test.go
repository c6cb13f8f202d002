package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASocketWithoutItsDirectoryIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mailprofiled.toml")
	for _, tt := range []struct{ name, text, want string }{
		{"there", "milter.listen = ['unix:" + dir + "/milter.sock']\n", ""},
		{"missing", "milter.listen = ['unix:" + dir + "/gone/milter.sock']\n", file + `:2: warning: milter.listen is in "`},
		{"the control socket's", "admin.control = '" + dir + "/gone/c.sock'\n", file + `:2: warning: admin.control is in "`},
		{"of metrics", "admin.listen = 'unix:" + dir + "/gone/a.sock'\n", file + `:2: warning: admin.listen is in "`},
		{"no socket", "admin.control = ''\nadmin.listen = ''\nmilter.listen = ['inet:127.0.0.1:8891']\n", ""},
		{"the default place", "", ""},
	} {
		if err := os.WriteFile(file, []byte("mode = 'monitor'\n"+tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		c, r := Load(file)
		if got := r.String(); c == nil || tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWebhooksAreNotShown beyond their host, however they are given.
func TestWebhooksAreNotShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hook.url")
	if err := os.WriteFile(file, []byte("https://alarm.example.net/hush?hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"https://alarm.example.net/hush/1":      `webhook = "https://alarm.example.net/(secret)"`,
		"https://jo:hush@alarm.example.net":     `webhook = "https://alarm.example.net/(secret)"`,
		"https://alarm.example.net:8443?x=hush": `webhook = "https://alarm.example.net:8443/(secret)"`,
		"http://127.0.0.1:8080/":                `webhook = "http://127.0.0.1:8080"`,
		"file:" + file:                          `webhook = "file:` + file + `"`,
	} {
		c, r := Parse("m.toml", []byte("mode = \"monitor\"\nnotify.webhook = \""+text+"\"\nnotify.token = \"hush2\"\n"))
		if c == nil || r.String() != "" {
			t.Errorf("%s: %s", text, r)
			continue
		}
		var out bytes.Buffer
		if err := c.Print(&out, true); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "hush") {
			t.Errorf("%s is printed as\n%s", text, &out)
		}
		if again, r := Parse("again.toml", out.Bytes()); again == nil {
			t.Errorf("%s: what is printed does not load: %s", text, r)
		}
	}
}

// TestACommandIsLookedAt where it is to run.
func TestACommandIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/bin/sh": "", plain: `no program; chmod +x ` + plain, dir: "no program", dir + "/none": "no such file or directory; see that it is there",
	} {
		path := filepath.Join(dir, "m.toml")
		if err := os.WriteFile(path, []byte("mode = \"monitor\"\nnotify.command = [\""+name+"\", \"-x\", \"-x\", \"\"]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, r := Load(path)
		if c == nil || len(c.Notify.Command) != 4 {
			t.Fatalf("%s: %s", name, r)
		}
		found := ""
		for _, w := range r.Warnings {
			if strings.Contains(w.What, "notify") {
				found = w.String()
			}
		}
		if want == "" && found != "" || !strings.Contains(found, want) {
			t.Errorf("%s: %q, want %q", name, found, want)
		}
	}
}

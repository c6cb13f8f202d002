package local

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "allowed.txt")
	c4, c6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	if err := Append(path, c4, noon, "x"); err == nil {
		t.Error("a file was made")
	}
	if err := os.WriteFile(path, []byte("198.51.100.1 # by hand, without an end"), 0o600); err != nil {
		t.Fatal(err)
	}
	last := noon.AddDate(0, 0, 7)
	for addr, remark := range map[netip.Addr]string{c4: "ticket  4711\t; jo", c6: ""} {
		if err := Append(path, addr, last, remark); err != nil {
			t.Fatal(err)
		}
	}
	for _, remark := range []string{"expires=2099-01-01", "a\x00b", strings.Repeat("a", 501)} {
		if err := Append(path, c4, last, remark); err == nil {
			t.Errorf("taken: %q", remark)
		}
	}
	if err := Append(path, netip.Addr{}, last, ""); err == nil {
		t.Error("no address was taken")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"198.51.100.1 # by hand, without an end\n", "\nclient:192.0.2.7 expires=" + last.Format("2006-01-02") + " # ticket 4711 ; jo\n", "\nclient:2001:db8::7 expires=" + last.Format("2006-01-02") + "\n"} {
		if !strings.Contains("\n"+string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s, problems := Load([]Rule{{Match: []string{"file:" + path}, Action: Allow, Where: "m.toml:1"}}, noon, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, addr := range []string{"192.0.2.7", "2001:db8::7", "198.51.100.1"} {
		if hits := s.Match(&Subject{Client: netip.MustParseAddr(addr)}, noon, nil); len(hits) != 1 {
			t.Errorf("%s: %v", addr, hits)
		}
	}
	if hits := s.Match(&Subject{Client: c4}, last.AddDate(0, 0, 1), nil); len(hits) != 0 {
		t.Errorf("the day after: %v", hits)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	pipe := path + ".pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{link, pipe, filepath.Dir(path)} {
		if err := Append(bad, c4, last, ""); err == nil {
			t.Errorf("written to %s", bad)
		}
	}
}

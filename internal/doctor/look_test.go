package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLook: whoever is in the way is named, with the line that lets the user pass.
func TestLook(t *testing.T) {
	stranger := Who{Name: "stranger", UID: 54321, GID: 54321}
	member := Who{Name: "member", UID: 54321, GID: 54321, Groups: []int{os.Getgid()}}
	for _, tt := range []struct {
		name      string
		dir, sock os.FileMode // 0: not there
		who       Who
		barred    string // what is in the way, below the root; "" for nothing
		remedy    string
	}{
		{"open to all", 0o755, 0o666, stranger, "", ""},
		{"open to the group", 0o710, 0o660, member, "", ""},
		{"root goes everywhere", 0o700, 0o600, Who{}, "", ""},
		{"directory shut", 0o700, 0o666, stranger, "run", "chmod 2710"},
		{"directory shut to the group", 0o700, 0o660, member, "run", "chmod 2710"},
		{"socket of another group", 0o755, 0o660, stranger, "run/milter.sock", "milter.socket_group"},
		{"socket without w", 0o755, 0o640, member, "run/milter.sock", "chmod 0660"},
		{"no socket", 0o755, 0, stranger, "run/milter.sock", "systemctl restart"},
		{"no directory", 0, 0, stranger, "run", "install -d -o mailprofiled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "run")
			path := filepath.Join(dir, "milter.sock")
			if tt.dir != 0 {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if tt.sock != 0 {
				l, err := net.Listen("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				if err := os.Chmod(path, tt.sock); err != nil {
					t.Fatal(err)
				}
			}
			if tt.dir != 0 {
				if err := os.Chmod(dir, tt.dir); err != nil {
					t.Fatal(err)
				}
				defer os.Chmod(dir, 0o755)
			}
			b := Look(root, path, tt.who)
			if tt.barred == "" {
				if b != nil {
					t.Fatalf("barred: %+v", b)
				}
				return
			}
			if b == nil || b.Path != filepath.Join(root, tt.barred) {
				t.Fatalf("got %+v", b)
			}
			e := &exam{Facts: &Facts{Systemd: true, ConfigPath: "/c"}}
			if got := strings.Join(b.remedy(e, tt.who), "\n"); !strings.Contains(got, tt.remedy) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestLetRead: who may not read the configuration is told which file or directory bars it.
func TestLetRead(t *testing.T) {
	who, err := LookupWho("nobody")
	if err != nil {
		t.Skip(err) // a machine without that user
	}
	group := groupName(who.GID)
	e := &exam{Facts: &Facts{User: "nobody", ConfigPath: "/etc/x.toml"}}
	root := t.TempDir()
	dir := filepath.Join(root, "conf.d")
	file := filepath.Join(dir, "a.toml")
	if err := errors.Join(os.Chmod(filepath.Dir(root), 0o755), os.Chmod(root, 0o755), os.Mkdir(dir, 0o755), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	const again = "runuser -u nobody -- mailprofiled check --config /etc/x.toml"
	for _, tt := range []struct {
		dir, file os.FileMode
		want      string
	}{
		{0o755, 0o600, "chgrp " + group + " " + file + " && chmod 0640 " + file},
		{0o700, 0o644, "chgrp " + group + " " + dir + " && chmod g+rx " + dir},
		{0o755, 0o644, again}, // something else is wrong
	} {
		if err := errors.Join(os.Chmod(dir, tt.dir), os.Chmod(file, tt.file)); err != nil {
			t.Fatal(err)
		}
		got := e.letRead(file + ":1: cannot be read: permission denied; let")
		if got[0] != tt.want || got[len(got)-1] != again {
			t.Errorf("%v %v: %q, want %s", tt.dir, tt.file, got, tt.want)
		}
	}
	if got := e.letRead("nonsense"); len(got) != 1 || got[0] != again {
		t.Errorf("%q", got)
	}
}

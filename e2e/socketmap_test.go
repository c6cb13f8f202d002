//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mailprofiled/internal/directory"
	"mailprofiled/internal/directory/socketmap"
)

// A tableServer speaks socketmap to one who connects: whatever comes, it notes, and
// gives its reply.
func tableServer(t *testing.T, reply string) (addr string, heard <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	all := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var text []byte
		buf := make([]byte, 4096)
		for !bytes.HasSuffix(text, []byte(",")) {
			n, err := c.Read(buf)
			if err != nil {
				break
			}
			text = append(text, buf[:n]...)
		}
		fmt.Fprintf(c, "%d:%s,", len(reply), reply)
		all <- text
		_, _ = c.Read(buf) // until it hangs up
	}()
	return l.Addr().String(), all
}

// TestSocketmapAsPostfixSpeaksIt holds our questions, and what we make of replies, to
// those of Postfix's own client.
func TestSocketmapAsPostfixSpeaksIt(t *testing.T) {
	dir := t.TempDir()
	home := os.Getenv("E2E_POSTFIX")
	main := "compatibility_level = 3.6\nmail_owner = uucp\nsetgid_group = operator\nqueue_directory = " + dir + "\n"
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte(main), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, local, reply string
		want               directory.Result
		exit               int // of postmap: 1 means not found, or worse
	}{
		{"somebody", "joe.doe+x", "OK joe", directory.Yes, 0},
		{"nobody", "nobody", "NOTFOUND ", directory.No, 1},
		{"the catch-all", "", "NOTFOUND ", directory.No, 1},
		{"trouble", "joe", "TEMP later", directory.Failed, 1},
		{"worse trouble", "joe", "PERM never", directory.Failed, 1},
	} {
		addr, theirs := tableServer(t, c.reply)
		key := c.local + "@example.net"
		cmd := exec.Command(filepath.Join(home, "usr/sbin/postmap"), "-c", dir, "-q", key, "socketmap:inet:"+addr+":users")
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(home, "usr/lib/postfix"))
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.exit {
			t.Fatalf("%s: postmap ends by %d:\n%s", c.name, got, out)
		}
		addr, ours := tableServer(t, c.reply)
		src := must[*socketmap.Source](t)(socketmap.New(socketmap.Options{Map: "inet:" + addr + ":users"}))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		e := src.Lookup(ctx, directory.Address{Local: c.local, Domain: "example.net"})
		cancel()
		if e.Result != c.want {
			t.Errorf("%s: %v (%v), want %v", c.name, e.Result, e.Err, c.want)
		}
		if theirs, ours := <-theirs, <-ours; !bytes.Equal(theirs, ours) {
			t.Errorf("%s: Postfix asks %q, we %q", c.name, theirs, ours)
		}
		check(t, src.Close())
	}
}

//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailprofiled/internal/mtatest"
)

// A list's key stands in what is asked, and in nothing that the daemon says to anybody in
// any way, whatever becomes of the lists: see checkSecret, which looks through all that is
// said here.
func TestListsKeepTheirKeys(t *testing.T) {
	h := openSoundHouse(t, straight)
	text, err := os.ReadFile(h.daemon.configPath())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), secret) {
		t.Fatal("there is no key to be kept")
	}
	next := filepath.Join(t.TempDir(), "next.toml")
	_, policy, _ := strings.Cut(string(text), "\n"+`mode `)
	policy = strings.ReplaceAll("mode "+policy, `"rhsbl:spamhaus-dbl-dqs" = 12`, `"rhsbl:spamhaus-dbl-dqs" = 0`)
	policy = strings.Join(strings.FieldsFunc(policy, func(c rune) bool { return c == '\n' }), "\n")
	policy = without(policy, "admin.", "dns.")
	if err := os.WriteFile(next, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	h.change(t, `lists.test_every = "1s"`, `lists.test_every = "1s"`+"\nlog.level = \"debug\"\ncandidate = \""+next+"\"")
	if out, ok := h.tell(t, "reload"); !ok {
		t.Fatal(out)
	}
	keyed := []string{"spamhaus-zen-dqs", "spamrats-all", "spamhaus-dbl-dqs"}
	h.expect(t, cleanGuest(1), 250)
	for _, id := range keyed {
		h.refuses(t, id, 1)
	}
	if _, err := h.daemon.log.Wait(waiting(t), 0, mtatest.Containing(" msg=candidate ", "spamhaus-dbl-dqs")); err != nil {
		t.Error(err)
	}
	id := h.daemon.verdict(t, 0, listedGuest("spamrats-all", 1).addr).values["id"]

	all := func() {
		client := listedGuest("spamhaus-zen-dqs", 4)
		for _, args := range [][]string{
			{"lists"}, {"lists", "--json"}, {"lists", "--overlap"}, {"status"}, {"status", "--json"}, {"check"}, {"check", "--dns"},
			{"check", "--print"}, {"check", "--changed"}, {"why", id}, {"why", "--json", id}, {"doctor"}, {"doctor", "--json"}, {"servers", "show", listedGuest("spamrats-all", 1).addr.String()},
			{"explain", "--client", client.addr.String(), "--helo", client.name, "--from", listedGuest("spamhaus-dbl-dqs", 4).from},
			{"explain", "--json", "--client", client.addr.String(), "--from", listedGuest("spamhaus-dbl-dqs", 5).from},
		} {
			if out, _ := h.tell(t, args...); out == "" {
				t.Errorf("%v says nothing", args)
			}
		}
		for _, path := range []string{
			"/", "/metrics", "/why?id=" + id, "/api/v1/status", "/api/v1/attention", "/api/v1/lists", "/api/v1/limits", "/api/v1/trend",
			"/api/v1/servers", "/api/v1/why?id=" + id,
		} {
			if code, text := h.get(t, path); code != http.StatusOK || text == "" {
				t.Errorf("%s: %d %s", path, code, text)
			}
		}
	}
	all()

	mark := h.daemon.log.Len()
	h.lists["spamhaus-zen-dqs"].reload(t, "all 127.255.255.251", rblTTL) // "key unknown"
	h.lists["spamrats-all"].signal(t, syscall.SIGSTOP)
	h.lists["spamhaus-dbl-dqs"].kill()
	h.becomes(t, mark, "spamhaus-zen-dqs", "refused")
	h.becomes(t, mark, "spamrats-all", "silent")
	h.becomes(t, mark, "spamhaus-dbl-dqs", "silent")
	h.expect(t, cleanGuest(2), 250)
	all()
	h.change(t, secret, secret+" "+secret) // no key at all
	if out, ok := h.tell(t, "reload"); ok {
		t.Errorf("taken over: %s", out)
	}
	h.tell(t, "check")
}

// without leaves out the lines that begin so.
func without(text string, begin ...string) string {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		drop := false
		for _, b := range begin {
			drop = drop || strings.HasPrefix(line, b)
		}
		if !drop {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailprofiled/internal/config"
)

// A recorded is what why --json prints of one visit, as far as these tests look at it.
type recorded struct {
	ID, Client, From, Queue, Mode, Policy string
	Taken                                 bool
	Score                                 float64
	Findings                              []struct {
		ID     string
		Points float64
	}
	Recipients []struct{ Rcpt, Action, Reply string }
	Lookups    []struct {
		Question, Type, Source string
		Answer                 []string
	}
}

// answer is what a look-up of the record says, joined.
func (w *recorded) answer(question, qtype string) string {
	for _, l := range w.Lookups {
		if l.Question == question && l.Type == qtype {
			return strings.Join(l.Answer, ",")
		}
	}
	return "not asked"
}

// why asks for one visit.
func (h *house) why(t *testing.T, args ...string) *recorded {
	t.Helper()
	out, ok := h.ask(t, append([]string{"why", "--json"}, args...)...)
	if !ok {
		t.Fatalf("why %v failed:\n%s", args, out)
	}
	one := new(recorded)
	list := struct{ Visits []*recorded }{}
	if err := json.Unmarshal([]byte(out), one); err != nil {
		t.Fatalf("why %v: %v\n%s", args, err, out)
	}
	if one.ID != "" {
		return one
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Visits) != 1 {
		t.Fatalf("why %v: %v, %d visits\n%s", args, err, len(list.Visits), out)
	}
	return list.Visits[0]
}

// TestWhyAMailWasRefused: the client is told an id; by that, or by all of the reply, why shows
// each look-up and the points, also after a kill -9 a second later.
func TestWhyAMailWasRefused(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openKept(t, kind, sessionZone(), "records.sample = 1\nverdict.help_url = \"https://help.example.net/why/{id}\"\n")
		c := h.hello(t, bad4, "localhost")
		mark := h.daemon.log.Len()
		d := send(t, c, "a@bad.example", "jo@example.net")
		quit(t, c)
		reply, id := d.Rcpts[0].String(), replyID(d.Rcpts[0])
		l := h.daemon.verdict(t, mark, bad4)
		before := h.why(t, id)
		for i, pasted := range []string{reply, "[" + id + "]", "https://help.example.net/why/" + id, id[:8]} {
			if got := h.why(t, pasted); got.ID != id {
				t.Errorf("pasted %d, %q: %s", i, pasted, got.ID)
			}
		}
		if before.ID != l.values["id"] || before.Client != bad4.String() || before.From != "<a@bad.example>" || before.Policy != l.values["policy"] || before.Taken ||
			fmt.Sprint(before.Score) != l.values["score"] {
			t.Errorf("%+v, in the log %v", before, l.values)
		}
		points := map[string]string{}
		for _, f := range before.Findings {
			points[f.ID] = fmt.Sprint(f.Points)
		}
		if len(l.findings()) == 0 || len(points) != len(l.findings()) {
			t.Errorf("findings %v, in the log %v", points, l.findings())
		}
		for id, n := range l.findings() {
			if points[id] != n {
				t.Errorf("%s: %q points, in the log %s", id, points[id], n)
			}
		}
		for question, want := range map[string]string{reverse(bad4) + " PTR": "none", "bad.example MX": "10 in.bad.example"} {
			name, qtype, _ := strings.Cut(question, " ")
			if got := before.answer(strings.TrimSuffix(name, "."), qtype); got != want {
				t.Errorf("%s: %q, want %q", question, got, want)
			}
		}
		// Sendmail puts the recipient before the text of the reply.
		if r := before.Recipients[0]; r.Rcpt != "<jo@example.net>" || r.Action != "reject" || strings.Replace(reply, "<jo@example.net>... ", "", 1) != r.Reply {
			t.Errorf("%+v, the client was told %q", r, reply)
		}
		h.daemon.signal(t, syscall.SIGKILL)
		h.daemon.ended(t)
		h.daemon.start(t)
		after := h.why(t, "--client", bad4.String(), "--from", "bad.example", "--rcpt", "JO@example.net")
		if fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
			t.Errorf("after kill -9: %+v\nbefore: %+v", after, before)
		}
		h.control(t, "why", id).has(t, `(?m)^  bad\.example +MX +10 in\.bad\.example +(dns|cache) `)

		c = h.hello(t, good4, "mail.good.example")
		d = send(t, c, "a@good.example", "al@example.net")
		quit(t, c)
		if !d.Accepted() {
			t.Fatalf("a good server: %v", d.Last())
		}
		queue := h.queueID(t, d.End)
		if got := h.why(t, "--queue", queue); got.Queue != queue || !got.Taken || got.Client != good4.String() || got.Recipients[0].Action != "continue" {
			t.Errorf("by its queue id: %+v", got)
		}
	})
}

// TestWhyHidesAddresses: with log.addresses = "hashed" the files hold none, and what is asked for
// by an address is found.
func TestWhyHidesAddresses(t *testing.T) {
	h := openKept(t, postfix, sessionZone(), "records.sample = 1\nlog.addresses = \"hashed\"\n")
	c := h.hello(t, bad4, "localhost")
	d := send(t, c, "secretary@bad.example", "jo@example.net")
	quit(t, c)
	if got := h.why(t, "--from", "secretary@BAD.example", "--rcpt", "jo@example.net"); got.ID != replyID(d.Rcpts[0]) || !strings.HasPrefix(got.From, "h:") {
		t.Errorf("%+v", got)
	}
	if got := h.why(t, "--from", "bad.example"); strings.Contains(fmt.Sprintf("%+v", got), "bad.example") || strings.Contains(fmt.Sprintf("%+v", got), "jo@") {
		t.Errorf("in clear: %+v", got)
	}
	h.daemon.signal(t, syscall.SIGTERM)
	h.daemon.ended(t)
	path := filepath.Dir(config.ControlSocket(h.daemon.configPath()))
	files, err := filepath.Glob(filepath.Join(path, "records.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no records in %s", path)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"secretary", "jo@example.net", "bad.example"} {
			if bytes.Contains(text, []byte(word)) {
				t.Errorf("%s in %s", word, file)
			}
		}
	}
}

package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryIDIsDocumented compares docs/doctor.md with what the source can say.
func TestEveryIDIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, said []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			for _, m := range regexp.MustCompile("`([a-z0-9-]+)`").FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
				documented = append(documented, m[1])
			}
		}
	}
	files, _ := filepath.Glob("*.go")
	direct := regexp.MustCompile(`e\.(?:say\([A-Za-z]+, |ok\()"([a-z0-9-]+)"|id = "([a-z0-9-]+)"`)
	byKind := regexp.MustCompile(`m\.kind ?\+ ?"(-[a-z]+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range direct.FindAllStringSubmatch(string(source), -1) {
			said = append(said, m[1]+m[2])
		}
		for _, m := range byKind.FindAllStringSubmatch(string(source), -1) {
			said = append(said, "postfix"+m[1], "sendmail"+m[1])
		}
	}
	slices.Sort(documented)
	slices.Sort(said)
	if said = slices.Compact(said); !slices.Equal(documented, said) {
		t.Errorf("docs/doctor.md has\n%v\nthe source says\n%v", documented, said)
	}
}

// TestWhatIsWrongHasARemedy: each error and warning has a line to type.
func TestWhatIsWrongHasARemedy(t *testing.T) {
	f := mtaSite(t, "{ unix:mailprofiled/milter.sock, default_action=reject, command_timeout=1s }")
	f.Reach = func(context.Context, Who, string, string) error { return errors.New("no") }
	f.Postfix.Protocol = "2"
	f.Status.MTA.Agreed.Protocol = 0
	f.Config.State.Path = "/nonexistent/state"
	for _, o := range findings(f) {
		if o.Severity >= Warning && len(o.Remedy) == 0 {
			t.Errorf("%+v", o)
		}
	}
}

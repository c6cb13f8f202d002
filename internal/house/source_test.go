package house

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "mailprofiled"
)

// A room is a package of the product, and what it may know.
type room struct {
	floor  int      // imports go strictly downwards: 0 is the ground
	others []string // modules of other people that it may import, by prefix
}

// rooms are all packages of the shipped binary. ARCHITECTURE.md says why each
// dependency is there: a new one is a decision, made here and there.
var rooms = map[string]room{
	"profile":            {0, []string{"golang.org/x/net/publicsuffix", "golang.org/x/net/idna"}},
	"ratelimit":          {0, nil},
	"dnsbl":              {0, []string{"golang.org/x/net/publicsuffix"}},
	"internal/resolver":  {0, []string{"github.com/miekg/dns", "github.com/hashicorp/golang-lru/v2"}},
	"internal/memory":    {0, []string{"github.com/hashicorp/golang-lru/v2"}},
	"internal/logging":   {0, nil},
	"internal/maillog":   {0, nil},
	"internal/systemd":   {0, []string{"golang.org/x/sys/unix"}},
	"internal/unixsock":  {0, nil},
	"internal/local":     {0, []string{"golang.org/x/net/idna"}},
	"internal/accounts":  {0, nil},
	"internal/attach":    {0, nil},
	"internal/directory": {0, []string{"golang.org/x/net/idna", "golang.org/x/text/cases", "github.com/hashicorp/golang-lru/v2"}},
	"internal/harvest":   {0, []string{"github.com/hashicorp/golang-lru/v2"}},
	"internal/records":   {0, nil},
	"internal/hijack":    {0, nil},
	"internal/notify":    {0, nil},
	"internal/trend":     {0, nil},
	"internal/geo":       {0, []string{"github.com/oschwald/maxminddb-golang/v2"}},
	"internal/spf":       {0, []string{"blitiri.com.ar/go/spf", "github.com/hashicorp/golang-lru/v2", "golang.org/x/net/idna"}},
	"internal/engine":    {1, []string{"github.com/miekg/dns"}},
	"internal/pages":     {1, nil},
	"internal/compare":   {1, nil},
	"internal/store":     {1, nil},
	"internal/shared":    {1, []string{"github.com/redis/rueidis"}},
	"internal/config":    {1, []string{"github.com/BurntSushi/toml", "golang.org/x/net/idna"}},
	"internal/admin":     {2, []string{"github.com/prometheus/client_golang"}},
	"internal/replay":    {2, nil},
	"internal/candidate": {2, nil},
	"milter":             {2, []string{"github.com/emersion/go-milter"}},
	"internal/page":      {3, nil},
	"internal/wiring":    {3, nil},
	"internal/doctor":    {3, []string{"github.com/miekg/dns"}},
	"internal/act":       {4, nil},
	"cmd/mailprofiled":   {5, []string{"github.com/miekg/dns"}},

	// Sources of the directory, and what they stand on.
	"internal/ownfile":             {-1, nil}, // below the ground: three rooms stand on it
	"internal/connpool":            {0, nil},
	"internal/directory/sql":       {1, []string{"github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql", "modernc.org/sqlite"}},
	"internal/directory/ldap":      {1, []string{"github.com/go-ldap/ldap/v3"}},
	"internal/directory/socketmap": {1, nil},
	"internal/directory/callahead": {1, nil},
}

// kits are for tests, the demo and benchmarks: nothing that is shipped imports them.
var kits = []string{
	"internal/backendtest", "internal/bench", "internal/demo", "internal/dnstest", "internal/geotest", "internal/house", "internal/judgement", "internal/miltertest", "internal/mtatest", "internal/pagetest", "e2e",
}

// maxLines is where a file has a seam that nobody has looked for.
const maxLines = 500

// A source is one Go file of ours.
type source struct {
	path    string // from the root, with slashes
	room    string // its folder
	test    bool
	lines   int
	imports []string
}

func TestImportsGoDownwards(t *testing.T) {
	for _, f := range sources(t) {
		from, shipped := rooms[f.room]
		if !shipped && !slices.Contains(kits, f.room) {
			t.Errorf("%s: the room %s is in no list of this test: is it shipped?", f.path, f.room)
		}
		if !shipped || f.test {
			continue
		}
		for _, imported := range f.imports {
			own, isOwn := strings.CutPrefix(imported, module+"/")
			to, known := rooms[own]
			switch {
			case isOwn && !known:
				t.Errorf("%s imports %s, which is not shipped", f.path, own)
			case isOwn && to.floor >= from.floor:
				t.Errorf("%s imports %s: arrows go downwards only", f.path, own)
			case !isOwn && foreign(imported) && !slices.ContainsFunc(from.others, func(p string) bool { return within(imported, p) }):
				t.Errorf("%s imports %s: not a dependency of this room", f.path, imported)
			}
		}
	}
}

// TestTheJudgementIsPure holds profile to what it may know of the standard library.
func TestTheJudgementIsPure(t *testing.T) {
	impure := []string{"context", "io/fs", "log", "net", "os", "sync", "syscall", "time", "math/rand"}
	for _, f := range sources(t) {
		if f.room != "profile" || f.test {
			continue
		}
		for _, imported := range f.imports {
			if slices.ContainsFunc(impure, func(p string) bool { return within(imported, p) }) && imported != "net/netip" {
				t.Errorf("%s imports %s: no I/O, clock, goroutine or logger in here", f.path, imported)
			}
		}
	}
}

func TestFilesAndNames(t *testing.T) {
	for _, f := range sources(t) {
		if f.lines > maxLines && !f.test {
			t.Errorf("%s has %d lines: look for the seam", f.path, f.lines)
		}
		if name := path.Base(f.room); slices.Contains([]string{"util", "utils", "common", "helpers", "misc"}, name) {
			t.Errorf("%s: %s says nothing of what is in there", f.path, name)
		}
	}
}

// foreign reports whether an import is of neither the standard library nor this module.
func foreign(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}

// within reports whether an import path is p or below it.
func within(imported, p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") }

// sources reads all Go files of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || name == "build" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := readSource(file)
		all = append(all, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readSource(file string) (source, error) {
	rel, err := filepath.Rel(root, file)
	if err != nil {
		return source{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return source{}, err
	}
	f := source{path: filepath.ToSlash(rel), lines: bytes.Count(text, []byte("\n"))}
	f.room, f.test = path.Dir(f.path), strings.HasSuffix(f.path, "_test.go")
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
	if err != nil {
		return f, err
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return f, err
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

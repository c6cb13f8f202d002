package admin

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestEveryMetricIsDocumented compares docs/metrics.md with what there is.
func TestEveryMetricIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(mailprofiled_[a-z_]+)` \\| ([a-z_, ]*) ?\\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = strings.TrimSpace(row[2])
	}
	m := NewMetrics(aStatus)
	described := regexp.MustCompile(`fqName: "(mailprofiled_[a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	all := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(all)
	close(all)
	for d := range all {
		found := described.FindStringSubmatch(d.String())
		if found == nil {
			continue // of the runtime
		}
		name, labels := found[1], strings.Split(found[2], ",")
		doc, ok := documented[name]
		if !ok {
			t.Errorf("docs/metrics.md has no row for %s", name)
			continue
		}
		want := strings.Split(strings.ReplaceAll(doc, " ", ""), ",")
		slices.Sort(want)
		slices.Sort(labels)
		if !slices.Equal(want, labels) {
			t.Errorf("docs/metrics.md: %s has labels %q, not %q", name, labels, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/metrics.md has a row for %s, which is not there", name)
	}
	for _, name := range regexp.MustCompile(`mailprofiled_[a-z_]+`).FindAllString(string(text), -1) {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/metrics.md speaks of %s, which has no row", name)
		}
	}
}

package profile

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Rule says how a finding counts.
type Rule uint8

const (
	Counted         Rule = iota // said, and its points added to the score
	Off                         // not judged: as if it could not be true
	Monitor                     // judged and said, not counted
	AtLeastTempfail             // said; the answer is at least a tempfail, the score unchanged
)

// Points are what one finding weighs. The zero Points are: said, weighs nothing.
//
// Value is a finite number. The points of a finding against the client count
// only if they are positive, those of a lift only if they are negative, and the
// *-error findings carry none at all: anything else could make an unknown answer
// weigh more than a bad one.
type Points struct {
	Value float64
	Rule  Rule
}

// String gives the points as they are written under [points]: 6, "off",
// "monitor", "tempfail".
func (p Points) String() string {
	switch p.Rule {
	case Off:
		return "off"
	case Monitor:
		return "monitor"
	case AtLeastTempfail:
		return "tempfail"
	}
	return strconv.FormatFloat(p.Value, 'f', -1, 64)
}

// A Policy is a set of points, thresholds and sentences. What is off:
//
//   - a HELO form: the first true one of the others is said in its place;
//   - rdns-dynamic: such a name is judged as the generic one it is too;
//   - rdns-generic: dynamic names are still judged;
//   - spf-never: such a fail is a fail like others;
//   - relation: nothing is lifted, and its unknown facts hold back no reject;
//   - retry-passed: coming back does not help;
//   - a list (dnsbl:ID, rhsbl:ID, dnswl:ID): the next of its group counts;
//   - account-blocked: blocked accounts may send;
//   - account-hijack: no account is told to be stolen;
//   - local-deny, local-allow, local-points: such rules of the operator do nothing.
//
// Points has no row for a list that weighs what its own codes come to.
//
// Points of what is Info.Fixed are not looked at, only whether it is off or
// monitored: a rule brings its own. A monitored finding is judged: it takes its place among HELO forms, and a
// monitored lift or retry-passed is said without helping.
type Policy struct {
	Baseline      string  // the name with its version: "standard@1"
	TempfailScore float64 // at or over it: tempfail
	RejectScore   float64 // at or over it: reject; not below TempfailScore
	Points        map[string]Points
	Texts         map[string]string // reply sentence by finding id; {client} becomes the client's address, {list} the id of a list
	Bots          []string          // HELO names that only bots use, lower case, no last dot
}

//go:embed baselines/*.json baselines/shared/*.json
var baselines embed.FS

// baselineFile is the form of a file in baselines/.
type baselineFile struct {
	Words         string             `json:"words"` // the file in baselines/shared/ that it shares
	TempfailScore float64            `json:"tempfail_score"`
	RejectScore   float64            `json:"reject_score"`
	Points        map[string]float64 `json:"points"`
}

// wordsFile is the form of a file in baselines/shared/: what several baselines
// share. It is versioned as they are: a pinned baseline never changes.
type wordsFile struct {
	Texts    map[string]string `json:"texts"`
	HeloBots []string          `json:"helo_bots"`
}

// Baseline returns a fresh copy of a shipped policy: the newest version of
// "standard", or "standard@1". The error names those that there are.
func Baseline(name string) (*Policy, error) {
	full, ok := resolveBaseline(name)
	if !ok {
		return nil, fmt.Errorf("baseline %q is not known; there are %s", name, strings.Join(Baselines(), ", "))
	}
	var file baselineFile
	if err := readBaseline(full, &file); err != nil {
		return nil, fmt.Errorf("baseline %q: %w", name, err)
	}
	var words wordsFile
	if err := readBaseline("shared/"+file.Words, &words); err != nil {
		return nil, fmt.Errorf("baseline %q: %w", name, err)
	}
	p := &Policy{
		Baseline: full, TempfailScore: file.TempfailScore, RejectScore: file.RejectScore,
		Points: make(map[string]Points, len(table)),
		Texts:  words.Texts, Bots: words.HeloBots,
	}
	for _, r := range table {
		if !r.named {
			p.Points[r.id] = Points{Value: file.Points[r.id]}
		}
	}
	return p, nil
}

// readBaseline reads a file below baselines/, by its name without ".json".
func readBaseline(name string, into any) error {
	data, err := baselines.ReadFile("baselines/" + name + ".json")
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// Baselines returns the full names of the shipped policies, by name and then
// version: the newest of a name comes last.
func Baselines() []string {
	entries, err := baselines.ReadDir("baselines")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, strings.TrimSuffix(e.Name(), ".json"))
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := baselineVersion(a), baselineVersion(b)
		return cmp.Or(strings.Compare(baseName(a), baseName(b)), cmp.Compare(x, y))
	})
	return names
}

// baseName is a baseline's name without its version.
func baseName(full string) string {
	name, _, _ := strings.Cut(full, "@")
	return name
}

func baselineVersion(full string) int {
	_, version, _ := strings.Cut(full, "@")
	n, _ := strconv.Atoi(version)
	return n
}

// resolveBaseline finds the full name; without a version, the newest.
func resolveBaseline(name string) (full string, ok bool) {
	for _, known := range Baselines() {
		if name == known || name == baseName(known) {
			full = known
		}
	}
	return full, full != ""
}

// AloneProblem says in what a finding's points differ from what the manual's
// table promises of it, "" when they do not. The table is about baseline
// standard; another one may differ as it is shipped. Points that are off or
// monitored promise nothing.
func (p *Policy) AloneProblem(f Info) string {
	points := p.Points[f.ID]
	if points.Rule != Counted || f.Fixed || f.Named {
		return ""
	}
	refuses := points.Value >= p.RejectScore
	switch strict := baseName(p.Baseline) == "strict"; {
	case f.Alone == AloneYes && !refuses, f.Alone == AloneStrict && strict && !refuses:
		return "does not refuse by itself with these points"
	case f.Alone == AloneNever && refuses:
		return "never refuses, whatever its points"
	case (f.Alone == AloneNo || f.Alone == AloneStrict && !strict) && refuses:
		return "refuses by itself with these points"
	}
	return ""
}

// weight is what a finding of kind k adds to the score under p.
func (p *Policy) weight(k kind, value float64) float64 {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0) || table[k].error:
		return 0
	case table[k].lifts != 0:
		return min(value, 0)
	}
	return max(value, 0)
}

// points is what a finding of kind k adds to the score, if it is true.
func (p *Policy) points(k kind) float64 {
	points := p.Points[table[k].id]
	if points.Rule != Counted {
		return 0
	}
	return p.weight(k, points.Value)
}

package profile

import (
	"slices"
	"strings"
	"testing"
)

// The shipped points make sense, and those of standard keep what the manual's
// table says of each finding alone.
func TestBaselinePoints(t *testing.T) {
	for _, name := range Baselines() {
		p, err := Baseline(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.TempfailScore != 5 || p.RejectScore != 10 || p.Baseline != name {
			t.Errorf("%s: thresholds %v, %v", p.Baseline, p.TempfailScore, p.RejectScore)
		}
		for _, f := range Findings() {
			points := p.Points[f.ID]
			switch {
			case baseName(name) == "standard" && p.AloneProblem(f) != "":
				t.Errorf("%s: %s with %v %s", name, f.ID, points.Value, p.AloneProblem(f))
			case (f.Error || f.Fixed || f.Alone == AloneOperator) && points != Points{}:
				t.Errorf("%s: %s has points", name, f.ID)
			case f.Lifts != nil && points.Value > 0:
				t.Errorf("%s: %s speaks for the client", name, f.ID)
			case f.Lifts == nil && points.Value < 0:
				t.Errorf("%s: %s speaks against the client", name, f.ID)
			case f.Alone == AloneNo && points.Value >= p.RejectScore:
				t.Errorf("%s: %s refuses by itself", name, f.ID)
			}
		}
		const named = 4
		if len(p.Points) != len(Findings())-named {
			t.Errorf("%s: %d points for %d findings", name, len(p.Points), len(Findings()))
		}
	}
}

// A file names every finding that has points of its own, and no other: what is
// left out would weigh nothing unnoticed.
func TestBaselineFilesAreWhole(t *testing.T) {
	for _, name := range Baselines() {
		var file baselineFile
		if err := readBaseline(name, &file); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range Findings() {
			if _, ok := file.Points[f.ID]; ok == (f.Fixed || f.Named) {
				t.Errorf("%s: points for %s: %v", name, f.ID, ok)
			}
			if !f.Fixed && !f.Named {
				n++
			}
		}
		if len(file.Points) != n {
			t.Errorf("%s: %d points for %d findings", name, len(file.Points), n)
		}
	}
}

// Each baseline is milder than the next: what weighs more in the milder one, or
// lifts less, is a slip of the pen.
func TestBaselinesAreInOrder(t *testing.T) {
	names := []string{"cautious", "standard", "strict"}
	for i := range names[1:] {
		mild, hard := shipped(t, names[i]), shipped(t, names[i+1])
		for _, f := range Findings() {
			if mild.Points[f.ID].Value > hard.Points[f.ID].Value {
				t.Errorf("%s weighs %v in %s, %v in %s", f.ID, mild.Points[f.ID].Value, mild.Baseline, hard.Points[f.ID].Value, hard.Baseline)
			}
		}
	}
}

func shipped(t testing.TB, name string) *Policy {
	t.Helper()
	p, err := Baseline(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What stands in the never column stays under a tempfail, all of it together,
// but in strict. Pairs are looked at with the findings they stand beside: a HELO
// that has nothing to do with a good name of the client.
func TestNeverColumnStaysLight(t *testing.T) {
	beside := map[string]string{"unnamed-elsewhere": "rdns-unconfirmed", "generic-elsewhere": "rdns-generic"}
	for _, name := range []string{"cautious", "standard"} {
		p := shipped(t, name)
		sum := 0.0
		for _, f := range Findings() {
			if f.Alone == AloneNever && beside[f.ID] == "" || f.ID == "unrelated-bare" {
				sum += p.Points[f.ID].Value
			}
		}
		if sum >= p.TempfailScore {
			t.Errorf("%s: the never column alone weighs %v of %v", name, sum, p.TempfailScore)
		}
	}
}

// A pair never outweighs what a server without any name is held against: the
// worse of two states weighs no less, whatever else is said.
func TestPairsKeepTheOrderOfNames(t *testing.T) {
	for _, name := range Baselines() {
		p := shipped(t, name)
		weight := func(ids ...string) (sum float64) {
			for _, id := range ids {
				sum += p.Points[id].Value
			}
			return sum
		}
		if weight("rdns-missing") < weight("rdns-unconfirmed") || weight("rdns-dynamic") < weight("rdns-generic") {
			t.Errorf("%s: no name weighs less than an unconfirmed one, or a dynamic one less than a generic one", name)
		}
		for _, f := range Findings() {
			if f.Alone == AloneNever && weight(f.ID) >= p.TempfailScore {
				t.Errorf("%s: %s defers by itself", name, f.ID)
			}
		}
	}
}

// Each sentence names the address, gives nothing else away, and fits.
func TestBaselineTexts(t *testing.T) {
	for _, name := range Baselines() {
		p, err := Baseline(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Findings() {
			text := p.Texts[f.ID]
			if f.ID == "limit:NAME" {
				continue // a limit says itself what it is, see TestLimits
			}
			if (text != "") != (f.Code != 0) {
				t.Errorf("%s: code %d and text %q", f.ID, f.Code, text)
				continue
			}
			if f.Code == 0 {
				continue
			}
			if strings.Count(text, "{client}") != 1 || text != clean(text) || strings.ContainsAny(text, "%") || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q", f.ID, text)
			}
			const longest = "2001:db8:1111:2222:3333:4444:5555:6666"
			said := strings.ReplaceAll(text, "{client}", longest)
			if said != clip(said) {
				t.Errorf("%s: %d octets over the limit", f.ID, len(said)-maxText)
			}
			for _, secret := range []string{"score", "threshold", "point"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s speaks of a %s", f.ID, secret)
				}
			}
		}
	}
}

func TestBaselineNames(t *testing.T) {
	for name, want := range map[string]string{"standard": "standard@1", "standard@1": "standard@1", "standard@2": "", "lenient": "", "": "", "../x": "", "standard@": ""} {
		p, err := Baseline(name)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken", name)
		case want != "" && (err != nil || p.Baseline != want):
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
	a, b := standard(t), standard(t)
	a.Points["rdns-missing"], a.Bots[0] = Points{Rule: Off}, "x"
	if b.Points["rdns-missing"].Rule == Off || b.Bots[0] == "x" {
		t.Error("two copies share their points")
	}
}

func TestFindingsTable(t *testing.T) {
	infos := Findings()
	seen := map[string]bool{}
	for _, f := range infos {
		if f.ID == "" || seen[f.ID] {
			t.Errorf("id %q is empty or stands twice", f.ID)
		}
		seen[f.ID] = true
		if (f.Code == 0) != (f.Status == "") || f.Code != 0 && f.Status[0] != byte('0'+f.Code/100) {
			t.Errorf("%s: %d %s", f.ID, f.Code, f.Status)
		}
	}
	lifts := infos[slices.IndexFunc(infos, func(f Info) bool { return f.ID == "relation" })].Lifts
	want := []string{"rdns-missing", "rdns-unconfirmed", "rdns-generic", "rdns-dynamic", "rdns-error", "helo-not-fqdn", "helo-unresolvable", "helo-not-client", "helo-unrelated", "helo-generic", "helo-holds-address",
		"unnamed-elsewhere", "unnamed-bare", "generic-elsewhere", "generic-bare", "unrelated-elsewhere", "unrelated-bare", "first-seen"}
	if !slices.Equal(lifts, want) {
		t.Errorf("relation lifts %v", lifts)
	}
}

func TestPointsString(t *testing.T) {
	for want, p := range map[string]Points{"6": {Value: 6}, "0.5": {Value: 0.5}, "-8": {Value: -8}, "0": {}, "off": {Rule: Off}, "monitor": {Value: 3, Rule: Monitor}, "tempfail": {Rule: AtLeastTempfail}} {
		if p.String() != want {
			t.Errorf("%+v: %s", p, p)
		}
	}
}

package dnsbl

// A Kind says what an answer code means.
type Kind uint8

// The kinds.
const (
	Listed Kind = iota // speaks against the subject
	Allow              // speaks for it
	Info               // is logged, weighs nothing
	Error              // the list refuses or misread us: no evidence at all
)

// A Code is one row of what a list may answer.
type Code struct {
	Answer  string // as declared: "127.0.0.2", "127.0.1.0/24", "127.0.0.2-127.0.0.9", "127.0.*.2"
	Match   string // how: exact, cidr, range, pattern:..., bitmask:N (bits of the last octet), other
	Meaning string // for people
	Kind    Kind
	Points  float64 // above 0 for Listed, below 0 for Allow, else 0
	Suspect bool    // such an answer is a reason to suspend the list
}

// Weigh adds up the points of what a list answered: the sum of its codes, but at
// most the heaviest plus 2, and likewise for codes that speak for the client. A
// code of kind Error beats all others: then nothing is known.
func Weigh(matches []Match) float64 {
	var sum, most, lift, least float64
	for _, m := range matches {
		if m.Code == nil {
			continue
		}
		if m.Code.Kind == Error {
			return 0
		}
		if p := m.Code.Points; p > 0 {
			sum, most = sum+p, max(most, p)
		} else {
			lift, least = lift+p, min(least, p)
		}
	}
	return min(sum, most+heaped) + max(lift, least-heaped)
}

// heaped is what further codes of a list may add to its heaviest one.
const heaped = 2

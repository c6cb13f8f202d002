package admin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Candidate is a second policy that is judged beside the one that speaks. Figures are
// since Since, when this pair of policies began; Skipped and Panics since the start.
type Candidate struct {
	Path     string   `json:"path"`
	Policy   string   `json:"policy"`   // "" where it cannot be used
	Mistakes []string `json:"mistakes"` // why not, as check prints them

	Since    time.Time         `json:"since,omitzero"`
	Judged   uint64            `json:"judged"`  // answers
	Differ   uint64            `json:"differ"`  // of these
	Answers  []CandidateAnswer `json:"answers"` // by what was said and what it would have said
	Senders  []CandidateSender `json:"senders"` // those it would answer otherwise, most concerned first
	Unlisted int               `json:"unlisted"`
	Skipped  uint64            `json:"skipped"` // transactions that it had no time for
	Panics   uint64            `json:"panics"`
}

// A CandidateAnswer counts answers by both policies.
type CandidateAnswer struct {
	Action    string `json:"action"`
	Candidate string `json:"candidate_action"`
	Count     uint64 `json:"count"`
}

// A CandidateSender is an operator or a network that the candidate would answer otherwise.
type CandidateSender struct {
	Name    string  `json:"sender"`
	Answers int     `json:"answers"`
	Changes []Count `json:"changes"` // "continue -> tempfail"
	Why     []Count `json:"why"`     // "+id": weighs more with the candidate, "-id": less
	Client  string  `json:"client"`  // for instance
	PTR     string  `json:"ptr"`
	Helo    string  `json:"helo"`
}

// A Count is how often there was something.
type Count struct {
	Name  string `json:"name"`
	Times int    `json:"times"`
}

var (
	candidateAnswers = desc("candidate_verdicts_total", "Answers judged once more by the candidate: by what was said, and what it would have said. They begin anew with another pair of policies.", "action", "candidate_action")
	candidateTried   = desc("candidate_tried", "Whether the candidate is judged: 0 while its file has mistakes.")
	candidateSkipped = desc("candidate_skipped_total", "Transactions that the candidate had no time for.")
	candidatePanics  = desc("candidate_panics_total", "Panics of our own where the candidate was judged, without harm to mail.")
)

var candidateDescs = []*prometheus.Desc{candidateAnswers, candidateTried, candidateSkipped, candidatePanics}

func (c *Candidate) collect(to chan<- prometheus.Metric) {
	if c == nil {
		return
	}
	to <- gauge(candidateTried, truth(c.Policy != ""))
	to <- counter(candidateSkipped, c.Skipped)
	to <- counter(candidatePanics, c.Panics)
	for _, a := range c.Answers {
		to <- counter(candidateAnswers, a.Count, a.Action, a.Candidate)
	}
}

package engine

import (
	"time"

	"mailprofiled/profile"
)

// A Record is everything behind the answers to one visit, as explain and why
// print it in JSON.
type Record struct {
	ID         string            `json:"id"`
	Client     string            `json:"client"`
	PTR        string            `json:"ptr"`
	Helo       string            `json:"helo"`
	From       string            `json:"from"`
	Account    string            `json:"account"`
	Listener   string            `json:"listener,omitempty"` // the place where the MTA came in, where one was told
	Role       string            `json:"role,omitempty"`     // of that: mx, submission
	Stage      string            `json:"stage"`
	Mode       string            `json:"mode"`
	Score      float64           `json:"score"`
	Findings   []RecordFinding   `json:"findings"`
	Recipients []RecordRecipient `json:"recipients"`
	Lookups    []RecordLookup    `json:"lookups"`
	ListsAway  []RecordListAway  `json:"lists_away"` // DNS lists in use that were not asked, as they do not count now
	Identity   RecordIdentity    `json:"identity"`
	Policy     string            `json:"policy"`
	TookMS     float64           `json:"took_ms"`

	// Of why alone.
	When           time.Time `json:"when,omitzero"`            // of MAIL
	Queue          string    `json:"queue,omitempty"`          // the MTA's name of the message
	Taken          bool      `json:"taken,omitempty"`          // the MTA has taken it
	RecipientsMore int       `json:"recipients_more,omitzero"` // that are not listed
	LookupsMore    int       `json:"lookups_more,omitzero"`    // likewise

	Thresholds []RecordSetting `json:"thresholds,omitempty"` // by which the score was judged; absent where another policy is in force by now
}

// A RecordSetting is a setting and where it was made.
type RecordSetting struct {
	Key   string  `json:"key"`
	Value float64 `json:"value"`
	Where string  `json:"where"` // "file:line", "baseline standard@1"
}

// A RecordFinding is a finding in a Record.
type RecordFinding struct {
	ID       string  `json:"id"`
	Points   float64 `json:"points"`
	Detail   string  `json:"detail"`
	Monitor  bool    `json:"monitor,omitempty"`
	Tempfail bool    `json:"tempfail,omitempty"`
	Stale    bool    `json:"stale,omitempty"`
	Where    string  `json:"where,omitempty"` // of why: what gave it its weight, as in RecordSetting; absent where another policy is in force by now
}

// A RecordRecipient is the answer to one recipient: to some valid user where Rcpt is "".
type RecordRecipient struct {
	Rcpt     string          `json:"rcpt"`
	Action   string          `json:"action"`
	Code     int             `json:"code"`
	Status   string          `json:"status"`
	By       string          `json:"by,omitempty"` // the finding whose sentence was said
	Text     string          `json:"text"`
	Score    float64         `json:"score"`
	Findings []RecordFinding `json:"findings"`
	Reply    string          `json:"reply,omitempty"` // of why: the line as it was said; "" where nothing was

	Directory []string `json:"directory,omitempty"` // what each source says of it, and by which line or question
}

// A RecordLookup is one question and its answer.
type RecordLookup struct {
	Question string   `json:"question"`
	Type     string   `json:"type"`
	Answer   []string `json:"answer"` // what was found, "none", or "unknown: REASON"
	Source   string   `json:"source"` // cache, dns, given, daemon
	MS       float64  `json:"ms"`
	AgeS     float64  `json:"age_s,omitempty"` // of an answer out of the cache: for how long it had been known, whole seconds
	Stale    bool     `json:"stale,omitempty"`
}

// A RecordListAway is a DNS list that was not asked, and why.
type RecordListAway struct {
	List   string    `json:"list"`
	State  string    `json:"state"` // as the command lists has it: untested, refused, empty, lists-all, silent, suspended
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy"`
	Since  time.Time `json:"since,omitzero"`
	Missed time.Time `json:"missed_until,omitzero"` // until then nothing is refused that this list could have lifted
}

// A RecordIdentity says whether the address has a record for the domain it claims.
type RecordIdentity struct {
	Answer string `json:"answer"` // yes, no, unknown
	By     string `json:"by"`     // spf, mx, a, ptr, helo; "" unless yes
}

func recordFindings(findings []profile.Finding) []RecordFinding {
	out := make([]RecordFinding, 0, len(findings))
	for _, f := range findings {
		out = append(out, RecordFinding{ID: f.ID, Points: f.Points, Detail: f.Detail, Monitor: f.Monitor, Tempfail: f.Tempfail, Stale: f.Stale})
	}
	return out
}

func inMS(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func inSeconds(d time.Duration) float64 { return float64(d / time.Second) }

// PointsText is the finding's points as log and explain show them.
func (f RecordFinding) PointsText() string {
	return PointsText(profile.Finding{Points: f.Points, Monitor: f.Monitor, Tempfail: f.Tempfail})
}

package profile

// An Action is what the MTA is told. The zero Action lets the mail go on.
type Action uint8

const (
	Continue Action = iota
	TempFail        // 4yz, RFC 5321 section 4.2.1
	Reject          // 5yz
)

// String gives the word used in log, JSON and metrics.
func (a Action) String() string {
	switch a {
	case TempFail:
		return "tempfail"
	case Reject:
		return "reject"
	}
	return "continue"
}

// A Finding is one thing learned of the client, worded for the operator.
type Finding struct {
	ID       string  // stable, the same in config, log, metrics and tests: "helo-literal-mismatch"
	Detail   string  // may quote client data; never sent to the client
	Points   float64 // what it adds to the score; negative speaks for the client
	Monitor  bool    // judged and said, not counted: Points is 0
	Tempfail bool    // asks for at least a tempfail, score unchanged ("tempfail" in [points])
	Stale    bool    // rests on an answer served past its expiry: cannot support a reject
}

// A Verdict is the answer for one recipient, and why. The zero Verdict lets the mail go on.
type Verdict struct {
	Action   Action
	Code     int       // basic reply code, 0 on Continue
	Status   string    // enhanced status code (RFC 3463), "" on Continue
	Speaker  string    // id of the finding whose reply this is, "" where none has one
	Text     string    // US-ASCII, one line, no codes, no id; of client data only its address
	Score    float64   // visit and recipient together
	Findings []Finding // the recipient's own; the visit's stand in its Judgement. A lift of the visit stands here too, with positive points, where it has points left that may not be spent on these
	ForScore bool      // a tempfail for a score below reject_score: an honest retry passes
	Capped   bool      // the score asks for a reject; a law made it a tempfail
}

// An Identity answers: has the address a record for the domain it claims?
type Identity struct {
	Answer string // "yes", "no", "unknown"
	By     string // "spf", "mx", "a", "ptr", "helo"; "" unless yes
}

package engine

import (
	"mailprofiled/profile"
)

// Given are the facts of a visit that somebody has recorded. What is zero is not
// known, and not held against the client.
type Given struct {
	Client     Client
	RDNS       profile.RDNS
	Helo       profile.Helo // with what is known of its Host
	From       string       // with brackets, "<>" for the null sender; "" is not known
	DomainOnly bool         // of From no more than the domain is known
	SPF        profile.SPF
	Account    string   // "" when not authenticated
	Rcpts      []string // with brackets; none: some valid user
	Anew       bool     // it cannot be told from a retry: memory of deferrals is left out
	NotTaken   bool     // the message is known not to have come to its end: nothing good is remembered of it
	Unknown    int      // recipients that the MTA refused then, since they do not exist
	Ask        bool     // ask DNS and the lists for what is not known; without it, nothing is asked
}

// Replayed is what the policy says of a Given. Where recipients are answered
// differently, it is the harshest answer.
type Replayed struct {
	Verdict profile.Verdict
	Visit   []profile.Finding // the visit's own; shared, not to be changed
}

// FindingsText is the findings as the log has them: id:points, heaviest first.
func (r *Replayed) FindingsText() string { return findingsText(r.Visit, r.Verdict.Findings) }

// Findings are all of them, heaviest first; not to be changed.
func (r *Replayed) Findings() []profile.Finding {
	return profile.HeaviestFirst(r.Visit, r.Verdict.Findings)
}

// A Replay is a visit that is judged by given facts. Its look-ups, if any, begin
// with it.
type Replay struct{ v *Visit }

// Begin opens a replay. The caller calls Judge, once, and from one goroutine.
func (e *Engine) Begin(g Given) *Replay {
	g.Client.Addr = g.Client.Addr.Unmap().WithZone("")
	v := newVisit(e, g.Client)
	v.quiet, v.given = true, &g
	v.transactions = 1
	v.rdns, v.helo = known(g.RDNS), known(g.Helo)
	v.tx = v.newTransaction(Mail{From: g.From, Account: g.Account})
	v.tx.spf = known(g.SPF)
	v.tx.deed.ended = !g.NotTaken
	if !v.tx.path.Null {
		v.tx.deed.unknown = g.Unknown
	}
	switch {
	case g.From != "":
		v.tx.sender = known(v.tx.path)
	case g.SPF.Outcome != profile.SPFNotAsked:
		v.tx.sender = known(somebody)
	}
	if g.Ask && v.tx.trust == profile.Stranger {
		v.askMissing(&g)
	}
	return &Replay{v}
}

// somebody is a sender who is not known, of a visit that SPF was asked about: there
// was a MAIL. Nothing can be said of him, and no domain is claimed.
var somebody = profile.ParseSender("<?@[0.0.0.0]>")

// askMissing starts the look-ups for what is not given.
func (v *Visit) askMissing(g *Given) {
	if g.RDNS.Outcome == profile.NotAsked && !g.RDNS.Nameless || forwardUnknown(&g.RDNS) {
		v.askReverse()
	}
	if g.Helo.Given == profile.Shown && g.Helo.Host.A == profile.NotAsked && g.Helo.Host.AAAA == profile.NotAsked {
		v.askHelo(g.Helo)
	}
	if g.From != "" {
		v.askSender()
		if g.SPF.Outcome == profile.SPFNotAsked {
			v.askSPF()
		}
	}
	v.askMailLists()
}

// forwardUnknown reports whether it was not recorded if a name leads back.
func forwardUnknown(r *profile.RDNS) bool {
	for _, name := range r.Names {
		if name.Forward == profile.ForwardNotAsked {
			return true
		}
	}
	return false
}

// Judge waits for look-ups, at most the budget, answers, and ends the visit: what
// goes on counts in the limits, who is deferred may come back, and the server is
// remembered, as far as the engine has a memory for each.
func (r *Replay) Judge() Replayed {
	v := r.v
	defer v.Close()
	v.tx.began = v.e.o.Now()
	deadline := v.tx.began.Add(v.e.o.Budget)
	v.judge(deadline)
	v.confirmLists(nil, deadline)
	out := Replayed{Visit: v.tx.judgement.Findings}
	if v.stage() == StageMail {
		out.Verdict = v.limited(v.ownWords(v.decide(nil), nil, deadline), nil)
	} else {
		out.Verdict = v.replayRcpts()
	}
	v.tx.deed.behaved = max(0, v.tx.deed.behaved-v.given.Unknown) // they stand among the recipients
	if v.tx.accepted > 0 {
		v.commitLimits()
	}
	return out
}

// replayRcpts answers each recipient, and gives the harshest answer: of equal ones
// that with the highest score, and of those the first.
func (v *Visit) replayRcpts() (worst profile.Verdict) {
	rcpts := v.given.Rcpts
	if len(rcpts) == 0 {
		rcpts = []string{""}
	}
	deadline := v.tx.began.Add(v.e.o.Budget)
	for i, raw := range rcpts {
		rcpt := v.recipient(raw, i+1)
		v.confirmLists(&rcpt, deadline)
		verdict := v.limited(v.ownWords(v.decide(&rcpt), &rcpt, deadline), &rcpt)
		v.noteAnswer(&rcpt, &verdict)
		if verdict.Action == profile.Continue {
			v.tx.accepted++
		}
		if i == 0 || verdict.Action > worst.Action || verdict.Action == worst.Action && verdict.Score > worst.Score {
			worst = verdict
		}
	}
	return worst
}

package engine

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// A Visit is one client connection. Its methods are called from one goroutine;
// look-ups write their answers from goroutines of their own, under mu. A late
// answer to an earlier HELO or MAIL goes into facts that nobody reads any more.
type Visit struct {
	e          *Engine
	client     Client
	us         *profile.Us
	trust      profile.Trust // before authentication
	trace      *trace        // of explain; nil otherwise
	notes      *notes        // of the questions that went out, for the record; nil before
	limitsOnly bool          // see ConnectLimited
	quiet      bool          // nobody is told of it: of explain and replay
	given      *Given        // of replay; nil otherwise

	ctx    context.Context // ends with the visit; made when the first question goes out
	cancel context.CancelFunc

	mu   sync.Mutex
	rdns *asked[profile.RDNS]
	helo *asked[profile.Helo]

	belonging belonging // for the operator's own rules

	lists        clientLists
	limits       *ratelimit.Transaction // nil until something is counted
	tx           *transaction           // nil outside a transaction
	transactions int                    // begun
}

func newVisit(e *Engine, c Client) *Visit {
	return &Visit{
		e: e, client: c, us: e.usOf(c.MTA), trust: e.trustOf(c),
		rdns: known(profile.RDNS{}),
		helo: known(profile.Helo{Given: profile.Unseen}),
	}
}

// Helo notes how the client names itself, and starts what can be asked about
// the name. It does not block. The last HELO counts (RFC 5321 section 4.1.4).
func (v *Visit) Helo(name string) {
	if v.limitsOnly {
		return
	}
	defer v.waited(StageHelo, v.clock())
	v.askHelo(profile.Helo{Given: profile.Shown, Name: name})
	if v.asksAtOnce() {
		v.askHeloLists(name)
	}
}

// Mail opens a transaction and drops one that is open. It blocks only when the
// answer is to be given at MAIL.
func (v *Visit) Mail(m Mail) Answer {
	defer v.waited(StageMail, v.clock())
	v.finish()
	v.notes.forgetMail()
	v.tx = v.newTransaction(m)
	v.transactions++
	if v.limitsOnly {
		if v.e.answersAtMail(v.client.Door) {
			return v.answerLimits(nil, StageMail)
		}
		return Answer{}
	}
	if v.heloGiven() == profile.Unseen {
		v.helo = known(profile.Helo{Given: profile.Withheld})
	}
	if v.tx.trust == profile.Stranger {
		v.askAgain()
		v.askSender()
		v.askSPF()
		v.askMailLists()
	} else {
		v.sampleLists()
	}
	v.askAuthLists()
	if a, denied := v.denyAtMail(); denied {
		return a
	}
	if a, fishing := v.harvestAtMail(); fishing {
		return a
	}
	if !v.e.answersAtMail(v.client.Door) {
		return Answer{}
	}
	return v.answer(nil, StageMail)
}

// Rcpt judges one recipient. The first one waits for what is still out, at most
// the budget; the answers known then hold for the whole transaction.
func (v *Visit) Rcpt(r Rcpt) Answer {
	if v.tx == nil {
		v.tx = v.newTransaction(Mail{}) // an MTA would not; a peer of our own might
	}
	if r.QueueID != "" {
		v.tx.queueID = r.QueueID
	}
	v.tx.tried++
	if r.Refused {
		if !v.limitsOnly {
			v.noteRefused(&r)
			v.refusedByMTA(r)
		}
		return Answer{} // the MTA's own reply goes out whatever we say
	}
	defer v.waited(StageRcpt, v.clock())
	v.tx.rcpts++
	var a Answer
	if v.limitsOnly {
		a = v.answerLimits(&profile.Recipient{Raw: r.To, Number: v.tx.rcpts}, StageRcpt)
	} else {
		rcpt := v.recipient(r.To, v.tx.rcpts)
		a = v.answer(&rcpt, StageRcpt)
	}
	if a.Action == profile.Continue {
		v.tx.accepted++
		v.noteShut(r.To)
	}
	return a
}

// recipient is one RCPT as profile judges it.
func (v *Visit) recipient(raw string, number int) profile.Recipient {
	return profile.Recipient{Raw: raw, Number: number, Exempt: v.e.exempt[profile.Mailbox(raw)], Local: v.localRcpt(raw)}
}

// EndOfMessage ends the transaction: the MTA has the message, and takes it unless its account
// was blocked since its recipients were let go on. It does not block.
func (v *Visit) EndOfMessage(queueID string) Answer {
	if v.tx == nil {
		return Answer{}
	}
	defer v.waited(StageEOM, v.clock())
	if queueID != "" {
		v.tx.queueID = queueID
	}
	tx := v.tx
	if a, blocked := v.blockedAtEnd(); blocked {
		v.finish() // it gives back what was counted
		return a
	}
	tx.deed.ended = true
	v.commitLimits()
	v.watchSent()
	v.finish()
	v.logMessage(tx)
	return Answer{}
}

// Abort drops the transaction, if one is open.
func (v *Visit) Abort() { v.finish() }

// Close ends the visit and lets go of its look-ups.
func (v *Visit) Close() {
	v.finish()
	if v.cancel != nil {
		v.cancel()
	}
}

// finish ends the transaction, if one is open: its verdicts are logged, and
// its look-ups let go of.
func (v *Visit) finish() {
	if v.tx == nil {
		return
	}
	v.releaseLimits()
	v.remember()
	v.logVerdicts(v.tx)
	v.tellSecond()
	v.record()
	v.noteLost()
	v.tx.sender.letGo()
	v.tx.spf.letGo()
	if v.tx.suspect.lists != nil {
		v.tx.suspect.lists.letGo()
	}
	if v.tx.lists != nil {
		v.tx.lists.letGo()
	}
	v.tx = nil
}

// A transaction is one MAIL and what follows it.
type transaction struct {
	id       string
	began    time.Time
	mail     Mail
	account  string // that mail.Account is counted as; "" when not authenticated
	trust    profile.Trust
	path     profile.Sender // of mail.From, as it reads
	sender   *asked[profile.Sender]
	spf      *asked[profile.SPF]
	lists    *asked[[]listHit] // of the sender's domain, or of the client as one that bounces; may be nil
	queueID  string
	rcpts    int // judged, the refused among them
	accepted int
	tried    int    // RCPTs, with those that the MTA refused itself
	deferred int    // recipients noted for an honest retry
	passed   bool   // it is one
	operator string // of the client, as the session has it; "" for none
	caller   memory.Caller
	standing string // of the server, by its memory; "": nobody was asked
	deed     deed
	called   bool // caller is known

	judgement *profile.Judgement // from the first answer on
	session   profile.Session    // what was judged
	heard     []listHit          // what the lists said
	listHits  []listHit          // what of that counts: session.Lists, in the same order
	confirmed map[confirmation]bool
	unlisted  *profile.Judgement // of session without what lists have against the client; nil until needed
	worded    bool               // a list was asked for its own words
	suspect   suspect            // its account
	block     *ratelimit.Block   // of the account, as the session has it
	shut      string             // the first recipient that went on, and to whom a blocked account may not write
	counted   *ratelimit.Subject // in the limits; nil before
	overMail  []profile.LimitHit // limits that only tell of the mail, until they have
	toldOf    []string           // limits that Limits.Watch was told of
	deadline  time.Time          // of all that is asked for one reply; zero: before the first
	took      time.Duration      // the longest wait of a reply
	verdicts  []spoken
	said      []saying // for a Second
	keeping   keeping  // for the record
}

func (v *Visit) newTransaction(m Mail) *transaction {
	tx := &transaction{
		id: newID(), began: v.e.o.Now(), mail: m, trust: v.trust, queueID: m.QueueID,
		path: profile.ParseSender(m.From), sender: known(profile.Sender{}), spf: known(profile.SPF{}),
	}
	if m.Account != "" {
		tx.account = v.e.o.AccountKey(m.Account)
	}
	if m.Account != "" && v.e.o.Exempt.Authenticated && tx.trust == profile.Stranger {
		tx.trust = profile.Authenticated
	}
	v.startKeeping(tx)
	return tx
}

// answer judges a recipient, or the transaction where rcpt is nil.
func (v *Visit) answer(rcpt *profile.Recipient, stage string) Answer {
	start := v.e.o.Now()
	deadline := start.Add(v.e.o.Budget) // of all that is asked for this reply
	v.tx.deadline = deadline
	box := v.askMailbox(rcpt, deadline)
	v.judge(deadline)
	v.takeMailbox(rcpt, box)
	v.confirmLists(rcpt, deadline)
	v.watchAccount(rcpt)
	v.heedBlock()
	verdict := v.ownWords(v.decide(rcpt), rcpt, deadline)
	v.noteForSecond(rcpt, &verdict)
	verdict = v.limited(verdict, rcpt)
	v.noteAnswer(rcpt, &verdict)
	v.tx.took = max(v.tx.took, v.e.o.Now().Sub(start))
	place, first := v.tx.note(&verdict, rcpt, stage)
	if first {
		v.observed(&verdict, stage)
		v.swayed(rcpt)
	}
	v.keep(place, &verdict, rcpt, box)
	if v.e.o.Monitor {
		return Answer{}
	}
	return v.reply(verdict)
}

// judge waits for what is out and asks profile, once in a transaction: the same
// unknowns are not waited for twice, and no recipient is judged by other facts
// than the one before.
func (v *Visit) judge(deadline time.Time) {
	if v.tx.judgement != nil {
		return
	}
	v.gather(deadline)
	v.tx.keeping.inTime = v.notes.count()
	v.take(v.counted())
	v.watchLists()
}

// take judges by what is known now; ask says how the operator's rules are asked.
func (v *Visit) take(ask match) {
	tx := v.tx
	tx.session = v.facts()
	tx.session.Local = v.localHits(&tx.session, ask)
	tx.block = v.blockNow()
	tx.session.Blocked = blockFact(tx.block)
	tx.dropDoubted()
	v.reckon()
}

// reckon has profile judge the session.
func (v *Visit) reckon() {
	v.tx.judgement, v.tx.unlisted = profile.Judge(&v.tx.session, v.e.o.Policy), nil
}

// reply turns a verdict into what the MTA is told.
func (v *Visit) reply(verdict profile.Verdict) Answer {
	return v.e.answer(v.tx.id, &verdict)
}

// answer is a verdict on the transaction of that id, as the MTA is told.
func (e *Engine) answer(id string, verdict *profile.Verdict) Answer {
	if verdict.Action == profile.Continue {
		return Answer{}
	}
	return Answer{
		Action: verdict.Action, Code: verdict.Code, Status: verdict.Status, Text: verdict.Text,
		Help: helpURL(e.o.HelpURL, id, verdict.Speaker), ID: id,
	}
}

// helpURL fills a link in. {finding} is the finding that speaks, without the name of a
// list or limit: "dnsbl" of "dnsbl:spamcop"; "policy" where none does.
func helpURL(link, id, speaker string) string {
	if link == "" {
		return ""
	}
	kind, _, _ := strings.Cut(speaker, ":")
	return strings.NewReplacer("{id}", id, "{finding}", cmp.Or(kind, "policy")).Replace(link)
}

func (v *Visit) heloGiven() profile.Given {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.helo.value.Given
}

// facts is a snapshot of what is known. What was asked and is not back yet
// stands in it as failed.
func (v *Visit) facts() profile.Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	tx := v.tx
	tx.heard, tx.listHits = v.listHits(), nil
	v.rdns.value.Read(v.client.Addr)
	tx.operator = v.rdns.value.Operator(v.client.Addr)
	if tx.trust == profile.Stranger { // one that has logged in may have been asked about before (law 4)
		tx.listHits = tx.heard
	}
	return profile.Session{
		Lists:  listFacts(tx.listHits),
		Client: v.client.Addr,
		Trust:  tx.trust,
		Us:     v.us,
		RDNS:   v.rdns.value,
		Helo:   v.helo.value,
		Sender: tx.sender.value,
		SPF:    tx.spf.value,

		History: v.history(),
		Trap:    v.trapped(),
	}
}

// await waits for the look-ups that are out, until the deadline, and reports
// whether all are back.
func (v *Visit) await(deadline time.Time) bool {
	if v.tx.trust != profile.Stranger {
		return true
	}
	var timer *time.Timer
	room := [8]<-chan struct{}{v.rdns.done, v.helo.done, v.tx.sender.done, v.tx.spf.done}
	out := room[:4]
	for _, lists := range v.outLists() {
		if lists != nil {
			out = append(out, lists.done)
		}
	}
	for _, done := range out {
		if over(done) {
			continue
		}
		if timer == nil {
			timer = time.NewTimer(deadline.Sub(v.e.o.Now()))
			defer timer.Stop()
		}
		select {
		case <-done:
		case <-timer.C:
			return false
		}
	}
	return true
}

// newID returns the id of a transaction: 12 of [0-9a-z], 62 bits of chance, so
// that nobody finds another's record by guessing.
func newID() string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var id [12]byte
	n := rand.Uint64()
	for i := range id {
		id[i] = digits[n%36]
		n /= 36
	}
	return string(id[:])
}

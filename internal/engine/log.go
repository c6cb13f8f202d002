package engine

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/logging"
	"mailprofiled/profile"
)

// VerdictMessage is what the line of a verdict has for its msg.
const VerdictMessage = "verdict"

// The keys of the log, in the order in which they stand in a line. They are a
// promise to operators; absent ones are left out.
const (
	keyID       = "id"
	keyClient   = "client"
	keyPTR      = "ptr"
	keyHelo     = "helo"
	keyFrom     = "from"
	keyRcpts    = "rcpts"
	keyRcpt     = "rcpt"
	keyAccount  = "account"
	keyStage    = "stage"
	keyAction   = "action"
	keyCode     = "code"
	keyStatus   = "status"
	keyScore    = "score"
	keyFindings = "findings"
	keyPolicy   = "policy"
	keyMode     = "mode"
	keyTook     = "took"
	keyQueue    = "queue"
	keySigns    = "signs"
	keyDetail   = "detail"
)

// spoken is one distinct answer of a transaction, and to whom it was given.
type spoken struct {
	verdict  profile.Verdict
	findings string
	stage    string
	rcpts    int
	rcpt     string // the first
	nobody   bool   // which is known not to exist
}

// maxSpoken bounds the distinct answers kept of one transaction: findings of
// single recipients are few.
const maxSpoken = 32

// note counts a verdict with those that are the same to the reader of the log,
// gives its place among tx.verdicts, -1 for none, and reports whether it is the first of its kind.
func (tx *transaction) note(verdict *profile.Verdict, rcpt *profile.Recipient, stage string) (place int, first bool) {
	if rcpt == nil && verdict.Action == profile.Continue {
		return -1, false // answered at MAIL, and it goes on: the recipients will say more
	}
	count, to, nobody := 0, "", false
	if rcpt != nil {
		count, to, nobody = 1, rcpt.Raw, rcpt.Mailbox == profile.MailboxNone
	}
	findings := findingsText(tx.judgement.Findings, verdict.Findings)
	for i := range tx.verdicts {
		s := &tx.verdicts[i]
		if s.verdict.Action == verdict.Action && s.verdict.Code == verdict.Code &&
			s.verdict.Status == verdict.Status && s.findings == findings {
			s.rcpts += count
			return i, false
		}
	}
	if len(tx.verdicts) == maxSpoken {
		tx.verdicts[maxSpoken-1].rcpts += count
		return maxSpoken - 1, false
	}
	tx.verdicts = append(tx.verdicts, spoken{*verdict, findings, stage, count, to, nobody})
	return len(tx.verdicts) - 1, true
}

// logVerdicts writes a line for each distinct answer of the transaction. One
// without any recipient of ours to judge has a line too: there was a MAIL.
func (v *Visit) logVerdicts(tx *transaction) {
	if v.quiet || v.limitsOnly && len(tx.verdicts) == 0 {
		return
	}
	if len(tx.verdicts) == 0 {
		v.mu.Lock()
		tx.session = profile.Session{RDNS: v.rdns.value, Helo: v.helo.value}
		v.mu.Unlock()
		tx.verdicts = append(tx.verdicts, spoken{stage: StageMail})
		v.observed(&tx.verdicts[0].verdict, StageMail)
	}
	for i := range tx.verdicts {
		v.logVerdict(tx, &tx.verdicts[i])
	}
}

func (v *Visit) logVerdict(tx *transaction, s *spoken) {
	var room [20]slog.Attr
	attrs := append(room[:0], slog.String(keyID, tx.id))
	attrs = v.appendClient(attrs)
	attrs = appendText(attrs, keyPTR, v.e.shownName(tx.session.RDNS.Shown()))
	if tx.session.Helo.Given == profile.Shown {
		attrs = append(attrs, slog.String(keyHelo, logging.Clip(v.e.shownName(tx.session.Helo.Name))))
	}
	attrs = append(attrs, slog.String(keyFrom, logging.Clip(v.e.shownAddress(tx.mail.From))), slog.Int(keyRcpts, s.rcpts))
	attrs = appendText(attrs, keyRcpt, v.e.shownRcpt(s))
	attrs = appendText(attrs, keyAccount, v.e.shownAddress(tx.mail.Account))
	attrs = append(attrs, slog.String(keyStage, s.stage), slog.String(keyAction, s.verdict.Action.String()))
	if s.verdict.Action != profile.Continue {
		attrs = append(attrs, slog.Int(keyCode, s.verdict.Code), slog.String(keyStatus, s.verdict.Status))
	}
	attrs = append(attrs, slog.Float64(keyScore, s.verdict.Score))
	attrs = appendText(attrs, keyFindings, s.findings)
	attrs = append(attrs, slog.String(keyPolicy, v.e.o.PolicyID), slog.String(keyMode, v.e.mode()),
		slog.String(keyTook, milliseconds(tx.took)))
	v.e.line(VerdictMessage, attrs)
}

func (v *Visit) logMessage(tx *transaction) {
	if v.quiet {
		return
	}
	var room [6]slog.Attr
	attrs := append(room[:0], slog.String(keyID, tx.id))
	attrs = v.appendClient(attrs)
	attrs = appendText(attrs, keyAccount, v.e.shownAddress(tx.mail.Account))
	attrs = appendText(attrs, keyQueue, tx.queueID)
	attrs = append(attrs, slog.Int(keyRcpts, tx.accepted))
	v.e.line("message", attrs)
}

// line writes a line at level info. It goes to the handler itself: a Logger
// would first find out the caller's source line, at the cost of the whole line.
func (e *Engine) line(msg string, attrs []slog.Attr) {
	ctx, h := context.Background(), e.o.Logger.Handler()
	if !h.Enabled(ctx, slog.LevelInfo) {
		return
	}
	r := slog.NewRecord(e.o.Now(), slog.LevelInfo, msg, 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(ctx, r) // the writer behind it counts what it cannot write
}

// shownAddress is a sender, recipient or account as log lines show it. Hashed, all
// ways to write one address are one token, and so are the sender, the recipient
// and the account of one name. The null sender is nobody's.
func (e *Engine) shownAddress(raw string) string {
	if e.o.Hash == nil || raw == "" || raw == "<>" {
		return raw
	}
	return e.o.Hash.Token(profile.Mailbox(raw))
}

// shownRcpt is the recipient of an answer. One that does not exist is never shown: it
// may be a password, or somebody else's address with a slip in it.
func (e *Engine) shownRcpt(s *spoken) string {
	if s.nobody && e.o.HashUnknown != nil {
		return e.o.HashUnknown.Token(profile.Mailbox(s.rcpt))
	}
	return e.shownAddress(s.rcpt)
}

// shownName is a name of a host as log lines show it. One with an @ is none:
// clients and their DNS may say what they like, a mail address among it.
func (e *Engine) shownName(name string) string {
	if e.o.Hash == nil || !strings.ContainsRune(name, '@') {
		return name
	}
	return e.o.Hash.Token(profile.Mailbox(name))
}

func (v *Visit) appendClient(attrs []slog.Attr) []slog.Attr {
	if !v.client.Addr.IsValid() {
		return attrs
	}
	return append(attrs, slog.String(keyClient, v.client.Addr.String()))
}

func appendText(attrs []slog.Attr, key, text string) []slog.Attr {
	if text == "" {
		return attrs
	}
	return append(attrs, slog.String(key, logging.Clip(text)))
}

func (e *Engine) mode() string {
	if e.o.Monitor {
		return "monitor"
	}
	return "enforce"
}

// milliseconds gives a wait as the log shows it: 12.3ms.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + "ms"
}

// findingsText is id:points,id:points, heaviest first, the visit's and the
// recipient's own together.
func findingsText(visit, own []profile.Finding) string {
	if len(visit)+len(own) == 0 {
		return ""
	}
	all := profile.HeaviestFirst(visit, own)
	var b strings.Builder
	for i, f := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.ID)
		b.WriteByte(':')
		b.WriteString(PointsText(f))
	}
	return b.String()
}

// speaker is the finding that an answer was given by, "" where mail goes on.
func speaker(v *profile.Verdict) string {
	if v.Action == profile.Continue {
		return ""
	}
	return v.Speaker
}

// PointsText is a finding's points as log and explain show them.
func PointsText(f profile.Finding) string {
	switch {
	case f.Monitor:
		return "monitor"
	case f.Tempfail:
		return "tempfail"
	}
	return strconv.FormatFloat(f.Points, 'f', -1, 64)
}

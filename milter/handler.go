package milter

import "mailprofiled/internal/engine"

// A Handler judges the sessions of an MTA. It is called from many goroutines.
type Handler interface {
	// Connect opens a session. It must not block: the MTA holds back its
	// greeting until it returns.
	Connect(engine.Client) Session
}

// HandlerFunc lets a function serve as a Handler.
type HandlerFunc func(engine.Client) Session

// Connect calls f.
func (f HandlerFunc) Connect(c engine.Client) Session { return f(c) }

// A Limiter is a Handler that can do with less: where there is no place for a
// session, or one has panicked, limits hold all the same.
type Limiter interface {
	Handler
	// ConnectLimited opens a session that judges by limits alone. It must not block.
	// What it lets go on is answered by Config.OnFailure. after is the session that
	// has panicked, and is closed behind it: its transaction and what that holds of
	// limits pass over. It is nil where there was none. A nil Session: there are no limits.
	ConnectLimited(c engine.Client, after Session) Session
}

// A Session is one client connection of the MTA. The calls come from one
// goroutine, in SMTP order; Close is the last and comes exactly once, also when
// the connection breaks or an earlier call has panicked.
type Session interface {
	// Helo may come again (a second EHLO, STARTTLS): the last one counts. It must not block.
	Helo(name string)
	// Mail opens a transaction; one that is open is dropped by it.
	Mail(engine.Mail) engine.Answer
	// Rcpt may wait for outside answers, within the handler's own budget.
	Rcpt(engine.Rcpt) engine.Answer
	// EndOfMessage ends the transaction: the MTA has the message, and takes it if the answer
	// is to go on. queueID is {i} as known then, or "". It must not block.
	EndOfMessage(queueID string) engine.Answer
	// Abort drops the transaction, if one is open; connect and HELO facts stay.
	// Postfix sends it after every message too, often twice.
	Abort()
	// Close ends the session and lets go of everything.
	Close()
}

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/trend"
)

// A Control is what can be asked of a daemon over its control socket. The
// functions are called from many goroutines.
type Control struct {
	Status func() *Status
	// Reload reads the configuration again and waits for the outcome.
	Reload func(context.Context) *Reload
	// Explain judges one visit, if the daemon judges by the settings of that id,
	// or whatever they are where it is "". Else it gives ErrOtherSettings.
	Explain  func(settings string, q engine.Query) (*engine.Record, error)
	Limits   func() *Limits
	Accounts Accounts
	Blocks   Blocks
	Teacher  Teacher
	Servers  Servers
	Trend    func(trend.Span) *trend.Series
	Why      func(context.Context, WhyQuery) (*Why, error) // its errors are the operator's mistakes, or of the disk
	Logger   *slog.Logger
}

// A Reload is the outcome of one. Nothing was changed if there are Errors.
type Reload struct {
	Config   string   `json:"config"` // path of the main file
	Policy   string   `json:"policy"` // in force now
	Mode     string   `json:"mode"`
	Errors   []string `json:"errors"`   // "file:line: what; remedy"
	Warnings []string `json:"warnings"` // likewise, with what takes a restart
}

// ErrOtherSettings says that the daemon judges by other settings than asked for.
var ErrOtherSettings = errors.New("the daemon has other settings")

// waitTime bounds answers that take a while: a reload of large files, look-ups.
const waitTime = 2 * time.Minute

// Serve answers at l until ctx ends, and closes l.
func (c *Control) Serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, l, c.handler(), c.Logger)
}

func (c *Control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, c.Status()) })
	mux.HandleFunc("POST /v1/reload", c.reload)
	mux.HandleFunc("POST /v1/explain", c.explain)
	mux.HandleFunc("GET /v1/limits", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, c.Limits()) })
	c.accountRoutes(mux)
	c.blockRoutes(mux)
	c.learningRoutes(mux)
	c.serverRoutes(mux)
	c.whyRoute(mux)
	c.trendRoute(mux)
	return mux
}

func (c *Control) reload(w http.ResponseWriter, r *http.Request) {
	mayTake(w, waitTime)
	result := c.Reload(r.Context())
	code := http.StatusOK
	if len(result.Errors) > 0 {
		code = http.StatusUnprocessableEntity
	}
	answer(w, code, result)
}

// An explainRequest is the body of an explain.
type explainRequest struct {
	Settings string       `json:"settings"`
	Query    engine.Query `json:"query"`
}

func (c *Control) explain(w http.ResponseWriter, r *http.Request) {
	var req explainRequest
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	body.DisallowUnknownFields()
	if err := body.Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "no query: "+err.Error())
		return
	}
	if !req.Query.Client.IsValid() {
		fail(w, http.StatusBadRequest, "query.client is needed: the IP address to judge")
		return
	}
	mayTake(w, waitTime)
	record, err := c.Explain(req.Settings, req.Query)
	switch {
	case errors.Is(err, ErrOtherSettings):
		fail(w, http.StatusConflict, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, http.StatusOK, record)
	}
}

// mayTake gives an answer more time than the usual. The read deadline goes with
// it: when that passes, net/http takes the client for gone.
func mayTake(w http.ResponseWriter, d time.Duration) {
	until, rc := time.Now().Add(d), http.NewResponseController(w)
	_ = rc.SetReadDeadline(until) // both fail only on a connection that is gone
	_ = rc.SetWriteDeadline(until)
}

// A failure is the answer where there is no better one.
type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, code int, text string) { answer(w, code, failure{text}) }

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(logging.ASCII(w)) // curl may show it to a terminal
	enc.SetEscapeHTML(false)                 // "<>" is a sender
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client has gone: nobody is left to tell
}

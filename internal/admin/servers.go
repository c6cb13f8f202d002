package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Server is what is remembered of one, or of an operator.
type Server struct {
	Asked   string         `json:"asked"` // an address, or a domain
	Now     time.Time      `json:"now"`
	History string         `json:"history"` // good, bad, new, neutral; by address that of the address alone; "" of a /24
	Why     string         `json:"why"`     // of good and bad
	Passes  time.Time      `json:"passes_until,omitzero"`
	Counts  []ServerCounts `json:"counts"` // of the address and its network, or of the operator; none where nothing is remembered
}

// ServerCounts are what is remembered under one name. All numbers have faded to now.
type ServerCounts struct {
	Server string    `json:"server"` // an address, a network, an operator's domain
	Kind   string    `json:"kind"`   // address, network, operator
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Met    bool      `json:"met"` // it has had a message taken, once

	Visits   float64 `json:"visits"`
	Taken    float64 `json:"taken"` // recipients
	Refused  float64 `json:"refused"`
	Unknown  float64 `json:"unknown"`
	Traps    float64 `json:"traps"`
	Listed   float64 `json:"listed"` // visits
	Deferred float64 `json:"deferred"`
	Returned float64 `json:"returned"`
	Spam     float64 `json:"spam"` // reports
	Ham      float64 `json:"ham"`

	DaysSeen   float64 `json:"days_seen"`
	DaysTaken  float64 `json:"days_taken"`
	DaysListed float64 `json:"days_listed"`
	Helos      int     `json:"helos_at_least"` // that do not lead to it, today and yesterday
	Senders    int     `json:"sender_domains_at_least"`
}

// Forgotten is what a forget has done.
type Forgotten struct {
	Forgotten int `json:"forgotten"` // keys, of servers and of those who came back
}

// Reported is what became of reports.
type Reported struct {
	Taken   int      `json:"taken"`
	Unknown []string `json:"unknown"` // lines that could not be understood, or whose id is not known any more; the first hundred
	More    int      `json:"more"`    // of these, beyond
}

// A Servers is asked and told about servers. Its errors are the operator's mistakes. by
// is who asks for a change, for the log.
type Servers interface {
	Server(name string) (*Server, error)
	TopServers(kind, by string, n int) ([]ServerCounts, error)
	ForgetServer(by, name string) (*Forgotten, error)
	// ReportServer takes one report: of an address, or of the id of a transaction.
	ReportServer(by, what, word string) error
}

// serverRoutes lays the ways to servers.
func (c *Control) serverRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/servers/show", func(w http.ResponseWriter, r *http.Request) {
		s, err := c.Servers.Server(r.URL.Query().Get("server"))
		told(w, s, err)
	})
	mux.HandleFunc("GET /v1/servers/top", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		n, err := strconv.Atoi(q.Get("n"))
		if err != nil || n < 1 {
			n = topShown
		}
		top, err := c.Servers.TopServers(q.Get("kind"), q.Get("by"), min(n, maxTop))
		told(w, top, err)
	})
	mux.HandleFunc("POST /v1/servers/forget", func(w http.ResponseWriter, r *http.Request) {
		f, err := c.Servers.ForgetServer(Asker(r.Context()), r.URL.Query().Get("server"))
		told(w, f, err)
	})
	mux.HandleFunc("POST /v1/servers/report", c.report)
}

// The bounds of what is asked for, and of what is sent.
const (
	maxTop     = 1000
	maxReports = 16 << 20 // bytes
	maxUnknown = 100      // lines
)

// report takes reports, line by line.
func (c *Control) report(w http.ResponseWriter, r *http.Request) {
	mayTake(w, waitTime)
	out, err := TakeReports(http.MaxBytesReader(w, r.Body, maxReports), func(what, word string) error {
		return c.Servers.ReportServer(Asker(r.Context()), what, word)
	})
	told(w, out, err)
}

// TakeReports reads lines "IP|ID spam|ham" and has each taken. What comes after a #, and
// empty lines, say nothing.
func TakeReports(lines io.Reader, take func(what, word string) error) (*Reported, error) {
	out := &Reported{Unknown: []string{}}
	text, err := io.ReadAll(lines)
	if err != nil {
		return nil, fmt.Errorf("the reports could not be read: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		err := fmt.Errorf("%q is no report: write an address or an id, and spam or ham", line)
		if len(fields) == 2 {
			err = take(fields[0], fields[1])
		}
		switch {
		case err == nil:
			out.Taken++
		case len(out.Unknown) < maxUnknown:
			out.Unknown = append(out.Unknown, err.Error())
		default:
			out.More++
		}
	}
	return out, nil
}

// Server asks what is remembered of an address or an operator's domain.
func (c *Client) Server(ctx context.Context, name string) (*Server, error) {
	s := new(Server)
	return s, c.ask(ctx, http.MethodGet, "/v1/servers/show?server="+url.QueryEscape(name), nil, s, http.StatusOK)
}

// TopServers asks for the first n of a kind.
func (c *Client) TopServers(ctx context.Context, kind, by string, n int) ([]ServerCounts, error) {
	var top []ServerCounts
	q := url.Values{"kind": {kind}, "by": {by}, "n": {strconv.Itoa(n)}}
	return top, c.ask(ctx, http.MethodGet, "/v1/servers/top?"+q.Encode(), nil, &top, http.StatusOK)
}

// ForgetServer has an address or an operator be forgotten.
func (c *Client) ForgetServer(ctx context.Context, name string) (*Forgotten, error) {
	f := new(Forgotten)
	return f, c.ask(ctx, http.MethodPost, "/v1/servers/forget?server="+url.QueryEscape(name), nil, f, http.StatusOK)
}

// Report tells what was spam and what was not, a line each.
func (c *Client) Report(ctx context.Context, lines string) (*Reported, error) {
	out := new(Reported)
	return out, c.ask(ctx, http.MethodPost, "/v1/servers/report", textLines(lines), out, http.StatusOK)
}

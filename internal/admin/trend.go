package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mailprofiled/internal/trend"
)

// A Trend is how often verdicts and findings were in a span.
type Trend struct {
	Span    string              `json:"span"` // 1h, 24h, 7d
	BucketS float64             `json:"bucket_s"`
	Start   time.Time           `json:"start"` // of the first bucket
	Sums    map[string]uint64   `json:"sums"`  // by name: continue, tempfail, reject, and the ids of findings
	Each    map[string][]uint32 `json:"each"`  // by bucket, the oldest first; the last is not full yet
}

// TrendOf is a series as it is told.
func TrendOf(s *trend.Series) *Trend {
	return &Trend{s.Span.String(), s.Span.Width().Seconds(), s.Start, s.Sums, s.Each}
}

// SpanNamed gives the span of a name, the day for none.
func SpanNamed(name string) (trend.Span, error) {
	for _, s := range trend.Spans() {
		if name == s.String() || name == "" && s == trend.Day {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%+q is no span; use 1h, 24h or 7d", name[:min(len(name), 40)])
}

// trendRoute lays the way to it.
func (c *Control) trendRoute(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/trend", func(w http.ResponseWriter, r *http.Request) {
		span, err := SpanNamed(r.URL.Query().Get("span"))
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		answer(w, http.StatusOK, TrendOf(c.Trend(span)))
	})
}

// Trend asks for a span.
func (c *Client) Trend(ctx context.Context, span trend.Span) (*Trend, error) {
	t := new(Trend)
	return t, c.ask(ctx, http.MethodGet, "/v1/trend?span="+url.QueryEscape(span.String()), nil, t, http.StatusOK)
}

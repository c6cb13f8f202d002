package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many scrapes are answered at once.
const maxScrapes = 4

// A Web answers /metrics, /healthz and /readyz. They have nothing to hide and nothing
// that can be changed, and so ask for no password. All else is the page's.
type Web struct {
	Metrics *Metrics
	Status  func() *Status
	Page    http.Handler // nil for none
	Logger  *slog.Logger
}

// Serve answers at l until ctx ends, and closes l.
func (web *Web) Serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, l, web.handler(), web.Logger)
}

func (web *Web) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(web.Metrics.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(web.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             writeTime / 2,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := web.Status().NotReady(); why != nil {
			say(w, http.StatusServiceUnavailable, "not ready: "+strings.Join(why, "; "))
			return
		}
		say(w, http.StatusOK, "ready")
	})
	if web.Page != nil {
		mux.Handle("/", web.Page)
	}
	return mux
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

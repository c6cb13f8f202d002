package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/milter"
	"mailprofiled/profile"
)

// logWait is how long the end of the daemon waits for its last log lines.
const logWait = 2 * time.Second

func runServe(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("serve", "Runs the daemon in the foreground, until SIGTERM or SIGINT. It logs to stderr.")
	path := fs.String("config", defaultConfig, "the `FILE` of the configuration")
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	cfg := load(*path, stderr)
	if cfg == nil {
		return exitFailed
	}
	out := logging.NewWriter(stderr)
	defer out.Close(logWait)
	logger := logging.New(out, logging.Options{JSON: cfg.Log.JSON, Level: cfg.Log.Level, NoStamp: logging.UnderJournald()})
	// A log nobody reads any more is counted, and no reason to die.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serve(ctx, cfg, logger, func() {}); err != nil {
		logger.Error("failed", "error", err.Error())
		return exitFailed
	}
	logger.Info("stopped", "lost_log_lines", out.Lost())
	return exitFine
}

// serve runs the daemon until ctx ends, and then until its sessions are drained.
// It calls ready when an MTA can connect.
func serve(ctx context.Context, cfg *config.Config, logger *slog.Logger, ready func()) error {
	r, err := newResolver(cfg, logger)
	if err != nil {
		return err
	}
	defer r.Close()
	eng := newEngine(cfg, r, logger)
	server := milter.NewServer(milter.Config{
		Handler:     milter.HandlerFunc(func(c engine.Client) milter.Session { return eng.Connect(c) }),
		Logger:      logger,
		IdleTimeout: cfg.Milter.IdleTimeout,
		DataTimeout: cfg.Milter.DataTimeout,
		MaxSessions: cfg.Milter.MaxSessions,
		OnFailure:   onFailure(cfg),
		Drain:       cfg.Milter.Drain,
	})
	listeners, err := listen(cfg)
	if err != nil {
		return err
	}
	stopHangups := ignoreHangups(logger)
	defer stopHangups()
	logger.Info("serving", "version", version, "pid", os.Getpid(), "go", runtime.Version(),
		"policy", cfg.PolicyID(), "mode", mode(cfg), "listen", cfg.Milter.Listen)
	ready()
	return serveAll(ctx, server, listeners)
}

// listen opens all listeners or none.
func listen(cfg *config.Config) ([]net.Listener, error) {
	var open []net.Listener
	for _, addr := range cfg.Milter.Listen {
		l, err := milter.Listen(addr, cfg.Milter.SocketMode, cfg.Milter.SocketGroup)
		if err != nil {
			for _, l := range open {
				l.Close()
			}
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

// serveAll serves all listeners; when one fails, all end.
func serveAll(ctx context.Context, server *milter.Server, listeners []net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- server.Serve(ctx, l) }()
	}
	var errs []error
	for range listeners {
		if err := <-ended; err != nil {
			errs = append(errs, err)
			cancel()
		}
	}
	return errors.Join(errs...)
}

// ignoreHangups keeps SIGHUP, which for a daemon means reload, from ending it.
func ignoreHangups(logger *slog.Logger) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			logger.Warn("SIGHUP ignored: this version cannot reload; restart to change the configuration")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

// onFailure is what our own failure answers: in monitor mode nothing of ours
// holds up a mail.
func onFailure(cfg *config.Config) profile.Action {
	if cfg.Monitor {
		return profile.Continue
	}
	return cfg.Milter.OnFailure
}

func mode(cfg *config.Config) string {
	if cfg.Monitor {
		return "monitor"
	}
	return "enforce"
}

package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mailprofiled/internal/logging"
	"mailprofiled/internal/systemd"
	"mailprofiled/internal/wiring"
)

const serveHelp = `
Runs the daemon in the foreground, until SIGTERM or SIGINT. It logs to stderr.
SIGHUP, or "mailprofiled reload", takes over a changed configuration.`

// logWait is how long the end of the daemon waits for its last log lines.
const logWait = 2 * time.Second

func runServe(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("serve", serveHelp)
	path := fs.String("config", defaultConfig, "the `FILE` of the configuration")
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	// A log nobody reads any more is counted, and no reason to die; nor is a reload
	// that somebody asks for before there is anything to load anew.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	out := logging.NewWriter(stderr)
	defer out.Close(logWait)
	cfg := load(*path, out) // its warnings too are no reason to wait for who reads them
	if cfg == nil {
		return exitFailed
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal does not wait for the drain
	wiring.TuneMemory(cfg.DNS.CacheBytes)
	d := newDaemon(cfg, out)
	d.lost = out.Lost
	d.manager = systemd.Find(os.Getenv, os.Getpid())
	sockets, err := systemd.Sockets(os.Getenv, os.Getpid())
	if err == nil {
		d.handed = sockets
		err = d.serve(ctx, func() {})
	}
	if err != nil {
		d.logger.Error("failed", "error", err.Error())
		return exitFailed
	}
	d.logger.Info("stopped", "lost_log_lines", out.Lost())
	return exitFine
}

package shared

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// TestASilentTLSServerHoldsUpNothing: a port that takes connections and says nothing, as
// one without TLS does, or a server that is stopped, delays no shutdown.
func TestASilentTLSServerHoldsUpNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1)) // the greeting is on its way
		cancel()
		<-t.Context().Done()
	}()
	done := make(chan error, 1)
	go func() {
		_, err := connect(ctx, &Options{Network: "tcp", Address: l.Addr().String(), TLS: &tls.Config{ServerName: "redis.test"}})
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(remedyFor(err), "its TLS port") {
			t.Errorf("%v; %s", err, remedyFor(err))
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for a greeting without an end")
	}
}

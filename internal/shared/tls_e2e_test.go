//go:build e2e

package shared

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/mtatest"
)

// TestOverTLS: a server that takes TLS alone, by a certificate that is trusted, and one
// that is not, or is another's: then mail is counted all the same, and the remedy is told.
func TestOverTLS(t *testing.T) {
	const host = "127.0.0.1"
	for _, tt := range []struct {
		name, of string
		trusted  bool
		plain    bool   // asked at a port without TLS
		remedy   string // "": it counts together
	}{
		{"trusted", host, true, false, ""},
		{"not trusted", host, false, false, "trust the server's certificate"},
		{"of another host", "redis.example.net", true, false, "name the server in state.redis as it is in there"},
		{"a port without TLS", host, true, true, "its TLS port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			certs := t.TempDir()
			if err := mtatest.WriteCertificate(certs, tt.of); err != nil {
				t.Fatal(err)
			}
			cert := filepath.Join(certs, "cert.pem")
			port := freePort(t, host)
			args := []string{"--bind", host, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", filepath.Join(certs, "key.pem"),
				"--tls-ca-cert-file", cert, "--tls-auth-clients", "no"}
			if tt.plain {
				args = []string{"--bind", host, "--port", port}
			}
			r := startRedis(t, args...)
			o := r.options("a")
			o.Network, o.Address = "tcp", net.JoinHostPort(host, port)
			o.TLS = &tls.Config{ServerName: host, RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
			if tt.trusted {
				pem, err := os.ReadFile(cert)
				if err != nil || !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
					t.Fatal(err)
				}
			}
			m := boot(t, o, 3, tt.remedy == "")
			if sent := burst(2, 5, -1, nil, m); sent != 3 {
				t.Errorf("%d went through, want 3", sent)
			}
			<-m.store.Asked()
			st := m.store.Status()
			if tt.remedy == "" && (!st.Up || m.f.Stats().Locally > 0 || m.f.Stats().Failures > 0) {
				t.Errorf("%+v, %+v", st, m.f.Stats())
			}
			if tt.remedy != "" && (st.Up || !strings.Contains(st.Remedy, tt.remedy)) {
				t.Errorf("%+v", st)
			}
		})
	}
}

// freePort finds a port that nobody listens on now.
func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

package attach

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPostfixAskers reads what postconf 3.7 printed.
func TestPostfixAskers(t *testing.T) {
	p := ParsePostfix(`mail_version = 3.7.11
queue_directory = /var/spool/postfix
smtpd_milters = { unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s }, { inet:[::1]:8891 command_timeout=1m }
milter_default_action = tempfail
milter_connect_timeout = 30s
milter_command_timeout = 30
compatibility_level = 3.6
`, `smtp       inet  n       -       y       -       -       smtpd
submission inet n       -       -       -       -       smtpd -o smtpd_milters=$mua -o milter_default_action=reject
127.0.0.1:10025 inet n   -       n       -       -       smtpd -o receive_override_options=no_milters,no_address_mappings
`, values(`submission/inet/milter_default_action = reject
submission/inet/smtpd_milters = unix:/run/x.sock
127.0.0.1:10025/inet/receive_override_options = no_milters,no_address_mappings
`))
	want := []Asker{
		{Name: "smtp", Type: "inet", Chroot: "/var/spool/postfix", Filters: []Filter{
			{"{ unix:mailprofiled/milter.sock, default_action=accept, connect_timeout=10s }", "unix:/var/spool/postfix/mailprofiled/milter.sock", "accept", 10 * time.Second, 30 * time.Second},
			{"{ inet:[::1]:8891 command_timeout=1m }", "inet6:[::1]:8891", "tempfail", 30 * time.Second, time.Minute},
		}},
		{Name: "submission", Type: "inet", Submission: true, Own: true, Filters: []Filter{{"unix:/run/x.sock", "unix:/run/x.sock", "reject", 30 * time.Second, 30 * time.Second}}},
		{Name: "127.0.0.1:10025", Type: "inet"},
	}
	if diff := cmp.Diff(want, p.Askers()); diff != "" {
		t.Error(diff)
	}
}

// TestSendmailAskers reads a sendmail.cf as Debian's m4 makes it.
func TestSendmailAskers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sendmail.cf")
	text := `# a remark
O DaemonPortOptions=Name=MTA
O DaemonPortOptions=Port=587, Name=MSA, M=E
O DaemonPortOptions=Port=2525, Name=Inside, InputMailFilters=clam
#O RunAsUser=sendmail
O RunAsUser=smmsp:smmsp
O InputMailFilters=mailprofiled, clam
O Milter.macros.envfrom=i,
	{auth_type}
Xmailprofiled, S=local:/run/mailprofiled/milter.sock, F=T, T=C:30s;S:30s;R:40s;E:5m
Xclam, S=inet:3310@127.0.0.1, F=R
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSendmailCF(path)
	if err != nil {
		t.Fatal(err)
	}
	ours := Filter{"mailprofiled, S=local:/run/mailprofiled/milter.sock, F=T, T=C:30s;S:30s;R:40s;E:5m", "unix:/run/mailprofiled/milter.sock", "tempfail", 30 * time.Second, 40 * time.Second}
	clam := Filter{"clam, S=inet:3310@127.0.0.1, F=R", "inet:127.0.0.1:3310", "reject", 5 * time.Minute, 10 * time.Second}
	want := []Asker{
		{Name: "MTA", Filters: []Filter{ours, clam}},
		{Name: "MSA", Submission: true, Filters: []Filter{ours, clam}},
		{Name: "Inside", Own: true, Filters: []Filter{clam}},
	}
	if diff := cmp.Diff(want, s.Askers()); diff != "" {
		t.Error(diff)
	}
	if s.RunAsUser != "smmsp" {
		t.Errorf("%+v", s)
	}
}

func TestSame(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:/b", false},
		{"unix:/var/run/mailprofiled/m.sock", "unix:/run/mailprofiled/m.sock", true},
		{"", "", false},
		{"inet:localhost:8891", "inet:127.0.0.1:8891", true},
		{"inet6:[::1]:8891", "inet:localhost:8891", true},
		{"inet:0.0.0.0:8891", "inet:127.0.0.1:8891", true},
		{"inet:127.0.0.1:8891", "inet:127.0.0.2:8891", false},
		{"inet:127.0.0.1:8891", "inet:127.0.0.1:8892", false},
	} {
		if got := Same(tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}

// FuzzSendmailCF: whatever a sendmail.cf holds, each door has a name or none, and no
// wait is negative.
func FuzzSendmailCF(f *testing.F) {
	f.Add("O InputMailFilters=a;b\nXa, S=local:/x, F=RT4, T=C:99999999w;R:;\nO DaemonPortOptions=N=,P=,I=,,=\n Xb")
	f.Add("Xa,S=inet6:25@[::1],T=R:10s:3\nO InputMailFilters=a")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range parseSendmailCF("x", text).Askers() {
			for _, filter := range a.Filters {
				if filter.Command < 0 || filter.Connect < 0 {
					t.Fatalf("%+v", filter)
				}
			}
		}
	})
}

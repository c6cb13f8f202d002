package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// serversDesk notes what it is told.
type serversDesk struct{ told []string }

func (d *serversDesk) Server(name string) (*Server, error) {
	if name == "" {
		return nil, errors.New("no server is named")
	}
	return &Server{Asked: name, History: "good", Counts: []ServerCounts{{Server: name}}}, nil
}
func (d *serversDesk) TopServers(kind, by string, n int) ([]ServerCounts, error) {
	return []ServerCounts{{Server: fmt.Sprint(kind, " ", by, " ", n)}}, nil
}
func (d *serversDesk) ForgetServer(by, name string) (*Forgotten, error) {
	d.told = append(d.told, by+" forget "+name)
	return &Forgotten{1}, nil
}
func (d *serversDesk) ReportServer(by, what, word string) error {
	if word != "spam" && word != "ham" {
		return errors.New("not understood: " + word)
	}
	d.told = append(d.told, word+" "+what)
	return nil
}

func TestServersOverTheSocket(t *testing.T) {
	c, desk := aControl(), new(serversDesk)
	c.Servers = desk
	client, ctx := control(t, c), t.Context()
	if s, err := client.Server(ctx, "a&b=c#d"); err != nil || s.Asked != "a&b=c#d" || s.History != "good" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := client.Server(ctx, ""); err == nil || err.Error() != "the daemon says: no server is named" {
		t.Errorf("no name: %v", err)
	}
	for n, want := range map[int]string{7: "operator taken 7", 0: "operator taken 20", 1 << 30: "operator taken 1000"} {
		if top, err := client.TopServers(ctx, "operator", "taken", n); err != nil || top[0].Server != want {
			t.Errorf("%+v, %v, want %s", top, err, want)
		}
	}
	if f, err := client.ForgetServer(ctx, "192.0.2.7"); err != nil || f.Forgotten != 1 || !strings.HasSuffix(desk.told[0], " forget 192.0.2.7") {
		t.Errorf("%+v, %v, %q", f, err, desk.told)
	}
	desk.told = nil
	out, err := client.Report(ctx, "192.0.2.7 spam\n\n# nothing\n  abc ham # who knows\r\n192.0.2.7\nx y z\nabc eggs\n")
	if err != nil || out.Taken != 2 || len(out.Unknown) != 3 || !slices.Equal(desk.told, []string{"spam 192.0.2.7", "ham abc"}) {
		t.Errorf("%+v, %v, %q", out, err, desk.told)
	}
	if out, err = client.Report(ctx, strings.Repeat("x\n", 1000)); err != nil || len(out.Unknown) != maxUnknown || out.More != 1000-maxUnknown {
		t.Errorf("%d told, %d more, %v", len(out.Unknown), out.More, err)
	}
	if _, err = client.Report(ctx, strings.Repeat("192.0.2.7 spam\n", 2<<20)); err == nil {
		t.Error("30 MB of reports, and no error")
	}
	for _, path := range []string{"forget?server=a", "report"} { // a look changes nothing
		if err := client.ask(ctx, http.MethodGet, "/v1/servers/"+path, nil, new(any), http.StatusOK); err == nil {
			t.Errorf("GET %s changes something", path)
		}
	}
}

// FuzzTakeReports: each line is taken, told of, or says nothing.
func FuzzTakeReports(f *testing.F) {
	f.Add("192.0.2.7 spam\n# x\nabc ham # y\n\n1 2 3")
	f.Fuzz(func(t *testing.T, text string) {
		taken := 0
		out, err := TakeReports(strings.NewReader(text), func(what, word string) error {
			if strings.ContainsAny(what+word, " \t\n#") || what == "" || word == "" {
				t.Errorf("%q %q", what, word)
			}
			taken++
			return nil
		})
		if err != nil || out.Taken != taken || out.Taken+len(out.Unknown)+out.More > strings.Count(text, "\n")+1 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

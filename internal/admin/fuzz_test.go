package admin

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"mailprofiled/internal/engine"
)

// FuzzExplain: whatever the body of a request, the answer is JSON with one of the
// codes that are promised, and what is judged has an address.
func FuzzExplain(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", `{"query":{"client":"192.0.2.7"}}`, `{"settings":"5e77","query":{"client":"2001:db8::7","helo":"","rcpts":["a","b"]}}`,
		`{"settings":"x","query":{"client":"192.0.2.7"}}`, `{"query":{"client":"192.0.2.7","ptr":null,"from":"<>"}}{}`, `{"query":{"client":"fe80::1%eth0"}}`,
		`{"query":{"client":"::ffff:192.0.2.7","account":"\ud800"}}`, `[[[[`, `{"query":{"client":""}}`,
	} {
		f.Add([]byte(body))
	}
	c := aControl()
	explain := c.Explain
	f.Fuzz(func(t *testing.T, body []byte) {
		c := *c
		c.Explain = func(settings string, q engine.Query) (*engine.Record, error) {
			if !q.Client.IsValid() {
				t.Error("asked to judge no address")
			}
			return explain(settings, q)
		}
		w := httptest.NewRecorder()
		c.handler().ServeHTTP(w, httptest.NewRequest("POST", "/v1/explain", bytes.NewReader(body)))
		if w.Code != 200 && w.Code != 400 && w.Code != 409 {
			t.Errorf("code %d", w.Code)
		}
		if !json.Valid(w.Body.Bytes()) || strings.ContainsFunc(w.Body.String(), func(r rune) bool { return r > '~' }) {
			t.Errorf("answer %q", w.Body)
		}
	})
}

package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"unicode/utf8"

	"mailprofiled/internal/engine"
)

// How a daemon cannot be asked.
var (
	ErrNoDaemon = errors.New("no daemon answers")
	ErrBusy     = errors.New("the daemon has too many control connections; try again")
)

// maxAnswer bounds what a daemon may answer, in bytes.
const maxAnswer = 64 << 20

// A Client asks a daemon. Each question has a connection of its own, which ends
// with the question's context.
type Client struct{ path string }

// Dial returns a client for the control socket at a path. It does not connect yet.
func Dial(path string) *Client { return &Client{path: path} }

// Status asks how the daemon is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	s := new(Status)
	return s, c.ask(ctx, http.MethodGet, "/v1/status", nil, s, http.StatusOK)
}

// Reload has the daemon read its configuration again. There is no error where the
// daemon found mistakes: they are the outcome.
func (c *Client) Reload(ctx context.Context) (*Reload, error) {
	r := new(Reload)
	return r, c.ask(ctx, http.MethodPost, "/v1/reload", nil, r, http.StatusOK, http.StatusUnprocessableEntity)
}

// Explain has the daemon judge a visit by the settings of that id, or by whatever
// it has where that is "". ErrOtherSettings is that it has others.
func (c *Client) Explain(ctx context.Context, settings string, q engine.Query) (*engine.Record, error) {
	if !isText(q) {
		return nil, errors.New("not UTF-8: that cannot be asked of a daemon")
	}
	r := new(engine.Record)
	return r, c.ask(ctx, http.MethodPost, "/v1/explain", explainRequest{settings, q}, r, http.StatusOK)
}

// isText reports whether JSON can carry a query as it is.
func isText(q engine.Query) bool {
	ok := utf8.ValidString(q.Account)
	for _, s := range []*string{q.PTR, q.Helo, q.From} {
		ok = ok && (s == nil || utf8.ValidString(*s))
	}
	for _, s := range q.Rcpts {
		ok = ok && utf8.ValidString(s)
	}
	return ok
}

// ask sends one request and reads the answer into the value, if its status is
// one of those wanted.
func (c *Client) ask(ctx context.Context, method, path string, body, into any, want ...int) error {
	resp, close, err := c.roundTrip(ctx, method, path, body)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("control socket %s: %w", c.path, ctx.Err())
		}
		return fmt.Errorf("control socket %s: %w", c.path, err)
	}
	defer close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("control socket %s: %w", c.path, err)
	}
	for _, code := range want {
		if resp.StatusCode == code {
			return json.Unmarshal(text, into)
		}
	}
	return refused(resp.StatusCode, text)
}

// refused words an answer that is none.
func refused(code int, text []byte) error {
	switch code {
	case http.StatusServiceUnavailable:
		return ErrBusy
	case http.StatusConflict:
		return ErrOtherSettings
	}
	var f failure
	if json.Unmarshal(text, &f) != nil || f.Error == "" {
		f.Error = http.StatusText(code)
	}
	return fmt.Errorf("the daemon says: %s", f.Error)
}

// roundTrip speaks HTTP over a connection of its own: a daemon with no place left
// answers before it is asked, which the transport of net/http does not expect.
func (c *Client) roundTrip(ctx context.Context, method, path string, body any) (*http.Response, func(), error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, nil, dialError(err)
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	end := func() {
		stop()
		nc.Close()
	}
	var content bytes.Buffer
	if lines, ok := body.(textLines); ok {
		content.WriteString(string(lines))
	} else if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			end()
			return nil, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://mailprofiled"+path, &content)
	if err != nil {
		end()
		return nil, nil, err
	}
	req.Close = true
	sent := req.Write(nc)
	resp, err := http.ReadResponse(bufio.NewReader(nc), req)
	if err != nil {
		end()
		return nil, nil, errors.Join(sent, err)
	}
	return resp, end, nil
}

// textLines are a body that is not JSON.
type textLines string

// dialError says what it means that there is no connection.
func dialError(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch {
	case errors.Is(errno, fs.ErrNotExist), errors.Is(errno, syscall.ECONNREFUSED), errors.Is(errno, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrNoDaemon, errno)
	case errors.Is(errno, fs.ErrPermission):
		return fmt.Errorf("%w; it is for root, the daemon's user and its group", errno)
	}
	return errno
}

package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A webhook posts messages.
type webhook struct{ client *http.Client }

// maxReply is how much of a reply is read, so that its connection can be used again.
const maxReply = 64 << 10

// maxRedirects is how often the host may send us on, within itself.
const maxRedirects = 3

func newWebhook() *webhook {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConns: atOnce, MaxConnsPerHost: atOnce, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
	return &webhook{&http.Client{Transport: transport, CheckRedirect: stay}}
}

// stay follows redirects within one host that keep what is sent (307, 308): nobody else
// is to hear of our customers, nor to learn the secret.
func stay(r *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || r.Method != http.MethodPost || r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// post sends a message. No error of it shows the URL.
func (s *Sender) post(ctx context.Context, o *Settings, m message) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.Webhook, bytes.NewReader(m.body))
	if err != nil {
		return errors.New("the webhook is no URL") // config has looked at it
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "mailprofiled")
	if o.Token != "" {
		r.Header.Set("Authorization", "Bearer "+o.Token)
	}
	reply, err := s.hook.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &laterError{err: err}
	}
	defer reply.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(reply.Body, maxReply)) // what it says does not matter
	return statusError(reply)
}

// statusError is what a reply says of the message: nil where it was taken.
func statusError(reply *http.Response) error {
	code := reply.StatusCode
	err := fmt.Errorf("the webhook answers %d %s", code, http.StatusText(code))
	switch {
	case code/100 == 2:
		return nil
	case code/100 == 3:
		return fmt.Errorf("%w: it sends us elsewhere, and that is not followed", err)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code/100 == 5:
		seconds, _ := strconv.Atoi(reply.Header.Get("Retry-After")) // a date there, or rubbish, is whenever
		return &laterError{err, time.Duration(min(max(seconds, 0), 3600)) * time.Second}
	}
	return err
}

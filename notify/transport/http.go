package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
)

// What is read of a receiver's answer, in bytes.
const (
	maxAnswer  = 64 << 10
	maxHeaders = 64 << 10
)

// An exchange is a request to be made.
type exchange struct {
	method string
	url    string
	header http.Header
	body   []byte
	limit  int64 // of the answer; 0 is maxAnswer
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	broken error // why the body is not whole
}

// carrier returns the connections to servers that these authorities vouch for. Every field
// that matters is set: the default transport waits forever for headers.
func (c *Client) carrier(a authority) *http.Transport {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if carrier, ok := c.carriers[a.name]; ok {
		return carrier
	}
	carrier := &http.Transport{
		Proxy:                  c.options.Proxy,
		DialContext:            (&net.Dialer{Timeout: c.options.Timeout}).DialContext,
		TLSClientConfig:        a.config(""),
		TLSHandshakeTimeout:    c.options.Timeout,
		ResponseHeaderTimeout:  c.options.Timeout,
		MaxResponseHeaderBytes: maxHeaders,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // answers are short, and what is read of them is bounded
	}
	c.carriers[a.name] = carrier
	return carrier
}

// config returns the TLS settings for a server; the name is "" where the caller sets it.
func (a authority) config(name string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.pool, ServerName: name}
}

// do makes one request, and no more: redirects are answers like others. An error means
// that there is no answer.
func (c *Client) do(ctx context.Context, t Target, x exchange) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, x.method, x.url, bytes.NewReader(x.body))
	if err != nil {
		return answer{}, err
	}
	if x.header != nil {
		request.Header = x.header
	}
	request.Header.Set("User-Agent", c.options.UserAgent)
	if len(x.body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{
		Transport:     c.carrier(t.authority),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	limit := x.limit
	if limit == 0 {
		limit = maxAnswer
	}
	a.body, a.broken = io.ReadAll(io.LimitReader(response.Body, limit))
	return a, nil
}

// webPage reports whether the answer is a page for people.
func (a answer) webPage() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(bytes.ToLower(a.body[:min(len(a.body), 512)])), []byte("<!doctype html"))
}

// words returns what the receiver says of itself: the message of a JSON answer, or a short
// text. It is not yet clean.
func (a answer) words() string {
	if a.webPage() {
		return ""
	}
	var said struct {
		Message     json.RawMessage `json:"message"`           // GitHub, GitLab, Discord, Mattermost
		Error       json.RawMessage `json:"error"`             // GitLab, Slack, Teams
		Description string          `json:"error_description"` // OAuth
		Detail      string          `json:"detail"`            // RFC 9457
		Title       string          `json:"title"`
	}
	text := string(a.body)
	if json.Unmarshal(a.body, &said) == nil {
		text = strings.Join(nonEmpty(inWords(said.Message), inWords(said.Error), said.Description, said.Title, said.Detail), ", ")
	}
	return text
}

// inWords returns a JSON value as text: a string itself, the message of an object, and
// anything else as it stands.
func inWords(raw json.RawMessage) string {
	var text string
	var object struct {
		Message string `json:"message"`
	}
	switch {
	case len(raw) == 0, string(raw) == "null":
		return ""
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &object) == nil && object.Message != "":
		return object.Message
	}
	return string(raw)
}

func nonEmpty(texts ...string) []string {
	var some []string
	for _, text := range texts {
		if strings.TrimSpace(text) != "" {
			some = append(some, text)
		}
	}
	return some
}

// Package resend sends the requests of a recording again, to a server that its user names,
// and compares what it answers with what was recorded.
//
// It knows which requests can be sent again, how they look at another server
// ([Config.Against]), what in them is a credential, and when two answers are the same: the
// same status and type, the same header fields that matter, and a body that is equal, or
// JSON of the same shape.
//
// It promises that it connects to the host of that URL and to nobody else: it follows no
// redirect, asks no proxy, keeps no cookie and looks up no other name. A credential that it can
// tell is taken out, or replaced by one of [Config.Secrets], also in texts within texts; what
// cannot be looked into for some is not sent unless [Config.Opaque] says so. Requests go out one
// after another, and an answer is read up to a bound.
//
// It does not know a credential that is neither called like one, nor seen elsewhere in the
// recording as one, nor a JWT, and none that is encrypted, packed or cut in parts. To see what was sent, point it at a server that prints it.
package resend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// A Config says what is sent where.
type Config struct {
	Store   *capture.Store
	Against *url.URL         // scheme, host and a prefix of paths
	Hosts   []policy.Pattern // whose requests are meant
	// Where picks requests; nil picks all.
	Where   func(*flow.Flow) (bool, error)
	Methods []string // in upper case; nil: [SafeMethods]; "ALL" is any
	Limit   int      // of requests that are sent; 0: none

	Secrets  map[string]string // what replaces the credentials of a name
	Header   []flow.Field      // set on every request
	KeepHost bool              // requests name the recorded host
	Strict   bool              // a request whose credentials nobody gave is not sent
	Opaque   bool              // bodies that cannot be looked into are sent

	Pace    Pace
	Timeout time.Duration  // of one exchange; 0: half a minute
	Roots   *x509.CertPool // beside nil, those of the system
	// Result is told of each request that was meant, in order.
	Result func(Result)
}

// SafeMethods change nothing at a server (RFC 9110, 9.2.1).
var SafeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// A Pace is how long to wait between requests: as long as in the recording, or always the
// same.
type Pace struct {
	AsRecorded bool
	Each       time.Duration
}

// The outcomes of a request.
const (
	Same    = "same"
	Differs = "differs"
	Failed  = "failed"   // no answer came, or none that could be read
	NotSent = "not sent" // Result.Reason says why
)

// A Result is what came of one request.
type Result struct {
	Flow    flow.ID
	Method  string
	URL     string // as it was sent, without credentials
	Outcome string
	Reason  string // of Failed and NotSent
	Without []string
	Comparison
	Took time.Duration
}

// A Summary counts results.
type Summary struct {
	Same, Differ, Failed, NotSent int
	Limited                       bool // more would have been sent without Config.Limit
	// Unused are names of Config.Secrets for which no request had a credential, each in quotes.
	Unused string
}

// Sent returns how many requests were sent.
func (s Summary) Sent() int { return s.Same + s.Differ + s.Failed }

// An UnreachableError says that no connection to the server came about, so that it was sent
// nothing.
type UnreachableError struct {
	Host string
	Err  error
}

// Error names the server.
func (e *UnreachableError) Error() string { return "cannot reach " + e.Host + ": " + e.Err.Error() }

// Unwrap returns why.
func (e *UnreachableError) Unwrap() error { return e.Err }

// errLimit ends the reading when enough was sent.
var errLimit = errors.New("enough was sent")

// Run sends what is meant. When ctx ends, it returns what was done until then and the error
// of ctx. Where not even a first connection comes about, the error is an [*UnreachableError];
// from then on a request without a whole answer has Failed, and the next one is sent.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	s := &sending{cfg: cfg}
	var err error
	if s.credentials, err = learn(ctx, cfg); err != nil {
		return s.sum, err
	}
	transport := s.transport()
	defer transport.CloseIdleConnections()
	s.send = transport.RoundTrip
	err = cfg.Store.Scan(ctx, capture.ScanOptions{Headers: true}, func(batch []capture.Recorded) error {
		for _, recorded := range batch {
			if err := s.one(ctx, recorded.Flow); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errLimit) {
		s.sum.Limited, err = true, nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil {
		s.sum.Unused = strings.Join(s.credentials.unused(cfg.Secrets), ", ")
	}
	return s.sum, err
}

// sending is one run.
type sending struct {
	cfg         Config
	credentials *credentials
	send        func(*http.Request) (*http.Response, error)
	sum         Summary
	reached     bool      // a connection was there for some request
	last        time.Time // when the request before was recorded
}

// transport connects to the one host and to nobody else.
func (s *sending) transport() *http.Transport {
	only := hostPort(s.cfg.Against)
	dialer := &net.Dialer{Timeout: s.cfg.Timeout}
	return &http.Transport{
		Proxy: nil, // whatever the environment says
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != only {
				return nil, fmt.Errorf("%s was not named", addr)
			}
			return dialer.DialContext(ctx, network, addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: s.cfg.Roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSHandshakeTimeout: s.cfg.Timeout, MaxResponseHeaderBytes: 1 << 20, MaxConnsPerHost: 1,
	}
}

// hostPort returns what is dialled for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// one sends the request of a flow again, if it is meant.
func (s *sending) one(ctx context.Context, f *flow.Flow) error {
	meant, err := s.cfg.means(f)
	if err != nil || !meant {
		return err
	}
	if s.cfg.Limit > 0 && s.sum.Sent() == s.cfg.Limit {
		return errLimit
	}
	result, req := s.prepare(ctx, f)
	if req == nil {
		s.tell(result)
		return ctx.Err()
	}
	if err := s.wait(ctx, f); err != nil {
		return err
	}
	if err := s.exchange(ctx, f, req, &result); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !s.reached {
			return &UnreachableError{s.cfg.Against.Host, err}
		}
		result.Outcome, result.Reason = Failed, flow.WithoutUsers(err.Error())
	}
	s.tell(result)
	return ctx.Err()
}

// means reports whether a flow is one of those that the user meant.
func (c *Config) means(f *flow.Flow) (bool, error) {
	if f.Request == nil || !f.IsContact() {
		return false, nil
	}
	host, port := f.Host(), f.Port()
	if !slices.ContainsFunc(c.Hosts, func(p policy.Pattern) bool { return p.Match(host, port) }) {
		return false, nil
	}
	if c.Where == nil {
		return true, nil
	}
	return c.Where(f)
}

func (s *sending) tell(r Result) {
	switch r.Outcome {
	case Same:
		s.sum.Same++
	case Differs:
		s.sum.Differ++
	case Failed:
		s.sum.Failed++
	case NotSent:
		s.sum.NotSent++
	}
	if s.cfg.Result != nil {
		s.cfg.Result(r)
	}
}

// wait keeps the pace.
func (s *sending) wait(ctx context.Context, f *flow.Flow) error {
	pause := s.cfg.Pace.Each
	if s.cfg.Pace.AsRecorded {
		pause = f.Times.Start.Sub(s.last)
	}
	first := s.last.IsZero()
	s.last = f.Times.Start
	if first || pause <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exchange sends a request and compares the answer. An error is that no whole answer came.
func (s *sending) exchange(ctx context.Context, f *flow.Flow, req *http.Request, result *Result) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, errTimeout)
	defer cancel()
	var connected atomic.Bool // from then on, the request may be at the server
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	start := time.Now()
	resp, err := s.send(req.WithContext(ctx))
	s.reached = s.reached || connected.Load()
	if err != nil {
		result.Took = time.Since(start)
		return whyFailed(ctx, err, connected.Load())
	}
	defer resp.Body.Close()
	answer, err := read(resp)
	result.Took = time.Since(start)
	if err != nil {
		return whyFailed(ctx, err, true)
	}
	recorded, err := s.recorded(ctx, f.Response)
	if err != nil {
		return err
	}
	result.Comparison = compare(recorded, answer)
	result.Outcome = Same
	if len(result.Why) > 0 {
		result.Outcome = Differs
	}
	return nil
}

var (
	errTimeout      = errors.New("no whole answer within the time")
	errNoConnection = errors.New("no connection within the time")
)

// whyFailed returns the error of an exchange, which is the time where that was over.
func whyFailed(ctx context.Context, err error, connected bool) error {
	switch {
	case !errors.Is(context.Cause(ctx), errTimeout):
		return err
	case connected:
		return errTimeout
	}
	return errNoConnection
}

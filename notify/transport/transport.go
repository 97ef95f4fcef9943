// Package transport carries one message to one destination, once: to a chat room, a
// webhook, a mailbox or an issue tracker.
//
// It knows the protocols and their vendors' ways of saying no. It promises that
//
//   - an attempt ends within its time, whatever the receiver does;
//   - an attempt hands a message over once at most, and each has the message's ID with it
//     (Idempotency-Key, Message-ID, a hidden line in an issue), by which a repetition can
//     be told;
//   - redirects are not followed, certificates are verified, and passwords and tokens are
//     never sent in clear to another machine;
//   - no address, token or password is in an [Outcome] or an error, even when the receiver
//     sends it back.
//
// It does not try again, wait, keep or choose anything: that is the matter of
// notify/delivery. To debug a destination, send a message of kind test and read the
// outcome's reason; it is meant to be enough.
package transport

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"telltale/notify"
	"telltale/policy"
)

// DefaultTimeout is how long one attempt may take where nothing else is said.
const DefaultTimeout = 3 * time.Second

// Status says what became of an attempt.
type Status int

// The ends of an attempt.
const (
	// Again means that the receiver may take the message later, or may have taken it
	// without saying so.
	Again Status = iota
	// Delivered means that the receiver has it.
	Delivered
	// Rejected means that the receiver will not take it, however often it is sent.
	Rejected
)

// String returns the status as a word.
func (s Status) String() string {
	switch s {
	case Delivered:
		return "delivered"
	case Rejected:
		return "rejected"
	}
	return "again"
}

// An Outcome is what became of an attempt. It holds no secret.
type Outcome struct {
	Status Status
	// After is how long the receiver asks not to be tried again, at most an hour; 0 where
	// it says nothing.
	After time.Duration
	// Reason says in plain words, on one line, why it is not delivered, or what is
	// remarkable about a delivery; "" otherwise.
	Reason string
	// Ref is what the receiver calls the message: the number of an issue, the Message-ID
	// of a mail; "" where it has no name.
	Ref string
}

// Options are the ways of a client. The zero value is good.
type Options struct {
	// Timeout is how long one attempt may take; 0 is [DefaultTimeout]. An issue tracker
	// needs several requests, each of which may take that long: see [Client.Longest].
	Timeout time.Duration
	// UserAgent is what HTTP receivers see; "" is telltale.
	UserAgent string
	// Now is the clock of signatures and of dates in Retry-After; nil is time.Now.
	Now func() time.Time
	// Proxy chooses the proxy of an HTTP request; nil is that of the environment.
	Proxy func(*http.Request) (*url.URL, error)
}

// A Client sends messages. Its connections are kept for the next message, and its methods
// may be called from several goroutines.
type Client struct {
	options Options

	mutex    sync.Mutex
	carriers map[string]*http.Transport // by the further authorities that they trust
	trackers map[string]*tracker        // by identity of the destination
	given    mailed
}

// New returns a client. [Client.Close] ends it.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "telltale"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	return &Client{options: o, carriers: map[string]*http.Transport{}, trackers: map[string]*tracker{}, given: mailed{}}
}

// Close ends the connections that wait for a next message. No Send is under way by then.
func (c *Client) Close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, carrier := range c.carriers {
		carrier.CloseIdleConnections()
	}
}

// trackerRequests is how many times the timeout an attempt at an issue tracker may take.
const trackerRequests = 5

// Longest returns how long an attempt at the target may take.
func (c *Client) Longest(t Target) time.Duration {
	if t.kind == policy.GitHub || t.kind == policy.GitLab {
		return trackerRequests * c.options.Timeout
	}
	return c.options.Timeout
}

// Send makes one attempt to deliver a message. It returns when the attempt has ended, after
// [Client.Longest] at most, or when the context ends: then the outcome is Again.
func (c *Client) Send(ctx context.Context, t Target, m notify.Message) Outcome {
	whole, cancel := context.WithTimeout(ctx, c.Longest(t))
	defer cancel()
	o := c.send(whole, t, m)
	if o.Status == Again && ctx.Err() != nil {
		o.Reason = "it was stopped before the receiver answered"
	}
	o.Reason, o.Ref = t.masks.clean(o.Reason), t.masks.clean(o.Ref)
	return o
}

func (c *Client) send(ctx context.Context, t Target, m notify.Message) Outcome {
	switch t.kind {
	case policy.Slack, policy.Teams, policy.Discord, policy.Mattermost, policy.Webhook:
		return c.sendHook(ctx, t, m)
	case policy.Mail:
		return c.sendMail(ctx, t, m)
	case policy.GitHub, policy.GitLab:
		return c.sendIssues(ctx, t, m)
	}
	return Outcome{Status: Rejected, Reason: fmt.Sprintf("there is no way to tell a destination of kind %q", string(t.kind))}
}

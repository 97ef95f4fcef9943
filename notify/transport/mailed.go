package transport

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"time"

	"telltale/flow/plain"
	"telltale/notify"
)

// maxMailed is how many messages are remembered that some recipients already have.
const maxMailed = 1024

// mailed has the recipients who have a message that others are still to get, by destination
// and message. It is forgotten with the process: then somebody may get a mail twice, under
// the same Message-ID.
type mailed map[string][]string

func mailKey(t Target, m notify.Message) string { return t.Identity() + " " + m.ID }

// has returns the recipients who have the message.
func (c *Client) has(t Target, m notify.Message) []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.given[mailKey(t, m)])
}

// settle says what became of a mail whose recipients were told apart: those who have it,
// those who are to be tried again, and those who are refused for good.
func (c *Client) settle(t Target, m notify.Message, ref string, has []string, late, never []Outcome) Outcome {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.given, mailKey(t, m))
	all := len(t.recipients)
	switch {
	case len(late) > 0:
		o := late[0]
		if len(has) > 0 {
			if len(c.given) >= maxMailed {
				clear(c.given)
			}
			c.given[mailKey(t, m)] = has
			o.Reason = fmt.Sprintf("%d of %d recipients have it; %s", len(has), all, o.Reason)
		}
		return o
	case len(has) == 0:
		return never[0]
	case len(never) > 0:
		return Outcome{Status: Delivered, Ref: ref, Reason: fmt.Sprintf("%d of %d recipients have it; %s", len(has), all, never[0].Reason)}
	}
	return Outcome{Status: Delivered, Ref: ref}
}

// bracketed returns an address as SMTP has it.
func bracketed(address string) string { return (&netmail.Address{Address: address}).String() }

// mailFailed says what an error in the dialogue means: of the server's answers those that
// begin with 4 pass, those with 5 do not (RFC 5321, section 4.2.1).
func mailFailed(ctx context.Context, t Target, whom string, err error) Outcome {
	var reply *textproto.Error
	var garbage textproto.ProtocolError
	switch {
	case errors.As(err, &reply) && reply.Code >= 400 && reply.Code < 600:
		said := plain.Name(t.masks.clean(reply.Msg), shown)
		o := Outcome{Status: Again, Reason: fmt.Sprintf("the mail server answered %d: %s", reply.Code, said)}
		if whom != "" {
			o.Reason = fmt.Sprintf("the mail server answered %d to %s: %s", reply.Code, whom, said)
		}
		if reply.Code >= 500 {
			o.Status = Rejected
		}
		return o
	case errors.Is(err, errNoTLS), errors.Is(err, errTalks):
		return Outcome{Status: Again, Reason: err.Error()}
	case errors.Is(err, errNoSignIn):
		return Outcome{Status: Rejected, Reason: err.Error()}
	case ctx.Err() != nil:
		return failed(ctx.Err())
	case errors.As(err, &reply), errors.As(err, &garbage):
		return Outcome{Status: Again, Reason: "the mail server answers with what is not SMTP"}
	}
	return failed(err)
}

// dated is when a message was made, the same in every attempt.
func (c *Client) dated(m notify.Message) time.Time {
	for _, at := range []time.Time{m.Last, m.First} {
		if !at.IsZero() {
			return at
		}
	}
	return c.options.Now()
}

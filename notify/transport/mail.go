package transport

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strings"

	mail "github.com/wneessen/go-mail"

	"telltale/flow/plain"
	"telltale/notify"
	"telltale/policy"
)

// resolveMail reads what a mailbox needs: smtp://[USER[:PASSWORD]@]HOST[:PORT][?tls=none],
// or smtps://. SMTP is upgraded to TLS before anything of the message is said (RFC 3207),
// except to this machine, where TLS is used if the server has it. tls=none is for servers
// that have none, and never with a password.
func (t *Target) resolveMail(d policy.Destination, address string) error {
	if err := t.locate(address, "smtp", "smtps"); err != nil {
		return err
	}
	t.user = t.address.User.Username()
	if password, ok := t.address.User.Password(); ok && t.password == "" {
		t.password = password
	}
	t.address.User, t.address.Path = nil, ""
	var err error
	if t.from, err = netmail.ParseAddress(sender(d.From, t.user)); err != nil {
		return errors.New("from is not an e-mail address")
	}
	for _, to := range d.Recipients {
		recipient, err := netmail.ParseAddress(to)
		if err != nil {
			return fmt.Errorf("recipient %s is not an e-mail address", plain.Text(to))
		}
		t.recipients = append(t.recipients, recipient.Address)
	}
	switch tls := t.address.Query().Get("tls"); {
	case len(t.recipients) == 0:
		return errors.New("it has no recipient")
	case t.password != "" && t.user == "":
		return errors.New("it has a password but no user: write smtp://USER@HOST")
	case tls != "" && tls != "none":
		return errors.New("its address has a tls that is not none")
	case tls == "none" && t.address.Scheme == "smtps":
		return errors.New("its address has smtps:// and tls=none")
	case tls == "none" && t.password != "" && !loopback(t.address.Hostname()):
		return errors.New("its password would go in clear: leave tls=none out")
	}
	return nil
}

// sender returns whom mail comes from: whoever signs in, where nothing is said.
func sender(from, user string) string {
	if from == "" && strings.Contains(user, "@") {
		return user
	}
	return from
}

// withoutTLS reports whether the policy says that the server has no TLS.
func withoutTLS(u *url.URL) bool { return u.Query().Get("tls") == "none" }

// compose writes a message as mail: plain text with an alternative in HTML (RFC 2046,
// section 5.1.4). The same message is the same mail in every attempt, by its Message-ID
// (RFC 5322, section 3.6.4), and no program answers to it (RFC 3834, section 5).
func (c *Client) compose(t Target, m notify.Message) (*mail.Msg, error) {
	payload, err := notify.Render(policy.Mail, m)
	if err != nil {
		return nil, fmt.Errorf("the message cannot be written: %w", err)
	}
	_, domain, _ := strings.Cut(t.from.Address, "@")
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(t.from)
	if err := msg.To(t.recipients...); err != nil {
		return nil, errors.New("a recipient is not an e-mail address")
	}
	msg.Subject(plain.Name(payload.Subject, longest))
	msg.SetMessageIDWithValue(headerValue(m.ID) + "@" + domain)
	msg.SetDateWithValue(c.dated(m))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Telltale-Message", headerValue(m.ID))
	msg.SetBodyString(mail.TypeTextPlain, payload.Text)
	if payload.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, payload.HTML)
	}
	return msg, nil
}

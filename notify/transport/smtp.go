package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	mail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"telltale/notify"
)

// maxDialogue is how many bytes of an SMTP server are read in an attempt.
const maxDialogue = 256 << 10

// sendMail delivers a message to those recipients who do not have it yet.
func (c *Client) sendMail(ctx context.Context, t Target, m notify.Message) Outcome {
	msg, err := c.compose(t, m)
	if err != nil {
		return Outcome{Status: Rejected, Reason: err.Error()}
	}
	conn, err := dialSMTP(ctx, t)
	if err != nil {
		return failed(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	client, err := greet(conn, t)
	if err != nil {
		return mailFailed(ctx, t, "", err)
	}
	return c.transact(ctx, client, t, m, msg)
}

// A limited connection reads no more than an SMTP dialogue has: a server could talk for
// ever.
type limited struct {
	net.Conn
	left int
}

var errTalks = errors.New("the receiver talks without end")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTalks
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// dialSMTP connects to the server: port 587 for submission (RFC 6409), 465 for TLS from the
// first byte (RFC 8314).
func dialSMTP(ctx context.Context, t Target) (net.Conn, error) {
	host, implicit := t.address.Hostname(), t.address.Scheme == "smtps"
	port := "587"
	if implicit {
		port = "465"
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, cmp.Or(t.address.Port(), port)))
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	conn = &limited{Conn: conn, left: maxDialogue}
	if !implicit {
		return conn, nil
	}
	secure := tls.Client(conn, t.authority.config(host))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// errNoTLS means that a server cannot be spoken to in secret.
var errNoTLS = errors.New("the mail server offers no STARTTLS, and the message does not go in clear: use smtps://, or ?tls=none where that is wanted")

// greet opens the dialogue: hello, TLS, sign in.
func greet(conn net.Conn, t Target) (*smtp.Client, error) {
	host := t.address.Hostname()
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		return nil, err
	}
	if err := client.Hello(literal(conn.LocalAddr())); err != nil {
		return nil, err
	}
	_, secure := conn.(*tls.Conn)
	offered, _ := client.Extension("STARTTLS")
	switch {
	case secure, withoutTLS(t.address):
	case offered:
		if err := client.StartTLS(t.authority.config(host)); err != nil {
			return nil, err
		}
		secure = true
	case !loopback(host):
		return nil, errNoTLS
	}
	if t.password == "" {
		return client, nil
	}
	return client, signIn(client, t, secure)
}

// literal returns our own address as a name in a greeting (RFC 5321, section 4.1.3): the
// name of this machine is nobody's business.
func literal(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "localhost"
	}
	host, _, _ = strings.Cut(host, "%")
	if strings.Contains(host, ":") {
		return "[IPv6:" + host + "]"
	}
	return "[" + host + "]"
}

// errNoSignIn means that a server offers no way of signing in that we know.
var errNoSignIn = errors.New("the mail server offers no way to sign in that is known here (SCRAM, CRAM-MD5, PLAIN, LOGIN)")

// signIn proves who we are in the best way that the server offers. In clear, which is only
// ever this machine, PLAIN and LOGIN are no worse than the file that the password is in.
func signIn(client *smtp.Client, t Target, secure bool) error {
	_, offered := client.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	host := t.address.Hostname()
	for _, way := range []struct {
		name string
		auth func() smtp.Auth
	}{
		{"SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(t.user, t.password) }},
		{"SCRAM-SHA-1", func() smtp.Auth { return smtp.ScramSHA1Auth(t.user, t.password) }},
		{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(t.user, t.password) }},
		{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", t.user, t.password, host, !secure) }},
		{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(t.user, t.password, host, !secure) }},
	} {
		for _, offer := range ways {
			if offer == way.name {
				return client.Auth(way.auth())
			}
		}
	}
	return errNoSignIn
}

// transact hands the mail over (RFC 5321, section 3.3). Recipients who are refused do not
// keep it from the others.
func (c *Client) transact(ctx context.Context, client *smtp.Client, t Target, m notify.Message, msg *mail.Msg) Outcome {
	if err := client.Mail(bracketed(t.from.Address)); err != nil {
		return mailFailed(ctx, t, "the sender", err)
	}
	has := c.has(t, m)
	var taken []string
	var late, never []Outcome
	for _, to := range t.recipients {
		if slices.Contains(has, to) {
			continue
		}
		err := client.Rcpt(bracketed(to))
		if err == nil {
			taken = append(taken, to)
			continue
		}
		if o := mailFailed(ctx, t, to, err); o.Status == Again {
			late = append(late, o)
		} else {
			never = append(never, o)
		}
	}
	if len(taken) > 0 {
		if o := deliver(ctx, client, t, msg); o.Status != Delivered {
			return o
		}
	}
	return c.settle(t, m, msg.GetMessageID(), append(has, taken...), late, never)
}

// deliver sends the mail itself, to the recipients that the server took.
func deliver(ctx context.Context, client *smtp.Client, t Target, msg *mail.Msg) Outcome {
	writer, err := client.Data()
	if err == nil {
		if _, err = msg.WriteTo(writer); err == nil {
			err = writer.Close()
		}
	}
	if err != nil {
		return mailFailed(ctx, t, "", err)
	}
	// A farewell without waiting for the answer: the mail is the server's now.
	_, _ = client.Text.Cmd("QUIT")
	return Outcome{Status: Delivered}
}

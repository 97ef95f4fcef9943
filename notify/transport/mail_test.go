package transport

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/notify"
	"telltale/policy"
)

func TestMail(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, nil)
	c := newClient(t, patient)
	target := mailTo(t, "smtp://"+box.address, nil)
	o := send(t, c, target, violation("m-1"))
	expect(t, o, Delivered, "")
	if o.Ref != "<m-1@example.ca>" || len(box.taken()) != 1 {
		t.Fatalf("%+v, %d mails", o, len(box.taken()))
	}
	letter := box.taken()[0]
	if fmt.Sprint(letter.to) != "[a@example.ca b@example.ca c@example.ca]" {
		t.Errorf("recipients %v", letter.to)
	}
	read, err := netmail.ReadMessage(strings.NewReader(letter.text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"Telltale" <telltale@example.ca>`, "Message-Id": "<m-1@example.ca>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
		"Date": "Sat, 21 Nov 2026 23:02:12 +0000", "X-Telltale-Message": "m-1",
	} {
		if got := read.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	kinds := parts(t, read)
	if fmt.Sprint(kinds) != "[text/plain text/html]" {
		t.Errorf("the parts are %v", kinds)
	}
	commands, _ := box.said()
	for _, command := range commands {
		if host, ok := strings.CutPrefix(command, "EHLO "); ok && host != "[127.0.0.1]" {
			t.Errorf("the greeting has %s", host)
		}
	}
}

// parts returns the media types of a mail's parts.
func parts(t *testing.T, m *netmail.Message) []string {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	var kinds []string
	for reader := multipart.NewReader(m.Body, parameters["boundary"]); ; {
		part, err := reader.NextPart()
		if err == io.EOF {
			return kinds
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		kinds = append(kinds, kind)
	}
}

func TestMailThatFails(t *testing.T) {
	t.Parallel()
	says := func(command, answer string) func(*mailbox) {
		return func(m *mailbox) { m.say[command] = answer }
	}
	garbage := "\x00\x01garbage"
	for name, test := range map[string]struct {
		change func(*mailbox)
		status Status
		reason string
	}{
		"greeting 421":      {says("", "421 busy"), Again, "answered 421: busy"},
		"greeting 554":      {says("", "554 not you"), Rejected, "answered 554: not you"},
		"greeting garbage":  {says("", garbage), Again, "not SMTP"},
		"greeting of HTTP":  {says("", "HTTP/1.1 400 Bad Request"), Again, "not SMTP"},
		"no greeting":       {func(m *mailbox) { m.talk = silent("") }, Again, "did not answer in time"},
		"closed at hello":   {says("EHLO", ""), Again, "connection"},
		"hello garbage":     {func(m *mailbox) { m.say["EHLO"], m.say["HELO"] = garbage, garbage }, Again, "not SMTP"},
		"sender 451":        {says("MAIL", "451 4.7.1 greylisted"), Again, "451 to the sender: 4.7.1 greylisted"},
		"sender 553":        {says("MAIL", "553 not yours"), Rejected, "553 to the sender"},
		"sender odd code":   {says("MAIL", "250-a\r\n999 b"), Again, "in time"},
		"all unknown":       {says("RCPT", "550 5.1.1 unknown"), Rejected, "550 to a@example.ca: 5.1.1 unknown"},
		"all later":         {says("RCPT", "450 4.2.0 later"), Again, "450 to a@example.ca"},
		"hangs at RCPT":     {func(m *mailbox) { m.talk = silent("RCPT") }, Again, "did not answer in time"},
		"closes at RCPT":    {says("RCPT", ""), Again, "connection"},
		"data 452":          {says("DATA", "452 disk full"), Again, "452: disk full"},
		"data 554":          {says("DATA", "554 no"), Rejected, "554"},
		"data 250":          {says("DATA", "250 what"), Again, "not SMTP"},
		"hangs at DATA":     {func(m *mailbox) { m.talk = silent("DATA") }, Again, "did not answer in time"},
		"end 451":           {says(".", "451 try later"), Again, "451"},
		"end 552":           {says(".", "552 too big"), Rejected, "552: too big"},
		"controls":          {says("MAIL", "550 \x1b[31mred\u202e\x07"), Rejected, "red"},
		"long":              {says("MAIL", "550 "+strings.Repeat("long ", 10000)), Rejected, "long"},
		"talks for ever":    {func(m *mailbox) { m.talk = forever }, Again, "without end"},
		"421 at any moment": {says("RCPT", "421 going down"), Again, "421"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t, test.change)
			target := mailTo(t, "smtp://user@"+box.address, nil)
			timeout := patient
			if strings.Contains(test.reason, "in time") {
				timeout = impatient
			}
			o := send(t, newClient(t, timeout), target, violation("m1"))
			expect(t, o, test.status, test.reason)
			if len(box.taken()) != 0 {
				t.Error("the mail was taken")
			}
		})
	}
}

func forever(conn net.Conn, _ string) bool {
	for {
		if _, err := io.WriteString(conn, strings.Repeat("220-welcome\r\n", 1000)); err != nil {
			return true
		}
	}
}

// Some recipients get it, and nobody gets it twice.
func TestRecipientsAreToldApart(t *testing.T) {
	t.Parallel()
	t.Run("one unknown", func(t *testing.T) {
		t.Parallel()
		box := newMailbox(t, func(m *mailbox) { m.say["RCPT TO:<b@example.ca>"] = "550 5.1.1 unknown" })
		o := send(t, newClient(t, patient), mailTo(t, "smtp://"+box.address, nil), violation("m1"))
		expect(t, o, Delivered, "2 of 3 recipients have it; the mail server answered 550 to b@example.ca")
		if len(box.taken()) != 1 || fmt.Sprint(box.taken()[0].to) != "[a@example.ca c@example.ca]" {
			t.Errorf("%v", box.taken())
		}
	})
	t.Run("one later", func(t *testing.T) {
		t.Parallel()
		box := newMailbox(t, func(m *mailbox) { m.say["RCPT TO:<b@example.ca>"] = "450 4.2.0 later" })
		c, target := newClient(t, patient), mailTo(t, "smtp://"+box.address, nil)
		expect(t, send(t, c, target, violation("m1")), Again, "2 of 3 recipients have it")
		expect(t, send(t, c, target, violation("m1")), Again, "2 of 3 recipients have it")
		box.from("RCPT TO:<b@example.ca>", "250 ok")
		expect(t, send(t, c, target, violation("m1")), Delivered, "")
		var all []string
		for _, letter := range box.taken() {
			all = append(all, letter.to...)
		}
		if slices.Sort(all); fmt.Sprint(all) != "[a@example.ca b@example.ca c@example.ca]" {
			t.Errorf("told were %v", all)
		}
		if len(c.given) != 0 {
			t.Error("who has it is remembered for ever")
		}
	})
	t.Run("the mail itself refused", func(t *testing.T) {
		t.Parallel()
		box := newMailbox(t, func(m *mailbox) {
			m.say["RCPT TO:<b@example.ca>"] = "450 later"
			m.say["."] = "451 not now"
		})
		c, target := newClient(t, patient), mailTo(t, "smtp://"+box.address, nil)
		expect(t, send(t, c, target, violation("m1")), Again, "451")
		if len(c.given) != 0 {
			t.Error("somebody is taken to have what was refused")
		}
	})
}

// A server that takes the mail and is gone before it says so gets it again under the same
// Message-ID: mail programs show it once.
func TestMailWithoutAnswerIsTheSameMail(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, func(m *mailbox) { m.say["."] = "" })
	c, target := newClient(t, patient), mailTo(t, "smtp://"+box.address, nil)
	expect(t, send(t, c, target, violation("m1")), Again, "connection")
	box.from(".", "250 queued")
	expect(t, send(t, c, target, violation("m1")), Delivered, "")
	mails := box.taken()
	if len(mails) != 2 {
		t.Fatal(len(mails))
	}
	for _, name := range []string{"Message-Id", "Date", "Subject"} {
		first, _ := netmail.ReadMessage(strings.NewReader(mails[0].text))
		second, _ := netmail.ReadMessage(strings.NewReader(mails[1].text))
		if first.Header.Get(name) == "" || first.Header.Get(name) != second.Header.Get(name) {
			t.Errorf("%s differs: %q, %q", name, first.Header.Get(name), second.Header.Get(name))
		}
	}
}

func TestQuitIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, func(m *mailbox) { m.talk = silent("QUIT") })
	began := time.Now()
	expect(t, send(t, newClient(t, patient), mailTo(t, "smtp://"+box.address, nil), violation("m1")), Delivered, "")
	if took := time.Since(began); took > patient/2 {
		t.Errorf("it took %v", took)
	}
}

func TestMailIsEncrypted(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	good, file := certificate(t, "127.0.0.1", later)
	for _, way := range []string{"PLAIN", "LOGIN", "XOAUTH2 PLAIN LOGIN"} {
		box := newMailbox(t, func(m *mailbox) { m.with, m.offers = &good, []string{"STARTTLS", "AUTH " + way} })
		target := mailTo(t, "smtp://user@"+box.address, func(d *policy.Destination) { d.CA = file; withPassword(d) })
		expect(t, send(t, newClient(t, patient), target, violation("m1")), Delivered, "")
		_, inClear := box.said()
		for _, line := range inClear {
			if !strings.HasPrefix(line, "EHLO") && line != "STARTTLS" {
				t.Errorf("in clear: %s", line)
			}
		}
	}
	box := newMailbox(t, func(m *mailbox) { m.with, m.offers = &good, []string{"STARTTLS", "AUTH PLAIN"} })
	expect(t, send(t, newClient(t, patient), mailTo(t, "smtp://user@"+box.address, withPassword), violation("m1")), Again, "an authority that is not trusted")
	if _, inClear := box.said(); len(inClear) > 2 {
		t.Errorf("after the wrong certificate: %v", inClear)
	}
}

// To another machine nothing goes in clear: not when STARTTLS is missing, which whoever is
// between can bring about.
func TestMissingSTARTTLSIsNotPutUpWith(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, func(m *mailbox) { m.offers = []string{"AUTH PLAIN"} })
	_, port, err := net.SplitHostPort(box.address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", box.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	target := mailTo(t, "smtp://user@mail.example:"+port, withPassword)
	if _, err := greet(conn, target); err == nil || mailFailed(t.Context(), target, "", err).Status != Again || !strings.Contains(err.Error(), "offers no STARTTLS") {
		t.Error(err)
	}
	if said, _ := box.said(); len(said) != 1 {
		t.Errorf("said were %v", said)
	}
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*mailbox)
		status Status
		reason string
	}{
		"over loopback": {func(m *mailbox) { m.offers = []string{"AUTH PLAIN LOGIN"} }, Delivered, ""},
		"login":         {func(m *mailbox) { m.offers = []string{"AUTH LOGIN"} }, Delivered, ""},
		"no way":        {func(m *mailbox) {}, Rejected, "no way to sign in"},
		"unknown way":   {func(m *mailbox) { m.offers = []string{"AUTH GSSAPI"} }, Rejected, "no way to sign in"},
		"refused": {func(m *mailbox) {
			m.offers = []string{"AUTH PLAIN"}
			m.say["AUTH"] = "535 5.7.8 wrong: " + passwordSecret
		}, Rejected, "535"},
		"not now":       {func(m *mailbox) { m.offers = []string{"AUTH PLAIN"}; m.say["AUTH"] = "454 not now" }, Again, "454"},
		"bad challenge": {func(m *mailbox) { m.offers = []string{"AUTH CRAM-MD5"}; m.say["AUTH"] = "334 !!!" }, Again, ""},
		"echo": {func(m *mailbox) {
			m.offers = []string{"AUTH PLAIN"}
			m.say["MAIL"] = "550 your password is " + passwordSecret + " at smtp://user:x@h/"
		}, Rejected, "550 to the sender: your password is [redacted] at [address]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t, test.change)
			expect(t, send(t, newClient(t, patient), mailTo(t, "smtp://user@"+box.address, withPassword), violation("m1")), test.status, test.reason)
		})
	}
}

func TestMailTakesNoInjection(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, nil)
	m := violation("m1\r\nBcc: evil@example.com")
	m.Title = "title\r\nBcc: evil@example.com\r\n\r\nbody"
	m.Items[0].Host = "host\r\n.\r\nMAIL FROM:<evil@example.com>"
	m.Text = "text\r\n.\r\nQUIT\r\n\x1b[2J"
	m.Kind = "trouble"
	expect(t, send(t, newClient(t, patient), mailTo(t, "smtp://"+box.address, nil), m), Delivered, "")
	letter := box.taken()[0]
	read, err := netmail.ReadMessage(strings.NewReader(letter.text))
	if err != nil {
		t.Fatal(err)
	}
	commands, _ := box.said()
	if read.Header.Get("Bcc") != "" || len(box.taken()) != 1 || slices.ContainsFunc(commands, func(c string) bool { return strings.Contains(c, "evil") }) {
		t.Errorf("injected: %v %v", read.Header, commands)
	}
}

// What is remembered of recipients is bounded.
func TestRecipientsAreNotRememberedForEver(t *testing.T) {
	t.Parallel()
	c := newClient(t, patient)
	target := mailTo(t, "smtp://127.0.0.1", nil)
	for i := range 3 * maxMailed {
		c.settle(target, notify.Message{ID: fmt.Sprint(i)}, "", []string{"a@example.ca"}, []Outcome{{Status: Again, Reason: "later"}}, nil)
	}
	if len(c.given) > maxMailed {
		t.Errorf("%d are remembered", len(c.given))
	}
}

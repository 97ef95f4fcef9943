package transport

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"telltale/policy"
)

// mailbox is an SMTP server over loopback that answers by its script, and keeps what it
// takes.
type mailbox struct {
	address string
	say     map[string]string // answer to a command, or to a command and its argument; "" closes
	offers  []string          // extensions
	with    *tls.Certificate  // for STARTTLS
	talk    func(conn net.Conn, command string) bool

	mutex    sync.Mutex
	mails    []letter
	commands []string
	inClear  []string // what came without TLS
}

type letter struct {
	to   []string
	text string
}

func newMailbox(t *testing.T, change func(*mailbox)) *mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{address: listener.Addr().String(), say: map[string]string{}}
	if change != nil {
		change(m)
	}
	var running sync.WaitGroup
	var open sync.Map
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(conn, true)
			running.Go(func() {
				defer conn.Close()
				m.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		running.Wait()
	})
	return m
}

func (m *mailbox) answer(line string) (string, bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	verb, _, _ := strings.Cut(line, " ")
	for _, key := range []string{line, strings.ToUpper(verb)} {
		if text, ok := m.say[key]; ok {
			return text, true
		}
	}
	return "", false
}

func (m *mailbox) serve(conn net.Conn) {
	if m.talk != nil && m.talk(conn, "") {
		return
	}
	greeting, ok := m.answer("")
	if !ok {
		greeting = "220 mail.example"
	}
	fmt.Fprintf(conn, "%s\r\n", greeting)
	reader, secure := bufio.NewReader(conn), false
	var to []string
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb := strings.ToUpper(strings.Fields(line + " x")[0])
		m.note(line, secure)
		if m.talk != nil && m.talk(conn, verb) {
			return
		}
		text, scripted := m.answer(line)
		if scripted && text == "" {
			return
		}
		switch {
		case scripted:
			if verb == "RCPT" && text[0] == '2' {
				to = append(to, inside(line, "<", ">"))
			}
		case verb == "EHLO":
			text = "250-mail.example\r\n"
			for _, offer := range m.offers {
				text += "250-" + offer + "\r\n"
			}
			text += "250 8BITMIME"
		case verb == "STARTTLS":
			fmt.Fprint(conn, "220 go\r\n")
			upgraded := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*m.with}})
			conn, reader, secure = upgraded, bufio.NewReader(upgraded), true
			continue
		case verb == "AUTH":
			text = m.auth(line, reader, conn)
		case verb == "MAIL":
			text, to = "250 ok", nil
		case verb == "RCPT":
			text, to = "250 ok", append(to, inside(line, "<", ">"))
		case verb == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			body, ended := readDots(reader)
			if !ended {
				return
			}
			if text, scripted = m.answer("."); scripted && text == "" {
				m.keep(to, body)
				return // taken, and then gone
			}
			if !scripted || text[0] == '2' {
				text = "250 queued"
				m.keep(to, body)
			}
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			text = "250 ok"
		}
		fmt.Fprintf(conn, "%s\r\n", text)
	}
}

func (m *mailbox) note(line string, secure bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.commands = append(m.commands, line)
	if !secure {
		m.inClear = append(m.inClear, line)
	}
}

func (m *mailbox) keep(to []string, body string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.mails = append(m.mails, letter{to, body})
}

func (m *mailbox) taken() []letter {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.mails)
}

// said returns the commands that came, and those that came without TLS.
func (m *mailbox) said() (all, inClear []string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.commands), slices.Clone(m.inClear)
}

// from now on, the server answers a command in another way.
func (m *mailbox) from(command, answer string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.say[command] = answer
}

// auth checks a password by PLAIN or LOGIN.
func (m *mailbox) auth(line string, reader *bufio.Reader, conn net.Conn) string {
	fields := strings.Fields(line)
	plain := func(text string) string {
		out, _ := base64.StdEncoding.DecodeString(text)
		return string(out)
	}
	if fields[1] == "PLAIN" && len(fields) == 3 && plain(fields[2]) == "\x00user\x00"+passwordSecret {
		return "235 welcome"
	}
	if fields[1] == "LOGIN" {
		var said []string
		for _, ask := range []string{"VXNlcm5hbWU6", "UGFzc3dvcmQ6"} {
			fmt.Fprintf(conn, "334 %s\r\n", ask)
			answer, _ := reader.ReadString('\n')
			said = append(said, plain(strings.TrimSpace(answer)))
		}
		if said[0] == "user" && said[1] == passwordSecret {
			return "235 welcome"
		}
	}
	return "535 5.7.8 not with " + line + " " + passwordSecret
}

// readDots reads a mail until the line with a dot.
func readDots(reader *bufio.Reader) (string, bool) {
	var b strings.Builder
	for {
		line, err := reader.ReadString('\n')
		switch {
		case err != nil:
			return "", false
		case line == ".\r\n":
			return b.String(), true
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func inside(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// silent reads and never answers, from a command on.
func silent(at string) func(net.Conn, string) bool {
	return func(conn net.Conn, command string) bool {
		if command == at {
			io.Copy(io.Discard, conn)
		}
		return command == at
	}
}

// mailTo returns a target of a mailbox.
func mailTo(t *testing.T, address string, change func(*policy.Destination)) Target {
	t.Helper()
	d := policy.Destination{Name: "privacy", Kind: policy.Mail, URL: policy.NewCredential(address), From: "Telltale <telltale@example.ca>", Recipients: []string{"a@example.ca", "b@example.ca", "c@example.ca"}}
	if change != nil {
		change(&d)
	}
	return resolved(t, d)
}

func withPassword(d *policy.Destination) { d.Password = policy.NewCredential(passwordSecret) }

package transport

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/policy"
)

// debianServer starts the SMTP server of Debian's package python3-aiosmtpd over loopback,
// with a Maildir, and returns its address and the Maildir.
func debianServer(t *testing.T, arguments ...string) (address, maildir string) {
	t.Helper()
	program, err := exec.LookPath("aiosmtpd")
	if err != nil {
		t.Skip("aiosmtpd is not installed: apt-get install python3-aiosmtpd")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, maildir = listener.Addr().String(), filepath.Join(t.TempDir(), "mail")
	listener.Close()
	arguments = append([]string{"-n", "-l", address, "-c", "aiosmtpd.handlers.Mailbox"}, arguments...)
	server := exec.Command(program, append(arguments, maildir)...)
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Logf("aiosmtpd said: %s", said.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return address, maildir
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// keyPair writes a certificate for 127.0.0.1 and its key, as servers read them.
func keyPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	pair, certFile := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile = filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

// A server that others wrote takes our mail: in clear over loopback, by STARTTLS, and by
// TLS from the first byte.
func TestDebianServerTakesMail(t *testing.T) {
	t.Parallel()
	certFile, keyFile := keyPair(t)
	for name, test := range map[string]struct {
		scheme    string
		arguments []string
	}{
		"clear":    {"smtp", nil},
		"STARTTLS": {"smtp", []string{"--tlscert", certFile, "--tlskey", keyFile}},
		"SMTPS":    {"smtps", []string{"--smtpscert", certFile, "--smtpskey", keyFile}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, maildir := debianServer(t, test.arguments...)
			c := newClient(t, patient)
			target := mailTo(t, test.scheme+"://"+address, func(d *policy.Destination) { d.CA = certFile })
			const messages = 5
			for i := range messages {
				m := violation(fmt.Sprintf("m%d", i))
				m.Text = ".\r\n..\r\nline that begins with a dot\r\n." // must be stuffed
				expect(t, send(t, c, target, m), Delivered, "")
			}
			seen := map[string]int{}
			files, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				mail, err := netmail.ReadMessage(bytes.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				seen[mail.Header.Get("Message-Id")]++
				if !strings.Contains(mail.Header.Get("X-Rcptto"), "c@example.ca") || len(parts(t, mail)) != 2 {
					t.Errorf("%v", mail.Header)
				}
			}
			if len(files) != messages || len(seen) != messages {
				t.Errorf("%d mails of %d messages, %v", len(files), messages, seen)
			}
		})
	}
}

// The server stands behind a network that cuts connections at every point: the mail
// arrives, and each repetition of it has its Message-ID.
func TestDebianServerBehindFaultyNetwork(t *testing.T) {
	t.Parallel()
	address, maildir := debianServer(t)
	faults := []fault{drop, refuse, jolt}
	for _, n := range []int64{0, 10, 40, 80, 120, 200, 400, 1000} {
		faults = append(faults, pass(n, -1), pass(-1, n), pass(-1, -1))
	}
	network := between(t, address, faults...)
	c := newClient(t, impatient)
	target := mailTo(t, "smtp://"+network, nil)
	const messages = 6
	for i := range messages {
		o, _ := eventually(t, c, target, violation(fmt.Sprintf("m%d", i)))
		expect(t, o, Delivered, "")
	}
	files, _ := filepath.Glob(filepath.Join(maildir, "new", "*"))
	seen := map[string]bool{}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if mail, err := netmail.ReadMessage(bytes.NewReader(text)); err == nil {
			seen[mail.Header.Get("Message-Id")] = true
		}
	}
	if len(seen) != messages {
		t.Errorf("%d of %d messages arrived, in %d mails", len(seen), messages, len(files))
	}
}

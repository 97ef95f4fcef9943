package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// roleCommand is the argument behind which this program becomes a process that
// is measured.
const roleCommand = "serve"

// serve runs one of the baselines until it is killed.
func serve(args []string, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "error: serve needs a role and a file")
		return 2
	}
	if err := play(args[0], args[1], stderr); err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 2
	}
	return 0
}

// baselines are the roles of proxies.
var baselines = map[string]func(net.Listener, *x509.CertPool) error{
	tunnelName:      func(listener net.Listener, _ *x509.CertPool) error { return serveTunnel(listener) },
	interceptorName: serveInterceptor,
}

// play plays a role: file holds the roots of the servers, or what is to be decoded or read.
func play(role, file string, stderr io.Writer) error {
	switch role {
	case decodeRole:
		_, err := decodeHAR(file)
		return err
	case readRole:
		return readFolder(file)
	case farEndRole:
		return serveFarEnd(file, stderr)
	}
	proxy, ok := baselines[role]
	if !ok {
		return fmt.Errorf("no role %q", role)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s holds no certificate", file)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s%s\n", ready, listener.Addr())
	return proxy(listener, roots)
}

// A contender is a proxy that is compared.
type contender struct {
	name  string
	start func() (*process, error)
}

// The names of the contenders, as the table has them.
const (
	tunnelName      = "tunnel"
	interceptorName = "interceptor"
	telltaleName    = "telltale"

	decodeRole = "decode"
	readRole   = "read"
	farEndRole = "far-end"
)

// A bench holds what all scenarios share: the servers, and how to start what is
// compared.
type bench struct {
	options
	dir        string // temporary, removed at the end
	self       string // this program
	roots      string // file with the authority of the servers
	policy     string // policy file for telltale
	origins    []net.Listener
	http1Port  string // of the origin that speaks HTTP/1.1 alone
	http2Port  string // of the origin that speaks HTTP/2 as well
	contenders []contender
	captures   int // started so far, for their file names
}

// policyText is what telltale judges by under load: a policy as people write it.
const policyText = `version: 1
name: the servers of the measurement alone
allow:
  - "*.` + domain + `"
deny:
  - category: advertising
`

// newBench starts the servers.
func newBench(o options) (b *bench, err error) {
	b = &bench{options: o}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "telltale-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	b.roots, b.policy = filepath.Join(b.dir, "roots.pem"), filepath.Join(b.dir, "policy.yaml")
	if err := os.WriteFile(b.policy, []byte(policyText), 0o600); err != nil {
		return nil, err
	}
	if err := b.serveOrigins(); err != nil {
		return nil, err
	}
	b.contenders = []contender{
		{tunnelName, func() (*process, error) { return start(b.self, roleCommand, tunnelName, b.roots) }},
		{interceptorName, func() (*process, error) { return start(b.self, roleCommand, interceptorName, b.roots) }},
	}
	if b.telltale != "" {
		b.contenders = append(b.contenders, contender{telltaleName, b.startTelltale})
	}
	return b, nil
}

// serveOrigins makes the authority of the servers and starts both.
func (b *bench) serveOrigins() error {
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.roots, authority.pem(), 0o600); err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	cert, err := authority.sign(key, "*."+domain)
	if err != nil {
		return err
	}
	for _, protocols := range [][]string{{"http/1.1"}, {"h2", "http/1.1"}} {
		config := &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: protocols}
		listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			return err
		}
		b.origins = append(b.origins, listener)
		go serveOrigin(listener)
	}
	b.http1Port, b.http2Port = port(b.origins[0]), port(b.origins[1])
	return nil
}

func port(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// startTelltale starts the program as a person would for an audit that is kept.
func (b *bench) startTelltale() (*process, error) { return b.startTelltaleBy(b.policy) }

func (b *bench) startTelltaleBy(policy string) (*process, error) {
	b.captures++
	c := exec.Command(b.telltale, "record",
		"--listen", "127.0.0.1:0", "--allow-local", "--resolve", "*:*:127.0.0.1", "--upstream-ca", b.roots,
		"--policy", policy, "--ca", filepath.Join(b.dir, "ca"), "--save", b.capture())
	c.Env = append(os.Environ(), "XDG_DATA_HOME="+b.dir) // nothing of it is to stay with whoever measures
	return launch(c)
}

// capture is the file of the telltale that was started last.
func (b *bench) capture() string {
	return filepath.Join(b.dir, fmt.Sprintf("%d.telltale", b.captures))
}

// close stops the servers and removes what was written.
func (b *bench) close() {
	for _, listener := range b.origins {
		listener.Close()
	}
	os.RemoveAll(b.dir)
}

package cmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"telltale/ca"
	"telltale/proxy"
)

// The cast of the demo: the servers that Canada's COVID Alert app spoke to in
// 2020, and the one that it should not have spoken to.
const (
	demoRetrieval  = "retrieval.covid-notification.alpha.canada.ca"
	demoSubmission = "submission.covid-notification.alpha.canada.ca"
	demoProbe      = "clients3.google.com"
	demoAgent      = "CovidShield/1.0.2 CFNetwork/1128.0.1 Darwin/19.6.0"
	demoPolicy     = `# The audit that found it: COVID Alert may talk to the Government of Canada.
version: 1
name: COVID Alert talks to the Government of Canada only
app:
  user-agent: "CovidShield*"
allow:
  - "*.canada.ca"
`
)

// demoBeat is how often the app sends its probe. The real one did every minute.
const demoBeat = time.Second

func newDemo(s *streams) *cobra.Command {
	var folder string
	var screen bool
	c := command("demo", func(c *cobra.Command, _ []string) error {
		if screen {
			if err := needsScreen(s, "--watch"); err != nil {
				return withHint(err, "telltale demo runs without one")
			}
		}
		return demo(c.Context(), s, folder, screen)
	})
	c.Args = noArguments
	c.Flags().StringVarP(&folder, "output", "o", ".", "`folder` for the policy, the capture and the reports")
	c.Flags().BoolVar(&screen, "watch", false, "show the audit on the screen of telltale watch; the app runs until you leave")
	_ = c.MarkFlagDirname("output")
	return c
}

// demo runs a whole audit on this machine: a stand-in app talks through the real
// proxy, over real TLS, to servers that play the ones on the stage of 2020.
func demo(parent context.Context, s *streams, folder string, screen bool) error {
	ctx, end := context.WithCancel(parent)
	defer end()
	ctx, stop := interruptible(ctx, 0)
	defer stop()
	private, err := os.MkdirTemp("", "telltale-demo-*")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(private)
	servers, err := startDemoServers(filepath.Join(private, "servers-ca"))
	if err != nil {
		return err
	}
	defer servers.Close()
	flags, err := demoFlags(folder, private, servers)
	if err != nil {
		return err
	}
	said := &notices{}
	talk := s
	if screen {
		talk = &streams{in: s.in, out: s.out, err: said}
	}
	a, err := startAudit(talk, flags, func(cfg *proxy.Config) { cfg.UpstreamRoots = servers.roots })
	if err != nil {
		return err
	}
	written := &writtenReports{}
	if screen {
		watchDemo(ctx, s, a, said, written)
	} else {
		s.say("the proxy listens on %s; the app and its servers run on this machine, nothing leaves it", a.address())
		if err := runDemoApp(ctx, a, func(line string) { s.say("  app: %s", line) }); err != nil && ctx.Err() == nil {
			s.complain(err)
		}
		s.say("")
	}
	end()
	doc, trouble := a.finish(ctx, s, "telltale demo")
	if screen {
		trouble = a.leave(s, doc, written) || trouble
	} else {
		trouble = flags.conclude(s, a, doc, false, false) || trouble
	}
	s.say("\nnext: open %s in a browser, or read %s, which is ready to be pasted into an issue,", filepath.Join(folder, "audit.html"), filepath.Join(folder, "audit.md"))
	s.say("then audit an app of yours: telltale watch --allow '*.example.com'")
	return s.verdictExit(doc, trouble)
}

// watchDemo shows the audit while the app runs, until the person leaves.
func watchDemo(ctx context.Context, s *streams, a *audit, said *notices, written *writtenReports) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := runDemoApp(ctx, a, func(string) {}); err != nil && ctx.Err() == nil {
				fmt.Fprintf(said, "error: %v\n", err)
				return
			}
		}
	}()
	_ = a.showScreen(ctx, s, said, nil, "telltale demo --watch", written)
	stop()
	<-ended
}

// demoFlags are the flags that a person would have typed for this audit.
func demoFlags(folder, private string, servers *demoServers) (*liveFlags, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // reports are for sharing
		return nil, fmt.Errorf("cannot make the folder for the reports: %w", err)
	}
	file := filepath.Join(folder, "telltale-demo.yaml")
	if err := os.WriteFile(file, []byte(demoPolicy), 0o644); err != nil { //nolint:gosec // a policy is for sharing
		return nil, fmt.Errorf("cannot write the demo's policy: %w", err)
	}
	flags := &liveFlags{
		listen: "127.0.0.1:0", keep: "none", bodyLimit: "1MiB", ca: filepath.Join(private, "ca"),
		resolve: []string{"*:*:" + servers.listener.Addr().String()},
	}
	flags.policy.file = file
	for _, name := range []string{"audit.md", "audit.html", "audit.json", "audit.har"} {
		flags.report.files = append(flags.report.files, filepath.Join(folder, name))
	}
	return flags, nil
}

// demoServers plays every host of the demo on one port of loopback, with
// certificates that a made-up public authority signed.
type demoServers struct {
	http.Server
	listener net.Listener
	roots    *x509.CertPool
}

func startDemoServers(folder string) (*demoServers, error) {
	authority, err := ca.Open(folder)
	if err != nil {
		return nil, err
	}
	d := &demoServers{roots: x509.NewCertPool()}
	d.roots.AddCert(authority.Certificate())
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("cannot listen on loopback for the demo's servers: %w", err)
	}
	d.Handler = demoHandler()
	d.ErrorLog = log.New(io.Discard, "", 0)
	d.TLSConfig = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) },
	}
	go func() { _ = d.ServeTLS(d.listener, "", "") }() // ends with Close
	return d, nil
}

func demoHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+demoRetrieval+"/exposure-configuration/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"minimumRiskScore":0,"attenuationDurationThresholds":[50,62]}`)
	})
	mux.HandleFunc("GET "+demoRetrieval+"/retrieve/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		_, _ = w.Write(bytes.Repeat([]byte("PK\x03\x04diagnosis keys "), 300))
	})
	mux.HandleFunc("POST "+demoSubmission+"/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write([]byte{0x08, 0x00})
	})
	mux.HandleFunc(demoProbe+"/generate_204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// demoStep is one request of the app.
type demoStep struct{ method, url, body string }

var demoStory = []demoStep{
	{"GET", "https://" + demoRetrieval + "/exposure-configuration/CA.json", ""},
	{"HEAD", "https://" + demoProbe + "/generate_204", ""},
	{"GET", "https://" + demoRetrieval + "/retrieve/302/18520/3f2a", ""},
	{"POST", "https://" + demoSubmission + "/claim-key", "\x0a\x0812345678"},
	{"HEAD", "https://" + demoProbe + "/generate_204", ""},
	{"POST", "https://" + demoSubmission + "/upload", "temporary exposure keys, encrypted"},
	{"HEAD", "https://" + demoProbe + "/generate_204", ""},
	{"HEAD", "https://" + demoProbe + "/generate_204", ""},
}

// runDemoApp is the stand-in app: a client that knows only its proxy and the CA
// that the phone's owner installed.
func runDemoApp(ctx context.Context, a *audit, tell func(line string)) error {
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(a.authority.PEM())
	transport := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: a.address()}),
		TLSClientConfig:   &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	app := &http.Client{Transport: transport}
	beat := time.NewTicker(demoBeat)
	defer beat.Stop()
	var failed error
	for _, step := range demoStory {
		if step.method == http.MethodHead {
			select {
			case <-beat.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		status, err := step.run(ctx, app)
		failed = errors.Join(failed, err)
		tell(fmt.Sprintf("%-4s %s → %s", step.method, step.url, status))
	}
	return failed
}

func (d demoStep) run(ctx context.Context, app *http.Client) (status string, err error) {
	r, err := http.NewRequestWithContext(ctx, d.method, d.url, bytes.NewReader([]byte(d.body)))
	if err != nil {
		return "", err
	}
	r.Header.Set("User-Agent", demoAgent)
	resp, err := app.Do(r)
	if err != nil {
		return "failed", fmt.Errorf("the demo's app: %w", err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return strconv.Itoa(resp.StatusCode), err
}

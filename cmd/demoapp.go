package cmd

import (
	"bytes"
	"cmp"
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
	"strconv"
	"strings"
	"time"

	"telltale/ca"
)

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
	for _, host := range []string{demoProbe, demoOtherProbe} {
		mux.HandleFunc(host+"/generate_204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	return mux
}

// demoStep is one request of the app.
type demoStep struct{ method, url, body string }

// The requests of the app.
var (
	demoConfiguration = demoStep{"GET", "https://" + demoRetrieval + "/exposure-configuration/CA.json", ""}
	demoKeys          = demoStep{"GET", "https://" + demoRetrieval + "/retrieve/302/18520/3f2a", ""}
	demoClaim         = demoStep{"POST", "https://" + demoSubmission + "/claim-key", "\x0a\x0812345678"}
	demoUpload        = demoStep{"POST", "https://" + demoSubmission + "/upload", "temporary exposure keys, encrypted"}
)

// demoProbes are asked in this order whether the phone is online, until one of them knows:
// the second is what a reachability library falls back to.
var demoProbes = []demoStep{
	{"HEAD", "https://" + demoProbe + "/generate_204", ""},
	{"HEAD", "https://" + demoOtherProbe + "/generate_204", ""},
}

// demoStory is what the app does in the demo, a list of beats.
var demoStory = [][]demoStep{{demoConfiguration}, {demoKeys, demoClaim}, {demoUpload}, {}}

// demoRoutine is what it does after that, over and over.
var demoRoutine = [][]demoStep{{demoConfiguration, demoKeys}, {demoConfiguration, demoUpload}}

// How long the app waits for the answers to its work, and to its probes.
const (
	demoPatience      = 3 * time.Second
	demoProbePatience = time.Second
)

// demoApp is the stand-in app: a client that knows only its proxy and the CA that the
// phone's owner installed. At each beat it asks whether the phone is online, and goes on
// with its work whatever the answer, until a request of its work fails: then it waits for
// the next beat.
type demoApp struct {
	client *http.Client
	tell   func(line string)
	beats  *time.Ticker
}

func newDemoApp(a *audit, tell func(line string)) *demoApp {
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(a.authority.PEM())
	transport := &http.Transport{
		Proxy:              http.ProxyURL(&url.URL{Scheme: "http", Host: a.address()}),
		ProxyConnectHeader: http.Header{"User-Agent": {demoAgent}}, // as the system of the phone does
		TLSClientConfig:    &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:  true,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a sign-in page is no answer
	return &demoApp{&http.Client{Transport: transport, CheckRedirect: stay}, tell, time.NewTicker(demoBeat)}
}

func (d *demoApp) close() {
	d.beats.Stop()
	d.client.CloseIdleConnections()
}

// live does the work of some beats. The error is that of the first request of its work
// that failed, or of ctx.
func (d *demoApp) live(ctx context.Context, work [][]demoStep) error {
	var failed error
	for _, steps := range work {
		for n, step := range steps {
			err := d.run(ctx, step)
			if failed = cmp.Or(failed, err); err != nil && n+1 < len(steps) {
				d.tell("waits, since that failed")
				break
			}
		}
		select {
		case <-d.beats.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		d.probe(ctx)
	}
	return failed
}

// probe asks whether the phone is online. Each time over connections of its own, as apps
// do that come to the front after a while.
func (d *demoApp) probe(ctx context.Context) {
	d.client.CloseIdleConnections()
	for _, probe := range demoProbes {
		if d.run(ctx, probe) == nil {
			return
		}
	}
	d.tell("takes the phone for offline, and goes on all the same")
}

// run sends a request. What is not a success is an error.
func (d *demoApp) run(ctx context.Context, step demoStep) error {
	begin, patience := time.Now(), demoPatience
	if step.method == http.MethodHead {
		patience = demoProbePatience
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(limited, step.method, step.url, strings.NewReader(step.body))
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", demoAgent)
	status, err := d.answerTo(r)
	shown := status
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		shown = "no answer within " + patience.String()
	case err != nil:
		shown = "no answer: " + err.Error()
	case time.Since(begin) > time.Second/4:
		shown += " after " + time.Since(begin).Round(10*time.Millisecond).String()
	}
	d.tell(fmt.Sprintf("%-4s %s → %s", step.method, step.url, shown))
	if err == nil && !strings.HasPrefix(status, "2") {
		err = errors.New("the server answered with " + status)
	}
	if err != nil {
		return fmt.Errorf("the demo's app: %s: %w", step.url, err)
	}
	return nil
}

func (d *demoApp) answerTo(r *http.Request) (status string, err error) {
	resp, err := d.client.Do(r)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which stands before it
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return strconv.Itoa(resp.StatusCode), err
}

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// phone is an iPhone with an app on it, as far as the proxy can tell.
type phone struct {
	proxy, address string
	roots          *x509.CertPool
	client         *http.Client
}

// Who sends a request.
const (
	browser = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
	system  = "CaptiveNetworkSupport-465.40.2 wispr"
	app     = "Weather/4.2 CFNetwork/1568.200.51 Darwin/24.1.0"
)

// request is something that the phone sends.
type request struct{ sender, method, url, body string }

// day is what happens while the app is used: between two moments passes a while.
var day = [][]request{
	{{system, "GET", "http://captive.apple.com/hotspot-detect.html", ""}},
	{
		{app, "POST", "https://api.weather.example/v2/session", `{"device":"phone","locale":"en-CA"}`},
		{app, "HEAD", "https://clients3.google.com/generate_204", ""},
	},
	{
		{app, "GET", "https://api.weather.example/v2/forecast?lat=45.42&lon=-75.70&days=2", ""},
		{app, "GET", "https://cdn.weather.example/sky/light-snow@3x.webp", ""},
		{app, "GET", "https://cdn.weather.example/sky/night@3x.webp", ""},
	},
	{
		{app, "POST", "https://app-measurement.com/a", "\x0a\x12\x08\x01\x12\x0esession_start"},
		{app, "HEAD", "https://clients3.google.com/generate_204", ""},
	},
	{
		{app, "GET", "https://tiles.maps.example/7/36/45.png", ""},
		{app, "GET", "https://tiles.maps.example/7/37/45.png", ""},
		{app, "GET", "https://tiles.maps.example/7/37/46.png", ""},
	},
	{
		{app, "HEAD", "https://clients3.google.com/generate_204", ""},
		{app, "GET", "https://api.weather.example/v2/forecast?lat=45.42&lon=-75.70&days=7", ""},
	},
	{
		{app, "POST", "https://app-measurement.com/a", "\x0a\x10\x08\x02\x12\x0cscreen_view!"},
		{app, "HEAD", "https://clients3.google.com/generate_204", ""},
	},
	{{app, "GET", "https://www.icanhazip.com/", ""}},
}

// while passes between two moments of the day.
const while = 1500 * time.Millisecond

// send makes one request and returns the body of the answer.
func (p *phone) send(ctx context.Context, r request) ([]byte, error) {
	if p.client == nil {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(p.address)}}
		p.client = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: p.proxy}), DialContext: dialer.DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.roots}, ForceAttemptHTTP2: true,
		}}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader([]byte(r.body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", r.sender)
	if r.sender == app {
		req.Header.Set("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the phone: %w", err)
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// trust fetches the authority and trusts it.
func (p *phone) trust(ctx context.Context) error {
	certificate, err := p.send(ctx, request{browser, "GET", "http://setup.telltale/ca.pem", ""})
	if err != nil {
		return err
	}
	p.roots, p.client = x509.NewCertPool(), nil
	if !p.roots.AppendCertsFromPEM(certificate) {
		return errors.New("the set-up page served no certificate")
	}
	return nil
}

// use lives through the day. It begins with a second of the clock, so that what
// happens in one second of a run happens in one second of every run.
func (p *phone) use(ctx context.Context) error {
	now := time.Now()
	next := time.NewTimer(now.Truncate(time.Second).Add(time.Second + while/15).Sub(now))
	for _, moment := range day {
		select {
		case <-next.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		next.Reset(while)
		for _, r := range moment {
			if _, err := p.send(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

package main

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"telltale/ca"
)

// world plays every server on two ports of loopback: one with certificates of an
// authority that telltale is told to trust, one in clear text.
type world struct {
	servers     []*http.Server
	certificate string   // file with the authority
	resolve     []string // arguments that send telltale there
}

func startWorld(folder string) (*world, error) {
	authority, err := ca.Open(filepath.Join(folder, "world"))
	if err != nil {
		return nil, err
	}
	w := &world{certificate: filepath.Join(folder, "world.pem")}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.DER()})
	if err := os.WriteFile(w.certificate, block, 0o600); err != nil {
		return nil, err
	}
	secure := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) },
	}
	for port, config := range map[string]*tls.Config{"443": secure, "80": nil} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.close()
			return nil, err
		}
		server := &http.Server{Handler: answers(), TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 5 * time.Second}
		w.servers = append(w.servers, server)
		w.resolve = append(w.resolve, "--resolve", "*:"+port+":"+listener.Addr().String())
		go func() {
			if config == nil {
				_ = server.Serve(listener) // ends with close
				return
			}
			_ = server.ServeTLS(listener, "", "")
		}()
	}
	return w, nil
}

func (w *world) close() {
	for _, server := range w.servers {
		_ = server.Close()
	}
}

// forecast is what the app asks for.
const forecast = `{"place":{"name":"Ottawa","lat":45.42,"lon":-75.7},"updated":"2026-11-21T10:30:00Z",` +
	`"now":{"temperature":-3.5,"feels":-9,"wind":{"speed":21,"from":"NW"},"sky":"light snow","alerts":[]},` +
	`"hours":[{"at":"11:00","temperature":-3,"snow":0.4},{"at":"12:00","temperature":-2,"snow":0.1}]}`

// answers has one handler for every server.
func answers() http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern, kind, body string, after time.Duration) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(after): // how far away the server is
			case <-r.Context().Done():
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "max-age=300")
			_, _ = io.WriteString(w, body)
		})
	}
	answer("api.weather.example/v2/forecast", "application/json", forecast, 84*time.Millisecond)
	answer("api.weather.example/v2/session", "application/json", `{"ok":true}`, 96*time.Millisecond)
	answer("cdn.weather.example/", "image/webp", strings.Repeat("snowflake", 1500), 23*time.Millisecond)
	answer("tiles.maps.example/", "image/png", strings.Repeat("tile", 5000), 35*time.Millisecond)
	answer("app-measurement.com/", "text/plain", "", 44*time.Millisecond)
	answer("www.icanhazip.com/", "text/plain", "203.0.113.7\n", 57*time.Millisecond)
	answer("captive.apple.com/", "text/html", "<HTML><BODY>Success</BODY></HTML>", 15*time.Millisecond)
	mux.HandleFunc("clients3.google.com/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

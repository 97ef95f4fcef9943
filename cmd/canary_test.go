package cmd

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/miekg/dns"
)

const canaryPolicy = `version: 1
name: only canada.ca, and never the test account
allow:
  - "*.canada.ca"
  - host: "*.invalid"
never-send:
  - name: e-mail of the test account
    value: ${CANARY_MAIL}
  - name: number of the health card
    file: card.txt
`

const (
	canaryMail = "Jane.Roe-7731@mailbox.example"
	canaryCard = "4821-993-071-KJ"
)

// TestCanaryStory is a test account whose values leave in every protocol: the audit, the
// capture and its HAR blame the same, and no output shows a value in any form.
func TestCanaryStory(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "card.txt"), []byte(canaryCard+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"CANARY_MAIL=" + canaryMail}
	a := openTunnelIn(t, folder, canaryPolicy, env)
	p := a.phone()
	leak(p)
	_, report, code := a.end()
	if code != ExitViolations {
		t.Errorf("exit code %d", code)
	}
	live := valueLeaks(report)
	for _, want := range []string{
		"body.json $.account.mail (gzip)", "gRPC message 1 2", "WebSocket message 3 $.card", "query q (percent-encoding, percent-encoding)", "header x-trace (base64)", "DNS name", "body.multipart note",
	} {
		if !slices.ContainsFunc(live, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no evidence %q in\n%s", want, strings.Join(live, "\n"))
		}
	}
	saved := filepath.Join(folder, "audit.telltale")
	full := filepath.Join(folder, "full.har")
	a.telltale(env, "report", saved, "--reveal", "--report", full)
	for _, capture := range []string{saved, full} {
		var judged map[string]any
		if err := json.Unmarshal(a.telltale(env, "check", capture, "--format", "json"), &judged); err != nil {
			t.Fatal(err)
		}
		if got := valueLeaks(judged); !slices.Equal(got, live) {
			t.Errorf("%s blames\n%s\nlive it was\n%s", filepath.Base(capture), strings.Join(got, "\n"), strings.Join(live, "\n"))
		}
	}
	for _, name := range []string{"audit.md", "audit.html", "audit.json", "audit.sarif", "audit.xml", "audit.har", "audit.csv"} {
		file := filepath.Join(folder, name)
		a.telltale(env, "report", saved, "--report", file)
		hidesCanaries(t, file)
	}
}

// telltale runs the program beside the audit's files, and returns what it printed.
func (a *tunnelled) telltale(env []string, args ...string) []byte {
	a.t.Helper()
	c := exec.CommandContext(a.t.Context(), "telltale", append(args, "--policy", filepath.Join(a.folder, "telltale.yaml"))...)
	c.Env = append(append(c.Environ(), env...), "NO_COLOR=1")
	c.Stderr = io.Discard
	out, err := c.Output()
	if code := c.ProcessState.ExitCode(); err != nil && code != ExitViolations {
		a.t.Fatalf("telltale %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// valueLeaks returns the evidence of a report's value-leaked violations, a line each.
func valueLeaks(report map[string]any) (lines []string) {
	for _, v := range report["violations"].([]any) {
		violation := v.(map[string]any)
		if violation["rule"] != "value-leaked" {
			continue
		}
		evidence, _ := violation["evidence"].([]any)
		for _, e := range evidence {
			at := e.(map[string]any)
			line := fmt.Sprintf("%s: %s", violation["host"], at["where"])
			if layers, _ := at["layers"].([]any); len(layers) > 0 {
				var words []string
				for _, layer := range layers {
					words = append(words, fmt.Sprint(layer))
				}
				line += " (" + strings.Join(words, ", ") + ")"
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// hidesCanaries searches a file for the values, in forms that a text search would miss.
func hidesCanaries(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	folded := bytes.ToLower(text)
	for _, value := range []string{canaryMail, canaryCard} {
		lower := strings.ToLower(value)
		sum := sha256.Sum256([]byte(lower))
		forms := []string{lower, strings.ReplaceAll(lower, "-", ""), hex.EncodeToString([]byte(value)), hex.EncodeToString(sum[:]), strings.ReplaceAll(lower, "@", "%40")}
		for offset := range 3 {
			whole := base64.StdEncoding.EncodeToString([]byte("xyz"[:offset] + value))
			forms = append(forms, strings.ToLower(whole[4:len(whole)-4]))
		}
		for _, form := range forms {
			if bytes.Contains(folded, []byte(form)) {
				t.Errorf("%s shows %q", filepath.Base(file), form)
			}
		}
	}
}

// leak is what the app under audit should never do.
func leak(p *handset) {
	h2 := p.browser(true)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprintf(z, `{"account":{"id":7,"mail":%q}}`, canaryMail)
	z.Close()
	p.post(h2, "https://api.canada.ca/profile", "application/json", packed.Bytes(), "Content-Encoding", "gzip")

	sum := sha256.Sum256([]byte(strings.ToLower(canaryMail)))
	digest := hex.EncodeToString(sum[:])
	message := append([]byte{1 << 3, 5, 2<<3 | 2, byte(len(digest))}, digest...) // 1: 5, 2: digest
	p.post(h2, "https://api.canada.ca/health.v1.Users/Sync", "application/grpc", append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...), "Te", "trailers")

	p.talk("wss://api.canada.ca/ws", fmt.Sprintf(`{"hello":"card, mail and more","mail":%q}`, "somebody@else.example"), fmt.Sprintf(`{"card":%q}`, canaryCard), `{"bye":1}`)

	p.fetch(h2, "GET", "https://api.canada.ca/find?q="+strings.ReplaceAll(canaryMail, "@", "%2540"))
	p.post(h2, "https://api.canada.ca/trace", "text/plain", []byte("nothing"), "X-Trace", base64.StdEncoding.EncodeToString([]byte("v1|"+canaryCard+"|ok")))
	p.post(h2, "https://api.canada.ca/form", `multipart/form-data; boundary=b`, []byte("--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\ncall "+strings.ToUpper(canaryMail)+"\r\n--b--\r\n"))
	p.ask(hex.EncodeToString([]byte(canaryCard))+".canada.ca.", dns.TypeA)
}

// post sends content to a server of the world.
func (p *handset) post(client *http.Client, url, kind string, content []byte, header ...string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, url, bytes.NewReader(content))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		p.t.Fatalf("POST %s: %v", url, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		p.t.Fatalf("POST %s: %v", url, err)
	}
}

// talk says several messages over a WebSocket whose compression refers back to earlier
// ones, as that of browsers does.
func (p *handset) talk(url string, messages ...string) {
	p.t.Helper()
	c, _, err := websocket.Dial(p.t.Context(), url, &websocket.DialOptions{HTTPClient: p.browser(false), CompressionMode: websocket.CompressionContextTakeover, CompressionThreshold: 1})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.CloseNow() //nolint:errcheck // closed below
	for _, message := range messages {
		if err := c.Write(p.t.Context(), websocket.MessageText, []byte(message)); err != nil {
			p.t.Fatal(err)
		}
		if _, text, err := c.Read(p.t.Context()); err != nil || string(text) != message {
			p.t.Fatalf("the WebSocket said %q, %v", text, err)
		}
	}
	c.Close(websocket.StatusNormalClosure, "") //nolint:errcheck // the row says how it ended
}

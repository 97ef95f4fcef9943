package reports

import (
	"os/exec"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/policy"
)

func sharedFlow() *flow.Flow {
	return &flow.Flow{
		Kind: flow.HTTP, Outcome: flow.Completed,
		Request: &flow.Request{
			Method: "POST", URL: "https://u:pw@a.example/x?access_token=tok&q=it's", Proto: "HTTP/2",
			Header: []flow.Field{
				flow.NewField("Authorization", "Bearer abc"), flow.NewField("User-Agent", "App/1 $(reboot)"), flow.NewField("Host", "a.example"),
				flow.NewField("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), flow.NewField("Content-Length", "20"),
				flow.NewField("Accept-Encoding", "gzip"),
			},
			Body: flow.Body{Size: 20, Content: []byte("user=me&password=pw1")},
		},
		Response: &flow.Response{Status: 204},
	}
}

func hideMe(s string) string { return strings.ReplaceAll(s, "it's", flow.Redacted) }

func TestCurl(t *testing.T) {
	masked := Curl(sharedFlow(), hideMe)
	want := `curl -X POST -H 'Authorization: [redacted]' -H 'User-Agent: App/1 $(reboot)' -H 'Content-Type: application/x-www-form-urlencoded; charset=utf-8'` +
		` --compressed --data-binary 'user=me&password=[redacted]' 'https://[redacted]@a.example/x?access_token=[redacted]&q=[redacted]'`
	if masked != want {
		t.Errorf("masked\n%s\nwant\n%s", masked, want)
	}
	revealed := Curl(sharedFlow(), nil)
	for _, secret := range []string{"Bearer abc", "password=pw1", "u:pw@", "access_token=tok", `it'\''s`} {
		if !strings.Contains(revealed, secret) {
			t.Errorf("revealed, %q is missing: %s", secret, revealed)
		}
	}
	if got := Curl(&flow.Flow{Kind: flow.Tunnel}, nil); got != "" {
		t.Errorf("without a request: %s", got)
	}
	long := sharedFlow()
	long.Request.Body = flow.Body{Size: 9999, Content: []byte(strings.Repeat("x", 9999))}
	if got := Curl(long, nil); !strings.HasSuffix(got, "# without its body of 9,999 bytes") && !strings.HasSuffix(got, "# without its body of 9999 bytes") {
		t.Errorf("a long body: %s", got[max(0, len(got)-80):])
	}
	secret := sharedFlow()
	secret.Request.Header = nil
	secret.Request.Body = flow.Body{Size: 30, Content: []byte(`{"nested": {"client_secret" : "TOP"}}`)}
	if got := Curl(secret, hideMe); strings.Contains(got, "TOP") || !strings.HasSuffix(got, "# without its body, which has a credential") {
		t.Errorf("JSON with a credential: %s", got)
	}
	if got := Curl(secret, nil); !strings.Contains(got, "TOP") {
		t.Errorf("revealed: %s", got)
	}
	head := sharedFlow()
	head.Request.Method, head.Request.Body = "HEAD", flow.Body{}
	if got := Curl(head, nil); !strings.HasPrefix(got, "curl --head ") || strings.Contains(got, "--data") {
		t.Errorf("HEAD: %s", got)
	}
}

// What is pasted into a shell is what stands there, whatever a server or app is called.
func TestCurlIsSafeToPaste(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no POSIX shell here")
	}
	out, err := exec.CommandContext(t.Context(), shell, "-c", "curl() { for a; do printf '%s\\n' \"$a\"; done; }\n"+Curl(sharedFlow(), nil)).Output()
	if err != nil || !strings.Contains(string(out), "App/1 $(reboot)\n") || !strings.Contains(string(out), "q=it's\n") {
		t.Errorf("the shell reads %q (%v)", out, err)
	}
}

func TestMarkdownLine(t *testing.T) {
	f := sharedFlow()
	j := policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{{Rule: policy.Tracker, Title: "contacts *a* tracker"}}}
	got := MarkdownLine(f, j, hideMe)
	want := "- `POST https://[redacted]@a.example/x?access_token=[redacted]&q=[redacted]` → 204: **tracker**, contacts \\*a\\* tracker, sent by `App/1 $(reboot)`"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	refused := &flow.Flow{Kind: flow.Tunnel, Outcome: flow.ClientRefused, Server: flow.Server{Asked: "p.example:443"}}
	if got := MarkdownLine(refused, policy.Judgement{Verdict: policy.Allowed}, nil); !strings.HasSuffix(got, "→ client-refused: allowed") {
		t.Errorf("refused: %s", got)
	}
}

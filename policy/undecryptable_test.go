package policy

import (
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestUndecryptableSaysHowToTell(t *testing.T) {
	p := parse(t, testPolicy)
	j := p.Judge(flowtest.Refused("api.example.com:443"))
	x := j.Findings[0]
	for _, s := range []string{"evidence of certificate pinning, not proof", "does not trust telltale's authority looks the same", "unknown_ca (48)", "could not be checked"} {
		if !strings.Contains(x.Message, s) {
			t.Errorf("message lacks %q: %s", s, x.Message)
		}
	}
	if x.Severity != SeverityWarning {
		t.Errorf("severity %q", x.Severity)
	}
}

// What nobody could read is told in the words of who recorded it.
func TestUndecryptableSaysWhatWasSeen(t *testing.T) {
	p := parse(t, testPolicy)
	for _, c := range []struct {
		mode, method, url string
		want              string
	}{
		{"har", "CONNECT", "mqtts://www.canada.ca", "it was reached by MQTTS, and the capture does not hold what was sent."},
		{"har", "GET", "stun:www.canada.ca", "it was reached by STUN, and"},
		{"har", "CONNECT", "", "a tunnel to it was opened, and the capture does not hold what went through."},
		{"mitmproxy", "CONNECT", "", "a tunnel to it was opened, and"},
		{"http", "CONNECT", "", "neither TLS nor HTTP; it was forwarded unread."},
		{"har", "GET", strings.Repeat("x", 99) + "://www.canada.ca", "neither TLS nor HTTP; it was forwarded unread."},
	} {
		f := flowtest.Tunnel("www.canada.ca:8883", flowtest.Mode(c.mode))
		f.Request = &flow.Request{Method: c.method, URL: c.url}
		j := p.Judge(f)
		if len(j.Findings) != 1 || !strings.Contains(j.Findings[0].Message, "what was said to it is unknown: ") || !strings.Contains(j.Findings[0].Message, c.want) {
			t.Errorf("%+v: %+v", c, j.Findings)
		}
	}
}

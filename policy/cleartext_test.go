package policy

import (
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// HTTP in clear counts whether its requests were read, or only recognised.
func TestCleartextThatNobodyRead(t *testing.T) {
	p := parse(t, "version: 1\nallow: [www.canada.ca]\n")
	for name, c := range map[string]struct {
		f    *flow.Flow
		want string
	}{
		"a contact":            {flowtest.Seen("www.canada.ca:80", "", "", flowtest.Speech("HTTP")), "cleartext"},
		"on another port":      {flowtest.Seen("www.canada.ca:8080", "", "", flowtest.Speech("HTTP")), "cleartext"},
		"a tunnel":             {flowtest.PassedThrough("www.canada.ca:80", flowtest.Speech("HTTP")), "cleartext"},
		"a contact with TLS":   {flowtest.Seen("www.canada.ca:443", "", "", flowtest.Speech("TLS")), ""},
		"a port says nothing":  {flowtest.Seen("www.canada.ca:80", "", ""), ""},
		"a host not allowed":   {flowtest.Seen("evil.example:80", "", "", flowtest.Speech("HTTP")), "host-not-allowed"},
		"HTTPS that was read":  {flowtest.Get("https://www.canada.ca/", flowtest.Speech("HTTP")), ""},
		"a question with HTTP": {flowtest.DNS("www.canada.ca", flowtest.Speech("HTTP")), ""},
	} {
		j := p.Judge(c.f)
		if rules(j) != c.want {
			t.Errorf("%s: %+v", name, j)
		}
		if c.want == "cleartext" && !strings.HasPrefix(j.Findings[0].Message, "The connection to www.canada.ca went over cleartext HTTP") {
			t.Errorf("%s: %s", name, j.Findings[0].Message)
		}
	}
	if j := parse(t, "version: 1\nallow: [www.canada.ca]\nrequire:\n  https: false\n").Judge(flowtest.Seen("www.canada.ca:80", "", "", flowtest.Speech("HTTP"))); j.Verdict != Allowed {
		t.Errorf("not required: %+v", j)
	}
}

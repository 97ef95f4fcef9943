package diagnosis_test

import (
	"testing"
	"time"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/useragent"
)

// From when the device trusts us, and what it is.
func TestTrustedAndPlatform(t *testing.T) {
	for name, test := range map[string]struct {
		flows    []*flow.Flow
		trusted  time.Duration // after the epoch; below 0 never
		platform useragent.OS
	}{
		"nothing":                        {nil, -1, ""},
		"refused":                        {these(refused(safari, "a.example", unknownCA)), -1, useragent.IOS},
		"accepted, and nothing was said": {these(silent(androidApp, "a.example")), -1, useragent.Android},
		"plain HTTP":                     {these(flowtest.Get("http://a.example/", flowtest.UserAgentOf("Game/7"))), -1, ""},
		"read":                           {these(read(safari, "a.example", after(9)), read(safari, "b.example", after(5))), 5 * time.Second, useragent.IOS},
		"the page's test":                {these(served(chrome, "https://setup.telltale/here", after(3)), read(chrome, "a.example", after(9))), 3 * time.Second, useragent.Android},
		"the page alone":                 {these(served(linuxChrome, "http://setup.telltale/")), -1, useragent.Linux},
		"a phone and a computer":         {these(read(linuxChrome, "a.example"), read(linuxChrome, "b.example"), read(safari, "a.example", after(1))), 0, useragent.IOS},
	} {
		e := collect(test.flows...)
		want := flowtest.Epoch.Add(test.trusted)
		if test.trusted < 0 {
			want = time.Time{}
		}
		if got := e.Trusted(); !got.Equal(want) {
			t.Errorf("%s: trusted at %v, want %v", name, got, want)
		}
		if got := e.Platform(); got != test.platform {
			t.Errorf("%s: %q, want %q", name, got, test.platform)
		}
	}
	var none *diagnosis.Evidence
	if !none.Trusted().IsZero() || none.Platform() != "" || diagnosis.Of(none, diagnosis.Known{}) != nil {
		t.Error("no evidence says something")
	}
}

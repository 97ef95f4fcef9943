package policy

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// TestMaskKeepsTheHost holds that a value in the path of a URL costs the URL its segment, and
// neither its host nor what stands behind, although a slash is a character of base64.
func TestMaskKeepsTheHost(t *testing.T) {
	p := canaryPolicy()
	value := canaries[0].value
	b64 := base64.RawStdEncoding.EncodeToString
	for label, segment := range map[string]string{
		"base64": b64([]byte(value)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(value)),
		"base64 of JSON": b64([]byte(`{"m":"` + value + `"}`)), "hexadecimal": hex.EncodeToString([]byte(value)),
		"base64 of gzip": strings.NewReplacer("/", "_", "+", "-").Replace(b64([]byte(gzipped(value)))),
		"base64 twice":   b64([]byte(b64([]byte(value)))), "base32": base32.StdEncoding.EncodeToString([]byte(`{"m":"` + value + `"}`)),
	} {
		for _, around := range [][2]string{{"/", ""}, {"/u/", "/x.gif"}, {"/login/user/", "/x.gif?y=2"}, {"/a/b/c/", "/d/e/f"}, {"/abc/", "/"}, {"/abcd/abc", "/"}, {"/u/x", "x/y"}} {
			for _, host := range []string{"https://api.ok.test", "https://a.example:8443", "http://test"} {
				raw := host + around[0] + segment + around[1]
				if len(p.Leaks(flowtest.Get(raw))) == 0 { // what stands beside it can break the encoding
					continue
				}
				masked := p.Mask(raw)
				u, err := url.Parse(masked)
				before, _ := url.Parse(raw)
				if err != nil || u.Host != before.Host || !strings.HasPrefix(masked, host+around[0][:strings.LastIndex(around[0], "/")+1]) {
					t.Errorf("%s: %s is masked as %s", label, raw, masked)
				}
				if behind := around[1][max(0, strings.IndexByte(around[1], '/')):]; !strings.HasSuffix(masked, behind) || !strings.Contains(masked, flow.Redacted) {
					t.Errorf("%s: %s is masked as %s", label, raw, masked)
				}
				if len(p.Leaks(flowtest.Get(masked))) != 0 {
					t.Errorf("%s: a value stands in %s", label, masked)
				}
			}
		}
	}
	// A value that goes over a slash takes it along.
	p.setSecrets([]Secret{{Name: "m", value: "aa?aa?aa?aa?ab"}})
	if encoded := b64([]byte("aa?aa?aa?aa?ab")); !strings.Contains(encoded, "/") {
		t.Fatal(encoded)
	} else if got := p.Mask("https://a.example/u/" + encoded + "/x"); got != "https://a.example/u/"+flow.Redacted+"/x" {
		t.Error(got)
	}
}

package policy_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

func TestShapeOf(t *testing.T) {
	for path, want := range map[string]string{
		"/":                                    "/",
		"":                                     "/",
		"/generate_204":                        "/generate_204",
		"/gen_204?x=1":                         "/gen_204",
		"/hotspot-detect.html#":                "/hotspot-detect.html",
		"/v1/users/8812/photos/5f2b9c01d3.jpg": "/v1/users/*/photos/*.jpg",
		"/v2.1/oauth2/token":                   "/v2.1/oauth2/token",
		"/api/v3/6d92078a-8246-4ba4-ae5b-76104861e7dc":  "/api/v3/*",
		"/api/6D92078A82464BA4AE5B76104861E7DC/x":       "/api/*/x",
		"/device-6d92078a-8246-4ba4-ae5b-76104861e7dc/": "/device-*/",
		"/report-2026-01-02.csv":                        "/report-*.csv",
		"/2026/01/02/15:04:05":                          "/*/*/*/*",
		"/20260102T150405Z.log":                         "/*.log",
		"/1/2/3":                                        "/*/*/*",
		"/12.png":                                       "/*.png",
		"/sdk/7.1.0/init":                               "/sdk/*/init",
		"/clip.mp4":                                     "/clip.mp4",
		"/watch/dQw4w9WgXcQ":                            "/watch/*",
		"/t/AbC-9fK2x_Zq81mN":                           "/t/*",
		"/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N": "/t/*",
		"/mac/aa:bb:cc:00:11:22":                                   "/mac/*",
		"/u/ann%40example.org/x":                                   "/u/*/x",
		"/u/ann@example.org":                                       "/u/*",
		"/getUserById/generateAuthTokenById":                       "/getUserById/generateAuthTokenById",
		"/static/css/main.css":                                     "/static/css/main.css",
		"/static/main.8f3a2b1c.chunk.js":                           "/static/main.*.chunk.js",
		"/firebase-installations/v1/projects/my-app/installations": "/firebase-installations/v1/projects/my-app/installations",
		"/a//b/":                            "/a//b/",
		"/deadbeef/cafe":                    "/deadbeef/cafe",
		"/recherche/qu%C3%A9bec":            "/recherche/québec",
		"/x/" + strings.Repeat("a", 65):     "/x/*",
		strings.Repeat("/a", 16) + "/b/c/d": strings.Repeat("/a", 16) + "/*",
		"/v1/*/x-*.jpg":                     "/v1/*/x-*.jpg",
	} {
		got := policy.ShapeOf(flowtest.Head("https://X.example." + path))
		if got != (policy.Shape{Host: "x.example", Method: "HEAD", Path: want}) {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
}

func TestShapeWithoutRequest(t *testing.T) {
	for f, want := range map[*flow.Flow]string{
		flowtest.Tunnel("x.example:443"): "CONNECT x.example",
		flowtest.DNS("x.example"):        "QUERY x.example",
	} {
		if got := policy.ShapeOf(f).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Values that are made by chance have one shape, and shapes stay what they are.
func TestShapeIsStable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	const hex = "0123456789abcdef"
	shape := func(path string) string { return policy.ShapeOf(flowtest.Get("https://x.example" + path)).Path }
	odd := 0
	for range 2000 {
		for _, path := range []string{
			"/a/" + draw("0123456789", 1+random.IntN(20)) + "/b",
			"/a/" + draw(hex, 8) + "-" + draw(hex, 4) + "-" + draw(hex, 4) + "-" + draw(hex, 4) + "-" + draw(hex, 12) + "/b",
			"/a/" + draw(hex, 40) + "/b",
			"/a/" + draw("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 22+random.IntN(30)) + "/b",
		} {
			if shape(path) != "/a/*/b" {
				odd++
			}
		}
		any := "/" + draw("/-_.aA1bC2*%fé", random.IntN(60))
		if once := shape(any); shape(strings.ReplaceAll(once, "%", "%25")) != once {
			t.Fatalf("%q → %q → %q", any, once, shape(once))
		}
	}
	if odd > 80 { // one in a hundred
		t.Errorf("%d of 8000 values show in shapes", odd)
	}
}

func BenchmarkShapeOf(b *testing.B) {
	f := flowtest.Get("https://www.example.org/v1/users/8812/photos/recent.json?x=1")
	b.ReportAllocs()
	for b.Loop() {
		policy.ShapeOf(f)
	}
}

package locate

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"telltale/locate/app"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder makes a folder of files.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// zipped makes an archive of files, in their order of the slice.
func zipped(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		to, err := w.Create(f[0])
		if err == nil {
			_, err = to.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file that is too large to be held is searched in windows: each place once, wherever
// the windows meet.
func TestLargeFilesAreSearchedInWindows(t *testing.T) {
	for _, at := range []int{0, windowSize - 30, windowSize - overlap/2 - 5, windowSize - overlap/2 - 20, windowSize + 7, 2*windowSize - 2*overlap - 3, 2*windowSize + 99} {
		data := bytes.Repeat([]byte("."), at)
		data = append(append(data, ' '), probeURL...)
		data = append(data, bytes.Repeat([]byte(" "), 3*windowSize-len(data))...)
		root := folder(t, map[string]string{"assets/big.bin": string(data)})
		r, err := Search(context.Background(), []string{root}, Wanted{Hosts: []string{probeHost}}, Options{Limits: app.Limits{InMemory: 1 << 20}})
		if err != nil || len(r.Failures) > 0 {
			t.Fatal(err, r.Failures)
		}
		if len(r.Leads) != 1 || r.Leads[0].Offset != int64(at+1) || r.Leads[0].Same != 0 {
			t.Errorf("at %d: %+v", at+1, r.Leads)
		}
		if len(r.Unread) != 1 {
			t.Errorf("unread: %v", r.Unread)
		}
	}
}

func TestWhatCodeJoinsIsFound(t *testing.T) {
	for name, text := range map[string]string{
		"a.js":      `fetch("https://" + "clients3." + "google" + ".com" + "/generate_204")`,
		"b.js":      `var h = ["clients3","google","com"].join(".")`,
		"c.js":      `x('https://'.concat('clients3.', 'google.com'))`,
		"d.js":      `x("https://\x63lients3\u002egoogle.com/generate_204")`,
		"E.java":    `class E { String u = "https://" + "clients3." + "google.com"; }`,
		"f.swift":   `let u = "https://" + "clients3.google" + ".com/x"`,
		"main.dart": `final u = 'https://clients3.' 'google.com/x';`,
	} {
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{probeHost}}, folder(t, map[string]string{name: text}))
			if len(r.Leads) != 1 || r.Leads[0].Form != Split || r.Leads[0].Place.Line != 1 {
				t.Errorf("%+v", r.Leads)
			}
		})
	}
}

func TestWhatWasGivenComesInItsOrder(t *testing.T) {
	root := folder(t, map[string]string{"a.json": `{"b":"https://b.acme.io/x","a":"https://a.acme.io"}`, "README.md": "https://a.acme.io", "b.txt": "needle4"})
	r := searched(t, Wanted{Hosts: []string{"c.acme.io", "b.acme.io", "A.ACME.io."}, Strings: []string{"needle4", "nothing"}}, root)
	var order []string
	for _, l := range r.Leads {
		if l.Form != Parent {
			order = append(order, l.Wanted+" "+l.File)
		}
	}
	want := []string{"b.acme.io a.json", "a.acme.io a.json", "a.acme.io README.md", "needle4 b.txt"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"c.acme.io", "nothing"}, r.Missing()); diff != "" {
		t.Error(diff)
	}
}

// What comes out does not depend on how many look, or in which order.
func TestWorkersAgree(t *testing.T) {
	files := map[string]string{}
	for i := range 60 {
		files[fmt.Sprintf("src/%d/a.js", i)] = fmt.Sprintf("x('https://h%d.acme.io/%d', 'https://all.acme.io/')", i%7, i)
	}
	root := folder(t, files)
	var first *Result
	for _, workers := range []int{1, 4, 4} {
		r, err := Search(context.Background(), []string{root}, Wanted{}, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
		}
		if diff := cmp.Diff(first, r); diff != "" {
			t.Errorf("%d workers: %s", workers, diff)
		}
	}
	if n := len(first.Of("all.acme.io")); n != 60 {
		t.Errorf("all.acme.io is listed in %d files", n)
	}
}

func TestDamageIsNamedAndTheRestIsSearched(t *testing.T) {
	broken := zipped(t, [2]string{"classes.dex", "dex\n035\x00" + strings.Repeat("\xff", 200) + probeURL}, [2]string{"assets/a.json", `{"u":"` + probeURL + `"}`})
	path := filepath.Join(t.TempDir(), "broken.apk")
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	r := searched(t, Wanted{Hosts: []string{probeHost}}, path)
	if len(r.Leads) != 2 {
		t.Errorf("%d leads: %+v", len(r.Leads), r.Leads)
	}
	if len(r.Failures) != 1 || r.Failures[0].Path != path+"!/classes.dex" {
		t.Errorf("failures: %v", r.Failures)
	}
}

func TestSearchEnds(t *testing.T) {
	root := folder(t, map[string]string{"a.txt": probeURL})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Search(ctx, []string{root}, Wanted{}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestWhatCannotBeLookedFor(t *testing.T) {
	for _, w := range []Wanted{{Hosts: []string{"a.b"}}, {Strings: []string{"abc"}}, {Hosts: []string{""}}} {
		if _, err := Search(context.Background(), nil, w, Options{}); err == nil {
			t.Errorf("%+v is looked for", w)
		}
	}
	if _, err := Search(context.Background(), nil, Wanted{}, Options{SourceMaps: []string{filepath.Join(t.TempDir(), "missing.map")}}); err == nil {
		t.Error("a map that is not there is none")
	}
	if _, err := Search(context.Background(), nil, Wanted{}, Options{SourceMaps: []string{"search_test.go"}}); err == nil {
		t.Error("what is no source map is taken for one")
	}
}

// Libraries for several processors say the same: one lead, with the others named.
func TestCopiesForProcessorsAreOneLead(t *testing.T) {
	so := "\x00" + probeURL + "\x00"
	root := folder(t, map[string]string{"lib/arm64-v8a/libx.so": so, "lib/x86_64/libx.so": so, "lib/x86/liby.so": so})
	r := searched(t, Wanted{Hosts: []string{probeHost}}, root)
	if len(r.Leads) != 2 {
		t.Fatalf("%+v", r.Leads)
	}
	if diff := cmp.Diff([]string{"lib/x86_64/libx.so"}, r.Leads[0].Copies); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheAppDeclaresStandsBesideTheHost(t *testing.T) {
	root := folder(t, map[string]string{
		"src/a.json":                          `{"a":"http://old.acme.io/x","b":"https://pins.acme.io","c":"https://track.acme.io"}`,
		"res/xml/network_security_config.xml": `<network-security-config><domain-config cleartextTrafficPermitted="true"><domain>old.acme.io</domain></domain-config><domain-config><domain>pins.acme.io</domain><pin-set><pin digest="SHA-256">AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</pin></pin-set></domain-config></network-security-config>`,
		"AndroidManifest.xml":                 `<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="a.b"><application android:networkSecurityConfig="@xml/network_security_config"/></manifest>`,
		"PrivacyInfo.xcprivacy":               `<?xml version="1.0"?><plist version="1.0"><dict><key>NSPrivacyTracking</key><true/><key>NSPrivacyTrackingDomains</key><array><string>track.acme.io</string></array></dict></plist>`,
	})
	r := searched(t, Wanted{Hosts: []string{"old.acme.io", "pins.acme.io", "track.acme.io"}}, root)
	if len(r.Failures) > 0 || len(r.Declared) != 3 {
		t.Fatalf("failures %v, declared %v", r.Failures, r.Declared)
	}
	for host, want := range map[string]string{"old.acme.io": "cleartext to old.acme.io is permitted", "pins.acme.io": "its certificate is pinned", "track.acme.io": "declares to track by"} {
		leads := r.Of(host)
		if len(leads) == 0 || !strings.Contains(strings.Join(leads[0].Declared, "; "), want) {
			t.Errorf("%s: %+v", host, leads)
		}
	}
}

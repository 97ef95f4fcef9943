package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The afternoon that telltale was made for, from the minified bundle in an app: a capture with the
// contact, the app, and out come library, default and remedy.
func TestTheContactIsTracedIntoTheApp(t *testing.T) {
	app, err := filepath.Abs("../bin/artefacts/ipa/Example.ipa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(app); err != nil {
		t.Skipf("run `make artefacts` first: %v", err)
	}
	t.Chdir(t.TempDir())
	tell := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := Main(args, strings.NewReader(""), &out, &errs); code != want {
			t.Fatalf("telltale %q: exit code %d, want %d\n%s", args, code, want, errs.String())
		}
		return out.String()
	}
	const har = `{"log":{"version":"1.2","creator":{"name":"t","version":"1"},"pages":[],"entries":[{"startedDateTime":"2026-11-20T12:00:00Z","time":1,` +
		`"request":{"method":"HEAD","url":"https://clients3.google.com/generate_204","httpVersion":"HTTP/2","cookies":[],"headers":[],"queryString":[],"headersSize":-1,"bodySize":0},` +
		`"response":{"status":204,"statusText":"","httpVersion":"HTTP/2","cookies":[],"headers":[],"content":{"size":0,"mimeType":""},"redirectURL":"","headersSize":-1,"bodySize":0},` +
		`"cache":{},"timings":{"send":0,"wait":1,"receive":0}}]}}`
	if err := os.WriteFile("audit.har", []byte(har), 0o600); err != nil {
		t.Fatal(err)
	}

	said := tell(0, "locate", app, "--capture", "audit.har", "--allow", "*.canada.ca")
	for _, want := range []string{
		"Payload/Example.app/main.jsbundle", "https://clients3.google.com/generate_204", "@react-native-community/netinfo (npm), likely",
		"src/internal/defaultConfiguration.ts line 2", "NetInfo.configure({reachabilityUrl: ''});", "A mention is no contact",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}

	tell(0, "report", "audit.har", "--allow", "*.canada.ca", "--app", app, "--report", "audit.md", "--report", "audit.html", "--report", "audit.sarif")
	for file, want := range map[string]string{"audit.md": "## Where it comes from", "audit.html": "Where it comes from", "audit.sarif": "main.jsbundle"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
	tell(1, "check", "audit.har", "--allow", "*.canada.ca", "--app", app) // the verdict is the capture's
}

package tui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"telltale/locate"
)

// TestOriginShowsNoSecretThatWasCut searches an app in which secrets stand near and far from a host,
// where what is kept or shown of it ends: nothing of them may be on the screen.
func TestOriginShowsNoSecretThatWasCut(t *testing.T) {
	t.Parallel()
	const value = "7QZXJK79QZX7JKQ97ZXQJ9K7XZ"
	run := regexp.MustCompile("[QZXJK79]{8}")
	var code strings.Builder
	var hosts []string
	for _, kind := range []string{`f("sk_live_%s");`, `a={apiKey:"%s"};`, `clientSecret = '%s';`, `g("https://q.example/?access_token=%s");`, `g("https://user:%s@q.example/x");`, `f("%s"/*never-send*/);`} {
		for gap := range 90 {
			for _, times := range []int{1, 1 + 55*(gap%2)} { // a secret that is longer than what is kept
				host := fmt.Sprintf("h%d.example", len(hosts))
				marked, filler := fmt.Sprintf(kind, strings.Repeat(value, times)), "/*"+strings.Repeat("a b'c ", 200)[:gap*(1+gap%2*10)]+"*/"
				fmt.Fprintf(&code, "%s%su('https://%s/p');%s%s\n", marked, filler, host, filler, marked)
				hosts = append(hosts, host)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "app.js")
	if err := os.WriteFile(file, []byte(code.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := locate.Search(context.Background(), []string{file}, locate.Wanted{Hosts: hosts}, locate.Options{})
	if err != nil || len(res.Leads) < len(hosts) {
		t.Fatalf("%d leads to %d hosts: %v", len(res.Leads), len(hosts), err)
	}
	hide := mask{func(s string) string { return strings.ReplaceAll(s, value, "[redacted]") }}
	plain, revealed := plainTheme(), 0
	for _, host := range hosts {
		for _, width := range []int{40, 80, 133, 240} {
			p := &paper{theme: &plain, width: width, mask: hide}
			p.origin(host, res)
			if text := strings.Join(p.lines, "\n"); run.MatchString(text) {
				t.Fatalf("%d columns show a secret:\n%s", width, text)
			}
		}
		p := &paper{theme: &plain, width: 133}
		if p.origin(host, res); run.MatchString(strings.Join(p.lines, "\n")) {
			revealed++
		}
	}
	if revealed == 0 {
		t.Error("no secret is near enough to be shown when asked for")
	}
}

package cmd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/flow/flowtest"
	"telltale/policy"
)

const smallHAR = `{"log":{"version":"1.2","creator":{"name":"hand","version":"1"},"entries":[{"startedDateTime":"2026-01-02T03:04:05Z","time":1,
"request":{"method":"GET","url":"https://a.example/","httpVersion":"HTTP/1.1","headers":[],"queryString":[],"cookies":[],"headersSize":-1,"bodySize":0},
"response":{"status":200,"statusText":"OK","httpVersion":"HTTP/1.1","headers":[],"cookies":[],"content":{"size":0,"mimeType":""},"redirectURL":"","headersSize":-1,"bodySize":0},
"cache":{},"timings":{"send":0,"wait":1,"receive":0}}]}}`

// oneFlow makes a capture of each kind that holds one flow.
func oneFlow(t *testing.T) (files []string) {
	t.Helper()
	ours, theirs := filepath.Join(t.TempDir(), "a"+capture.Ext), filepath.Join(t.TempDir(), "a.har")
	store, err := capture.Create(ours, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store.Observe(flowtest.Get("https://a.example/", flowtest.ID(1)))
	if err := errors.Join(store.Close(), os.WriteFile(theirs, []byte(smallHAR), 0o600)); err != nil {
		t.Fatal(err)
	}
	return []string{ours, theirs}
}

// Who leaves before a capture was judged is told that there is no verdict: without
// one, nothing was found to be wrong.
func TestWatchLeftEarlyHasNoVerdict(t *testing.T) {
	for _, file := range oneFlow(t) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, said bytes.Buffer
		flags := &liveFlags{}
		c := command("watch", nil)
		flags.register(c)
		c.SetContext(ctx)
		doc, _, err := watchFile(c, &streams{in: strings.NewReader(""), out: &out, err: &said}, flags, file)
		if err == nil || !strings.Contains(err.Error(), "nothing is proven") || doc != nil {
			t.Errorf("%s: %v, report %v", file, err, doc)
		}
		if text := out.String() + said.String(); strings.Contains(text, "verdict") {
			t.Errorf("%s: there is a verdict in %q", file, text)
		}
	}
}

// Reading that is broken off is known as such, and reading that is not has no trouble.
func TestWatchKnowsWhetherAllWasRead(t *testing.T) {
	for _, file := range oneFlow(t) {
		pol, err := policy.Parse("telltale.yaml", []byte("version: 1\nname: all\nallow: [a.example]\n"), policyOptions())
		if err != nil {
			t.Fatal(err)
		}
		for _, leave := range []bool{true, false} {
			w, err := openWatched(file, pol, &restFlags{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if leave {
				cancel()
			}
			err = w.load(ctx, func(int, int) {})
			if left := errors.Is(w.failed, context.Canceled); left != leave || !leave && err != nil {
				t.Errorf("%s: left %v: %v, %v", file, leave, err, w.failed)
			}
			cancel()
			w.close()
		}
	}
}

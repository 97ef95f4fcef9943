package feed_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"telltale/feed"
)

// The examples of the documentation, run by the clients that they are for.
func TestExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile(filepath.Join("..", "docs", "feed.md"))
	if err != nil {
		t.Fatal(err)
	}
	for language, program := range map[string]struct {
		name, ext string
		prints    string
	}{
		"sh":     {"sh", ".sh", `data: {"event":"violation","rule":"tracker","host":"t.example.com","count":3}`},
		"python": {"python3", ".py", "tracker t.example.com 3"},
		"js":     {"node", ".mjs", "tracker t.example.com 3"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			code := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(docs)
			if code == nil {
				t.Fatal("there is no such example")
			}
			for _, needed := range []string{program.name, "curl"} {
				if _, err := exec.LookPath(needed); err != nil && (needed != "curl" || language == "sh") {
					t.Skipf("this machine has no %s", needed)
				}
			}
			runExample(t, program.name, program.ext, string(code[1]), program.prints)
		})
	}
}

func runExample(t *testing.T, program, ext, code, prints string) {
	r := start(t, feed.Limits{})
	defer r.closing()
	folder := t.TempDir()
	file, header := filepath.Join(folder, "example"+ext), filepath.Join(folder, "header")
	for path, text := range map[string]string{file: code, header: "Authorization: Bearer " + good + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var said bytes.Buffer
	example := exec.CommandContext(ctx, program, file)
	example.Env = append(os.Environ(), "HEADER="+header, "FEED="+r.url+"/events", "NO_PROXY=127.0.0.1")
	example.Stdout, example.Stderr = &said, &said
	if err := example.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- example.Wait() }()
	until(t, "the example to connect", func() bool { return r.Readers() == 1 })
	r.Publish([]byte(`{"event":"violation","rule":"tracker","host":"t.example.com","count":3}`))
	r.Publish([]byte(`{"event":"summary"}`))
	r.closing()
	if err := <-ended; err != nil || !strings.Contains(said.String(), prints) {
		t.Errorf("%v; it said %q, want %q", err, said.String(), prints)
	}
}

package intake_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/intake"
)

// TestPlaywrightBodiesBesideTheHAR checks that bodies are found beside a HAR, in an
// archive and in a folder, and that a HAR cannot reach anything else.
func TestPlaywrightBodiesBesideTheHAR(t *testing.T) {
	const sum = "5ba93c9db0cff93f52b521d7420e43f6eda2784f"
	attached := func(name string) string {
		return `{"log":{"version":"1.2","entries":[{"request":{"method":"GET","url":"https://a.example/"},"response":{"status":200,"content":{"size":4,"mimeType":"text/plain","_file":"` + name + `"}}}]}}`
	}
	body := func(path string) string {
		var got string
		set, troubles := intake.Find(t.Context(), []string{path}, nil)
		defer set.Close()
		infos, err := set.Read(t.Context(), intake.Options{Bodies: true}, func(f *flow.Flow) error {
			got = string(f.Response.Body.Content)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		clean(t, infos, troubles)
		return got
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret.txt"), "KEY!")
	write(t, filepath.Join(dir, "run", sum+".txt"), "body")
	write(t, filepath.Join(dir, "run", "notes.txt"), "KEY!")
	write(t, filepath.Join(dir, "run", strings.Repeat("a", 32)+".jsonl"), "body")
	write(t, filepath.Join(dir, "run", strings.Repeat("a", 32)+".txt"), "KEY!")
	if err := os.Symlink(filepath.Join("..", "secret.txt"), filepath.Join(dir, "run", strings.Repeat("0", 40)+".txt")); err != nil {
		t.Logf("no symbolic links here: %v", err)
	}
	for name, want := range map[string]string{
		strings.Repeat("a", 32) + ".jsonl": "body", strings.Repeat("a", 32) + ".txt": "",
		sum + ".txt": "body", "notes.txt": "", "../secret.txt": "", strings.Repeat("0", 40) + ".txt": "", strings.Repeat("1", 40): "",
		"../run/" + sum + ".txt": "", filepath.ToSlash(filepath.Join(dir, "run", sum+".txt")): "",
	} {
		if got := body(write(t, filepath.Join(dir, "run", "x.har"), attached(name))); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	zip := write(t, filepath.Join(dir, "run.har.zip"), zipped(t, "deep/har.har", attached(sum+".txt"), "deep/"+sum+".txt", "body", sum+".txt", "other"))
	if got := body(zip); got != "body" {
		t.Errorf("in an archive: %q", got)
	}
}

// TestFlowFilesOfMitmproxy checks that they are known by their content, also packed.
func TestFlowFilesOfMitmproxy(t *testing.T) {
	content := string(must(os.ReadFile(filepath.Join("..", "mitmproxy", "testdata", "regular.mitm"))))
	dir := t.TempDir()
	plain, infos, troubles := read(t, intake.Options{}, write(t, filepath.Join(dir, "a.mitm"), content))
	clean(t, infos, troubles)
	if len(plain) == 0 || !strings.HasPrefix(infos[0].Producer, "mitmproxy") {
		t.Fatalf("%d flows, %+v", len(plain), infos)
	}
	for name, packed := range map[string]string{"b.gz": gzipped(t, content), "c.zip": zipped(t, "flows.mitm", content), "d": content} {
		hosts, infos, troubles := read(t, intake.Options{}, write(t, filepath.Join(dir, name), packed))
		clean(t, infos, troubles)
		if !slices.Equal(hosts, plain) {
			t.Errorf("%s: %q, want %q", name, hosts, plain)
		}
	}
}

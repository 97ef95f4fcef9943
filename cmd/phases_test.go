package cmd

import (
	"bytes"
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/flow/flowtest"
)

// A capture with marks tells its phases in every report and list, and so does the
// HAR that is made of it.
func TestPhasesAreReported(t *testing.T) {
	t.Chdir(t.TempDir())
	store, err := capture.Create("audit.telltale", capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store.Observe(flowtest.Get("https://retrieval.canada.ca/", flowtest.ID(store.NextID())))
	store.Mark("before consent")
	store.Observe(flowtest.Head("https://clients3.google.com/generate_204", flowtest.ID(store.NextID())))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		var out, complaints bytes.Buffer
		if code := Main(append(args, "--allow", "*.canada.ca"), nil, &out, &complaints); code != want {
			t.Fatalf("telltale %s exits with %d, want %d: %s", strings.Join(args, " "), code, want, complaints.String())
		}
		return out.String()
	}
	says := func(what, text string, want ...string) {
		t.Helper()
		for _, s := range want {
			if !strings.Contains(text, s) {
				t.Errorf("%s does not say %q:\n%s", what, s, text)
			}
		}
	}
	if err := os.WriteFile("audit.har", []byte(run(ExitClean, "flows", "audit.telltale", "--format", "har")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"audit.telltale", "audit.har"} {
		says("check "+file, run(ExitViolations, "check", file), "\"before consent\": 1 flow to 1 host, 1 violation\n", "   phase       \"before consent\"\n")
		says("check "+file, run(ExitViolations, "check", file, "--format", "json"), `"name": "before consent"`, "\"phases\": [\n        \"before consent\"\n      ]")
		run(ExitClean, "report", file, "--report", file+".md")
		document, err := os.ReadFile(file + ".md")
		if err != nil {
			t.Fatal(err)
		}
		says("report "+file, string(document), "| no phase | 2026-11-20 12:00:00 |", "| `before consent` | 2026-11-20 12:00:00 |", "- Phase: `before consent`\n")
		list := run(ExitClean, "flows", file, "--format", "json")
		if says("flows "+file, list, `"phase":"before consent"`); strings.Count(list, `"phase"`) != 1 {
			t.Errorf("a flow without a phase has one:\n%s", list)
		}
		rows, err := csv.NewReader(strings.NewReader(run(ExitClean, "flows", file, "--format", "csv"))).ReadAll()
		if err != nil || len(rows) != 3 {
			t.Fatalf("%q, error %v", rows, err)
		}
		phase := slices.Index(rows[0], "phase")
		if phase < 0 || rows[1][phase] != "" || rows[2][phase] != "before consent" {
			t.Errorf("flows %s as CSV: %q", file, rows)
		}
	}
}

package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/coverage"
	"telltale/flow/flowtest"
)

// bookedCapture is a capture of six contacts through the tunnel, of which the books say that
// so many connections came in; with 0 there are no books.
func bookedCapture(t *testing.T, name string, received int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+capture.Ext)
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const contacts = 6
	if received > 0 {
		s.SetLedger(coverage.Ledger{
			Mode:     "wireguard",
			Received: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: received}},
			Recorded: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: contacts}},
		})
	}
	for range contacts {
		s.Observe(flowtest.Get("https://a.example/", flowtest.Mode("wireguard"), flowtest.ID(s.NextID())))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// runs runs telltale and returns what it printed and its exit code.
func runs(args ...string) (out, said string, code int) {
	var o, e bytes.Buffer
	code = Main(args, strings.NewReader(""), &o, &e)
	return o.String(), e.String(), code
}

// The books that a capture keeps are in every document that is made of it.
func TestDocumentsOfACaptureHaveItsBooks(t *testing.T) {
	const everything, missing = "Everything that devices sent through the WireGuard tunnel is in this audit", "2 connections of 8 received have no row"
	whole, gap, bare := bookedCapture(t, "whole", 6), bookedCapture(t, "gap", 8), bookedCapture(t, "bare", 0)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "--allow", "*.example", whole}, everything},
		{[]string{"check", "--allow", "*.example", gap}, missing},
		{[]string{"check", "--allow", "*.example", whole, gap}, "2 connections of 14 received have no row"},
		{[]string{"check", "--allow", "*.example", whole, bare}, "Not all of these recordings have books of the WireGuard tunnel"},
		{[]string{"check", "--allow", "*.example", bare}, "Its packets were not counted"},
		{[]string{"report", "--allow", "*.example", whole}, everything},
		{[]string{"report", "--allow", "*.example", gap}, missing},
		{[]string{"doctor", whole}, everything},
		{[]string{"doctor", gap}, missing},
		{[]string{"diff", "--allow", "*.example", whole, gap}, missing},
	} {
		out, said, _ := runs(test.args...)
		plain := strings.Join(strings.Fields(out), " ")
		if !strings.Contains(plain, test.want) {
			t.Errorf("%s: no %q in\n%s%s", strings.Join(test.args, " "), test.want, out, said)
		}
		if test.want != everything && strings.Contains(plain, everything) {
			t.Errorf("%s claims everything:\n%s", strings.Join(test.args, " "), out)
		}
	}
}

// With --strict, a verdict on what may be incomplete is none.
func TestStrictDemandsThatTheBooksBalance(t *testing.T) {
	whole, gap := bookedCapture(t, "whole", 6), bookedCapture(t, "gap", 8)
	for _, test := range []struct {
		file   string
		strict bool
		code   int
		warned bool
	}{
		{whole, true, ExitClean, false}, {gap, false, ExitClean, true}, {gap, true, ExitFailed, true},
	} {
		args := []string{"check", "--allow", "*.example", test.file}
		if test.strict {
			args = append(args, "--strict")
		}
		out, said, code := runs(args...)
		if code != test.code || strings.Contains(out, "Incomplete: ") != test.warned {
			t.Errorf("%s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, test.code, out, said)
		}
	}
	if help, _, _ := runs("check", "--help"); !strings.Contains(strings.Join(strings.Fields(help), " "), "packets that came in are missing") {
		t.Errorf("--help does not say it:\n%s", help)
	}
}

// Who looks at several captures on the screen sees their books.
func TestWatchedArchiveHasItsBooks(t *testing.T) {
	folder := t.TempDir()
	for name, received := range map[string]int64{"one": 6, "two": 8} {
		if err := os.Rename(bookedCapture(t, name, received), filepath.Join(folder, name+capture.Ext)); err != nil {
			t.Fatal(err)
		}
	}
	pol, err := (&policyFlags{}).orNothing()
	if err != nil {
		t.Fatal(err)
	}
	w, err := openWatched(folder, pol, &restFlags{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.load(t.Context(), func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if l := w.store.Summary().Health.Ledgers; len(l) != 1 || l[0].Missing().Units != 2 {
		t.Errorf("books %+v", l)
	}
}

// After kill -9 nobody claims to have seen everything.
func TestKilledTunnelClaimsNothing(t *testing.T) {
	t.Parallel()
	a := openTunnel(t, onlyCanada)
	p := a.phone()
	p.fetch(p.browser(false), "GET", "https://api.canada.ca/before-the-kill")
	a.await("flow", func(event map[string]any) bool { return event["kind"] == "http" })
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	a.cmd.Wait() //nolint:errcheck // it was killed
	out, said, _ := runs("check", "--format", "json", "--allow", "*", filepath.Join(a.folder, "audit"+capture.Ext))
	var report struct {
		Warnings []string `json:"warnings"`
		Coverage []struct {
			Mode, Claim   string
			Balanced, Cut bool
		} `json:"coverage"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s%s", err, out, said)
	}
	for _, way := range report.Coverage {
		if way.Mode == "wireguard" && way.Cut && !way.Balanced && strings.Contains(way.Claim, "the recorder was killed") &&
			strings.Contains(strings.Join(report.Warnings, " "), "the recorder was killed") {
			return
		}
	}
	t.Errorf("coverage %+v, warnings %q", report.Coverage, report.Warnings)
}

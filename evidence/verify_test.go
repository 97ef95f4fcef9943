package evidence_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"telltale/capture"
	"telltale/evidence"
	"telltale/flow/flowtest"
)

func openKey(t *testing.T, folder string) *evidence.Key {
	t.Helper()
	k, err := evidence.OpenKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func describe() evidence.Manifest {
	return evidence.Manifest{
		Tool:    evidence.Tool{Name: "telltale", Version: "1.2.3"},
		Policy:  &evidence.Source{Name: "covid-alert", File: "telltale.yaml", SHA256: strings.Repeat("ab", 32)},
		Lists:   []evidence.Source{{Name: "trackers", SHA256: strings.Repeat("cd", 32)}},
		Devices: []evidence.Device{{Address: "192.0.2.7", Name: "Ann's \x1b[31mphone"}},
		WaysIn:  []string{"http"},
	}
}

// record records a session that a key signs, nil for none.
func record(t *testing.T, path string, flows int, key *evidence.Key) {
	t.Helper()
	var opts capture.Options
	if key != nil {
		opts.Seal = key.Seal(describe)
	}
	s, err := capture.Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range flows {
		s.Observe(flowtest.Post(fmt.Sprintf("https://h%d.example/", i), strings.Repeat("x", i+1), flowtest.ID(s.NextID()), flowtest.At(time.Duration(i)*time.Second)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, path string, opts evidence.Options) evidence.Result {
	t.Helper()
	r, err := evidence.Verify(context.Background(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func execSQL(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
}

func says(r evidence.Result, want string) bool {
	return strings.Contains(strings.Join(r.Lines(), "\n"), want)
}

func TestSignedCapture(t *testing.T) {
	path, key, other := filepath.Join(t.TempDir(), "x.telltale"), openKey(t, t.TempDir()), openKey(t, t.TempDir())
	record(t, path, 12, key)
	record(t, path, 3, key)
	own, foreign := key.Fingerprint(), other.Fingerprint()
	for name, c := range map[string]struct {
		opts    evidence.Options
		verdict evidence.Verdict
		says    string
	}{
		"own key":       {evidence.Options{Own: &own}, evidence.Intact, "intact: as it was recorded, signed by this machine's key"},
		"no own key":    {evidence.Options{}, evidence.Intact, "signed by another key than this machine's"},
		"other own key": {evidence.Options{Own: &foreign}, evidence.Intact, "signed by another key, " + own.String()},
		"trusted":       {evidence.Options{Trusted: []evidence.Fingerprint{foreign, own}}, evidence.Intact, "signed by the key that was asked for"},
		"not trusted":   {evidence.Options{Own: &own, Trusted: []evidence.Fingerprint{foreign}}, evidence.Broken, "signed by another key than was asked for: " + own.String()},
	} {
		r := verify(t, path, c.opts)
		if r.Verdict != c.verdict || r.OK() != (c.verdict == evidence.Intact) || !says(r, c.says) {
			t.Errorf("%s: %s\n%s", name, r.Verdict, strings.Join(r.Lines(), "\n"))
		}
		if r.Flows != 15 || len(r.Sessions) != 2 || c.verdict == evidence.Intact && r.SignedLinks != r.Links {
			t.Errorf("%s: %+v", name, r)
		}
		for _, line := range r.Lines() {
			if strings.ContainsAny(line, "\x1b\n") {
				t.Errorf("%s: a line moves the cursor: %q", name, line)
			}
		}
	}
	r := verify(t, path, evidence.Options{})
	checked, err := evidence.Check(r.Manifest(), own)
	m := checked.Manifest
	if err != nil || !checked.Trusted || m.Session != 2 || m.Flows != 3 || m.Chain.Last != r.Links || m.Tool.Version != "1.2.3" || m.Audit != r.Audit || m.Audit == "" {
		t.Errorf("%+v, error %v", checked, err)
	}
	if r := verify(t, path, evidence.Options{Kept: kept(t, r.Manifest())}); !r.OK() {
		t.Errorf("against its own manifest: %q", r.Lines())
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"signer":"`+own.String()) || !strings.Contains(string(b), `"faults":[]`) {
		t.Errorf("%s, error %v", b, err)
	}
}

func TestTamperingWithManifestsIsFound(t *testing.T) {
	dir := t.TempDir()
	key, other := openKey(t, filepath.Join(dir, "key")), openKey(t, filepath.Join(dir, "other"))
	original, foreign := filepath.Join(dir, "x.telltale"), filepath.Join(dir, "y.telltale")
	record(t, original, 12, key)
	record(t, original, 3, key)
	record(t, foreign, 5, key)
	own := key.Fingerprint()
	content, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	again := func(m evidence.Manifest) string { return strings.ReplaceAll(string(other.Sign(m)), "'", "''") }
	last, err := evidence.Check(verifyManifest(t, original))
	if err != nil {
		t.Fatal(err)
	}
	forged := last.Manifest
	forged.Policy = &evidence.Source{Name: "lenient", SHA256: strings.Repeat("00", 32)}
	for i, c := range []struct {
		script  string
		verdict evidence.Verdict
		says    string
	}{
		{"UPDATE manifests SET document = replace(document, 'covid-alert', 'lenient') WHERE session_id = 2", evidence.Broken, "session 2: the manifest cannot be believed: its signature is not that of its content"},
		{"UPDATE manifests SET document = replace(document, '\"flows\": 3', '\"flows\": 2') WHERE session_id = 2", evidence.Broken, "signature"},
		{"UPDATE manifests SET document = document || 'x' WHERE session_id = 2", evidence.Broken, "its signature cannot be read"},
		{"UPDATE manifests SET document = '' WHERE session_id = 2", evidence.Broken, "it is no manifest of telltale"},
		{"UPDATE manifests SET document = (SELECT document FROM manifests WHERE session_id = 1) WHERE session_id = 2", evidence.Broken, "of another session"},
		{"ATTACH '" + foreign + "' AS y; UPDATE manifests SET document = (SELECT document FROM y.manifests) WHERE session_id = 1", evidence.Broken, "signed for another chain"},
		{"UPDATE manifests SET document = '" + again(forged) + "' WHERE session_id = 2", evidence.Broken, "session 2: it is signed by another key than was asked for: " + other.Fingerprint().String()},
		{"DELETE FROM manifests WHERE session_id = 2", evidence.Unsigned, "unsigned from link"},
		{"DELETE FROM manifests", evidence.Broken, "manifests: 1 row missing"},
		{"UPDATE flows SET started = started + 1 WHERE id = 3", evidence.Broken, ": something was changed after it was written (flows from 2026-11-20T12:00:0"},
		{"UPDATE sessions SET ended = NULL WHERE id = 2; DELETE FROM manifests WHERE session_id = 2", evidence.Broken, "sessions 2"},
	} {
		path := filepath.Join(dir, fmt.Sprintf("%d.telltale", i))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		execSQL(t, path, c.script)
		r := verify(t, path, evidence.Options{Own: &own, Trusted: []evidence.Fingerprint{own}})
		if r.Verdict != c.verdict || r.OK() || !says(r, c.says) {
			t.Errorf("%s\n%s, want %s %q:\n%s", c.script, r.Verdict, c.verdict, c.says, strings.Join(r.Lines(), "\n"))
		}
	}
}

func verifyManifest(t *testing.T, path string) []byte {
	t.Helper()
	r := verify(t, path, evidence.Options{})
	return r.Manifest()
}

// A session that another key signed holds, and is told apart.
func TestSessionOfAnotherKeyIsNamed(t *testing.T) {
	path, key, other := filepath.Join(t.TempDir(), "x.telltale"), openKey(t, t.TempDir()), openKey(t, t.TempDir())
	record(t, path, 3, key)
	record(t, path, 3, other)
	own := key.Fingerprint()
	r := verify(t, path, evidence.Options{Own: &own})
	if !r.OK() || !r.Sessions[0].Own || r.Sessions[1].Own || !says(r, "intact: as it was recorded, signed by another key") ||
		!says(r, "session 2, links") {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	if r := verify(t, path, evidence.Options{Trusted: []evidence.Fingerprint{own}}); r.Verdict != evidence.Broken || r.SignedLinks != r.Sessions[0].Last {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
}

// A session without a manifest is signed by the next one; the last one by nothing.
func TestUnsignedSessions(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "x.telltale"), openKey(t, t.TempDir())
	record(t, path, 3, nil)
	if r := verify(t, path, evidence.Options{}); r.Verdict != evidence.Unsigned || !says(r, "unsigned from link 1") || r.Manifest() != nil {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	record(t, path, 3, key)
	if r := verify(t, path, evidence.Options{}); r.Verdict != evidence.Intact || !says(r, "a later one signs its links") {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	if err := capture.Annotate(path, capture.Annotation{Violation: "v", Kind: capture.Acknowledged, Author: "command line"}); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, path, evidence.Options{}); r.Verdict != evidence.Intact || !says(r, "annotations were added after the last session") {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	execSQL(t, path, "UPDATE sessions SET ended = NULL WHERE id = 2")
	if r := verify(t, path, evidence.Options{}); r.Verdict != evidence.Broken {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
}

// Sessions that were cut off the end are found with a manifest that was kept elsewhere, and
// with nothing else.
func TestKeptManifest(t *testing.T) {
	dir := t.TempDir()
	path, key := filepath.Join(dir, "x.telltale"), openKey(t, dir)
	record(t, path, 3, key)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := verifyManifest(t, path)
	record(t, path, 3, key)
	second := verifyManifest(t, path)
	if r := verify(t, path, evidence.Options{Kept: kept(t, first)}); !r.OK() {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, path, evidence.Options{}); !r.OK() {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	if r := verify(t, path, evidence.Options{Kept: kept(t, second)}); r.Verdict != evidence.Broken || !says(r, "a session that the capture does not have") {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
	another := filepath.Join(dir, "y.telltale")
	record(t, another, 4, key)
	if r := verify(t, another, evidence.Options{Kept: kept(t, first)}); r.Verdict != evidence.Broken || !says(r, "of another capture") {
		t.Errorf("%s", strings.Join(r.Lines(), "\n"))
	}
}

func TestDamagedCaptureIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	record(t, path, 30, nil)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Verify(context.Background(), path, evidence.Options{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
}

// kept is a manifest as it is read from a file.
func kept(t *testing.T, document []byte) *evidence.Checked {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest")
	if err := os.WriteFile(path, document, 0o600); err != nil {
		t.Fatal(err)
	}
	checked, err := evidence.ReadManifest(path)
	if err != nil {
		t.Fatal(err)
	}
	return &checked
}

func TestFilesThatAreNoManifests(t *testing.T) {
	dir := t.TempDir()
	text, long := filepath.Join(dir, "text"), filepath.Join(dir, "long")
	if err := os.WriteFile(text, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(long, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text: "it is no manifest of telltale: it has no signature", long: "more than 4194304 bytes", dir: "not a regular file", filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := evidence.ReadManifest(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

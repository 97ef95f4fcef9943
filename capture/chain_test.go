package capture

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/coverage"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// sealed is a seal of tests: it says what it was given.
func sealed(c Chain) []byte {
	return fmt.Appendf(nil, "session %d, links %d to %d, %d flows, head %x", c.Session, c.First, c.Last, c.Flows, c.Head)
}

// session records flows of every kind, a phase, a note and books.
func session(t *testing.T, path string, flows int, opts Options) {
	t.Helper()
	s, err := Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Mark("before consent")
	s.SetExperiments([]string{"offline"})
	s.Note("a note")
	s.SetLedger(coverage.Ledger{Mode: "wireguard", Received: map[coverage.Class]coverage.Amount{"tcp": {Units: 3}}})
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for i := range flows {
		id := flowtest.ID(s.NextID())
		s.Observe(flowtest.Post(fmt.Sprintf("https://h%d.example/%d", i%7, i), strings.Repeat("b", 40*i)+"x", id, flowtest.At(time.Duration(i)*time.Second)))
		if i%10 == 0 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	frames := []flow.Frame{{Time: start, Opcode: 1, Size: 2, Data: []byte("hi")}, {Time: start, Opcode: 9, Data: []byte{}}, {Time: start, Opcode: 8}}
	s.Observe(flowtest.WebSocket("https://ws.example/", frames, flowtest.ID(s.NextID())))
	open := flowtest.Get("https://open.example/", flowtest.ID(s.NextID()), flowtest.Outcome(flow.Open))
	open.Times.End = time.Time{}
	s.Observe(open)
	if err := s.Annotate(Annotation{Violation: "x", Kind: Remark, Author: "screen", Text: "seen"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func verified(t *testing.T, path string) Verification {
	t.Helper()
	v, err := Verify(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func whole(t *testing.T, v Verification) {
	t.Helper()
	for _, f := range v.Faults {
		t.Errorf("%s", f)
	}
}

func TestChainOfTwoSessionsHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	session(t, path, 25, Options{Seal: sealed})
	session(t, path, 13, Options{Seal: sealed})
	v := verified(t, path)
	whole(t, v)
	if v.Flows != 25+13+4 || v.Older != 0 || v.Links < 8 || len(v.Sessions) != 2 || v.Recording || v.Bodies != 25 {
		t.Errorf("%+v", v)
	}
	for i, s := range v.Sessions {
		if string(s.Manifest) != string(sealed(s.Chain)) {
			t.Errorf("session %d: the seal said %q, the chain is %q", i, s.Manifest, sealed(s.Chain))
		}
		if s.Ended.IsZero() || s.Started.IsZero() || s.Flows != int64([]int{27, 15}[i]) {
			t.Errorf("%+v", s)
		}
	}
	if s := v.Sessions; s[0].First != 1 || s[1].First != s[0].Last+1 || s[1].Last != v.Links {
		t.Errorf("links %d to %d and %d to %d of %d", s[0].First, s[0].Last, s[1].First, s[1].Last, v.Links)
	}
}

// A shell can compute the chain.
func TestLinksAreDigestsOfText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	session(t, path, 5, Options{})
	const query = "SELECT 'telltale.link/1' || char(10) || lower(hex(coalesce((SELECT digest FROM links AS p WHERE p.id = l.id - 1), zeroblob(32)))) || " +
		"char(10) || id || char(10) || time || char(10) || ends || char(10) || rows FROM links AS l WHERE id = %d"
	for id := 1; id <= 2; id++ {
		sum := sha256.Sum256([]byte(querySQL(t, path, fmt.Sprintf(query, id))))
		if want := querySQL(t, path, fmt.Sprintf("SELECT lower(hex(digest)) FROM links WHERE id = %d", id)); hex.EncodeToString(sum[:]) != want {
			t.Errorf("link %d is %s, by its text %x", id, want, sum)
		}
	}
	if doc, err := os.ReadFile("../docs/evidence.md"); err != nil || !strings.Contains(strings.Join(strings.Fields(string(doc)), " "), strings.Split(query, "||")[2]) {
		t.Errorf("docs/evidence.md lacks the query: %v", err)
	}
}

func TestTamperingIsFound(t *testing.T) {
	dir := t.TempDir()
	original := filepath.Join(dir, "original.telltale")
	session(t, original, 25, Options{Seal: sealed})
	session(t, original, 5, Options{Seal: sealed})
	content, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		script string
		kind   FaultKind
		table  string
		says   string // "": anything
	}{
		{"UPDATE headers SET fields = replace(fields, 'POST', 'GET') || 'x: y' WHERE id = 2", FaultChanged, "headers", "headers"},
		{"UPDATE texts SET text = text || '?' WHERE id = 9", FaultChanged, "texts", "texts"},
		{"UPDATE texts SET text = CAST(text AS BLOB) WHERE id = 9", FaultChanged, "texts", ""},
		{"UPDATE hosts SET name = 'other.example' WHERE id = 1", FaultChanged, "hosts", ""},
		{"UPDATE kinds SET phase = 'after consent'", FaultChanged, "kinds", ""},
		{"UPDATE connections SET device = 'Bob' WHERE id = 1", FaultChanged, "connections", ""},
		{"UPDATE frames SET data = x'00' WHERE n = 0", FaultChanged, "frames", ""},
		{"UPDATE flows SET started = started + 1 WHERE id = 7", FaultChanged, "flows", "2026"},
		{"UPDATE flows SET wait = NULL WHERE id = 3", FaultChanged, "flows", ""},
		{"UPDATE flows SET dns = 0 WHERE id = 3", FaultChanged, "flows", ""},
		{"UPDATE flows SET started = started + 1 WHERE kind_id IN (SELECT id FROM kinds WHERE outcome = 'open')", FaultChanged, "flows", ""},
		{"DELETE FROM flows WHERE id = 7", FaultMissing, "flows", "1 row missing"},
		{"DELETE FROM flows WHERE kind_id IN (SELECT id FROM kinds WHERE outcome = 'open')", FaultMissing, "flows", ""},
		{"DELETE FROM frames WHERE n = 1", FaultMissing, "frames", "1 row"},
		{"UPDATE ends SET flows = replace(flows, '7,', '') WHERE flows LIKE '%,7,%'; DELETE FROM flows WHERE id = 7", FaultMissing, "ends", ""},
		{"DELETE FROM ends WHERE seq = 1", FaultMissing, "ends", ""},
		{"DELETE FROM ends WHERE seq = (SELECT max(seq) FROM ends)", FaultMissing, "ends", ""},
		{"INSERT INTO flows SELECT 9999, kind_id, host_id, connection_id, url_id, error_id, started, ended, blocked, dns, connect, tls, send, wait, receive, request_headers, request_body, request_size, response_headers, response_body, response_size, sent, received, more, datagrams_sent, datagrams_received, answers_id, exposures_id FROM flows WHERE id = 1", FaultAdded, "flows", "flows 9999: 1 row that the recorder did not write"},
		{"INSERT INTO ends VALUES (43, '[1]')", FaultAdded, "ends", ""},
		{"INSERT INTO texts VALUES (-3, 'x')", FaultAdded, "texts", ""},
		{"INSERT INTO headers VALUES (5000, 'x: y')", FaultAdded, "headers", ""},
		{"INSERT INTO notes(time, text) VALUES (1, 'all is well')", FaultAdded, "notes", ""},
		{"UPDATE flows SET id = -1 WHERE id = 3; UPDATE flows SET id = 3 WHERE id = 4; UPDATE flows SET id = 4 WHERE id = -1", FaultChanged, "flows", ""},
		{"UPDATE bodies SET content = CAST(replace(CAST(content AS TEXT), 'b', 'c') AS BLOB) WHERE id = 2", FaultContent, "bodies", "bodies 2"},
		{"UPDATE bodies SET zstd = 1 - zstd WHERE id = 2", FaultContent, "bodies", ""},
		{"UPDATE bodies SET sha256 = zeroblob(32) WHERE id = 2", FaultChanged, "bodies", ""},
		{"UPDATE bodies SET type = 'text/plain' WHERE id = 2", FaultChanged, "bodies", ""},
		{"DELETE FROM links WHERE id = 3", FaultChain, "links", "link 4: 1 link before it is missing"},
		{"DELETE FROM links WHERE id < 3", FaultChain, "links", "link 3: 2 links before it are missing"},
		{"DELETE FROM links WHERE id > 4", FaultAdded, "flows", ""},
		{"UPDATE links SET time = time + 1 WHERE id = 3", FaultChain, "links", "link 3: it does not follow"},
		{"UPDATE links SET ends = ends + 1 WHERE id = 3", FaultChain, "links", ""},
		{"UPDATE links SET rows = '{' WHERE id = 3", FaultChain, "links", "cannot be read"},
		{"UPDATE links SET rows = '{\"tables\":{\"meta\":{\"first\":1,\"last\":1}}}' WHERE id = 3", FaultChain, "links", ""},
		{"UPDATE links SET digest = x'00' WHERE id = 3", FaultChain, "links", ""},
		{"UPDATE phases SET name = 'after consent'", FaultChanged, "phases", ""},
		{"UPDATE switches SET active = '[]'", FaultChanged, "switches", "switches 1"},
		{"UPDATE switches SET time = time + 1 WHERE id = 2", FaultChanged, "switches", ""},
		{"DELETE FROM switches WHERE id = 1", FaultMissing, "switches", "1 row missing"},
		{"INSERT INTO switches VALUES (9, 2, 1, '[]')", FaultAdded, "switches", "1 row"},
		{"DELETE FROM switches; DROP TABLE switches; PRAGMA user_version = 5", FaultChain, "links", "switches"},
		{"UPDATE notes SET text = 'nothing to see'", FaultChanged, "notes", ""},
		{"UPDATE annotations SET text = 'fine'", FaultChanged, "annotations", ""},
		{"UPDATE ledgers SET units = 2 WHERE side = 'received'", FaultChanged, "ledgers", ""},
		{"DELETE FROM ledgers WHERE session_id = 1", FaultMissing, "ledgers", ""},
		{"UPDATE sessions SET started = started - 1 WHERE id = 2", FaultChanged, "sessions", ""},
		{"UPDATE sessions SET ended = ended + 1 WHERE id = 1", FaultChanged, "sessions", ""},
		{"UPDATE sessions SET ended = NULL WHERE id = 2", FaultChanged, "sessions", ""},
		{"DELETE FROM sessions WHERE id = 1", FaultMissing, "sessions", ""},
		{"INSERT INTO sessions VALUES (3, 1, 2)", FaultAdded, "sessions", ""},
		{"UPDATE manifests SET document = document || ' ' WHERE session_id = 1", FaultChanged, "manifests", ""},
		{"DELETE FROM manifests WHERE session_id = 1", FaultMissing, "manifests", ""},
		{"INSERT INTO manifests VALUES (7, 'x')", FaultAdded, "manifests", ""},
	} {
		path := filepath.Join(dir, fmt.Sprintf("%d.telltale", i))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		execSQL(t, path, tt.script)
		v := verified(t, path)
		found := false
		for _, f := range v.Faults {
			found = found || f.Kind == tt.kind && f.Table == tt.table && strings.Contains(f.String(), tt.says)
		}
		if !found {
			t.Errorf("%s\nnot found: %s of %s, %q; found:", tt.script, tt.kind, tt.table, tt.says)
			for _, f := range v.Faults {
				t.Logf("\t%s %s", f.Kind, f)
			}
		}
	}
}

// Links that somebody made anew hold, but are not those that were signed.
func TestRelinkedCaptureHasAnotherHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	session(t, path, 3, Options{Seal: sealed})
	execSQL(t, path, "UPDATE links SET time = time + 1")
	relink(t, path)
	v := verified(t, path)
	whole(t, v)
	if string(v.Sessions[0].Manifest) == string(sealed(v.Sessions[0].Chain)) {
		t.Error("the head is the same")
	}
}

// relink computes all digests of links anew, as one can who has the file.
func relink(t *testing.T, path string) {
	t.Helper()
	c, err := openWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, err := c.integer("SELECT max(id) FROM links")
	if err != nil {
		t.Fatal(err)
	}
	update, err := c.prepare("UPDATE links SET digest = ? WHERE id = ?")
	if err != nil {
		t.Fatal(err)
	}
	defer update.Close()
	var previous [sha256.Size]byte
	for id := int64(1); id <= n; id++ {
		at, _ := c.integer("SELECT time FROM links WHERE id = ?", id)
		ends, _ := c.integer("SELECT ends FROM links WHERE id = ?", id)
		previous = linkDigest(previous[:], id, at, ends, querySQL(t, path, fmt.Sprintf("SELECT rows FROM links WHERE id = %d", id)))
		if err := update.exec(previous[:], id); err != nil {
			t.Fatal(err)
		}
	}
}

// What was there before the first link is told apart, and its bodies are looked at all the same.
func TestChainBeginsWithItsFirstSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	session(t, path, 9, Options{})
	execSQL(t, path, "DELETE FROM links; DELETE FROM annotations")
	if v := verified(t, path); v.Links != 0 || !v.Broken() {
		t.Errorf("without links: %+v", v)
	}
	session(t, path, 4, Options{})
	v := verified(t, path)
	whole(t, v)
	if v.Older != 11 || v.Flows != 6 || len(v.Sessions) != 1 || v.Sessions[0].Session != 2 {
		t.Errorf("%+v", v)
	}
	execSQL(t, path, "UPDATE bodies SET content = x'01' WHERE id = 1; UPDATE flows SET started = 1 WHERE id = 2")
	if v := verified(t, path); len(v.Faults) != 1 || v.Faults[0].Kind != FaultContent || v.Faults[0].From != 1 {
		t.Errorf("%v", v.Faults)
	}
}

func TestVerifyingFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	empty, text := filepath.Join(dir, "empty"), filepath.Join(dir, "text")
	if err := errors.Join(os.WriteFile(empty, nil, 0o600), os.WriteFile(text, []byte(strings.Repeat("hello ", 1000)), 0o600)); err != nil {
		t.Fatal(err)
	}
	cut := recorded(t, 40)
	change(t, cut, func(b []byte) []byte { return b[:len(b)/2] })
	for path, says := range map[string]string{
		dir: "is a folder", empty: "is empty", text: "not a telltale capture", filepath.Join(dir, "none"): "no such file", cut: "damaged",
	} {
		if _, err := Verify(context.Background(), path, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, recorded(t, 3), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A capture that is being recorded can be verified; what is open has its last state.
func TestVerifyingBesideARecorder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := flowtest.Get("https://open.example/", flowtest.ID(s.NextID()), flowtest.Outcome(flow.Open))
	f.Times.End = time.Time{}
	for n := range 3 {
		state := *f
		state.Sent = int64(n)
		s.Observe(&state)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		v := verified(t, path)
		whole(t, v)
		if v.Flows != 1 || !v.Recording || v.Links != int64(n)+2 || !v.Sessions[0].Ended.IsZero() {
			t.Errorf("%+v", v)
		}
	}
	done := *f
	done.Outcome, done.Times.End = flow.Completed, f.Times.Start.Add(time.Second)
	s.Observe(&done)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	v := verified(t, path)
	whole(t, v)
	if v.Flows != 1 || v.Sessions[0].Flows != 1 {
		t.Errorf("%+v", v)
	}
}

// What a person says of a capture that nobody records is in the chain, behind the session.
func TestAnnotationsAfterTheSessionAreLinked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	session(t, path, 3, Options{Seal: sealed})
	if err := Annotate(path, Annotation{Violation: "y", Kind: Acknowledged, Author: "command line"}); err != nil {
		t.Fatal(err)
	}
	v := verified(t, path)
	whole(t, v)
	if v.Links != v.Sessions[0].Last+1 || string(v.Sessions[0].Manifest) != string(sealed(v.Sessions[0].Chain)) {
		t.Errorf("%+v", v)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	path := recorded(t, 3)
	execSQL(t, path, "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i+1 FROM n WHERE i < 600) INSERT INTO links SELECT i, 0, 0, '', x'' FROM n")
	v := verified(t, path)
	if len(v.Faults) != MaxFaults || v.MoreFaults < 400 {
		t.Errorf("%d faults and %d more", len(v.Faults), v.MoreFaults)
	}
}

func TestRowsHaveOneEncoding(t *testing.T) {
	seen := map[string]string{}
	for name, row := range map[string][]any{
		"null": {nil, nil}, "0": {int64(0), nil}, "0 second": {nil, int64(0)}, "empty": {"", nil}, "1": {int64(1), nil}, "text 1": {"1", nil},
		"blob 1": {[]byte("1"), nil}, "float": {1.0, nil}, "two": {"a", "b"}, "one": {"ab", nil}, "other": {true, nil},
	} {
		b := (&sealedTable{}).appendRow(nil, values(row))
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[string(b)] = name
	}
}

func values(row []any) []driver.Value {
	out := make([]driver.Value, len(row))
	for i, v := range row {
		out[i] = v
	}
	return out
}

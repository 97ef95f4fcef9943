package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a file has besides rows is part of what was recorded: a view shows what its author
// wants to be seen.
func TestChangedShapeIsFound(t *testing.T) {
	path := recorded(t, 3)
	for _, c := range []struct {
		script string
		kind   FaultKind
		says   string
	}{
		{"DROP VIEW exchanges; CREATE VIEW exchanges AS SELECT 1 AS id", FaultChanged, `view "exchanges" is not as the recorder made it`},
		{"DROP VIEW exchanges", FaultMissing, `view "exchanges" is missing`},
		{"CREATE VIEW more AS SELECT 1", FaultAdded, `view "more" was not made by the recorder`},
		{"CREATE TRIGGER t BEFORE INSERT ON annotations BEGIN DELETE FROM events; END", FaultAdded, `trigger "t" was not made by the recorder`},
		{"CREATE TABLE \"more\n\" (x)", FaultAdded, `table "more\n" was not made by the recorder`},
		{"CREATE INDEX i ON flows (started)", FaultAdded, `index "i" was not made by the recorder`},
		{"ALTER TABLE notes ADD COLUMN more", FaultChanged, `table "notes" is not as the recorder made it`},
	} {
		copied := copyOf(t, path)
		execSQL(t, copied, c.script)
		v := verified(t, copied)
		if len(v.Faults) != 1 || v.Faults[0].Kind != c.kind || v.Faults[0].String() != c.says {
			t.Errorf("%s: %v", c.script, v.Faults)
		}
	}
	execSQL(t, path, "ANALYZE")
	whole(t, verified(t, path))
}

func TestBytesBehindTheDatabaseAreFound(t *testing.T) {
	path := recorded(t, 3)
	for _, more := range []int{1, 5, 4096, 100_000} {
		copied := copyOf(t, path)
		change(t, copied, func(b []byte) []byte { return append(b, strings.Repeat("x", more)...) })
		v := verified(t, copied)
		if len(v.Faults) != 1 || v.Faults[0].Kind != FaultAdded || v.Faults[0].Count != int64(more) || !strings.Contains(v.Faults[0].String(), "behind the end of the database") {
			t.Errorf("%d bytes: %v", more, v.Faults)
		}
	}
}

func copyOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.telltale")
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

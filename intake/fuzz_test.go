package intake_test

import (
	"os"
	"path/filepath"
	"testing"

	"telltale/flow"
	"telltale/intake"
)

// FuzzFile reads whatever bytes as a file: nothing but flows, infos and errors may
// come of it, twice the same.
func FuzzFile(f *testing.F) {
	whole := entries("a.example", "b.example")
	f.Add([]byte(whole))
	f.Add([]byte(gzipped(f, whole)))
	f.Add([]byte(zipped(f, "a.har", whole, "b.har.gz", gzipped(f, whole))))
	f.Add([]byte(zipped(f, "a.txt", "a")))
	f.Add([]byte("SQLite format 3\x00"))
	f.Add([]byte("PK\x05\x06"))
	f.Add(must(os.ReadFile(stored(f, filepath.Join(f.TempDir(), "s.telltale"), "s.example"))))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "input")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		set, troubles := intake.Find(t.Context(), []string{path}, nil)
		if len(troubles) > 0 || set.Len() != 1 {
			t.Fatalf("%d inputs, %v", set.Len(), troubles)
		}
		count := func() (flows int, infos []intake.Info) {
			infos, err := set.Read(t.Context(), intake.Options{Bodies: true}, func(f *flow.Flow) error {
				if f.Origin.Capture == "" {
					t.Errorf("a flow from nowhere: %+v", f)
				}
				flows++
				return nil
			})
			if err != nil || len(infos) == 0 {
				t.Fatalf("%+v, %v", infos, err)
			}
			return flows, infos
		}
		first, infos := count()
		second, again := count()
		if first != second || len(infos) != len(again) {
			t.Fatalf("%d flows of %+v, then %d of %+v", first, infos, second, again)
		}
		for i := range infos {
			if (infos[i].Err == nil) != (again[i].Err == nil) {
				t.Fatalf("%v, then %v", infos[i].Err, again[i].Err)
			}
		}
		if err := set.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

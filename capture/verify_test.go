package capture_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"telltale/capture"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

func verify(t *testing.T, path string) capture.Verification {
	t.Helper()
	v, err := capture.Verify(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range v.Faults {
		t.Errorf("%s", f)
	}
	return v
}

// A capture of an earlier version has no chain; it gets one where it is recorded on.
func TestChainOfACaptureOfAnEarlierVersion(t *testing.T) {
	for _, name := range []string{"version2", "version3"} {
		path := unpacked(t, filepath.Join("testdata", name+".telltale.gz"))
		before := verify(t, path)
		if before.Links != 0 || before.Older == 0 || before.Flows != 0 {
			t.Errorf("%s: %+v", name, before)
		}
		s, err := capture.Create(path, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		observe(t, s, flowtest.Get("https://new.example/", flowtest.ID(s.NextID())))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		after := verify(t, path)
		if after.Older != before.Older || after.Flows != 1 || len(after.Sessions) != 1 || after.Sessions[0].First != 1 {
			t.Errorf("%s: %+v", name, after)
		}
	}
}

// The chain of a recorder that was killed holds up to its last batch, and goes on with
// the next one.
func TestChainOfAKilledRecorder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.telltale")
	for round := 1; round <= raced.Size(2, 1); round++ {
		cmd, in, until := recordIn(t, path)
		until(1500)
		verify(t, path)
		fmt.Fprintln(in)
		safe := until(1600)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		v := verify(t, path)
		if len(v.Sessions) != round || !v.Sessions[round-1].Ended.IsZero() || v.Flows < int64(safe) {
			t.Errorf("round %d: %+v", round, v)
		}
	}
}

package intake_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"telltale/capture"
	"telltale/coverage"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/intake"
)

// counted records one connection of the tunnel, with books of received connections; with
// 0 it keeps none.
func counted(t *testing.T, path string, received int64) string {
	t.Helper()
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if received > 0 {
		s.SetLedger(coverage.Ledger{
			Mode:     "wireguard",
			Received: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: received}},
			Recorded: map[coverage.Class]coverage.Amount{coverage.TCP: {Units: 1}},
		})
	}
	s.Observe(flowtest.Get("https://a.example/", flowtest.Mode("wireguard")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// The books of captures are those of their audit, and of several captures their sum: only
// where each that has flows of the tunnel has books of it can anything be claimed.
func TestLedgersOfCaptures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := counted(t, filepath.Join(dir, "one.telltale"), 1), counted(t, filepath.Join(dir, "two.telltale"), 1)
	gap, bare := counted(t, filepath.Join(dir, "gap.telltale"), 3), counted(t, filepath.Join(dir, "bare.telltale"), 0)
	har := write(t, filepath.Join(dir, "a.har"), entries("a.example"))
	for _, test := range []struct {
		name, claim string
		files       []string
	}{
		{"one", "Everything that devices sent through the WireGuard tunnel is in this audit: 1 connection.", []string{one}},
		{"two", "Everything that devices sent through the WireGuard tunnel is in this audit: 2 connections.", []string{one, two}},
		{"a gap in one", "Not everything that devices sent through the WireGuard tunnel is in this audit: 2 connections of 4 received have no row.", []string{gap, two}},
		{"none", "", []string{bare}},
		{"one without", "Not all of these recordings have books of the WireGuard tunnel: nothing is claimed to be complete.", []string{one, bare}},
		{"beside another way in", "Everything that devices sent through the WireGuard tunnel is in this audit: 1 connection.", []string{har, one}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, troubles := intake.Find(context.Background(), test.files, nil)
			defer in.Close()
			infos, err := in.Read(context.Background(), intake.Options{}, func(*flow.Flow) error { return nil })
			if err != nil || len(troubles) > 0 {
				t.Fatal(err, troubles)
			}
			claim := ""
			for _, l := range intake.Ledgers(infos) {
				claim += l.Claim()
			}
			if claim != test.claim {
				t.Errorf("got %s\nwant %s", claim, test.claim)
			}
			want := []string{"wireguard"}
			if test.files[0] == har {
				want = []string{"har", "wireguard"}
			}
			if got := intake.Modes(infos); !slices.Equal(got, want) {
				t.Errorf("modes %q, want %q", got, want)
			}
		})
	}
}

// Each capture of an archive has modes of its own.
func TestModesOfAnArchive(t *testing.T) {
	t.Parallel()
	archive := write(t, filepath.Join(t.TempDir(), "a.zip"), zipped(t, "one.har", entries("a.example"), "two.har", entries()))
	in, _ := intake.Find(context.Background(), []string{archive}, nil)
	defer in.Close()
	infos, err := in.Read(context.Background(), intake.Options{}, func(*flow.Flow) error { return nil })
	if err != nil || len(infos) != 2 || !slices.Equal(infos[0].Modes, []string{"har"}) || infos[1].Modes != nil {
		t.Errorf("%v: %+v", err, infos)
	}
}

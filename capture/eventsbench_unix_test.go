//go:build unix

package capture_test

import (
	"path/filepath"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// BenchmarkObserveTelling records flows at full speed that nobody is to be told of, with
// and without somebody who would be; and flows that all are violations.
func BenchmarkObserveTelling(b *testing.B) {
	keep := func(*flow.Flow, policy.Judgement) bool { return true }
	for _, c := range []struct {
		name string
		opts capture.Options
	}{
		{"silent", capture.Options{Judge: hostJudge{}}},
		{"telling", capture.Options{Judge: hostJudge{}, Tell: documentOf}},
		{"keeping", capture.Options{Judge: hostJudge{}, KeepBodies: keep}},
		{"silent-violations", capture.Options{Judge: hostJudge{allow: ".none"}}},
		{"telling-violations", capture.Options{Judge: hostJudge{allow: ".none"}, Tell: documentOf}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := capture.Create(filepath.Join(b.TempDir(), "x.telltale"), c.opts)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			t := newTraffic(false)
			observeAll(b, s, t)
		})
	}
}

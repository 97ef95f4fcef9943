package capture_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
)

// TestRetellingCountsAsTheAuditDid compares what is told of a recording with what was told
// while it was made.
func TestRetellingCountsAsTheAuditDid(t *testing.T) {
	var live, again []int
	opts := capture.Options{Judge: hostJudge{}, Tell: func(o capture.Occurrence) []byte { live = append(live, o.Count); return []byte("{}") }}
	s, _ := create(t, opts)
	retelling := capture.Retell()
	for range 25 {
		f := get(s, "evil.example")
		observe(t, s, f)
		for _, o := range retelling.Occurrences(f, hostJudge{}.Judge(f)) {
			again = append(again, o.Count)
		}
	}
	if diff := cmp.Diff([]int{1, 10}, live); diff != "" || !cmp.Equal(live, again) {
		t.Errorf("told %d, then %d", live, again)
	}
}

// TestLongAuthorsAreCut has an author that is a long path.
func TestLongAuthorsAreCut(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: hostJudge{}})
	long := filepath.Join(strings.Repeat("ä", 300), "telltale.yaml")
	if err := s.Annotate(capture.Annotation{Violation: "x", Kind: capture.Excused, Author: long, Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if got := s.Annotations()[0].Author; got != capture.AuthorOf(long) || !strings.HasPrefix(long, got) || len(got) < 250 {
		t.Errorf("author %q", got)
	}
}

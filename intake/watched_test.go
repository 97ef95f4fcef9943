package intake_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/intake"
)

// A capture of telltale says for how long it was recorded. Of others, each is taken by
// itself: what lies between two of them, nobody watched.
func TestWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := flowtest.Epoch
	path := filepath.Join(dir, "own.telltale")
	s, err := capture.Create(path, capture.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	s.Observe(flowtest.Get("https://a.example/", flowtest.ID(s.NextID())))
	now = now.Add(20 * time.Minute)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Two requests, three minutes from each other, on the day that is named.
	har := func(day string) string {
		text := strings.ReplaceAll(entries("a.example", "b.example"), "2026-01-02T", day+"T")
		at := strings.LastIndex(text, "T03:04:05Z")
		return text[:at] + "T03:07:05Z" + text[at+len("T03:04:05Z"):]
	}
	one, two := write(t, filepath.Join(dir, "one.har"), har("2026-01-02")), write(t, filepath.Join(dir, "two.har"), har("2026-02-03"))
	archive := write(t, filepath.Join(dir, "both.zip"), zipped(t, "one.har", har("2026-01-02"), "two.har", har("2026-02-03")))
	for name, c := range map[string]struct {
		files []string
		want  time.Duration
	}{
		"a capture of telltale": {[]string{path}, 20 * time.Minute},
		"a HAR":                 {[]string{one}, 3 * time.Minute},
		"two a month apart":     {[]string{one, two}, 6 * time.Minute},
		"two in an archive":     {[]string{archive}, 6 * time.Minute},
		"all":                   {[]string{one, path, archive}, 29 * time.Minute},
	} {
		in, troubles := intake.Find(context.Background(), c.files, nil)
		infos, err := in.Read(context.Background(), intake.Options{}, func(*flow.Flow) error { return nil })
		if err != nil || len(troubles) > 0 {
			t.Fatal(err, troubles)
		}
		if got := intake.Watched(infos); got != c.want {
			t.Errorf("%s: watched for %v, want %v", name, got, c.want)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}

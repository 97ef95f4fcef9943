package capture_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
)

func TestAnnotations(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	opts := capture.Options{Judge: hostJudge{}, Now: func() time.Time { return now }}
	s, path := create(t, opts)
	observe(t, s, get(s, "evil.example"), get(s, "x.waived.example"))
	wake, done := s.Wake()
	defer done()
	id, waived := s.Summary().Violations[0].ID, s.Summary().Waivers[0].ID
	want := []capture.Annotation{
		{Time: now, Violation: id, Kind: capture.Acknowledged, Author: "screen", Text: "Ann is on it"},
		{Time: now.Add(time.Second), Violation: waived, Kind: capture.Remark, Author: "link", Text: "é\nsecond line \u202e"},
		{Time: now.Add(2 * time.Second), Violation: id, Kind: capture.Excused, Author: "telltale.yaml:12", Text: "a test", Until: now.Add(time.Hour)},
	}
	for i, a := range want {
		if i == 0 {
			a.Time = time.Time{} // now
		}
		if err := s.Annotate(a); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-wake:
	default:
		t.Error("readers are not told")
	}
	again := want[0]
	again.Time = now.Add(time.Minute)
	if err := s.Annotate(again); err != nil {
		t.Errorf("said again: %v", err)
	}
	check := func(s *capture.Store) {
		t.Helper()
		if diff := cmp.Diff(want, s.Annotations()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		sum := s.Summary()
		if diff := cmp.Diff([]capture.Annotation{want[0], want[2]}, sum.Violations[0].Annotations); diff != "" {
			t.Errorf("of the violation (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want[1:2], sum.Waivers[0].Annotations); diff != "" {
			t.Errorf("of the waiver (-want +got):\n%s", diff)
		}
	}
	check(s)
	var locked *capture.LockedError
	if err := capture.Annotate(path, want[0]); !errors.As(err, &locked) {
		t.Errorf("while it is recorded: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(reopen(t, path, opts))
	if err := reopen(t, path, opts).Annotate(want[0]); !errors.Is(err, capture.ErrReadOnly) {
		t.Errorf("on a reader: %v", err)
	}
	late := capture.Annotation{Time: now.Add(time.Hour), Violation: id, Kind: capture.Remark, Author: "command line", Text: "late"}
	for range 2 {
		if err := capture.Annotate(path, late); err != nil {
			t.Fatal(err)
		}
	}
	more, err := capture.Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if got := more.Annotations(); len(got) != 4 || got[3] != late {
		t.Errorf("%+v", got)
	}
	if files, _ := filepath.Glob(path + "-*"); len(files) != 3 {
		t.Errorf("left beside it: %q", files)
	}
}

func TestWhatIsNoAnnotation(t *testing.T) {
	s := capture.New(capture.Options{})
	defer s.Close()
	good := capture.Annotation{Violation: "0a1b", Kind: capture.Remark, Author: "screen", Text: "fine"}
	for what, change := range map[string]func(*capture.Annotation){
		"no violation":      func(a *capture.Annotation) { a.Violation = "" },
		"an unknown kind":   func(a *capture.Annotation) { a.Kind = "praise" },
		"a long text":       func(a *capture.Annotation) { a.Text = strings.Repeat("x", capture.MaxAnnotationText+1) },
		"bytes":             func(a *capture.Annotation) { a.Text = "\xff" },
		"an endless excuse": func(a *capture.Annotation) { a.Kind = capture.Excused },
		"a remark's end":    func(a *capture.Annotation) { a.Until = time.Now() },
	} {
		a := good
		change(&a)
		if err := s.Annotate(a); err == nil || len(s.Annotations()) != 0 {
			t.Errorf("%s is kept, error %v", what, err)
		}
	}
	if err := s.Annotate(good); err != nil || len(s.Annotations()) != 1 {
		t.Errorf("%v", err)
	}
}

func TestAnnotationsAreBounded(t *testing.T) {
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	observe(t, s, get(s, "evil.example"))
	id := s.Summary().Violations[0].ID
	a := capture.Annotation{Violation: id, Kind: capture.Remark}
	for i := range capture.MaxAnnotations {
		a.Text = fmt.Sprint(i)
		if err := s.Annotate(a); err != nil {
			t.Fatal(err)
		}
	}
	a.Text = "one too many"
	if err := s.Annotate(a); err == nil {
		t.Error("the bound does not hold")
	}
	if of := s.Summary().Violations[0].Annotations; len(of) != capture.MaxAnnotationsEach || of[len(of)-1].Text != fmt.Sprint(capture.MaxAnnotations-1) {
		t.Errorf("%d annotations", len(of))
	}
}

func TestAnnotateWhatIsNoCapture(t *testing.T) {
	a := capture.Annotation{Violation: "0a1b", Kind: capture.Remark}
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte("no capture, but a text of some length, longer than a header"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, text, filepath.Join(dir, "none.telltale")} {
		if err := capture.Annotate(path, a); err == nil {
			t.Errorf("annotated %s", path)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("left: %q", files)
	}
}

// Captures of older versions have no annotations until somebody makes one.
func TestAnnotateAnOldCapture(t *testing.T) {
	path := version2(t)
	old := reopen(t, path, capture.Options{Judge: hostJudge{}})
	if len(old.Annotations()) != 0 || old.AuditID() != "" {
		t.Errorf("%v, audit %q", old.Annotations(), old.AuditID())
	}
	if events, err := old.Events(0, 0); err != nil || len(events) != 0 {
		t.Errorf("%v, %v", events, err)
	}
	old.Close()
	if err := capture.Annotate(path, capture.Annotation{Violation: "0a1b", Kind: capture.Remark, Text: "seen"}); err != nil {
		t.Fatal(err)
	}
	if got := reopen(t, path, capture.Options{}).Annotations(); len(got) != 1 || got[0].Text != "seen" {
		t.Errorf("%+v", got)
	}
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.AuditID() == "" {
		t.Error("an older file gets no ID of its audit")
	}
}

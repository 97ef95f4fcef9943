package capture_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

// scattered records flows of every kind under IDs with gaps, wide ones too.
func scattered(t *testing.T, s *capture.Store) {
	t.Helper()
	var flows []*flow.Flow
	id := flow.ID(0)
	for i := range 3000 {
		switch {
		case i == 1000:
			id = 1 << 40
		case i == 2000:
			id = 1 << 62
		case i%700 == 0:
			id += 600
		}
		id++
		f := flowtest.Get(fmt.Sprintf("https://h%d.canada.ca/%d", i%40, i), flowtest.ID(id), flowtest.Header("X-Number", fmt.Sprint(i%90)))
		if i%13 == 0 {
			f = flowtest.Post("https://two.example/", fmt.Sprint("body ", i), flowtest.ID(id))
		}
		if i%17 == 0 {
			f = flowtest.Refused("pinned.example", flowtest.ID(id))
		}
		flows = append(flows, f)
	}
	observe(t, s, flows...)
	observe(t, s, flowtest.WebSocket("wss://x.example/", []flow.Frame{flowtest.Text(true, 0, "secret")}, flowtest.ID(7)))
}

func scan(t *testing.T, s *capture.Store, opts capture.ScanOptions) (all []capture.Recorded) {
	t.Helper()
	err := s.Scan(context.Background(), opts, func(batch []capture.Recorded) error {
		all = append(all, batch...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sameFlows tells how two lists of flows differ, "" if they do not. One in so many of
// them it compares in all that they say, the others by their number.
func sameFlows(one int, want, got []capture.Recorded) string {
	id := func(r capture.Recorded) flow.ID { return r.Flow.ID }
	if len(want) != len(got) {
		return fmt.Sprintf("%d flows, want %d", len(got), len(want))
	}
	for i := range want {
		if i%one > 0 && id(want[i]) == id(got[i]) {
			continue
		}
		if diff := cmp.Diff(want[i], got[i], sameFlow); diff != "" {
			return fmt.Sprintf("the flow at %d: %s", i, diff)
		}
	}
	return ""
}

// What a scan returns is what pages do, less what it was told to leave out.
func TestScanIsAllPages(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: hostJudge{}})
	scattered(t, s)
	want, err := s.Flows(context.Background(), capture.Query{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	full := capture.ScanOptions{Judge: true, Headers: true}
	if diff := sameFlows(raced.Size(1, 20), want, scan(t, s, full)); diff != "" {
		t.Fatalf("(-pages +scan):\n%s", diff)
	}
	full.After = want[1500].Flow.ID
	if diff := sameFlows(raced.Size(1, 20), want[1501:], scan(t, s, full)); diff != "" {
		t.Fatalf("from the middle (-pages +scan):\n%s", diff)
	}
	full.After = want[len(want)-1].Flow.ID
	if rest := scan(t, s, full); rest != nil {
		t.Errorf("%d flows behind the last", len(rest))
	}
	for i := range want {
		want[i].Judgement = policy.Judgement{}
	}
	if diff := sameFlows(raced.Size(1, 20), want, scan(t, s, capture.ScanOptions{Headers: true})); diff != "" {
		t.Fatalf("unjudged (-pages +scan):\n%s", diff)
	}
	for i := range want {
		for _, f := range []*flow.Flow{want[i].Flow} {
			if f.Request != nil {
				f.Request.Header = nil
			}
			if f.Response != nil {
				f.Response.Header = nil
			}
		}
	}
	if diff := sameFlows(raced.Size(1, 20), want, scan(t, s, capture.ScanOptions{})); diff != "" {
		t.Fatalf("without headers (-pages +scan):\n%s", diff)
	}
}

func TestScanEndsEarly(t *testing.T) {
	s, path := create(t, capture.Options{})
	scattered(t, s)
	enough, n := errors.New("enough"), 0
	err := s.Scan(context.Background(), capture.ScanOptions{}, func([]capture.Recorded) error { n++; return enough })
	if err != enough || n != 1 { //nolint:errorlint // it must come back as it is
		t.Errorf("error %v after %d batches", err, n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n = 0
	err = s.Scan(ctx, capture.ScanOptions{}, func([]capture.Recorded) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n > 5 {
		t.Errorf("cancelled: error %v after %d batches", err, n)
	}
	none := capture.New(capture.Options{})
	defer none.Close()
	if err := none.Scan(context.Background(), capture.ScanOptions{}, nil); !errors.Is(err, capture.ErrNotRecorded) {
		t.Errorf("without a file: %v", err)
	}
	empty, _ := create(t, capture.Options{})
	if all := scan(t, empty, capture.ScanOptions{}); all != nil {
		t.Errorf("an empty capture: %v", all)
	}
	s.Close()
	queryRW(t, path, "DELETE FROM headers WHERE id = 20 RETURNING 1")
	damaged := reopen(t, path, capture.Options{})
	err = damaged.Scan(context.Background(), capture.ScanOptions{Headers: true}, func([]capture.Recorded) error { return nil })
	var file *capture.FileError
	if !errors.As(err, &file) {
		t.Errorf("damaged: %v", err)
	}
}

// A search finds what the pages of a query do.
func TestSearchIsAllPages(t *testing.T) {
	s, _ := create(t, capture.Options{})
	scattered(t, s)
	for _, text := range []string{"h3", "two.example", "secret", "body 13", "body", "1234", "pinned", "nowhere", "", "canada ca/77", "x number 5"} {
		got, err := s.Search(context.Background(), text)
		if err != nil {
			t.Fatal(err)
		}
		want := ids(t, s, capture.Query{Text: text, Limit: 1 << 20})
		if text == "" {
			want = nil
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %d flows, want %d", text, len(got), len(want))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Search(ctx, "canada"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	none := capture.New(capture.Options{})
	defer none.Close()
	if _, err := none.Search(context.Background(), "x"); !errors.Is(err, capture.ErrNotRecorded) {
		t.Errorf("without a file: %v", err)
	}
}

func TestScanLoadsBodies(t *testing.T) {
	s, _ := create(t, capture.Options{Judge: hostJudge{}})
	scattered(t, s)
	bodies, frames := 0, 0
	for _, r := range scan(t, s, capture.ScanOptions{Bodies: true}) {
		f := r.Flow
		if f.Kind == flow.WebSocket && len(f.Frames) == 1 && string(f.Frames[0].Data) == "secret" {
			frames++
		}
		if f.Request != nil && f.Request.Body.Size > 0 {
			if string(f.Request.Body.Content) == "" {
				t.Fatalf("flow %d has no body", f.ID)
			}
			bodies++
		}
	}
	if bodies < 100 || frames != 1 {
		t.Errorf("%d bodies, frames of %d WebSockets", bodies, frames)
	}
}

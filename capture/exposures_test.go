package capture_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// exposed returns a flow whose producer examined it.
func exposed(f *flow.Flow, found ...flow.Exposure) *flow.Flow {
	f.Exposures, f.Examined = found, exposure.Version
	return f
}

func advertisingID(where string) flow.Exposure {
	return flow.Exposure{Kind: "advertising-id", Name: "idfa", Where: where, Layers: []string{"gzip", "base64"}, Masked: "6d92…", Digest: "0a1b2c"}
}

// What was found is in the file, once for all flows that have the same.
func TestExposuresComeBack(t *testing.T) {
	s, path := create(t, capture.Options{})
	strange := flow.Exposure{Kind: "e-mail", Where: "body.json $[\"\t\n\\\"]", Masked: "a…@\u202e\x00.org"}
	want := flowtest.Number(
		exposed(flowtest.Get("https://a.example/1"), advertisingID("query idfa")),
		exposed(flowtest.Get("https://a.example/2"), advertisingID("query idfa")),
		exposed(flowtest.Get("https://b.example/"), advertisingID("query idfa"), strange),
		exposed(flowtest.Get("https://b.example/")),
		exposed(flowtest.Tunnel("c.example:443")),
	)
	observe(t, s, want...)
	for _, live := range []bool{true, false} {
		if !live {
			s.Close()
			s = reopen(t, path, capture.Options{})
		}
		for i, f := range want {
			got, err := s.Flow(context.Background(), flow.ID(i+1))
			if err != nil || got.Flow.Examined != exposure.Version {
				t.Fatalf("examined %d, error %v", got.Flow.Examined, err)
			}
			if diff := cmp.Diff(f.Exposures, got.Flow.Exposures); diff != "" && len(f.Exposures)+len(got.Flow.Exposures) > 0 {
				t.Errorf("flow %d (-want +got):\n%s", i+1, diff)
			}
		}
	}
	if n := query(t, path, "SELECT count(*) FROM exposures"); n != "2" {
		t.Errorf("%s lists are kept", n)
	}
	if kinds := query(t, path, "SELECT group_concat(x.value ->> 'kind') FROM exchanges, json_each(exposures) x WHERE host = 'b.example'"); kinds != "advertising-id,e-mail" {
		t.Errorf("the view shows %s", kinds)
	}
}

// contentless is a judge that does not look into bodies, as policies without values
// under never-send, and that is told what was found.
type contentless struct{ seen func(*flow.Flow) }

func (contentless) ReadsContent() bool { return false }

func (c contentless) Judge(f *flow.Flow) policy.Judgement {
	c.seen(f)
	return policy.Judgement{Host: f.Host(), Verdict: policy.Allowed}
}

// Files of this version are judged without a look at what was sent, by all ways.
func TestJudgingNeedsNoContents(t *testing.T) {
	s, path := create(t, capture.Options{})
	observe(t, s, flowtest.Number(
		flowtest.Post("https://a.example/", "examined by the store"),
		exposed(flowtest.Post("https://b.example/", "and by who made it"), advertisingID("body")),
		flowtest.WebSocket("wss://c.example/", []flow.Frame{flowtest.Text(true, 0, "x")}),
	)...)
	s.Close()
	for _, script := range []string{"DELETE FROM bodies", "DELETE FROM frames", "UPDATE flows SET request_body = NULL, response_body = NULL"} {
		queryRW(t, path, script+" RETURNING 1")
	}
	judged := 0
	judge := contentless{func(f *flow.Flow) {
		judged++
		if f.Examined == 0 || (f.Host() == "b.example") != (len(f.Exposures) == 1) {
			t.Errorf("%s: examined %d, %v", f.Host(), f.Examined, f.Exposures)
		}
	}}
	open := reopen(t, path, capture.Options{})
	if err := open.Rejudge(context.Background(), judge, nil); err != nil {
		t.Fatal(err)
	}
	if page, err := open.Flows(context.Background(), capture.Query{}); err != nil || len(page) != 3 {
		t.Errorf("%d flows, error %v", len(page), err)
	}
	if judged != 6 {
		t.Errorf("judged %d times", judged)
	}
}

const (
	idfa = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
	mail = "ann.smith@mail.alpha.ca"
)

// kindsOf returns the kinds that were found in a flow, sorted.
func kindsOf(f *flow.Flow) (kinds []string) {
	for _, x := range f.Exposures {
		kinds = append(kinds, x.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// What nobody examined is examined by the store, live and read back; the messages of a
// WebSocket come in parts.
func TestStoreExamines(t *testing.T) {
	s, path := create(t, capture.Options{Judge: contentless{func(*flow.Flow) {}}})
	post := flowtest.Post("https://tracker.example/collect", `{"idfa":"`+idfa+`","mail":"`+mail+`"}`, flowtest.ID(1))
	part := func(i int, ended bool, text string) *flow.Flow {
		f := flowtest.WebSocket("wss://live.example/", []flow.Frame{flowtest.Text(true, time.Duration(i)*time.Second, text)}, flowtest.ID(2))
		f.FrameOffset = i
		if !ended {
			f.Outcome = flow.Open
		}
		return f
	}
	observe(t, s, post)
	for i, text := range []string{`{"mail":"` + mail + `"}`, `{"n":1}`, `{"mail":"` + mail + `"}`, `{"idfa":"` + idfa + `"}`} {
		observe(t, s, part(i, false, text))
	}
	observe(t, s, part(4, true, `{"n":2}`))
	check := func(s *capture.Store, what string) {
		t.Helper()
		page, err := s.Flows(context.Background(), capture.Query{})
		if err != nil || len(page) != 2 {
			t.Fatalf("%s: %d flows, error %v", what, len(page), err)
		}
		for _, r := range page {
			if got := kindsOf(r.Flow); !cmp.Equal(got, []string{"advertising-id", "e-mail"}) || r.Flow.Examined != exposure.Version {
				t.Errorf("%s, flow %d: %v, examined %d", what, r.Flow.ID, r.Flow.Exposures, r.Flow.Examined)
			}
		}
		if trails := s.Summary().Trails; len(trails) != 2 || len(trails[0].Receivers) != 2 || trails[0].Count != 2 {
			t.Errorf("%s: trails %+v", what, trails)
		}
	}
	check(s, "live")
	s.Close()
	s = reopen(t, path, capture.Options{Judge: contentless{func(*flow.Flow) {}}})
	check(s, "read back")
}

// A file of an older version is examined when it is judged, and stays as it is.
func TestVersion3IsExamined(t *testing.T) {
	path := unpacked(t, "testdata/version3.telltale.gz")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[flow.ID][]string{}
	judge := contentless{func(f *flow.Flow) { got[f.ID] = kindsOf(f) }}
	s := reopen(t, path, capture.Options{})
	if err := s.Rejudge(context.Background(), judge, nil); err != nil {
		t.Fatal(err)
	}
	want := map[flow.ID][]string{1: nil, 2: {"advertising-id", "e-mail"}, 3: {"e-mail"}, 4: nil, 5: nil, 6: nil}
	if !cmp.Equal(got, want) {
		t.Errorf("judged %v", got)
	}
	for range 2 { // the second time what was judged is remembered
		page, err := s.Flows(context.Background(), capture.Query{})
		if err != nil || len(page) != 6 {
			t.Fatalf("%d flows, error %v", len(page), err)
		}
		for _, r := range page {
			if got := kindsOf(r.Flow); !cmp.Equal(got, want[r.Flow.ID]) || (r.Flow.Examined != 0) != r.Flow.Ended() {
				t.Errorf("flow %d: %v, examined %d", r.Flow.ID, got, r.Flow.Examined)
			}
		}
	}
	scanned := 0
	err = s.Scan(context.Background(), capture.ScanOptions{Judge: true, Bodies: true}, func(batch []capture.Recorded) error {
		for _, r := range batch {
			if scanned++; !cmp.Equal(kindsOf(r.Flow), want[r.Flow.ID]) {
				t.Errorf("scan, flow %d: %v", r.Flow.ID, r.Flow.Exposures)
			}
		}
		return nil
	})
	if err != nil || scanned != 6 {
		t.Errorf("scanned %d flows, error %v", scanned, err)
	}
	if trails := s.Summary().Trails; len(trails) != 2 || len(trails[0].Receivers) != 2 {
		t.Errorf("trails %+v", trails)
	}
	s.Close()
	if now, err := os.ReadFile(path); err != nil || !cmp.Equal(now, before) {
		t.Errorf("reading has changed the file, error %v", err)
	}
	recorder, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	observe(t, recorder, exposed(flowtest.Get("https://new.example/", flowtest.ID(recorder.NextID())), advertisingID("query idfa")))
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	if v := query(t, path, "SELECT user_version || ' ' || (SELECT count(*) FROM exposures) FROM pragma_user_version"); v != "6 1" {
		t.Errorf("version and lists: %s", v)
	}
}

// A list that never ends does not fill memory.
func TestExposuresAreBounded(t *testing.T) {
	s, _ := create(t, capture.Options{})
	var many []flow.Exposure
	for i := range 100 {
		many = append(many, flow.Exposure{Kind: "e-mail", Digest: fmt.Sprint(i)})
	}
	f := exposed(flowtest.Get("https://a.example/", flowtest.ID(1)), many...)
	observe(t, s, f)
	got, err := s.Flow(context.Background(), 1)
	if err != nil || len(got.Flow.Exposures) != 100 {
		t.Errorf("%d, error %v", len(got.Flow.Exposures), err)
	}
}

package redact

import (
	"bytes"
	"fmt"
	"testing"

	"telltale/exposure"
	"telltale/flow"
	"telltale/guard/raced"
	"telltale/har"
	"telltale/policy"
)

// throughHAR writes a flow as a HAR and reads it back, as an audit of the file sees it.
func throughHAR(t testing.TB, f *flow.Flow, opts har.WriterOptions) *flow.Flow {
	t.Helper()
	var file bytes.Buffer
	w := har.NewWriter(&file, opts)
	if err := w.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var out *flow.Flow
	if _, err := har.Read(&file, har.Options{Name: "x.har", Bodies: true}, func(f *flow.Flow) error { out = f; return nil }); err != nil || out == nil {
		t.Fatalf("%v, %v", out, err)
	}
	out.Exposures, out.Examined = exposure.Known(out), exposure.Version
	return out
}

// The HAR of a copy, and that of a flow whose contents were not recorded, have the verdict of
// the flow: what was found is in the file, and no value of it.
func TestHARKeepsTheVerdict(t *testing.T) {
	pol := canaryPolicy(t)
	flows, labels := everything(t)
	for i, f := range flows {
		if raced.Detector && i%5 != 0 {
			continue
		}
		whole := *f
		whole.Exposures, whole.Examined = exposure.Look(f), exposure.Version
		want := verdict(pol.Judge(&whole))
		copied := throughHAR(t, redactor(t, pol).Flow(&whole), har.WriterOptions{Reveal: true})
		if got := verdict(pol.Judge(copied)); got != want {
			t.Errorf("%s: redacted %s, want %s", labels[i], got, want)
		}
		omitted := throughHAR(t, withoutContents(&whole, pol.Leaks(f)), har.WriterOptions{Mask: pol.Mask, Leaks: pol.Leaks})
		if got := verdict(pol.Judge(omitted)); got != want {
			t.Errorf("%s: without contents %s, want %s", labels[i], got, want)
		}
	}
}

// withoutContents returns a flow as a capture keeps it whose policy wants no contents.
func withoutContents(f *flow.Flow, leaks []flow.Leak) *flow.Flow {
	out, q := *f, *f.Request
	q.Body = flow.Body{Size: f.Request.Body.Size, Truncated: true}
	out.Request, out.Response, out.Frames, out.Leaks, out.Omitted = &q, nil, nil, leaks, true
	return &out
}

// A file of somebody else may claim findings. It hides none.
func TestForeignHARHidesNothing(t *testing.T) {
	pol, err := policy.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := baseFlow(1)
	setBody(f, true, "application/json", "", []byte(`{"idfa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}`))
	f.Examined, f.Omitted = exposure.Version, true // a search that found nothing
	out := throughHAR(t, f, har.WriterOptions{Reveal: true})
	if len(out.Exposures) != 1 || pol.Judge(out).Verdict != policy.Violation {
		t.Error(fmt.Sprint("found ", out.Exposures))
	}
}

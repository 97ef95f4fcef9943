package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/capture"
)

// annotated is an audit whose violation somebody knows of, and that a program remarked on.
func annotated() *Report {
	r := covidAlert()
	r.Summary.Violations[0].Annotations = []capture.Annotation{
		{Time: after(2 * time.Second), Kind: capture.Remark, Author: "telltale.yaml line 12: ./triage.py", Text: "the SDK of the app's\nsecond release\x1b[31m | `x` <b>"},
		{Time: after(3 * time.Second), Kind: capture.Excused, Author: "telltale.yaml line 12: ./triage.py", Text: "until the fix is out", Until: after(24 * time.Hour)},
		{Time: after(time.Minute), Kind: capture.Acknowledged, Author: "link"},
		{Time: after(2 * time.Minute), Kind: capture.Acknowledged, Author: "screen", Text: "asked the vendor"},
	}
	return r
}

// Documents for people say who acknowledged; of many remarks the newest.
func TestManyAnnotations(t *testing.T) {
	t.Parallel()
	r := annotated()
	v := &r.Summary.Violations[0]
	for i := range capture.MaxAnnotationsEach {
		v.Annotations = append(v.Annotations, capture.Annotation{Time: after(time.Hour), Kind: capture.Remark, Author: "program", Text: fmt.Sprintf("remark %d", i)})
	}
	for _, f := range Formats {
		got := render(t, f, r)
		all := strings.Contains(got, "remark 0")
		newest := strings.Contains(got, "remark 99")
		switch f.Ext {
		case ".txt", ".md", ".html":
			if all || !newest || !strings.Contains(got, "98 times more remarked on") || !strings.Contains(got, "on the screen") {
				t.Errorf("%s: the first: %v, the newest: %v", f.Name, all, newest)
			}
		case ".json", ".sarif":
			if !all || !newest {
				t.Errorf("%s lacks some", f.Name)
			}
		}
	}
}

// What a program remarked is masked like all else.
func TestAnnotationsAreMasked(t *testing.T) {
	t.Parallel()
	r := annotated()
	r.Mask = func(s string) string { return strings.ReplaceAll(s, "vendor", "[redacted]") }
	for _, f := range Formats {
		if strings.Contains(render(t, f, r), "vendor") {
			t.Errorf("%s shows it", f.Name)
		}
	}
}

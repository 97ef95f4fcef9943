package reports

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
)

// TestHARReadsBack reads the file with our own reader.
func TestHARReadsBack(t *testing.T) {
	f, _ := ByName("har")
	var urls []string
	info, err := har.Read(strings.NewReader(render(t, f, covidAlert())), har.Options{Name: "x.har"}, func(f *flow.Flow) error {
		urls = append(urls, f.Method()+" "+f.URL())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "GET https://" + retrieval + "/302/2652, HEAD https://clients3.google.com/generate_204, " +
		"HEAD https://clients3.google.com/generate_204, POST https://" + submission + "/upload"
	if got := strings.Join(urls, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if info.Producer != "telltale 1.0.0" {
		t.Errorf("producer %q", info.Producer)
	}
}

// TestHARMasksContent looks for never-send values where a search of the file
// would not find them: in contents that are written as base64.
func TestHARMasksContent(t *testing.T) {
	f, _ := ByName("har")
	bodies := 0
	_, err := har.Read(strings.NewReader(render(t, f, hostile())), har.Options{Name: "x.har", Bodies: true}, func(f *flow.Flow) error {
		if f.Request == nil {
			return nil // the connection that could not be read
		}
		for _, content := range [][]byte{f.Request.Body.Content, f.Response.Body.Content} {
			if len(content) > 0 {
				bodies++
			}
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s shows the secret in %q", f.URL(), content)
			}
		}
		return nil
	})
	if err != nil || bodies == 0 {
		t.Errorf("%d bodies, %v", bodies, err)
	}
}

// TestHARLeavesFlowsAlone checks that redacting a URL does not touch the flow,
// which others hold too.
func TestHARLeavesFlowsAlone(t *testing.T) {
	const url = "https://user:hunter2@a.example/"
	f := flowtest.Get(url)
	r := &Report{Flows: each(f)}
	if err := writeHAR(&bytes.Buffer{}, r); err != nil {
		t.Fatal(err)
	}
	if f.Request.URL != url {
		t.Errorf("the flow's URL is now %s", f.Request.URL)
	}
}

// TestFormatsThatNeedFlows checks that without flows, and when reading them
// fails, no document is written.
func TestFormatsThatNeedFlows(t *testing.T) {
	broken := errors.New("the capture is damaged")
	for _, f := range Formats {
		if !f.NeedsFlows {
			if err := f.Write(&bytes.Buffer{}, &Report{}); err != nil {
				t.Errorf("%s needs flows and does not say so: %v", f.Name, err)
			}
			continue
		}
		path := filepath.Join(t.TempDir(), "audit"+f.Ext)
		r := covidAlert()
		r.Flows = nil
		if err := WriteFile(path, r); !errors.Is(err, errNoFlows) {
			t.Errorf("%s without flows: %v", f.Name, err)
		}
		r.Flows = func(yield func(*flow.Flow) error) error {
			if err := yield(flowtest.Get("https://a.example/")); err != nil {
				return err
			}
			return broken
		}
		if err := WriteFile(path, r); !errors.Is(err, broken) || !strings.Contains(err.Error(), "audit"+f.Ext) {
			t.Errorf("%s of a damaged capture: %v", f.Name, err)
		}
		if left := list(t, filepath.Dir(path)); len(left) != 0 {
			t.Errorf("%s left %q", f.Name, left)
		}
	}
}

func TestFlowsHAR(t *testing.T) {
	for _, reveal := range []bool{false, true} {
		var b bytes.Buffer
		mask := func(s string) string { return strings.ReplaceAll(s, "geheim", flow.Redacted) }
		write, finish := FlowsHAR(&b, &Report{Tool: Tool{"telltale", "1"}, Mask: mask, Reveal: reveal})
		f := flowtest.Get("https://u:hunter2@a.example/?q=geheim", flowtest.Asked("a.example:443"), flowtest.Host("a.example"), flowtest.Header("Cookie", "hunter2"), flowtest.ResponseBody("text/plain", "geheim"))
		if err := write(capture.Recorded{Flow: f}); err != nil {
			t.Fatal(err)
		}
		if err := finish(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "geheim") || strings.Contains(b.String(), "hunter2"); got != reveal {
			t.Errorf("reveal %v: %s", reveal, b.String())
		}
	}
}

// TestHARHidesPasswordsInEveryURL checks header fields and errors that name URLs.
func TestHARHidesPasswordsInEveryURL(t *testing.T) {
	f := flowtest.Get("https://a.example/", flowtest.Header("Referer", "https://u:hunter2@b.example/"),
		flowtest.ResponseHeader("Location", "https://u:hunter2@c.example/"))
	f.Request.URL = "https://u:hunter2@a.example/"
	f.Error = "Get https://u:hunter2@a.example/: refused"
	r := base()
	r.Flows = each(f)
	har, _ := ByName("har")
	got := render(t, har, r)
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "https://[redacted]@c.example/") {
		t.Error(got)
	}
	if r.Reveal = true; !strings.Contains(render(t, har, r), "hunter2@b.example") {
		t.Error("not revealed when asked")
	}
}

package reports

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/plain"
	"telltale/policy"
)

// elements calls visit for every element of a page.
func elements(t testing.TB, page string, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			visit(n)
		}
	}
}

// textOf returns what a page says, without its style and script, with one space
// between words.
func textOf(t testing.TB, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			b.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// activeIn lists what of a page is a link, a form, loaded or run, apart from its
// own style and script, which its policy must allow by their hash.
func activeIn(t testing.TB, page string) []string {
	var found, policies, inline []string
	elements(t, page, func(n *html.Node) {
		switch n.Data {
		case "meta":
			if attribute(n, "http-equiv") != "" {
				policies = append(policies, attribute(n, "content"))
			}
		case "style", "script":
			sum := sha256.Sum256([]byte(n.FirstChild.Data))
			inline = append(inline, n.Data+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		case "a":
			if !strings.HasPrefix(attribute(n, "href"), "#violation-") {
				found = append(found, "a link to "+attribute(n, "href"))
			}
		case "img", "iframe", "link", "object", "embed", "form", "base", "video", "audio", "use", "image", "foreignobject", "animate":
			found = append(found, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"style", "src", "srcset", "action", "formaction"}, a.Key) {
				found = append(found, n.Data+" with "+a.Key)
			}
		}
	})
	want := "default-src 'none'; " + strings.Join(inline, "; ") + "; base-uri 'none'; form-action 'none'"
	if len(inline) != 2 || !slices.Equal(policies, []string{want}) {
		found = append(found, fmt.Sprintf("policies %q, not %q", policies, want))
	}
	return found
}

func TestPageHoldsNothingActive(t *testing.T) {
	f, _ := ByName("html")
	for name, build := range cases {
		if found := activeIn(t, render(t, f, build())); found != nil {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// unquoted shows text as the page does.
var unquoted = style{
	data: func(s string) string {
		if s == "" {
			return "–"
		}
		return plain.Text(s)
	},
	prose: func(s string) string { return withoutMarks(inHTML.prose(s)) },
}

func withoutMarks(s string) string {
	return strings.NewReplacer(codeStart, "", codeEnd, "").Replace(s)
}

// TestPageSaysEverything checks that the page has what the other documents for
// people have.
func TestPageSaysEverything(t *testing.T) {
	f, _ := ByName("html")
	for name, build := range cases {
		r := build()
		text := textOf(t, render(t, f, r))
		want := slices.Concat([]string{title(r.Verdict), headline(r, unquoted)[1:], recorded(r), policyName(r, unquoted), credentialWarning(r, unquoted)},
			worthBeside(r, unquoted), warnings(r, unquoted), next(r), permitted(r, unquoted))
		for _, v := range r.Summary.Violations {
			want = append(want, what(r, v.Finding, unquoted), request(r, v, unquoted), seen(v), place(r, v, unquoted),
				decided(r, v.Finding.Source, unquoted), phasesOf(r, v, unquoted.data), r.short(v.App, maxText))
			for _, p := range slices.Concat(paragraphs(clip(r.mask(v.Finding.Message), maxProse)), paragraphs(clip(r.mask(v.Finding.Remedy), maxProse))) {
				want = append(want, withoutMarks(p.Text))
			}
		}
		for _, v := range r.Summary.Waivers {
			want = append(want, decided(r, v.Finding.Source, unquoted), request(r, v, unquoted))
		}
		for _, h := range r.Summary.Hosts {
			want = append(want, r.short(h.Name, maxHost), decided(r, h.Source, unquoted), size(h.BytesReceived), tableTime(h.First))
		}
		for _, c := range r.Captures {
			want = append(want, captureName(r, c.File, unquoted), plain.Text(c.SHA256))
		}
		for _, s := range reproduce(r) {
			want = append(want, s.command)
		}
		for _, s := range want {
			if s = strings.Join(strings.Fields(s), " "); !strings.Contains(text, s) {
				t.Errorf("%s: the page does not say %q", name, s)
			}
		}
	}
}

// crowd is a real audit of n hosts, every second of which is a violation.
func crowd(t testing.TB, n int) *Report {
	t.Helper()
	pol, err := policy.New([]string{"*.allowed.example"})
	if err != nil {
		t.Fatal(err)
	}
	trackers := []string{"app-measurement.com", "graph.facebook.com", "sentry.io", "api.mixpanel.com", "clients3.google.com"}
	var flows []*flow.Flow
	for i := range n {
		host := fmt.Sprintf("host-%03d.service-%02d.example", i, i%40)
		switch {
		case i%2 == 0:
			host = fmt.Sprintf("host-%03d.allowed.example", i)
		case i/2 < len(trackers):
			host = trackers[i/2]
		}
		phase := "before consent"
		if i > n/3 {
			phase = "after consent"
		}
		for k := range 1 + i%4 {
			flows = append(flows, flowtest.Get("https://"+host+"/v1/collect?session="+fmt.Sprint(i), flowtest.UserAgentOf(app), flowtest.Phase(phase),
				flowtest.Origin("big.har", len(flows)+1, 20*len(flows)+1), flowtest.At(time.Duration(i)*3*time.Second+time.Duration(k)*time.Minute)))
		}
	}
	store := capture.New(capture.Options{Judge: pol})
	for _, f := range flowtest.Number(flows...) {
		store.Observe(f)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	r := base()
	r.Summary, r.Policy = store.Summary(), PolicyInfo{Allow: []string{"*.allowed.example"}}
	r.Captures, r.Verdict = []CaptureInfo{{File: "big.har", Entries: len(flows)}}, Violations
	return r
}

// TestPageStaysUsable bounds the page of many hosts and violations, and of more
// than it shows.
func TestPageStaysUsable(t *testing.T) {
	f, _ := ByName("html")
	page := render(t, f, crowd(t, 1000))
	keepPage(t, "crowd", page)
	if len(page) > 1_500_000 {
		t.Errorf("1000 hosts and 500 violations take %d bytes", len(page))
	}
	text := textOf(t, page)
	for _, want := range []string{"host-998.allowed.example", "host-999.service-39.example", "400 more are in the table alone; a .json report describes all."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	page = render(t, f, huge(2500))
	text = textOf(t, page)
	if len(page) > 9_000_000 {
		t.Errorf("the worst page has %d bytes", len(page))
	}
	for _, want := range []string{"… and 500 more; a .json report has them all.", "… and 3000 more; a .json report has them all.", "2400 more are in the table alone"} {
		if !strings.Contains(text, want) {
			t.Errorf("the worst page does not say %q", want)
		}
	}
}

// FuzzPage checks that no text leaves its place in the page.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"", attack, "`a`", "<b>", codeStart + "<b>" + codeEnd, "\x03\x02", "    <script>", "```\n</pre>", "javascript:alert(1)", "{{.}}"} {
		f.Add(s)
	}
	format, _ := ByName("html")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := textOfSegments(inHTML.data(s)), unquoted.data(s); got != want {
			t.Fatalf("%q becomes %q, want %q", s, got, want)
		}
		page := render(t, format, textual(s))
		if found := activeIn(t, page); found != nil {
			t.Fatalf("%q makes %q", s, found)
		}
		if want := strings.Join(strings.Fields(plain.Text(clip(s, maxHost))), " "); !strings.Contains(textOf(t, page), want) {
			t.Fatalf("the page does not say %q", want)
		}
	})
}

func textOfSegments(s string) string {
	var b strings.Builder
	for _, part := range segments(s) {
		b.WriteString(part.Text)
	}
	return b.String()
}

// textual is a report whose texts are s.
func textual(s string) *Report {
	r := covidAlert()
	v := &r.Summary.Violations[0]
	v.Method, v.URL, v.App, v.Finding.Host = s, s, s, s
	r.Summary.Hosts[0].Name, r.Policy.File, r.Captures[0].File, r.Captures[0].Producer = s, s, s, s
	v.Finding.Title, v.Finding.Message, v.Finding.Remedy, v.Finding.Owner = s, s, s, s
	return r
}

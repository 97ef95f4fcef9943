package reports

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"telltale/capture"
	"telltale/compare"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/flow/plain"
	"telltale/policy"
)

// diffSideOf is one side of a comparison in the tests.
type diffSideOf struct {
	flows   []*flow.Flow
	damaged bool
}

// diffOf compares two lists of flows by a real policy and through real stores.
func diffOf(t testing.TB, policyText string, before, later diffSideOf) *Diff {
	t.Helper()
	pol, err := policy.Parse("telltale.yaml", []byte(policyText), policy.Options{
		Now: func() time.Time { return epoch }, Env: func(string) (string, bool) { return secret, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &Diff{
		Tool: Tool{"telltale", "1.0.0"}, Generated: after(time.Hour), Policy: PolicyInfo{Name: pol.Name(), File: pol.File(), Digest: pol.Digest()},
		Command: "telltale diff before.har after.har --policy telltale.yaml", Mask: pol.Mask,
	}
	var audits [2]*compare.Audit
	for i, in := range []diffSideOf{before, later} {
		file := []string{"before.har", "after.har"}[i]
		r := compare.NewRecorder(pol, pol)
		store := capture.New(capture.Options{Judge: r})
		for n, f := range in.flows {
			f.ID, f.Origin = flow.ID(n+1), flow.Origin{Capture: file, Entry: n + 1, Line: 10 * (n + 1)}
			store.Observe(f)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		side := Side{Captures: []CaptureInfo{{File: file, Entries: len(in.flows), Producer: "mitmproxy 11.0"}}, Summary: store.Summary()}
		if in.damaged {
			side.Captures[0].Error = file + `: line 120, column 7, entry 3: expected "}", the file ends here`
		}
		side.Warnings = WarningsOf(side.Summary, side.Captures, false, FewFlows)
		audits[i] = r.Audit(side.Summary, in.damaged)
		*[]*Side{&d.Before, &d.After}[i] = side
	}
	d.Comparison = compare.Captures(audits[0], audits[1])
	return d
}

const diffPolicy = `version: 1
name: COVID Alert talks to the Government of Canada only
allow:
  - "*.canada.ca"
`

// use is an app at work: it asks for keys at once and then every two minutes.
func use(for_ time.Duration, opts ...flowtest.Option) []*flow.Flow {
	var out []*flow.Flow
	for at := time.Duration(0); at <= for_; at += 2 * time.Minute {
		out = append(out, flowtest.Get("https://"+retrieval+"/302/2652", append([]flowtest.Option{flowtest.At(at)}, opts...)...))
	}
	return append(out, flowtest.Post("https://"+submission+"/upload", "{}", append([]flowtest.Option{flowtest.At(for_)}, opts...)...))
}

// beat is the probe that the story is about, once a minute.
func beat(n int, opts ...flowtest.Option) []*flow.Flow {
	var out []*flow.Flow
	for i := range n {
		out = append(out, flowtest.Head("https://clients3.google.com/generate_204", append([]flowtest.Option{flowtest.At(time.Second + time.Duration(i)*time.Minute)}, opts...)...))
	}
	return out
}

// tracked is a tracker that follows the submission of keys.
func tracked(at time.Duration) *flow.Flow {
	return flowtest.Post("https://app-measurement.com/a", "{}", flowtest.At(at+time.Second))
}

func covidBefore() diffSideOf {
	return diffSideOf{flows: append(beat(6), use(5*time.Minute)...)}
}

// diffCases are the comparisons that every format has to tell.
var diffCases = map[string]func(testing.TB) *Diff{
	"fixed": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: use(12 * time.Minute)})
	},
	"too-short": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: use(20 * time.Second)})
	},
	"other-app": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: use(12*time.Minute, flowtest.UserAgentOf("Weather/3.1"))})
	},
	"experiments": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: use(12*time.Minute, slowed)})
	},
	"empty": func(t testing.TB) *Diff { return diffOf(t, diffPolicy, covidBefore(), diffSideOf{}) },
	"damaged": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: use(12 * time.Minute), damaged: true})
	},
	"new": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: append(use(12*time.Minute), tracked(12*time.Minute))})
	},
	"unchanged": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: append(beat(4), use(4*time.Minute)...)})
	},
	"phases": func(t testing.TB) *Diff {
		p, q := flowtest.Phase("before consent"), flowtest.Phase("after consent")
		return diffOf(t, diffPolicy, diffSideOf{flows: append(beat(3, p), use(10*time.Minute, q)...)}, diffSideOf{flows: use(10*time.Minute, q)})
	},
	"company": func(t testing.TB) *Diff { // the tracker came with every submission; now nothing is submitted
		var news []*flow.Flow
		for i := range 8 {
			news = append(news, flowtest.Get("https://www.canada.ca/news", flowtest.At(time.Duration(i)*time.Minute)))
		}
		before := diffSideOf{flows: slices.Concat(beat(6), use(5*time.Minute), []*flow.Flow{tracked(5 * time.Minute)})}
		return diffOf(t, diffPolicy, before, diffSideOf{flows: news})
	},
	"waived": func(t testing.TB) *Diff {
		return diffOf(t, diffPolicy+"waivers:\n  - rule: tracker\n    host: app-measurement.com\n    reason: removed with the next version\n    until: 2027-01-31\n",
			diffSideOf{flows: slices.Concat(beat(6), use(5*time.Minute), []*flow.Flow{tracked(5 * time.Minute)})},
			diffSideOf{flows: append(use(12*time.Minute), tracked(12*time.Minute))})
	},
	"hostile": hostileDiff,
}

// hostileDiff has text of every kind where text of a capture can be.
func hostileDiff(t testing.TB) *Diff {
	return hostileDiffWith(t, strings.ToValidUTF8(attack, "?")+secret)
}

func hostileDiffWith(t testing.TB, bad string) *Diff {
	evil := func(host, url string, at time.Duration) *flow.Flow {
		f := flowtest.Post(url, "{}", flowtest.At(at), flowtest.UserAgentOf("*evil* app"+bad+"/1"), flowtest.Phase(bad),
			flowtest.Asked(host+":443"), flowtest.Host(host), flowtest.SNI(host))
		f.Request.Method = "=" + bad
		return f
	}
	var before, after []*flow.Flow
	for i := range 4 {
		at := time.Duration(i) * time.Minute
		before = append(before, evil("api.canada.ca", "https://api.canada.ca/`x`|#1/<b>\x1b[31m", at), evil("evil.example", "https://user:hunter2@evil.example/?access_token="+token+"&q="+bad, at+time.Second))
		altered := evil("api.canada.ca", "https://api.canada.ca/`x`|#1/y", at/10)
		altered.Experiments = []string{bad}
		after = append(after, altered, evil("new.example", "https://user:hunter2@new.example/"+bad, at/10))
	}
	d := diffOf(t, diffPolicy+"never-send:\n  - name: e-mail\n    value: ${X}\n", diffSideOf{flows: before}, diffSideOf{flows: after})
	d.Policy = PolicyInfo{Name: bad, File: bad, Digest: "00", Allow: []string{bad}}
	d.Command = "telltale diff " + shellWord(bad)
	d.Before.Captures = []CaptureInfo{{File: bad, Entries: 1, Producer: bad, SHA256: "00", Error: bad}}
	return d
}

// slowed says that an experiment altered a flow.
func slowed(f *flow.Flow) {
	f.Experiments, f.Altered = []string{"slow edge"}, []string{"slowed to EDGE"}
}

func renderDiff(t testing.TB, f DiffFormat, d *Diff) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, d); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return b.String()
}

// TestDiffGoldens holds every document on every comparison, to be read by a person
// whenever it changes.
func TestDiffGoldens(t *testing.T) {
	want := map[string]bool{}
	for name, build := range diffCases {
		for _, f := range DiffFormats {
			file := filepath.Join("testdata", "diff", name+f.Ext)
			want[file] = true
			t.Run(f.Name+"/"+name, func(t *testing.T) { sameAsGolden(t, file, renderDiff(t, f, build(t))) })
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "diff", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[file] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// TestDiffDocumentsKeepTheirPromises: harmless, masked, the same from run to run, and
// text that fits a terminal.
func TestDiffDocumentsKeepTheirPromises(t *testing.T) {
	for _, f := range DiffFormats {
		for name, build := range diffCases {
			d := build(t)
			got := renderDiff(t, f, d)
			if !utf8.ValidString(got) || renderDiff(t, f, d) != got || renderDiff(t, f, build(t)) != got {
				t.Errorf("%s of %s is not UTF-8, or differs from run to run", f.Name, name)
			}
			for _, r := range got {
				if r != '\n' && !plain.Shows(r) {
					t.Errorf("%s of %s holds %U", f.Name, name, r)
				}
			}
			for _, s := range []string{secret, "hunter2", token} {
				if strings.Contains(got, s) {
					t.Errorf("%s of %s shows %s", f.Name, name, s)
				}
			}
			for line := range strings.Lines(got) {
				if n := cells(strings.TrimRight(line, "\n")); f.Name == "text" && n > defaultWidth {
					t.Errorf("%s has a line of %d columns: %s", name, n, line)
				}
			}
		}
		d := hostileDiff(t)
		d.Reveal = true
		if !strings.Contains(renderDiff(t, f, d), "hunter2") {
			t.Errorf("%s does not reveal a URL when asked", f.Name)
		}
	}
}

// TestDiffHeadlines holds the sentence that is read first.
func TestDiffHeadlines(t *testing.T) {
	for name, want := range map[string]string{
		"fixed":       "# Fixed: `captive-portal-probe` on `clients3.google.com` no longer happens (6 times before, 0 after, in 12 min of the same use)\n",
		"too-short":   "# Not proven: `captive-portal-probe` on `clients3.google.com` did not happen (6 times before, 0 after), but nothing shows that it would have\n",
		"empty":       "# Inconclusive: the capture after has no contact, so nothing is proven\n",
		"damaged":     "# Inconclusive: the capture after could not be read to its end, so nothing is proven\n",
		"experiments": "# Not proven, with experiments: ",
		"new":         "# Worse: `tracker` on `app-measurement.com` is new (once); in all, 1 new and 1 fixed\n",
		"unchanged":   "# Not fixed: `captive-portal-probe` on `clients3.google.com` still happens (6 times before, 4 times after)\n",
	} {
		if got := renderDiff(t, DiffFormats[1], diffCases[name](t)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", name, strings.SplitN(got, "\n", 2)[0])
		}
	}
}

// TestDiffJSONHasItsKeys checks the keys that programs rely on.
func TestDiffJSONHasItsKeys(t *testing.T) {
	for name, want := range map[string]string{"fixed": "fixed", "too-short": "unproven", "new": "worse", "unchanged": "unchanged", "empty": "inconclusive"} {
		var doc struct {
			Schema, Result string
			Before, After  struct {
				Captures []any
				Summary  struct{ Flows *int }
				Warnings []any
			}
			Hosts []struct {
				Host, Change  string
				Before, After struct{ Flows *int }
			}
			Violations []struct {
				ID, State, Rule, Host string
				Before, After         struct{ Count *int }
				Reasons, Evidence     []struct{ Question, Text string }
			}
		}
		if err := json.Unmarshal([]byte(renderDiff(t, DiffFormats[2], diffCases[name](t))), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Schema != DiffSchema || doc.Result != want || doc.Before.Summary.Flows == nil || len(doc.Hosts) == 0 || len(doc.Violations) == 0 {
			t.Errorf("%s: %+v", name, doc)
		}
		for _, v := range doc.Violations {
			if v.ID == "" || v.Before.Count == nil || v.Reasons == nil || v.Evidence == nil || (v.State == "not-exercised") != (len(v.Reasons) > 0) {
				t.Errorf("%s: %+v", name, v)
			}
			if v.State == "fixed" && len(v.Evidence) == 0 {
				t.Errorf("%s says nothing for a fix", name)
			}
		}
	}
}

// TestDiffFiles checks what the name of a file decides.
func TestDiffFiles(t *testing.T) {
	d := diffCases["fixed"](t)
	folder := t.TempDir()
	for _, f := range DiffFormats {
		file := filepath.Join(folder, "fix"+strings.ToUpper(f.Ext))
		if err := WriteDiffFile(file, d); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil || string(content) != renderDiff(t, f, d) {
			t.Errorf("%s: %v", file, err)
		}
		if got, ok := DiffByName(f.Name); !ok || got.Ext != f.Ext {
			t.Errorf("DiffByName(%q) = %+v", f.Name, got)
		}
	}
	for _, file := range []string{"fix.sarif", "fix", ""} {
		if err := WriteDiffFile(filepath.Join(folder, file), d); err == nil || !strings.Contains(err.Error(), ".md (markdown)") {
			t.Errorf("%q: %v", file, err)
		}
	}
	if _, ok := DiffByName("sarif"); ok {
		t.Error("there is a format that is not there")
	}
}

// TestDiffOfMuch checks that a comparison of very much still fits an issue.
func TestDiffOfMuch(t *testing.T) {
	d := &Diff{}
	for _, v := range huge(400).Summary.Violations {
		d.Comparison.Violations = append(d.Comparison.Violations, compare.Violation{ID: v.ID, State: compare.New, After: &v})
		d.After.Captures = append(d.After.Captures, CaptureInfo{File: v.URL, Error: v.URL})
	}
	for _, h := range huge(400).Summary.Hosts {
		d.Comparison.Hosts = append(d.Comparison.Hosts, compare.Host{Name: h.Name, Change: compare.Came, After: &h})
	}
	d.Comparison.Result = compare.Worse
	if got := renderDiff(t, DiffFormats[1], d); len(got) > 65_536 {
		t.Errorf("%d bytes of Markdown", len(got))
	}
	if got := renderDiff(t, DiffFormats[0], d); strings.Count(got, "\n") > 2000 {
		t.Errorf("%d lines of text", strings.Count(got, "\n"))
	}
}

// TestDiffOfOneFlow checks that what was seen once is not said to last.
func TestDiffOfOneFlow(t *testing.T) {
	d := diffOf(t, diffPolicy, covidBefore(), diffSideOf{flows: []*flow.Flow{flowtest.Get("https://" + retrieval + "/302/2652")}})
	for _, f := range DiffFormats {
		got := strings.Join(strings.Fields(renderDiff(t, f, d)), " ")
		if !strings.Contains(got, "The app was seen for a moment alone afterwards, and 61 s are needed.") || strings.Contains(got, "less than 1 ms") {
			t.Errorf("%s:\n%s", f.Name, got)
		}
	}
}

package reports

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"telltale/capture"
)

// command is a workflow command as the runner reads it.
type command struct {
	name, data string
	properties map[string]string
}

// runnerReads reads a line as ActionCommand of actions/runner does: first the form
// with colons, then the older one with brackets. Nil is no command.
func runnerReads(line string) *command {
	trimmed := strings.TrimSpace(line)
	if strings.HasPrefix(trimmed, "::") {
		if info, rest, ok := strings.Cut(trimmed[2:], "::"); ok {
			name, list, _ := strings.Cut(info, " ")
			c := &command{name, unescaped(rest, "%0D", "\r", "%0A", "\n", "%25", "%"), map[string]string{}}
			for _, p := range strings.Split(list, ",") {
				if key, value, ok := strings.Cut(p, "="); ok {
					c.properties[key] = unescaped(value, "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
				}
			}
			return c
		}
	}
	if _, rest, ok := strings.Cut(line, "##["); ok {
		if name, data, ok := strings.Cut(rest, "]"); ok {
			return &command{name: name, data: data}
		}
	}
	return nil
}

func unescaped(s string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}

func commandsOf(t testing.TB, r *Report) []command {
	t.Helper()
	f, _ := ByName("github")
	var out []command
	for line := range strings.Lines(render(t, f, r)) {
		if c := runnerReads(strings.TrimSuffix(line, "\n")); c != nil {
			out = append(out, *c)
		}
	}
	return out
}

// forging is an audit whose every text tries to be a command.
func forging() *Report {
	r := hostile()
	bad := "\n::error file=a,line=1::owned\r\n  ::stop-commands::x\n##[error]owned\n a ##[set-output name=x]y ::endgroup::,title=owned%0A::error::owned"
	r.Warnings, r.Notes, r.Policy.Name = []string{bad, "::warning::" + bad}, []string{bad}, "::notice::"+bad
	r.Captures = append(r.Captures, CaptureInfo{File: "::error::" + bad, Error: bad, Producer: bad})
	for i := range r.Summary.Violations {
		v := &r.Summary.Violations[i]
		v.URL, v.Method, v.App, v.Finding.Host = bad, bad, bad, bad
		v.Finding.Title, v.Finding.Message, v.Finding.Remedy = bad, bad, "Do this:\n\n    ::error::owned\n"+bad
		v.Finding.Source.File, v.Finding.Source.Text = bad, bad
	}
	r.Summary.Hosts[0].Name = "::error::owned"
	return r
}

// TestGitHubCannotBeForged checks that every command is ours, whatever the capture
// holds.
func TestGitHubCannotBeForged(t *testing.T) {
	check := func(name string, r *Report) {
		counts := map[string]int{}
		for i, c := range commandsOf(t, r) {
			counts[c.name]++
			if i == 0 && c.name != "group" || counts["group"] != 1 {
				t.Errorf("%s: command %d is %+v", name, i, c)
			}
			switch c.name {
			case "group", "endgroup":
				if len(c.properties) > 0 {
					t.Errorf("%s: %+v", name, c)
				}
			case "error", "warning", "notice":
				if !strings.HasPrefix(c.properties["title"], "telltale: ") || c.data == "" || strings.Contains(c.data, "##[") {
					t.Errorf("%s: %+v", name, c)
				}
				for key, value := range c.properties {
					if key != "file" && key != "line" && key != "title" || value == "" || key == "line" && !regexp.MustCompile(`^[1-9]\d*$`).MatchString(value) {
						t.Errorf("%s: property %s of %+v", name, key, c)
					}
				}
			default:
				t.Errorf("%s: command %q", name, c.name)
			}
		}
		if counts["endgroup"] != 1 {
			t.Errorf("%s: the group ends %d times", name, counts["endgroup"])
		}
		for level, n := range counts {
			if n > githubAnnotations {
				t.Errorf("%s: %d of %s", name, n, level)
			}
		}
	}
	everyCase(check)
	check("forging", forging())
}

func TestGitHubAnnotations(t *testing.T) {
	said := func(r *Report) string {
		var b strings.Builder
		for _, c := range commandsOf(t, r) {
			if c.name != "group" && c.name != "endgroup" {
				first, _, _ := strings.Cut(c.data, "\n")
				fmt.Fprintf(&b, "%s %s:%s [%s] %s\n", c.name, c.properties["file"], c.properties["line"], c.properties["title"], first)
			}
		}
		return b.String()
	}
	windows := onWindows()
	windows.Summary.Violations[0].Finding.Source.File = ""
	for name, test := range map[string]struct {
		r    *Report
		want string
	}{
		"violations": {covidAlert(), "error telltale.yaml:5 [telltale: captive-portal-probe: clients3.google.com] clients3.google.com was contacted 6 times against the policy.\n"},
		"no policy":  {withoutPolicy(), "error covid-alert.har:40 [telltale: captive-portal-probe: clients3.google.com] clients3.google.com was contacted 6 times against the policy.\n"},
		"windows":    {windows, "error D:/a/app/captures/covid alert.har:40 [telltale: captive-portal-probe: clients3.google.com] clients3.google.com was contacted 6 times against the policy.\n"},
		"clean":      {clean(), "notice : [telltale: clean] 3 flows to 2 hosts, none against the policy.\n"},
		"warned":     {warned(), "warning : [telltale: verdict worth little] Nearly empty: 3 flows were recorded, where fewer than 5 say next to nothing about an app.\nwarning : [telltale: verdict worth little] Not the app: no flow carries a User-Agent that the policy names as the app's own (app.user-agent).\nnotice : [telltale: clean] 3 flows to 2 hosts, none against the policy.\n"},
		"damaged":    {damaged(), "error broken.har: [telltale: capture damaged] broken.har could not be read to its end: line 120, column 7, entry 3: expected \"}\", the file ends here\nerror : [telltale: inconclusive] Not everything could be read; what could be read is not against the policy.\n"},
		"baseline":   {besideBaseline(), "error telltale.yaml:5 [telltale: host-not-allowed: crashes.example] crashes.example was contacted once against the policy.\nnotice : [telltale: excused] 2 violations do not count: 1 waived by the policy, 1 known from the baseline baseline.json.\n"},
	} {
		if got := said(test.r); got != test.want {
			t.Errorf("%s:\n%swant:\n%s", name, got, test.want)
		}
	}
}

// TestGitHubLimits checks that nine of a level are used, the most severe first, that
// the tenth is left to the step, and that what is left out is counted.
func TestGitHubLimits(t *testing.T) {
	r := many(5000)
	r.Captures = append(r.Captures, CaptureInfo{File: "broken.har", Error: "cut short"})
	commands := commandsOf(t, r)
	var errors []command
	for _, c := range commands {
		if c.name == "error" {
			errors = append(errors, c)
		}
	}
	if len(errors) != 9 || errors[0].properties["file"] != "broken.har" || errors[8].properties["title"] != "telltale: 4993 more" {
		t.Errorf("%d errors, %+v", len(errors), errors)
	}
	f, _ := ByName("github")
	text := render(t, f, r)
	last := text[strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1:]
	if !strings.HasPrefix(last, "VIOLATIONS: 5000 violations, on 5000 of 5000 hosts. ") || !strings.Contains(last, "4993 were left out") {
		t.Errorf("the last line is %q", last)
	}
	r = &Report{Verdict: Violations, Summary: capture.Summary{Violations: many(9).Summary.Violations}}
	if n := strings.Count(render(t, f, r), "\n::error "); n != 9 || strings.Contains(render(t, f, r), "left out") {
		t.Errorf("%d errors of 9", n)
	}
}

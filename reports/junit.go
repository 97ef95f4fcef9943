package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"telltale/capture"
	"telltale/flow/plain"
	"telltale/policy"
)

// JUnit has no standard. This is the part that Jenkins (the schema junit-10.xsd of
// its xUnit plugin), GitLab and the reporters for GitHub all read: elements and
// attributes that one of them does not know are not written. What Ant's dialect
// orders is in that order.
//
// A recorded flow is judged at once, so that every time is 0.

// Limits. GitLab takes 30 MB a file; what is more is told in one line each.
const (
	junitDetailed = 2_000 // violations that are told in full
	junitListed   = 50    // violations that one rule lists, and excused ones that one host lists
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string           `xml:"name,attr"`
	ID         int              `xml:"id,attr"`
	Tests      int              `xml:"tests,attr"`
	Failures   int              `xml:"failures,attr"`
	Errors     int              `xml:"errors,attr"`
	Skipped    int              `xml:"skipped,attr"`
	Time       string           `xml:"time,attr"`
	Timestamp  string           `xml:"timestamp,attr,omitempty"`
	Properties *junitProperties `xml:"properties"`
	Cases      []junitCase      `xml:"testcase"`
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitOutcome `xml:"skipped"`
	Error   *junitOutcome `xml:"error"`
	Failure *junitOutcome `xml:"failure"`
	Out     *junitText    `xml:"system-out"`
}

type junitOutcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

type junitText struct {
	Text string `xml:",cdata"`
}

// output is what a case says beside its outcome, nil for nothing.
func output(lines ...string) *junitText {
	if text := joined(lines, "\n"); text != "" {
		return &junitText{text}
	}
	return nil
}

const noTime = "0.000"

// junit builds the suites.
type junit struct {
	r      *Report
	byHost map[string][]capture.Violation
	byRule map[policy.Rule][]capture.Violation
	// excused are the violations that do not count, likewise.
	excusedHost map[string][]capture.Violation
	excusedRule map[policy.Rule][]capture.Violation
	told        int // violations that were told in full
}

func writeJUnit(w io.Writer, r *Report) error {
	r = r.indexed()
	j := &junit{
		r: r, byHost: map[string][]capture.Violation{}, byRule: map[policy.Rule][]capture.Violation{},
		excusedHost: map[string][]capture.Violation{}, excusedRule: map[policy.Rule][]capture.Violation{},
	}
	for _, v := range r.Summary.Violations {
		j.byHost[v.Finding.Host] = append(j.byHost[v.Finding.Host], v)
		j.byRule[v.Finding.Rule] = append(j.byRule[v.Finding.Rule], v)
	}
	for _, v := range r.Summary.Waivers {
		j.excusedHost[v.Finding.Host] = append(j.excusedHost[v.Finding.Host], v)
		j.excusedRule[v.Finding.Rule] = append(j.excusedRule[v.Finding.Rule], v)
	}
	doc := junitSuites{Name: "telltale", Time: noTime}
	for i, suite := range []junitSuite{j.captures(), j.hosts(), j.rules()} {
		suite.ID, suite.Time = i, noTime
		if !r.Generated.IsZero() {
			suite.Timestamp = r.Generated.UTC().Format("2006-01-02T15:04:05") // no zone in Ant's schema
		}
		suite.count()
		doc.Tests, doc.Failures, doc.Errors = doc.Tests+suite.Tests, doc.Failures+suite.Failures, doc.Errors+suite.Errors
		doc.Suites = append(doc.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("encode the report as JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// count counts the cases, and numbers those of one name, of which readers drop all
// but the first.
func (s *junitSuite) count() {
	named := map[string]int{}
	for i := range s.Cases {
		c := &s.Cases[i]
		c.Class, c.Time = "telltale."+s.Name, noTime
		if named[c.Name]++; named[c.Name] > 1 {
			c.Name += fmt.Sprintf(" (%d)", named[c.Name])
		}
		s.Tests++
		switch {
		case c.Error != nil:
			s.Errors++
		case c.Failure != nil:
			s.Failures++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
}

// captures has a case for each input, which is an error when it is damaged, and one
// for what the verdict is worth.
func (j *junit) captures() junitSuite {
	r := j.r
	suite := junitSuite{Name: "captures", Properties: j.properties()}
	for _, c := range r.Captures {
		out := plural(c.Entries, "entry", "entries") + " read"
		if c.Producer != "" {
			out += ", written by " + plain.Text(r.clipped(c.Producer, maxText))
		}
		test := junitCase{Name: captureName(r, c.File, onTerminal), Out: output(out)}
		if c.Error != "" {
			test.Error = &junitOutcome{"damaged", "damaged or cannot be read: " + whyDamaged(r, c, onTerminal), "What could be read of it was judged."}
		}
		suite.Cases = append(suite.Cases, test)
	}
	verdict := junitCase{Name: "verdict", Out: output(append([]string{r.titled(onTerminal) + ": " + headline(r, onTerminal)}, append(worth(r, onTerminal), r.followedBriefly(onTerminal)...)...)...)}
	said := warnings(r, onTerminal)
	switch {
	case r.inconclusive():
		verdict.Error = &junitOutcome{Inconclusive, headline(r, onTerminal), strings.Join(append(said, next(r)...), "\n")}
	case len(said) > 0:
		verdict.Skipped = &junitOutcome{Message: "the verdict is worth little: " + strings.Join(said, " ")}
	}
	suite.Cases = append(suite.Cases, verdict)
	return suite
}

// properties say what judged.
func (j *junit) properties() *junitProperties {
	r := j.r
	p := &junitProperties{}
	add := func(name, value string) {
		if value != "" {
			p.List = append(p.List, junitProperty{name, value})
		}
	}
	add("tool", plain.Text(strings.TrimSpace(r.Tool.Name+" "+r.Tool.Version)))
	add("verdict", r.Verdict)
	if experimented(r.Summary) {
		add("experiments", r.experimentNames(onTerminal))
	}
	add("policy", policyName(r, onTerminal))
	add("policy.sha256", plain.Text(r.Policy.Digest))
	if b := r.Baseline; b != nil {
		add("baseline", plain.Text(r.clipped(b.File, maxText)))
		add("baseline.violations", strconv.Itoa(b.Violations))
	}
	for _, n := range []struct {
		name  string
		count int
	}{{"flows", r.Summary.Flows}, {"hosts", len(r.Summary.Hosts)}, {"violations", len(r.Summary.Violations)}, {"excused", len(r.Summary.Waivers)}} {
		add(n.name, strconv.Itoa(n.count))
	}
	return p
}

// hosts has a case for each host that was contacted, which fails when a violation
// names it. A violation may name a host that was not contacted, as with names that
// do not match: it has a case too.
func (j *junit) hosts() junitSuite {
	suite := junitSuite{Name: "hosts"}
	have := map[string]bool{}
	for _, h := range heaviestFirst(j.r.Summary.Hosts) {
		have[h.Name] = true
		suite.Cases = append(suite.Cases, j.host(h))
	}
	for _, v := range j.r.Summary.Violations {
		if host := v.Finding.Host; !have[host] {
			have[host] = true
			suite.Cases = append(suite.Cases, j.host(capture.Host{Name: host, Verdict: policy.Violation}))
		}
	}
	return suite
}

func (j *junit) host(h capture.Host) junitCase {
	r := j.r
	test := junitCase{Name: plain.Text(r.clipped(h.Name, maxText))}
	var out []string
	if h.Flows > 0 {
		traffic := fmt.Sprintf("%s, %s sent, %s received", plural(h.Flows, "flow", "flows"), size(h.BytesSent), size(h.BytesReceived))
		if h.Unread > 0 {
			traffic += fmt.Sprintf("; %d could not be read", h.Unread)
		}
		out = append(out, traffic, "verdict: "+string(h.Verdict))
	}
	if by := decided(r, h.Source, onTerminal); by != "" {
		out = append(out, "decided by: "+by)
	}
	violations, excused := j.byHost[h.Name], j.excusedHost[h.Name]
	switch {
	case len(violations) > 0:
		test.Failure = j.failure(violations)
	case h.Verdict == policy.Violation:
		test.Failure = &junitOutcome{string(h.Rule), "contacted against the policy", ""}
	case len(excused) > 0 || h.Verdict == policy.Waived:
		test.Skipped = &junitOutcome{Message: "does not count"}
		if len(excused) > 0 {
			test.Skipped.Message += ": " + j.excuse(excused[0])
		}
	}
	test.Out = output(append(out, j.excuses(excused, "")...)...)
	return test
}

// excuse says why a violation does not count.
func (j *junit) excuse(v capture.Violation) string {
	if v.Finding.Known {
		return "known from " + baselineName(j.r, onTerminal)
	}
	return "waived by " + decided(j.r, v.Finding.Source, onTerminal)
}

// excuses lists what does not count, and where there is more of it.
func (j *junit) excuses(excused []capture.Violation, more string) []string {
	var out []string
	for i, v := range excused {
		if i == junitListed {
			return append(out, fmt.Sprintf("… and %d more that do not count", len(excused)-i)+more)
		}
		out = append(out, j.line(v)+", "+j.excuse(v))
	}
	return out
}

// line is a violation in one line.
func (j *junit) line(v capture.Violation) string {
	return fmt.Sprintf("%s (%s)", about(j.r, v, onTerminal), plain.Text(string(v.Finding.Rule)))
}

// failure tells the violations of one host.
func (j *junit) failure(violations []capture.Violation) *junitOutcome {
	first := violations[0]
	out := &junitOutcome{Type: plain.Text(string(first.Finding.Rule)), Message: about(j.r, first, onTerminal)}
	if n := len(violations) - 1; n > 0 {
		out.Message += fmt.Sprintf(", and %s", plural(n, "more violation", "more violations"))
	}
	var parts []string
	for _, v := range violations {
		if j.told == junitDetailed {
			parts = append(parts, j.line(v))
			continue
		}
		j.told++
		parts = append(parts, told(j.r, v))
	}
	out.Text = strings.Join(parts, "\n\n")
	return out
}

// told is a violation in full, as plain text.
func told(r *Report, v capture.Violation) string {
	f := v.Finding
	var b strings.Builder
	field := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", label, text)
		}
	}
	field("what", what(r, f, onTerminal))
	field("rule", plain.Text(string(f.Rule)))
	field("request", request(r, v, onTerminal))
	field("user-agent", plain.Text(r.clipped(v.App, maxText)))
	field("seen", seen(v))
	field("phase", phasesOf(r, v, quoted))
	field("where", place(r, v, onTerminal))
	for _, k := range known(r, v, onTerminal) {
		field(strings.ToLower(k.Label), k.Text)
	}
	field("decided by", decided(r, f.Source, onTerminal))
	field("why", strings.Join(plain.Lines(r.clipped(f.Message, maxProse)), "\n"))
	field("remedy", strings.Join(plain.Lines(r.clipped(f.Remedy, maxProse)), "\n"))
	return strings.TrimSuffix(b.String(), "\n")
}

// rules has a case for each check, which fails when it has a violation.
func (j *junit) rules() junitSuite {
	suite := junitSuite{Name: "rules"}
	have := map[policy.Rule]bool{}
	add := func(c Check) {
		if !have[c.Rule] {
			have[c.Rule] = true
			suite.Cases = append(suite.Cases, j.rule(c))
		}
	}
	for _, c := range j.r.checks() {
		add(c)
	}
	for _, v := range j.r.Summary.Violations {
		add(checkOf(v.Finding.Rule, v.Finding.Severity))
	}
	return suite
}

func (j *junit) rule(c Check) junitCase {
	out := []string{onTerminal.prose(clip(c.Title, maxText))}
	out = append(out, j.excuses(j.excusedRule[c.Rule], "; the suite of hosts has more")...)
	test := junitCase{Name: plain.Text(string(c.Rule)), Out: output(out...)}
	violations := j.byRule[c.Rule]
	if len(violations) == 0 {
		return test
	}
	var lines []string
	for i, v := range violations {
		if i == junitListed {
			lines = append(lines, fmt.Sprintf("… and %d more; the suite of hosts has all", len(violations)-i))
			break
		}
		lines = append(lines, about(j.r, v, onTerminal))
	}
	test.Failure = &junitOutcome{test.Name, plural(len(violations), "violation", "violations"), strings.Join(lines, "\n")}
	return test
}

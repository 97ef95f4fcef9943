package reports

import (
	"fmt"
	"io"
	"strings"

	"telltale/capture"
	"telltale/flow/plain"
	"telltale/policy"
)

// Limits of the terminal's verdict: what is more is counted, and stands in full
// in the JSON.
const (
	textViolations = 20
	textHosts      = 30
	textNotes      = 20
	textDevices    = 15
)

// Columns of the terminal: what is narrower cannot hold a host, what is wider is
// hard to read.
const (
	defaultWidth = 80
	minWidth     = 40
	maxWidth     = 100
)

// SGR sequences (ECMA-48, 8.3.117). They carry no meaning that the words lack.
const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "1;32"
	yellow = "1;33"
)

// screen builds the text. Whatever is added was made visible before.
type screen struct {
	strings.Builder
	width int
	color bool
}

func writeText(w io.Writer, r *Report) error {
	r = r.indexed()
	s := &screen{width: defaultWidth, color: r.Color}
	if r.Width > 0 {
		s.width = min(max(r.Width, minWidth), maxWidth)
	}
	explained := explain(r.shownDiagnoses())
	s.verdict(r)
	s.about(r)
	for i, v := range r.Summary.Violations {
		if i == textViolations {
			s.more(len(r.Summary.Violations)-i, "violations")
			break
		}
		s.violation(r, i+1, v, explained.of(r, v, onTerminal))
	}
	s.chapters(r.followedInShort())
	s.origins(r)
	s.chapters(r.sent(onTerminal)...)
	s.excused(r)
	s.hosts(r)
	s.chapters(r.owners(onTerminal))
	s.chapters(r.beside(onTerminal)...)
	s.devices(r)
	s.list("What this verdict is worth", worthBeside(r, onTerminal))
	s.list(coverageHeading, claims(r, onTerminal))
	s.diagnoses(r)
	s.list("What to do next", next(r))
	if warning := credentialWarning(r, onTerminal); warning != "" {
		s.list("Before you share this", []string{warning})
	}
	if r.Verdict != Violations {
		s.checks(r)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// verdict writes the first line: the one word, and what it means.
func (s *screen) verdict(r *Report) {
	color := map[string]string{Clean: green, Violations: red}[r.Verdict]
	if color == "" {
		color = yellow
	}
	word := strings.ToUpper(title(r.Verdict))
	if beside := r.besideVerdict(onTerminal); beside != "" {
		lines := Wrap(word+beside, s.width)
		lines[0] = s.paint(color, word) + strings.TrimPrefix(lines[0], word)
		s.labelled(0, 0, "", 0, lines)
		s.labelled(0, 0, "", 0, Wrap(headline(r, onTerminal)+".", s.width))
	} else {
		s.labelled(0, len(word)+2, s.paint(color, word), len(word), Wrap(headline(r, onTerminal), s.width-len(word)-2))
	}
	for i, warning := range warnings(r, onTerminal) {
		if i == textNotes {
			s.more(len(r.Warnings)-i, "warnings")
			break
		}
		const word = "WARNING"
		s.labelled(0, len(word)+2, s.paint(yellow, word), len(word), Wrap(warning, s.width-len(word)-2))
	}
}

// about writes what was judged by what.
func (s *screen) about(r *Report) {
	s.WriteByte('\n')
	s.field(0, "policy", policyName(r, onTerminal))
	if b := r.Baseline; b != nil {
		s.field(0, "baseline", fmt.Sprintf("%s, %s", plain.Text(r.clipped(b.File, maxText)), plural(b.Violations, "violation", "violations")))
	}
	sum := r.Summary
	text := fmt.Sprintf("%s to %s", plural(sum.Flows, "flow", "flows"), plural(len(sum.Hosts), "host", "hosts"))
	if !sum.First.IsZero() {
		text += ", " + period(sum.First, sum.Last)
	}
	s.field(0, "seen", text)
	s.phases(r)
	for i, c := range r.Captures {
		if i == textNotes {
			s.more(len(r.Captures)-i, "captures")
			break
		}
		line := fmt.Sprintf("%s, %s", captureName(r, c.File, onTerminal), plural(c.Entries, "entry", "entries"))
		if c.Producer != "" {
			line += ", by " + plain.Text(r.clipped(c.Producer, maxText))
		}
		if c.Error != "" {
			line += ", damaged"
		}
		s.field(0, "capture", line)
	}
}

// violation writes one violation with its evidence and its remedy. Why is where these are
// a diagnosis and its steps, "" where they are not.
func (s *screen) violation(r *Report, number int, v capture.Violation, why string) {
	f := v.Finding
	s.WriteByte('\n')
	label := fmt.Sprintf("%d. ", number)
	title := fmt.Sprintf("%s: %s", plain.Text(r.clipped(f.Host, maxHost)), plain.Text(string(f.Rule)))
	s.labelled(0, len(label), label, len(label), s.strong(Wrap(title, s.width-len(label))))
	s.field(3, "what", onTerminal.prose(r.mask(f.Title)))
	s.field(3, "request", request(r, v, onTerminal))
	s.field(3, "user-agent", plain.Text(r.clipped(v.App, maxText)))
	s.field(3, "app", senders(r, v, onTerminal))
	s.field(3, "destination", addresses(r, v, onTerminal))
	for _, k := range known(r, v, onTerminal) {
		s.field(3, strings.ToLower(k.Label), k.Text)
	}
	s.field(3, "devices", devicesOf(r, v, onTerminal))
	s.field(3, "seen", seen(v))
	s.field(3, "phase", phasesOf(r, v, quoted))
	s.field(3, "where", place(r, v, onTerminal))
	if why != "" {
		s.field(3, "why", why)
		s.field(3, "remedy", explainedRemedy)
	} else {
		s.program("why", r.clipped(f.Message, maxProse))
		s.program("remedy", r.clipped(f.Remedy, maxProse))
	}
	s.field(3, "decided by", decided(r, f.Source, onTerminal))
}

// excused writes what did not count, one line each.
func (s *screen) excused(r *Report) {
	waived, known := excused(r)
	items := func(violations []capture.Violation) []string {
		items := make([]string, 0, len(violations))
		for _, v := range violations {
			item := fmt.Sprintf("%s: %s, %s", plain.Text(r.clipped(v.Finding.Host, maxHost)), v.Finding.Rule, times(v.Count))
			if by := decided(r, v.Finding.Source, onTerminal); by != "" {
				item += " (" + by + ")"
			}
			items = append(items, item+saidBeside(r, v, onTerminal))
		}
		return items
	}
	s.list("Waived by the policy", items(waived))
	s.list("Known from "+baselineName(r, onTerminal), items(known))
}

// hosts writes the table of hosts, the heaviest verdict first.
func (s *screen) hosts(r *Report) {
	if len(r.Summary.Hosts) == 0 {
		return
	}
	s.heading("Hosts")
	const layout = "%-9s %5s %7s %8s  "
	s.WriteString(s.paint(dim, fmt.Sprintf(layout, "verdict", "flows", "sent", "received")+"host") + "\n")
	for i, h := range heaviestFirst(r.Summary.Hosts) {
		if i == textHosts {
			s.more(len(r.Summary.Hosts)-i, "hosts")
			return
		}
		left := fmt.Sprintf(layout, h.Verdict, fmt.Sprint(h.Flows), size(h.BytesSent), size(h.BytesReceived))
		name := plain.Text(r.clipped(h.Name, maxHost))
		name += besideHost(h)
		if noise := noiseWords(h.Name); noise != "" {
			name += " (" + noise + ")"
		}
		label := left
		if h.Verdict == policy.Violation {
			label = s.paint(red, left)
		}
		s.labelled(0, cells(left), label, cells(left), Wrap(name, s.width-cells(left)))
	}
}

// devices writes a line for each device, where they have to be told apart.
func (s *screen) devices(r *Report) {
	if !r.listsDevices() {
		return
	}
	s.heading("Devices")
	layout := "%-12s %5s %5s  "
	if experimented(r.Summary) {
		layout = fmt.Sprintf("%%-%ds %%5s %%5s  ", cells(Clean+besideDevice))
	}
	s.WriteString(s.paint(dim, fmt.Sprintf(layout, "verdict", "flows", "hosts")+"device") + "\n")
	for i, d := range r.Summary.Health.Devices {
		if i == textDevices {
			s.more(len(r.Summary.Health.Devices)-i, "devices")
			return
		}
		left := fmt.Sprintf(layout, r.deviceVerdictInWords(d), fmt.Sprint(d.Flows), fmt.Sprint(d.Hosts))
		label := left
		if d.Violating > 0 {
			label = s.paint(red, left)
		}
		s.labelled(0, cells(left), label, cells(left), Wrap(aboutDevice(r, d, onTerminal), s.width-cells(left)))
	}
}

// diagnoses writes why connections could not be read, the most important first.
func (s *screen) diagnoses(r *Report) {
	all := r.diagnoses()
	if len(all) == 0 {
		return
	}
	s.heading(unreadHeading)
	for i, d := range all {
		if i == maxDiagnoses {
			s.more(len(all)-i, "diagnoses")
			return
		}
		if i > 0 {
			s.WriteByte('\n')
		}
		s.diagnosis(r, i+1, d, findings(r, d, onTerminal))
	}
}

// diagnosis writes one, with these of its facts.
func (s *screen) diagnosis(r *Report, number int, d diagnosed, facts []fact) {
	label := fmt.Sprintf("%d. ", number)
	s.labelled(0, len(label), label, len(label), s.strong(Wrap(found(r, d, onTerminal), s.width-len(label))))
	for _, f := range facts {
		s.field(3, strings.ToLower(f.Label), f.Text)
	}
	for i, text := range evidenceOf(r, d.Diagnosis, onTerminal) {
		s.item(3, "evidence", i, "-", text)
	}
	for i, text := range stepsOf(r, d.Diagnosis, onTerminal) {
		s.item(3, "what to do", i, fmt.Sprintf("%d.", i+1), text)
	}
}

// item writes one of several texts beside a label, which the first of them has.
func (s *screen) item(indent int, label string, i int, mark, text string) {
	if i > 0 {
		label = ""
	}
	lines := Wrap(text, s.width-indent-labelWidth-len(mark)-1)
	for n, line := range lines {
		if n == 0 {
			lines[n] = mark + " " + line
		} else {
			lines[n] = strings.Repeat(" ", len(mark)+1) + line
		}
	}
	s.labelled(indent, labelWidth, s.paint(dim, label), len(label), lines)
}

// checks writes what was looked for, which is what makes a clean verdict say
// something.
func (s *screen) checks(r *Report) {
	checks := r.checks()
	items := make([]string, 0, len(checks))
	for _, c := range checks {
		items = append(items, fmt.Sprintf("%s: %s", plain.Text(string(c.Rule)), onTerminal.prose(c.Title)))
	}
	s.list("What was checked", items)
}

// heading starts a section.
func (s *screen) heading(title string) {
	s.WriteByte('\n')
	for _, line := range s.strong(Wrap(title, s.width)) {
		s.WriteString(line + "\n")
	}
}

// list writes a section of items. Without items there is none.
func (s *screen) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	s.heading(title)
	for i, item := range items {
		if i == textNotes {
			s.more(len(items)-i, "lines")
			return
		}
		s.labelled(2, 2, "-", 1, Wrap(item, s.width-4))
	}
}

// more says how much a list left out.
func (s *screen) more(n int, what string) {
	s.WriteString(s.paint(dim, fmt.Sprintf("  … and %d more %s; a .json report has them all", n, what)) + "\n")
}

const labelWidth = 12

// field writes a label and a text beside it. Without a text it writes nothing.
func (s *screen) field(indent int, label, text string) {
	if text == "" {
		return
	}
	s.labelled(indent, labelWidth, s.paint(dim, label), len(label), Wrap(text, s.width-indent-labelWidth))
}

// program is field for prose of several lines, whose indented lines are code
// and keep their shape.
func (s *screen) program(label, text string) {
	var out []string
	for _, line := range plain.Lines(text) {
		if strings.HasPrefix(line, "```") {
			continue
		}
		if trimmed := strings.TrimLeft(line, " "); trimmed != line {
			// Broken code cannot be copied; of an unbounded line, only the length is cut.
			out = append(out, line[:min(len(line)-len(trimmed), 12)]+clip(trimmed, maxText))
			continue
		}
		out = append(out, Wrap(line, s.width-leadsIndent-labelWidth)...)
	}
	if len(out) > 0 {
		s.labelled(leadsIndent, labelWidth, s.paint(dim, label), len(label), out)
	}
}

// labelled writes lines beside a label of which width columns show, the further
// ones below the first.
func (s *screen) labelled(indent, columns int, label string, width int, text []string) {
	margin := strings.Repeat(" ", indent)
	for i, line := range text {
		left := label + strings.Repeat(" ", max(columns-width, 0))
		if i > 0 {
			left = strings.Repeat(" ", columns)
		}
		s.WriteString(strings.TrimRight(margin+left+line, " ") + "\n")
	}
}

func (s *screen) paint(sgr, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (s *screen) strong(text []string) []string {
	for i := range text {
		text[i] = s.paint(bold, text[i])
	}
	return text
}

// Wrap breaks text into lines of at most width columns, between words where
// that is possible. It returns at least one line.
func Wrap(text string, width int) []string {
	width = max(width, 10)
	var out []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := cells(word)
		if used > 0 && used+1+n <= width {
			line, used = line+" "+word, used+1+n
			continue
		}
		if used > 0 {
			out = append(out, line)
		}
		for n > width {
			cut := fitting(word, width)
			out = append(out, word[:cut])
			word = word[cut:]
			n = cells(word)
		}
		line, used = word, n
	}
	return append(out, line)
}

// fitting returns how many bytes of s fit into width columns, whole characters
// with their marks, and at least one.
func fitting(s string, width int) int {
	n := 0
	for i, r := range s {
		n += cellsOf(r)
		if n > width && i > 0 {
			return i
		}
	}
	return len(s)
}

package reports

import (
	"fmt"
	"io"
	"strings"

	"telltale/compare"
	"telltale/flow/plain"
	"telltale/policy"
)

func writeDiffText(w io.Writer, d *Diff) error {
	s := &screen{width: defaultWidth, color: d.Color}
	if d.Width > 0 {
		s.width = min(max(d.Width, minWidth), maxWidth)
	}
	s.diffResult(d)
	for i := range d.Comparison.Violations {
		if i == textViolations {
			s.more(len(d.Comparison.Violations)-i, "violations")
			break
		}
		s.diffViolation(d, i+1, &d.Comparison.Violations[i])
	}
	s.diffHosts(d)
	s.list("What this is worth", sideWorth(d, onTerminal))
	s.list("What to do next", diffNext(d))
	_, err := io.WriteString(w, s.String())
	return err
}

// diffResult writes the first line, and what was compared.
func (s *screen) diffResult(d *Diff) {
	color := yellow
	switch d.Comparison.Result {
	case compare.AllFixed, compare.Clean:
		color = green
	case compare.Worse, compare.Unchanged:
		color = red
	}
	name := diffTitle(d.Comparison.Result)
	word := strings.ToUpper(name) + strings.TrimPrefix(diffTitled(d), name)
	s.labelled(0, len(word)+2, s.paint(color, word), len(word), Wrap(diffHeadline(d, onTerminal), s.width-len(word)-2))
	s.WriteByte('\n')
	s.field(0, "policy", policyName(d.side(d.After), onTerminal))
	s.field(0, "before", sideLine(d, d.Before, onTerminal))
	s.field(0, "after", sideLine(d, d.After, onTerminal))
}

// stateColors are those of the states; an excused violation has none.
var stateColors = map[compare.State]string{
	compare.New: red, compare.StillThere: red, compare.NotExercised: yellow, compare.Fixed: green,
}

// diffViolation writes what became of one violation, and why that is said.
func (s *screen) diffViolation(d *Diff, number int, v *compare.Violation) {
	r, f := d.newest(v), v.Finding()
	s.WriteByte('\n')
	label := fmt.Sprintf("%d. ", number)
	name := fmt.Sprintf("%s: %s", plain.Text(r.clipped(f.Host, maxHost)), plain.Text(string(f.Rule)))
	s.labelled(0, len(label), label, len(label), s.strong(Wrap(name, s.width-len(label))))
	state := stateNames[v.State]
	s.labelled(3, labelWidth, s.paint(dim, "now"), len("now"), []string{s.paint(stateColors[v.State], state)})
	s.field(3, "what", onTerminal.prose(r.clipped(f.Title, maxText)))
	s.field(3, "request", request(r, *v.Newest(), onTerminal))
	s.field(3, "user-agent", plain.Text(r.clipped(v.Newest().App, maxText)))
	s.field(3, "before", occurred(v.Before, v.WaivedBefore, v.TimeBefore))
	s.field(3, "after", occurred(v.After, v.WaivedAfter, v.TimeAfter))
	s.field(3, "phase", phasesOf(r, *v.Newest(), quoted))
	if v.After != nil {
		s.field(3, "where", place(r, *v.After, onTerminal))
		s.field(3, "decided by", decided(r, f.Source, onTerminal))
	}
	against, favour := reasons(d, v, onTerminal)
	s.points(3, "lacking", against)
	s.points(3, "shown", favour)
	if v.State == compare.New {
		s.program("remedy", r.clipped(f.Remedy, maxProse))
	}
}

// points writes a label and a list beside it.
func (s *screen) points(indent int, label string, items []string) {
	var lines []string
	for _, item := range items {
		for i, line := range Wrap(item, s.width-indent-labelWidth-2) {
			lead := "- "
			if i > 0 {
				lead = "  "
			}
			lines = append(lines, lead+line)
		}
	}
	if len(lines) > 0 {
		s.labelled(indent, labelWidth, s.paint(dim, label), len(label), lines)
	}
}

// diffHosts writes the table of hosts: those that came, went and stayed.
func (s *screen) diffHosts(d *Diff) {
	if len(d.Comparison.Hosts) == 0 {
		return
	}
	s.heading("Hosts (flows and verdict)")
	const layout = "%-6s %-12s %-12s "
	s.WriteString(s.paint(dim, fmt.Sprintf(layout, "", "before", "after")+"host") + "\n")
	r := d.side(d.After)
	for i, h := range d.Comparison.Hosts {
		if i == textHosts {
			s.more(len(d.Comparison.Hosts)-i, "hosts")
			return
		}
		left := fmt.Sprintf(layout, h.Change, hostSide(h.Before), hostSide(h.After))
		label := left
		if verdictOf(h.After) == policy.Violation {
			label = s.paint(red, left)
		}
		name := plain.Text(r.clipped(h.Name, maxHost))
		s.labelled(0, cells(left), label, cells(left), Wrap(name, s.width-cells(left)))
	}
}

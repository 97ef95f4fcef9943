package tui

import (
	"slices"

	"telltale/capture/filter"
)

// newHelp is the panel with every key, made of the table of keys.
func newHelp() *pager {
	return &pager{title: "Keys", text: func(m *model, width int) []string { return helpText(&m.theme, width) }}
}

// helpText lists the keys by topic, and the fields of filters beside or below them.
func helpText(t *theme, width int) []string {
	const keys = 76 // columns that the longest line needs
	if width >= 2*keys-10 {
		return columns(append(keyLines(t), markLines(t)...), fieldLines(t), keys)
	}
	return slices.Concat(keyLines(t), markLines(t), []string{""}, fieldLines(t))
}

// markLines say what the marks in front of rows mean.
func markLines(t *theme) []string {
	lines := []string{t.title.Render("Marks")}
	for _, m := range [][2]string{
		{"✗ !", "violation, of the severity error and warning"}, {"✓ · ~", "allowed, ignored, waived"},
		{alteredMark, "altered by an experiment (X): what happens then, not otherwise"},
	} {
		lines = append(lines, "  "+t.key.Render(pad(m[0], 6))+" "+m[1])
	}
	return lines
}

func keyLines(t *theme) (lines []string) {
	for _, topic := range []string{topicLook, topicFind, topicDecide, topicLeave} {
		lines = append(lines, t.title.Render(topic))
		for _, b := range bindings {
			if b.topic == topic && !b.hidden {
				lines = append(lines, "  "+t.key.Render(pad(b.label(), 6))+" "+b.help)
			}
		}
	}
	return lines
}

func fieldLines(t *theme) []string {
	lines := []string{t.title.Render("Fields of an expression")}
	for _, f := range filter.Fields {
		lines = append(lines, "  "+t.name.Render(pad(f.Name, 9))+" "+t.dim.Render(pad(f.Type, 7))+f.Help)
	}
	return lines
}

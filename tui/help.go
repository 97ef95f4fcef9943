package tui

import "telltale/capture/filter"

// newHelp is the panel with every key, made of the table of keys.
func newHelp() *pager {
	return &pager{title: "Keys", text: func(m *model, width int) []string { return helpText(&m.theme, width) }}
}

// helpText lists the keys by topic, and the fields of filters beside or below them.
func helpText(t *theme, width int) []string {
	const keys = 76 // columns that the longest line needs
	if width >= 2*keys-10 {
		return columns(keyLines(t), fieldLines(t), keys)
	}
	return append(append(keyLines(t), ""), fieldLines(t)...)
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

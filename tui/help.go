package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture/filter"
)

// help is the panel with every key, made of the table of keys.
type help struct {
	top    int
	bottom int // the furthest that top may go, as last drawn
}

func (h *help) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	key, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil, false
	}
	by := map[action]int{moveUp: -1, moveDown: 1, pageUp: -m.height / 2, pageDown: m.height / 2, goFirst: -h.top, goLast: h.bottom}
	scroll, ok := by[find(key.String(), inFlows)]
	h.top = max(0, min(h.top+scroll, h.bottom))
	return nil, !ok
}

func (h *help) lines(m *model, width, height int) []string {
	all := h.text(&m.theme, width)
	room := max(1, height-2)
	h.bottom = max(0, len(all)-room)
	top := min(h.top, h.bottom)
	lines := append([]string{ruled(&m.theme, "Keys", width)}, all[top:min(len(all), top+room)]...)
	foot := "any key goes back"
	if h.bottom > 0 {
		foot = "↑ ↓ scroll, " + foot
	}
	return append(lines, m.theme.dim.Render(foot))
}

// text lists the keys by topic, and the fields of filters beside or below them.
func (h *help) text(t *theme, width int) []string {
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

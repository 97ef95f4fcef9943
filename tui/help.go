package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture/filter"
)

// help is the panel with every key, made of the table of keys.
type help struct{ top int }

func newHelp(*model) *help { return &help{} }

func (h *help) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	key, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil, false
	}
	switch find(key.String(), inFlows) {
	case moveUp:
		h.top--
	case moveDown:
		h.top++
	case pageUp:
		h.top -= m.height / 2
	case pageDown:
		h.top += m.height / 2
	default:
		return nil, true
	}
	return nil, false
}

func (h *help) lines(m *model, width, height int) []string {
	all := h.text(&m.theme, width)
	h.top = max(0, min(h.top, len(all)-height+2))
	lines := []string{ruled(&m.theme, "Keys", width)}
	to := min(len(all), h.top+max(1, height-2))
	lines = append(lines, all[h.top:to]...)
	foot := "any key goes back"
	if to < len(all) || h.top > 0 {
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

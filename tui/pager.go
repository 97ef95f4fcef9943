package tui

import tea "github.com/charmbracelet/bubbletea"

// pager is a panel with a text to read, which scrolls. Any other key closes it.
type pager struct {
	title  string
	text   func(m *model, width int) []string
	top    int
	bottom int // the furthest that top may go, as last drawn
}

func (p *pager) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	key, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil, false
	}
	by := map[action]int{moveUp: -1, moveDown: 1, pageUp: -m.height / 2, pageDown: m.height / 2, goFirst: -p.top, goLast: p.bottom}
	scroll, ok := by[find(key.String(), inFlows)]
	p.top = max(0, min(p.top+scroll, p.bottom))
	return nil, !ok
}

func (p *pager) lines(m *model, width, height int) []string {
	all := p.text(m, width)
	room := max(1, height-2)
	p.bottom = max(0, len(all)-room)
	top := min(p.top, p.bottom)
	lines := append([]string{ruled(&m.theme, p.title, width)}, all[top:min(len(all), top+room)]...)
	foot := "any key goes back"
	if p.bottom > 0 {
		foot = "↑ ↓ scroll, " + foot
	}
	return append(lines, m.theme.dim.Render(foot))
}

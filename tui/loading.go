package tui

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// loading shows how far the reading of an existing capture is.
type loading struct {
	done, total int
	progress    chan progressMsg
}

// progressMsg says how far the reading is; loadedMsg that it has ended.
type (
	progressMsg struct{ done, total int }
	loadedMsg   struct{ err error }
)

func newLoading() *loading { return &loading{progress: make(chan progressMsg, 1)} }

// run reads the capture, beside the loop. Progress that nobody has taken yet makes
// way for newer.
func (l *loading) run(ctx context.Context, load func(context.Context, func(done, total int)) error) tea.Cmd {
	return func() tea.Msg {
		defer close(l.progress)
		return loadedMsg{load(ctx, func(done, total int) {
			select {
			case <-l.progress:
			default:
			}
			l.progress <- progressMsg{done, total}
		})}
	}
}

// next waits for progress.
func (l *loading) next() tea.Msg {
	if p, ok := <-l.progress; ok {
		return p
	}
	return nil
}

// takeLoading takes over how far the reading is.
func (m *model) takeLoading(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case progressMsg:
		if m.loading == nil {
			return nil
		}
		m.loading.done, m.loading.total = msg.done, msg.total
		return m.loading.next
	case loadedMsg:
		m.loading = nil
		if msg.err != nil && m.ctx.Err() == nil {
			m.status = status{text: msg.err.Error(), trouble: true}
		}
	}
	return nil // what was read comes as news
}

func (l *loading) draw(m *model, screen int) []string {
	if l.total == 0 {
		return []string{"", "  Reading " + count(l.done) + " flows …"}
	}
	room := max(10, min(50, screen-20))
	full := min(room, room*l.done/l.total)
	bar := strings.Repeat("█", full) + strings.Repeat("░", room-full)
	return []string{"", fmt.Sprintf("  Reading %s of %s", count(l.done), plural(l.total, "flow")), "  " + m.theme.allowed.Render(bar)}
}

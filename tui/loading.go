package tui

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// loading shows how far something is that goes through the whole capture: reading
// one that exists, or judging it again.
type loading struct {
	done, total int
	progress    chan progressMsg
}

// progressMsg says how far the reading is; loadedMsg that it has ended.
type (
	progressMsg struct {
		of          *loading
		done, total int
	}
	loadedMsg struct{ err error }
)

func newLoading() *loading { return &loading{progress: make(chan progressMsg, 1)} }

// run reads the capture, beside the loop.
func (l *loading) run(ctx context.Context, load func(context.Context, func(done, total int)) error) tea.Cmd {
	return func() tea.Msg {
		defer l.end()
		return loadedMsg{load(ctx, l.report)}
	}
}

// report takes progress. What nobody has looked at yet makes way for newer.
func (l *loading) report(done, total int) {
	select {
	case <-l.progress:
	default:
	}
	l.progress <- progressMsg{l, done, total}
}

func (l *loading) end() { close(l.progress) }

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
		msg.of.done, msg.of.total = msg.done, msg.total
		if m.desk.busy && msg.of != m.loading {
			m.status = status{text: "judging every flow again: " + msg.of.text()}
		}
		return msg.of.next
	case loadedMsg:
		m.loading = nil
		if msg.err != nil && m.ctx.Err() == nil {
			m.status = status{text: msg.err.Error(), trouble: true}
			m.unproven = true
		}
		m.search.again() // what it picked depends on verdicts, which there are from now on
		return m.applySearch()
	}
	return nil
}

// text says how far it is.
func (l *loading) text() string {
	if l.total == 0 {
		return plural(l.done, "flow") + " …"
	}
	return fmt.Sprintf("%s of %s", count(l.done), plural(l.total, "flow"))
}

func (l *loading) draw(m *model, screen int) []string {
	if l.total == 0 {
		return []string{"", "  Reading: " + l.text()}
	}
	room := max(10, min(50, screen-20))
	full := min(room, room*l.done/l.total)
	bar := strings.Repeat("█", full) + strings.Repeat("░", room-full)
	return []string{"", "  Reading: " + l.text(), "  " + m.theme.allowed.Render(bar)}
}

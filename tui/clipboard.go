package tui

import (
	"fmt"
	"io"
	"os"

	"github.com/atotto/clipboard"
	"github.com/aymanbagabas/go-osc52/v2"
	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow/plain"
)

// openCopy asks what of the selection is copied.
func (m *model) openCopy() tea.Cmd {
	s, ok := m.selected()
	if !ok || s.host == "" {
		m.status = status{text: "nothing is selected that could be copied"}
		return nil
	}
	answers := []answer{{"h", "host", func(m *model) tea.Cmd { return m.put(s.host) }}}
	if !s.domain {
		for _, c := range m.cfg.Copies {
			answers = append(answers, answer{c.Key, c.Name, func(m *model) tea.Cmd { return m.copyOf(s, c) }})
		}
	}
	m.open(&question{title: "Copy", answers: answers})
	return nil
}

// copyOf writes the selected flow in a form and puts it on the clipboard.
func (m *model) copyOf(s selection, c Copy) tea.Cmd {
	l := loader{m.ctx, m.cfg.Store, nil}
	secrets := m.mask(m.detail != nil && m.detail.revealed)
	return func() tea.Msg {
		id, err := l.start(s)
		if err == nil && id == 0 {
			return statusMsg{"the capture holds no flow of it", true}
		}
		var r *capture.Recorded
		if err == nil {
			r, _, err = l.flow(id)
		}
		if r == nil {
			return statusMsg{"cannot read the flow: " + err.Error(), true}
		}
		text := c.Text(r.Flow, r.Judgement, secrets.values)
		if text == "" {
			return statusMsg{"this flow has no " + c.Name, true}
		}
		return m.put(text)()
	}
}

// put puts a text on the clipboard.
func (m *model) put(text string) tea.Cmd { return m.putAs(plain.Text(cut(text, 200)), text) }

// putAs is put for a text that must not be shown: the screen calls it by a name.
func (m *model) putAs(name, text string) tea.Cmd {
	put := m.cfg.Clipboard
	return func() tea.Msg {
		how, err := put(text)
		if err != nil {
			return statusMsg{"cannot copy: " + err.Error(), true}
		}
		return statusMsg{text: "copied" + how + ": " + name}
	}
}

// clipboardOf returns a function that puts texts on the clipboard: by the system's
// own program, or, over SSH and where there is none, by asking the terminal
// (OSC 52, xterm control sequences; most terminals obey).
func clipboardOf(terminal io.Writer) func(string) (string, error) {
	return func(text string) (string, error) {
		remote := os.Getenv("SSH_TTY") != "" || os.Getenv("SSH_CONNECTION") != ""
		if !remote && !clipboard.Unsupported && clipboard.WriteAll(text) == nil {
			return "", nil
		}
		sequences := []osc52.Sequence{osc52.New(text)}
		switch { // a multiplexer obeys itself, or passes it on, or both, as it was told
		case os.Getenv("TMUX") != "":
			sequences = append(sequences, osc52.New(text).Tmux())
		case os.Getenv("STY") != "":
			sequences = append(sequences, osc52.New(text).Screen())
		}
		for _, sequence := range sequences {
			if _, err := sequence.WriteTo(terminal); err != nil {
				return "", fmt.Errorf("ask the terminal: %w", err)
			}
		}
		return " through the terminal", nil
	}
}

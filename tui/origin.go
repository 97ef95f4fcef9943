package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"telltale/flow/plain"
	"telltale/locate"
	"telltale/policy"
)

// This file shows where in the app a host comes from.

// Limits of what is shown of one host.
const (
	maxLeads  = 5   // in full
	maxTold   = 20  // lines of a list: further leads, what could not be read, what to try
	maxQuoted = 300 // characters of one text of the app
)

// originPanel shows where one host comes from: how far the search is, or what it found.
type originPanel struct {
	host   string
	stop   context.CancelFunc // gives the search up
	at     locate.Progress
	result *locate.Result
	err    error

	progress chan locate.Progress
	ended    chan struct{}

	top, bottom int // of the lines, as in pager
	drawn       []string
	of          originDrawn
}

// originDrawn says what the drawn lines are of.
type originDrawn struct {
	width  int
	result *locate.Result
	err    error
	policy *policy.Policy // by which secrets are hidden
}

// originMsg is what a search found; originProgressMsg says how far one is.
type (
	originMsg struct {
		of     *originPanel
		result *locate.Result
		err    error
	}
	originProgressMsg struct {
		of *originPanel
		at locate.Progress
	}
)

// openOrigin shows where the host that is selected comes from, and searches for it unless it
// was found before.
func (m *model) openOrigin() tea.Cmd {
	s, ok := m.selected()
	switch {
	case m.cfg.Locate == nil:
		m.status = status{text: "where it comes from: give the app with --app APP (APK, IPA, bundle or folder)"}
		return nil
	case !ok || s.host == "":
		m.status = status{text: "nothing is selected that has a host"}
		return nil
	case s.domain:
		m.status = status{text: "choose a host of the domain: one host is looked for at a time"}
		return nil
	}
	p := &originPanel{host: s.host, result: m.origins[s.host], stop: func() {}}
	m.open(p)
	if p.result != nil {
		return nil
	}
	ctx, stop := context.WithCancel(m.ctx)
	p.stop, p.progress, p.ended = stop, make(chan locate.Progress, 1), make(chan struct{})
	return tea.Batch(p.search(ctx, m), p.next)
}

// search looks for the host, beside the loop.
func (p *originPanel) search(ctx context.Context, m *model) tea.Cmd {
	return func() tea.Msg {
		defer close(p.ended)
		defer p.stop()
		msg := originMsg{of: p}
		msg.err = m.awaited(func() (err error) {
			msg.result, err = m.cfg.Locate(ctx, p.host, p.report)
			return err
		})
		return msg
	}
}

// report takes progress, from any goroutine. What nobody has looked at yet makes way for newer.
func (p *originPanel) report(at locate.Progress) {
	select {
	case <-p.progress:
	default:
	}
	select {
	case p.progress <- at:
	default: // another goroutine was faster
	}
}

// next waits for progress.
func (p *originPanel) next() tea.Msg {
	select {
	case at := <-p.progress:
		return originProgressMsg{p, at}
	case <-p.ended:
		return nil
	}
}

// takeOrigin takes over what a search has to say. What it found is kept, whatever is shown by
// now; a search that failed may be tried again.
func (m *model) takeOrigin(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case originProgressMsg:
		msg.of.at = msg.at
		return msg.of.next
	case originMsg:
		if msg.err == nil && msg.result == nil {
			msg.err = errors.New("nothing was searched")
		}
		if msg.of.result, msg.of.err = msg.result, msg.err; msg.err != nil {
			break
		}
		if m.origins == nil {
			m.origins = map[string]*locate.Result{}
		}
		m.origins[msg.of.host] = msg.result
	}
	return nil
}

func (p *originPanel) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	key, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil, false
	}
	by := map[action]int{moveUp: -1, moveDown: 1, pageUp: -m.height / 2, pageDown: m.height / 2, goFirst: -p.top, goLast: p.bottom}
	if scroll, ok := by[find(key.String(), inFlows)]; ok {
		p.top = max(0, min(p.top+scroll, p.bottom))
		return nil, false
	}
	if p.searching() {
		m.status = status{text: "the search was stopped"}
	}
	p.stop()
	return nil, true
}

func (p *originPanel) searching() bool { return p.result == nil && p.err == nil }

func (p *originPanel) lines(m *model, width, height int) []string {
	t := &m.theme
	all := p.text(m, width)
	room := max(1, height-2)
	p.bottom = max(0, len(all)-room)
	top := min(p.top, p.bottom)
	title := "Where " + m.shown(p.host) + " comes from"
	lines := append([]string{ruled(t, cut(title, max(1, width-6)), width)}, all[top:min(len(all), top+room)]...)
	foot := t.dim.Render("any key goes back")
	switch {
	case p.searching():
		foot = t.key.Render("esc") + t.dim.Render(" stops the search")
	case p.bottom > 0:
		foot = sides(t.dim.Render("↑ ↓ scroll, any key goes back"), t.dim.Render(percentText(top, p.bottom)), width)
	}
	return append(lines, foot)
}

// text writes what there is to say. A result is written once for a width.
func (p *originPanel) text(m *model, width int) []string {
	if p.searching() {
		return p.underWay(m, width)
	}
	if now := (originDrawn{width, p.result, p.err, m.desk.policy}); p.drawn == nil || p.of != now {
		out := &paper{theme: &m.theme, width: max(20, width-2), mask: m.mask(false)}
		if p.err != nil {
			out.prose("The app could not be searched: "+plain.Text(p.err.Error())+".", m.theme.warning)
		} else {
			out.origin(p.host, p.result)
		}
		p.drawn, p.of = out.lines, now
	}
	return p.drawn
}

// underWay says how far the search is.
func (p *originPanel) underWay(m *model, width int) []string {
	out := &paper{theme: &m.theme, width: max(20, width-2), mask: m.mask(false)}
	text := "Searching " + m.cfg.App + " …"
	if p.at.Files > 0 {
		text += fmt.Sprintf(" %s, %s", plural(p.at.Files, "file"), locate.Size(p.at.Bytes))
	}
	out.prose(text, m.theme.bar)
	if p.at.File != "" {
		out.lines = append(out.lines, m.theme.dim.Render(cutMiddle(m.shown(p.at.File), out.width)))
	}
	return out.lines
}

// ofApp is how text of the app is shown: what is secret is hidden, and long texts are cut.
// What the paper writes is made harmless by it.
func (p *paper) ofApp() locate.Style {
	quote := func(s string) string {
		if s = p.hidden(s); utf8.RuneCountInString(s) > maxQuoted {
			s = string([]rune(s)[:maxQuoted]) + "…"
		}
		return s
	}
	return locate.Style{Data: quote, Prose: quote}
}

// hidden hides what is secret in a text of the app.
func (p *paper) hidden(s string) string {
	if p.mask.reveals() {
		return s
	}
	return locate.WithoutKeys(p.mask.text(s))
}

// origin writes where a host comes from, in the words that the reports use.
func (p *paper) origin(host string, res *locate.Result) {
	st := p.ofApp()
	leads := res.Of(host)
	told := 0
	var above, further []string
	origins := map[string]bool{} // that were told
	for i := range leads {
		l := &leads[i]
		switch {
		case l.Form == locate.Parent:
			above = append(above, fmt.Sprintf("%s is there: %s", st.Data(l.Text), l.Where(st)))
		case told < maxLeads:
			key := l.OriginKey()
			p.lead(l, origins[key], st)
			origins[key] = key != ""
			told++
		default:
			further = append(further, l.Briefly(st))
		}
	}
	if told == 0 {
		p.prose("Not found in what could be read of "+plain.Text(res.Names(st))+".", p.theme.warning)
	}
	p.told("Also in", further)
	p.told("Its name may be built from a domain above it", above)
	p.told("What could not be read", res.Hidden(st))
	if told == 0 {
		p.told("What to try", res.Advice())
		p.told("Where it was looked", append([]string{res.Searched()}, res.Read(st)...))
	}
	p.blank()
	p.prose(locate.MentionNote, p.theme.dim)
}

// told writes a section of at most maxTold sentences.
func (p *paper) told(title string, texts []string) {
	if more := len(texts) - maxTold; more > 0 {
		texts = append(texts[:maxTold:maxTold], count(more)+" more")
	}
	shown := make([]string, len(texts))
	for i, text := range texts {
		shown[i] = plain.Text(text) // a name of a file may have several lines
	}
	p.section(title, shown)
}

// lead writes one lead: where, what stands there, whose it is, and what to do. Again says that
// the same origin was told above.
func (p *paper) lead(l *locate.Lead, again bool, st locate.Style) {
	p.blank()
	p.prose(plain.Text(l.Where(st)), p.theme.title)
	p.snippet(l.Snippet.Masked(p.hidden))
	facts := l.Facts(st)
	if !again {
		facts = append(facts, l.Grounds(st)...)
	}
	for _, f := range facts {
		p.fact(strings.ToLower(f.Label), f.Text)
	}
	if remedy := l.Remedy(); remedy != "" && !again {
		p.lines = append(p.lines, p.theme.name.Render("remedy"))
		p.indented(p.hidden(remedy))
	}
	if l.Origin != nil && !again {
		p.fact("docs", st.Data(l.Origin.Docs))
	}
}

// indented writes prose of several lines below its label. Lines of a program keep their shape.
func (p *paper) indented(text string) {
	for _, line := range plain.Lines(text) {
		program := strings.HasPrefix(line, "    ")
		if program {
			p.lines = append(p.lines, "  "+cut(line, p.width-2))
			continue
		}
		for _, part := range wrap(line, p.width-2) {
			p.lines = append(p.lines, "  "+part)
		}
	}
}

// snippet writes what stands around a match in one line, and marks the match: without colours
// by a line below.
func (p *paper) snippet(s locate.Snippet) {
	s = locate.Snippet{Before: plain.Text(s.Before), Match: plain.Text(s.Match), After: plain.Text(s.After)}
	s = s.Fit(p.width-2, func(r rune) int { return ansi.StringWidth(string(r)) })
	if s == (locate.Snippet{}) {
		return
	}
	p.lines = append(p.lines, "  "+p.theme.dim.Render(s.Before)+p.theme.title.Underline(p.theme.colours).Render(s.Match)+p.theme.dim.Render(s.After))
	if !p.theme.colours && s.Match != "" {
		p.lines = append(p.lines, "  "+strings.Repeat(" ", width(s.Before))+strings.Repeat("^", max(1, width(s.Match))))
	}
}

package tui

import (
	"fmt"
	"net/netip"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/policy"
)

// do carries out an action where the person is.
func (m *model) do(a action) tea.Cmd {
	if cmd, done := m.move(a); done {
		return cmd
	}
	switch a {
	case showConnect:
		return m.show(inConnect)
	case showViolations:
		return m.show(inViolations)
	case showHosts:
		return m.show(inHosts)
	case showFlows:
		return m.show(inFlows)
	case showDevices:
		return m.show(inDevices)
	case showDiagnosis:
		return m.showDiagnosis()
	case nextView:
		return m.show(m.beside(1))
	case previousView:
		return m.show(m.beside(-1))
	case nextPlace:
		m.connect.next(m)
		return m.fetchTunnel("")
	case otherWay:
		m.connect.otherWay(m)
	case nextPeer:
		m.connect.nextPeer(m)
	case showCoverage:
		m.openCoverage()
	case showSent:
		m.openSent()
	case showTold:
		m.openTold()
	case showOrigin:
		return m.openOrigin()
	case hideQuestions:
		return m.search.hideQuestions(m)
	case sortHosts:
		m.hosts.order = (m.hosts.order + 1) % len(hostOrders)
		m.status = status{text: "hosts by " + hostOrders[m.hosts.order].name}
		m.hosts.rearrange(m)
	case groupHosts:
		m.hosts.grouped = !m.hosts.grouped
		m.hosts.rearrange(m)
	case showFilter:
		return m.openFilter()
	case toggleFilter:
		return m.search.toggle(m)
	case onlyThis:
		return m.onlyThis()
	case onlyDevice:
		return m.onlyDevice()
	case openDetail, goBack, nextTab, previousTab, nextFlow, previousFlow, revealSecrets:
		return m.doDetail(a)
	}
	return m.doDesk(a)
}

// doDetail opens, turns and closes the detail of a flow.
func (m *model) doDetail(a action) tea.Cmd {
	switch a {
	case openDetail:
		return m.openDetail()
	case goBack:
		return m.back()
	case nextTab:
		return m.detail.turn(m, 1)
	case previousTab:
		return m.detail.turn(m, -1)
	case nextFlow:
		return m.step(1)
	case previousFlow:
		return m.step(-1)
	case revealSecrets:
		return m.detail.reveal(m)
	}
	return nil
}

// step goes to the next flow or device, or to the one before.
func (m *model) step(by int) tea.Cmd {
	if m.page != nil {
		m.page.step(m, by)
		return nil
	}
	return m.detail.step(m, by)
}

// doDesk decides, marks, writes and leaves.
func (m *model) doDesk(a action) tea.Cmd {
	switch a {
	case allowIt:
		return m.decide(policy.ChangeAllow)
	case ignoreIt:
		return m.decide(policy.ChangeIgnore)
	case waiveIt:
		return m.decide(policy.ChangeWaive)
	case acknowledgeIt:
		return m.acknowledge()
	case refuseIt:
		return m.refuse()
	case showLab:
		m.openLab()
	case undoDecision:
		return m.desk.undo(m)
	case writePolicy:
		return m.openWrite()
	case addPeer:
		return m.openAdd()
	case copyConfig:
		return m.copyConfig()
	case nameDevice:
		return m.openName()
	case markPhase:
		return m.openPhase()
	case exportReport:
		return m.openExport()
	case copyIt:
		return m.openCopy()
	case showHelp:
		m.open(newHelp())
	case quit:
		return m.leave()
	}
	return nil
}

// move carries out what moves a cursor or what is read.
func (m *model) move(a action) (cmd tea.Cmd, done bool) {
	page := max(1, m.split().body-2)
	by, known := map[action]int{moveUp: -1, moveDown: 1, pageUp: -page, pageDown: page}[a]
	switch {
	case known && m.detail != nil:
		m.detail.scroll(by)
	case known && m.page != nil:
		m.page.scroll(by)
	case known && m.view == inFlows:
		return m.flows.move(m, by), true
	case known && m.view == inConnect:
		m.connect.scroll(by)
	case known:
		m.list().move(by)
	case a == follow:
		return m.flows.toggleFollow(m), true
	case a == goFirst || a == goLast:
		return m.jump(a == goLast), true
	default:
		return nil, false
	}
	return nil, true
}

func (m *model) jump(last bool) tea.Cmd {
	by, to := -1<<30, oldest
	if last {
		by, to = -by, newest
	}
	switch {
	case m.detail != nil:
		m.detail.scroll(by)
	case m.page != nil:
		m.page.scroll(by)
	case m.view == inFlows:
		return m.flows.jump(m, to)
	case m.view == inConnect:
		m.connect.scroll(by)
	case last:
		m.list().move(by)
	default:
		m.list().first()
	}
	return nil
}

// list returns the list of a view that has one.
func (m *model) list() *list {
	switch m.view {
	case inHosts:
		return &m.hosts.list
	case inDevices:
		return &m.devices.list
	}
	return &m.violations.list
}

// beside returns the view beside the one that is shown.
func (m *model) beside(by int) scope {
	tabs, _ := m.tabRow()
	for i, tab := range tabs {
		if tab.view == m.view {
			return tabs[(i+by+len(tabs))%len(tabs)].view
		}
	}
	return m.view
}

// back closes what is open, drops the filter or shows every device again.
func (m *model) back() tea.Cmd {
	switch {
	case m.detail != nil:
		m.detail = nil
		m.layout()
		return m.refresh()
	case m.page != nil:
		m.page = nil
		m.layout()
	case m.search.filter != nil:
		return m.search.set(m, m.search.before(m.search.typed))
	case m.search.only.IsValid():
		return m.search.restrict(m, netip.Addr{})
	case m.search.quiet:
		return m.search.hideQuestions(m)
	}
	return nil
}

// onlyThis lists the flows of the host, violation or device that is selected.
func (m *model) onlyThis() tea.Cmd {
	if m.scope()&onDevices != 0 {
		return m.flowsOfDevice()
	}
	s, ok := m.selected()
	if !ok || s.host == "" {
		return nil
	}
	text := fmt.Sprintf("host == %q", s.host)
	switch {
	case s.domain:
		text = fmt.Sprintf("host == %q or host endsWith %q", s.host, "."+s.host)
	case s.violation != nil:
		text += fmt.Sprintf(" and rule == %q", s.violation.Finding.Rule)
	}
	if m.search.typed != text {
		m.search.former, m.search.narrowed = m.search.typed, text
	}
	return tea.Batch(m.search.set(m, text), m.show(inFlows))
}

// mouse takes the wheel, and clicks on tabs and rows. A click on the selected row
// opens it.
func (m *model) mouse(msg tea.MouseMsg) tea.Cmd {
	switch {
	case msg.Button == tea.MouseButtonWheelUp:
		return m.wheel(-3)
	case msg.Button == tea.MouseButtonWheelDown:
		return m.wheel(3)
	case msg.Action != tea.MouseActionPress || msg.Button != tea.MouseButtonLeft:
		return nil
	}
	a := m.split()
	switch row := msg.Y - a.head - 1; {
	case msg.Y == a.head-1:
		if view := m.tabAt(msg.X); view != 0 {
			return m.show(view)
		}
	case m.detail != nil:
		if msg.Y == a.head+1 {
			return m.detail.click(m, msg.X)
		}
	case m.page != nil: // nothing on it can be opened
	case row >= 0 && row < a.body-1:
		return m.click(row)
	}
	return nil
}

func (m *model) wheel(by int) tea.Cmd {
	switch {
	case m.detail != nil:
		m.detail.scroll(by)
	case m.page != nil:
		m.page.scroll(by)
	case m.view == inFlows:
		return m.flows.scroll(m, by)
	case m.view == inConnect:
		m.connect.scroll(by)
	default:
		m.list().scroll(by)
	}
	return nil
}

// click selects the row on a line of the table, and opens it when it was selected.
func (m *model) click(line int) tea.Cmd {
	if m.view == inConnect {
		return nil
	}
	if m.view == inFlows {
		by := m.flows.top + line - m.flows.cursor
		switch {
		case m.flows.top+line >= len(m.flows.rows):
			return nil
		case by == 0:
			return m.openDetail()
		}
		return m.flows.move(m, by)
	}
	l := m.list()
	switch by := l.top + line - l.cursor; {
	case l.top+line >= len(l.keys):
		return nil
	case by == 0:
		return m.openDetail()
	default:
		l.move(by)
	}
	return nil
}

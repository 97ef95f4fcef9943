package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow"
	"telltale/locate"
)

// model is the whole program. Each part keeps its own state and draws itself;
// the model routes messages and puts the lines together.
type model struct {
	ctx   context.Context
	cfg   Config
	theme theme
	feed  *feed

	width, height int
	news          newsMsg
	rate          rate
	view          scope // the view that is shown: one of inConnect, inLists
	loading       *loading
	unproven      bool                      // not all of the capture could be read
	names         map[string]string         // of the devices that have one, masked, by address
	origins       map[string]*locate.Result // where hosts come from in the app
	gaps          gaps                      // in the books of the ways in
	trouble       trouble                   // the diagnosis that matters most
	lab           inForce                   // the experiments that there are
	switching     bool                      // one of them is being switched
	outputShown   string                    // the line of a program on the bottom line
	running       sync.RWMutex              // held for reading by what is awaited at the end

	connect    connectView
	violations violationsView
	hosts      hostsView
	devices    devicesView
	flows      flowsView
	search     search
	detail     *detail     // open over the view; nil: closed
	page       *devicePage // likewise, over the devices
	panel      panel       // open below; nil: none
	desk       desk
	status     status
	leaving    bool // the program ends when the policy is written
}

// A panel takes the keys while it is open and stands below the view: a form, a
// question, the list of keys.
type panel interface {
	// update handles a message. done closes the panel.
	update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool)
	// lines draws the panel, at most height lines.
	lines(m *model, width, height int) []string
}

// status is the sentence on the bottom line, until the next key.
type status struct {
	text    string
	trouble bool
}

func newModel(ctx context.Context, cfg Config, t theme) *model {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &model{ctx: ctx, cfg: cfg, theme: t, width: 80, height: 24, view: inViolations}
	if cfg.Connect != nil {
		m.view = inConnect
	}
	m.feed = newFeed(ctx, &m.cfg)
	m.desk = newDesk(cfg.Policy)
	if m.flows.follow = cfg.Live; !cfg.Live {
		m.flows.wanted = oldest
	}
	m.layout() // not every terminal says its size
	return m
}

// end stops what runs beside the loop, and waits for what must not be cut off.
func (m *model) end(cancel func()) {
	cancel()
	m.feed.close()
	m.running.Lock()
	defer m.running.Unlock()
}

// awaited runs what the end waits for, beside the loop: what reads or changes the
// store's verdict, or writes files. After the end it runs nothing.
func (m *model) awaited(run func() error) error {
	m.running.RLock()
	defer m.running.RUnlock()
	if err := m.ctx.Err(); err != nil {
		return err
	}
	return run()
}

// load reads the capture that exists already.
func (m *model) load(ctx context.Context, progress func(done, total int)) error {
	return m.awaited(func() error { return m.cfg.Load(ctx, progress) })
}

// Init starts what runs beside the loop.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.feed.first}
	if m.cfg.Load != nil {
		m.loading = newLoading()
		cmds = append(cmds, m.loading.run(m.ctx, m.load), m.loading.next)
	}
	return tea.Batch(cmds...)
}

// Update takes over one message. It never blocks.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.take(msg)
	m.layout() // what is said at the bottom may need more lines, or less
	return m, cmd
}

func (m *model) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(1, msg.Width), max(1, msg.Height)
		m.layout()
		m.page.write(m)
		if m.detail != nil {
			return tea.Batch(m.refresh(), m.detail.write(m))
		}
		return m.refresh()
	case newsMsg:
		return tea.Batch(m.takeNews(msg), m.feed.next)
	case progressMsg, loadedMsg:
		return m.takeLoading(msg)
	case flowsMsg:
		return m.flows.take(m, msg)
	case searchMsg:
		return m.search.take(m, msg)
	case detailMsg:
		return m.takeDetail(msg)
	case linesMsg:
		return m.takeLines(msg)
	case originMsg, originProgressMsg:
		return m.takeOrigin(msg)
	case deskMsg:
		return tea.Batch(m.desk.take(m, msg), m.leaveIfSaved(msg))
	case tunnelMsg:
		m.connect.takeTunnel(msg)
		return nil
	case notAddedMsg:
		return m.notAdded(msg)
	case existMsg:
		m.askOverwrite(msg)
		return nil
	case switchedMsg:
		return m.takeSwitched(msg)
	case statusMsg:
		m.status = status(msg)
		return nil
	}
	return m.input(msg)
}

// statusMsg is what a command that ran beside the loop has to say.
type statusMsg status

// input handles what the person did.
func (m *model) input(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		if len(msg.Runes) > 1 && !msg.Paste {
			return m.typed(msg)
		}
		if m.panel == nil {
			m.status = status{}
			return m.do(find(msg.String(), m.scope()))
		}
	case tea.MouseMsg:
		if m.panel == nil {
			return m.mouse(msg)
		}
	}
	if m.panel != nil {
		return m.updatePanel(msg)
	}
	return nil
}

// typed handles keys that came as one because they were typed fast.
func (m *model) typed(keys tea.KeyMsg) tea.Cmd {
	var cmds []tea.Cmd
	for _, r := range keys.Runes {
		one := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: keys.Alt}
		if r == ' ' {
			one.Type = tea.KeySpace
		}
		cmds = append(cmds, m.input(one))
	}
	return tea.Batch(cmds...)
}

func (m *model) updatePanel(msg tea.Msg) tea.Cmd {
	open := m.panel
	cmd, done := open.update(m, msg)
	if done && m.panel == open {
		m.panel = nil
	}
	m.layout()
	return cmd
}

// open shows a panel.
func (m *model) open(p panel) {
	m.panel = p
	m.layout()
}

// scope returns where keys go.
func (m *model) scope() scope {
	if m.detail != nil {
		return inDetail
	}
	if m.page != nil {
		return inDevice
	}
	return m.view
}

// takeNews takes over the state of the audit.
func (m *model) takeNews(n newsMsg) tea.Cmd {
	m.rate.add(n.at, n.sum.Flows)
	if len(n.problems) > len(m.news.problems) {
		m.status = status{text: n.problems[len(n.problems)-1], trouble: true}
	}
	if m.cfg.Live && !m.news.at.IsZero() && m.panel == nil && !m.status.trouble {
		m.announce(m.news, n.sum)
	}
	m.announceOutput(m.news.told.Output, n.told.Output)
	m.news, m.search.fresh = n, true
	m.takeInForce(n.lab)
	m.gaps = m.gaps.take(n.sum.Health.Ledgers, n.at, m.cfg.Live && m.loading == nil)
	m.nameDevices()
	m.derive()
	if !m.desk.busy && m.view&(inViolations|inHosts) != 0 {
		m.list().settle = false
	}
	return tea.Batch(m.refresh(), m.explainAgain())
}

// announce says on the bottom line what is new and does not show where the person is.
// What another policy makes a violation is not new.
func (m *model) announce(before newsMsg, now capture.Summary) {
	hidden := m.view != inViolations || m.detail != nil || m.violations.list.held
	if len(now.Violations) > len(before.sum.Violations) && hidden {
		v := slices.MaxFunc(now.Violations, func(a, b capture.Violation) int { return a.First.Compare(b.First) })
		if v.LastFlow > before.last && m.shows(v.Clients) {
			m.status = status{text: fmt.Sprintf("new violation (1): %s, %s", v.Finding.Rule, v.Finding.Host)}
		}
		return
	}
	if devices := now.Health.Devices; len(before.sum.Health.Devices) > 0 && len(devices) > len(before.sum.Health.Devices) && m.view&(inConnect|inDevices) == 0 {
		m.status = status{text: "new device (4): " + nameAndAddress(newestDevice(devices))}
	}
	if before.sum.Flows == 0 && now.Flows > 0 && m.view == inConnect {
		m.status = status{text: "the first flow has arrived: 1 shows violations, 2 hosts, 3 flows"}
	}
}

// shows reports whether what these devices sent is shown.
func (m *model) shows(clients []string) bool {
	return !m.search.only.IsValid() || slices.Contains(clients, m.search.only.String())
}

// derive brings the list that is shown into line with the news, the filter and the
// order. The others follow when they are shown.
func (m *model) derive() {
	switch m.view {
	case inViolations:
		m.violations.take(m)
	case inHosts:
		m.hosts.take(m)
	case inDevices, inConnect:
		m.devices.take(m)
		m.page.write(m)
	}
	m.trouble = m.worst()
}

// refresh asks for what the visible view needs from the capture.
func (m *model) refresh() tea.Cmd {
	cmds := []tea.Cmd{m.search.more(m)}
	switch m.view {
	case inFlows:
		cmds = append(cmds, m.flows.load(m))
	case inConnect:
		cmds = append(cmds, m.fetchTunnel(""))
	}
	if m.detail != nil {
		cmds = append(cmds, m.detail.refresh(m))
	}
	return tea.Batch(cmds...)
}

// show goes to a view.
func (m *model) show(view scope) tea.Cmd {
	if view == inConnect && m.cfg.Connect == nil {
		m.status = status{text: "no device can connect to this audit: there is nothing to set up"}
		return nil
	}
	m.detail, m.page = nil, nil
	m.view = view
	m.derive()
	m.layout()
	return m.refresh()
}

// selection is what the cursor stands on.
type selection struct {
	host      string
	domain    bool               // the host is a registered domain that stands for its hosts
	violation *capture.Violation // nil unless it is one
	flow      flow.ID            // the flow, or the newest one of the violation; 0: unknown
	listed    bool               // it is a row of the list of flows
}

// selected returns what the cursor stands on; false when there is nothing.
func (m *model) selected() (selection, bool) {
	if m.detail != nil {
		return m.detail.selection(), true
	}
	switch m.view {
	case inViolations:
		return m.violations.selected()
	case inHosts:
		return m.hosts.selected()
	case inFlows:
		return m.flows.selected()
	}
	return selection{}, false
}

// crashed turns what ended the program by itself into an error.
func (m *model) crashed(err error) error {
	if errors.Is(err, tea.ErrProgramKilled) && m.ctx.Err() == nil {
		return err
	}
	return nil
}

// View draws the screen.
func (m *model) View() string { return strings.Join(m.draw(), "\n") }

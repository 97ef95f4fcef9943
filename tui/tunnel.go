package tui

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/flow"
)

// This file is the part of the Connect view that is about the tunnel: its devices,
// their configurations, and how to add one.

// tunnelMsg are the devices of the tunnel, as they are at a place.
type tunnelMsg struct {
	place   int
	devices []TunnelDevice
	show    string // the device to show; "" leaves the choice
}

// fetchTunnel asks for the devices of the tunnel, beside the loop.
func (m *model) fetchTunnel(show string) tea.Cmd {
	c := m.cfg.Connect
	if c == nil || c.Tunnel == nil || len(c.Places) == 0 {
		return nil
	}
	place, devices := m.connect.place, c.Tunnel.Devices
	at := c.Places[place]
	return func() tea.Msg { return tunnelMsg{place, devices(at), show} }
}

// takeTunnel takes over the devices of the tunnel. The one that is shown stays.
func (c *connectView) takeTunnel(msg tunnelMsg) {
	if msg.place != c.place {
		return // the person went on to another address meanwhile
	}
	show := msg.show
	if show == "" && c.peer < len(c.peers) {
		show = c.peers[c.peer].Name
	}
	c.peers = msg.devices
	c.peer = max(0, slices.IndexFunc(c.peers, func(d TunnelDevice) bool { return d.Name == show }))
}

// tunnelShown reports whether the tunnel is what the view is about.
func (c *connectView) tunnelShown(m *model) bool {
	return m.cfg.Connect != nil && m.cfg.Connect.Tunnel != nil && !c.proxy
}

// otherWay goes from the tunnel to the proxy, or back.
func (c *connectView) otherWay(m *model) {
	if m.cfg.Connect.Tunnel == nil {
		m.status = status{text: "there is no tunnel in this audit: --wireguard opens one"}
		return
	}
	c.proxy, c.top = !c.proxy, 0
}

// nextPeer shows the next device of the tunnel.
func (c *connectView) nextPeer(m *model) {
	if !c.tunnelShown(m) || len(c.peers) < 2 {
		m.status = status{text: "the tunnel has no other device"}
		return
	}
	c.peer, c.top = (c.peer+1)%len(c.peers), 0
}

// openAdd asks for the name of a device that gets a key.
func (m *model) openAdd() tea.Cmd {
	switch c := m.cfg.Connect; {
	case c == nil || c.Tunnel == nil:
		m.status = status{text: "there is no tunnel in this audit: --wireguard opens one"}
		return nil
	case c.Tunnel.AddDevice == nil:
		m.status = status{text: "devices cannot be added here: telltale setup wireguard add does it"}
		return nil
	}
	return m.openAddNamed("", "")
}

// openAddNamed opens the form with what was typed before, and why that would not do.
func (m *model) openAddNamed(name, problem string) tea.Cmd {
	return m.openForm(&form{
		title: "Add a device to the tunnel: it gets a key of its own", verb: "make its key",
		fields: []*field{textField("name", name)}, problem: problem,
		submit: func(m *model, f *form) (tea.Cmd, string) {
			name := f.fields[0].value()
			if name == "" {
				return nil, "write a name, such as phone of Zoe"
			}
			return m.addPeer(name), ""
		},
	})
}

// notAddedMsg says that a device got no key.
type notAddedMsg struct {
	name string
	err  error
}

// notAdded asks for another name, unless the person has gone on to something else.
func (m *model) notAdded(msg notAddedMsg) tea.Cmd {
	if m.panel != nil || m.scope() != inConnect {
		m.status = status{sentence(msg.err), true}
		return nil
	}
	return m.openAddNamed(msg.name, sentence(msg.err))
}

// addPeer makes a key for a device, beside the loop, and shows its configuration.
func (m *model) addPeer(name string) tea.Cmd {
	m.connect.proxy = false
	add, fetch := m.cfg.Connect.Tunnel.AddDevice, m.fetchTunnel(name)
	return func() tea.Msg {
		if err := m.awaited(func() error { return add(name) }); err != nil {
			return notAddedMsg{name, err}
		}
		if fetch == nil {
			return statusMsg{text: name + " has a key now"}
		}
		return fetch()
	}
}

// copyConfig puts the configuration that is shown on the clipboard.
func (m *model) copyConfig() tea.Cmd {
	c := &m.connect
	if !c.tunnelShown(m) || len(c.peers) == 0 {
		m.status = status{text: "y copies the configuration of a device of the tunnel: there is none here"}
		return nil
	}
	return m.putAs("the configuration of "+c.peers[c.peer].Name+", its private key in it", c.peers[c.peer].Config)
}

// tunnelText is what stands beside the code of a configuration.
func (c *connectView) tunnelText(m *model, place Place, n int) []string {
	t := &m.theme
	if len(c.peers) == 0 {
		lines := []string{"  " + t.title.Render("WireGuard"), ""}
		return append(lines, indented("", "No device has a key for the tunnel yet. A makes one; its configuration is shown here then.", n)...)
	}
	peer := c.peers[c.peer]
	lines := []string{
		fact(t, "Tunnel", m.shown(peer.Endpoint)+" (UDP)", others(len(m.cfg.Connect.Places), "n: another address"), n),
		fact(t, "Device", m.shown(peer.Name)+"  "+m.shown(peer.Addr), others(len(c.peers), fmt.Sprintf("d: another, %d of %d", c.peer+1, len(c.peers))), n),
	}
	if peer.Handshake != "" {
		lines = append(lines, fact(t, "Link", m.shown("handshake "+peer.Handshake), "", n))
	}
	if l, ok := m.ledger("wireguard"); ok {
		mark, style := checkMark(t, m.claim(l).state)
		lines = append(lines, "  Books   "+style.Render(mark+l.Status())+t.dim.Render("  (v)"))
	}
	lines = append(lines, t.dim.Render("  t shows the proxy"))
	lines = append(lines, c.tunnelSteps(m, peer, place, n)...)
	return append(lines, m.configLines(peer, n)...)
}

// others returns a hint where there are several.
func others(n int, hint string) string {
	if n < 2 {
		return ""
	}
	return "  (" + hint + ")"
}

// fact writes a name and a value, and a hint where there is room.
func fact(t *theme, name, value, hint string, n int) string {
	line := "  " + pad(name, 7) + " " + t.title.Render(value)
	if width(line)+width(hint) <= n {
		line += t.dim.Render(hint)
	}
	return line
}

// tunnelSteps says how the device is connected, and how far it is.
func (c *connectView) tunnelSteps(m *model, peer TunnelDevice, place Place, n int) (lines []string) {
	addr, _ := netip.ParseAddr(peer.Addr)
	for _, d := range m.news.sum.Health.Devices {
		if got, err := netip.ParseAddr(d.Addr); err == nil && got == addr {
			return append([]string{""}, m.steps(m.checklist(d, place), n)...)
		}
	}
	steps := []string{
		"Install the WireGuard app of the device's store. Tap +, scan the code, and switch the tunnel on.",
		"Open http://" + flow.SetupHost + "/ in its browser: install the certificate there, and trust it.",
		"Use the app. Everything that it sends goes through the tunnel; no proxy is set.",
	}
	lines = append(lines, "")
	for i, step := range steps {
		lines = append(lines, indented(fmt.Sprintf("%d. ", i+1), step, n)...)
	}
	waiting := "○ Waiting for the tunnel …"
	if peer.Handshake != "" {
		waiting = "○ The tunnel is up; waiting for a flow …"
	}
	return append(lines, "", m.theme.dim.Render("  "+waiting))
}

// configLines shows the configuration without what makes it work elsewhere: the screen
// may be seen by others.
func (m *model) configLines(peer TunnelDevice, n int) []string {
	t := &m.theme
	title := "Configuration"
	if peer.File != "" {
		title += " · " + m.shown(peer.File)
	}
	lines := []string{"", "  " + t.title.Render(cut(title, n-2))}
	for _, line := range strings.Split(strings.TrimRight(peer.Config, "\n"), "\n") {
		key, _, isKey := strings.Cut(line, "=")
		if name := strings.TrimSpace(key); isKey && (strings.EqualFold(name, "PrivateKey") || strings.EqualFold(name, "PresharedKey")) {
			line = name + " = (in the code; y copies it with the rest)"
		}
		lines = append(lines, t.dim.Render(cut("  "+m.shown(line), n)))
	}
	return lines
}

package tui

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
)

// devicesView lists who sent the flows: one row for each device, the one that came
// last at the top. It shows all of them, whatever is filtered: a device that is
// being connected has sent nothing yet.
type devicesView struct {
	list   list
	rows   map[string]capture.Device // by address
	widest int                       // columns of the longest name so far
}

var deviceColumns = []column{
	{title: "", width: 1},
	{title: "DEVICE", width: 16, flex: 1, host: true},
	{title: "ADDRESS", width: 15, middle: true, rank: 5},
	{title: "FLOWS", width: 7, right: true, rank: 1},
	{title: "HOSTS", width: 5, right: true, rank: 6},
	{title: "VERDICT", width: 15},
	{title: "TLS", width: 7, rank: 2},
	{title: "DIAGNOSIS", width: 20, flex: 3, rank: 3},
	{title: "LAST", width: 8, rank: 4},
}

// take takes over the devices of the summary.
func (v *devicesView) take(m *model) {
	all := slices.Clone(m.news.sum.Health.Devices)
	slices.SortStableFunc(all, newer)
	keys := make([]string, len(all))
	v.rows = make(map[string]capture.Device, len(all))
	for i, d := range all {
		keys[i], v.rows[d.Addr] = d.Addr, d
		v.widest = max(v.widest, width(plain.Text(m.nameOf(d.Addr))))
	}
	v.list.replace(keys)
}

// newer orders devices: the one that came last goes first.
func newer(a, b capture.Device) int {
	return cmp.Or(b.First.Compare(a.First), strings.Compare(a.Addr, b.Addr))
}

// newestDevice returns the device that came last; there must be one.
func newestDevice(devices []capture.Device) capture.Device { return slices.MinFunc(devices, newer) }

// device returns the device that is meant: the one whose page is open, else the one
// under the cursor of the list, which is the newest until the person chooses another.
func (m *model) device() (d capture.Device, ok bool) {
	addr := m.devices.list.key()
	if m.page != nil {
		addr = m.page.addr
	}
	d, ok = m.devices.rows[addr]
	return d, ok
}

// deviceOf returns the address by which the store knows who sent a flow.
func deviceOf(f *flow.Flow) netip.Addr { return f.Client.Addr.Addr().Unmap().WithZone("") }

// namesOf returns the names of the devices that have one, by address, as they came.
// Those that share one, as two phones of one model, have their addresses in it.
func namesOf(devices []capture.Device) map[string]string {
	names, shared := make(map[string]string, len(devices)), map[string]int{}
	for _, d := range devices {
		shared[d.Name]++
	}
	for _, d := range devices {
		switch {
		case d.Name == "":
		case shared[d.Name] > 1:
			names[d.Addr] = nameAndAddress(d)
		default:
			names[d.Addr] = d.Name
		}
	}
	return names
}

// nameDevices brings the names of the devices, masked, into line with the news and the
// policy.
func (m *model) nameDevices() {
	m.names = namesOf(m.news.sum.Health.Devices)
	secrets := m.mask(false)
	for addr, name := range m.names {
		m.names[addr] = secrets.text(name)
	}
}

// nameOf returns the name of the device at an address, masked, else the address.
func (m *model) nameOf(addr string) string { return cmp.Or(m.names[addr], addr) }

// namesOf names devices by their addresses.
func (m *model) namesOf(addrs []string) string {
	names := make([]string, len(addrs))
	for i, addr := range addrs {
		names[i] = m.nameOf(addr)
	}
	return strings.Join(names, ", ")
}

// nameAndAddress tells devices of one name apart. The name is as it came.
func nameAndAddress(d capture.Device) string {
	if d.Name == "" {
		return d.Addr
	}
	return d.Name + " (" + d.Addr + ")"
}

func (v *devicesView) draw(m *model, width, height int) []string {
	if len(v.list.keys) == 0 {
		text := "The capture does not say which devices sent its flows."
		if m.cfg.Live {
			text = "No device was seen yet. c shows how to connect one."
		}
		return m.dimText(width, text)
	}
	widths := fitColumns(deviceColumns, width-2, v.widest)
	lines := []string{v.list.head(&m.theme, drawHead(&m.theme, deviceColumns, widths), width)}
	from, to := v.list.visible()
	for i := from; i < to && len(lines) < height; i++ {
		cells := v.cells(m, v.rows[v.list.keys[i]])
		lines = append(lines, drawRow(&m.theme, deviceColumns, widths, cells, i == v.list.cursor))
	}
	return lines
}

// cells returns the cells of deviceColumns.
func (v *devicesView) cells(m *model, d capture.Device) []cell {
	t := &m.theme
	mark, verdict, style := m.deviceVerdict(d)
	if with := m.besideVerdict(true); with != "" { // which has no room here, and "clean" is not to stand alone
		verdict = strings.Replace(verdict, "clean"+with, "in experiments", 1)
	}
	tls, readable := deviceTLS(t, d)
	flows := count(d.Flows)
	if m.search.filters() {
		addr, _ := netip.ParseAddr(d.Addr)
		flows = share(m.search.found.devices[addr], d.Flows)
	}
	return []cell{
		{mark, style},
		{plain.Text(m.nameOf(d.Addr)), t.title},
		{plain.Text(d.Addr), t.dim},
		plainCell(flows),
		plainCell(count(d.Hosts)),
		{verdict, style},
		{tls, readable},
		{m.diagnosisText(m.news.diagnoses[d.Addr]), t.warning},
		{clock(d.Last), t.dim},
	}
}

// deviceVerdict says what the policy thinks of what a device sent.
func (m *model) deviceVerdict(d capture.Device) (mark, text string, style lipgloss.Style) {
	t := &m.theme
	switch {
	case d.Violating > 0:
		return "✗", count(d.Violating) + " violating", t.violation
	case d.Flows == 0:
		return "?", "nothing yet", t.dim
	case d.Allowed+d.Ignored+d.Waived == 0:
		return " ", "not judged", t.dim
	case d.Unread > 0:
		return "✓", "clean" + m.besideVerdict(true) + ", " + count(d.Unread) + " unread", t.warning
	}
	return "✓", "clean" + m.besideVerdict(true), t.allowed
}

// deviceTLS says whether TLS of a device can be read.
func deviceTLS(t *theme, d capture.Device) (text string, style lipgloss.Style) {
	switch read := !d.Decrypted.IsZero(); {
	case read && d.Unread == 0:
		return "read", t.allowed
	case read:
		return "partly", t.warning
	case d.Refused > 0:
		return "refused", t.violation
	case d.Unread > 0:
		return "unread", t.warning
	}
	return "none", t.dim
}

// onlyDevice shows one device alone in every view, or every device again.
func (m *model) onlyDevice() tea.Cmd {
	d, ok := m.device()
	if !ok {
		return nil
	}
	addr, err := netip.ParseAddr(d.Addr)
	if err != nil || addr == m.search.only {
		addr = netip.Addr{}
	}
	m.status = status{text: "every device is shown again"}
	if addr.IsValid() {
		m.status = status{text: fmt.Sprintf("violations, hosts and flows are those of %s alone: space or esc shows every device again", nameAndAddress(d))}
	}
	return m.search.restrict(m, addr)
}

// flowsOfDevice lists the flows of the device that is meant.
func (m *model) flowsOfDevice() tea.Cmd {
	d, ok := m.device()
	if !ok {
		return nil
	}
	addr, err := netip.ParseAddr(d.Addr)
	if err != nil {
		return nil
	}
	return tea.Batch(m.search.restrict(m, addr), m.show(inFlows))
}

// openName asks for the name of the device that is meant.
func (m *model) openName() tea.Cmd {
	d, ok := m.device()
	switch {
	case !ok:
		m.status = status{text: "no device was seen yet that could be named"}
		return nil
	case m.cfg.NameDevice == nil:
		m.status = status{text: "this capture cannot be written, so its devices cannot be named"}
		return nil
	}
	name := ""
	if d.Named == capture.NamedByPerson {
		name = d.Name
	}
	input := textField("name", name)
	input.input.Placeholder = m.shown(d.Name)
	return m.openForm(&form{
		title: "Name the device at " + plain.Text(d.Addr), verb: "name it; an empty name takes yours back", fields: []*field{input},
		submit: func(m *model, f *form) (tea.Cmd, string) { return m.name(d.Addr, f.fields[0].value()), "" },
	})
}

// name gives a device a name, beside the loop.
func (m *model) name(addr, name string) tea.Cmd {
	say := addr + " is called " + name + " from now on"
	if name == "" {
		say = addr + " is called what it or the policy says again"
	}
	return func() tea.Msg {
		if err := m.awaited(func() error { return m.cfg.NameDevice(addr, name) }); err != nil {
			return statusMsg{sentence(err), true}
		}
		return statusMsg{text: say}
	}
}

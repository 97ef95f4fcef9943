package reports

import (
	"fmt"
	"strings"

	"telltale/capture"
)

// This file tells devices apart. A device is a client address; who it is comes from a
// person or from what it says of itself.

// deviceVerdict is the verdict on what one device did. One that contacted nobody
// proves nothing.
func deviceVerdict(d capture.Device) string {
	switch {
	case d.Violating > 0:
		return Violations
	case d.Flows == 0:
		return Inconclusive
	}
	return Clean
}

// listsDevices reports whether a document has a table of devices: where there is more
// than one, or one that has a name.
func (r *Report) listsDevices() bool {
	all := r.Summary.Health.Devices
	return len(all) > 1 || len(all) == 1 && all[0].Name != ""
}

// severalDevices reports whether it has to be said which device did what.
func (r *Report) severalDevices() bool { return len(r.Summary.Health.Devices) > 1 }

// deviceVerdictInWords is the verdict on a device for people, who are not to read "clean"
// where experiments were on.
func (r *Report) deviceVerdictInWords(d capture.Device) string {
	verdict := deviceVerdict(d)
	if verdict == Clean && experimented(r.Summary) {
		return verdict + besideDevice
	}
	return verdict
}

// besideDevice stands beside a clean verdict on a device.
const besideDevice = ", with experiments"

// judgedInWords says the verdict on a device, and what it is worth.
func (r *Report) judgedInWords(d capture.Device) string {
	verdict := r.deviceVerdictInWords(d)
	switch deviceVerdict(d) {
	case Violations:
		return verdict
	case Inconclusive:
		return verdict + ": it contacted nobody"
	}
	if d.Unread >= d.Flows {
		return verdict + ", by the names of hosts alone"
	}
	if d.Unread > 0 {
		return fmt.Sprintf("%s, %d unread", verdict, d.Unread)
	}
	return verdict
}

// aboutDevice says in one line what the numbers of a device leave open.
func aboutDevice(r *Report, d capture.Device, st style) string {
	parts := []string{deviceName(r, d, st)}
	if d.Violating > 0 {
		parts = append(parts, plural(d.Violating, "flow breaks the policy", "flows break the policy"))
	}
	if d.Decrypted.IsZero() {
		parts = append(parts, "no TLS of it was ever read")
	} else {
		parts = append(parts, "TLS read from "+moment(d.Decrypted)+" on")
	}
	if d.Unread > 0 {
		parts = append(parts, fmt.Sprintf("%d unread", d.Unread))
	}
	if d.Altered > 0 {
		parts = append(parts, fmt.Sprintf("%d altered", d.Altered))
	}
	return strings.Join(parts, "; ")
}

// readableSince says since when the TLS of a device could be read.
func readableSince(d capture.Device) string {
	if d.Decrypted.IsZero() {
		return "never"
	}
	return tableTime(d.Decrypted)
}

// DeviceRef names a device, as JSON has it.
type DeviceRef struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

// deviceNames returns the names of the devices by address.
func deviceNames(devices []capture.Device) map[string]string {
	names := make(map[string]string, len(devices))
	for _, d := range devices {
		names[d.Addr] = d.Name
	}
	return names
}

// devicesOf names the devices that sent a violation, where there are several.
func devicesOf(r *Report, v capture.Violation, st style) string {
	if !r.severalDevices() || len(v.Clients) == 0 {
		return ""
	}
	shown := min(len(v.Clients), maxListed)
	names := make([]string, 0, shown+1)
	for _, addr := range v.Clients[:shown] {
		device := capture.Device{Addr: addr}
		for _, d := range r.Summary.Health.Devices {
			if d.Addr == addr {
				device = d
				break
			}
		}
		names = append(names, deviceName(r, device, st))
	}
	switch more := len(v.Clients) - shown; {
	case more > 0 && len(v.Clients) == capture.MaxClients: // further ones were not kept
		names = append(names, fmt.Sprintf("at least %d more", more))
	case more > 0:
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

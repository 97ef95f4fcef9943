package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy/catalog"
)

// device is an entry of devices.
type device struct {
	name      string
	addresses []address
	source    Source
	column    int
	policy    *Policy // the general entries and its own; nil where it has none of its own
}

// of returns the policy for a flow: with the entries of its device, where there is one.
func (p *Policy) of(f *flow.Flow) *Policy {
	if len(p.devices) == 0 {
		return p
	}
	if d := p.deviceAt(f.Client.Addr.Addr()); d != nil && d.policy != nil {
		return d.policy
	}
	return p
}

// deviceAt returns the entry of the device at an address, nil when there is none. The
// IPv4-mapped form of an address is the address, and so is one with a zone.
func (p *Policy) deviceAt(addr netip.Addr) *device {
	addr = addr.Unmap().WithZone("")
	for i := range p.devices {
		for j := range p.devices[i].addresses {
			if p.devices[i].addresses[j].Prefix.Contains(addr) {
				return &p.devices[i]
			}
		}
	}
	return nil
}

// DeviceName returns the name that the policy has for the device at an address, ""
// when it names none.
func (p *Policy) DeviceName(addr netip.Addr) string {
	if d := p.deviceAt(addr); d != nil {
		return d.name
	}
	return ""
}

// DeviceAddress returns the first address of the device that the policy calls so.
func (p *Policy) DeviceAddress(name string) (addr netip.Addr, ok bool) {
	for i := range p.devices {
		if p.devices[i].name == name {
			return p.devices[i].addresses[0].Prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// allowsForDevices reports whether a device may contact more than all may.
func (p *Policy) allowsForDevices() bool {
	return slices.ContainsFunc(p.devices, func(d device) bool { return d.policy != nil && len(d.policy.allow) > len(p.allow) })
}

// addDevice takes an entry of devices. The general entries must be complete.
func (p *Policy) addDevice(e *deviceEntry, source func(place, string) Source) {
	d := device{name: e.Name.Value, addresses: e.Address.Value, source: source(e.place, "device: "+e.Name.written), column: e.Column}
	if len(e.Allow)+len(e.Ignore)+len(e.Deny)+len(e.Waivers) > 0 {
		d.policy = &Policy{
			name: p.name, file: p.file, text: p.text, userAg: p.userAg, secrets: p.secrets, forms: p.forms, identifiers: p.identifiers, require: p.require, nothing: p.nothing,
			allow: slices.Clip(p.allow), ignore: slices.Clip(p.ignore), deny: slices.Clip(p.deny), waivers: slices.Clip(p.waivers), consent: p.consent,
		}
		d.policy.addEntries(e.Allow, e.Ignore, e.Deny, e.Waivers, source)
	}
	p.devices = append(p.devices, d)
}

// noteProbes notes whether deny names a category of probes.
func (p *Policy) noteProbes() {
	p.deniesProbes = p.categoryRule(catalog.CaptivePortal) != nil || p.categoryRule(catalog.PublicIP) != nil
}

// Limits of devices: each has the general entries beside its own.
const (
	maxDevices    = 256
	maxAddresses  = 1024 // of all devices
	maxDeviceName = 60   // columns of a terminal
)

// checkDevices refuses devices that cannot be told apart, and what says nothing.
func (d *decoder) checkDevices(doc *document) error {
	named := map[string]*deviceEntry{}
	var all []addressOf
	for i := range doc.Devices {
		e := &doc.Devices[i]
		if i >= maxDevices {
			return d.errorAt(e.Line, e.Column, fmt.Sprintf("more than %d devices", maxDevices), "one entry may have a block of addresses, or a list of them")
		}
		if e.Name.Value != plain.Name(e.Name.Value, maxDeviceName) {
			return d.errorAt(e.Name.Line, e.Name.Column, fmt.Sprintf("the name of a device takes more than %d columns, or holds what does not show", maxDeviceName), "give it a short name in plain text")
		}
		if other := named[e.Name.Value]; other != nil {
			return d.errorAt(e.Name.Line, e.Name.Column, fmt.Sprintf("two devices are named %q: the other one is in line %d", e.Name.Value, other.Name.Line),
				"give one entry a list of addresses, or the devices different names")
		}
		named[e.Name.Value] = e
		if err := d.checkDevice(e); err != nil {
			return err
		}
		for _, a := range e.Address.Value {
			all = append(all, addressOf{a, e})
		}
	}
	return d.checkOverlaps(all)
}

// checkDevice refuses what is wrong with one entry for itself.
func (d *decoder) checkDevice(e *deviceEntry) error {
	if len(e.Address.Value) == 0 {
		return d.errorAt(e.Line, e.Column, "address of the device is an empty list", "give it an address")
	}
	return d.checkEntries(e.Allow, e.Ignore, e.Deny)
}

// addressOf is an address with the device that has it.
type addressOf struct {
	address
	of *deviceEntry
}

// checkOverlaps refuses an address that two devices have. Of blocks in order, each that
// lies in another one lies in its neighbour.
func (d *decoder) checkOverlaps(all []addressOf) error {
	if len(all) > maxAddresses {
		a := all[maxAddresses]
		return d.errorAt(a.Line, a.Column, fmt.Sprintf("more than %d addresses of devices", maxAddresses), "write them as blocks, as 192.168.1.0/24")
	}
	slices.SortStableFunc(all, func(a, b addressOf) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	for i := range max(0, len(all)-1) {
		a, b := all[i], all[i+1]
		if !a.Prefix.Overlaps(b.Prefix) {
			continue
		}
		if cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) > 0 {
			a, b = b, a
		}
		return d.errorAt(b.Line, b.Column, fmt.Sprintf("%s overlaps with %s of the device %q in line %d", b, a, a.of.Name.Value, a.Line),
			"an address is that of one device: take it out of one of the two")
	}
	return nil
}

// devices looks at the entries of each device, beside the general ones, and at addresses
// that no device has, or every one.
func (l *linter) devices(now time.Time) {
	general := map[Source]bool{}
	for i := range l.p.allow {
		general[l.p.allow[i].Source] = true
	}
	for i := range l.p.ignore {
		general[l.p.ignore[i].Source] = true
	}
	for i := range l.p.deny {
		general[l.p.deny[i].Source] = true
	}
	for i := range l.p.waivers {
		general[l.p.waivers[i].Source] = true
	}
	for i := range l.p.devices {
		d := &l.p.devices[i]
		if _, err := netip.ParseAddr(d.name); err == nil {
			l.warn(d.source, d.column, fmt.Sprintf("the name %q is an address: where devices are asked for, the device at that address is meant", d.name), "give the device a name in words")
		}
		for _, a := range d.addresses {
			at := Source{File: l.p.file, Line: a.Line, Text: a.String()}
			switch addr := a.Prefix.Addr(); {
			case a.Prefix.Bits() == 0:
				l.warn(at, a.Column, fmt.Sprintf("%s is every device, so that nothing tells %q from others", a, d.name), "name its address, or move its entries to the general sections")
			case addr.IsMulticast(), a.Prefix.IsSingleIP() && (addr.IsUnspecified() || addr == broadcast):
				l.warn(at, a.Column, fmt.Sprintf("matches never: %s is not the address of a device", a), "name the address that the device has in its network")
			}
		}
		if d.policy == nil {
			continue
		}
		own := &linter{p: d.policy, general: general}
		own.entries(now)
		l.out = append(l.out, own.out...)
	}
}

// broadcast is the address of all hosts of a network (RFC 919, 7).
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

package declarations

import (
	"strings"
	"time"
)

// NetworkSecurity is Android's network security configuration ("Network security
// configuration" in the Android developer documentation), with what its entries inherit.
type NetworkSecurity struct {
	Base    NetworkConfig   // base-config; zero where the file has none
	Domains []NetworkConfig // domain-config, nested ones behind the one that holds them
	Debug   *NetworkConfig  // debug-overrides: trust anchors of debug builds alone; nil for none
}

// NetworkConfig is what holds for some hosts.
type NetworkConfig struct {
	Line    int // of the element; 0 where the file has none
	Domains []Domain
	// Cleartext says whether cleartext traffic is permitted; Unsaid where neither the
	// element nor those around it say.
	Cleartext Permission
	// Anchors are where trusted authorities come from; empty where nothing says, which is
	// the system alone for apps that target Android 7.0 (API level 24) and later, and
	// the person's own besides for earlier ones.
	Anchors []Anchor
	Pins    *PinSet // nil for none
}

// Permission is yes, no, or what the platform does by itself.
type Permission int8

// The permissions. Of cleartext the platform's own is yes for apps that target Android
// 8.1 (API level 27) or earlier, and no for later ones: which is not in the file.
const (
	Unsaid Permission = iota
	Permitted
	Forbidden
)

// Domain is a name to which an entry applies.
type Domain struct {
	Name       string // canonical; "" where it is a resource, so that it matches nothing
	Subdomains bool   // and to every name below it
}

// Anchor is a source of trusted authorities.
type Anchor struct {
	Source        string // "system", "user", or a resource of the app: "@raw/my_ca"
	OverridesPins bool   // chains that end in one of them need no pin
}

// PinSet is the keys of which one must be in a server's certificate chain.
type PinSet struct {
	Line    int
	Digests []string  // base64 of SHA-256 digests
	Expires time.Time // midnight UTC of the day from which the pins no longer hold; zero for never
}

// For returns what holds for a host, and the domain by which it does: the entry with
// the exact name, else the one with the longest name above it, else base-config.
func (n *NetworkSecurity) For(host string) (config NetworkConfig, by string) {
	config = n.Base
	for i := range n.Domains {
		for _, d := range n.Domains[i].Domains {
			rest, below := strings.CutSuffix(host, d.Name)
			switch {
			case !below || d.Name == "":
			case rest == "":
				config = n.Domains[i]
				config.inherit(&n.Base)
				return config, d.Name
			case d.Subdomains && strings.HasSuffix(rest, ".") && len(d.Name) > len(by):
				config, by = n.Domains[i], d.Name
			}
		}
	}
	config.inherit(&n.Base)
	return config, by
}

// inherit takes what an entry does not say from the one around it.
func (c *NetworkConfig) inherit(around *NetworkConfig) {
	if c.Cleartext == Unsaid {
		c.Cleartext = around.Cleartext
	}
	if len(c.Anchors) == 0 {
		c.Anchors = around.Anchors
	}
	if c.Pins == nil {
		c.Pins = around.Pins
	}
}

// TrustsUser reports whether authorities that the person installed are trusted, and
// whether these need no pin.
func (c *NetworkConfig) TrustsUser() (trusts, overridesPins bool) {
	for _, a := range c.Anchors {
		if a.Source == "user" {
			trusts, overridesPins = true, overridesPins || a.OverridesPins
		}
	}
	return trusts, overridesPins
}

// Expired reports whether the pins no longer hold at a time.
func (p *PinSet) Expired(at time.Time) bool { return !p.Expires.IsZero() && !at.Before(p.Expires) }

// noteNetwork notes what the file permits by itself.
func (d *Declaration) noteNetwork() {
	n := d.Network
	if trusts, _ := n.Base.TrustsUser(); trusts {
		d.note("Line %d: authorities that the person installed are trusted for every host, in release builds too: whoever gets one onto the device can read the traffic (MASTG-TEST-0286).", n.Base.Line)
	}
	switch n.Base.Cleartext {
	case Permitted:
		d.note("Line %d: cleartext is permitted to every host that has no entry of its own (MASTG-TEST-0235).", n.Base.Line)
	case Unsaid:
		d.note("Nothing is said of cleartext to hosts that have no entry: apps that target Android 9 (API level 28) and later may not use it, earlier ones may. telltale cannot see the target, and judges by what the file says.")
	}
	for i := range n.Domains {
		c := &n.Domains[i]
		if trusts, _ := c.TrustsUser(); trusts {
			d.note("Line %d: authorities that the person installed are trusted for %s, in release builds too (MASTG-TEST-0286).", c.Line, c.Domains[0].Name)
		}
		if c.Cleartext == Permitted {
			d.note("Line %d: cleartext is permitted to %s (MASTG-TEST-0235).", c.Line, c.Domains[0].Name)
		}
	}
	if n.Debug != nil {
		if trusts, _ := n.Debug.TrustsUser(); trusts {
			d.note("Line %d: debug builds trust authorities that the person installed, so that they can be audited.", n.Debug.Line)
		}
	}
}

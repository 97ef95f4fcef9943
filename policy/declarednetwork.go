package policy

import (
	"fmt"
	"time"

	"telltale/declarations"
	"telltale/flow"
)

// detectNetworkSecurity compares a flow with the network security configurations among
// the declarations, and with App Transport Security.
func detectNetworkSecurity(s *Sighting) []Finding {
	var findings []Finding
	for i := range s.policy.declared {
		d := &s.policy.declared[i]
		switch {
		case d.Network != nil && s.mayBeApps(android):
			config, by := d.Network.For(s.Host)
			c := configured{s, d, &config, by}
			findings = c.cleartext(findings)
			findings = c.pins(findings)
		case d.Transport != nil && s.mayBeApps(apple):
			findings = s.transportCleartext(d, findings)
		}
	}
	return findings
}

// transportCleartext finds cleartext that App Transport Security forbids. Where Info.plist
// permits it to web views or to media, a flow may be of these, and nothing is found.
func (s *Sighting) transportCleartext(d *declarations.Declaration, findings []Finding) []Finding {
	t := d.Transport
	config, by := t.For(s.Host)
	if config.Cleartext != declarations.Forbidden || !s.Flow.Cleartext() || t.WebContent == declarations.Permitted || t.Media == declarations.Permitted {
		return findings
	}
	where := "Info.plist (NSAppTransportSecurity)"
	if by != "" {
		where = "Info.plist (NSExceptionDomains, " + by + ")"
	}
	f := s.finding(NetworkSecurityConfig, Source{File: d.File, Line: config.Line, Text: "NSAppTransportSecurity"})
	f.Subject = "cleartext"
	f.Title = "goes over cleartext, which App Transport Security forbids"
	f.Message = "What was sent to " + s.Host + " was not encrypted, although " + where + " does not permit that. " +
		"iOS holds to it what goes through the URL loading system; code that opens sockets itself (native libraries, Flutter, Unity) goes past it. " +
		"Info.plist binds its own app alone: make sure that the traffic is of that one."
	f.Remedy = "Use https:// for " + s.Host + ". A search for the URL in the app finds what asks for it; a library that goes past the URL loading system needs a setting of its own."
	return append(findings, f)
}

// configured is a flow with what a configuration says of its host.
type configured struct {
	*Sighting
	file   *declarations.Declaration
	config *declarations.NetworkConfig
	by     string // the domain that names the host; "" for base-config
}

// finding starts a finding about the entry.
func (c *configured) finding(subject, entry string, line int) Finding {
	f := c.Sighting.finding(NetworkSecurityConfig, Source{File: c.file.File, Line: line, Text: entry})
	f.Subject = subject
	return f
}

// named says which entry is meant.
func (c *configured) named() string {
	if c.by == "" {
		return "the configuration (base-config)"
	}
	return "the configuration (domain " + c.by + ")"
}

// maybeNotTheApp closes a message: a capture does not tell whose traffic it is.
const maybeNotTheApp = " The configuration binds its own app alone: make sure that the traffic is of that one."

func (c *configured) cleartext(findings []Finding) []Finding {
	if c.config.Cleartext != declarations.Forbidden || !c.Flow.Cleartext() {
		return findings
	}
	f := c.finding("cleartext", `cleartextTrafficPermitted="false"`, c.config.Line)
	f.Title = "goes over cleartext, which the network security configuration forbids"
	f.Message = "What was sent to " + c.Host + " was not encrypted, although " + c.named() + " forbids that. " +
		"Android leaves it to libraries to keep to it: the system's own do, those that open sockets themselves (native code, Flutter, Unity) need not." + maybeNotTheApp
	f.Remedy = "Use https:// for " + c.Host + ". A search for the URL in the unpacked app finds what asks for it; a library that goes past the configuration needs a setting of its own."
	return append(findings, f)
}

func (c *configured) pins(findings []Finding) []Finding {
	pins := c.config.Pins
	if pins == nil || len(pins.Digests) == 0 {
		return findings
	}
	if at := c.Flow.Times.Start; !at.IsZero() && pins.Expired(at) {
		f := c.finding("expired pins", fmt.Sprintf("pin-set expiration=%q", pins.Expires.Format(time.DateOnly)), pins.Line)
		f.Title = "has pins that have expired"
		f.Message = fmt.Sprintf("The pins for %s expired on %s: from that day on Android checks none of them, and every authority that the app trusts can vouch for the server (MASTG-TEST-0243).",
			c.Host, pins.Expires.Format(time.DateOnly))
		f.Remedy = "Renew the pins, with a second one for the next key, and their date; or remove the pin-set, where the date was meant to end it."
		return append(findings, f)
	}
	if !decrypted(c.Flow) {
		return findings
	}
	f := c.finding("pins", "pin-set", pins.Line)
	f.Title = "was read although its keys are pinned"
	f.Message = "Telltale could read what was said to " + c.Host + ", with a certificate of its own, although " + c.named() + " pins the server's keys: for this connection the pins do not hold."
	_, overrides := c.config.TrustsUser()
	debug := c.file.Network.Debug
	switch {
	case overrides:
		f.Message += " The configuration says so itself: authorities that the person installed need no pin (overridePins), in release builds too."
	case debug != nil && overridesPins(debug):
		f.Message += " If this is a debug build, that is meant: debug-overrides lets authorities pass without a pin. Audit the release build as well."
	default:
		f.Message += " A build for debugging is like this, a changed app or device, and a library that does its own TLS (native code, Flutter)."
	}
	f.Message += maybeNotTheApp
	f.Remedy = "If the release build behaves like this, find which library makes the connection, and pin there as well. If the build was made to be audited, excuse it with a waiver of the rule network-security-config for " + c.Host + "."
	return append(findings, f)
}

// overridesPins reports whether an authority that the person installed passes without a pin.
func overridesPins(c *declarations.NetworkConfig) bool {
	_, overrides := c.TrustsUser()
	return overrides
}

// decrypted reports whether the proxy read a connection that its own certificate was
// accepted for. Files of other programs do not say who decrypted what they hold.
func decrypted(f *flow.Flow) bool { return f.Request != nil && f.Client.TLS != 0 && f.Readable() }

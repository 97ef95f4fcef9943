package declarations

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"telltale/flow"
)

// networkReader reads a configuration, as strictly as Android does where it refuses a
// file (XmlConfigSource in the Android Open Source Project).
type networkReader struct {
	*xmlReader
	d     *Declaration
	n     *NetworkSecurity
	named map[string]int // line of each domain
	// around is, for each entry of n.Domains, the index of the one that holds it; -1 for none.
	around []int
}

// readNetwork reads what stands in the root.
func (x *xmlReader) readNetwork(d *Declaration) error {
	r := &networkReader{xmlReader: x, d: d, n: &NetworkSecurity{}, named: map[string]int{}}
	for {
		e, ok, err := r.child("network-security-config")
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := r.section(e); err != nil {
			return err
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	for i, around := range r.around { // those around an entry come before it
		if around >= 0 {
			r.n.Domains[i].inherit(&r.n.Domains[around])
		}
	}
	d.Network = r.n
	d.noteNetwork()
	return nil
}

// section reads an element of the root.
func (r *networkReader) section(e element) error {
	twice := false
	switch e.name {
	case "base-config":
		if twice = r.n.Base.Line > 0; !twice {
			return r.config(e, &r.n.Base)
		}
	case "debug-overrides":
		if twice = r.n.Debug != nil; !twice {
			r.n.Debug = &NetworkConfig{}
			return r.config(e, r.n.Debug)
		}
	case "domain-config":
		return r.domainConfig(e, -1)
	}
	if twice {
		return r.errorAt(e.line, "a second <"+e.name+">, expected one", "")
	}
	return r.unknown(e)
}

// unknown leaves an element out, as Android does.
func (r *networkReader) unknown(e element) error {
	r.d.note("Line %d: <%s> is not known to telltale, and was left out.", e.line, clip(e.name))
	return r.skip()
}

// domainConfig reads an entry for hosts, inside the one with the index around.
func (r *networkReader) domainConfig(e element, around int) error {
	at := len(r.n.Domains)
	r.n.Domains, r.around = append(r.n.Domains, NetworkConfig{}), append(r.around, around)
	var c NetworkConfig
	if err := r.config(e, &c); err != nil {
		return err
	}
	if len(c.Domains) == 0 {
		return r.errorAt(e.line, "a <domain-config> without a <domain>", `name the host: <domain includeSubdomains="true">example.com</domain>`)
	}
	r.n.Domains[at] = c
	return nil
}

// config reads the content of a base-config, domain-config or debug-overrides.
func (r *networkReader) config(e element, c *NetworkConfig) error {
	c.Line = e.line
	if written, ok := e.attr("cleartextTrafficPermitted"); ok {
		c.Cleartext = Forbidden
		permitted, known, err := r.boolean(e, "cleartextTrafficPermitted", written)
		switch {
		case err != nil:
			return err
		case !known:
			c.Cleartext = Unsaid
		case permitted:
			c.Cleartext = Permitted
		}
	}
	at := len(r.n.Domains) - 1
	seen := map[string]bool{}
	for {
		child, ok, err := r.child(e.name)
		if err != nil || !ok {
			return err
		}
		if onlyOnce[child.name] && seen[child.name] {
			return r.errorAt(child.line, "a second <"+child.name+"> in <"+e.name+">, expected one", "")
		}
		if onlyOfDomains[child.name] && e.name != "domain-config" {
			return r.errorAt(child.line, "<"+child.name+"> in <"+e.name+">, expected it in <domain-config>", "")
		}
		seen[child.name] = true
		switch child.name {
		case "domain":
			err = r.domain(child, c)
		case "trust-anchors":
			err = r.anchors(child, c, e.name == "debug-overrides")
		case "pin-set":
			err = r.pins(child, c)
		case "domain-config":
			err = r.domainConfig(child, at)
		default:
			err = r.unknown(child)
		}
		if err != nil {
			return err
		}
	}
}

var (
	onlyOfDomains = map[string]bool{"domain": true, "pin-set": true, "domain-config": true}
	onlyOnce      = map[string]bool{"trust-anchors": true, "pin-set": true}
)

// boolean reads an attribute. One that names a resource is not known.
func (r *networkReader) boolean(e element, name, written string) (is, known bool, err error) {
	switch strings.ToLower(strings.TrimSpace(written)) {
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	}
	if strings.HasPrefix(written, "@") {
		r.d.note("Line %d: %s is the resource %s, whose value is not in this file; telltale does not judge by it.", e.line, name, clip(written))
		return false, false, nil
	}
	return false, false, r.errorAt(e.line, fmt.Sprintf("%s is %q, expected true or false", name, clip(written)), "")
}

func (r *networkReader) domain(e element, c *NetworkConfig) error {
	d := Domain{}
	if written, ok := e.attr("includeSubdomains"); ok {
		var err error
		if d.Subdomains, _, err = r.boolean(e, "includeSubdomains", written); err != nil {
			return err
		}
	}
	written, err := r.text("domain")
	if err != nil {
		return err
	}
	written = strings.TrimSpace(written)
	if strings.HasPrefix(written, "@") {
		r.d.note("Line %d: the domain is the resource %s, whose value is not in this file; telltale does not judge by it.", e.line, clip(written))
		c.Domains = append(c.Domains, Domain{Name: ""})
		return nil
	}
	if d.Name = flow.CanonicalHost(written); d.Name == "" || strings.ContainsAny(written, "/:*@ ") {
		return r.errorAt(e.line, fmt.Sprintf("the domain is %q, expected a host name", clip(written)), "write a name without scheme, port and path, as api.example.com")
	}
	if line := r.named[d.Name]; line > 0 {
		return r.errorAt(e.line, fmt.Sprintf("the domain %s stands in line %d already", d.Name, line), "keep one of them")
	}
	r.named[d.Name] = e.line
	c.Domains = append(c.Domains, d)
	return nil
}

func (r *networkReader) anchors(e element, c *NetworkConfig, debug bool) error {
	c.Anchors = []Anchor{}
	for {
		child, ok, err := r.child(e.name)
		if err != nil || !ok {
			return err
		}
		if child.name != "certificates" {
			if err := r.unknown(child); err != nil {
				return err
			}
			continue
		}
		a := Anchor{OverridesPins: debug} // the default of each
		a.Source, _ = child.attr("src")
		if a.Source != "system" && a.Source != "user" && !strings.HasPrefix(a.Source, "@") {
			return r.errorAt(child.line, fmt.Sprintf("src of <certificates> is %q, expected system, user or a resource such as @raw/my_ca", clip(a.Source)), "")
		}
		if written, ok := child.attr("overridePins"); ok {
			overrides, known, err := r.boolean(child, "overridePins", written)
			if err != nil {
				return err
			}
			if known {
				a.OverridesPins = overrides
			}
		}
		c.Anchors = append(c.Anchors, a)
		if err := r.skip(); err != nil {
			return err
		}
	}
}

func (r *networkReader) pins(e element, c *NetworkConfig) error {
	c.Pins = &PinSet{Line: e.line}
	if written, ok := e.attr("expiration"); ok {
		expires, err := time.Parse(time.DateOnly, strings.TrimSpace(written))
		if err != nil {
			return r.errorAt(e.line, fmt.Sprintf("expiration of <pin-set> is %q, expected a date such as 2027-01-31", clip(written)), "")
		}
		c.Pins.Expires = expires
	}
	for {
		child, ok, err := r.child(e.name)
		if err != nil || !ok {
			return err
		}
		if child.name != "pin" {
			if err := r.unknown(child); err != nil {
				return err
			}
			continue
		}
		if digest, _ := child.attr("digest"); digest != "SHA-256" {
			return r.errorAt(child.line, fmt.Sprintf("digest of <pin> is %q, expected SHA-256", clip(digest)), "")
		}
		written, err := r.text("pin")
		if err != nil {
			return err
		}
		written = strings.TrimSpace(written)
		if raw, err := base64.StdEncoding.DecodeString(written); err != nil || len(raw) != sha256.Size {
			return r.errorAt(child.line, fmt.Sprintf("the pin is %q, expected the base64 of 32 bytes", clip(written)), "")
		}
		c.Pins.Digests = append(c.Pins.Digests, written)
	}
}

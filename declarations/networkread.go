package declarations

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"telltale/flow"
	"telltale/plist/elements"
)

// networkReader reads a configuration, as strictly as Android does where it refuses a
// file (XmlConfigSource in the Android Open Source Project).
type networkReader struct {
	*elements.Reader
	d     *Declaration
	n     *NetworkSecurity
	named map[string]int // line of each domain
	// around is, for each entry of n.Domains, the index of the one that holds it; -1 for none.
	around []int
}

// readNetwork reads what stands in the root.
func (d *Declaration) readNetwork(x *elements.Reader) error {
	r := &networkReader{Reader: x, d: d, n: &NetworkSecurity{}, named: map[string]int{}}
	for {
		e, ok, err := r.Child("network-security-config")
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
	if err := r.Finish(); err != nil {
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
func (r *networkReader) section(e elements.Element) error {
	twice := false
	switch e.Name {
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
		return errorAt(e.Line, "a second <"+e.Name+">, expected one", "")
	}
	return r.unknown(e)
}

// unknown leaves an element out, as Android does.
func (r *networkReader) unknown(e elements.Element) error {
	r.d.note("Line %d: <%s> is not known to telltale, and was left out.", e.Line, elements.Clip(e.Name))
	return r.Leave()
}

// domainConfig reads an entry for hosts, inside the one with the index around.
func (r *networkReader) domainConfig(e elements.Element, around int) error {
	at := len(r.n.Domains)
	r.n.Domains, r.around = append(r.n.Domains, NetworkConfig{}), append(r.around, around)
	var c NetworkConfig
	if err := r.config(e, &c); err != nil {
		return err
	}
	if len(c.Domains) == 0 {
		return errorAt(e.Line, "a <domain-config> without a <domain>", `name the host: <domain includeSubdomains="true">example.com</domain>`)
	}
	r.n.Domains[at] = c
	return nil
}

// config reads the content of a base-config, domain-config or debug-overrides.
func (r *networkReader) config(e elements.Element, c *NetworkConfig) error {
	c.Line = e.Line
	if written, ok := e.Attr("cleartextTrafficPermitted"); ok {
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
		child, ok, err := r.Child(e.Name)
		if err != nil || !ok {
			return err
		}
		if onlyOnce[child.Name] && seen[child.Name] {
			return errorAt(child.Line, "a second <"+child.Name+"> in <"+e.Name+">, expected one", "")
		}
		if onlyOfDomains[child.Name] && e.Name != "domain-config" {
			return errorAt(child.Line, "<"+child.Name+"> in <"+e.Name+">, expected it in <domain-config>", "")
		}
		seen[child.Name] = true
		switch child.Name {
		case "domain":
			err = r.domain(child, c)
		case "trust-anchors":
			err = r.anchors(child, c, e.Name == "debug-overrides")
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
func (r *networkReader) boolean(e elements.Element, name, written string) (is, known bool, err error) {
	switch strings.ToLower(strings.TrimSpace(written)) {
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	}
	if strings.HasPrefix(written, "@") {
		r.d.note("Line %d: %s is the resource %s, whose value is not in this file; telltale does not judge by it.", e.Line, name, elements.Clip(written))
		return false, false, nil
	}
	return false, false, errorAt(e.Line, fmt.Sprintf("%s is %q, expected true or false", name, elements.Clip(written)), "")
}

func (r *networkReader) domain(e elements.Element, c *NetworkConfig) error {
	d := Domain{}
	if written, ok := e.Attr("includeSubdomains"); ok {
		var err error
		if d.Subdomains, _, err = r.boolean(e, "includeSubdomains", written); err != nil {
			return err
		}
	}
	written, _, _, err := r.Text("domain")
	if err != nil {
		return err
	}
	written = strings.TrimSpace(written)
	if strings.HasPrefix(written, "@") {
		r.d.note("Line %d: the domain is the resource %s, whose value is not in this file; telltale does not judge by it.", e.Line, elements.Clip(written))
		c.Domains = append(c.Domains, Domain{Name: ""})
		return nil
	}
	if d.Name = flow.CanonicalHost(written); d.Name == "" || strings.ContainsAny(written, "/:*@ ") {
		return errorAt(e.Line, fmt.Sprintf("the domain is %q, expected a host name", elements.Clip(written)), "write a name without scheme, port and path, as api.example.com")
	}
	if line := r.named[d.Name]; line > 0 {
		return errorAt(e.Line, fmt.Sprintf("the domain %s stands in line %d already", d.Name, line), "keep one of them")
	}
	r.named[d.Name] = e.Line
	c.Domains = append(c.Domains, d)
	return nil
}

func (r *networkReader) anchors(e elements.Element, c *NetworkConfig, debug bool) error {
	c.Anchors = []Anchor{}
	for {
		child, ok, err := r.Child(e.Name)
		if err != nil || !ok {
			return err
		}
		if child.Name != "certificates" {
			if err := r.unknown(child); err != nil {
				return err
			}
			continue
		}
		a := Anchor{OverridesPins: debug} // the default of each
		a.Source, _ = child.Attr("src")
		if a.Source != "system" && a.Source != "user" && !strings.HasPrefix(a.Source, "@") {
			return errorAt(child.Line, fmt.Sprintf("src of <certificates> is %q, expected system, user or a resource such as @raw/my_ca", elements.Clip(a.Source)), "")
		}
		if written, ok := child.Attr("overridePins"); ok {
			overrides, known, err := r.boolean(child, "overridePins", written)
			if err != nil {
				return err
			}
			if known {
				a.OverridesPins = overrides
			}
		}
		c.Anchors = append(c.Anchors, a)
		if err := r.Leave(); err != nil {
			return err
		}
	}
}

func (r *networkReader) pins(e elements.Element, c *NetworkConfig) error {
	c.Pins = &PinSet{Line: e.Line}
	if written, ok := e.Attr("expiration"); ok {
		expires, err := time.Parse(time.DateOnly, strings.TrimSpace(written))
		if err != nil {
			return errorAt(e.Line, fmt.Sprintf("expiration of <pin-set> is %q, expected a date such as 2027-01-31", elements.Clip(written)), "")
		}
		c.Pins.Expires = expires
	}
	for {
		child, ok, err := r.Child(e.Name)
		if err != nil || !ok {
			return err
		}
		if child.Name != "pin" {
			if err := r.unknown(child); err != nil {
				return err
			}
			continue
		}
		if digest, _ := child.Attr("digest"); digest != "SHA-256" {
			return errorAt(child.Line, fmt.Sprintf("digest of <pin> is %q, expected SHA-256", elements.Clip(digest)), "")
		}
		written, _, _, err := r.Text("pin")
		if err != nil {
			return err
		}
		written = strings.TrimSpace(written)
		if raw, err := base64.StdEncoding.DecodeString(written); err != nil || len(raw) != sha256.Size {
			return errorAt(child.Line, fmt.Sprintf("the pin is %q, expected the base64 of 32 bytes", elements.Clip(written)), "")
		}
		c.Pins.Digests = append(c.Pins.Digests, written)
	}
}

package declarations

import (
	"net/netip"
	"strings"

	"telltale/flow"
	"telltale/plist"
	"telltale/plist/elements"
)

// TransportSecurity is App Transport Security, as an app's Info.plist sets it
// ("NSAppTransportSecurity" in Apple's developer documentation). It binds what goes through the
// URL loading system, and no library that opens sockets itself.
type TransportSecurity struct {
	Bundle string // CFBundleIdentifier; "" where the file has none
	// Base holds for hosts that have no entry of their own.
	Base TransportConfig
	// WebContent, Media and Local say whether cleartext is permitted in web views, to
	// AVFoundation, and to names of the local network; Unsaid where the file does not.
	WebContent, Media, Local Permission
	Domains                  []TransportConfig // NSExceptionDomains, in their order
}

// TransportConfig is what holds for a host.
type TransportConfig struct {
	Line       int    // of the entry; 0 where the file has none, or no lines
	Domain     string // canonical; "" of the base
	Subdomains bool   // and every name below it
	Cleartext  Permission
	// MinimumTLS is the oldest version that is accepted, "TLSv1.0"; "" for the platform's, TLS 1.2.
	MinimumTLS string
	// NoForwardSecrecy says that keys without forward secrecy are accepted.
	NoForwardSecrecy bool
	// Pinned says that NSPinnedDomains names keys for the host.
	Pinned bool
}

// For returns what holds for a host, and the domain by which it does: the entry with the
// exact name, else the one with the longest name above it, else the base. What the platform does
// with addresses and local names depends on its version: cleartext to them is Unsaid where
// no entry and no key says.
func (t *TransportSecurity) For(host string) (config TransportConfig, by string) {
	config = t.Base
	for _, d := range t.Domains {
		rest, below := strings.CutSuffix(host, d.Domain)
		switch {
		case !below || d.Domain == "":
		case rest == "":
			return d, d.Domain
		case d.Subdomains && strings.HasSuffix(rest, ".") && len(d.Domain) > len(by):
			config, by = d, d.Domain
		}
	}
	if by == "" && config.Cleartext == Forbidden && local(host) {
		config.Cleartext = t.Local
	}
	return config, by
}

// local reports whether a host is an address, or a name of the local network.
func local(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".local")
}

// The keys of App Transport Security. Earlier names of the same keys of a domain are
// NSTemporaryException… and NSThirdPartyException….
const (
	keyTransport  = "NSAppTransportSecurity"
	keyAll        = "NSAllowsArbitraryLoads"
	keyWebContent = "NSAllowsArbitraryLoadsInWebContent"
	keyMedia      = "NSAllowsArbitraryLoadsForMedia"
	keyLocal      = "NSAllowsLocalNetworking"
	keyExceptions = "NSExceptionDomains"
	keyPinned     = "NSPinnedDomains"
	keySubdomains = "NSIncludesSubdomains"
)

// readTransport takes what Info.plist says.
func (d *Declaration) readTransport(v *plist.Value) error {
	t := &TransportSecurity{Base: TransportConfig{Cleartext: Forbidden}}
	if id := v.Get("CFBundleIdentifier"); id != nil && id.Kind == plist.Text {
		t.Bundle = strings.TrimSpace(id.Text)
	}
	d.Transport = t
	if kind := v.Get("CFBundlePackageType"); kind != nil && (kind.Text == "FMWK" || kind.Text == "BNDL") {
		t.Base.Cleartext = Unsaid
		d.note("The file is of a bundle in an app (%s): iOS goes by the Info.plist of the app, and telltale judges nothing by this one.", kind.Text)
		return nil
	}
	ats := v.Get(keyTransport)
	if ats == nil {
		d.note("The file has no %s, so that the platform's default holds: no cleartext by way of the URL loading system.", keyTransport)
		return nil
	}
	if err := typed(ats, plist.Dictionary, keyTransport); err != nil {
		return err
	}
	t.Base.Line = ats.Line
	finer := false // a key that makes iOS 10 and later overlook NSAllowsArbitraryLoads
	for _, key := range []struct {
		name string
		to   *Permission
	}{{keyWebContent, &t.WebContent}, {keyMedia, &t.Media}, {keyLocal, &t.Local}} {
		said, err := permission(ats, key.name)
		if err != nil {
			return err
		}
		*key.to = said
		finer = finer || said != Unsaid
	}
	all, err := permission(ats, keyAll)
	switch {
	case err != nil:
		return err
	case all == Permitted && finer:
		d.note("%s is overlooked by iOS 10 and later, because a key for a part of the traffic is there as well.", keyAll)
	case all == Permitted:
		t.Base.Cleartext, t.Base.NoForwardSecrecy, t.Base.MinimumTLS = Permitted, true, "TLSv1.0"
		d.note("%s: cleartext is permitted to every host that has no entry of its own.", keyAll)
	}
	if err := d.readExceptions(ats); err != nil {
		return err
	}
	return d.readPinned(ats)
}

// permission reads a key that permits something.
func permission(v *plist.Value, key string) (Permission, error) {
	if v.Get(key) == nil {
		return Unsaid, nil
	}
	is, err := truth(v, key)
	if is {
		return Permitted, err
	}
	return Forbidden, err
}

// domainsOf calls entry for each domain of a dictionary.
func (d *Declaration) domainsOf(ats *plist.Value, key string, entry func(c TransportConfig, v *plist.Value) error) error {
	list := ats.Get(key)
	if list == nil {
		return nil
	}
	if err := typed(list, plist.Dictionary, key); err != nil {
		return err
	}
	for i, k := range list.Keys {
		v := &list.Items[i]
		if err := typed(v, plist.Dictionary, "an entry of "+key); err != nil {
			return err
		}
		c := TransportConfig{Line: k.Line, Domain: flow.CanonicalHost(k.Name), Cleartext: Forbidden}
		if c.Domain == "" || strings.ContainsAny(k.Name, "/:*@ ") {
			d.note("%q under %s is no domain, so that iOS matches nothing by it: write a name such as example.com.", elements.Clip(k.Name), key)
			continue
		}
		var err error
		if c.Subdomains, err = truth(v, keySubdomains); err != nil {
			return err
		}
		if err := entry(c, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *Declaration) readExceptions(ats *plist.Value) error {
	return d.domainsOf(ats, keyExceptions, func(c TransportConfig, v *plist.Value) error {
		for _, prefix := range []string{"NSException", "NSTemporaryException", "NSThirdPartyException"} {
			insecure, err := truth(v, prefix+"AllowsInsecureHTTPLoads")
			if err != nil {
				return err
			}
			if insecure {
				c.Cleartext = Permitted
			}
			secrecy, err := permission(v, prefix+"RequiresForwardSecrecy")
			if err != nil {
				return err
			}
			c.NoForwardSecrecy = c.NoForwardSecrecy || secrecy == Forbidden
			if least := v.Get(prefix + "MinimumTLSVersion"); least != nil {
				if err := typed(least, plist.Text, prefix+"MinimumTLSVersion"); err != nil {
					return err
				}
				c.MinimumTLS = strings.TrimSpace(least.Text)
			}
		}
		if c.Cleartext == Permitted {
			d.note("Cleartext is permitted to %s, by %s.", c.Domain, keyExceptions)
		}
		d.Transport.Domains = append(d.Transport.Domains, c)
		return nil
	})
}

// readPinned adds the pins to the entries of their hosts.
func (d *Declaration) readPinned(ats *plist.Value) error {
	t := d.Transport
	return d.domainsOf(ats, keyPinned, func(c TransportConfig, _ *plist.Value) error {
		for i := range t.Domains {
			if t.Domains[i].Domain == c.Domain {
				t.Domains[i].Pinned = true
				return nil
			}
		}
		around := t.Base
		around.Line, around.Domain, around.Subdomains, around.Pinned = c.Line, c.Domain, c.Subdomains, true
		t.Domains = append(t.Domains, around)
		return nil
	})
}

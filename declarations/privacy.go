package declarations

import (
	"strings"

	"telltale/flow"
	"telltale/plist"
	"telltale/plist/elements"
)

// PrivacyManifest is Apple's PrivacyInfo.xcprivacy ("Privacy manifest files" in Apple's
// developer documentation, and the pages "Describing data use in privacy manifests" and
// "NSPrivacyTrackingDomains").
type PrivacyManifest struct {
	Tracking        bool     // NSPrivacyTracking: data is used for tracking, in Apple's sense
	TrackingDomains []string // NSPrivacyTrackingDomains, canonical
	Collected       []CollectedType
}

// CollectedType is one kind of data that a manifest says is collected.
type CollectedType struct {
	Type             string   // "NSPrivacyCollectedDataTypeEmailAddress"
	Linked, Tracking bool     // to the person; used for tracking
	Purposes         []string // "NSPrivacyCollectedDataTypePurposeAppFunctionality"
}

// Tracks reports whether a host is one of the tracking domains, or below one.
func (m *PrivacyManifest) Tracks(host string) bool {
	for _, domain := range m.TrackingDomains {
		if rest, ok := strings.CutSuffix(host, domain); ok && (rest == "" || strings.HasSuffix(rest, ".")) {
			return true
		}
	}
	return false
}

// Collects reports whether one of these types of data is declared.
func (m *PrivacyManifest) Collects(types ...string) bool {
	for i := range m.Collected {
		for _, t := range types {
			if m.Collected[i].Type == t {
				return true
			}
		}
	}
	return false
}

// The keys of a manifest. What it says of required-reason interfaces is not looked at:
// traffic does not tell which are called.
const (
	keyTracking   = "NSPrivacyTracking"
	keyDomains    = "NSPrivacyTrackingDomains"
	keyCollected  = "NSPrivacyCollectedDataTypes"
	keyInterfaces = "NSPrivacyAccessedAPITypes"

	keyType          = "NSPrivacyCollectedDataType"
	keyLinked        = "NSPrivacyCollectedDataTypeLinked"
	keyTypeTracking  = "NSPrivacyCollectedDataTypeTracking"
	keyPurposes      = "NSPrivacyCollectedDataTypePurposes"
	prefixOfManifest = "NSPrivacy"
)

// readPrivacy takes what a property list says.
func (d *Declaration) readPrivacy(v *plist.Value) (err error) {
	m := &PrivacyManifest{}
	if m.Tracking, err = truth(v, keyTracking); err != nil {
		return err
	}
	if err := d.readDomains(m, v); err != nil {
		return err
	}
	if err := readCollected(m, v); err != nil {
		return err
	}
	if list := v.Get(keyInterfaces); list != nil {
		if err := typed(list, plist.Array, keyInterfaces); err != nil {
			return err
		}
	}
	d.Privacy = m
	d.notePrivacy(v)
	return nil
}

func (d *Declaration) readDomains(m *PrivacyManifest, v *plist.Value) error {
	domains, err := texts(v, keyDomains)
	for i := range domains {
		written := domains[i].Text
		if domain := flow.CanonicalHost(written); domain != "" && strings.Contains(domain, ".") && !strings.ContainsAny(written, "/:*@ ") {
			m.TrackingDomains = append(m.TrackingDomains, domain)
			continue
		}
		d.note("%q under %s is no domain, so that iOS matches nothing by it: write a name such as tracker.example.com.", elements.Clip(written), keyDomains)
	}
	return err
}

func readCollected(m *PrivacyManifest, v *plist.Value) error {
	list := v.Get(keyCollected)
	if list == nil {
		return nil
	}
	if err := typed(list, plist.Array, keyCollected); err != nil {
		return err
	}
	for i := range list.Items {
		entry, c := &list.Items[i], CollectedType{}
		if err := typed(entry, plist.Dictionary, "an entry of "+keyCollected); err != nil {
			return err
		}
		name := entry.Get(keyType)
		if name == nil {
			return errorAt(entry.Line, "an entry of "+keyCollected+" has no "+keyType, "")
		}
		err := typed(name, plist.Text, keyType)
		if err != nil {
			return err
		}
		c.Type = strings.TrimSpace(name.Text)
		if c.Linked, err = truth(entry, keyLinked); err != nil {
			return err
		}
		if c.Tracking, err = truth(entry, keyTypeTracking); err != nil {
			return err
		}
		purposes, err := texts(entry, keyPurposes)
		if err != nil {
			return err
		}
		for j := range purposes {
			c.Purposes = append(c.Purposes, purposes[j].Text)
		}
		m.Collected = append(m.Collected, c)
	}
	return nil
}

// notePrivacy notes where a manifest contradicts itself, or says nothing.
func (d *Declaration) notePrivacy(v *plist.Value) {
	m := d.Privacy
	switch {
	case m.Tracking && len(m.TrackingDomains) == 0:
		d.note("%s is true, but %s names none: iOS then blocks nothing where the person does not agree.", keyTracking, keyDomains)
	case !m.Tracking && len(m.TrackingDomains) > 0:
		d.note("%s is false, but %s names %d: one of the two is wrong.", keyTracking, keyDomains, len(m.TrackingDomains))
	}
	if !m.Tracking {
		for _, c := range m.Collected {
			if c.Tracking {
				d.note("%s is false, but %s is said to be used for tracking: one of the two is wrong.", keyTracking, elements.Clip(c.Type))
			}
		}
	}
	for _, key := range v.Keys {
		switch key.Name {
		case keyTracking, keyDomains, keyCollected, keyInterfaces:
		default:
			d.note("The key %q is not one of a privacy manifest; iOS overlooks it.", elements.Clip(key.Name))
		}
	}
}

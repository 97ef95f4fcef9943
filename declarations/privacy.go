package declarations

import (
	"strings"

	"telltale/flow"
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
func (r *reader) readPrivacy(d *Declaration, v *value) (err error) {
	if err := r.typed(v, dictionary, "the property list"); err != nil {
		return err
	}
	known := isManifestName(r.file)
	for _, key := range v.keys {
		known = known || strings.HasPrefix(key, prefixOfManifest)
	}
	if !known {
		hint := "the privacy manifest is called PrivacyInfo.xcprivacy"
		if v.get("CFBundleIdentifier") != nil {
			hint = "this is Info.plist; " + hint
		}
		return r.errorAt(v.line, "the property list is no privacy manifest, expected keys such as "+keyTracking, hint)
	}
	m := &PrivacyManifest{}
	if m.Tracking, err = r.truth(v, keyTracking); err != nil {
		return err
	}
	if err := r.readDomains(d, m, v); err != nil {
		return err
	}
	if err := r.readCollected(m, v); err != nil {
		return err
	}
	if list := v.get(keyInterfaces); list != nil {
		if err := r.typed(list, array, keyInterfaces); err != nil {
			return err
		}
	}
	d.Privacy = m
	d.notePrivacy(v)
	return nil
}

func (r *reader) readDomains(d *Declaration, m *PrivacyManifest, v *value) error {
	domains, err := r.texts(v, keyDomains)
	for i := range domains {
		written := domains[i].text
		if domain := flow.CanonicalHost(written); domain != "" && strings.Contains(domain, ".") && !strings.ContainsAny(written, "/:*@ ") {
			m.TrackingDomains = append(m.TrackingDomains, domain)
			continue
		}
		d.note("%q under %s is no domain, so that iOS matches nothing by it: write a name such as tracker.example.com.", clip(written), keyDomains)
	}
	return err
}

func (r *reader) readCollected(m *PrivacyManifest, v *value) error {
	list := v.get(keyCollected)
	if list == nil {
		return nil
	}
	if err := r.typed(list, array, keyCollected); err != nil {
		return err
	}
	for i := range list.items {
		entry, c := &list.items[i], CollectedType{}
		if err := r.typed(entry, dictionary, "an entry of "+keyCollected); err != nil {
			return err
		}
		name := entry.get(keyType)
		if name == nil {
			return r.errorAt(entry.line, "an entry of "+keyCollected+" has no "+keyType, "")
		}
		err := r.typed(name, text, keyType)
		if err != nil {
			return err
		}
		c.Type = strings.TrimSpace(name.text)
		if c.Linked, err = r.truth(entry, keyLinked); err != nil {
			return err
		}
		if c.Tracking, err = r.truth(entry, keyTypeTracking); err != nil {
			return err
		}
		purposes, err := r.texts(entry, keyPurposes)
		if err != nil {
			return err
		}
		for j := range purposes {
			c.Purposes = append(c.Purposes, purposes[j].text)
		}
		m.Collected = append(m.Collected, c)
	}
	return nil
}

// notePrivacy notes where a manifest contradicts itself, or says nothing.
func (d *Declaration) notePrivacy(v *value) {
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
				d.note("%s is false, but %s is said to be used for tracking: one of the two is wrong.", keyTracking, clip(c.Type))
			}
		}
	}
	for _, key := range v.keys {
		switch key {
		case keyTracking, keyDomains, keyCollected, keyInterfaces:
		default:
			d.note("The key %q is not one of a privacy manifest; iOS overlooks it.", clip(key))
		}
	}
}

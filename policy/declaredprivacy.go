package policy

import (
	"fmt"
	"slices"
	"strings"

	"telltale/declarations"
	"telltale/exposure"
	"telltale/policy/catalog"
)

// trackingByApple are the categories of the catalogue whose business can be tracking as
// Apple defines it ("User privacy and data use": data of the app is linked with that of
// other companies for advertising, or shared with data brokers). Services that only keep
// an app running, such as crash reports and push, are not among them.
var trackingByApple = []string{"advertising", "analytics", "attribution", "engagement", "social"}

// manifests returns the privacy manifests among the declarations.
func (p *Policy) manifests() []*declarations.PrivacyManifest {
	var out []*declarations.PrivacyManifest
	for i := range p.declared {
		if m := p.declared[i].Privacy; m != nil {
			out = append(out, m)
		}
	}
	return out
}

// byManifest is the source of findings about what the manifests lack.
func (p *Policy) byManifest(what string) Source {
	return Source{File: p.files(func(d *declarations.Declaration) bool { return d.Privacy != nil }), Text: what}
}

// detectUndeclaredTracking compares contacts with NSPrivacyTrackingDomains
// (MASTG-TEST-0281).
func detectUndeclaredTracking(s *Sighting) []Finding {
	if len(s.policy.declared) == 0 || !slices.Contains(trackingByApple, s.contact.category) {
		return nil
	}
	manifests := s.policy.manifests()
	if len(manifests) == 0 || !s.mayBeApps(apple) {
		return nil
	}
	tracks := false
	for _, m := range manifests {
		if m.Tracks(s.Host) {
			return nil
		}
		tracks = tracks || m.Tracking
	}
	f := s.finding(UndeclaredTracking, s.policy.byManifest("NSPrivacyTrackingDomains does not name "+s.Host))
	category, _ := catalog.FindCategory(s.contact.category)
	f.Category = s.contact.category
	owner := f.Owner
	if owner == "" {
		owner = "a service"
	}
	f.Message = fmt.Sprintf("%s belongs to %s, which %s. The privacy manifest does not name it under NSPrivacyTrackingDomains", s.Host, owner, category.Title)
	if !tracks {
		f.Message += ", and says that the app does not track at all (NSPrivacyTracking is false or missing)"
	}
	f.Message += ". So iOS connects to it also where the person refused to be tracked. Tracking, to Apple, is to join data of the app with that of other companies for advertising, " +
		"or to give it to data brokers: whether this service does so, its own documentation has to say."
	f.Remedy = "Remove the service. If it tracks, add its host to NSPrivacyTrackingDomains, set NSPrivacyTracking to true, and contact it only after the person agreed (AppTrackingTransparency). " +
		"If it does not, excuse it with a waiver of the rule undeclared-tracking for " + s.Host + ", with its statement as the reason. " +
		"Kits bring manifests of their own: give telltale each of them, with --declaration."
	return []Finding{f}
}

// collectedType is a type of data of NSPrivacyCollectedDataTypes ("Describing data use in
// privacy manifests" in Apple's developer documentation), with the kinds of identifiers that
// are of it. Kinds that Apple has no type for, or several, are of none: installation
// identifiers, push tokens, networks and addresses.
type collectedType struct {
	name  string // without Apple's prefix
	title string
	kinds []string
	// others are types that would do as well.
	others []string
}

const collectedPrefix = "NSPrivacyCollectedDataType"

var collectedTypes = []collectedType{
	{"EmailAddress", "e-mail address", []string{exposure.Email}, nil},
	{"PhoneNumber", "phone number", []string{exposure.PhoneNumber}, nil},
	{"PreciseLocation", "precise location", []string{exposure.Location}, nil},
	{"DeviceID", "identifier of the device", []string{exposure.AdvertisingID, exposure.IDFV, exposure.IMEI, exposure.MEID, exposure.Serial, exposure.MACAddress, exposure.EUI64Address}, nil},
	// A UUID that the policy names may be the person's as well as the device's.
	{"UserID", "identifier of the person or the device", []string{kindUUID}, []string{"DeviceID"}},
}

// isCollected reports whether a kind of identifiers is of a type, which is written with
// Apple's prefix.
func isCollected(name, kind string) bool {
	return slices.ContainsFunc(collectedTypes, func(t collectedType) bool {
		return collectedPrefix+t.name == name && contains(t.kinds, kind)
	})
}

// kindUUID stands for a value under never-send of which no more is known.
const kindUUID = "uuid"

// kindOfSecret returns the kind of a value under never-send where its form leaves no
// doubt, "" otherwise.
func kindOfSecret(value string) string {
	value = strings.TrimSpace(value)
	if likeUUID.MatchString(value) {
		return kindUUID
	}
	if kinds := kindsLike(value); len(kinds) == 1 {
		return kinds[0]
	}
	return ""
}

// sentOfType returns where values of a type stood in what was sent.
func (s *Sighting) sentOfType(t *collectedType) []Evidence {
	var out []Evidence
	add := func(e Evidence) {
		if !slices.ContainsFunc(out, func(o Evidence) bool { return o.Where == e.Where }) {
			out = append(out, e)
		}
	}
	for i := range s.Flow.Exposures {
		if x := &s.Flow.Exposures[i]; contains(t.kinds, x.Kind) {
			add(s.exposed(x))
		}
	}
	for i := range s.found {
		f := &s.found[i]
		if secret := s.policy.secretNamed(f.Subject); f.Rule == ValueLeaked && secret != nil && contains(t.kinds, kindOfSecret(secret.value)) {
			for _, e := range f.Evidence {
				add(e)
			}
		}
	}
	return out
}

// detectUndeclaredData compares what was sent with NSPrivacyCollectedDataTypes.
func detectUndeclaredData(s *Sighting) []Finding {
	if len(s.policy.declared) == 0 || len(s.Flow.Exposures)+len(s.found) == 0 {
		return nil
	}
	manifests := s.policy.manifests()
	if len(manifests) == 0 || !s.mayBeApps(apple) {
		return nil
	}
	var findings []Finding
	for i := range collectedTypes {
		t := &collectedTypes[i]
		if t.declared(manifests) {
			continue
		}
		if evidence := s.sentOfType(t); len(evidence) > 0 {
			findings = append(findings, s.undeclared(t, evidence))
		}
	}
	return findings
}

// declared reports whether one of the manifests has the type, or one that does as well.
func (t *collectedType) declared(manifests []*declarations.PrivacyManifest) bool {
	for _, m := range manifests {
		if m.Collects(collectedPrefix + t.name) {
			return true
		}
		for _, other := range t.others {
			if m.Collects(collectedPrefix + other) {
				return true
			}
		}
	}
	return false
}

func (s *Sighting) undeclared(t *collectedType, evidence []Evidence) Finding {
	name := collectedPrefix + t.name
	f := s.finding(UndeclaredData, s.policy.byManifest("NSPrivacyCollectedDataTypes lacks "+name))
	f.Subject, f.Evidence = name, evidence
	f.Title = "sends the " + t.title + ", which the privacy manifest does not declare"
	f.Message = "The " + t.title + " was sent to " + s.Host + s.ownedBy() + ", " + placesText(evidence) + ". The privacy manifest does not have " + name +
		" under NSPrivacyCollectedDataTypes, so the privacy report that people decide by leaves it out. " +
		"Data counts as collected, to Apple, when it leaves the device and is kept for longer than it takes to answer the request."
	f.Remedy = "Do not send it. If it is needed, declare " + name + " in the privacy manifest, with its purposes, and in App Store Connect. " +
		"If a kit sends it, its own manifest may declare it: give telltale that one as well, with --declaration. " +
		"If the server keeps nothing, excuse it with a waiver of the rule undeclared-data for " + s.Host + "."
	return f
}

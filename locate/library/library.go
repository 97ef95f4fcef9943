// Package library is the catalogue of libraries that contact somebody by their own
// default, and tells from what stands around an address in an app which of them it belongs
// to, in which version, and how the contact is stopped.
//
// It reads no app: package locate hands it [Evidence]. A row is a fact with its source, and
// is checked against the packages that the library's registry hands out.
package library

import (
	"telltale/locate/inventory"
	"telltale/locate/reading"
)

// Confidence is how well an origin is known.
type Confidence int

// The degrees of confidence, the weakest first.
const (
	Possible Confidence = iota + 1 // something fits, and would fit others
	Likely                         // what stands around it fits this library alone
	Certain                        // the file names the library
)

// A Library is one row of the catalogue.
type Library struct {
	ID    string              // "netinfo"
	Name  string              // as its registry has it: "@react-native-community/netinfo"
	What  string              // "React Native's network state"
	Names map[string][]string // its names in each ecosystem of package inventory
	Probe string              // the row of catalog.Probes that it sends; ""
	Docs  string              // where its vendor says how it is configured
	// Source, Confidence: where the row is from, as in package catalog.
	Source, Confidence string
	Defaults           []Default
	Settings           []Setting
	// Remedy says what to do, for a developer, with the lines to write. "" takes that of Probe.
	Remedy string
}

// A Default is an address that a library contacts by itself.
type Default struct {
	URL      string // or a bare host
	Setting  string // name of the setting that holds it; ""
	File     string // in the library's own source: "src/internal/defaultConfiguration.ts"
	Line     int    // in it; 0 where it differs between versions
	Versions string // that have it, in words: "5.0 to 12"; ""
	When     string // "every 60 s while the internet is reachable": in words; ""
}

// A Setting is what an app can set to change a default.
type Setting struct {
	Name  string   // "reachabilityUrl"
	Where string   // "code", "android-manifest", "info-plist", "json"
	Call  string   // the function that takes it: "configure"; ""
	Stops []string // values that stop the contact, "" among them; nil: a value of one's own moves it
}

// Evidence is what is known of the surroundings of an address in an app.
type Evidence struct {
	Host, URL string // as it is written there; URL is "" where only the host is
	File      string // path in the app, as a Lead has it
	Place     reading.Place
	// Around is the text of the enclosing module, or other texts of the same code.
	Around []byte
}

// An Origin is the library that something comes from, as far as can be known.
type Origin struct {
	Library    *Library // nil for one that the catalogue does not know
	Name       string   // "@react-native-community/netinfo", or the package "com.example.sdk"
	Ecosystem  string   // of package inventory; ""
	Version    string   // "5.9.10", or "5.x" by what its code has; ""
	VersionBy  string   // how the version is known, in words: "package-lock.json line 812"
	Confidence Confidence
	Reasons    []string // why, in words, without full stops: "the module has the names of its settings: …"
	Default    *Default // that this is; nil
	Remedy     string
	Docs       string
}

// An Override is a value that an app gives to a setting of a library.
type Override struct {
	Setting      reading.Setting
	File         string
	Line, Column int
	Stops        bool   // it stops the contact; else it moves it
	Says         string // in words: "the app sets reachabilityUrl to ''"
}

// All returns the catalogue. The caller must not change it.
func All() []Library { return nil }

// Attribute returns the library that an address belongs to, nil where nothing tells.
func Attribute(e Evidence, parts []inventory.Component) *Origin { return nil }

// SettingNames returns the names of all settings of all libraries.
func SettingNames() []string { return nil }

// Overridden says what a value in an app's file does to a default of a library; nil where
// it is none of its settings, or cannot be told.
func (l *Library) Overridden(s reading.Setting, file string) *Override { return nil }

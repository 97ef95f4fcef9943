// Package library is the catalogue of libraries that contact somebody by their own
// default, and tells from what stands around an address in an app which of them it belongs
// to, in which version, and how the contact is stopped.
//
// It reads no app: package locate hands it [Evidence], and the components that package
// inventory found. The rows are in libraries.yaml, embedded in the program and read once. A row
// is a fact with its source; those of npm packages are checked against the packages
// that the registry hands out. Hosts that package catalog has as those of a product, and the
// remedies of its probes, are not repeated: a row names the product and the probe.
//
// It promises that a name is Certain only where the file itself says it, and that each
// conclusion comes with its reasons. It does not say that anything was contacted. An
// origin that looks wrong is explained by its Reasons: docs/libraries.md says how they come about.
package library

import (
	"strings"

	"telltale/policy/catalog"
)

// A Library is one row of the catalogue.
type Library struct {
	ID   string `yaml:"id"`   // "netinfo"
	Name string `yaml:"name"` // as its registry has it: "@react-native-community/netinfo"
	What string `yaml:"what"` // "React Native's network state"
	// Names are its names in each ecosystem of package inventory. One that ends in * stands for
	// all that begin so.
	Names map[string][]string `yaml:"names"`
	// Packages are those of its Java or Kotlin code, with all below them:
	// "com.github.pwittchen.reactivenetwork".
	Packages []string `yaml:"packages"`
	// Bundles are its frameworks and bundles, without ".framework" and ".bundle".
	Bundles []string `yaml:"bundles"`
	// Natives are its native libraries, as Android has them: "libsentry.so".
	Natives []string `yaml:"natives"`
	// Signature is names in its code that a minifier leaves alone, and that together stand in no
	// other library: keys of objects, and texts.
	Signature []string `yaml:"signature"`
	Tells     []Tell   `yaml:"tells"`
	// Probe is the row of catalog.Probes that it sends, and Products are those of
	// catalog.Products whose hosts it contacts; empty for none.
	Probe    string    `yaml:"probe"`
	Products []string  `yaml:"products"`
	Defaults []Default `yaml:"defaults"`
	Settings []Setting `yaml:"settings"`
	// Remedy says what to do, for a developer, with the lines to write. Where a row has none,
	// it is that of Probe, or follows from Settings: see [Library.Fix].
	Remedy string `yaml:"remedy"`
	Docs   string `yaml:"docs"` // where its vendor says how it is configured
	// Source is where the row is from, in words, and Confidence how sure it is: S read in its
	// source, L the vendor's documentation or public builds, C not verified.
	Source     string `yaml:"source"`
	Confidence string `yaml:"confidence"`
}

// A Tell is a name in the code by which a version is known.
type Tell struct {
	Name  string `yaml:"name"`
	Since string `yaml:"since"` // the first version that has it
	// Before is the last version that lacks it.
	Before string `yaml:"before"`
}

// A Default is an address that a library contacts by itself.
type Default struct {
	URL     string `yaml:"url"`     // or a bare host
	Setting string `yaml:"setting"` // name of the setting that holds it; ""
	File    string `yaml:"file"`    // in the library's own source: "src/internal/defaultConfiguration.ts"
	Line    int    `yaml:"line"`    // in it; 0 where it is not known
	First   string `yaml:"first"`   // the first version that has it; "" where it is not known
	Last    string `yaml:"last"`    // the last one; "" where no later version lacks it
	// Read is the version in which File and Line were read, where that is all that is known.
	Read string `yaml:"read"`
	// Package is the component of which File is, where it is another than the library's own.
	Package  string `yaml:"package"`
	When     string `yaml:"when"` // "every 60 s while the internet is reachable": in words; ""
	Versions string `yaml:"-"`    // First to Last in words, "5.5.0 to 7.1.11", or "as in 6.0.2"; ""
}

// Where a setting stands.
const (
	InCode     = "code"
	InManifest = "android-manifest"
	InPlist    = "info-plist"
	InJSON     = "json"
)

// A Setting is what an app can set to change a default.
type Setting struct {
	Name  string `yaml:"name"`  // "reachabilityUrl"
	Where string `yaml:"where"` // InCode, InManifest, …
	// Call is the function that takes it, "configure"; "" where several do. A name that is an
	// ordinary word ("host") counts only in its call.
	Call  string   `yaml:"call"`
	Stops []string `yaml:"stops"` // values that stop the contact, "" among them
	Moves bool     `yaml:"moves"` // another value sends it to another server
	// Does says in words what it decides, where it is neither of these alone: "decides whether
	// the check runs".
	Does string `yaml:"does"`
}

// All returns the catalogue. The caller must not change it.
func All() []Library { return load().rows }

// Find returns the row of that id, nil without one.
func Find(id string) *Library {
	rows := load().rows
	for i := range rows {
		if rows[i].ID == id {
			return &rows[i]
		}
	}
	return nil
}

// SettingNames returns the names of all settings of all libraries, in their order, each once.
func SettingNames() []string { return load().settings }

// Fix says what stops or moves the contact, for a developer, with the lines to write;
// "" where nothing is known to.
func (l *Library) Fix() string {
	if l.Remedy != "" {
		return l.Remedy
	}
	if p := l.probe(); p != nil {
		return p.Remedy
	}
	var fix strings.Builder
	for _, where := range []struct{ where, intro string }{
		{InManifest, "In AndroidManifest.xml, inside of <application>:"},
		{InPlist, "In Info.plist:"},
		{InJSON, "In the JSON file with its settings:"},
		{InCode, "In code, where it is started:"},
	} {
		lines := l.lines(where.where)
		if len(lines) == 0 {
			continue
		}
		if fix.Len() > 0 {
			fix.WriteByte('\n')
		}
		fix.WriteString(where.intro + "\n\n")
		for _, line := range lines {
			fix.WriteString("    " + line + "\n")
		}
	}
	return fix.String()
}

// probe returns the probe that the library sends; nil without one.
func (l *Library) probe() *catalog.Probe {
	probes := catalog.Probes()
	for i := range probes {
		if l.Probe != "" && probes[i].ID == l.Probe {
			return &probes[i]
		}
	}
	return nil
}

// lines are what to write to stop the contact at one place, or to move it where nothing
// stops it there.
func (l *Library) lines(where string) []string {
	var stop, move []string
	for i := range l.Settings {
		s := &l.Settings[i]
		switch {
		case s.Where != where:
		case len(s.Stops) > 0:
			stop = append(stop, s.line(s.Stops[0]))
		case s.Moves:
			move = append(move, s.line("https://your-server.example/"))
		}
	}
	if len(stop) > 0 {
		return stop
	}
	return move
}

// line is how a value of the setting is written.
func (s *Setting) line(value string) string {
	switch s.Where {
	case InManifest:
		return `<meta-data android:name="` + s.Name + `" android:value="` + value + `" />`
	case InPlist:
		if value == "true" || value == "false" {
			return "<key>" + s.Name + "</key><" + value + "/>"
		}
		return "<key>" + s.Name + "</key><string>" + value + "</string>"
	case InJSON:
		return `"` + s.Name + `": ` + literal(value, '"')
	}
	call := s.Name + ": " + literal(value, '\'')
	if s.Call != "" {
		call = s.Call + "({" + call + "})"
	}
	return call
}

// literal writes a value as code has it.
func literal(value string, quote byte) string {
	if value == "true" || value == "false" || value == "0" {
		return value
	}
	return string(quote) + value + string(quote)
}

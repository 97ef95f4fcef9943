package library

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"telltale/locate/inventory"
	"telltale/locate/reading"
)

// An Override is a value that an app gives to a setting of a library.
type Override struct {
	Setting reading.Setting
	File    string
	// Line and Column are for the caller to fill, who can ask the document.
	Line, Column int
	Stops        bool   // it stops the contact
	Moves        bool   // it sends it to another server; where neither holds, see Says
	Says         string // in words: "the app sets reachabilityUrl to '', which stops the contact"
}

// Overridden says what a value in an app's file does to a default of a library; nil where
// it is none of its settings, where it is the default itself, and where the call tells that the
// name is somebody else's.
func (l *Library) Overridden(s reading.Setting, file string) *Override {
	setting := l.setting(s, file)
	if setting == nil {
		return nil
	}
	o := &Override{Setting: s, File: file}
	value := "'" + s.Value + "'"
	switch {
	case isBool(s.Value):
		value = s.Value
	case len(s.Value) > maxShown:
		value = "a text of " + strconv.Itoa(len(s.Value)) + " bytes"
	}
	switch says := "the app sets " + s.Name + " to " + value; {
	case s.Call == "" && setting.Where == InCode && (!s.Known || setting.Does != "" && !setting.stoppedBy(s.Value)):
		return nil // the library's own code may be what sets it
	case !s.Known:
		o.Says = "the app's code decides the value of " + s.Name
		if setting.Does != "" {
			o.Says += ", which " + setting.Does
		}
	case setting.stoppedBy(s.Value):
		o.Stops, o.Says = true, says
	case l.isDefault(s.Value):
		return nil
	case setting.Moves && isAddress(s.Value):
		o.Moves, o.Says = true, says+", which the library then contacts instead"
	case setting.Does != "":
		o.Says = says + ", which " + setting.Does
	case setting.Moves && s.Value == "":
		o.Says = says + ", and what it does then is not known"
	case setting.Where == InCode:
		return nil // it neither stops nor moves it
	default:
		o.Says = says + ", which does not stop the contact"
	}
	return o
}

// isAddress reports whether a value may be where a server is.
func isAddress(value string) bool { return strings.ContainsAny(value, "./:") }

// maxShown is the longest value that is shown, in bytes.
const maxShown = 200

// setting returns the one of the library's settings that a value is given to.
func (l *Library) setting(s reading.Setting, file string) *Setting {
	for i := range l.Settings {
		setting := &l.Settings[i]
		if setting.Name != s.Name || !setting.standsIn(file) {
			continue
		}
		called := s.Call[strings.LastIndexByte(s.Call, '.')+1:]
		switch {
		case setting.Call == "", called == setting.Call:
			return setting
		case called == "" && !ordinary(setting.Name):
			return setting
		}
	}
	return nil
}

// standsIn reports whether the setting is one that a file of that name may have.
func (s *Setting) standsIn(file string) bool {
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	switch {
	case base == "AndroidManifest.xml":
		return s.Where == InManifest
	case strings.HasSuffix(base, ".plist"):
		return s.Where == InPlist
	case strings.HasSuffix(base, ".json"):
		return s.Where == InJSON
	}
	return s.Where == InCode
}

// ordinary reports whether a name is a word that anybody may use: "host".
func ordinary(name string) bool {
	for i := range len(name) {
		if name[i] < 'a' || name[i] > 'z' {
			return false
		}
	}
	return true
}

// stoppedBy reports whether a value stops the contact.
func (s *Setting) stoppedBy(value string) bool {
	for _, stop := range s.Stops {
		if stop == value || isBool(stop) && truth(stop) == truth(value) {
			return true
		}
	}
	return false
}

// isBool reports whether a value is a truth value as code writes it.
func isBool(value string) bool { return value == "true" || value == "false" }

// truth folds the ways in which truth values are written in manifests, property lists and
// minified code; other values stay as they are.
func truth(value string) string {
	switch strings.ToLower(value) {
	case "true", "yes", "1", "!0", "-1", "0xffffffff":
		return "true"
	case "false", "no", "0", "!1":
		return "false"
	}
	return value
}

// isDefault reports whether a value is an address that the library has by itself.
func (l *Library) isDefault(value string) bool {
	for i := range l.Defaults {
		if l.Defaults[i].URL == value {
			return true
		}
	}
	return false
}

// Takers returns the libraries to which a file of the app gives a value, none where that cannot be told:
// names of settings are words that others use, too. In code it is a library's where the call that gets it is
// one of the library's, where the code imports the library, or where the name itself is no other's.
func Takers(s reading.Setting, file string, imported []*Library) (takers []*Library) {
	rows := load().rows
	for i := range rows {
		l := &rows[i]
		if setting := l.setting(s, file); setting != nil && l.takes(setting, s, imported) {
			takers = append(takers, l)
		}
	}
	return takers
}

// takes reports whether a value that fits a setting of the library is meant for it.
func (l *Library) takes(setting *Setting, s reading.Setting, imported []*Library) bool {
	if setting.Where != InCode {
		return true
	}
	if owner := load().inPackage(s.Call); owner != nil {
		return owner == l // by the class of the method
	}
	return setting.Call != "" && s.Call != "" || slices.Contains(imported, l) || l.alone(setting.Name)
}

// alone reports whether a name is one that stands in code of this library alone.
func (l *Library) alone(name string) bool {
	return slices.Contains(l.Signature, name) && len(load().bySetting[name]) == 1
}

// mostImporting is how much text may be of one file that people write, in bytes. Builds put together what
// many files import.
const mostImporting = 1 << 20

// Imported returns the libraries that code imports, by its text, JavaScript, Dart, Java or Kotlin, and by
// the names by which a module of a bundle requires others.
func Imported(text []byte, required []string) (imported []*Library) {
	add := func(l *Library) {
		if l != nil && !slices.Contains(imported, l) {
			imported = append(imported, l)
		}
	}
	for _, name := range required {
		add(ofImport(name))
	}
	if len(text) > mostImporting {
		return imported
	}
	for _, m := range imports.FindAllSubmatch(text, -1) {
		if len(m[1]) > 0 {
			add(ofImport(string(m[1])))
		} else {
			add(load().inPackage(string(m[2])))
		}
	}
	return imported
}

// imports finds what a file imports: a text of JavaScript or Dart, or a name of Java or Kotlin.
var imports = regexp.MustCompile(`(?:\bfrom\s*|\brequire\s*\(\s*|\bimport\s*\(?\s*)["']([^"'\s]+)["']|\bimport\s+(?:static\s+)?([A-Za-z_][\w.]*\.\w+)`)

// ofImport returns the library that code imports by a name; nil for others.
func ofImport(name string) *Library {
	if rest, ok := strings.CutPrefix(name, "package:"); ok {
		name, _, _ = strings.Cut(rest, "/")
		return load().named(inventory.Pub, name)
	}
	return load().named(inventory.NPM, npmPackage("node_modules/"+name+"/"))
}

// Carried reports whether a file of an app lies in the folder of a library.
func Carried(file string) bool {
	o := (&Evidence{File: file}).byPath()
	return o != nil && !o.Own
}

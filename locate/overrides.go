package locate

import (
	"path"
	"slices"
	"strings"

	"telltale/locate/inventory"
	"telltale/locate/library"
	"telltale/locate/reading"
	"telltale/locate/script"
)

// A set is a value that a file gives to a setting of some libraries.
type set struct {
	reading.Setting
	takers       []*library.Library
	app          int
	file         string
	carried      bool // the file lies in a library's folder
	line, column int
}

// settings returns what the app's own code and files set of the settings that libraries have.
func (x *examination) settings() (all []set) {
	doc, ok := x.doc.(reading.Setter)
	if !ok || !ofApp(x.file.Path) {
		return nil
	}
	carried := library.Carried(x.file.Path)
	imported := map[int][]*library.Library{} // by the start of the module
	for _, one := range doc.Settings(x.search.settings) {
		p := x.doc.Place(one.Start, one.End)
		if x.ofPackage(p.Module) {
			continue
		}
		from := -1
		if p.Module != nil {
			from = p.Module.Start
		}
		if _, ok := imported[from]; !ok {
			imported[from] = x.imported(p.Module)
		}
		if takers := library.Takers(one, x.file.Path, imported[from]); len(takers) > 0 {
			all = append(all, set{Setting: one, takers: takers, app: x.file.App, file: x.file.Path, carried: carried, line: p.Line, column: p.Column})
		}
	}
	return all
}

// imported returns the libraries that a module, or a file without modules, imports.
func (x *examination) imported(m *reading.Module) []*library.Library {
	text := x.file.Data
	var required []string
	if js, ok := x.doc.(*script.Doc); ok && m != nil {
		text, required = clamp(text, m.Start, m.End), js.Requires(m)
	}
	return library.Imported(text, required)
}

// ofPackage reports whether a module of a bundle is known to be that of an npm package, which sets things
// for itself.
func (x *examination) ofPackage(m *reading.Module) bool {
	js, ok := x.doc.(*script.Doc)
	return ok && slices.ContainsFunc(js.Packages(m), func(n script.Named) bool { return n.Sure })
}

// aside are the folders of a source tree that do not get into the app.
var aside = []string{"__tests__", "__mocks__", "__fixtures__", "test", "tests", "e2e", "androidTest", "example", "examples", "doc", "docs"}

// ofApp reports whether a file may be one by which the app itself decides something: none of another npm
// package, of tests, of examples, or of builds for debugging.
func ofApp(file string) bool {
	if _, _, ok := script.PackageOf(file); ok {
		return false
	}
	folders := strings.Split(strings.ReplaceAll(file, `\`, "/"), "/")
	last := len(folders) - 1
	for i, folder := range folders[:last] {
		if slices.Contains(aside, folder) || folder == "debug" && i > 0 && folders[i-1] == "src" {
			return false
		}
	}
	name := folders[last]
	return !strings.Contains(name, ".test.") && !strings.Contains(name, ".spec.") && !strings.Contains(name, "_test.")
}

// ofBundle reports whether a property list is that of a framework or of a bundle of resources, and not of
// an app or an extension of it.
func ofBundle(file string) bool {
	return path.Base(file) == "Info.plist" && inventory.Knows(file)
}

// override adds what the app sets of the settings of the library that a lead is from.
func (s *search) override(f *found) {
	for _, set := range s.set {
		if set.app != f.App || set.carried && set.file != f.File || f.holds(set) || !slices.Contains(set.takers, f.Origin.Library) {
			continue
		}
		o := f.Origin.Library.Overridden(set.Setting, set.file)
		again := func(known library.Override) bool { return known.Says == o.Says }
		if o != nil && !slices.ContainsFunc(f.Overrides, again) {
			o.Line, o.Column = set.line, set.column
			f.Overrides = append(f.Overrides, *o)
		}
	}
}

// holds reports whether a value is set by the very code that has the lead: then it is the library's own.
func (f *found) holds(s set) bool {
	if s.file != f.File {
		return false
	}
	if m := f.Place.Module; m != nil && m.End > m.Start {
		return s.Start >= m.Start && s.End <= m.End
	}
	return int64(s.Start) <= f.Offset && f.Offset < int64(s.End)
}

package library

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"telltale/locate/inventory"
	"telltale/locate/reading"
)

// byCode returns whose the code is that has the address, where the code or what came with it
// says so; nil where it does not.
func (e *Evidence) byCode(fits []fit) *Origin {
	if s := e.Place.Source; s != nil {
		where := s.File
		if s.Line > 0 {
			where = fmt.Sprintf("%s line %d", s.File, s.Line)
		}
		if o := ofSource(s.File); o != nil {
			return o.because(s.By + " says that it was " + where)
		}
	}
	if m := e.Place.Module; m != nil && m.Name != "" {
		if o := ofSource(m.Name); o != nil {
			return o.because("the bundle names its module " + m.Name)
		}
	}
	for _, c := range e.Claims {
		if c.Sure {
			return ofComponent(inventory.NPM, c.Name).because(c.Why)
		}
	}
	return e.byUsers(fits)
}

// byUsers returns whose the code is that uses the address. Formats keep each text once, for all that use it:
// where they are several, it is the first one that is known to contact the address, and not certain.
func (e *Evidence) byUsers(fits []fit) *Origin {
	var users []*Origin
	for _, u := range e.Place.Users {
		o := e.ofUser(u)
		if o != nil && !slices.ContainsFunc(users, func(known *Origin) bool { return known.Name == o.Name }) {
			users = append(users, o)
		}
	}
	if len(users) < 2 {
		return append(users, nil)[0]
	}
	best := slices.IndexFunc(users, func(o *Origin) bool { return e.contacts(o.Library, fits) })
	o := users[max(best, 0)]
	if o.Confidence = Likely; best < 0 {
		o.Confidence = Possible
	}
	var others []string
	for i, user := range users {
		if i != max(best, 0) {
			others = append(others, user.Name)
		}
	}
	o.Reasons = append(o.Reasons, "others have the same text: "+join(others, " and "))
	return o
}

// ofUser returns whose the code is that uses the address; nil where it does not say so.
func (e *Evidence) ofUser(u reading.User) *Origin {
	if name := npmPackage(u.File); name != "" {
		return ofComponent(inventory.NPM, name).because("the code that uses it says that it was made from " + u.File)
	}
	if o := e.ofClass(u); o != nil {
		return o.because("the code that uses it is " + u.Name)
	}
	return nil
}

// contacts reports whether a library is known to contact the address by itself.
func (e *Evidence) contacts(l *Library, fits []fit) bool {
	if l == nil {
		return false
	}
	product := productOf(*e)
	return slices.ContainsFunc(fits, func(f fit) bool { return f.library == l }) || product != nil && slices.Contains(l.Products, product.Name)
}

// because makes it an origin that the file names, for that reason.
func (o *Origin) because(reason string) *Origin {
	o.Confidence, o.Reasons = Certain, append(o.Reasons, reason)
	return o
}

// ofSource returns whose a source file is by its path: an npm package's, or the app's own. It is
// nil for what bundlers add.
func ofSource(file string) *Origin {
	file = strings.ReplaceAll(file, `\`, "/")
	if name := npmPackage(file); name != "" {
		return ofComponent(inventory.NPM, name)
	}
	file, _, _ = strings.Cut(file, "?")
	base := strings.TrimLeft(file, "./")
	if base == "" || strings.HasPrefix(base, "__") || strings.ContainsAny(base, "\x00()") || strings.Contains(file, "webpack/") || path.Ext(base) == "" {
		return nil
	}
	return &Origin{Name: OwnCode, Own: true}
}

// npmPackage returns the package that a path below node_modules belongs to, the innermost one:
// "@react-native-community/netinfo"; "" for other paths.
func npmPackage(file string) string {
	const folder = "node_modules/"
	at := strings.LastIndex(file, folder)
	if at < 0 || at > 0 && file[at-1] != '/' {
		return ""
	}
	rest := file[at+len(folder):]
	name, rest, inside := strings.Cut(rest, "/")
	if strings.HasPrefix(name, "@") && inside {
		second, _, deeper := strings.Cut(rest, "/")
		name, inside = name+"/"+second, deeper
	}
	if name == "" || name[0] == '.' || !inside {
		return ""
	}
	return name
}

// ofComponent is the origin that has a name in an ecosystem.
func ofComponent(ecosystem, name string) *Origin {
	o := &Origin{Library: load().named(ecosystem, name), Name: name, Ecosystem: ecosystem}
	if o.Library != nil {
		o.Name = o.Library.Name
	}
	return o
}

// ofClass returns whose a class is by its package; nil where the name is shortened, or has no
// package.
func (e *Evidence) ofClass(u reading.User) *Origin {
	if u.Obfuscated || u.Package == "" || shortened(u.Package) {
		return nil
	}
	l := load().inPackage(u.Name)
	if l == nil {
		l = load().inPackage(u.Package)
	}
	if l != nil {
		return &Origin{Library: l, Name: l.Name, Ecosystem: inventory.Maven}
	}
	if e.ownPackage(u.Package) {
		return &Origin{Name: OwnCode, Own: true}
	}
	return &Origin{Name: beginning(u.Package)}
}

// beginning is the part of a Java package that names whose it is: mostly its first three labels.
func beginning(name string) string {
	n := 3
	if strings.HasPrefix(name, "com.google.android.") {
		n = 4
	}
	labels := strings.Split(name, ".")
	return strings.Join(labels[:min(n, len(labels))], ".")
}

// ownPackage reports whether a package is the one that the app is known by, or below it.
func (e *Evidence) ownPackage(name string) bool {
	id := e.App.ID
	return id != "" && (name == id || strings.HasPrefix(name, id+"."))
}

// shortened reports whether the labels of a package say nothing: "a.b.c".
func shortened(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > 2 {
			return false
		}
	}
	return true
}

// hidden says that the code has names which would tell, were they not shortened.
func (e *Evidence) hidden() []string {
	for _, u := range e.Place.Users {
		if u.Obfuscated || u.Package != "" && shortened(u.Package) {
			return []string{"the code that uses it has shortened names (" + u.Name + "), which name no library"}
		}
	}
	return nil
}

// byPath returns whose a file of an app is by where it lies; nil where that says nothing.
func (e *Evidence) byPath() *Origin {
	file := strings.ReplaceAll(e.File, `\`, "/")
	if name := npmPackage(file); name != "" {
		return ofComponent(inventory.NPM, name).because("the file lies in " + folderOf(file, "node_modules/"+name))
	}
	folders := strings.Split(file, "/")
	last := len(folders) - 1
	for i := last - 1; i >= 0; i-- {
		if name, ok := inBundle(folders[i]); ok {
			o := &Origin{Library: load().byBundle[name], Name: name, Ecosystem: inventory.Bundled}
			if o.Library != nil {
				o.Name = o.Library.Name
			}
			return o.because("the file lies in " + strings.Join(folders[max(0, i-1):i+1], "/"))
		}
		if o := ofFolder(folders[max(0, i-1)], folders[i], folders[i+1:]); o != nil {
			return o.because("the file lies in " + strings.Join(folders[i:i+2], "/"))
		}
	}
	if l := load().byNative[folders[last]]; l != nil {
		return (&Origin{Library: l, Name: l.Name}).because("the file is " + folders[last])
	}
	return e.ownSource(file)
}

// folderOf cuts a path behind a folder of it.
func folderOf(file, folder string) string {
	return file[:strings.LastIndex(file, folder)+len(folder)]
}

// inBundle returns the name of the framework or bundle that a folder is, but for the one in which
// a Flutter app has its own code.
func inBundle(folder string) (name string, ok bool) {
	for _, ext := range bundleEndings {
		if name, ok := strings.CutSuffix(folder, ext); ok && name != "" && folder != "App.framework" {
			return name, true
		}
	}
	return "", false
}

// ofFolder returns whose a folder is in which builds keep libraries, by what lies above and below
// it; nil for other folders.
func ofFolder(above, folder string, below []string) *Origin {
	if len(below) < 2 || below[0] == "" || below[1] == "" {
		return nil
	}
	switch {
	case folder == "Pods":
		return ofComponent(inventory.Pod, below[0])
	case folder == "checkouts" && (above == ".build" || above == "SourcePackages"), folder == "Checkouts" && above == "Carthage":
		return ofComponent(inventory.Swift, strings.ToLower(below[0]))
	case folder == "packages" && above == "flutter_assets":
		return ofComponent(inventory.Pub, below[0])
	case folder == "plugins" && (strings.Contains(below[0], "cordova-plugin") || strings.HasPrefix(below[0], "@")):
		return ofComponent(inventory.NPM, cordovaName(below))
	}
	return nil
}

// cordovaName is the id of a plugin, which may have a scope.
func cordovaName(below []string) string {
	if strings.HasPrefix(below[0], "@") {
		return below[0] + "/" + below[1]
	}
	return below[0]
}

// sourceFiles are the endings of what people write, and no build makes.
var sourceFiles = map[string]bool{
	".ts": true, ".tsx": true, ".jsx": true, ".kt": true, ".java": true, ".swift": true, ".m": true, ".mm": true, ".dart": true, ".vue": true, ".cs": true,
}

// widest is how far to the right people write code, in characters; builds make longer lines.
const widest = 200

// ownSource returns the app's own code for a file of a source tree that no library's folder holds; nil
// for others. JavaScript may be what a build made.
func (e *Evidence) ownSource(file string) *Origin {
	if strings.Contains(file, "!/") || strings.HasSuffix(file, ".d.ts") || hasFolder(file, "vendor", "third_party") {
		return nil
	}
	o := &Origin{Name: OwnCode, Own: true}
	switch ext := strings.ToLower(path.Ext(file)); {
	case sourceFiles[ext]:
		return o.because("it is a source file of the app: " + file)
	case ext != ".js" && ext != ".mjs" && ext != ".cjs", e.Place.Module != nil, e.Place.Column > widest, hasFolder(file, "assets", "www", "public", "dist", "build", "lib"),
		strings.Contains(path.Base(file), "bundle"), strings.Contains(path.Base(file), ".min."), strings.Contains(file, ".app/"):
		return nil
	}
	o.Confidence, o.Reasons = Likely, []string{"it is JavaScript outside of node_modules: " + file}
	return o
}

// hasFolder reports whether a path has one of the folders.
func hasFolder(file string, names ...string) bool {
	for folder := range strings.SplitSeq(path.Dir(file), "/") {
		if slices.Contains(names, folder) {
			return true
		}
	}
	return false
}

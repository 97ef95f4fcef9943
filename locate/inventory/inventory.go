// Package inventory reads which components an app or a source tree says it is made of,
// and in which versions: lock files, package.json, the version files that Android's build
// leaves in META-INF, and what frameworks say of themselves.
//
// It knows those files and no library. It promises never to guess: what a file only asks for,
// a range or a declaration that a build may resolve otherwise, is a Range and no Version. Input
// is foreign: files are bounded in size, components in number, and a line that is not
// understood is passed over, so that one odd entry does not hide the others. To see what was
// read of a file, and from which line, print what Read returns.
package inventory

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// Where components come from.
const (
	NPM     = "npm"
	Maven   = "maven" // name is group:artifact
	Pod     = "cocoapods"
	Swift   = "swiftpm" // name is the package's identity: "firebase-ios-sdk"
	Pub     = "pub"     // Dart and Flutter
	Bundled = "bundle"  // a framework or bundle inside of an app, by its identifier
)

// A Component is one library that a file names.
type Component struct {
	Ecosystem string // NPM, Maven, …
	Name      string // as its registry has it: "@react-native-community/netinfo"
	Version   string // exact; "" where the file has only a range, or none
	Range     string // as the file has it, where Version is empty; "" where it has none
	File      string // that says so
	Line      int    // in it, from 1; 0 for none
}

// Bounds of what is read of one file.
const (
	MaxSize       = 32 << 20 // bytes; lock files of large projects have a few
	maxComponents = 50_000
)

// A reader reads files of one format.
type reader func(f *file) error

// file is one that is read.
type file struct {
	path string
	data []byte
	seen map[Component]bool // without line
	out  []Component
}

// byName are the readers of files that are known by their name.
var byName = map[string]reader{
	"package-lock.json":             readPackageLock,
	"npm-shrinkwrap.json":           readPackageLock,
	".package-lock.json":            readPackageLock,
	"package.json":                  readPackage,
	"yarn.lock":                     readYarn,
	"pnpm-lock.yaml":                readPnpm,
	"bun.lock":                      readBun,
	"Podfile.lock":                  readPodfile,
	"Manifest.lock":                 readPodfile, // of the folder Pods
	"Package.resolved":              readPackageResolved,
	"Cartfile.resolved":             readCartfile,
	"gradle.lockfile":               readGradleLock,
	"buildscript-gradle.lockfile":   nil, // of the build, and not of the app
	"libs.versions.toml":            readVersionCatalog,
	"build.gradle":                  readGradleBuild,
	"build.gradle.kts":              readGradleBuild,
	"pubspec.lock":                  readPubspec,
	"pom.properties":                readPom,
	"kotlin-tooling-metadata.json":  readKotlinTooling,
	"cordova_plugins.js":            readCordova,
	"capacitor.plugins.json":        readCapacitor,
	"app.config":                    readExpo,
	"NOTICES":                       readNotices,
	"NOTICES.Z":                     readNotices,
	"Info.plist":                    readBundle,
	"settings-gradle.lockfile":      nil,
	"settings-buildscript.lockfile": nil,
}

// readerOf returns what reads a file; nil for files that are not read.
func readerOf(name string) reader {
	name = slashed(name)
	dir, base := path.Split(name)
	parent := path.Base(dir)
	switch base {
	case "NOTICES", "NOTICES.Z":
		if parent != "flutter_assets" {
			return nil
		}
	case "Info.plist":
		if bundleName(name) == "" {
			return nil
		}
	case "app.config":
		if parent != "assets" && !strings.HasSuffix(parent, ".bundle") {
			return nil
		}
	case "package.json":
		if strings.Contains(name, "node_modules/") && !isPackageRoot(name) {
			return nil
		}
	}
	if r, ok := byName[base]; ok {
		return r
	}
	switch path.Ext(base) {
	case ".version":
		if parent == "META-INF" {
			return readVersionFile
		}
	case ".properties":
		if _, _, ok := googleGroup(strings.TrimSuffix(base, ".properties")); ok {
			return readGoogleProperties
		}
	case ".lockfile":
		if parent == "dependency-locks" {
			return readGradleLock
		}
	}
	return nil
}

// Knows reports whether Read would look into a file, by its path.
func Knows(path string) bool { return readerOf(path) != nil }

// Read returns the components that a file names, in its order, each once; none for a file that
// it does not know. The error names the file, and says what could not be read. The components
// before it are returned with it.
func Read(path string, data []byte) ([]Component, error) {
	read := readerOf(path)
	if read == nil {
		return nil, nil
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s: %d bytes are more than the %d that are read of such a file", path, len(data), MaxSize)
	}
	f := &file{path: path, data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), seen: map[Component]bool{}}
	if err := read(f); err != nil {
		return f.out, fmt.Errorf("%s: %w", path, err)
	}
	return f.out, nil
}

// errMany stops a reader.
var errMany = fmt.Errorf("it has more than %d components", maxComponents)

// add adds a component. Version may be anything: what is no exact version is taken for a range.
func (f *file) add(ecosystem, name, version string, line int) error {
	name, version = strings.TrimSpace(name), strings.TrimSpace(version)
	if name == "" || len(name) > 300 || len(version) > 300 {
		return nil
	}
	c := Component{Ecosystem: ecosystem, Name: name, File: f.path}
	if isVersion(version) {
		c.Version = version
	} else {
		c.Range = version
	}
	return f.put(c, line)
}

// ask adds a component that a build may resolve to another version.
func (f *file) ask(ecosystem, name, version string, line int) error {
	if name == "" || len(name) > 300 || len(version) > 300 {
		return nil
	}
	return f.put(Component{Ecosystem: ecosystem, Name: name, Range: version, File: f.path}, line)
}

func (f *file) put(c Component, line int) error {
	if f.seen[c] {
		return nil
	}
	if len(f.out) == maxComponents {
		return errMany
	}
	f.seen[c] = true
	c.Line = line
	f.out = append(f.out, c)
	return nil
}

// isVersion reports whether a text is one exact version, and no range: "1.2.3-rc.1+5".
func isVersion(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return false
	}
	label := 0 // where it begins
	for i := range len(s) + 1 {
		if i < len(s) && s[i] != '.' && s[i] != '-' && s[i] != '+' && s[i] != '_' {
			if !alphanumeric(s[i]) {
				return false
			}
			continue
		}
		if word := s[label:i]; word == "" || word == "x" || word == "X" {
			return false
		}
		label = i + 1
	}
	return true
}

func alphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// eachLine calls visit for the lines of the file, counted from 1, without their ends.
func (f *file) eachLine(visit func(n int, line string) error) error {
	n := 0
	for line := range bytes.Lines(f.data) {
		n++
		if len(line) > maxLine {
			continue
		}
		if err := visit(n, string(bytes.TrimRight(line, "\r\n"))); err != nil {
			return err
		}
	}
	return nil
}

// maxLine is more than any line has that says something here.
const maxLine = 64 << 10

// slashed is a path as the readers split it, whatever system it is from.
func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

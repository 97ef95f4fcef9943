// Package inventory reads which components an app or a source tree says it is made of,
// and in which versions: lock files, package.json, the version files that Android's build
// leaves in META-INF, and what frameworks say of themselves.
//
// It knows those files and no library. It promises never to guess: a range is no version.
package inventory

// Where components come from.
const (
	NPM     = "npm"
	Maven   = "maven" // name is group:artifact
	Pod     = "cocoapods"
	Swift   = "swiftpm"
	Pub     = "pub"    // Dart and Flutter
	Bundled = "bundle" // a framework or bundle inside of an app, by its identifier
)

// A Component is one library that a file names.
type Component struct {
	Ecosystem string // NPM, Maven, …
	Name      string // as its registry has it: "@react-native-community/netinfo"
	Version   string // exact; "" where the file has only a range
	Range     string // as the file has it, where Version is empty
	File      string // that says so
	Line      int    // in it, from 1; 0 for none
}

// Knows reports whether Read would look into a file, by its path.
func Knows(path string) bool { return false }

// Read returns the components that a file names. The error says what could not be read.
func Read(path string, data []byte) ([]Component, error) { return nil, nil }

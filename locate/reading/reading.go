// Package reading is what the readers of an app's files have in common: the words in
// which a reader of bytecode, of a bundle or of a property list says what stands where.
//
// It knows no format. A reader (packages dex, hermes, script, native, resources) opens
// the bytes of one file as a [Document]; package locate searches the bytes themselves,
// and asks the document only about the places that it found. What a document may
// tell beyond that, it says by a further interface: [Joiner], [Setter], [Identifier].
//
// Every Document promises that its methods are pure, bounded in time and memory by the
// size of the file, and never panic, whatever the bytes are: they are foreign. Offsets
// are in bytes from the start of the file, as it is after it was unpacked.
package reading

// A Document is one file that was understood.
type Document interface {
	// Kind names the format: "Android bytecode (DEX 039)".
	Kind() string
	// Texts calls visit for the texts of the file, in the order in which they are stored,
	// until it returns false. A file that is all text is one text.
	Texts(visit func(Text) bool)
	// Place says what is known of the bytes from start to end.
	Place(start, end int) Place
	// Notes are sentences on what could not be read in it, without a full stop: "the code is
	// encrypted (FairPlay), its strings cannot be seen". Nil where all of it could.
	Notes() []string
}

// A Joiner is a document whose code puts texts together.
type Joiner interface {
	// Joined calls visit for texts that stand apart in the file and are neighbours in the
	// code, until it returns false.
	Joined(visit func(Joined) bool)
}

// A Setter is a document that gives values to names: an object in code, a meta-data
// element, a key of a property list.
type Setter interface {
	// Settings returns what the file sets of these names, in its order.
	Settings(names []string) []Setting
}

// An Identifier is a document that says what app or component it belongs to.
type Identifier interface {
	// Identity returns what it says. It is zero where it says nothing.
	Identity() Identity
}

// A Text is one literal or run of characters of a file.
type Text struct {
	Start, End int    // the bytes that hold it
	Value      []byte // in UTF-8; only good until visit returns
	// Whole says that Start and End are its real bounds: a letter beyond them belongs to
	// something else. False for runs of printable bytes.
	Whole bool
	// Comment says that the text is a remark in code: nothing asks for what it names.
	Comment bool
}

// Joined is a text that code makes of several.
type Joined struct {
	Value []byte // in UTF-8; only good until visit returns
	Parts []Part // in their order in Value
	How   string // "strings added up", "strings of one method, in their order"
	// Sure says that the code joins them; else they are only neighbours.
	Sure bool
}

// A Part is one piece of a joined text.
type Part struct {
	At         int // where it begins in Value
	Start, End int // where it stands in the file
}

// A Place is what is known of some bytes of a file.
type Place struct {
	// Section is the part of the file, as its format calls it: "string table",
	// ".rodata", "__TEXT,__cstring", "application/meta-data[2]/@android:value".
	Section string
	// Line and Column count from 1, the column in characters; 0 where the file has no lines.
	Line, Column int
	// LiteralStart and LiteralEnd bound the text that holds the place; both 0 where no
	// such bounds are known.
	LiteralStart, LiteralEnd int
	// Literal is that text in UTF-8, where it cannot be read from the bytes as they are; "" else.
	Literal string
	// Users are the code that uses the text, the likeliest first, and More says how many
	// were left out.
	Users []User
	More  int
	// Module is the module of a bundle that holds the place; nil without one.
	Module *Module
	// Source is where it stood before it was compiled or bundled; nil where nothing says.
	Source *Source
}

// A User is code that uses a text.
type User struct {
	// Name is the function, as the file has it: "com.novoda.merlin.Endpoint.<clinit>",
	// "fetchReachability".
	Name string
	// Package is the part of the name by which a library is known: "com.novoda.merlin"; "".
	Package string
	// Obfuscated says that the names were shortened, so that they name nobody.
	Obfuscated bool
	// File is the source file that the code names, "Endpoint.java"; "".
	File   string
	Line   int // in it; 0 where it is not known
	Offset int // of the code in the file; 0 where it is not known
	// Strings are other texts that the same code uses, by which it may be recognised.
	Strings []string
}

// A Module is one module of a JavaScript bundle.
type Module struct {
	ID         string // "413"; "" without one
	Name       string // its path, where the bundle says: "node_modules/x/index.js"; ""
	Start, End int    // its text in the file
}

// A Source is a place in the code that a file was made from, by a source map.
type Source struct {
	File         string // as the map has it: "../node_modules/x/src/a.ts"
	Line, Column int    // from 1
	Name         string // of the symbol; ""
	Text         string // of that line, where the map has it; ""
	By           string // the map: its file's name
}

// A Setting is a value that a file gives to a name.
type Setting struct {
	Name  string
	Value string // of a literal: "", "https://example.com/up", "false"
	Known bool   // the value is a literal; else code decides, and Value is empty
	// Call is the function that gets the object with it: "configure"; "" where it is not
	// known, or is no call.
	Call       string
	Start, End int // where the value stands, in the file
}

// An Identity is what an app or a component says of itself.
type Identity struct {
	ID      string // "ca.gc.hcsc.canada.stopcovid", "com.facebook.hermes"
	Name    string // for people; ""
	Version string // for people: "1.0.2"; ""
	Build   string // the number that counts: "102"; ""
}

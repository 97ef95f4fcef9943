// Package locate finds where in an app a contacted host comes from: which file, which
// code, whose library, by which default, and what turns it off.
//
// It knows how an address may be written (forms.go), and brings together what the packages
// below it know: app opens containers, the readers (dex, hermes, script, native, resources)
// understand files, hosts tells hosts from noise, inventory and library say whose code it is.
// Every file is searched as bytes in one pass, whether a reader understands it or not;
// readers are asked about the places alone. A [Lead] is a mention and no contact: nothing here
// becomes a verdict.
//
// It promises that what could not be read is in the result. It contacts nobody and runs
// nothing of the app.
package locate

import (
	"telltale/declarations"
	"telltale/locate/app"
	"telltale/locate/hosts"
	"telltale/locate/inventory"
	"telltale/locate/library"
	"telltale/locate/reading"
)

// Wanted is what is looked for. Without any, every host that the app mentions is.
type Wanted struct {
	Hosts   []string // canonical names
	Strings []string // verbatim, at least 4 bytes each
}

// Options are how it is looked for.
type Options struct {
	SourceMaps []string // files, beside those that the apps carry
	Limits     app.Limits
	Workers    int // 0 is one for each CPU
	// Progress is called now and then, from any goroutine; nil: never.
	Progress func(Progress)
}

// Progress is how far a search is.
type Progress struct {
	File  string
	Files int
	Bytes int64
}

// A Result is what was found, and where it was not looked.
type Result struct {
	Apps   []App
	Wanted Wanted
	Leads  []Lead // by what is wanted, in that order, then by strength
	// Listed says that every host was asked for: Leads then has one group for each host that
	// the app mentions, in the order of the alphabet, noise last.
	Listed bool
	Files  int   // that were searched
	Bytes  int64 // in them, unpacked
	Kinds  []Kind
	Unread []Unread // what could not be understood, though its bytes were searched
	// Failures are what could not be got at. They make a search incomplete.
	Failures   []app.Failure
	Components []inventory.Component
	// Declared is what the apps say of their own privacy and network.
	Declared []declarations.Declaration
}

// An App is one of the paths that were searched.
type App struct {
	app.Info
	reading.Identity
	Platform string // "Android", "iOS"; "" where it is not known
}

// A Kind counts the files of a format that were read as such.
type Kind struct {
	Name  string // "Android bytecode (DEX 039)"
	Files int
}

// Unread is a file of which a part is hidden from us.
type Unread struct {
	File string
	Why  string // without a full stop
}

// A Form is how an address is written.
type Form string

// The forms.
const (
	WholeURL   Form = "URL"
	BareHost   Form = "host"
	Verbatim   Form = "as given"   // of a string
	Split      Form = "split"      // over texts that code joins
	Neighbours Form = "neighbours" // over texts that are neighbours in the code
	Percent    Form = "percent-encoded"
	Base64     Form = "base64"
	Hex        Form = "hexadecimal"
	Reversed   Form = "reversed"
	UTF16      Form = "UTF-16"
	XOR        Form = "XOR with one byte"
	// Parent is a domain above the host, from which it may be built. It is no find.
	Parent Form = "parent domain"
)

// A Lead is a place in an app that mentions what is wanted.
type Lead struct {
	Wanted  string // the host, or the string
	File    string // in the app: "base.apk!/assets/index.android.bundle"
	App     int    // index in Result.Apps
	Offset  int64  // in the unpacked file, bytes
	Form    Form
	Key     byte // of XOR
	Place   reading.Place
	Text    string // the URL or text as it is written, decoded: "https://clients3.google.com/generate_204"
	Snippet Snippet
	Mention hosts.Mention   // of a host: what it looks like; zero for strings
	Origin  *library.Origin // whose code it is; nil where nothing tells
	// Overrides are what the app sets instead of the default.
	Overrides []library.Override
	// Same counts further places that say the same in the same file or module.
	Same int
	// Declared is what the app itself declares of contacts to the host: that cleartext is
	// permitted, that its key is pinned, that it serves to track. It stands with the first lead of a host.
	Declared []string
	// Copies are the same file for other processors, which say the same.
	Copies []string
}

// A Snippet is what stands around a match, in one line. It is the app's text: hostile, and with
// its secrets. There is more of it than is to be shown, 1 KiB on either side (256 bytes in a
// listing), so that what marks a secret is seen: first [Snippet.Masked], which needs all of it,
// then [Snippet.Fit]. An ellipsis stands where more was cut off.
type Snippet struct {
	Before, Match, After string
}

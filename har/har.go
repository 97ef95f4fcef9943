// Package har reads and writes HTTP Archives, HAR 1.2, the format in which
// browsers and proxies export what they saw
// (http://www.softwareishard.com/blog/har-12-spec/).
//
// It knows the specification and what real producers do instead of it. Reading
// and writing live side by side, so that one test holds them together: what
// [Writer] wrote, [Read] gives back flow by flow without loss, except that bodies
// come back without their content coding, and that what was found in them
// (flow.Flow.Exposures) comes back as a claim, without digests: it is to be looked for again
// (Examined is 0), and what the file says adds to that where contents were left out.
//
// [Read] promises to hold one entry at a time, and of that only a bounded part,
// whatever the file's size and however long a single string is. It is strict
// about JSON, so that a damaged file is never taken for a whole one, and lenient
// about everything inside an entry: nulls, wrong types and missing members are
// read as "not known". What it leaves out it counts ([Info]). It judges nothing
// and opens no file: what a HAR keeps beside itself, Options.Attached opens.
//
// Members that begin with an underscore and are neither ours nor listed in the
// documentation of [Read] are dropped: a flow holds facts about traffic, not what
// one tool thinks of it.
//
// To debug an import, look at the place that each flow carries in Origin and at
// the one that [Error] names; both count lines of the file as it was decoded.
package har

import (
	"fmt"
	"strings"
)

// Info is what is known of a file after it was read.
type Info struct {
	Producer string // creator's name and version, the browser's where it has no creator: "Firefox 128"
	Version  string // of the format, as the file says; "" when it does not
	Entries  int    // entries found, those included that are no contacts or are damaged
	// Skipped counts the entries that are no contact with a server, by the
	// scheme of their URL ("data", "blob", "chrome-extension", …).
	Skipped map[string]int
	// LeftOut counts the bodies that are kept outside of the file and could not be
	// read there. Without Options.Bodies it is 0.
	LeftOut int
	// Experiments were in force while a file of ours was recorded.
	Experiments []Experiment
	// Notes are sentences on what had to be assumed or could not be kept.
	Notes []string
}

// Error says what is wrong with a file and where. It is what [Read] returns for
// damaged input; flows outside the damage were delivered.
type Error struct {
	File    string // the name given in Options
	Entry   int    // 1-based number of the entry; 0 when the place is outside the entries
	Line    int    // 1-based; 0 when unknown
	Column  int    // 1-based, in bytes; 0 when unknown
	Offset  int64  // bytes from the start of the file as UTF-8
	Message string // what was found and what was expected
	More    int    // further damaged entries
	Err     error  // the cause outside the file, a failing disk for instance; often nil
	hint    string
}

// Error formats the place as compilers do, so that terminals make a link of it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
	} else {
		b.WriteString("HAR")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Entry > 0 {
		fmt.Fprintf(&b, "entry %d: ", e.Entry)
	}
	b.WriteString(e.Message)
	if e.Line > 0 {
		fmt.Fprintf(&b, " (byte %d)", e.Offset)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	switch {
	case e.More == 1:
		b.WriteString("; one more entry is damaged")
	case e.More > 1:
		fmt.Fprintf(&b, "; %d more entries are damaged", e.More)
	}
	return b.String()
}

// Unwrap returns the cause outside the file.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it, "" when there is nothing better than to export
// the file again.
func (e *Error) Hint() string { return e.hint }

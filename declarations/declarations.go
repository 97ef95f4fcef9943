// Package declarations reads what an app says of its own privacy: Apple's privacy
// manifest (PrivacyInfo.xcprivacy) and App Transport Security (Info.plist), Android's network
// security configuration and what its manifest says of the network.
//
// It knows the formats and nothing of traffic: package policy compares what was
// declared with what was seen. [Read] recognises a file by its content. It promises to
// refuse what it cannot understand, with the line and with what was expected, rather than
// to judge by a part; what the platform itself overlooks is kept as a note. Input is
// foreign: its size, its depth and what it unfolds to are bounded, and no entity is ever
// expanded.
//
// It follows no links, reads no archives and does not decode compiled XML: an APK holds
// its configuration in that form; apktool turns it back into text, as does package
// locate/resources. To debug a file
// that is refused, look at the line of the error; of a binary property list it is the
// offset of the object.
package declarations

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"telltale/plist/elements"
)

// MaxSize bounds a file, in bytes. Real ones have a few thousand.
const MaxSize = 1 << 20

// A Declaration is one file of an app.
type Declaration struct {
	File    string           // as the user named it
	Digest  string           // lower-case hex SHA-256 of the file
	Privacy *PrivacyManifest // nil unless it is one
	Network *NetworkSecurity // nil unless it is one
	// Transport is what Info.plist says of transport security; nil unless it is one.
	Transport *TransportSecurity
	Manifest  *AndroidManifest // nil unless it is one
	// Notes are what is worth knowing of the file by itself, a sentence each. They hold
	// text of the file.
	Notes []string
}

// What names the kind of file: "privacy manifest".
func (d *Declaration) What() string {
	switch {
	case d.Privacy != nil:
		return "privacy manifest"
	case d.Network != nil:
		return "network security configuration"
	case d.Transport != nil:
		return "Info.plist"
	case d.Manifest != nil:
		return "Android manifest"
	}
	return ""
}

func (d *Declaration) note(format string, args ...any) {
	const most = 100
	if len(d.Notes) < most {
		d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
	}
}

// An Error says what is wrong with a file, and where.
type Error struct {
	File    string // as the user named it
	Line    int    // 1-based; 0 where the format has no lines
	Message string // lower case, without a full stop; it may quote the file
	hint    string
}

// Error returns the place and the message.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return e.File + ": " + e.Message
}

// Hint says what to do about it, "" when that is not known.
func (e *Error) Hint() string { return e.hint }

const (
	whatIsRead     = "telltale reads Apple's PrivacyInfo.xcprivacy and Info.plist, Android's network security configuration and AndroidManifest.xml"
	hintOfCompiled = "turn it back into text: apktool d app.apk, then give telltale the file under res/xml"
	hintOfUTF16    = "save it as UTF-8"
)

// Read reads a declaration, which it recognises by its content. The name is the one shown
// in errors. The error is an [*Error].
func Read(name string, data []byte) (Declaration, error) {
	sum := sha256.Sum256(data)
	d := Declaration{File: name, Digest: hex.EncodeToString(sum[:])}
	if err := d.read(data); err != nil {
		return Declaration{}, named(name, err)
	}
	return d, nil
}

func (d *Declaration) read(data []byte) error {
	switch {
	case len(data) > MaxSize:
		return errorAt(0, fmt.Sprintf("the file is larger than %d bytes", MaxSize), whatIsRead)
	case bytes.HasPrefix(data, []byte("bplist")):
		return d.readPlist(data)
	case bytes.HasPrefix(data, []byte{0x03, 0x00, 0x08, 0x00}): // RES_XML_TYPE, ResourceTypes.h
		return errorAt(0, "the file is compiled Android XML, expected its text", hintOfCompiled)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return errorAt(0, "the file is an archive, expected a file from inside it", "unpack the app first: apktool d app.apk, or unzip app.ipa")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return errorAt(1, "the file is UTF-16, expected UTF-8", hintOfUTF16)
	}
	return d.readText(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
}

// readText reads XML, whose root says what it is.
func (d *Declaration) readText(data []byte) error {
	if !utf8.Valid(data) {
		return errorAt(firstBadLine(data), "the file is neither XML in UTF-8 nor a binary property list", whatIsRead)
	}
	text := bytes.TrimLeft(data, " \t\r\n")
	if len(text) == 0 {
		return errorAt(0, "the file is empty", whatIsRead)
	}
	if text[0] != '<' {
		blank := data[:len(data)-len(text)]
		return errorAt(1+bytes.Count(blank, []byte("\n")), "the file is not XML, expected <plist> or <network-security-config>", whatIsRead)
	}
	x := elements.New(data)
	root, err := x.Root()
	if err != nil {
		return err
	}
	switch root.Name {
	case "plist":
		return d.readPlist(data)
	case "network-security-config":
		return d.readNetwork(x)
	case "manifest":
		return d.readManifest(x, root)
	}
	return errorAt(root.Line, "the root is <"+elements.Clip(root.Name)+">, expected <plist>, <network-security-config> or <manifest>", whatIsRead)
}

// firstBadLine returns the line of the first byte that is not UTF-8.
func firstBadLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}

// isManifestName reports whether a file is called as Xcode wants a privacy manifest.
func isManifestName(file string) bool {
	return strings.EqualFold(filepath.Base(file), "PrivacyInfo.xcprivacy")
}

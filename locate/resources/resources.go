// Package resources reads what an app carries beside its code: Android's compiled XML and
// resource tables, in the form of APKs and of app bundles, Apple's property lists, and files
// of text.
//
// It knows the formats (ResourceTypes.h and aapt2's Resources.proto of the Android Open Source Project;
// property lists by package plist) and where in them a text stands: element and
// attribute, name of the resource and its configuration, path of keys, line and column. [Text]
// turns compiled XML back into XML, and [Names] gives its references names.
//
// It tolerates what the platforms tolerate, since packers damage headers on purpose, and refuses
// what it cannot follow, with the offset. Work and memory are bounded by the size of the
// file: strings that share bytes and values that share objects are counted as often as they are
// read. Text is taken apart only as far as its places need: it is no check of JSON, XML or code.
// JavaScript is not read here. To debug a place, compare with `aapt2 dump xmltree` or `aapt2 dump
// resources`; the tests hold both against it.
package resources

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"telltale/locate/reading"
)

// format is one that is read here.
type format struct {
	is   func(name string, head []byte) bool
	open func(data []byte) (reading.Document, error)
}

// formats are asked in this order.
var formats = []format{
	{isTable, openTable},
	{isBinaryXML, openXML},
	{func(name string, head []byte) bool {
		return strings.HasSuffix(name, "resources.pb") && isProtoTable(head)
	}, openProtoTable},
	{func(name string, head []byte) bool { return strings.HasSuffix(name, ".xml") && isProtoXML(head) }, func(data []byte) (reading.Document, error) { return openProtoXML(data), nil }},
	{isList, openList},
}

func openXML(data []byte) (reading.Document, error) {
	c, err := openBinaryXML(data)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Is reports whether a file is of one of the formats, by its path and its first bytes. All
// text that is no JavaScript is.
func Is(name string, head []byte) bool {
	name = strings.ToLower(name)
	for _, f := range formats {
		if f.is(name, head) {
			return true
		}
	}
	return isText(name, head)
}

// Open reads a file. The error says what is wrong with it, and where.
func Open(name string, data []byte) (reading.Document, error) {
	name = strings.ToLower(name)
	for _, f := range formats {
		if f.is(name, data) {
			return f.open(data)
		}
	}
	return openAsText(name, data), nil
}

// isBinaryXML recognises compiled XML by its type, or where that is falsified by the string pool
// that comes first.
func isBinaryXML(_ string, head []byte) bool {
	if len(head) < 2*chunkHeader {
		return false
	}
	first := max(u16(head, 2), chunkHeader)
	if u16(head, 0) == chunkXML && first == chunkHeader {
		return true
	}
	return first <= len(head)-chunkHeader && u16(head, first) == chunkPool && u16(head, first+2) == 0x1c
}

func isTable(_ string, head []byte) bool {
	return len(head) >= 12 && u16(head, 0) == chunkTable && u16(head, 2) == 12 && int(u32(head, 8)) < 1<<16
}

// isList recognises a property list; the old text form goes by the name.
func isList(name string, head []byte) bool {
	if bytes.HasPrefix(head, []byte("bplist0")) {
		return true
	}
	if path.Ext(name) == ".strings" {
		return isText("", head)
	}
	start := head[:min(len(head), 1024)]
	return isMarkup(head) && (bytes.Contains(start, []byte("<plist")) || bytes.Contains(start, []byte("<!DOCTYPE plist")))
}

// scripts are the names of JavaScript, which package script reads.
var scripts = map[string]bool{".js": true, ".mjs": true, ".cjs": true, ".jsx": true, ".ts": true, ".tsx": true,
	".mts": true, ".cts": true, ".bundle": true, ".jsbundle": true, ".map": true, ".hbc": true}

// isText reports whether bytes are text: UTF-8 without control characters, or marked as UTF-16.
func isText(name string, head []byte) bool {
	if scripts[path.Ext(name)] || len(head) == 0 {
		return false
	}
	if wideOf(head) != nil {
		return true
	}
	for at := 0; at < len(head); {
		r, size := utf8.DecodeRune(head[at:])
		if r == utf8.RuneError && size == 1 && at < len(head)-utf8.UTFMax || r < ' ' && !strings.ContainsRune("\t\n\r\f\v\x1b", r) || r == 0x7f {
			return false
		}
		at += size
	}
	return true
}

func isMarkup(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, "\ufeff \t\r\n"), []byte("<"))
}

// kindOfText is a kind of text by its name.
type kindOfText struct {
	kind   string
	syntax func(text []byte) syntax
	source bool // code with literals
	quotes      // of its literals
}

var (
	asJSON       = kindOfText{kind: "JSON", syntax: newJSON}
	asXML        = kindOfText{kind: "XML", syntax: newXML}
	asHTML       = kindOfText{kind: "HTML", syntax: newHTML}
	asProperties = kindOfText{kind: "properties", syntax: newKeyed}
	asYAML       = kindOfText{kind: "YAML", syntax: newYAML}
	asPlain      = kindOfText{kind: "text"}
)

var kindsOfText = map[string]kindOfText{
	".json": asJSON, ".json5": asJSON, ".jsonc": asJSON, ".webmanifest": asJSON, ".resolved": asJSON, ".arb": asJSON,
	".xml": asXML, ".svg": asXML, ".storyboard": asXML, ".xib": asXML, ".xsd": asXML, ".pom": asXML, ".config": asXML,
	".html": asHTML, ".htm": asHTML, ".xhtml": asHTML, ".vue": asHTML, ".svelte": asHTML,
	".properties": asProperties, ".env": asProperties, ".ini": asProperties, ".cfg": asProperties, ".conf": asProperties,
	".toml": asProperties, ".xcconfig": asProperties,
	".yaml": asYAML, ".yml": asYAML,
	".java": code("Java", quotes{}), ".kt": code("Kotlin", quotes{rawBlocks: true}), ".kts": code("Kotlin", quotes{rawBlocks: true}), ".swift": code("Swift", quotes{}),
	".dart": code("Dart", quotes{single: true}), ".m": code("Objective-C", quotes{}), ".mm": code("Objective-C", quotes{}), ".h": code("C", quotes{}),
	".c": code("C", quotes{}), ".cc": code("C++", quotes{}), ".cpp": code("C++", quotes{}), ".hpp": code("C++", quotes{}),
	".cs": code("C#", quotes{}), ".gradle": code("Groovy", quotes{single: true}), ".groovy": code("Groovy", quotes{single: true}), ".scala": code("Scala", quotes{rawBlocks: true}),
}

func code(language string, q quotes) kindOfText {
	return kindOfText{kind: language + " source", source: true, quotes: q}
}

// openAsText reads text as its content and its name say.
func openAsText(name string, data []byte) reading.Document {
	kind, known := kindsOfText[path.Ext(name)]
	if base := path.Base(name); !known && (base == ".env" || strings.HasPrefix(base, ".env.")) {
		kind, known = asProperties, true
	}
	start := bytes.TrimLeft(data[:min(len(data), 1024)], "\ufeff \t\r\n")
	switch {
	case known:
	case bytes.HasPrefix(start, []byte("<?xml")):
		kind = asXML
	case bytes.HasPrefix(bytes.ToLower(start), []byte("<!doctype html")), bytes.HasPrefix(bytes.ToLower(start), []byte("<html")):
		kind = asHTML
	case len(start) > 0 && (start[0] == '{' || start[0] == '[') && bytes.Contains(start, []byte("\":")):
		kind = asJSON
	default:
		kind = asPlain
	}
	f := openText(kind.kind, data, kind.syntax)
	if kind.source {
		return &sourceFile{f, kind.quotes}
	}
	if _, ok := f.syntax.(*jsonText); ok {
		return &jsonFile{f}
	}
	return f
}

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Options are what a policy takes from outside its file.
type Options struct {
	// Env looks a variable up; nil is the process's environment.
	Env func(string) (string, bool)
	// Now is the time by which waivers expire; nil is the clock.
	Now func() time.Time
	// ReadFile reads the file of a value under never-send; nil reads the disk.
	ReadFile func(path string) ([]byte, error)
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// MaxFileSize bounds a policy file, in bytes. Real ones have a few thousand.
const MaxFileSize = 1 << 20

// maxDepth bounds how deep a file may nest. A policy needs six levels.
const maxDepth = 32

// maxBlocks bounds how many block scalars a file may have: the YAML scanner looks at
// the rest of the file for each.
const maxBlocks = 500

// Load reads the policy at path. The error is an [*Error] where the content is at
// fault.
func Load(path string, opts Options) (*Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy: %w", err)
	}
	return Parse(path, data, opts)
}

// Parse reads a policy file, version 1. The name is the one shown in errors and
// sources. The error is an [*Error].
func Parse(file string, data []byte, opts Options) (*Policy, error) {
	d, doc, _, err := read(file, data, opts, "")
	if err != nil {
		return nil, err
	}
	if err := d.checkNamesSomething(doc); err != nil {
		return nil, err
	}
	return build(file, data, doc, d.lines), nil
}

// read returns what a policy file says, checked, and its syntax tree. The section
// named vacant may be without a value: an editor is about to give it one.
func read(file string, data []byte, opts Options, vacant string) (*decoder, *document, ast.Node, error) {
	if opts.Env == nil {
		opts.Env = os.LookupEnv
	}
	if opts.ReadFile == nil {
		opts.ReadFile = readSecretFile
	}
	source := bytes.ReplaceAll(bytes.TrimPrefix(data, []byte(byteOrderMark)), []byte("\r\n"), []byte("\n"))
	d := &decoder{
		file: file, lines: strings.Split(string(source), "\n"), env: opts.Env, readFile: opts.ReadFile, now: opts.now(),
		anchors: map[string]ast.Node{}, budget: maxNodes, vacant: vacant,
	}
	if err := d.checkText(data, source); err != nil {
		return nil, nil, nil, err
	}
	root, err := d.parseYAML(source)
	if err != nil {
		return nil, nil, nil, err
	}
	doc := &document{}
	if err := d.decode(root, reflect.ValueOf(doc).Elem()); err != nil {
		return nil, nil, nil, d.maskError(err, root)
	}
	if err := d.checkDocument(doc); err != nil {
		return nil, nil, nil, d.maskError(err, root)
	}
	return d, doc, root, nil
}

// byteOrderMark may stand before the text of a file (Unicode 15, 23.8).
const byteOrderMark = "\xef\xbb\xbf"

// checkText refuses what is no text, or has characters that YAML does not allow
// (YAML 1.2.2, 5.1) or that look alike and are not, before any parser sees it.
func (d *decoder) checkText(raw, source []byte) error {
	if len(raw) > MaxFileSize {
		return d.errorAt(1, 1, fmt.Sprintf("the file is larger than %d bytes", MaxFileSize), "is this the policy, or a capture?")
	}
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return d.errorAt(1, 1, "the file is UTF-16", "save it as UTF-8")
	}
	line, column, indent := 1, 1, true
	blocks, before := 0, ' '
	for rest := source; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		if (r == '|' || r == '>') && before == ' ' {
			blocks++
		}
		before = r
		switch {
		case blocks > maxBlocks:
			return d.errorAt(line, column, fmt.Sprintf("more than %d block texts (| or >)", maxBlocks), "write them in quotes")
		case r == utf8.RuneError && size == 1:
			return d.errorAt(line, column, "the file is not UTF-8", "save it as UTF-8")
		case r == '\t' && indent:
			return d.errorAt(line, column, "a tab in the indentation", "indent with spaces")
		case r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			return d.errorAt(line, column, fmt.Sprintf("a control character (U+%04X)", r), "remove it")
		}
		column++
		indent = indent && r == ' '
		if r == '\n' {
			line, column, indent = line+1, 1, true
		}
	}
	return nil
}

// parseYAML returns the one document of the source.
func (d *decoder) parseYAML(source []byte) (root ast.Node, err error) {
	// The parser is foreign code fed with foreign input: should it panic, the file
	// is at fault and the program goes on.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, d.errorAt(1, 1, "the file is not valid YAML", "")
		}
	}()
	tokens := lexer.Tokenize(string(source))
	if err := d.checkTokens(tokens); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, d.syntaxError(err)
	}
	for _, doc := range tree.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			at := placeOf(doc.Body)
			if doc.Start != nil {
				at = place{Line: doc.Start.Position.Line, Column: doc.Start.Position.Column}
			}
			return nil, d.errorAt(at.Line, at.Column, "a second document starts here", "a policy is one document: remove the --- and what follows")
		default:
			root = doc.Body
		}
	}
	if root == nil {
		return nil, d.errorAt(1, 1, "the policy is empty", "telltale policy init writes a first one")
	}
	return root, nil
}

// checkTokens refuses what only serves to exhaust a parser: it recurses for each
// level, and a line can open thousands; it looks at every former key of a mapping for
// each new one.
func (d *decoder) checkTokens(tokens token.Tokens) error {
	onLine, line := 0, 0
	keys := map[int]int{} // in block style, by column: one for each open level
	var open []int        // keys of each open bracket or brace
	for _, tk := range tokens {
		if tk.Position == nil {
			continue
		}
		at, many := tk.Position, false
		if at.Line != line {
			line, onLine = at.Line, 0
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			open = append(open, 0)
		case token.SequenceEndType, token.MappingEndType:
			open = open[:max(0, len(open)-1)]
		case token.MappingValueType:
			many = countKey(tk, keys, open)
		case token.SequenceEntryType:
			onLine++
			forget(keys, at.Column)
			keys[at.Column] += 0 // a level
		case token.MappingKeyType, token.TagType, token.AnchorType:
			onLine++
		}
		switch {
		case many:
			return d.errorAt(at.Line, at.Column, fmt.Sprintf("more than %d keys in one place", maxKeys), "a policy has ten keys, an entry six")
		case len(open) > maxDepth || onLine > maxDepth || len(keys) > maxDepth:
			return d.errorAt(at.Line, at.Column, "nested too deep", "a policy has six levels")
		}
	}
	return nil
}

// maxKeys bounds the keys of one mapping. A policy has ten.
const maxKeys = 64

// countKey counts the key before a colon in its mapping, and reports whether there
// are too many.
func countKey(colon *token.Token, keys map[int]int, open []int) bool {
	if n := len(open); n > 0 {
		open[n-1]++
		return open[n-1] > maxKeys
	}
	column := colon.Position.Column
	if colon.Prev != nil && colon.Prev.Position != nil {
		column = colon.Prev.Position.Column
	}
	forget(keys, column)
	keys[column]++
	return keys[column] > maxKeys
}

// forget drops the counts of mappings that lie right of a column: they have ended.
func forget(keys map[int]int, column int) {
	for c := range keys {
		if c > column {
			delete(keys, c)
		}
	}
}

// syntaxError gives an error of the YAML parser our form. Its message may quote
// content, its token says where.
func (d *decoder) syntaxError(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil || e.GetToken().Position == nil {
		return d.errorAt(1, 1, "the file is not valid YAML", "")
	}
	at := e.GetToken().Position
	message, hint := "not valid YAML: "+e.GetMessage(), ""
	if at.Line >= 1 && at.Line <= len(d.lines) {
		line := d.lines[at.Line-1]
		if _, secret := maskValue(line); secret || d.isSecret(at.Line) {
			message = "not valid YAML"
		}
		switch {
		case strings.Contains(line, "*"):
			hint = `a host pattern that starts with * needs quotes: "*.canada.ca"`
		case strings.Contains(line, "]:"):
			hint = `text that starts with [ needs quotes: "[2001:db8::1]:443"`
		}
	}
	return d.errorAt(at.Line, at.Column, message, hint)
}

// checkDocument refuses what each entry for itself cannot show.
func (d *decoder) checkDocument(doc *document) error {
	if err := d.checkEntries(doc.Allow, doc.Ignore, doc.Deny); err != nil {
		return err
	}
	if err := d.checkConsent(doc.Consent); err != nil {
		return err
	}
	if err := d.checkDevices(doc); err != nil {
		return err
	}
	if err := d.checkTelling(doc); err != nil {
		return err
	}
	return d.checkSecrets(doc.NeverSend)
}

func (d *decoder) checkEntries(allow []allowEntry, ignore []ignoreEntry, deny []denyEntry) error {
	for i := range allow {
		e := &allow[i]
		if e.Methods != nil && len(e.Methods) == 0 {
			return d.errorAt(e.Line, e.Column, "methods is an empty list, which allows nothing", "name a method, or leave methods out to allow every one")
		}
		if e.Paths != nil && len(e.Paths) == 0 {
			return d.errorAt(e.Line, e.Column, "paths is an empty list, which allows nothing", "name a path, or leave paths out to allow every one")
		}
	}
	for i := range ignore {
		if e := &ignore[i]; e.Host.present() == e.Preset.present() {
			return d.errorAt(e.Line, e.Column, "an entry of ignore names either a host or a preset", "")
		}
	}
	for i := range deny {
		if e := &deny[i]; e.Host.present() == e.Category.present() {
			return d.errorAt(e.Line, e.Column, "an entry of deny names either a host or a category", "")
		}
	}
	return nil
}

// checkNamesSomething refuses a policy that has nothing to judge by.
func (d *decoder) checkNamesSomething(doc *document) error {
	entries := len(doc.Allow) + len(doc.Ignore) + len(doc.Deny) + len(doc.NeverSend) + len(doc.Waivers)
	for i := range doc.Devices {
		e := &doc.Devices[i]
		entries += len(e.Allow) + len(e.Ignore) + len(e.Deny) + len(e.Waivers)
	}
	if entries == 0 {
		return d.errorAt(doc.Line, doc.Column, "the policy names nothing: allow, ignore, deny, never-send and waivers are missing or empty",
			"name the hosts that the app may contact under allow; to forbid every host write deny: [\"*\"]")
	}
	return nil
}

package policy

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"telltale/flow"
)

// A guarded section may hold secrets: errors show of its lines only what cannot be one.
type guarded struct {
	section  string
	keys     []string       // that are known in it
	open     []string       // those whose values are no secrets
	inBraces *regexp.Regexp // the section in a mapping in braces
}

var guardedSections = []guarded{
	{"never-send", keysOf(reflect.TypeFor[secretEntry]()), []string{"name", "file"}, inBraces("never-send")},
	{"notify", notifyKeys(), strings.Fields("name to mail from github gitlab labels ca env file keychain " +
		"events rules severity hosts devices phases after group timeout"), inBraces("notify")},
}

// notifyKeys returns every key at any depth of the section notify.
func notifyKeys() (keys []string) {
	for _, t := range []reflect.Type{
		reflect.TypeFor[notifyEntry](), reflect.TypeFor[destinationEntry](), reflect.TypeFor[credentialPlace](),
		reflect.TypeFor[routeEntry](), reflect.TypeFor[escalateEntry](), reflect.TypeFor[whenEntry](),
	} {
		keys = append(keys, keysOf(t)...)
	}
	return keys
}

func inBraces(section string) *regexp.Regexp {
	return regexp.MustCompile(`[{,]\s*["']?` + section + `["']?\s*:`)
}

// guardOf returns the guarded section to which a line belongs, 1-based, nil for none.
func (d *decoder) guardOf(line int) *guarded {
	if d.guards == nil {
		d.guards = guardsOf(d.lines)
	}
	if line < 1 || line > len(d.guards) {
		return nil
	}
	return d.guards[line-1]
}

// isSecret reports whether a line, 1-based, belongs to a section that may hold secrets.
func (d *decoder) isSecret(line int) bool { return d.guardOf(line) != nil }

// guardsOf returns for each line of a file the guarded section to which it belongs, at whatever
// depth its key stands and also where it is misspelt. It goes by the text: errors show lines
// of files that are no YAML.
func guardsOf(lines []string) []*guarded {
	of := make([]*guarded, len(lines))
	depth, braces := 0, false
	var within *guarded
	for i, line := range lines {
		rest := strings.TrimLeft(line, " ")
		indent := len(line) - len(rest)
		key := lineKey.FindStringSubmatch(rest)
		if within != nil && !braces && key != nil && key[1] == "" && indent <= depth {
			within = nil
		}
		for j := 0; j < len(guardedSections) && within == nil; j++ {
			g := &guardedSections[j]
			switch {
			case g.inBraces.MatchString(line): // who knows where they end
				within, braces = g, true
			case key != nil && nearest(key[2], []string{g.section}) != "":
				within, depth = g, indent
				braces = strings.Count(rest, "[")+strings.Count(rest, "{") > strings.Count(rest, "]")+strings.Count(rest, "}")
			}
		}
		of[i] = within
	}
	return of
}

var (
	// lineKey is the key that a line of a mapping begins with, and the dashes before it.
	lineKey = regexp.MustCompile(`^((?:-[ \t]+)*)["']?([A-Za-z][A-Za-z_-]*)["']?[ \t]*:`)
	// shownPart is what may be shown of a line of a guarded section: punctuation, keys and
	// variables.
	shownPart = regexp.MustCompile(`^(?:[ \t{\[,]+|[}\]]+|-[ \t]+|-$|["']?([A-Za-z][A-Za-z_-]*)["']?[ \t]*:(?:[ \t]+|$)|["']?\$\{[A-Za-z_][A-Za-z0-9_]*\}["']?(?:[ \t}\],]+|$))`)
	// scalarPart is a name or a path, in quotes or without, or a list of some in brackets.
	scalarPart = regexp.MustCompile(`^(?:` + scalarText + `|\[[ \t]*` + scalarText + `(?:[ \t]*,[ \t]*` + scalarText + `)*[ \t]*\])`)
)

const scalarText = `(?:"[^"\\]*"|'[^']*'|[^"'{}\[\],#&*!|>%@ \t][^{}\[\],#"']*)`

// mask returns a line of the section up to what can be a secret or a part of one. A URL is
// shown nowhere: a person may have put it under another key.
func (g *guarded) mask(line string) string {
	known := append(slices.Clone(g.keys), g.section)
	for rest := line; rest != ""; {
		part := shownPart.FindStringSubmatch(rest)
		if part == nil || part[1] != "" && nearest(part[1], known) == "" {
			return line[:len(line)-len(rest)] + flow.Redacted
		}
		rest = rest[len(part[0]):]
		if slices.Contains(g.open, part[1]) {
			if value := scalarPart.FindString(rest); !strings.Contains(value, "://") {
				rest = rest[len(value):]
			}
		}
	}
	return line
}

// maskError takes the values under never-send, and the secrets under notify, out of what an
// error says: other sections may quote them, too. What is wrong with the values themselves is left to others.
func (d *decoder) maskError(err error, root ast.Node) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	p := &Policy{}
	p.setSecrets(d.secretsOf(root))
	e.Message, e.excerpt, e.hint = p.Mask(e.Message), p.Mask(e.excerpt), p.Mask(e.hint)
	return err
}

// secretsOf returns the values of a file that may have errors.
func (d *decoder) secretsOf(root ast.Node) (secrets []Secret) {
	mapping, ok := root.(ast.MapNode)
	if !ok {
		return nil
	}
	for it := mapping.MapRange(); it.Next(); {
		if isKey(it, "notify") {
			secrets = append(secrets, d.credentialsOf(it.Value())...)
			continue
		}
		list, ok := it.Value().(*ast.SequenceNode)
		if !isKey(it, "never-send") || !ok {
			continue
		}
		for _, item := range list.Values {
			var e secretEntry
			if d.decode(item, reflect.ValueOf(&e).Elem()) == nil && d.checkSecrets([]secretEntry{e}) == nil {
				secrets = append(secrets, Secret{Name: e.Name.Value, value: e.Value.Value})
			}
		}
	}
	return secrets
}

func isKey(it *ast.MapNodeIter, key string) bool {
	return it.Key() != nil && it.Key().GetToken() != nil && it.Key().GetToken().Value == key
}

// credentialsOf returns the secrets under notify that are written as text: the values of keys
// that take one, at whatever depth.
func (d *decoder) credentialsOf(n ast.Node) (secrets []Secret) {
	for _, path := range []string{"sign", "smtp", "password", "token", "slack", "teams", "discord", "mattermost", "webhook"} {
		for _, value := range valuesOf(n, path, maxDepth) {
			text, err := d.stringOf(value)
			if _, password := userOf(text); path == "smtp" && !password {
				continue
			}
			if err == nil && len(text) >= minSecret && len(text) <= maxSecret {
				secrets = append(secrets, Secret{Name: path, value: text})
			}
		}
	}
	return secrets
}

// valuesOf returns the scalars under a key, at whatever depth.
func valuesOf(n ast.Node, key string, depth int) (values []ast.Node) {
	if depth == 0 {
		return nil
	}
	switch node := n.(type) {
	case *ast.SequenceNode:
		for _, item := range node.Values {
			values = append(values, valuesOf(item, key, depth-1)...)
		}
	case ast.MapNode:
		for it := node.MapRange(); it.Next(); {
			if isKey(it, key) && it.Value() != nil && isScalar(it.Value()) {
				values = append(values, it.Value())
				continue
			}
			values = append(values, valuesOf(it.Value(), key, depth-1)...)
		}
	}
	return values
}

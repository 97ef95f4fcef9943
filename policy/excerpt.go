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
	exact    bool           // a short word, to which too many are near
	keys     []string       // that are known in it
	open     []string       // those whose values are no secrets
	inBraces *regexp.Regexp // the section in a mapping in braces
}

var guardedSections = []guarded{
	{"never-send", false, keysOf(reflect.TypeFor[secretEntry]()), []string{"name", "file"}, inBraces("never-send")},
	{"notify", false, notifyKeys(), strings.Fields("name to mail from github gitlab labels ca env file keychain " +
		"events rules severity hosts devices phases after group timeout"), inBraces("notify")},
	// Arguments of programs are secrets at times, and so is what is written as NAME=secret.
	{"on", true, append(keysOf(reflect.TypeFor[actionEntry]()), keysOf(reflect.TypeFor[whenEntry]())...), strings.Fields(
		"events rules severity hosts devices phases timeout output memory run environment"), inBraces("on")},
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
			case key != nil && (key[2] == g.section || !g.exact && nearest(key[2], []string{g.section}) != ""):
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

// shapesOfValues are of keys under which not every name or path is shown: only what is the name
// of a variable, and a program without arguments.
var shapesOfValues = map[string]*regexp.Regexp{
	"env":         regexp.MustCompile(`^["']?[A-Za-z_][A-Za-z0-9_]*["']?[ \t]*(?:[},]|$)`),
	"environment": regexp.MustCompile(`^\[[ \t]*[A-Za-z_][A-Za-z0-9_]*(?:[ \t]*,[ \t]*[A-Za-z_][A-Za-z0-9_]*)*[ \t]*\]`),
	"run":         regexp.MustCompile(`^\[[ \t]*["']?[^"'{}\[\],= \t]*["']?[ \t]*\]`),
}

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
			shape := scalarPart
			if special := shapesOfValues[part[1]]; special != nil {
				shape = special
			}
			if value := shape.FindString(rest); !isWebAddress(value) {
				rest = rest[len(value):]
			}
		}
	}
	return line
}

// webAddress is a URL, or a host with a path, which a URL without its scheme is.
var webAddress = regexp.MustCompile(`(?:[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]+)?[/?])[^\s"'\]},]*`)

// isWebAddress reports whether something can be the URL of a webhook.
func isWebAddress(text string) bool { return webAddress.MatchString(text) }

// maskAddresses leaves of each URL its scheme and host: behind them, and before an @, stands
// what makes the URL of a webhook a secret. It is for lines of sections that have no URLs.
func maskAddresses(line string) string {
	return webAddress.ReplaceAllStringFunc(line, func(found string) string {
		scheme, rest, ok := strings.Cut(found, "://")
		if !ok {
			scheme, rest = "", found
		} else {
			scheme += "://"
		}
		if kindOfURL("https://"+rest) == Webhook && !ok {
			return found // a pattern of a path, as sections have them
		}
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		host, path := rest[:end], rest[end:]
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host = flow.Redacted + host[at:]
		}
		if len(path) > 1 {
			path = path[:1] + flow.Redacted
		}
		return scheme + host + path
	})
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

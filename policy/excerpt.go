package policy

import (
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"telltale/flow"
)

// isSecret reports whether a line, 1-based, belongs to never-send.
func (d *decoder) isSecret(line int) bool {
	if d.secretLines == nil {
		d.secretLines = secretLines(d.lines)
	}
	return line >= 1 && line <= len(d.secretLines) && d.secretLines[line-1]
}

// secretLines reports for each line of a file whether it belongs to never-send, at whatever
// depth the key stands and also where it is misspelt. It goes by the text: errors show lines
// of files that are no YAML.
func secretLines(lines []string) []bool {
	is := make([]bool, len(lines))
	depth, within, braces := 0, false, false
	for i, line := range lines {
		rest := strings.TrimLeft(line, " ")
		indent := len(line) - len(rest)
		key := lineKey.FindStringSubmatch(rest)
		if within && !braces && key != nil && key[1] == "" && indent <= depth {
			within = false
		}
		switch {
		case within:
		case inBraces.MatchString(line): // who knows where they end
			within, braces = true, true
		case key != nil && nearest(key[2], []string{"never-send"}) != "":
			within, depth = true, indent
			braces = strings.Count(rest, "[")+strings.Count(rest, "{") > strings.Count(rest, "]")+strings.Count(rest, "}")
		}
		is[i] = within
	}
	return is
}

var (
	// lineKey is the key that a line of a mapping begins with, and the dashes before it.
	lineKey = regexp.MustCompile(`^((?:-[ \t]+)*)["']?([A-Za-z][A-Za-z_-]*)["']?[ \t]*:`)
	// inBraces is never-send in a mapping in braces.
	inBraces = regexp.MustCompile(`[{,]\s*["']?never-send["']?\s*:`)
	// shownPart is what may be shown of a line under never-send: punctuation, keys and
	// variables.
	shownPart = regexp.MustCompile(`^(?:[ \t{\[,]+|[}\]]+|-[ \t]+|-$|["']?([A-Za-z][A-Za-z_-]*)["']?[ \t]*:(?:[ \t]+|$)|["']?\$\{[A-Za-z_][A-Za-z0-9_]*\}["']?(?:[ \t}\],]+|$))`)
	// scalarPart is a name or a path, in quotes or without.
	scalarPart = regexp.MustCompile(`^(?:"[^"\\]*"|'[^']*'|[^"'{}\[\],#&*!|>%@ \t][^{}\[\],#"']*)`)
)

// maskEntry returns a line under never-send up to what can be a value or a part of one.
func maskEntry(line string) string {
	known := append(keysOf(reflect.TypeFor[secretEntry]()), "never-send")
	for rest := line; rest != ""; {
		part := shownPart.FindStringSubmatch(rest)
		if part == nil || part[1] != "" && nearest(part[1], known) == "" {
			return line[:len(line)-len(rest)] + flow.Redacted
		}
		rest = rest[len(part[0]):]
		if part[1] == "name" || part[1] == "file" {
			rest = rest[len(scalarPart.FindString(rest)):]
		}
	}
	return line
}

// maskError takes the values under never-send out of what an error says: other sections may
// quote them, too. What is wrong with the values themselves is left to others.
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
		list, ok := it.Value().(*ast.SequenceNode)
		if it.Key() == nil || it.Key().GetToken() == nil || it.Key().GetToken().Value != "never-send" || !ok {
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

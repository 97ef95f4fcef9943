package policy

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder turns a syntax tree into a document, strictly: what has no place in the
// document is an error with its position.
type decoder struct {
	file  string
	lines []string
	env   func(string) (string, bool)
	now   time.Time
	// readFile reads the file of a value under never-send.
	readFile func(string) ([]byte, error)
	anchors  map[string]ast.Node
	vacant   string // top-level key that needs no value; "" in general
	// guards has for each line the section with secrets that it is of; nil until the first error.
	guards []*guarded
	budget int // nodes that may still be visited; aliases make small files large
}

// maxNodes bounds what a file may hold, aliases expanded.
const maxNodes = 500_000

// scalar is implemented by the scalar types of a document.
type scalar interface {
	decodeScalar(d *decoder, n ast.Node) error
	setPlace(place)
}

func (d *decoder) errorAt(line, column int, message, hint string) *Error {
	e := &Error{File: d.file, Line: max(line, 1), Column: max(column, 1), Message: message, hint: hint}
	if line >= 1 && line <= len(d.lines) {
		shown := d.lines[line-1]
		if g := d.guardOf(line); g != nil {
			shown = g.mask(shown)
		}
		shown = maskAddresses(shown)
		e.excerpt = excerptOf(shown)
	}
	return e
}

func (d *decoder) errorOn(n ast.Node, message, hint string) *Error {
	p := placeOf(n)
	return d.errorAt(p.Line, p.Column, message, hint)
}

// decode fills v, a settable value, from n.
func (d *decoder) decode(n ast.Node, v reflect.Value) error {
	n, err := d.resolve(n)
	if err != nil {
		return err
	}
	if s, ok := v.Addr().Interface().(scalar); ok {
		at := placeOf(n)
		at.written = written(n)
		s.setPlace(at)
		return s.decodeScalar(d, n)
	}
	switch v.Kind() {
	case reflect.Slice:
		return d.decodeList(n, v)
	default:
		return d.decodeStruct(n, v)
	}
}

// resolve follows anchors and aliases.
func (d *decoder) resolve(n ast.Node) (ast.Node, error) {
	for hops := 0; ; hops++ {
		if d.budget--; d.budget < 0 || hops > 100 {
			return nil, d.errorOn(n, "the policy holds more values than can be judged by", "is an alias used where one entry is meant?")
		}
		switch node := n.(type) {
		case *ast.AnchorNode:
			d.anchors[node.Name.GetToken().Value] = node.Value
			n = node.Value
		case *ast.AliasNode:
			name := node.Value.GetToken().Value
			target, ok := d.anchors[name]
			if !ok && d.isSecret(placeOf(n).Line) {
				return nil, d.errorOn(n, "an alias has no anchor before it", "text that starts with * needs quotes")
			}
			if !ok {
				return nil, d.errorOn(n, fmt.Sprintf("alias *%s has no anchor before it", name), quoteHint(name))
			}
			n = target
		case *ast.TagNode:
			if d.isSecret(placeOf(n).Line) {
				return nil, d.errorOn(n, "tags are not used in policies", "text that starts with ! needs quotes")
			}
			return nil, d.errorOn(n, "tags are not used in policies", "remove "+node.Start.Value)
		default:
			if n == nil {
				return nil, d.errorAt(1, 1, "the file ends too early", "")
			}
			return n, nil
		}
	}
}

// quoteHint is for the commonest way to write an alias by mistake.
func quoteHint(name string) string {
	return fmt.Sprintf("a host pattern that starts with * needs quotes: %q", "*"+name)
}

func (d *decoder) decodeList(n ast.Node, v reflect.Value) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return d.errorOn(n, "expected a list, found "+describe(n), "put each entry on its own line after a dash")
	}
	out := reflect.MakeSlice(v.Type(), 0, len(list.Values))
	for _, item := range list.Values {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.decode(item, e); err != nil {
			return err
		}
		out = reflect.Append(out, e)
	}
	v.Set(out)
	return nil
}

func (d *decoder) decodeStruct(n ast.Node, v reflect.Value) error {
	at := placeOf(n)
	if short, ok := v.Addr().Interface().(shorthand); ok && isScalar(n) {
		at.written = written(n)
		v.Addr().Interface().(interface{ setPlace(place) }).setPlace(at)
		return d.decode(n, reflect.ValueOf(short.hostField()).Elem())
	}
	mapping, ok := n.(ast.MapNode)
	if !ok {
		return d.errorOn(n, "expected keys with values, found "+describe(n), "valid keys: "+strings.Join(keysOf(v.Type()), ", "))
	}
	seen := map[string]bool{}
	for it := mapping.MapRange(); it.Next(); {
		if err := d.decodeField(it.KeyValue(), v, seen); err != nil {
			return err
		}
	}
	if first := mapping.MapRange(); first.Next() {
		at = placeOf(first.Key())
	}
	v.Addr().Interface().(interface{ setPlace(place) }).setPlace(at)
	for i := 0; i < v.NumField(); i++ {
		if f := v.Type().Field(i); f.Tag.Get("need") != "" && !seen[f.Tag.Get("yaml")] {
			key := f.Tag.Get("yaml")
			return d.errorAt(at.Line, at.Column, key+" is missing", fmt.Sprintf("add %s: %s", key, f.Tag.Get("about")))
		}
	}
	return nil
}

func (d *decoder) decodeField(kv *ast.MappingValueNode, v reflect.Value, seen map[string]bool) error {
	key, err := d.resolve(kv.Key)
	if err != nil {
		return err
	}
	if _, merge := key.(*ast.MergeKeyNode); merge {
		return d.errorOn(key, "merge keys (<<) are not used in policies", "write the keys out")
	}
	if !isScalar(key) {
		return d.errorOn(key, "expected a key, found "+describe(key), "")
	}
	name := key.GetToken().Value
	index := fieldOf(v.Type(), name)
	if index < 0 {
		suffix, hint := didYouMean(name, keysOf(v.Type()))
		if suffix == "" && name != "never-send" && d.isSecret(placeOf(key).Line) { // it can be a value
			return d.errorOn(key, "unknown key", hint)
		}
		return d.errorOn(key, fmt.Sprintf("unknown key %q%s", name, suffix), hint)
	}
	if seen[name] {
		return d.errorOn(key, fmt.Sprintf("key %q stands here twice", name), "keep one of them")
	}
	seen[name] = true
	value, err := d.resolve(kv.Value)
	if err != nil {
		return err
	}
	if _, null := value.(*ast.NullNode); null {
		if name == d.vacant {
			return nil
		}
		return d.errorOn(key, fmt.Sprintf("%q has no value", name), "give it one or remove the key")
	}
	if err := d.decode(value, v.Field(index)); err != nil {
		return err
	}
	if f := v.Field(index); f.Kind() == reflect.Slice && f.Len() == 0 && v.Type().Field(index).Tag.Get("least") != "" {
		return d.errorOn(key, name+" is an empty list", "give it an entry, or remove the key")
	}
	return nil
}

// fieldOf returns the index of the field with that key, -1 when there is none.
func fieldOf(t reflect.Type, key string) int {
	for i := 0; i < t.NumField(); i++ {
		if tag := t.Field(i).Tag.Get("yaml"); tag == key && tag != "" && tag != "-" {
			return i
		}
	}
	return -1
}

// keysOf returns the keys of a struct, sorted.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := 0; i < t.NumField(); i++ {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	sort.Strings(keys)
	return keys
}

func placeOf(n ast.Node) place {
	if n == nil {
		return place{Line: 1, Column: 1}
	}
	tk := n.GetToken()
	if m, ok := n.(ast.MapNode); ok { // the token of a mapping is its colon
		if it := m.MapRange(); it.Next() && it.Key() != nil {
			tk = it.Key().GetToken()
		}
	}
	if tk == nil || tk.Position == nil {
		return place{Line: 1, Column: 1}
	}
	return place{Line: tk.Position.Line, Column: tk.Position.Column}
}

// written returns a scalar as it stands in the file, without quotes.
func written(n ast.Node) string {
	if lit, ok := n.(*ast.LiteralNode); ok {
		return lit.Value.Value
	}
	if tk := n.GetToken(); tk != nil {
		return tk.Value
	}
	return ""
}

func isScalar(n ast.Node) bool {
	_, ok := n.(ast.ScalarNode)
	return ok
}

// describe names the type of a node for people, without its content: it may be a
// secret.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	}
	return "something else"
}

// stringOf returns the text of a scalar with its variables expanded. Numbers and
// booleans are not texts: "1.10" and 1.1 are not the same, so quotes decide.
func (d *decoder) stringOf(n ast.Node) (string, error) {
	var s string
	switch node := n.(type) {
	case *ast.StringNode:
		s = node.Value
	case *ast.LiteralNode:
		s = node.Value.Value
	default:
		hint := ""
		if _, null := n.(*ast.NullNode); null {
			hint = "write a text, or remove the dash"
		} else if isScalar(n) {
			hint = "put it in quotes"
		} else if n.GetToken() != nil && n.GetToken().Type == token.SequenceStartType {
			hint = `text that starts with [ needs quotes, as in "[2001:db8::1]:443"`
		}
		return "", d.errorOn(n, "expected text, found "+describe(n), hint)
	}
	return d.expand(n, s)
}

// expand replaces ${NAME} by the variable's value. "$${" stands for "${"; any other
// dollar is itself.
func (d *decoder) expand(n ast.Node, s string) (string, error) {
	if !strings.Contains(s, "${") {
		return s, nil
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed || !isVariable(name) {
			return "", d.errorOn(n, "a variable is written ${NAME}", "write $${ for a dollar and a brace")
		}
		value, set := d.env(name)
		if !set {
			return "", d.errorOn(n, "the variable "+name+" is not set", "export "+name+"=…")
		}
		b.WriteString(s[:i] + value)
		s = rest
	}
}

// isVariable reports whether s names an environment variable (POSIX.1, 8.1).
func isVariable(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

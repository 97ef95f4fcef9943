package resources

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// maxText bounds the text of a compiled document, in bytes: its strings may be used often.
const maxText = 32 << 20

// Text returns compiled Android XML as text: binary XML of an APK, or the protobuf
// of an app bundle. A reference to a resource stays a number, "@0x7f0a0001". Text that is XML
// already is returned as it is.
func Text(data []byte) ([]byte, error) { return TextWith(data, nil) }

// TextWith is [Text] with names for the references that resolve knows, "@string/app_name".
// [Names] makes one of the app's resource table.
func TextWith(data []byte, resolve Resolve) ([]byte, error) {
	var c *compiled
	var err error
	switch {
	case isProtoXML(data): // it may begin with a line feed and "<", as text may; no text goes on like it
		c = openProtoXML(data)
	case isMarkup(data) && !isBinaryXML("", data): // whose type may be falsified to begin with "<", too
		return data, nil
	default:
		c, err = openBinaryXML(data)
	}
	if err != nil {
		return nil, err
	}
	t := c.open()
	if len(t.nodes) == 0 {
		return nil, fmt.Errorf("the compiled XML has no element%s", because(t.damage))
	}
	w := xmlWriter{tree: t, resolve: resolve}
	return w.write()
}

func because(damage string) string {
	if damage == "" {
		return ""
	}
	return ": " + damage
}

// xmlWriter writes a tree as text.
type xmlWriter struct {
	*tree
	resolve Resolve
	out     bytes.Buffer
	spaces  map[string]string // prefix of each namespace
	order   []string          // of the namespaces
}

func (w *xmlWriter) write() ([]byte, error) {
	w.collect()
	w.out.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n")
	var open []int
	for i := range w.nodes {
		n := &w.nodes[i]
		for len(open) > 0 && open[len(open)-1] != n.parent {
			open = w.end(open)
		}
		if w.out.Len() > maxText {
			return nil, fmt.Errorf("the compiled XML unfolds to more than %d bytes", maxText)
		}
		if n.isText {
			escape(&w.out, n.value.text)
			continue
		}
		w.start(n)
		leaf := i+1 == len(w.nodes) || w.nodes[i+1].parent != i
		if leaf {
			w.out.WriteString("/>")
		} else {
			w.out.WriteByte('>')
			open = append(open, i)
		}
		if leaf || !w.nodes[i+1].isText {
			w.out.WriteByte('\n')
		}
	}
	for len(open) > 0 {
		open = w.end(open)
	}
	return w.out.Bytes(), nil
}

// end closes the innermost element.
func (w *xmlWriter) end(open []int) []int {
	n := &w.nodes[open[len(open)-1]]
	fmt.Fprintf(&w.out, "</%s>\n", w.named(n.space, n.name))
	return open[:len(open)-1]
}

// start writes a tag up to its end.
func (w *xmlWriter) start(n *node) {
	w.out.WriteByte('<')
	w.out.WriteString(w.named(n.space, n.name))
	if n.parent < 0 {
		for _, space := range w.order {
			w.out.WriteString(" xmlns:" + w.spaces[space] + `="`)
			escape(&w.out, space)
			w.out.WriteByte('"')
		}
	}
	written := map[string]bool{}
	for i := range n.attrs {
		a := &n.attrs[i]
		name := w.named(a.space, a.name)
		if written[name] { // Android takes the first
			continue
		}
		written[name] = true
		w.out.WriteString(" " + name + `="`)
		escape(&w.out, a.value.write(w.resolve))
		w.out.WriteByte('"')
	}
}

// collect gives each namespace that is used a prefix of its own.
func (w *xmlWriter) collect() {
	w.spaces = map[string]string{}
	taken := map[string]bool{"xml": true, "xmlns": true}
	use := func(space string) {
		if _, ok := w.spaces[space]; ok || space == "" || len(w.order) >= 100 {
			return
		}
		name := "ns" + strconv.Itoa(len(w.order))
		for _, p := range w.prefixes {
			if p.space == space && p.name != "" && xmlName(p.name) == p.name && !taken[p.name] && p.name != "android" {
				name = p.name
				break
			}
		}
		if space == androidSpace {
			name = "android"
		}
		taken[name] = true
		w.spaces[space], w.order = name, append(w.order, space)
	}
	for i := range w.nodes {
		use(w.nodes[i].space)
		for j := range w.nodes[i].attrs {
			use(w.nodes[i].attrs[j].space)
		}
	}
}

// named returns a name that XML permits, with the prefix of its namespace.
func (w *xmlWriter) named(space, name string) string {
	if p := w.spaces[space]; p != "" {
		return p + ":" + xmlName(name)
	}
	return xmlName(name)
}

// xmlName replaces what may not be in a name by "_".
func xmlName(name string) string {
	if name == "" {
		return "_"
	}
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, name)
	if c := clean[0]; c >= '0' && c <= '9' || c == '-' || c == '.' {
		clean = "_" + clean
	}
	return clean
}

// escape writes text; what XML cannot hold becomes U+FFFD.
func escape(out *bytes.Buffer, s string) { _ = xml.EscapeText(out, []byte(s)) } // a Buffer returns no error

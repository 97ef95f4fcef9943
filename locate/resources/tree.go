package resources

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"telltale/locate/reading"
)

// androidSpace is the namespace of Android's own attributes.
const androidSpace = "http://schemas.android.com/apk/res/android"

// tree is an XML document that was compiled, its nodes in the order of the text.
type tree struct {
	nodes    []node
	prefixes []prefix
	damage   string // what could not be read of it, and where; ""
}

// prefix is a namespace, as the document abbreviates it.
type prefix struct{ name, space string }

// node is an element, or text between elements.
type node struct {
	parent int // index; -1 of the root
	// ordinal counts the elements of this name from 1 below one parent; it is 0 where
	// there is only one.
	ordinal int
	isText  bool
	space   string
	name    string // of an element
	line    int
	attrs   []attribute
	value   value // of a text
}

type attribute struct {
	space, name string
	value       value
}

// number counts elements of one name below one parent.
func (t *tree) number() {
	type siblings struct {
		parent int
		name   string
	}
	seen := map[siblings]int{}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.isText {
			continue
		}
		of := siblings{n.parent, n.name}
		seen[of]++
		n.ordinal = seen[of]
	}
	for i := range t.nodes {
		if n := &t.nodes[i]; seen[siblings{n.parent, n.name}] == 1 {
			n.ordinal = 0
		}
	}
}

// attr returns an attribute of a node, nil where it has none of the name. Android's own go first.
func (n *node) attr(name string) *value {
	var other *value
	for i := range n.attrs {
		a := &n.attrs[i]
		if a.name == name {
			if a.space == androidSpace {
				return &a.value
			}
			if other == nil {
				other = &a.value
			}
		}
	}
	return other
}

// maxSection bounds how long the name of a place gets, in bytes: names are the file's.
const maxSection = 200

// path names an element: "application/meta-data[2]". The root of a manifest goes without
// saying.
func (t *tree) path(i int) string {
	var steps []string
	for ; i >= 0 && len(steps) < 32; i = t.nodes[i].parent {
		n := &t.nodes[i]
		if n.isText || n.parent < 0 && n.name == "manifest" {
			continue
		}
		step := clip(n.name, 60)
		if n.ordinal > 0 {
			step += "[" + strconv.Itoa(n.ordinal) + "]"
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return strings.Join(steps, "/")
}

// clip shortens a name of the file.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// clipBytes is clip for bytes of the file, of which it copies no more than it keeps.
func clipBytes(b []byte, most int) string {
	return clip(string(b[:min(len(b), most+utf8.UTFMax)]), most)
}

// use is a place in the tree where bytes of the file are used.
type use struct {
	start, end int
	node       int
	attr       int // -1: the text of the node
}

// section names a use: "application/meta-data[2]/@android:value (firebase_url)".
func (t *tree) section(u use) string {
	n := &t.nodes[u.node]
	s := t.path(u.node)
	if u.attr < 0 {
		return clip(s, maxSection)
	}
	a := &n.attrs[u.attr]
	if s != "" {
		s += "/"
	}
	s += "@" + t.qualified(a.space, clip(a.name, 60))
	if name := n.attr("name"); name != nil && a.name != "name" && name.kind == typeString {
		s += " (" + clip(name.text, 80) + ")"
	}
	return clip(s, maxSection)
}

// qualified puts the prefix of its namespace before a name.
func (t *tree) qualified(space, name string) string {
	switch space {
	case "":
		return name
	case androidSpace:
		return "android:" + name
	}
	for _, p := range t.prefixes {
		if p.space == space && p.name != "" {
			return clip(p.name, 30) + ":" + name
		}
	}
	return name
}

// uses lists where values of the tree stand in the file, in the order of the file.
func (t *tree) uses() []use {
	var uses []use
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.isText && n.value.end > n.value.start {
			uses = append(uses, use{n.value.start, n.value.end, n.parent, -1})
		}
		for j := range n.attrs {
			if v := &n.attrs[j].value; v.end > v.start {
				uses = append(uses, use{v.start, v.end, i, j})
			}
		}
	}
	slices.SortStableFunc(uses, func(a, b use) int { return a.start - b.start })
	return uses
}

// compiled is a document of compiled XML, in either form.
type compiled struct {
	kind  string
	data  []byte
	parse func() *tree
	pool  *pool // nil in the form of protobuf

	once  sync.Once
	tree  *tree
	index []use
}

// open decodes the tree when something first asks for it.
func (c *compiled) open() *tree {
	c.once.Do(func() {
		c.tree = c.parse()
		c.tree.number()
		c.index = c.tree.uses()
	})
	return c.tree
}

// Kind names the format.
func (c *compiled) Kind() string { return c.kind }

// Texts calls visit for the strings of the document.
func (c *compiled) Texts(visit func(reading.Text) bool) {
	if c.pool != nil {
		c.pool.visit(func(start, end int, value []byte) bool {
			return visit(reading.Text{Start: start, End: end, Value: value, Whole: true})
		})
		return
	}
	t := c.open()
	for _, u := range c.index {
		v := &t.nodes[u.node].value
		if u.attr >= 0 {
			v = &t.nodes[u.node].attrs[u.attr].value
		}
		if (u.attr < 0 || v.kind == typeString) && !visit(reading.Text{Start: u.start, End: u.end, Value: c.data[u.start:u.end], Whole: true}) {
			return
		}
	}
}

// Place names the element and the attribute whose value stands there.
func (c *compiled) Place(start, _ int) (p reading.Place) {
	t := c.open()
	last := sort.Search(len(c.index), func(n int) bool { return c.index[n].start > start }) - 1
	if last >= 0 && start < c.index[last].end {
		first := sort.Search(last, func(n int) bool { return c.index[n].start >= c.index[last].start })
		u := c.index[first]
		p.Section, p.LiteralStart, p.LiteralEnd = t.section(u), u.start, u.end
		if last > first { // the pool keeps equal texts once
			p.Section += " and " + strconv.Itoa(last-first) + " more"
		}
	}
	if c.pool == nil {
		return p
	}
	i, ok := c.pool.find(start)
	if !ok {
		return p
	}
	p.LiteralStart, p.LiteralEnd, _ = c.pool.span(i)
	if p.Section == "" {
		p.Section = "string pool, string " + strconv.Itoa(int(i))
	}
	if !c.pool.utf8 {
		p.Literal = c.pool.literal(p.LiteralStart, p.LiteralEnd)
	}
	return p
}

// Notes says what of the tree could not be read.
func (c *compiled) Notes() []string {
	if t := c.open(); t.damage != "" {
		return []string{t.damage}
	}
	return nil
}

// Identity returns what a manifest says of the app.
func (c *compiled) Identity() (id reading.Identity) {
	t := c.open()
	for i := range t.nodes {
		n := &t.nodes[i]
		switch {
		case n.isText:
		case n.parent < 0 && n.name != "manifest":
			return id
		case n.parent < 0:
			id.ID, id.Version, id.Build = said(n, "package"), said(n, "versionName"), said(n, "versionCode")
		case n.name == "application" && t.nodes[n.parent].parent < 0:
			if label := n.attr("label"); label != nil && label.literal() {
				id.Name = label.text
			}
			return id
		}
	}
	return id
}

func said(n *node, name string) string {
	if v := n.attr(name); v != nil {
		return v.write(nil)
	}
	return ""
}

// Settings returns the values of meta-data elements by their names, and those of attributes.
func (c *compiled) Settings(names []string) []reading.Setting {
	var out []reading.Setting
	add := func(name string, v *value) {
		s := reading.Setting{Name: name, Known: v.literal(), Start: v.start, End: v.end}
		if s.Known {
			s.Value = v.write(nil)
		}
		out = append(out, s)
	}
	t := c.open()
	for i := range t.nodes {
		n := &t.nodes[i]
		if name := n.attr("name"); name != nil && slices.Contains(names, name.text) {
			for _, key := range []string{"value", "resource"} {
				if v := n.attr(key); v != nil {
					add(name.text, v)
					break
				}
			}
		}
		for j := range n.attrs {
			if a := &n.attrs[j]; slices.Contains(names, a.name) && a.name != "name" && a.name != "value" && a.name != "resource" {
				add(a.name, &a.value)
			}
		}
	}
	return out
}

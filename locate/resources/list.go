package resources

import (
	"bytes"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"telltale/locate/reading"
	"telltale/plist"
)

// list is a property list.
type list struct {
	kind string
	data []byte
	root *plist.Value
	text *textFile // nil in the binary form
	once sync.Once
	uses []listUse // by start
}

// listUse is a value or a key of the list, in the file.
type listUse struct {
	start, end int
	path       string
	value      *plist.Value // nil of a key
}

func openList(data []byte) (reading.Document, error) {
	root, err := plist.Read(data)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte("bplist")) {
		return &list{kind: "property list (binary)", data: data, root: root}, nil
	}
	return &list{kind: "property list", data: data, root: root, text: openText("", data, nil)}, nil
}

// Kind names the format.
func (l *list) Kind() string { return l.kind }

// Notes returns nothing: what cannot be read whole is refused.
func (l *list) Notes() []string { return nil }

// visit calls f for the values and keys that hold no others, with their paths.
func visitList(v *plist.Value, path string, f func(listUse) bool) bool {
	for i := range v.Items {
		at := path
		if v.Kind == plist.Dictionary {
			k := v.Keys[i]
			at = strings.TrimPrefix(path+"/"+clip(k.Name, 80), "/")
			if !f(listUse{k.Start, k.End, at, nil}) {
				return false
			}
		} else {
			at += "[" + strconv.Itoa(i) + "]"
		}
		if !visitList(&v.Items[i], at, f) {
			return false
		}
	}
	if v.Kind != plist.Dictionary && v.Kind != plist.Array {
		return f(listUse{v.Start, v.End, path, v})
	}
	return true
}

// Texts calls visit for the texts of a binary list, and for the whole of one in text.
func (l *list) Texts(visit func(reading.Text) bool) {
	if l.text != nil {
		l.text.Texts(visit)
		return
	}
	var buf []byte
	visitList(l.root, "", func(u listUse) bool {
		if u.value == nil || u.value.Kind != plist.Text {
			return true
		}
		buf = append(buf[:0], u.value.Text...)
		return visit(reading.Text{Start: u.start, End: u.end, Value: buf, Whole: true})
	})
}

// Place names the path of keys to what stands there.
func (l *list) Place(start, end int) (p reading.Place) {
	at := start
	if l.text != nil {
		p = l.text.Place(start, end)
		if l.text.wide != nil {
			at = l.text.wide.toText(start)
		}
	}
	l.once.Do(func() {
		visitList(l.root, "", func(u listUse) bool {
			if u.end > u.start {
				u.path = clip(u.path, maxSection)
				l.uses = append(l.uses, u)
			}
			return true
		})
		slices.SortStableFunc(l.uses, func(a, b listUse) int { return a.start - b.start })
	})
	last := sort.Search(len(l.uses), func(n int) bool { return l.uses[n].start > at }) - 1
	if last < 0 || at >= l.uses[last].end {
		return p
	}
	first := last
	for first > 0 && l.uses[first-1].start == l.uses[last].start {
		first--
	}
	u := l.uses[first]
	p.Section, p.LiteralStart, p.LiteralEnd = u.path, u.start, u.end
	if last > first { // a binary list keeps equal texts once
		p.Section += " and " + strconv.Itoa(last-first) + " more"
	}
	if l.text != nil {
		p.LiteralStart, p.LiteralEnd = l.text.inFile(u.start), l.text.inFile(u.end)
	}
	if u.value != nil && u.value.Kind == plist.Text {
		p.Literal = u.value.Text
	}
	return p
}

// Settings returns the values of keys, at whatever depth.
func (l *list) Settings(names []string) (out []reading.Setting) {
	visitList(l.root, "", func(u listUse) bool {
		if u.value == nil {
			return true
		}
		key := u.path[strings.LastIndexByte(u.path, '/')+1:]
		if name := among(names, []byte(key)); name != "" {
			s := reading.Setting{Name: name, Value: u.value.Text, Known: true, Start: u.start, End: u.end}
			if u.value.Kind == plist.Boolean {
				s.Value = strconv.FormatBool(u.value.Truth)
			}
			if l.text != nil {
				s.Start, s.End = l.text.inFile(u.start), l.text.inFile(u.end)
			}
			out = append(out, s)
		}
		return true
	})
	return out
}

// Identity returns what Info.plist says of the bundle.
func (l *list) Identity() reading.Identity {
	if l.root.Kind != plist.Dictionary {
		return reading.Identity{}
	}
	said := func(keys ...string) string {
		for _, key := range keys {
			if v := l.root.Get(key); v != nil && v.Kind == plist.Text && v.Text != "" {
				return v.Text
			}
		}
		return ""
	}
	return reading.Identity{ID: said("CFBundleIdentifier"), Name: said("CFBundleDisplayName", "CFBundleName"),
		Version: said("CFBundleShortVersionString"), Build: said("CFBundleVersion")}
}

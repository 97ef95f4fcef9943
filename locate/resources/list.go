package resources

import (
	"bytes"
	"errors"
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
		return openUnread(data, err)
	}
	if bytes.HasPrefix(data, []byte("bplist")) {
		return &list{kind: "property list (binary)", data: data, root: root}, nil
	}
	return &list{kind: "property list", data: data, root: root, text: openText("", data, nil)}, nil
}

// unreadList is a property list that is not damaged, as far as is known, and was not read.
type unreadList struct {
	*textFile // nil in the binary form
	kind      string
	note      string
}

// openUnread opens what package plist refused without being sure that it is damaged: because a limit
// was met, or because nothing but its name says that it is a list in the old text form.
func openUnread(data []byte, refused error) (reading.Document, error) {
	binary := bytes.HasPrefix(data, []byte("bplist"))
	var e *plist.Error
	if limit := errors.As(refused, &e) && e.Limit; !limit && (binary || isMarkup(data)) {
		return nil, refused
	}
	l := &unreadList{kind: "property list (binary)", note: "its keys and values were not read, only its bytes are searched: " + refused.Error()}
	if !binary {
		l.kind, l.textFile = "property list", openText("", data, nil)
	}
	return l, nil
}

// Kind names the format.
func (l *unreadList) Kind() string { return l.kind }

// Notes says why it was not read.
func (l *unreadList) Notes() []string { return []string{l.note} }

// Texts calls visit for the whole of a list in text.
func (l *unreadList) Texts(visit func(reading.Text) bool) {
	if l.textFile != nil {
		l.textFile.Texts(visit)
	}
}

// Place names line and column in a list in text.
func (l *unreadList) Place(start, end int) (p reading.Place) {
	if l.textFile != nil {
		p = l.textFile.Place(start, end)
	}
	return p
}

// Settings returns nothing.
func (l *unreadList) Settings([]string) []reading.Setting { return nil }

// Kind names the format.
func (l *list) Kind() string { return l.kind }

// Notes returns nothing: what was not read whole is no list, or an unreadList.
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
	first := sort.Search(last, func(n int) bool { return l.uses[n].start >= l.uses[last].start })
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

package resend

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxPaths is how many differences of JSON are told.
const maxPaths = 20

// A shape is what values at one place of JSON are: their types, the members of objects and
// the elements of arrays, taken together.
type shape struct {
	types   map[string]bool
	members map[string]*shape
	always  map[string]bool // members that every object has
	objects int
	element *shape // nil where no array has any
}

func newShape() *shape {
	return &shape{types: map[string]bool{}, members: map[string]*shape{}, always: map[string]bool{}}
}

// add takes a value into a shape.
func (s *shape) add(v any) {
	switch v := v.(type) {
	case map[string]any:
		s.types["object"] = true
		s.objects++
		for name, member := range v {
			if s.members[name] == nil {
				s.members[name] = newShape()
				s.always[name] = s.objects == 1
			}
			s.members[name].add(member)
		}
		for name := range s.always {
			if _, has := v[name]; !has {
				s.always[name] = false
			}
		}
	case []any:
		s.types["array"] = true
		for _, element := range v {
			if s.element == nil {
				s.element = newShape()
			}
			s.element.add(element)
		}
	case string:
		s.types["string"] = true
	case json.Number:
		s.types["number"] = true
	case bool:
		s.types["boolean"] = true
	default:
		s.types["null"] = true
	}
}

// shapeDiff returns in what the shapes of two values differ, a line each, by path. An empty
// array has the shape of any; a member that not all elements of an array have may be
// missing in others.
func shapeDiff(was, is any) []string {
	before, after := newShape(), newShape()
	before.add(was)
	after.add(is)
	var d differences
	d.compare("$", before, after)
	slices.Sort(d)
	return d[:min(len(d), maxPaths)]
}

type differences []string

func (d *differences) add(path, what string) { *d = append(*d, path+": "+what) }

func (d *differences) compare(path string, was, is *shape) {
	if !covers(was.types, is.types) {
		d.add(path, typesOf(is)+", was "+typesOf(was))
		return
	}
	if was.objects > 0 && is.objects > 0 {
		d.members(path, was, is)
	}
	if was.element != nil && is.element != nil {
		d.compare(path+"[]", was.element, is.element)
	}
}

// covers reports whether all types of now were there before, or the other way round: an
// array has elements of several types only where there are enough of them.
func covers(was, is map[string]bool) bool {
	return subset(was, is) || subset(is, was)
}

func subset(a, b map[string]bool) bool {
	for name := range a {
		if !b[name] {
			return false
		}
	}
	return true
}

func (d *differences) members(path string, was, is *shape) {
	for _, name := range slices.Sorted(maps.Keys(was.members)) {
		at := path + member(name)
		if now := is.members[name]; now != nil {
			d.compare(at, was.members[name], now)
		} else if was.always[name] {
			d.add(at, "gone")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is.members)) {
		if was.members[name] == nil && is.always[name] {
			d.add(path+member(name), "new, "+typesOf(is.members[name]))
		}
	}
}

// member returns the name of a member as a part of a path.
func member(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if name != "" && strings.Trim(name, letters) == "" && len(name) <= 80 {
		return "." + name
	}
	if len(name) > 80 {
		name = name[:80] + "…"
	}
	return "[" + quoted(name) + "]"
}

func typesOf(s *shape) string { return strings.Join(slices.Sorted(maps.Keys(s.types)), " or ") }

package declarations

import (
	"fmt"
	"strings"
)

// kind is the type of a value of a property list.
type kind string

const (
	dictionary kind = "a dictionary"
	array      kind = "an array"
	text       kind = "a text"
	boolean    kind = "true or false"
	other      kind = "a number, date or data"
)

// value is a node of a property list.
type value struct {
	kind  kind
	line  int // 0 in the binary form
	text  string
	truth bool
	keys  []string // of a dictionary, one for each item
	items []value
}

// get returns the value of a key, nil where it lacks.
func (v *value) get(key string) *value {
	for i, k := range v.keys {
		if k == key {
			return &v.items[i]
		}
	}
	return nil
}

// readPlist reads the XML form (Apple's PropertyList-1.0.dtd). The root was read.
func (x *xmlReader) readPlist(d *Declaration) error {
	e, ok, err := x.child("plist")
	if err != nil {
		return err
	}
	if !ok {
		return x.errorAt(0, "the property list is empty, expected <dict>", "")
	}
	v, err := x.value(e)
	if err != nil {
		return err
	}
	if next, more, err := x.child("plist"); err != nil {
		return err
	} else if more {
		return x.errorAt(next.line, "a second value <"+clip(next.name)+"> in <plist>, expected one", "")
	}
	if err := x.finish(); err != nil {
		return err
	}
	return x.readPrivacy(d, &v)
}

// value reads what an element stands for.
func (x *xmlReader) value(e element) (v value, err error) {
	v.line = e.line
	switch e.name {
	case "dict":
		v.kind = dictionary
		return v, x.entries(&v)
	case "array":
		v.kind = array
		for {
			e, ok, err := x.child("array")
			if err != nil || !ok {
				return v, err
			}
			item, err := x.value(e)
			if err != nil {
				return v, err
			}
			v.items = append(v.items, item)
		}
	case "string":
		v.kind = text
	case "true", "false":
		v.kind, v.truth = boolean, e.name == "true"
	case "integer", "real", "date", "data":
		v.kind = other
	default:
		return v, x.errorAt(e.line, "<"+clip(e.name)+"> is no value of a property list, expected dict, array, string, true, false, integer, real, date or data", "")
	}
	v.text, err = x.text(e.name)
	return v, err
}

// entries reads the keys and values of a dictionary.
func (x *xmlReader) entries(v *value) error {
	seen := map[string]bool{}
	for {
		e, ok, err := x.child("dict")
		if err != nil || !ok {
			return err
		}
		if e.name != "key" {
			return x.errorAt(e.line, "<"+clip(e.name)+"> in <dict>, expected <key>", "")
		}
		key, err := x.text("key")
		if err != nil {
			return err
		}
		if seen[key] {
			return x.errorAt(e.line, fmt.Sprintf("the key %q stands here twice", clip(key)), "keep one of them")
		}
		seen[key] = true
		e, ok, err = x.child("dict")
		if err != nil {
			return err
		}
		if !ok || e.name == "key" {
			return x.errorAt(max(e.line, v.line), fmt.Sprintf("the key %q has no value", clip(key)), "")
		}
		item, err := x.value(e)
		if err != nil {
			return err
		}
		v.keys, v.items = append(v.keys, key), append(v.items, item)
	}
}

// The functions below take a value of the type that is expected at a key.

func (r *reader) typed(v *value, want kind, at string) error {
	if v.kind != want {
		return r.errorAt(v.line, fmt.Sprintf("%s is %s, expected %s", at, v.kind, want), "")
	}
	return nil
}

// truth returns a boolean of a dictionary; one that lacks is false.
func (r *reader) truth(v *value, key string) (bool, error) {
	item := v.get(key)
	if item == nil {
		return false, nil
	}
	return item.truth, r.typed(item, boolean, key)
}

// texts returns an array of texts of a dictionary; one that lacks is empty.
func (r *reader) texts(v *value, key string) ([]value, error) {
	list := v.get(key)
	if list == nil {
		return nil, nil
	}
	if err := r.typed(list, array, key); err != nil {
		return nil, err
	}
	for i := range list.items {
		if err := r.typed(&list.items[i], text, "an entry of "+key); err != nil {
			return nil, err
		}
		list.items[i].text = strings.TrimSpace(list.items[i].text)
	}
	return list.items, nil
}

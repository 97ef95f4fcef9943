package resources

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"telltale/locate/reading"
)

// protoTable is resources.pb, a ResourceTable of aapt2.
type protoTable struct {
	data []byte
	once sync.Once
	uses []protoResource // values that are strings, by their places
}

// protoResource is a value of the table, and whose it is.
type protoResource struct {
	id     uint32
	kind   span // the name of the type
	name   span // of the resource
	config span
	value  value
	item   span  // the key of a style's item, in its Reference
	nth    int32 // of an array; -1
	arity  int8  // of plurals; -1
}

func openProtoTable(data []byte) (reading.Document, error) {
	err := fields(data, 0, len(data), func(field) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("the resource table is damaged: %w", err)
	}
	return &protoTable{data: data}, nil
}

// errStop ends a pass without trouble.
var errStop = fmt.Errorf("enough")

// visit calls f for every value.
func (t *protoTable) visit(f func(*protoResource) error) error {
	return t.entries(func(of field, r protoResource) error { return t.values(of, r, f) })
}

// entries calls f for every resource, with the place of its Entry.
func (t *protoTable) entries(f func(of field, r protoResource) error) error {
	return fields(t.data, 0, len(t.data), func(pack field) error {
		if pack.number != 2 {
			return nil
		}
		var id uint32
		return fields(t.data, pack.start, pack.end, func(in field) error {
			switch in.number {
			case 1:
				id = t.idAt(in)
			case 3:
				return t.resources(in, protoResource{id: id << 24}, f)
			}
			return nil
		})
	})
}

// idAt reads a message that holds a number alone.
func (t *protoTable) idAt(in field) (id uint32) {
	_ = fields(t.data, in.start, in.end, func(f field) error {
		if f.number == 1 {
			id = uint32(f.varint)
		}
		return nil
	})
	return id
}

func spanOf(f field) span { return span{int32(f.start), int32(f.end)} }

// resources reads a Type.
func (t *protoTable) resources(of field, r protoResource, f func(of field, r protoResource) error) error {
	return fields(t.data, of.start, of.end, func(in field) error {
		switch in.number {
		case 1:
			r.id |= t.idAt(in) & 0xff << 16
		case 2:
			r.kind = spanOf(in)
		case 3:
			return t.entry(in, r, f)
		}
		return nil
	})
}

// entry reads the id and the name of an Entry.
func (t *protoTable) entry(of field, r protoResource, f func(of field, r protoResource) error) error {
	err := fields(t.data, of.start, of.end, func(in field) error {
		switch in.number {
		case 1:
			r.id |= t.idAt(in) & 0xffff
		case 2:
			r.name = spanOf(in)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f(of, r)
}

// values reads the values of an Entry.
func (t *protoTable) values(of field, r protoResource, f func(*protoResource) error) error {
	return fields(t.data, of.start, of.end, func(in field) error {
		if in.number == 6 { // ConfigValue
			r.config = span{}
			return fields(t.data, in.start, in.end, func(in field) error {
				switch in.number {
				case 1:
					r.config = spanOf(in)
				case 2:
					return t.value(in, r, f)
				}
				return nil
			})
		}
		return nil
	})
}

// value reads a Value: an item, or several.
func (t *protoTable) value(of field, r protoResource, f func(*protoResource) error) error {
	r.nth, r.arity = -1, -1
	return fields(t.data, of.start, of.end, func(in field) error {
		switch in.number {
		case 4:
			return t.item(in, r, f)
		case 5:
			return fields(t.data, in.start, in.end, func(bag field) error {
				switch bag.number {
				case 2, 4, 5: // Style, Array, Plural
					return t.bag(bag, r, f)
				}
				return nil
			})
		}
		return nil
	})
}

// bag reads the items of a Style, an Array or a Plural.
func (t *protoTable) bag(bag field, r protoResource, f func(*protoResource) error) error {
	return fields(t.data, bag.start, bag.end, func(entry field) error {
		if (entry.number == 3) != (bag.number == 2) || entry.number != 3 && entry.number != 1 {
			return nil
		}
		if r.nth++; bag.number == 5 {
			r.arity = 0
		}
		return fields(t.data, entry.start, entry.end, func(in field) error {
			switch {
			case bag.number == 5 && in.number == 3:
				r.arity = int8(min(in.varint, 5))
			case bag.number == 2 && in.number == 3:
				r.item = spanOf(in)
			case bag.number == 4 && in.number == 3, bag.number != 4 && in.number == 4:
				return t.item(in, r, f)
			}
			return nil
		})
	})
}

func (t *protoTable) item(in field, r protoResource, f func(*protoResource) error) error {
	var err error
	if r.value, err = itemAt(t.data, in.start, in.end); err != nil {
		return err
	}
	return f(&r)
}

// full is the name of a resource: "string/app_name".
func (t *protoTable) full(r *protoResource) string {
	return clip(string(r.kind.of(t.data))+"/"+string(r.name.of(t.data)), maxSection)
}

// section names a value with its configuration.
func (t *protoTable) section(r *protoResource) string {
	s := t.full(r)
	switch {
	case r.arity >= 0:
		s += "/" + [...]string{"zero", "one", "two", "few", "many", "other"}[r.arity]
	case r.item.end > r.item.start:
		key := field{start: int(r.item.start), end: int(r.item.end)}
		_ = fields(t.data, key.start, key.end, func(f field) error {
			if f.number == 3 {
				s += "/" + string(t.data[f.start:f.end])
			}
			return nil
		})
	case r.nth >= 0:
		s += "[" + strconv.Itoa(int(r.nth)) + "]"
	}
	if config := protoConfig(t.data, r.config); config != "" {
		s += " (" + config + ")"
	}
	return strings.ToValidUTF8(clip(s, maxSection), "\uFFFD")
}

func protoNames(data []byte) Resolve {
	t := &protoTable{data: data}
	var names map[uint32]string
	var once sync.Once
	return func(id uint32) string {
		once.Do(func() {
			names = map[uint32]string{}
			_ = t.entries(func(_ field, r protoResource) error {
				names[r.id] = t.full(&r)
				return nil
			})
		})
		return names[id]
	}
}

// Kind names the format.
func (t *protoTable) Kind() string { return "Android resource table (protobuf)" }

// Texts calls visit for the values that are strings.
func (t *protoTable) Texts(visit func(reading.Text) bool) {
	_ = t.visit(func(r *protoResource) error {
		v := &r.value
		if v.kind == typeString && v.end > v.start && !visit(reading.Text{Start: v.start, End: v.end, Value: t.data[v.start:v.end], Whole: true}) {
			return errStop
		}
		return nil
	})
}

// Place names the resource whose value stands there, and the configuration.
func (t *protoTable) Place(start, _ int) (p reading.Place) {
	t.once.Do(func() {
		_ = t.visit(func(r *protoResource) error {
			if r.value.kind == typeString {
				t.uses = append(t.uses, *r)
			}
			return nil
		})
		slices.SortStableFunc(t.uses, func(a, b protoResource) int { return a.value.start - b.value.start })
	})
	n := sort.Search(len(t.uses), func(n int) bool { return t.uses[n].value.start > start }) - 1
	if n < 0 || start >= t.uses[n].value.end {
		return p
	}
	u := &t.uses[n]
	p.Section, p.LiteralStart, p.LiteralEnd = t.section(u), u.value.start, u.value.end
	return p
}

// Notes says what could not be read.
func (t *protoTable) Notes() []string {
	if err := t.visit(func(*protoResource) error { return nil }); err != nil {
		return []string{"the resource table is damaged: " + err.Error()}
	}
	return nil
}

// Settings returns the values of resources by their names, whatever their type.
func (t *protoTable) Settings(names []string) (out []reading.Setting) {
	_ = t.visit(func(r *protoResource) error {
		name := among(names, r.name.of(t.data))
		if name == "" || r.nth >= 0 {
			return nil
		}
		v := r.value
		s := reading.Setting{Name: name, Known: v.literal(), Start: v.start, End: v.end}
		if v.kind == typeString {
			v.text = string(t.data[v.start:v.end])
		}
		if s.Known {
			s.Value = v.write(nil)
		}
		out = append(out, s)
		return nil
	})
	return out
}

// protoConfig names a Configuration as configName does.
func protoConfig(data []byte, config span) string {
	words := map[int][]string{
		4: {"ldltr", "ldrtl"}, 10: {"small", "normal", "large", "xlarge"}, 11: {"long", "notlong"}, 12: {"round", "notround"},
		13: {"widecg", "nowidecg"}, 14: {"highdr", "lowdr"}, 15: {"port", "land", "square"},
		16: {"", "desk", "car", "television", "appliance", "watch", "vrheadset"}, 17: {"night", "notnight"},
		19: {"notouch", "stylus", "finger"}, 20: {"keysexposed", "keyshidden", "keyssoft"}, 21: {"nokeys", "qwerty", "12key"},
		22: {"navexposed", "navhidden"}, 23: {"nonav", "dpad", "trackball", "wheel"}, 26: {"neuter", "feminine", "masculine"},
	}
	around := map[int][2]string{1: {"mcc", ""}, 2: {"mnc", ""}, 7: {"w", "dp"}, 8: {"h", "dp"}, 9: {"sw", "dp"}, 24: {"v", ""}}
	var said [27]field
	_ = fields(data, int(config.start), int(config.end), func(f field) error {
		if int(f.number) < len(said) {
			said[f.number] = f
		}
		return nil
	})
	var parts []string
	for _, n := range []int{1, 2, 3, 26, 4, 9, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 5, 24, 25} {
		f := said[n]
		number := int(f.varint & 0xffff)
		switch {
		case f.end == 0:
		case n == 3:
			parts = append(parts, tagOf(string(data[f.start:f.end])))
		case n == 25:
			parts = append(parts, clip(string(data[f.start:f.end]), 30))
		case n == 18 && densities[number] != "":
			parts = append(parts, densities[number])
		case n == 18:
			parts = append(parts, strconv.Itoa(number)+"dpi")
		case n == 5:
			parts = append(parts, strconv.Itoa(number)+"x"+strconv.Itoa(int(said[6].varint&0xffff)))
		case n == 2:
			parts = append(parts, "mnc"+pad(number, 2))
		case around[n] != [2]string{}:
			parts = append(parts, around[n][0]+strconv.Itoa(number)+around[n][1])
		case number > 0 && number <= len(words[n]) && words[n][number-1] != "":
			parts = append(parts, words[n][number-1])
		}
	}
	return strings.Join(parts, "-")
}

// tagOf writes a language tag (BCP 47) as folders of resources have it: "fr-rCA", "b+zh+Hans+CN".
func tagOf(tag string) string {
	parts := strings.Split(clip(tag, 40), "-")
	switch {
	case len(parts) == 1:
		return parts[0]
	case len(parts) == 2 && (len(parts[1]) == 2 || len(parts[1]) == 3 && parts[1][0] <= '9'):
		return parts[0] + "-r" + parts[1]
	}
	return "b+" + strings.Join(parts, "+")
}

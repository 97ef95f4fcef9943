package native

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"telltale/locate/reading"
)

// The most users of a text that are described, the other strings of each, and the references
// that are remembered.
const (
	maxUsers   = 16
	maxStrings = 64
	maxSibling = 200
	maxTried   = 1 << 10 // references of a function that are looked at for strings
	maxRefs    = 1 << 21
)

// A ref is an instruction that makes the address of some text.
type ref struct{ code, target uint64 }

// refs are all of an image, in two orders.
type refs struct{ byCode, byTarget []ref }

// readRefs reads the code once.
func (m *image) readRefs() *refs {
	r := &refs{}
	low, high := ^uint64(0), uint64(0)
	for _, region := range m.regions {
		if region.texts {
			low, high = min(low, region.address), max(high, region.address+uint64(region.end-region.start))
		}
	}
	end := 0
	for _, region := range m.regions {
		if !region.code || region.start < end || low >= high {
			continue
		}
		end = region.end
		add := func(code, target uint64) bool {
			if target >= low && target < high {
				r.byCode = append(r.byCode, ref{code, target})
			}
			return len(r.byCode) < maxRefs
		}
		switch code := m.data[region.start:region.end]; m.arch {
		case "arm64", "arm64e":
			refsARM64(code, region.address, add)
		case "x86-64":
			refsX86(code, region.address, add)
		}
	}
	slices.SortFunc(r.byCode, func(a, b ref) int { return cmp.Compare(a.code, b.code) })
	r.byTarget = slices.Clone(r.byCode)
	slices.SortStableFunc(r.byTarget, func(a, b ref) int { return cmp.Compare(a.target, b.target) })
	return r
}

// refsARM64 finds ADR, and ADRP with the ADD that follows it within some instructions. After the
// Arm Architecture Reference Manual, C6.2.
func refsARM64(code []byte, address uint64, add func(code, target uint64) bool) {
	const near = 16 * 4 // bytes between the two
	var page [32]struct {
		at, value uint64
		set       bool
	}
	for i := 0; i+4 <= len(code); i += 4 {
		w := binary.LittleEndian.Uint32(code[i:])
		at := address + uint64(i)
		switch {
		case w&0x1f000000 == 0x10000000:
			offset := int64(int32(w<<8)>>13)<<2 | int64(w>>29&3)
			if w>>31 == 0 {
				if !add(at, at+uint64(offset)) {
					return
				}
				continue
			}
			p := &page[w&31]
			p.at, p.value, p.set = at, at&^0xfff+uint64(offset)<<12, true
		case w&0xffc00000 == 0x91000000:
			if p := page[w>>5&31]; p.set && at-p.at <= near && !add(at, p.value+uint64(w>>10&0xfff)) {
				return
			}
		}
	}
}

// refsX86 finds LEA of an address relative to the instruction: REX.W 8D /r with mod 0 and r/m 5,
// after the Intel manual, volume 2.
func refsX86(code []byte, address uint64, add func(code, target uint64) bool) {
	for i := 1; i+6 <= len(code); i++ {
		n := bytes.IndexByte(code[i:len(code)-5], 0x8d)
		if n < 0 {
			return
		}
		i += n
		if code[i-1]&0xf8 != 0x48 || code[i+1]&0xc7 != 0x05 {
			continue
		}
		next := address + uint64(i) + 6
		if !add(address+uint64(i)-1, next+uint64(int64(int32(binary.LittleEndian.Uint32(code[i+2:]))))) {
			return
		}
	}
}

// users are the functions that refer to the bytes from one place to another of a region, and the
// variables that hold them.
func (m *image) users(r region, from, to int) (users []reading.User, more int) {
	if r.address == 0 && m.name != "" {
		return nil, 0 // object files have no addresses yet
	}
	low, high := r.address+uint64(from-r.start), r.address+uint64(to-r.start)
	seen := map[string]bool{}
	add := func(s symbol, address uint64) {
		name := string(s.name)
		if seen[name] {
			return
		}
		if seen[name] = true; len(users) == maxUsers {
			more++
			return
		}
		user := reading.User{Name: name, Package: m.packageOf(name), Offset: m.offset(address)}
		if s.function {
			user.Strings = m.siblings(s, low, high)
		}
		users = append(users, user)
	}
	if r.code {
		if s, ok := m.symbolAt(low, true); ok {
			add(s, low)
		}
		return users, more
	}
	refs := m.refs().byTarget
	i, _ := slices.BinarySearchFunc(refs, low, func(r ref, at uint64) int { return cmp.Compare(r.target, at) })
	for ; i < len(refs) && refs[i].target < high; i++ {
		if s, ok := m.symbolAt(refs[i].code, true); ok {
			add(s, refs[i].code)
		}
	}
	if s, ok := m.symbolAt(low, false); ok {
		add(s, low)
	}
	return users, more
}

// begin is the place that code refers to, the last one at or before at in a run of printable
// characters; at itself if there is none.
func (m *image) begin(r region, at int) int {
	if r.code || m.refs == nil {
		return at
	}
	refs := m.refs().byTarget
	address := r.address + uint64(at-r.start)
	i, _ := slices.BinarySearchFunc(refs, address+1, func(r ref, at uint64) int { return cmp.Compare(r.target, at) })
	if i == 0 || refs[i-1].target < r.address || address-refs[i-1].target > maxLiteral {
		return at
	}
	from := at - int(address-refs[i-1].target)
	for _, c := range m.data[from:at] {
		if !plain[c] && c < 0x80 {
			return at
		}
	}
	return from
}

// symbolAt finds the function, or the variable, that an address belongs to.
func (m *image) symbolAt(address uint64, function bool) (symbol, bool) {
	all := m.symbols()
	i, _ := slices.BinarySearchFunc(all, address+1, func(s symbol, at uint64) int { return cmp.Compare(s.from, at) })
	// Of several that begin before it, the nearest that covers it: aliases are few.
	for k := i - 1; k >= 0 && k >= i-8; k-- {
		if s := all[k]; s.function == function && (address < s.to || address == s.from) {
			return s, true
		}
	}
	return symbol{}, false
}

// siblings are the other texts that a function refers to.
func (m *image) siblings(s symbol, low, high uint64) []string {
	refs := m.refs().byCode
	i, _ := slices.BinarySearchFunc(refs, s.from, func(r ref, at uint64) int { return cmp.Compare(r.code, at) })
	var texts []string
	for last := min(len(refs), i+maxTried); i < last && refs[i].code < s.to && len(texts) < maxStrings; i++ {
		target := refs[i].target
		if target >= low && target < high {
			continue
		}
		at := m.offset(target)
		if at == 0 {
			continue
		}
		text := string(cstring(m.data[at-m.base : m.end(target, at-m.base)]))
		if len(text) >= minRun && len(text) <= maxSibling && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0xfffd }) && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// end is where a text at an address ends at the latest: in Go where the next one begins.
func (m *image) end(address uint64, at int) int {
	if !m.golang {
		return len(m.data)
	}
	refs := m.refs().byTarget
	i, _ := slices.BinarySearchFunc(refs, address+1, func(r ref, at uint64) int { return cmp.Compare(r.target, at) })
	if i == len(refs) {
		return at
	}
	return int(min(uint64(len(m.data)), uint64(at)+refs[i].target-address))
}

// offset is where an address is in the file; 0 if it is not there.
func (m *image) offset(address uint64) int {
	for _, r := range m.regions {
		if address >= r.address && address-r.address < uint64(r.end-r.start) {
			return m.base + r.start + int(address-r.address)
		}
	}
	return 0
}

// packageOf is the Java package of a JNI function, or the package of one of Go; else "".
func (m *image) packageOf(name string) string {
	if m.golang {
		slash := strings.LastIndexByte(name, '/') + 1
		if dot := strings.IndexByte(name[slash:], '.'); dot > 0 {
			return name[:slash+dot]
		}
		return ""
	}
	rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "_"), "Java_")
	if !ok {
		return ""
	}
	// Java_com_x_Y_method: a class begins with a capital, and a _ of a name is _1.
	var pack []string
	for part := range strings.SplitSeq(strings.ReplaceAll(rest, "_1", "\x00"), "_") {
		if part == "" || part[0] >= 'A' && part[0] <= 'Z' {
			break
		}
		pack = append(pack, strings.ReplaceAll(part, "\x00", "_"))
	}
	return strings.Join(pack, ".")
}

package script

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// ramMagic begins the file of a RAM bundle, a table of modules followed by their code: "indexed
// RAM bundle" of React Native (metro, src/shared/output/RamBundle/magic-number.js).
const ramMagic = 0xfb0bd1e5

// ramHeader is the length of what stands before the table: the magic, the number of modules and
// the length of the code that starts, each in 32 bits, little endian.
const ramHeader = 12

// A ramSegment is the code of one module of the table; id is -1 for the code that starts.
type ramSegment struct {
	id         int
	start, end int
}

func isRAM(head []byte) bool {
	return len(head) >= 4 && binary.LittleEndian.Uint32(head) == ramMagic
}

// readRAM reads the table: offsets are from its end, lengths count the NUL byte that follows each text.
func (f *file) readRAM() error {
	if len(f.src) < ramHeader {
		return fmt.Errorf("RAM bundle: %d bytes, its header has %d", len(f.src), ramHeader)
	}
	count := int64(binary.LittleEndian.Uint32(f.src[4:]))
	startup := int64(binary.LittleEndian.Uint32(f.src[8:]))
	if most := int64(len(f.src)-ramHeader) / 8; count > most {
		return fmt.Errorf("RAM bundle: its table has %d modules, the file (%#x bytes) has room for %d", count, len(f.src), most)
	}
	f.code = ramHeader + int(count)*8
	room := int64(len(f.src) - f.code)
	if startup > room {
		return fmt.Errorf("RAM bundle: the code that starts has %#x bytes, beyond the end of the file (%#x)", startup, len(f.src))
	}
	f.ram = append(make([]ramSegment, 0, count+1), f.segment(-1, 0, startup))
	for id := range int(count) {
		entry := f.src[ramHeader+id*8:]
		offset, length := int64(binary.LittleEndian.Uint32(entry)), int64(binary.LittleEndian.Uint32(entry[4:]))
		if length == 0 {
			continue // a number that no module has
		}
		if offset > room || length > room-offset {
			return fmt.Errorf("RAM bundle: module %d stands at %#x to %#x, beyond the end of the file (%#x)",
				id, int64(f.code)+offset, int64(f.code)+offset+length, len(f.src))
		}
		f.ram = append(f.ram, f.segment(id, offset, length))
	}
	slices.SortFunc(f.ram, func(a, b ramSegment) int { return a.start - b.start })
	return nil
}

func (f *file) segment(id int, offset, length int64) ramSegment {
	s := ramSegment{id: id, start: f.code + int(offset), end: f.code + int(offset+length)}
	if s.end > s.start && f.src[s.end-1] == 0 {
		s.end--
	}
	return s
}

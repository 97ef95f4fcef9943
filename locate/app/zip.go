package app

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// The records of a zip archive (PKWARE APPNOTE.TXT, 4.3).
const (
	localSignature     = "PK\x03\x04" // 4.3.7
	centralSignature   = "PK\x01\x02" // 4.3.12
	end64Signature     = "PK\x06\x06" // 4.3.14
	locator64Signature = "PK\x06\x07" // 4.3.15
	endSignature       = "PK\x05\x06" // 4.3.16

	localLength         = 30
	centralLength       = 46
	endLength           = 22
	end64Length         = 56
	locator64Length     = 20
	descriptorSignature = "PK\x07\x08" // 4.3.9

	maxComment = math.MaxUint16

	encryptedFlag  = 1 << 0 // 4.4.4
	descriptorFlag = 1 << 3 // sizes follow the data

	stored   = 0 // 4.4.5
	deflated = 8

	zip64Extra = 0x0001 // 4.5.3
	// huge is beyond every size that can be true, and far from overflowing.
	huge = 1 << 60
)

// A member is a file in a zip archive, as the central directory has it.
type member struct {
	name         string
	header       int64 // where its local header begins
	packed, size int64
	crc          uint32
	method       uint16
	flags        uint16
	unchecked    bool // the crc is not known
}

// A directory is what is in a zip archive.
type directory struct {
	members []member
	begins  int64 // where the first of them does
	notes   []string
	damage  error // what is missing of it
}

// errNoArchive says that something is no archive after all.
var errNoArchive = errors.New("not an archive")

// An end is the record by which the central directory is found.
type end struct {
	at          int64 // of the record itself
	entries     int64
	size, start int64 // of the central directory
	shift       int64 // what offsets in it are short of
}

// readDirectory reads what a zip archive holds: at most limit files. Without a central
// directory, or where that is broken off, the files themselves are looked for.
func readDirectory(archive *io.SectionReader, limit int) (directory, error) {
	e, ok := findEnd(archive)
	if ok && e.shift > 0 && begins(archive, localSignature) {
		// It is the directory of an archive in this one, which is broken off.
		ok = false
	}
	if !ok && !begins(archive, localSignature) {
		return directory{}, errNoArchive
	}
	if !ok {
		members := scan(archive, limit)
		if len(members) == 0 {
			return directory{}, errNoArchive
		}
		return directory{members: members, damage: fmt.Errorf("the archive is broken off: it has no central directory; %s found by their own headers", count(len(members), "file was", "files were"))}, nil
	}
	d := directory{}
	d.readCentral(archive, e, limit)
	if int64(len(d.members)) < e.entries && len(d.members) < limit {
		listed := map[int64]bool{}
		for _, m := range d.members {
			listed[m.header] = true
		}
		read := len(d.members)
		for _, m := range scan(archive, limit) {
			if !listed[m.header] {
				d.members = append(d.members, m)
			}
		}
		d.damage = fmt.Errorf("the central directory is damaged: %d of its %d entries can be read; %d more were found by their own headers", read, e.entries, len(d.members)-read)
	}
	d.begins = e.start
	for _, m := range d.members {
		d.begins = min(d.begins, m.header)
	}
	if d.begins > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d bytes stand before the archive", d.begins))
	}
	d.dropOverlaps(e.start)
	return d, nil
}

// findEnd looks for the end record, from the end of the file.
func findEnd(archive *io.SectionReader) (end, bool) {
	tail := make([]byte, min(archive.Size(), endLength+maxComment))
	from := archive.Size() - int64(len(tail))
	if n, _ := archive.ReadAt(tail, from); n < len(tail) {
		return end{}, false
	}
	for at := len(tail) - endLength; at >= 0; at-- {
		if at = bytes.LastIndex(tail[:at+4], []byte(endSignature)); at < 0 {
			break
		}
		if e := parseEnd(archive, from+int64(at), tail[at:]); e.findStart(archive) {
			return e, true
		}
	}
	return end{}, false
}

func parseEnd(archive io.ReaderAt, at int64, record []byte) end {
	e := end{
		at:      at,
		entries: int64(binary.LittleEndian.Uint16(record[10:])),
		size:    int64(binary.LittleEndian.Uint32(record[12:])),
		start:   int64(binary.LittleEndian.Uint32(record[16:])),
	}
	if e.entries != math.MaxUint16 && e.size != math.MaxUint32 && e.start != math.MaxUint32 {
		return e
	}
	var locator [locator64Length]byte
	if _, err := archive.ReadAt(locator[:], at-locator64Length); err != nil || string(locator[:4]) != locator64Signature {
		return e
	}
	// What stands before the archive shifts the record. It is right before its locator.
	for _, at64 := range []int64{clamp(binary.LittleEndian.Uint64(locator[8:])), at - locator64Length - end64Length} {
		var record [end64Length]byte
		if _, err := archive.ReadAt(record[:], at64); err != nil || string(record[:4]) != end64Signature {
			continue
		}
		return end{
			at:      at64,
			entries: clamp(binary.LittleEndian.Uint64(record[32:])),
			size:    clamp(binary.LittleEndian.Uint64(record[40:])),
			start:   clamp(binary.LittleEndian.Uint64(record[48:])),
		}
	}
	return e
}

// findStart finds where the central directory really begins, since offsets are wrong by
// what was put before the archive. It reports whether there is one.
func (e *end) findStart(archive io.ReaderAt) bool {
	if e.entries == 0 && e.size == 0 {
		return e.start <= e.at
	}
	for _, shift := range []int64{0, e.at - e.size - e.start} {
		var sign [4]byte
		if n, _ := archive.ReadAt(sign[:], e.start+shift); shift >= 0 && n == len(sign) && string(sign[:]) == centralSignature {
			e.shift = shift
			e.start += shift
			return true
		}
	}
	return false
}

// readCentral reads the central directory. Its end is where its records end, whatever
// their number was said to be.
func (d *directory) readCentral(archive *io.SectionReader, e end, limit int) {
	r := bufio.NewReaderSize(io.NewSectionReader(archive, e.start, max(e.at-e.start, 0)), 64<<10)
	var record [centralLength]byte
	var rest []byte
	for len(d.members) < limit {
		if _, err := io.ReadFull(r, record[:]); err != nil || string(record[:4]) != centralSignature {
			return
		}
		name := int(binary.LittleEndian.Uint16(record[28:]))
		extra := int(binary.LittleEndian.Uint16(record[30:]))
		rest = slices.Grow(rest[:0], name+extra)[:name+extra]
		if _, err := io.ReadFull(r, rest); err != nil {
			return
		}
		m := parseCentral(record[:], rest[:name], rest[name:])
		m.header += e.shift
		d.members = append(d.members, m)
		if _, err := r.Discard(int(binary.LittleEndian.Uint16(record[32:]))); err != nil {
			return
		}
	}
}

func parseCentral(record, name, extra []byte) member {
	m := member{
		name:   string(name),
		flags:  binary.LittleEndian.Uint16(record[8:]),
		method: binary.LittleEndian.Uint16(record[10:]),
		crc:    binary.LittleEndian.Uint32(record[16:]),
		packed: int64(binary.LittleEndian.Uint32(record[20:])),
		size:   int64(binary.LittleEndian.Uint32(record[24:])),
		header: int64(binary.LittleEndian.Uint32(record[42:])),
	}
	m.zip64(extra, &m.size, &m.packed, &m.header)
	return m
}

// zip64 replaces those values that did not fit into 32 bits.
func (m *member) zip64(extra []byte, values ...*int64) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return
		}
		if id != zip64Extra {
			extra = extra[n:]
			continue
		}
		field := extra[:n]
		for _, v := range values {
			if *v == math.MaxUint32 && len(field) >= 8 {
				*v = clamp(binary.LittleEndian.Uint64(field))
				field = field[8:]
			}
		}
		return
	}
}

func clamp(n uint64) int64 { return int64(min(n, huge)) }

// dropOverlaps takes out files whose data is that of others, where that makes much more of
// it than the archive has (size): a bomb (D. Fifield, "A better zip bomb", WOOT 2019). Else
// they stay: one that claims to reach over others could hide them.
func (d *directory) dropOverlaps(size int64) {
	var packed int64
	order := make([]int, len(d.members))
	for i, m := range d.members {
		order[i] = i
		packed += min(m.packed, size)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(d.members[a].header, d.members[b].header)
	})
	overlaps := map[int]bool{}
	var until int64
	for _, i := range order {
		m := d.members[i]
		if m.header < until {
			overlaps[i] = true
			continue
		}
		until = m.header + localLength + m.packed
	}
	if len(overlaps) == 0 {
		return
	}
	if packed <= grain+2*size {
		d.notes = append(d.notes, count(len(overlaps), "file has", "files have")+" the data of others")
		return
	}
	kept := d.members[:0]
	for i, m := range d.members {
		if !overlaps[i] {
			kept = append(kept, m)
		}
	}
	d.members = kept
	d.damage = errors.Join(d.damage, fmt.Errorf("%s not unpacked, since their data is that of others, as in an archive bomb",
		count(len(overlaps), "file was", "files were")))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package app

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// A scanner looks for the records of an archive that has no central directory, from its
// start to its end, once.
type scanner struct {
	archive *io.SectionReader
	r       *bufio.Reader
	at      int64 // where r is
}

// scan looks for the files of an archive by their own headers: at most limit.
func scan(archive *io.SectionReader, limit int) []member {
	s := scanner{archive: archive, r: bufio.NewReaderSize(io.NewSectionReader(archive, 0, archive.Size()), 64<<10)}
	var members []member
	at := s.next(0, isLocal)
	for at >= 0 && len(members) < limit {
		m, data, ok := readLocal(archive, at)
		if !ok {
			at = s.next(at+4, isLocal)
			continue
		}
		if m.flags&descriptorFlag != 0 && m.packed == 0 {
			// Its sizes follow it, and it ends at the latest where another record begins.
			m.unchecked = true
			m.packed = archive.Size() - data
			if next := s.next(data, isRecord); next >= 0 {
				m.packed = next - data
			}
			m.size = m.packed
			if m.method == deflated {
				m.size = measure(archive, data, m.packed)
			}
		}
		members = append(members, m)
		if data+m.packed >= archive.Size() {
			break
		}
		at = s.next(data+m.packed, isLocal)
	}
	return members
}

// next returns where a record begins, from an offset on, which must not be before that of
// the last call; -1 where none does.
func (s *scanner) next(from int64, is func([]byte) bool) int64 {
	for s.at < from {
		n, err := s.r.Discard(int(min(from-s.at, 1<<30)))
		s.at += int64(n)
		if err != nil {
			return -1
		}
	}
	for {
		window, err := s.r.Peek(max(4, s.r.Buffered()))
		skip := bytes.Index(window, []byte("PK"))
		switch {
		case skip >= 0 && skip+4 <= len(window) && is(window[skip:skip+4]):
			s.skip(skip)
			return s.at
		case err != nil:
			return -1
		case skip < 0:
			skip = len(window) - 1
		case skip+4 <= len(window):
			skip += 2
		}
		s.skip(skip)
	}
}

func (s *scanner) skip(n int) {
	n, _ = s.r.Discard(n) // all of it was peeked at
	s.at += int64(n)
}

func isLocal(b []byte) bool { return string(b) == localSignature }

func isRecord(b []byte) bool {
	switch string(b) {
	case localSignature, centralSignature, endSignature, end64Signature, descriptorSignature:
		return true
	}
	return false
}

// measure returns how long deflated data gets.
func measure(archive io.ReaderAt, at, packed int64) int64 {
	r := inflate(io.NewSectionReader(archive, at, packed))
	defer r.Close()
	n, _ := io.Copy(io.Discard, io.LimitReader(r, bombFrom+packed*ratioOfBomb)) // what fails here fails again when it is read
	return n
}

// longestName bounds the names that are believed where only a local header gives them.
const longestName = 4096

// readLocal reads a local header, and returns where the data begins. It reports false for
// what only has the signature of one.
func readLocal(archive *io.SectionReader, at int64) (m member, data int64, ok bool) {
	var header [localLength]byte
	if n, _ := archive.ReadAt(header[:], at); n < localLength {
		return m, 0, false
	}
	name, extra := int(binary.LittleEndian.Uint16(header[26:])), int(binary.LittleEndian.Uint16(header[28:]))
	if name == 0 || name > longestName {
		return m, 0, false
	}
	rest := make([]byte, name+extra)
	if n, _ := archive.ReadAt(rest, at+localLength); n < len(rest) {
		return m, 0, false
	}
	m = member{
		name:   string(rest[:name]),
		header: at,
		flags:  binary.LittleEndian.Uint16(header[6:]),
		method: binary.LittleEndian.Uint16(header[8:]),
		crc:    binary.LittleEndian.Uint32(header[14:]),
		packed: int64(binary.LittleEndian.Uint32(header[18:])),
		size:   int64(binary.LittleEndian.Uint32(header[22:])),
	}
	m.zip64(rest[name:], &m.size, &m.packed)
	return m, at + localLength + int64(len(rest)), true
}
